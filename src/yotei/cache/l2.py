"""The level in Redis: bytes, a marker beside them, and three small scripts. What a marker means is said elsewhere.

Everything of one bucket shares a hash tag, so that values, groups and marker live on one server and fail over
together. A value is stored as

    xmin of its snapshot, 20 digits | nonce of its group, 16 | how it is packed, 1 | msgpack

and a group as `xmin | nonce`: a value is of its group while both name the same nonce, so purging the group is
deleting one key, and a group that was evicted takes its values with it. A purge says by which transaction: what has
a later xmin has seen it and stays.

Redis may be slow or gone at any time. Who is asked by a request waits `soft_s` and goes on without an answer, the
connection has until `hard_s`, and after some failures in a row nobody asks for a while. What is done behind requests
(fills, purges, the marker) waits for the connection: a fill that is given up is loaded again by every other node.

The log tells of an outage twice, when it begins and when it is over, and of each kind of refusal once in between.
"""

import asyncio
import hashlib
import secrets
import zlib
from collections.abc import Callable, Coroutine, Iterable, Sequence
from typing import Any, Final, TypeVar

import msgspec
import structlog
from redis.exceptions import NoScriptError, RedisClusterException, RedisError, ResponseError

from yotei.cache import redis_client
from yotei.cache.breaker import Breaker
from yotei.cache.floors import Purge
from yotei.cache.key import Key, Value
from yotei.cache.marker import Marker, Step
from yotei.errors import kind_of
from yotei.storage.change_log import Snapshot

BUCKETS_MAX: Final = 64
BREAKER_FAILURES_MAX: Final = 5
BREAKER_OPEN_S: Final = 1.0
CALM_S: Final = 5.0
"""An outage is over when there was no failure for so long: one that comes and goes is told of as one."""
FAILURES: Final = (RedisError, RedisClusterException, OSError, TimeoutError)
"""What the client raises when Redis is not there, or refuses: that there is no Cluster is none of its errors."""
PURGE_KEYS_MAX: Final = 500
SOFT_SLICES: Final = 5
"""The wait for an answer is cut into so many. One that ends late, because this process is busy itself, does not count,
nor does the wait for a connection that others of this process use: else a node that has more to do than it can would
take Redis for slow, and ask PostgreSQL on top of it."""
SLICES_MAX: Final = 50
"""Those that do not count included."""
LATE: Final = 2.0
"""A slice that took so many times its length ended late."""
BEHIND_S_MAX: Final = 5.0
"""How long who works behind requests waits in any case."""
XMIN_LENGTH: Final = 20
NONCE_LENGTH: Final = 16
HEAD_LENGTH: Final = XMIN_LENGTH + NONCE_LENGTH + 1
NO_GROUP: Final = b"-" * NONCE_LENGTH
PLAIN: Final = b"m"
DEFLATED: Final = b"z"
DEFLATE_LEVEL: Final = 1
INFLATED_BYTES_MAX: Final = 67_108_864
"""No value is as large: what would be is not one of ours."""

# KEYS: marker, then value and group in turns (the value again where there is no group). ARGV: the marker that values
# were judged by, milliseconds that a group lives, then for each value its xmin, a nonce, its bytes, its milliseconds.
# Answers the marker that lies there if it is another one, else how many were taken.
FILL: Final = """
local marker = redis.call('GET', KEYS[1])
if marker ~= ARGV[1] then return marker end
local taken = 0
for i = 2, #KEYS, 2 do
  local at = 3 + (i - 2) * 2
  local xmin, nonce = ARGV[at], '----------------'
  if KEYS[i + 1] ~= KEYS[i] then
    local group = redis.call('GET', KEYS[i + 1])
    if not group then
      group = xmin .. ARGV[at + 1]
      redis.call('SET', KEYS[i + 1], group, 'PX', ARGV[2])
    else
      redis.call('PEXPIRE', KEYS[i + 1], ARGV[2])
    end
    if xmin < string.sub(group, 1, 20) then xmin = nil end
    nonce = string.sub(group, 21)
  end
  if xmin then
    redis.call('SET', KEYS[i], xmin .. nonce .. ARGV[at + 2], 'PX', ARGV[at + 3])
    taken = taken + 1
  end
end
return taken
"""

