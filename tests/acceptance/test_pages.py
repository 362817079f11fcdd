"""The pages for people in a real browser: they work, they say nothing on the console, they ask nobody but this server.

A small ASGI application serves them, with a GraphQL schema and an OpenAPI 3.1 document of its own. The browser is
Debian's Chromium (`sh ops/browser.sh`); without it these tests are skipped.
"""

import json
import os
import socket
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

import pytest
import strawberry
import uvicorn
from playwright.async_api import Browser, Page, async_playwright, expect

from yotei.api import pages

CHROMIUM = Path("/usr/bin/chromium")
CHROMIUM_ARGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
# A folder to look at the pages oneself: SCREENSHOTS=/tmp/pages pytest tests/acceptance/test_pages.py
SCREENSHOTS = os.environ.get("SCREENSHOTS")
TIMING = 'db;dur=1.24;desc="2 statements", total;dur=3.10'


@strawberry.type
class Room:
    """A room that can be booked."""

    id: strawberry.ID
    name: str
    floor: int = strawberry.field(default=1, deprecation_reason="see name")


@strawberry.type
class Event:
    id: strawberry.ID
    title: str
    rooms: list[Room]


@strawberry.type
class Query:
    @strawberry.field
    def event(self, id: strawberry.ID, language: str = "en") -> Event:
        return Event(id=id, title=f"Planning <b>{language}</b>", rooms=[Room(id=strawberry.ID("1"), name="Aoi")])

    @strawberry.field
    def whoami(self, info: strawberry.Info[Any, Any]) -> str:
        return str(info.context)


