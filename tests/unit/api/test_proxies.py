"""Whose word about the client counts."""

from typing import Any

import pytest

from yotei.api.proxies import behind_proxies

PROXY, SECOND_PROXY, STRANGER = "10.0.0.1", "10.0.0.2", "203.0.113.9"


async def seen(
    headers: list[tuple[str, str]], *, came_from: str | None, trusted: tuple[str, ...] = ("10.0.0.0/8",)
) -> tuple[str | None, str]:
    """The address and the scheme that the application sees."""
    got: list[tuple[str | None, str]] = []

    async def app(scope: Any, _receive: Any, _send: Any) -> None:
        got.append((scope["client"][0] if scope["client"] else None, scope["scheme"]))

    scope: Any = {
        "type": "http",
        "scheme": "http",
        "client": (came_from, 4_000) if came_from else None,
        "headers": [(name.lower().encode(), value.encode()) for name, value in headers],
    }
    await behind_proxies(app, trusted)(scope, None, None)  # type: ignore[arg-type]
    return got[0]


def forwarded(*lines: str) -> list[tuple[str, str]]:
    return [("X-Forwarded-For", line) for line in lines]


@pytest.mark.parametrize(
    ("lines", "client"),
    [
        (("198.51.100.1",), "198.51.100.1"),
        (("2001:db8::1",), "2001:db8::1"),
        ((f"198.51.100.1, {SECOND_PROXY}",), "198.51.100.1"),
        (("198.51.100.1", SECOND_PROXY), "198.51.100.1"),
        (("1.1.1.1, 198.51.100.1",), "198.51.100.1"),
        (("1.1.1.1", f"198.51.100.1, {SECOND_PROXY}"), "198.51.100.1"),
        ((f"{SECOND_PROXY}, {SECOND_PROXY}",), SECOND_PROXY),
        (("unknown",), PROXY),
        (("198.51.100.1, garbage",), PROXY),
        (("198.51.100.1:4711",), "198.51.100.1"),
        (("[2001:db8::1]:80",), "2001:db8::1"),
        (("[2001:db8::1]",), "2001:db8::1"),
        (("::ffff:198.51.100.1",), "198.51.100.1"),
        (("[::ffff:198.51.100.1]:80",), "198.51.100.1"),
        ((f"198.51.100.1:4711, {SECOND_PROXY}:80", f"::ffff:{SECOND_PROXY}"), "198.51.100.1"),
        (("198.51.100.1:", "[]:80"), PROXY),
        (("198.51.100.1:123456",), PROXY),
        ((" , ,",), PROXY),
        ((), PROXY),
    ],
)
async def test_the_client_is_the_nearest_address_that_is_no_proxy_of_ours(lines: tuple[str, ...], client: str) -> None:
    assert (await seen(forwarded(*lines), came_from=PROXY))[0] == client


async def test_a_proxy_on_a_socket_for_both_versions_is_known() -> None:
    assert (await seen(forwarded("198.51.100.1"), came_from=f"::ffff:{PROXY}"))[0] == "198.51.100.1"


async def test_the_scheme_is_that_of_the_proxy_when_it_is_one() -> None:
    secure = await seen([("X-Forwarded-Proto", "https")], came_from=PROXY)
    nonsense = await seen([("X-Forwarded-Proto", "gopher")], came_from=PROXY)

    assert (secure[1], nonsense[1]) == ("https", "http")


@pytest.mark.parametrize(
    ("came_from", "trusted"),
    [(STRANGER, ("10.0.0.0/8",)), (PROXY, ()), (None, ("10.0.0.0/8",)), (STRANGER, ("::/0",))],
)
async def test_nobody_else_is_believed(came_from: str | None, trusted: tuple[str, ...]) -> None:
    headers = [*forwarded("198.51.100.1"), ("X-Forwarded-Proto", "https")]

    assert await seen(headers, came_from=came_from, trusted=trusted) == (came_from, "http")
