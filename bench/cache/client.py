"""A client that asks one thing again and again on a few kept connections, with as little work as bytes take."""

import selectors
import socket
from contextlib import suppress
from time import perf_counter
from typing import Final, NamedTuple, Self

BUFFER_BYTES: Final = 1 << 20
HEAD_END: Final = b"\r\n\r\n"
LENGTH: Final = b"content-length:"
CONNECT_S_MAX: Final = 30.0
ANSWER_S_MAX: Final = 30.0


class Answer(NamedTuple):
    status: int
    head: str
    body: bytes

    def header(self, name: str) -> str:
        """Empty where it is not there."""
        for line in self.head.split("\r\n")[1:]:
            key, _, value = line.partition(":")
            if key.lower() == name.lower():
                return value.strip()
        return ""


def get(path: str, **headers: str) -> bytes:
    """A request as bytes; `_` in the name of a header is `-`."""
    lines = [f"GET {path} HTTP/1.1", "Host: bench"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


class Client:
    """Connections to one port. Closes them at the end of a `with`."""

    def __init__(self, port: int, connections: int) -> None:
        self._sockets = [_connected(port) for _ in range(connections)]
        self._buffer = bytearray(BUFFER_BYTES)
        self._view = memoryview(self._buffer)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for one in self._sockets:
            one.close()

    def ask(self, request: bytes) -> Answer:
        """Once, on one connection."""
        one = self._sockets[0]
        one.setblocking(True)
        one.settimeout(ANSWER_S_MAX)
        one.sendall(request)
        read = b""
        while HEAD_END not in read:
            read += _more(one)
        head, _, body = read.partition(HEAD_END)
        while len(body) < _length(head):
            body += _more(one)
        return Answer(int(head[9:12]), head.decode("latin-1"), body)

    def ask_for(self, request: bytes, seconds: float, status: int) -> float:
        """On all connections, one request at a time on each; answers a second. Every answer has to be of `status`."""
        expected = f"HTTP/1.1 {status} ".encode()
        left = dict.fromkeys(range(len(self._sockets)), 0)
        count, busy = 0, len(self._sockets)
        with selectors.DefaultSelector() as selector:
            for number, one in enumerate(self._sockets):
                one.setblocking(False)
                selector.register(one, selectors.EVENT_READ, number)
                one.send(request)
            started = perf_counter()
            until = started + seconds
            while busy:
                ready = selector.select(ANSWER_S_MAX)
                assert ready, "the server does not answer"
                for chosen, _ in ready:
                    number = chosen.data
                    one = self._sockets[number]
                    received = one.recv_into(self._view)
                    assert received, "the server has gone"
                    if left[number]:
                        left[number] -= received
                    else:
                        head_end = self._buffer.find(HEAD_END, 0, received)
                        assert head_end > 0 and self._buffer.startswith(expected), self._buffer[:received]
                        head = bytes(self._view[:head_end])
                        left[number] = head_end + len(HEAD_END) + _length(head) - received
                    if left[number]:
                        continue
                    count += 1
                    if perf_counter() < until:
                        one.send(request)
                    else:
                        busy -= 1
            return count / (perf_counter() - started)


def _connected(port: int) -> socket.socket:
    deadline = perf_counter() + CONNECT_S_MAX
    while True:
        with suppress(ConnectionRefusedError):
            one = socket.create_connection(("127.0.0.1", port))
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return one
        assert perf_counter() < deadline, "the server did not start"


def _more(one: socket.socket) -> bytes:
    part = one.recv(BUFFER_BYTES)
    assert part, "the server has gone"
    return part


def _length(head: bytes) -> int:
    lowered = head.lower()
    at = lowered.find(LENGTH)
    if at < 0:
        return 0
    end = lowered.find(b"\r", at)
    return int(lowered[at + len(LENGTH) : end if end > 0 else None])
