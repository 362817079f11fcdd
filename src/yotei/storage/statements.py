"""SQL kept in `queries.sql` of its room: one named statement each, with a comment that says what it is for.

    -- name: list_window
    -- The events of one calendar that overlap a window.
    select ... where calendar_id = $1

Knows nothing of connections. A file that names a statement twice, or not at all, is refused when it is loaded.
"""

import re
from collections.abc import Mapping
from importlib import resources
from types import MappingProxyType
from typing import Final

import msgspec

FILE_NAME: Final = "queries.sql"
_NAME_LINE: Final = re.compile(r"--\s*name:(.*)")
_NAME: Final = re.compile(r"[a-z][a-z0-9_]*")


class StatementsError(Exception):
    """A `queries.sql` is not in the form above; the message names the file's room and the line."""


class Statement(msgspec.Struct, frozen=True):
    """SQL with `$1` parameters; `name` is `<room>.<name in the file>` and is what metrics and budgets show."""

    name: str
    sql: str
    purpose: str


def load(package: str) -> Mapping[str, Statement]:
    """The statements of a package by their name in its file: `load("yotei.events")["list_window"]`."""
    text = resources.files(package).joinpath(FILE_NAME).read_text("utf-8")
    return parse(package.rpartition(".")[2], text)


def parse(room: str, text: str) -> Mapping[str, Statement]:
    statements: dict[str, Statement] = {}
    for first_line, name, block in _blocks(room, text):
        if not _NAME.fullmatch(name):
            raise StatementsError(f"{room}/{FILE_NAME}:{first_line}: a statement needs a name in snake_case")
        if name in statements:
            raise StatementsError(f"{room}/{FILE_NAME}:{first_line}: {name} is there twice")
        purpose, sql = _split(block)
        if not purpose or not sql:
            missing = "a comment that says what it is for" if not purpose else "its SQL"
            raise StatementsError(f"{room}/{FILE_NAME}:{first_line}: {name} lacks {missing}")
        statements[name] = Statement(name=f"{room}.{name}", sql=sql, purpose=purpose)
    return MappingProxyType(statements)


def _blocks(room: str, text: str) -> list[tuple[int, str, list[str]]]:
    blocks: list[tuple[int, str, list[str]]] = []
    for number, line in enumerate(text.splitlines(), start=1):
        if match := _NAME_LINE.match(line):
            blocks.append((number, match[1].strip(), []))
        elif blocks:
            blocks[-1][2].append(line)
        elif line.strip() and not line.startswith("--"):
            raise StatementsError(f"{room}/{FILE_NAME}:{number}: SQL before the first name")
    return blocks


def _split(block: list[str]) -> tuple[str, str]:
    """The comment lines at the top are the purpose; those further down belong to the SQL."""
    top = next((n for n, line in enumerate(block) if not line.startswith("--")), len(block))
    purpose = " ".join(line.lstrip("-").strip() for line in block[:top]).strip()
    return purpose, "\n".join(block[top:]).strip().rstrip(";").rstrip()
