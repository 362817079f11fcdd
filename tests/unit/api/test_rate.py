"""The token bucket, by a clock that is given."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from yotei.api.rate import BUCKETS_MAX, Buckets, rate_limited


class Clock:
    """Stands still until it is told otherwise."""

    def __init__(self) -> None:
        self.now_s = 1_000.0

    def __call__(self) -> float:
        return self.now_s


def test_a_burst_is_let_through_and_then_one_request_for_each_interval() -> None:
    clock = Clock()
    buckets = Buckets(rate_per_s=2, burst=3, clock=clock)

    waits_s = [buckets.take(b"aiko") for _ in range(5)]
    clock.now_s += 0.5
    then_s = [buckets.take(b"aiko") for _ in range(2)]

    assert waits_s == [0, 0, 0, 0.5, 0.5]
    assert then_s == [0, 0.5]


def test_who_is_refused_does_not_wait_longer_for_having_asked() -> None:
    clock = Clock()
    buckets = Buckets(rate_per_s=1, burst=1, clock=clock)
    buckets.take(b"aiko")

    for _ in range(10):
        clock.now_s += 0.0625
        buckets.take(b"aiko")
    clock.now_s += 0.375

    assert buckets.take(b"aiko") == 0


def test_a_bucket_never_holds_more_than_the_burst() -> None:
    clock = Clock()
    buckets = Buckets(rate_per_s=100, burst=2, clock=clock)
    buckets.take(b"aiko")

    clock.now_s += 3_600

    assert [buckets.take(b"aiko") == 0 for _ in range(3)] == [True, True, False]


def test_callers_do_not_share_a_bucket() -> None:
    buckets = Buckets(rate_per_s=1, burst=1, clock=Clock())

    waits_s = [buckets.take(caller) for caller in (b"aiko", b"ben", b"aiko")]

    assert waits_s == [0, 0, 1]


def test_who_was_not_seen_for_longest_is_forgotten_first() -> None:
    buckets = Buckets(rate_per_s=1, burst=1, clock=Clock())
    buckets.take(b"old")
    buckets.take(b"seen again")
    buckets.take(b"seen again")

    for n in range(BUCKETS_MAX - 1):
        buckets.take(str(n).encode())

    assert (buckets.take(b"seen again") > 0, buckets.take(b"old")) == (True, 0)


@given(st.lists(st.floats(0, 5, allow_nan=False), max_size=60), st.integers(1, 5), st.sampled_from([0.5, 1.0, 4.0]))
def test_no_more_is_let_through_than_the_burst_and_the_rate(
    pauses_s: list[float], burst: int, rate_per_s: float
) -> None:
    clock = Clock()
    buckets = Buckets(rate_per_s=rate_per_s, burst=burst, clock=clock)
    let_through = 0

    for pause_s in pauses_s:
        clock.now_s += pause_s
        let_through += buckets.take(b"aiko") == 0

    assert let_through <= burst + sum(pauses_s) * rate_per_s + 1e-6


@given(st.integers(1, 5), st.floats(0.1, 100))
def test_who_comes_back_when_told_is_let_through(burst: int, rate_per_s: float) -> None:
    clock = Clock()
    buckets = Buckets(rate_per_s=rate_per_s, burst=burst, clock=clock)
    wait_s = 0.0
    while wait_s == 0:
        wait_s = buckets.take(b"aiko")

    # Retry-After is the next whole second.
    clock.now_s += int(wait_s) + 1

    assert buckets.take(b"aiko") == 0


async def test_each_message_of_a_socket_is_a_request() -> None:
    sent, heard = await converse(messages=4, burst=3)

    assert heard == ["websocket.connect", "websocket.receive", "websocket.receive", "websocket.disconnect"]
    assert sent == [{"type": "websocket.close", "code": 1013, "reason": "Too many messages"}]


async def test_a_handshake_that_is_one_request_too_many_is_refused() -> None:
    sent, heard = await converse(messages=1, burst=0)

    assert heard == []
    assert sent == [{"type": "websocket.close", "code": 1013, "reason": "Too many requests"}]


async def test_sockets_that_are_closed_for_their_token_run_out_for_an_address() -> None:
    refusals = Buckets(rate_per_s=0.001, burst=2, clock=Clock())

    closed_with = [(await converse(messages=0, burst=9, refusals=refusals, code=4403))[0][-1]["code"] for _ in range(3)]

    assert closed_with == [4403, 4403, 1013]


async def converse(
    *, messages: int, burst: int, refusals: Buckets | None = None, code: int | None = None
) -> tuple[list[Any], list[str]]:
    """What is sent to a client that says so much, and what the application behind the limit hears of it."""
    said = iter([{"type": "websocket.connect"}, *[{"type": "websocket.receive", "text": "x"}] * messages])
    sent: list[Any] = []
    heard: list[str] = []

    async def application(scope: Any, receive: Any, send: Any) -> None:
        while len(heard) <= messages:
            heard.append((await receive())["type"])
            if heard[-1] == "websocket.disconnect":
                return
        if code is not None:
            await send({"type": "websocket.close", "code": code, "reason": ""})

    async def receive() -> Any:
        return next(said)

    async def send(message: Any) -> None:
        sent.append(message)

    requests = Buckets(rate_per_s=0.001, burst=burst, clock=Clock())
    limited: Any = rate_limited(application, requests, refusals or Buckets(rate_per_s=1, burst=9, clock=Clock()))
    await limited({"type": "websocket", "headers": [], "client": ("10.0.0.1", 1)}, receive, send)
    return sent, heard
