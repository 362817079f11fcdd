"""HEAD is GET without the content (RFC 9110, section 9.3.2), for every path."""

from typing import Any

from litestar.enums import ScopeType
from litestar.types import ASGIApp, Message, Receive, Scope, Send


def with_head(app: ASGIApp) -> ASGIApp:
    """Ask the application by GET and keep the content back; the header fields stay as they are."""

    async def ask(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != ScopeType.HTTP or scope["method"] != "HEAD":
            await app(scope, receive, send)
            return
        asked: Any = {**scope, "method": "GET"}

        async def send_without_content(message: Message) -> None:
            if message["type"] == "http.response.body":
                message["body"] = b""
            await send(message)

        await app(asked, receive, send_without_content)

    return ask
