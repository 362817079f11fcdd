"""What one execution holds: frames of columns, and how rows of the answer are made of them.

A `Frame` is a selection with its sources and the columns of its fields, `Nested` a column of objects. Where nothing
failed, rows are made from the leaves up, a column at a time.
"""

from itertools import count, islice
from typing import Any, Final, TypeAlias

from graphql.pyutils import Path

from yotei.breadth.columns import Fail
from yotei.breadth.selection import Node, Selection

Column: TypeAlias = "list[Any] | Nested"
Place: TypeAlias = "tuple[int, int] | Fail"
"""Which frame and which of its rows."""


class Frame:
    """One selection with its sources; a column for each field once it was expanded."""

    __slots__ = ("_paths", "columns", "nested", "selection", "sources")

    def __init__(self, selection: Selection, sources: list[Any], nested: "Nested | None") -> None:
        self.selection: Final = selection
        self.sources: Final = sources
        self.nested: Final = nested
        self.columns: list[Column] = [[] for _ in selection.nodes]
        self._paths: list[Path | None] | None = None

    def rows(self, structs: bool) -> list[Any]:
        """The rows of the answer, of a frame in which nothing failed."""
        if not self.sources:
            return []
        if not self.columns:
            return [{} for _ in self.sources]
        columns = [column if type(column) is list else column.column(structs) for column in self.columns]  # type: ignore[union-attr]
        if structs:
            return list(map(self.selection.row, *columns))
        keys = self.selection.keys
        return [dict(zip(keys, values, strict=False)) for values in zip(*columns, strict=True)]

    def paths(self) -> list[Path | None]:
        """Where each source stands in the answer; made when somebody asks."""
        if self._paths is None:
            self._paths = [None] if self.nested is None else self.nested.paths(self)
        return self._paths


class Nested:
    """A column of objects: its frames, and how their rows become the values of the column.

    Objects are numbered from the first row on. `tree` is None where each row is its one object, else it holds for each
    row a number, nothing, a Fail, or a list of such; `lengths` tells a column of plain lists by their lengths alone.
    `places` says where each object stands, and is None where all are in one frame, in order.
    """

    __slots__ = ("frame", "frames", "lengths", "node", "places", "tree")

    def __init__(self, node: Node, frame: Frame) -> None:
        self.node: Final = node
        self.frame: Final = frame
        self.frames: list[Frame] = []
        self.places: list[Place] | None = None
        self.lengths: list[int | None] | None = None
        self.tree: list[Any] | None = None

    def column(self, structs: bool) -> list[Any]:
        rows = self._objects(structs)
        if self.lengths is not None:
            following = iter(rows)
            return [None if length is None else list(islice(following, length)) for length in self.lengths]
        return rows if self.tree is None else [_graft(branch, rows) for branch in self.tree]

    def _objects(self, structs: bool) -> list[Any]:
        if self.places is None:
            return self.frames[0].rows(structs)
        rows = [frame.rows(structs) for frame in self.frames]
        return [rows[place[0]][place[1]] for place in self.places if type(place) is tuple]

    def branches(self) -> list[Any]:
        """The tree, also of a column that is told more shortly."""
        if self.tree is None:
            numbers = count()
            if self.lengths is not None:
                self.tree = [None if length is None else list(islice(numbers, length)) for length in self.lengths]
            else:
                self.tree = list(islice(numbers, len(self.frame.sources)))
        return self.tree

    def origins(self) -> list[tuple[int, tuple[int, ...]]]:
        """For each object the row that it came from, and its place within the lists there."""
        found: dict[int, tuple[int, tuple[int, ...]]] = {}
        for row, branch in enumerate(self.branches()):
            _origins(branch, row, (), found)
        return [found[number] for number in range(len(found))]

    def paths(self, frame: Frame) -> list[Path | None]:
        above, key, typename = self.frame.paths(), self.node.key, self.node.parent.name
        objects: list[Path | None] = []
        for row, indices in self.origins():
            path = Path(above[row], key, typename)
            for index in indices:
                path = Path(path, index, None)
            objects.append(path)
        if self.places is None:
            return objects
        number = next(position for position, one in enumerate(self.frames) if one is frame)
        return [
            path
            for path, place in zip(objects, self.places, strict=True)
            if type(place) is tuple and place[0] == number
        ]


def _graft(branch: Any, rows: list[Any]) -> Any:
    if type(branch) is int:
        return rows[branch]
    return None if branch is None else [_graft(one, rows) for one in branch]


def _origins(branch: Any, row: int, indices: tuple[int, ...], found: dict[int, tuple[int, tuple[int, ...]]]) -> None:
    if type(branch) is int:
        found[branch] = (row, indices)
    elif type(branch) is list:
        for index, one in enumerate(branch):
            _origins(one, row, (*indices, index), found)