# KEYS: values and groups. ARGV: for each the transaction that changed it.
PURGE: Final = """
local purged = 0
for i = 1, #KEYS do
  local xmin = redis.call('GETRANGE', KEYS[i], 0, 19)
  if xmin ~= '' and xmin <= ARGV[i] then purged = purged + redis.call('UNLINK', KEYS[i]) end
end
return purged
"""

# KEYS: marker, then values and groups. ARGV: the marker that is expected, the one to lay, then the transactions.
STEP: Final = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
for i = 2, #KEYS do
  local xmin = redis.call('GETRANGE', KEYS[i], 0, 19)
  if xmin ~= '' and xmin <= ARGV[i + 1] then redis.call('UNLINK', KEYS[i]) end
end
redis.call('SET', KEYS[1], ARGV[2])
return 1
"""
_DIGESTS: Final = {script: hashlib.sha1(script.encode()).hexdigest() for script in (FILL, PURGE, STEP)}  # noqa: S324

Answer = TypeVar("Answer")

_log = structlog.get_logger()


class L2Unavailable(Exception):
    """Redis did not answer in time, or with an error, or is not asked at the moment."""


class Stored(msgspec.Struct, frozen=True):
    """A value as it was found, with the length of its msgpack, and the marker that lay beside it at that moment."""

    value: Value
    encoded_bytes: int
    marker: Marker | None


class Fill(msgspec.Struct, frozen=True):
    """One value to store for so long."""

    key: Key
    xmin: int
    packed: bytes
    lives_ms: int


class _Packed(msgspec.Struct, array_like=True, frozen=True):
    xmax: int
    running: tuple[int, ...]
    loaded_at_ms: int
    expires_at_ms: int
    recompute_us: int
    payload: msgspec.Raw


_encoder: Final = msgspec.msgpack.Encoder()
_decoder: Final = msgspec.msgpack.Decoder(_Packed)


def packed(value: Value, payload: bytes, *, deflate_bytes_min: int | None) -> bytes:
    """A value for Redis, but for the head that the script writes; deflated from so many bytes on."""
    body = _encoder.encode(
        _Packed(
            value.snapshot.xmax,
            value.snapshot.running,
            round(value.loaded_at_s * 1000),
            round(value.expires_at_s * 1000),
            round(value.recompute_s * 1_000_000),
            msgspec.Raw(payload),
        )
    )
    if deflate_bytes_min is not None and len(body) >= deflate_bytes_min:
        return DEFLATED + zlib.compress(body, DEFLATE_LEVEL)
    return PLAIN + body


def unpacked(stored: bytes, decode: Callable[[Any], Any]) -> tuple[Value, int]:
    """A value and the length of its msgpack. Raises ValueError for what another release may have written."""
    body: bytes | memoryview = memoryview(stored)[HEAD_LENGTH:]
    if stored[HEAD_LENGTH - 1 : HEAD_LENGTH] == DEFLATED:
        inflating = zlib.decompressobj()
        try:
            body = inflating.decompress(body, INFLATED_BYTES_MAX)
        except zlib.error as error:
            raise ValueError("not deflated") from error
        if not inflating.eof:
            raise ValueError("cut off, or too large")
    found = _decoder.decode(body)
    value = Value(
        decode(found.payload),
        Snapshot(int(stored[:XMIN_LENGTH]), found.xmax, found.running),
        found.loaded_at_ms / 1000,
        found.expires_at_ms / 1000,
        found.recompute_us / 1_000_000,
    )
    return value, len(body)


class L2:
    """Values in Redis, of whatever epoch is named. `redis` is a client of `redis_client.connect`.

    Every method raises `L2Unavailable`.
    """

    def __init__(
        self,
        redis: Any,
        *,
        now_s: Callable[[], float],
        prefix: str = "yotei",
        buckets: int = 1,
        soft_s: float = 0.05,
        connections_max: int = 50,
    ) -> None:
        assert 1 <= buckets <= BUCKETS_MAX
        self._redis = redis
        self._now_s = now_s
        self._prefix = prefix
        self.buckets = buckets
        self._soft_s = soft_s
        self._connections = asyncio.Semaphore(connections_max)
        self._breaker = Breaker(failures_max=BREAKER_FAILURES_MAX, open_s=BREAKER_OPEN_S)
        self._asking: set[asyncio.Future[Any]] = set()
        self._tags: dict[str, str] = {}
        self.round_trips = 0
        self.failures = 0
        self._has_answered = False
        self._is_lost = False
        self._failed_s = float("-inf")
        self._refusals: set[str] = set()
        """Kinds of them that the log has told of."""

    def bucket(self, name: str) -> int:
        """By the first two parts of a name: `calendar:{id}:events:2026-11` lies where `calendar:{id}:events:*` does."""
        if self.buckets == 1:
            return 0
        return zlib.crc32(":".join(name.split(":", 2)[:2]).encode()) % self.buckets

    def lets(self) -> bool:
        """Whether Redis is asked at the moment."""
        return not self._breaker.is_open(self._now_s())

    async def read(self, epoch: str, keys: Sequence[Key], decode: Callable[[Key, Any], Any]) -> dict[str, Stored]:
        """What is there of these, in one MGET for each bucket. What cannot be decoded is not there."""
        found: dict[str, Stored] = {}
        for bucket, part in self._by_bucket(keys).items():
            names = self._names(epoch, bucket, part)
            answers = await self._call(lambda names=names: self._redis.mget(names), behind=False)  # type: ignore[misc]
            found |= _stored(part, answers, decode)
        return found

    async def fill(
        self, epoch: str, marker: Marker, bucket: int, fills: Sequence[Fill], group_ms: int
    ) -> int | Marker | None:
        """How many were taken; or the marker that lies there now (or none does), when it is not the given one."""
        names = [self._marker(epoch, bucket)]
        args: list[Any] = [marker.encoded(), group_ms]
        for fill in fills:
            name = self._name(epoch, bucket, fill.key.name)
            names += [name, self._name(epoch, bucket, fill.key.group) if fill.key.group else name]
            args += [_digits(fill.xmin), secrets.token_hex(NONCE_LENGTH // 2), fill.packed, fill.lives_ms]
        answer = await self._run(FILL, names, args)
        return answer if isinstance(answer, int) else _marker(answer)

    async def marker(self, epoch: str, bucket: int) -> Marker | None:
        return _marker(await self._call(lambda: self._redis.get(self._marker(epoch, bucket))))

    async def lay(self, epoch: str, bucket: int, marker: Marker) -> bool:
        """Where none lies; whether it was this one."""
        return bool(await self._call(lambda: self._redis.set(self._marker(epoch, bucket), marker.encoded(), nx=True)))

    async def step(self, epoch: str, bucket: int, step: Step) -> bool:
        """Purge and move the marker in one piece; False when another marker lies there."""
        purges = [(name, xid) for name, xid in step.purges if self.bucket(name) == bucket]
        names = [self._marker(epoch, bucket), *(self._name(epoch, bucket, name) for name, _ in purges)]
        args = [step.expected.encoded(), step.moved.encoded(), *(_digits(xid) for _, xid in purges)]
        return bool(await self._run(STEP, names, args))

    async def purge(self, epoch: str, purges: Iterable[Purge]) -> int:
        """Delete what has not seen these transactions; how many there were."""
        by_bucket: dict[int, list[Purge]] = {}
        for name, xid in purges:
            by_bucket.setdefault(self.bucket(name), []).append((name, xid))
        purged = 0
        for bucket, part in by_bucket.items():
            for start in range(0, len(part), PURGE_KEYS_MAX):
                some = part[start : start + PURGE_KEYS_MAX]
                names = [self._name(epoch, bucket, name) for name, _ in some]
                purged += await self._run(PURGE, names, [_digits(xid) for _, xid in some])
        return purged

    async def claim(
        self, epoch: str, keys: Sequence[Key], token: str, ms: int, decode: Callable[[Key, Any], Any]
    ) -> tuple[set[str], dict[str, Stored]]:
        """Those of the keys that nobody else is loading; they are ours for so long, or until `release`.

        And what is there of all of them: who had a key before may have filled it, and let go of it, since we looked.
        """
        parts = self._by_bucket(keys)

        async def claim() -> list[Any]:
            pipeline = self._redis.pipeline(transaction=False)
            for bucket, part in parts.items():
                for key in part:
                    pipeline.set(self._claim(epoch, key.name), token, nx=True, px=ms)
                pipeline.execute_command("MGET", *self._names(epoch, bucket, part))
            answers: list[Any] = await pipeline.execute()
            return answers

        answers = iter(await self._call(claim, behind=False))
        ours: set[str] = set()
        found: dict[str, Stored] = {}
        for part in parts.values():
            ours.update(key.name for key in part if next(answers))
            found |= _stored(part, next(answers), decode)
        return ours, found

    async def release(self, epoch: str, names: Sequence[str]) -> None:
        """Of claims that are ours; one that ran out meanwhile and is another's now costs that one a second load."""

        async def release() -> None:
            pipeline = self._redis.pipeline(transaction=False)
            for name in names:
                pipeline.execute_command("UNLINK", self._claim(epoch, name))  # a Cluster's has no own word for it
            await pipeline.execute()

        await self._call(release)

    async def take_turn(self, epoch: str, token: str, ms: int) -> bool:
        """Whether this node may sweep; it may go on while it asks again in time."""
        name = f"{self._tag(epoch, 0)}!sweeper"
        if await self._call(lambda: self._redis.set(name, token, nx=True, px=ms)):
            return True
        if await self._call(lambda: self._redis.get(name)) != token.encode():
            return False
        return bool(await self._call(lambda: self._redis.pexpire(name, ms)))

    async def close(self) -> None:
        """What is still waited for, by nobody perhaps, is given up."""
        for task in self._asking:
            task.cancel()
        await asyncio.gather(*self._asking, return_exceptions=True)
        await redis_client.close(self._redis)

    def _by_bucket(self, keys: Sequence[Key]) -> dict[int, list[Key]]:
        if self.buckets == 1:
            return {0: list(keys)}
        parts: dict[int, list[Key]] = {}
        for key in keys:
            parts.setdefault(self.bucket(key.name), []).append(key)
        return parts

    def _tag(self, epoch: str, bucket: int) -> str:
        digest = self._tags.get(epoch)
        if digest is None:
            self._tags.clear()
            digest = self._tags[epoch] = hashlib.blake2b(epoch.encode(), digest_size=6).hexdigest()
        return f"{{{self._prefix}:{bucket}}}{digest}"

    def _marker(self, epoch: str, bucket: int) -> str:
        return f"{self._tag(epoch, bucket)}!marker"

    def _name(self, epoch: str, bucket: int, name: str) -> str:
        return f"{self._tag(epoch, bucket)}:{name}"

    def _names(self, epoch: str, bucket: int, keys: Sequence[Key]) -> list[str]:
        """What is asked for to read keys of one bucket: the marker, the values, their groups."""
        names = [self._marker(epoch, bucket), *(self._name(epoch, bucket, key.name) for key in keys)]
        return names + [self._name(epoch, bucket, group) for group in _groups(keys)]

    def _claim(self, epoch: str, name: str) -> str:
        return f"{self._tag(epoch, self.bucket(name))}!load:{name}"

    async def _run(self, script: str, names: Sequence[str], args: Sequence[Any]) -> Any:
        async def run() -> Any:
            try:
                return await self._redis.evalsha(_DIGESTS[script], len(names), *names, *args)
            except NoScriptError:
                return await self._redis.eval(script, len(names), *names, *args)

        return await self._call(run)

    async def _call(self, command: Callable[[], Coroutine[Any, Any, Answer]], *, behind: bool = True) -> Answer:
        """One round trip. One that takes longer than it is waited for goes on alone until its connection gives up."""
        if not self._breaker.lets(self._now_s()):
            raise L2Unavailable("left alone for a while")
        self.round_trips += 1
        sent = asyncio.Event()
        task = asyncio.ensure_future(self._asked(command, sent))
        self._asking.add(task)
        task.add_done_callback(self._answered)
        if behind:
            await asyncio.wait({task}, timeout=BEHIND_S_MAX)
        else:
            await self._softly(task, sent)
        if not task.done():
            if not sent.is_set():
                task.cancel()
                raise L2Unavailable("no connection in time")
            self._note_failure("no answer in time", is_sure=False)
            raise L2Unavailable("no answer in time")
        try:
            answer = task.result()
        except FAILURES as error:
            kind = kind_of(error)
            self._note_failure(kind, is_sure=True)
            if isinstance(error, ResponseError):
                self._note_refusal(kind)
            raise L2Unavailable(kind) from error
        self._note_success()
        return answer

    async def _softly(self, task: "asyncio.Future[Any]", sent: asyncio.Event) -> None:
        """Wait for an answer as long as a request does: `soft_s` of Redis's own time."""
        slices, slice_s = 0, self._soft_s / SOFT_SLICES
        for _ in range(SLICES_MAX):
            began_s = self._now_s()
            await asyncio.wait({task}, timeout=slice_s)
            slices += sent.is_set() and self._now_s() - began_s < LATE * slice_s
            if task.done() or slices >= SOFT_SLICES or not (sent.is_set() or self.lets()):
                break

    async def _asked(self, command: Callable[[], Coroutine[Any, Any, Answer]], sent: asyncio.Event) -> Answer:
        async with self._connections:
            sent.set()
            return await command()

    def _answered(self, task: "asyncio.Future[Any]") -> None:
        self._asking.discard(task)
        if not task.cancelled():
            task.exception()  # nobody may be waiting for it any more

    def _note_failure(self, kind: str, *, is_sure: bool) -> None:
        """Lost is a Redis that is left alone, and one that was not there from the beginning."""
        self.failures += 1
        now_s = self._failed_s = self._now_s()
        self._breaker.failed(now_s)
        if not self._is_lost and (self._breaker.is_open(now_s) or (is_sure and not self._has_answered)):
            self._is_lost = True
            _log.warning("redis_lost", error=kind)

    def _note_refusal(self, kind: str) -> None:
        """What is refused may be one command of many, while Redis answers all others."""
        if not self._is_lost and kind not in self._refusals:
            self._refusals.add(kind)
            _log.warning("redis_refused", error=kind)

    def _note_success(self) -> None:
        self._breaker.succeeded()
        if self._is_lost and self._now_s() - self._failed_s < CALM_S:
            return
        if self._is_lost or not self._has_answered:
            self._is_lost = False
            self._has_answered = True
            self._refusals.clear()
            _log.info("redis_connected")


