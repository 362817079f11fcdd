"""Yotei: a calendar backend that stays fast."""

from importlib.metadata import version
from typing import Final

__version__: Final = version("yotei")
