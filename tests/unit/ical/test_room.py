"""The room's own promises: an exact surface, and no I/O."""

import ast
from pathlib import Path

import yotei.ical

ROOM = Path(yotei.ical.__file__).parent
DOORS_TO_THE_OUTSIDE = {"os", "io", "socket", "pathlib", "asyncio", "subprocess", "urllib", "http", "asyncpg", "time"}


def test_every_public_name_is_there_and_listed_once() -> None:
    names = yotei.ical.__all__

    assert len(names) == len(set(names))
    assert all(hasattr(yotei.ical, name) for name in names)


def test_no_module_imports_a_way_to_the_outside_or_another_room() -> None:
    imported = set()
    for source in ROOM.glob("*.py"):
        for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                imported |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                imported.add(node.module or "")

    assert not {name.partition(".")[0] for name in imported} & DOORS_TO_THE_OUTSIDE
    assert all(name.startswith("yotei.ical") for name in imported if name.startswith("yotei"))
