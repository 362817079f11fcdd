"""Hints over Redis: publish and subscribe (RESP PUBLISH, SUBSCRIBE).

The address is redis-py's: `redis://[user:password@]host:port/0`, `rediss://` for TLS (`?ssl_ca_certs=…`), `unix://`.
In a Redis Cluster any node will do: it passes messages on to all the others. Nothing is stored, so a memory limit and
`allkeys-lru` mean nothing here.
"""

import asyncio
from collections.abc import Sequence
from typing import Final

from redis.asyncio import Redis
from redis.asyncio.client import PubSub
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from yotei.bus.transport import CLOSE_TIMEOUT_S, Deliver, Link, LinkLost

PAYLOAD_BYTES_MAX: Final = 65_536


class RedisTransport:
    """`topic` is the channel."""

    payload_bytes_max = PAYLOAD_BYTES_MAX

    def __init__(self, url: str, topic: str, *, timeout_s: float) -> None:
        self._url = url
        self._topic = topic
        self._timeout_s = timeout_s

    async def connect(self, deliver: Deliver) -> Link:
        # No attempts of its own to reconnect: what was published in between would be lost without a word.
        client = Redis.from_url(
            self._url,
            socket_timeout=self._timeout_s,
            socket_connect_timeout=self._timeout_s,
            retry=Retry(NoBackoff(), 0),
            client_name="yotei-bus",
        )
        link = _RedisLink(client, client.pubsub(), self._topic, deliver)
        try:
            await link.subscribe()
        except BaseException:
            await link.close()
            raise
        return link


class _RedisLink:
    """Two connections: one that has subscribed can do nothing else (RESP2), and an answer must not wait behind it."""

    def __init__(self, client: Redis, subscription: PubSub, topic: str, deliver: Deliver) -> None:
        self._client = client
        self._subscription = subscription
        self._topic = topic
        self._deliver = deliver

    async def subscribe(self) -> None:
        await self._subscription.subscribe(self._topic)

    async def publish(self, payloads: Sequence[bytes]) -> None:
        async with self._client.pipeline(transaction=False) as pipeline:
            for payload in payloads:
                pipeline.publish(self._topic, payload)
            await pipeline.execute()

    async def listen(self) -> None:
        async for message in self._subscription.listen():
            if message["type"] == "message":
                self._deliver(message["data"])
        raise LinkLost("Redis ended the subscription")

    async def close(self) -> None:
        for closing in (self._subscription.aclose, self._client.aclose):
            try:
                async with asyncio.timeout(CLOSE_TIMEOUT_S):
                    await closing()
            except (TimeoutError, RedisError, OSError):
                pass
