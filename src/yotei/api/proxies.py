"""Whose word about the client counts: `X-Forwarded-For` and `X-Forwarded-Proto` of trusted proxies only.

Some proxies write `1.2.3.4:4711` or `[::1]:80`, and on a socket for both versions an IPv4 peer is `::ffff:1.2.3.4`:
all of these are the address alone.
"""

import ipaddress
import re
from collections.abc import Sequence
from typing import Final

from litestar.types import ASGIApp, Receive, Scope, Send

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_WITH_PORT: Final = re.compile(r"\[([^\]]*)\](?::\d{1,5})?|([^:]*):\d{1,5}")


def behind_proxies(app: ASGIApp, trusted: Sequence[str]) -> ASGIApp:
    """Take address and scheme of the client from the nearest proxy that is not one of ours."""
    networks = [ipaddress.ip_network(one) for one in trusted]
    if not networks:
        return app

    async def rewrite(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] in ("http", "websocket") and _is_trusted(scope.get("client"), networks):
            # Lines of one name are one list (RFC 9110, section 5.3): each proxy may add a line or lengthen the last.
            lines = (value.decode("latin-1") for name, value in scope["headers"] if name == b"x-forwarded-for")
            chain = [one.strip() for line in lines for one in line.split(",") if one.strip()]
            while len(chain) > 1 and _is_trusted((chain[-1], 0), networks):
                chain.pop()
            client = _address(chain[-1]) if chain else None
            if client is not None:
                scope["client"] = (str(client), 0)
            proto = dict(scope["headers"]).get(b"x-forwarded-proto", b"").decode("latin-1")
            if proto in ("http", "https"):
                scope["scheme"] = proto
        await app(scope, receive, send)

    return rewrite


def _is_trusted(client: tuple[str, int] | None, networks: Sequence[Network]) -> bool:
    address = _address(client[0]) if client else None
    return address is not None and any(address in network for network in networks)


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    found = _WITH_PORT.fullmatch(text)
    try:
        address = ipaddress.ip_address(text if found is None else found[1] or found[2])
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address
