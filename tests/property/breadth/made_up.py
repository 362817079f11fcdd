"""Schemas, data and documents made up at random from a seed: the same every time.

A schema has objects, an interface, a union, an enum, a custom scalar, an input object, lists of lists, and nulls that
are allowed or not. Its data is a pool of objects that refer to each other; now and then a value is missing, of a wrong
type, an error, or of a type that the schema does not expect there. What a field gives is a function of its source and
arguments, so it can be had at once, in a coroutine, or by a load.
"""

from collections.abc import Callable, Mapping, Sequence
from random import Random
from typing import Any, Final, NamedTuple

from graphql import DocumentNode, GraphQLSchema, build_schema, parse, validate

from yotei.breadth import Field, Load, Loaded, Pure, Resolved

POOL: Final = 6
"""Objects of each type."""
DEPTH_MAX: Final = 5
PARTS: Final = (8, 20, 45)
"""Fields and fragments of a document."""
TRIES_MAX: Final = 200

LEAVES: Final = ("String", "Int", "Float", "Boolean", "ID", "Color", "Odd")
WRAPS: Final = ("{}", "{}", "{}!", "[{}]", "[{}!]", "[{}]!", "[{}!]!", "[[{}]]", "[[{}!]!]")
ARGUMENTS: Final = "(number: Int = 1, text: String, given: Given, hue: Color)"

_HEAD: Final = """
enum Color { RED GREEN BLUE }
scalar Odd
input Given { a: Int = 5, b: [String] }
interface Named { label: String, peer: A, kin: [Named] }
"""


class Thing:
    """An object of the pool that is read by attributes; the pool holds mappings too."""

    def __init__(self, fields: Mapping[str, Any]) -> None:
        self.__dict__.update(fields)

    def __repr__(self) -> str:
        return f"<{self.__dict__.get('number')}>"


class How(NamedTuple):
    """A field of an object type: what it gives, and how that is computed."""

    name: str
    type: str
    computed: bool
    arguments: bool


class Failed(Exception):
    """What made-up fields and scalars raise."""


class Made(NamedTuple):
    """A schema with its data: `stock` answers at once, `waiting` in coroutines, `vocabulary` plans what is computed.

    `loaded` is what the loads of the vocabulary write their names to, each time that they run.
    """

    types: dict[str, list[How]]
    stock: GraphQLSchema
    waiting: GraphQLSchema
    vocabulary: dict[str, dict[str, Field]]
    root: Any
    loaded: list[str]


def make(seed: int) -> Made:
    """A schema, its data, and everything that answers it."""
    random = Random(seed)
    types = _types(random)
    sdl = _sdl(types)
    stock, waiting = _resolved(build_schema(sdl), types, _at_once), _resolved(build_schema(sdl), types, _in_a_coroutine)
    loaded: list[str] = []
    return Made(types, stock, waiting, _vocabulary(random, types, loaded), _data(random, types), loaded)


def answer(how: How, source: Any, arguments: Mapping[str, Any]) -> Any:
    """What the field gives for this source: the one place where made-up data is read by functions."""
    value = source.get(how.name) if isinstance(source, Mapping) else getattr(source, how.name, None)
    if arguments.get("number") == 3:
        raise Failed(f"{how.name} does not take 3")
    if how.arguments and isinstance(value, str) and "String" in how.type:
        return f"{value}{sorted(arguments.items(), key=str)}"
    return value


def document(random: Random, made: Made) -> tuple[DocumentNode, dict[str, Any]]:
    """A document that the schema takes, and the values of its variables."""
    for _ in range(TRIES_MAX):
        text, variables = _Writing(random, made).document()
        parsed = parse(text)
        if not validate(made.stock, parsed):
            return parsed, variables
    raise AssertionError("no document of this schema is valid")


def _types(random: Random) -> dict[str, list[How]]:
    letters = "ABCDE"[: random.randint(3, 5)]
    types: dict[str, list[How]] = {}
    for name in ("Query", "Mutation", *letters):
        fields = []
        for number in range(random.randint(4, 7)):
            base = random.choice([*LEAVES, *letters, *letters, "Named", "Any"])
            computed = random.random() < 0.6
            wrap = random.choice(WRAPS)
            fields.append(
                How(f"{name[0].lower()}{number}", wrap.format(base), computed, computed and random.random() < 0.6)
            )
        # Whatever chance does: something of every kind can be reached from the root.
        fields += [How(f"to{letter}", random.choice(WRAPS).format(letter), True, False) for letter in letters[:2]]
        if name in letters:
            fields += [How("label", "String", False, False), How("peer", "A", False, False)]
            fields.append(How("kin", "[Named]", True, False))
        types[name] = fields
    return types


def _sdl(types: Mapping[str, list[How]]) -> str:
    parts = [_HEAD, "union Any = A | B | C"]
    for name, fields in types.items():
        lines = [f"  {how.name}{ARGUMENTS if how.arguments else ''}: {how.type}" for how in fields]
        parts.append(
            f"type {name}{'' if name in ('Query', 'Mutation') else ' implements Named'} {{\n" + "\n".join(lines) + "\n}"
        )
    return "\n".join(parts)


