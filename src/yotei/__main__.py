"""`python -m yotei` is `yotei`."""

from yotei.cli.main import main

if __name__ == "__main__":
    main()