def _groups(keys: Sequence[Key]) -> list[str]:
    return list(dict.fromkeys(key.group for key in keys if key.group))


def _stored(
    keys: Sequence[Key], answers: Sequence[bytes | None], decode: Callable[[Key, Any], Any]
) -> dict[str, Stored]:
    """Of the answers to `L2._names`."""
    found: dict[str, Stored] = {}
    marker = _marker(answers[0])
    nonces = dict(zip(_groups(keys), answers[1 + len(keys) :], strict=True))
    for key, stored in zip(keys, answers[1 : 1 + len(keys)], strict=True):
        if stored is not None:
            value = _readable(key, stored, nonces.get(key.group), decode)
            if value is not None:
                found[key.name] = Stored(*value, marker)
    return found


def _readable(
    key: Key, stored: bytes, group: bytes | None, decode: Callable[[Key, Any], Any]
) -> tuple[Value, int] | None:
    nonce = stored[XMIN_LENGTH : XMIN_LENGTH + NONCE_LENGTH]
    if nonce != (group[XMIN_LENGTH:] if group is not None else NO_GROUP):
        return None
    try:
        return unpacked(stored, lambda payload: decode(key, payload))
    except (ValueError, RecursionError):  # msgspec raises both
        return None


def _marker(text: bytes | None) -> Marker | None:
    if text is None:
        return None
    try:
        return Marker.decoded(text)
    except ValueError:
        return None


def _digits(xid: int) -> str:
    return f"{xid:020d}"
