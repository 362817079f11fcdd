"""A small schema with loads that are recorded: shops, their shelves of books, and who wrote those."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec
from graphql import GraphQLSchema, build_schema, parse

from yotei.breadth import Answer, Attribute, Brought, Carrier, Field, Load, Loaded, Planner, Pure, plugged

SDL: Final = """
type Query { shop(id: Int!): Shop, shops: [Shop!]!, author(id: Int!): Author, book(id: Int!, lang: String): Book }
type Shop {
  id: Int!, name: String, shelf(first: Int = 10): [Book!], page(first: Int = 10): Page, owner: Author, city: String
}
type Page { books: [Book!]!, more: Boolean! }
type Book { id: Int!, title: String!, author: Author, editor: Author, blurb(words: Int = 3): String }
type Author { id: Int!, name: String!, rival: Author }
"""


class Author(msgspec.Struct, frozen=True):
    id: int
    name: str
    rival_id: int | None = None


class Book(msgspec.Struct, frozen=True):
    id: int
    title: str
    author_id: int | None
    editor_id: int = 98


class Shop(msgspec.Struct, frozen=True):
    id: int
    name: str
    owner_id: int
    city: str | None = None


class Page(msgspec.Struct, frozen=True):
    books: tuple[Book, ...]
    more: bool
    shop: Shop


class Shops:
    """The data, a vocabulary of it, and what was loaded: `(load, keys, arguments)` in order."""

    def __init__(self, books: int = 3, *, carried: bool = False, brought: bool = False) -> None:
        self.loaded: list[tuple[str, tuple[Any, ...], Any]] = []
        self.books = tuple(Book(n, f"Book {n}", n % 5 if n % 7 else None) for n in range(1, books + 1))
        self.schema: GraphQLSchema = build_schema(SDL)
        self.shop = Load("shop", self._shop)
        self.editor = Load("editor", self._author)
        self.author = Load("author", self._author)
        self.shelf = Load("shelf", self._shelf, rows=lambda first=10: first, brings=frozenset({self.editor, self.shop}))
        self.broken: Exception | None = None
        self.vocabulary = self._vocabulary(carried, brought)

    def planner(self) -> Planner:
        return Planner(self.schema, self.vocabulary, strict=True)

    async def ask(self, text: str, variables: dict[str, Any] | None = None, **options: Any) -> Answer:
        return await executor(self.planner(), text, variables, **options).answer()  # type: ignore[no-any-return]

    async def _shop(self, _: Any, keys: Sequence[int], arguments: Any) -> list[Shop | None]:
        self.loaded.append(("shop", tuple(keys), arguments))
        return [Shop(key, f"Shop {key}", key, "Kyoto") if key < 100 else None for key in keys]

    async def _shelf(self, _: Any, keys: Sequence[int], arguments: Any, wanted: frozenset[Load]) -> Brought:
        self.loaded.append(("shelf", tuple(keys), (arguments, {one.name for one in wanted})))
        answers: list[Any] = [self.broken] * len(keys)
        if self.broken is None:
            books = self.books[: arguments["first"]]
            answers = [Page(books, False, Shop(key, f"Shop {key}", key)) if key < 100 else None for key in keys]
        along: dict[Load, Mapping[Any, Any]] = {}
        if self.editor in wanted:
            along[self.editor] = {98: Author(98, "Editor")}
        if self.shop in wanted:
            along[self.shop] = {key: Shop(key, f"Shop {key}", key, "Nara") for key in keys if key < 100}
        return Brought(answers, along)

    async def _author(self, _: Any, keys: Sequence[int], arguments: Any) -> list[Author | None]:
        self.loaded.append(("author", tuple(keys), arguments))
        return [Author(key, f"Author {key}", key + 1) if key < 100 else None for key in keys]

    def _vocabulary(self, carried: bool, brought: bool) -> dict[str, dict[str, Field]]:
        def first(_: Any, first: int = 10) -> dict[str, int]:
            if first < 0:
                raise ValueError("first: expected a positive number")
            return {"first": first}

        def shelf(value: Any) -> Loaded:
            return Loaded(self.shelf, "id", by=("first",), arguments=first, value=value)

        carriers = [
            *[Carrier(self.shelf, lambda _, page: page and page.shop, frozenset({"id", "name", "shelf", "page"}))]
            * carried,
            *[Carrier(self.shelf)] * brought,
        ]
        by_id = Loaded(self.author, lambda _, arguments, __: arguments["id"])
        return {
            "Query": {
                "shop": Loaded(self.shop, lambda _, arguments, __: arguments["id"], carriers=tuple(carriers)),
                "shops": Loaded(self.shop, lambda *_: (1, 2), many=True),
                "author": by_id,
                "book": Pure(lambda _, id, lang=None: self.books[id - 1]),
            },
            "Shop": {
                "id": Attribute("id"),
                "name": Attribute("name"),
                "city": Attribute("city"),
                "owner": Loaded(self.author, "owner_id"),
                "shelf": shelf(lambda page, _: page and page.books),
                "page": shelf(None),
            },
            "Page": {"books": Attribute("books", rows=10), "more": Attribute("more")},
            "Book": {
                "id": Attribute("id"),
                "title": Attribute("title"),
                "author": Loaded(self.author, "author_id"),
                "editor": Loaded(self.editor, "editor_id"),
                "blurb": Pure(lambda one, words: " ".join([one.title] * words)),
            },
            "Author": {"id": Attribute("id"), "name": Attribute("name"), "rival": Loaded(self.author, "rival_id")},
        }


def executor(planner: Planner, text: str, variables: dict[str, Any] | None = None, **options: Any) -> Any:
    """An executor of that document; `context` and `budget` as options."""
    made = plugged(planner, budget=options.pop("budget", None))
    return made.build(planner.schema, parse(text), None, options.pop("context", None), variables, **options)


def data(answer: Answer) -> Any:
    """The data as one reads it from the answer's bytes."""
    return msgspec.json.decode(msgspec.json.encode(answer.data))