def _resolved(
    schema: GraphQLSchema, types: Mapping[str, list[How]], resolver: Callable[[How], Callable[..., Any]]
) -> GraphQLSchema:
    def odd(value: Any) -> Any:
        if not isinstance(value, int) or value % 7 == 0:
            raise Failed(f"not odd: {value!r}")
        return None if value % 11 == 0 else f"<{value}>"

    types_made: Mapping[str, Any] = schema.type_map
    types_made["Odd"].coerce_output_value = odd
    for name, fields in types.items():
        for how in fields:
            if how.computed:
                types_made[name].fields[how.name].resolve = resolver(how)
    return schema


def _at_once(how: How) -> Callable[..., Any]:
    return lambda source, _info, **arguments: answer(how, source, arguments)


def _in_a_coroutine(how: How) -> Callable[..., Any]:
    async def resolve(source: Any, _info: Any, **arguments: Any) -> Any:
        return answer(how, source, arguments)

    return resolve


def _vocabulary(random: Random, types: Mapping[str, list[How]], loaded: list[str]) -> dict[str, dict[str, Field]]:
    """What is computed is loaded or computed; sources are their own keys. What is not is left to the library."""
    found: dict[str, dict[str, Field]] = {}
    for name, fields in types.items():
        for how in fields:
            declared: Field = Resolved()
            if how.computed:
                declared = _loaded(how, loaded) if random.random() < 0.6 else Pure(_pure(how))
            elif random.random() < 0.3:
                declared = Pure(_pure(how))
            found.setdefault(name, {})[how.name] = declared
    return found


class _Held:
    """A source as a key: equal to nothing else."""

    __slots__ = ("it",)

    def __init__(self, it: Any) -> None:
        self.it = it


def _loaded(how: How, loaded: list[str]) -> Loaded:
    async def load(_: Any, keys: Sequence[_Held], arguments: Mapping[str, Any]) -> list[Any]:
        loaded.append(how.name)
        return [_settled(how, key.it, arguments) for key in keys]

    by = ("number", "text", "given", "hue") if how.arguments else ()
    return Loaded(Load(how.name, load), lambda source, _, __: _Held(source), by=by)


def _settled(how: How, source: Any, arguments: Mapping[str, Any]) -> Any:
    try:
        return answer(how, source, arguments)
    except Failed as error:
        return error


def _pure(how: How) -> Callable[..., Any]:
    return lambda source, **arguments: answer(how, source, arguments)


def _data(random: Random, types: Mapping[str, list[How]]) -> Any:
    pool: dict[str, list[Any]] = {}
    for name in types:
        made: list[Any] = []
        for number in range(1 if name in ("Query", "Mutation") else POOL):
            fields = {"number": f"{name}{number}", "__typename": name}
            made.append(fields if random.random() < 0.5 else Thing({**fields, "_Thing__typename": name}))
        pool[name] = made
    fill = _Filling(random, pool)
    for name, objects in pool.items():
        for one in objects:
            values = {how.name: fill.value(how.type) for how in types[name]}
            one.update(values) if isinstance(one, dict) else one.__dict__.update(values)
    # One root for both kinds of operation.
    return Thing({**_fields(pool["Query"][0]), **_fields(pool["Mutation"][0])})


def _fields(one: Any) -> dict[str, Any]:
    return dict(one if isinstance(one, dict) else one.__dict__)


class _Filling:
    """Values for types of the schema, mostly right."""

    def __init__(self, random: Random, pool: Mapping[str, list[Any]]) -> None:
        self._random = random
        self._pool = pool
        self._letters = [name for name in pool if name not in ("Query", "Mutation")]
        self._wrong = random.choice((0.0, 0.0, 0.01, 0.03))
        self._missing = random.choice((0.0, 0.03, 0.1))

    def value(self, type_: str) -> Any:
        random = self._random
        if type_.endswith("!"):
            return self.value(type_[:-1]) if random.random() > self._missing / 4 else None
        if random.random() < self._missing:
            return None
        if random.random() < self._wrong:
            return random.choice(("wrong", 2**40, Failed("made up"), 1.5, [], {"__typename": "Nobody"}, [None, 3]))
        if type_.startswith("["):
            items = [self.value(type_[1:-1]) for _ in range(random.choice((0, 1, 2, 3)))]
            return items if random.random() < 0.8 else tuple(items)
        return self._one(type_)

    def _one(self, type_: str) -> Any:
        random = self._random
        match type_:
            case "String" | "ID":
                return (
                    random.choice(("word", "", "語", "x" * 20)) if random.random() < 0.9 else random.choice((7, True))
                )
            case "Int":
                return random.randint(-5, 99) if random.random() < 0.95 else random.choice((True, 2.0, "8"))
            case "Float":
                return (
                    random.random() if random.random() < 0.85 else random.choice((3, True, float("inf"), float("nan")))
                )
            case "Boolean":
                return random.random() < 0.5 if random.random() < 0.95 else 1
            case "Color":
                return random.choice(("RED", "GREEN", "BLUE"))
            case "Odd":
                return random.randint(1, 40)
            case "Named":
                return random.choice(self._pool[random.choice(self._letters)])
            case "Any":
                return random.choice(self._pool[random.choice("ABC" if random.random() < 0.95 else self._letters)])
        return random.choice(self._pool[type_])


