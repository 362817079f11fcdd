"""`schema.sql`: what all migrations together make, for people to read and for a test to compare.

Written anew with `python -m yotei.storage.schema <url of a migrated database>`. The daily partitions of the change log
are left out, and what `pg_dump` says about itself.
"""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Final

from yotei.storage.embedded import programs

SCHEMA_FILE: Final = Path(__file__).parent / "schema.sql"
DUMP_TIMEOUT_S: Final = 60


def dump_schema(url: str) -> str:
    """The normalised schema of a database; needs a server that is not newer than the wheel's `pg_dump`."""
    dumped = subprocess.run(  # noqa: S603, the wheel's own program
        [
            str(programs() / "pg_dump"),
            "--schema-only",
            "--no-owner",
            "--no-privileges",
            "--no-comments",
            "--exclude-table=change_log_[0-9]*",
            "--exclude-extension=pg_stat_statements",
            f"--dbname={url}",
        ],
        capture_output=True,
        text=True,
        check=True,
        timeout=DUMP_TIMEOUT_S,
        env={**os.environ, "LC_ALL": "C"},
    ).stdout
    lines = (line for line in dumped.splitlines() if not re.match(r"--|SET |SELECT pg_catalog\.set_config|\\", line))
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip() + "\n"


if __name__ == "__main__":
    SCHEMA_FILE.write_text(dump_schema(sys.argv[1]), "utf-8")
