"""How the owner of a schema says where the value of each field comes from.

    Attribute   it is an attribute of its source
    Pure        it is computed from its source and its arguments
    Loaded      it is loaded: many keys at once, by an async function that costs a known number of statements; or it
                comes along with the load that brought its source
    Resolved    the library's own resolver is called for each source: no column, no known number of statements

A vocabulary is `{"Event": {"title": Attribute("title"), ...}, ...}`, by the names of the schema.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final, TypeAlias

import msgspec

KEYS_MAX: Final = 1_000
"""Keys of one load, unless it says otherwise. A load is never cut in two: that would make statements depend on data."""


class Attribute(msgspec.Struct, frozen=True):
    """`source.name`. `rows` is how many items a list is expected to have."""

    name: str
    rows: int = 1


class Pure(msgspec.Struct, frozen=True):
    """`of(source, **arguments)`: quick, without I/O; what it raises is the error of this field alone."""

    of: Callable[..., Any]
    rows: int = 1


class Load(msgspec.Struct, frozen=True, eq=False):
    """A kind of load; fields that name the same Load with equal arguments are loaded together.

    `load(context, keys, arguments)` gets distinct keys and answers with one value for each, in their order: None for
    what is not there, an Exception for a key that failed by itself. What it raises fails all of its keys.

    `brings`: loads without arguments whose answers it can bring along, for the keys that its own answers hold. Such a
    load gets a fourth argument, those of them that are wanted, and answers with `Brought`.

    `brings_itself`: what it would load for things that its answers hold, it has answered already: all such fields ask
    of the same key. Such a load has no arguments.

    `statements` is what it costs at most, whatever the keys. `rows` is how many rows a key is expected to bring: a
    number, or a function of the arguments that are known (`rows(first=50)`). One that `writes` is not in the budget of
    a document: what it does is for its own bounds.
    """

    name: str
    load: Callable[..., Awaitable[Any]]
    statements: int = 1
    keys_max: int = KEYS_MAX
    rows: int | Callable[..., int] = 1
    brings: frozenset["Load"] = frozenset()
    brings_itself: bool = False
    writes: bool = False


class Brought(msgspec.Struct, frozen=True):
    """The answers of a load, and those of others that it was told to bring: a key without one has nothing there."""

    answers: Sequence[Any]
    along: Mapping[Load, Mapping[Any, Any]]


class Carrier(msgspec.Struct, frozen=True):
    """A load below that can stand in for the load of the parent, because it needs the parent's key and no more.

    When a field below is loaded by `load`, only that runs, with the key of the parent. What the parent's load would
    have answered it brings along; or, when nothing is selected but `fields`, `take(key, answer)` is that.
    """

    load: Load
    take: Callable[[Any, Any], Any] | None = None
    fields: frozenset[str] | None = None


class Loaded(msgspec.Struct, frozen=True):
    """A field that is loaded, or that comes with the load that brought its source, where that load brings such.

    `key`: an attribute of the source, or `key(source, arguments, context)`; None means that there is nothing to load.
    `many`: the key is a list of keys, and the value the list of their answers.
    `by`: the arguments that make two loads different; those that only make keys are not among them.
    `arguments(context, **by)`: what the load is given as its arguments; without it, a dict of them. It is called once
    for an operation, and what it raises is the error of the field.
    `value(answer, arguments)`: what becomes of an answer, for one that failed it is not called.
    """

    load: Load
    key: str | Callable[[Any, Mapping[str, Any], Any], Any]
    many: bool = False
    by: tuple[str, ...] = ()
    arguments: Callable[..., Any] | None = None
    value: Callable[[Any, Any], Any] | None = None
    carriers: tuple[Carrier, ...] = ()

    @property
    def plain(self) -> bool:
        """Whether its load has no arguments."""
        return not self.by and self.arguments is None


class Resolved(msgspec.Struct, frozen=True):
    """The resolver of the library, called for each source with its `info`; awaitables are awaited level by level."""


Field: TypeAlias = Attribute | Pure | Loaded | Resolved
Vocabulary: TypeAlias = Mapping[str, Mapping[str, Field]]