class _Writing:
    """One document: fields, aliases, fragments, conditions, variables."""

    def __init__(self, random: Random, made: Made) -> None:
        self._random = random
        self._types = made.types
        self._letters = [name for name in made.types if name not in ("Query", "Mutation")]
        self._aliases = 0
        self._left = random.choice(PARTS)
        self._fragments: dict[str, str] = {}
        self._variables: dict[str, str] = {}
        self._values: dict[str, Any] = {}

    def document(self) -> tuple[str, dict[str, Any]]:
        kind = "Mutation" if self._random.random() < 0.2 else "Query"
        body = self._selection(kind, DEPTH_MAX)
        declared = ", ".join(f"${name}: {type_}" for name, type_ in self._variables.items())
        head = f"{kind.lower()} Made{f'({declared})' if declared else ''}"
        return "\n".join([f"{head} {body}", *self._fragments.values()]), self._values

    def _selection(self, type_: str, depth: int) -> str:
        random = self._random
        parts = [self._part(type_, depth) for _ in range(random.randint(2, 5))]
        if random.random() < 0.2:
            parts.append(random.choice(parts))  # the same once more: it is merged
        if random.random() < 0.03 and type_ == "Query":
            parts.append('__type(name: "A") { name fields { name type { kind name } } }')
        return "{ " + " ".join(parts) + " }"

    def _part(self, type_: str, depth: int) -> str:
        random = self._random
        chance = random.random()
        self._left -= 1
        if self._left < 0:
            return "__typename"
        if chance < 0.08:
            return f"__typename{self._condition()}"
        if chance < 0.2 and depth:
            return f"...{self._condition()} {self._selection(type_, depth - 1)}"
        if chance < 0.3 and depth:
            return self._spread(type_, depth)
        if type_ in ("Named", "Any"):
            if depth and (type_ == "Any" or chance < 0.7):
                on = random.choice("ABC" if type_ == "Any" else self._letters)
                return f"... on {on}{self._condition()} {self._selection(on, depth - 1)}"
            if type_ == "Any":
                return "__typename"
            how = random.choice((How("label", "String", False, False), How("peer", "A", False, False)))
            return self._field(how, depth)
        return self._field(random.choice(self._types[type_]), depth)

    def _field(self, how: How, depth: int) -> str:
        named = how.type.strip("[]!")
        leaf = named in LEAVES
        if not leaf and not depth:
            return "__typename"
        arguments = self._arguments() if how.arguments else ""
        alias = ""
        if arguments or self._random.random() < 0.15:
            self._aliases += 1
            alias = f"x{self._aliases}: "
        below = "" if leaf else f" {self._selection(named, depth - 1)}"
        return f"{alias}{how.name}{arguments}{self._condition()}{below}"

    def _spread(self, type_: str, depth: int) -> str:
        random = self._random
        name = f"F{len(self._fragments)}"
        if random.random() < 0.3 and (
            known := [one for one in self._fragments if f" on {type_} " in self._fragments[one]]
        ):
            return f"...{random.choice(known)}{self._condition()}"
        self._fragments[name] = ""
        self._fragments[name] = f"fragment {name} on {type_} {self._selection(type_, depth - 1)}"
        return f"...{name}{self._condition()}"

    def _condition(self) -> str:
        random = self._random
        if random.random() > 0.12:
            return ""
        value = (
            self._variable("Boolean!", random.random() < 0.5)
            if random.random() < 0.5
            else random.choice(("true", "false"))
        )
        return f" @{random.choice(('skip', 'include'))}(if: {value})"

    def _arguments(self) -> str:
        random = self._random
        given = []
        for name, type_, written in (
            ("number", "Int", ("2", "3", "null", "7")),
            ("text", "String", ('"a"', '"b\\n"', "null")),
            ("given", "Given", ("{}", '{ a: 1, b: ["c", null] }', "null")),
            ("hue", "Color", ("RED", "BLUE")),
        ):
            chance = random.random()
            if chance < 0.35:
                given.append(f"{name}: {random.choice(written)}")
            elif chance < 0.5:
                values: dict[str, tuple[Any, ...]] = {
                    "Int": (2, 3, None),
                    "String": ("v", None),
                    "Given": ({"a": 2}, {"b": "alone"}, None),
                    "Color": ("GREEN", None),
                }
                given.append(f"{name}: {self._variable(type_, random.choice(values[type_]))}")
        return f"({', '.join(given)})" if given else ""

    def _variable(self, type_: str, value: Any) -> str:
        name = f"v{len(self._variables)}"
        self._variables[name] = type_
        if type_.endswith("!") or self._random.random() < 0.8:
            self._values[name] = value
        return f"${name}"