OPENAPI = {
    "openapi": "3.1.0",
    "info": {"title": "A calendar", "version": "1", "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"}},
    "servers": [{"url": "/"}],
    "paths": {
        "/api/events/{id}": {
            "get": {
                "tags": ["events"],
                "summary": "One event",
                "operationId": "get_event",
                "parameters": [{"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}],
                "responses": {
                    "200": {
                        "description": "The event",
                        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Event"}}},
                    }
                },
            }
        }
    },
    "components": {
        "schemas": {
            "Event": {
                "type": "object",
                "required": ["kind", "title"],
                "properties": {
                    "kind": {"const": "event"},
                    "type": {"type": ["string", "null"], "examples": ["of one's own choice"]},
                    "title": {"type": "string"},
                    "room": {"oneOf": [{"$ref": "#/components/schemas/Room"}, {"type": "null"}]},
                    "seats": {"type": "integer", "exclusiveMinimum": 0},
                },
            },
            "Room": {"type": "object", "properties": {"name": {"type": "string", "examples": ["Aoi"]}}},
        }
    },
}

schema = strawberry.Schema(Query)


async def application(scope: Any, receive: Any, send: Any) -> None:
    """The pages, and behind them as little as they need."""
    path, method = scope["path"], scope["method"]
    status, headers, media_type = 200, {}, pages.PAGE_MEDIA_TYPE
    if path == "/docs":
        body, headers = pages.docs_page(), {**pages.PAGE_HEADERS, "Content-Security-Policy": pages.DOCS_CSP}
    elif path == "/graphql" and method == "GET":
        body, headers = pages.graphiql_page(), {**pages.PAGE_HEADERS, "Content-Security-Policy": pages.GRAPHIQL_CSP}
    elif path == "/graphql":
        asked = json.loads(await _body(receive))
        who = dict(scope["headers"]).get(b"authorization", b"nobody").decode()
        result = await schema.execute(
            asked["query"],
            variable_values=asked.get("variables"),
            operation_name=asked.get("operationName"),
            context_value=who,
        )
        answer: dict[str, Any] = {"data": result.data}
        if result.errors:
            answer["errors"] = [error.formatted for error in result.errors]
        body, media_type, headers = json.dumps(answer).encode(), "application/json", {"Server-Timing": TIMING}
    elif path.startswith("/api/events/"):
        body, media_type = json.dumps({"kind": "event", "title": path}).encode(), "application/json"
    elif path == "/openapi.json":
        body, media_type = json.dumps(OPENAPI).encode(), "application/json"
    else:
        found = pages.asset(path.removeprefix(pages.ASSETS_PATH))
        status, headers = (404, {}) if found is None else (200, pages.ASSET_HEADERS)
        body, media_type = found or (b"not found", "text/plain")
    headers = {**headers, "Content-Type": media_type, "Content-Length": str(len(body))}
    start = {"type": "http.response.start", "status": status}
    await send({**start, "headers": [(name.lower().encode(), value.encode()) for name, value in headers.items()]})
    await send({"type": "http.response.body", "body": body})


async def _body(receive: Any) -> bytes:
    body, more = b"", True
    while more:
        message = await receive()
        body, more = body + message.get("body", b""), message.get("more_body", False)
    return body


@pytest.fixture(scope="module")
def base() -> Iterator[str]:
    """The address of the application; the socket listens before the server does, so nobody has to wait for it."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        config = uvicorn.Config(application, log_level="warning", lifespan="off", ws="none")
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        server.should_exit = True
        thread.join()


@pytest.fixture(scope="module")
def chromium() -> Path:
    if not CHROMIUM.exists():
        pytest.skip(f"no browser at {CHROMIUM}: sh ops/browser.sh installs it")
    return CHROMIUM


@pytest.fixture(scope="module")
async def browser(chromium: Path) -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        launched = await playwright.chromium.launch(executable_path=chromium, args=CHROMIUM_ARGS)
        yield launched
        await launched.close()


@pytest.fixture(params=["light", "dark"])
async def page(request: pytest.FixtureRequest, browser: Browser, base: str) -> AsyncIterator[Page]:
    """A page in a profile of its own, in light and in dark colours; its complaints and its requests are checked."""
    scheme: Literal["light", "dark"] = request.param
    context = await browser.new_context(base_url=base, color_scheme=scheme, viewport={"width": 1400, "height": 850})
    complaints: list[str] = []
    hosts: set[str | None] = set()
    opened = await context.new_page()
    opened.on("console", lambda said: complaints.append(said.text) if said.type in ("error", "warning") else None)
    opened.on("pageerror", lambda error: complaints.append(str(error)))
    opened.on("response", lambda got: complaints.append(f"{got.status} {got.url}") if got.status >= 400 else None)
    opened.on(
        "request",
        lambda asked: None if asked.url.startswith("data:") else hosts.add(urlsplit(asked.url).hostname),
    )
    yield opened
    if SCREENSHOTS:
        name = request.node.name.replace("[", "-").replace("]", "")
        await opened.screenshot(path=Path(SCREENSHOTS) / f"{name}.png")
    await context.close()
    assert complaints == []
    assert hosts == {"127.0.0.1"}


async def test_the_docs_page_shows_an_operation_and_its_schema_from_openapi_3_1(page: Page) -> None:
    await page.goto("/docs")

    await page.get_by_text("/api/events/{id}").click()

    await expect(page.get_by_text("The event", exact=True)).to_be_visible()
    example = page.locator(".example.microlight, .highlight-code").first
    await expect(example).to_contain_text('"kind": "event"')
    await expect(example).to_contain_text("of one's own choice")
    await expect(example).to_contain_text('"name": "Aoi"')


async def test_the_docs_page_tries_an_operation_out(page: Page) -> None:
    await page.goto("/docs")
    await page.get_by_text("/api/events/{id}").click()

    await page.get_by_role("button", name="Try it out").click()
    await page.get_by_placeholder("id").fill("7")
    await page.get_by_role("button", name="Execute").click()

    await expect(page.locator(".live-responses-table .response").first).to_contain_text('"title": "/api/events/7"')


async def test_the_graphql_page_runs_a_query_and_says_what_it_cost(page: Page) -> None:
    await page.goto("/graphql")
    await page.get_by_label("Query", exact=True).fill(
        "query One($id: ID!) { event(id: $id) { id title rooms { name } } }"
    )
    await page.get_by_label("Variables", exact=True).fill('{"id": "42"}')

    await page.keyboard.press("Control+Enter")

    await expect(page.locator("#answer")).to_contain_text('"title": "Planning <b>en</b>"')
    await expect(page.get_by_role("status")).to_contain_text("200 OK · 2 statements, db 1.24 ms, total 3.10 ms")
    await expect(page.get_by_label("History").locator("option")).to_have_count(2)


async def test_the_graphql_page_shows_errors_as_such(page: Page) -> None:
    await page.goto("/graphql")
    await page.get_by_label("Query", exact=True).fill("{ nothing }")

    await page.get_by_role("button", name="Run").click()

    await expect(page.get_by_role("status")).to_contain_text("1 error")
    await expect(page.locator("#answer")).to_contain_text("Cannot query field 'nothing'")


async def test_a_mistake_in_the_variables_is_said_and_nothing_is_sent(page: Page) -> None:
    await page.goto("/graphql")
    await page.get_by_label("Variables", exact=True).fill("{id: 1}")

    await page.get_by_role("button", name="Run").click()

    await expect(page.get_by_role("status")).to_contain_text("Variables: ")


async def test_of_several_operations_the_one_at_the_cursor_runs(page: Page) -> None:
    await page.goto("/graphql")
    field = page.get_by_label("Query", exact=True)
    await field.fill("query A { a: whoami }\nquery B { b: whoami }")

    await field.press("Control+End")
    await field.press("Control+Enter")

    await expect(page.locator("#answer")).to_contain_text('"b": "nobody"')


async def test_the_token_is_sent_and_never_outlives_the_tab(page: Page) -> None:
    await page.goto("/graphql")
    await page.get_by_label("Token").fill("yotei_secret")
    await page.get_by_label("Query", exact=True).fill("{ whoami }")

    await page.keyboard.press("Control+Enter")

    await expect(page.locator("#answer")).to_contain_text("Bearer yotei_secret")
    assert "yotei_secret" not in await page.evaluate("JSON.stringify(localStorage)")
    assert "yotei_secret" in await page.evaluate("JSON.stringify(sessionStorage)")


async def test_without_a_token_the_page_says_where_to_put_one(browser: Browser, base: str) -> None:
    context = await browser.new_context(base_url=base)
    page = await context.new_page()
    refusal = json.dumps({"status": 401, "detail": "This needs a token."})
    await page.route(
        "**/graphql",
        lambda route: route.fulfill(status=401, body=refusal) if route.request.method == "POST" else route.continue_(),
    )

    await page.goto("/graphql")
    await expect(page.get_by_text("Paste a token above")).to_be_visible()
    await page.get_by_label("Token").fill("yotei_wrong")
    await page.keyboard.press("Tab")

    await expect(page.get_by_text("The schema cannot be shown: This needs a token.")).to_be_visible()
    await context.close()


async def test_the_schema_can_be_searched_followed_and_used(page: Page) -> None:
    await page.goto("/graphql")

    await page.get_by_label("Search types and fields").fill("floor")
    await page.get_by_role("button", name="Room.floor").click()
    await expect(page.get_by_text("Deprecated: see name")).to_be_visible()
    await page.get_by_role("button", name="All types").click()
    await page.get_by_role("button", name="Query").click()
    await page.get_by_role("button", name="Write a query of event").click()

    await expect(page.get_by_label("Query", exact=True)).to_have_value(
        "query Event($id: ID!) {\n  event(id: $id) {\n    id\n    title\n"
        "    rooms {\n      id\n      name\n    }\n  }\n}\n"
    )
    await expect(page.get_by_label("Variables", exact=True)).to_have_value('{\n  "id": null\n}')


async def test_the_keyboard_indents_and_is_not_trapped(page: Page) -> None:
    await page.goto("/graphql")
    field = page.get_by_label("Query", exact=True)
    await field.fill("")

    await field.press_sequentially("{")
    await field.press("Enter")
    await field.press_sequentially("a")
    await field.press("Enter")
    await field.press("Tab")
    await field.press_sequentially("b")

    await expect(field).to_have_value("{\n  a\n    b")
    await field.press("Shift+Tab")
    await expect(field).to_have_value("{\n  a\n  b")
    await field.press("Escape")
    await field.press("Tab")
    await expect(page.get_by_label("Variables", exact=True)).to_be_focused()


FORMATTED = """# who
query A($id: ID!, $n: Int = 3, $in: In = {a: [1, 2], b: "x"}) @live {
  one: event(id: $id, filter: {from: $n, text: "a b", tags: [A, B]}) @include(if: true) {
    ...Parts
    ... on Event @skip(if: false) {
      id
    }
    # last
    title
  }
  __typename
}

fragment Parts on Event {
  id
}
"""


async def test_formatting_lays_out_and_changes_nothing_that_is_laid_out(page: Page) -> None:
    squeezed = (
        '# who\nquery A($id:ID!,$n:Int=3,$in:In={a:[1,2] b:"x"})@live{one:event(id:$id filter:{from:$n,text:"a b",'
        "tags:[A B]})@include(if:true){...Parts ...on Event@skip(if:false){id}# last\ntitle}__typename}"
        "fragment Parts on Event{id}"
    )
    await page.goto("/graphql")

    once = await page.evaluate("formatGraphQL", squeezed)

    assert once == FORMATTED
    assert await page.evaluate("formatGraphQL", once) == FORMATTED


@pytest.mark.parametrize("text", ['{ a(b: "open) }', "{ a % b }"])
async def test_what_is_no_graphql_is_left_as_it_is(page: Page, text: str) -> None:
    await page.goto("/graphql")
    field = page.get_by_label("Query", exact=True)
    await field.fill(text)

    await page.get_by_role("button", name="Format").click()

    await expect(page.get_by_role("status")).to_contain_text("Not formatted")
    await expect(field).to_have_value(text)


async def test_the_graphql_page_fits_a_narrow_window(page: Page) -> None:
    await page.set_viewport_size({"width": 400, "height": 800})
    await page.goto("/graphql")

    await expect(page.get_by_role("button", name="Query")).to_be_visible()

    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")


@pytest.mark.parametrize(
    "name", ["", "..", "../docs.py", "docs.html", "__init__.py", "/etc/passwd", "docs.js/", "DOCS.JS"]
)
def test_only_named_assets_are_handed_out(name: str) -> None:
    assert pages.asset(name) is None


@pytest.mark.parametrize("name", pages.ASSETS)
def test_every_named_asset_is_there(name: str) -> None:
    found = pages.asset(name)

    assert found is not None
    assert found[0]


@pytest.mark.parametrize("html", [pages.docs_page(), pages.graphiql_page()])
def test_no_page_has_a_script_or_a_style_of_its_own_nor_names_another_host(html: bytes) -> None:
    assert b"<style" not in html
    assert b"://" not in html
    assert html.count(b"<script") == html.count(b"<script src=")
    assert html.count(b"/docs/assets/") == html.count(b"?v=")
