"""A place for each kind of target: a real broker or server, and what has arrived there."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import threading
from collections.abc import Callable
from typing import Any, Protocol

import aio_pika
import nats
from aiokafka import AIOKafkaConsumer

from aisle.node.targets import KINDS
from aisle.targets.base import Known, Spec
from tests.servers.hook import Hook
from tests.servers.kafka import Kafka
from tests.servers.nats import NatsServer
from tests.servers.rabbitmq import RabbitMq


class Site(Protocol):
    """Where messages go; `refusing` are options of a target that is there and does not take
    `unwanted`: for its own sake, or because nobody has made a place for any (not `refuses`)."""

    kind: str
    unwanted: bytes
    refuses: bool

    @property
    def options(self) -> dict[str, Any]: ...

    @property
    def refusing(self) -> dict[str, Any]: ...

    async def arrived(self) -> list[bytes]:
        """All that has ever arrived."""
        ...

    def stop(self) -> None: ...

    def start(self) -> None: ...

    def close(self) -> None: ...


def known(kind: str, options: dict[str, Any], timeout: float = 20.0) -> Known:
    """A target as a node would open it."""
    spec = Spec("tested", kind, timeout, options)
    row = KINDS[kind]
    return Known(spec, getattr(importlib.import_module(row.module), row.name)(spec))


class WebhookSite:
    kind = "webhook"
    refuses = True
    unwanted = b"{}"

    def __init__(self) -> None:
        self._bodies: list[bytes] = []
        self._port = 0
        self.start()

    @property
    def options(self) -> dict[str, Any]:
        return {"url": f"http://127.0.0.1:{self._port}/hook"}

    @property
    def refusing(self) -> dict[str, Any]:
        return {"url": f"http://127.0.0.1:{self._port}/no"}

    async def arrived(self) -> list[bytes]:
        heard = [heard.body for heard in self._hook.all if heard.path == "/hook"]
        return self._bodies + heard

    def start(self) -> None:
        self._hook = Hook(lambda heard: 200 if heard.path == "/hook" else 400, self._port)
        self._port = self._hook.port
        self._hook.__enter__()

    def stop(self) -> None:
        self._hook.__exit__()
        self._bodies += [heard.body for heard in self._hook.all if heard.path == "/hook"]
        self._hook.all.clear()

    def close(self) -> None:
        self.stop()


class _Served:
    """A site whose server is all that begins and ends with it."""

    _server: NatsServer | Kafka | RabbitMq

    def start(self) -> None:
        self._server.start()

    def stop(self) -> None:
        self._server.stop()

    def close(self) -> None:
        self._server.close()


class NatsSite:
    """A subject that somebody listens to; the listener comes back after the server."""

    kind = "nats"
    refuses = False
    unwanted = b"{}"

    def __init__(self) -> None:
        self._server = NatsServer().start()
        self._heard: list[bytes] = []
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        self._do(self._listen())

    def _do(self, work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(30)

    async def _listen(self) -> None:
        async def hear(message: Any) -> None:
            self._heard.append(message.data)

        self._client = await nats.connect(self._server.root, allow_reconnect=False)
        await self._client.subscribe("events", cb=hear)
        await self._client.flush()

    @property
    def options(self) -> dict[str, Any]:
        return {"url": self._server.root, "subject": "events"}

    @property
    def refusing(self) -> dict[str, Any]:
        return {"url": self._server.root, "subject": "nowhere", "jetstream": True}

    async def arrived(self) -> list[bytes]:
        await asyncio.to_thread(self._do, self._client.flush())
        await asyncio.to_thread(self._do, asyncio.sleep(0.05))
        return list(self._heard)

    def start(self) -> None:
        self._server.start()
        self._do(self._listen())

    def stop(self) -> None:
        self._do(self._client.close())
        self._server.stop()

    def close(self) -> None:
        self.stop()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        self._server.close()


class JetStreamSite(_Served):
    """A subject that a stream stores."""

    kind = "nats"
    refuses = False
    unwanted = b"{}"

    def __init__(self) -> None:
        self._server = NatsServer().start()
        asyncio.run(self._make())

    async def _make(self) -> None:
        client = await nats.connect(self._server.root)
        await client.jetstream().add_stream(name="told", subjects=["events"])
        await client.close()

    @property
    def options(self) -> dict[str, Any]:
        return {"url": self._server.root, "subject": "events", "jetstream": True}

    @property
    def refusing(self) -> dict[str, Any]:
        return self.options | {"subject": "nowhere"}

    async def arrived(self) -> list[bytes]:
        client = await nats.connect(self._server.root)
        stream = client.jetstream()
        count = (await stream.stream_info("told")).state.messages
        found = [await stream.get_msg("told", seq=number + 1) for number in range(count)]
        await client.close()
        return [message.data or b"" for message in found]


class KafkaSite(_Served):
    kind = "kafka"
    refuses = True
    unwanted = b"x" * 30_000

    def __init__(self) -> None:
        self._server = Kafka().start()

    @property
    def options(self) -> dict[str, Any]:
        return {"servers": self._server.root, "topic": "events"}

    @property
    def refusing(self) -> dict[str, Any]:
        return self.options

    async def records(self) -> list[tuple[bytes | None, bytes, int]]:
        """Key, value and partition of each record."""
        consumer = AIOKafkaConsumer(
            "events", bootstrap_servers=self._server.root, auto_offset_reset="earliest"
        )
        await consumer.start()
        found: list[tuple[bytes | None, bytes, int]] = []
        try:
            places = await consumer.end_offsets(consumer.assignment())
            while sum(places.values()) > len(found):
                for part in (await consumer.getmany(timeout_ms=500)).values():
                    found += [(one.key, one.value or b"", one.partition) for one in part]
        finally:
            await consumer.stop()
        return found

    async def arrived(self) -> list[bytes]:
        return [value for _, value, _ in await self.records()]


class AmqpSite(_Served):
    kind = "amqp"
    refuses = False
    unwanted = b"{}"

    def __init__(self) -> None:
        self._server = RabbitMq().start()
        self._seen: list[bytes] = []
        asyncio.run(self._make())

    def start(self) -> None:
        # A killed RabbitMQ may forget a durable queue that it has known for seconds only.
        super().start()
        asyncio.run(self._make())

    async def _make(self) -> None:
        async with await self._connect() as connection:
            channel = await connection.channel()
            await channel.declare_queue("events", durable=True)

    async def _connect(self) -> Any:
        # It listens a moment before it lets anybody in.
        async with asyncio.timeout(60):
            while True:
                with contextlib.suppress(aio_pika.exceptions.AMQPError, OSError):
                    return await aio_pika.connect(self._server.root)
                await asyncio.sleep(0.1)

    @property
    def options(self) -> dict[str, Any]:
        return {"url": self._server.root, "routing_key": "events"}

    @property
    def refusing(self) -> dict[str, Any]:
        return self.options | {"routing_key": "nobody"}

    async def arrived(self) -> list[bytes]:
        async with await self._connect() as connection:
            channel = await connection.channel()
            queue = await channel.declare_queue("events", durable=True, passive=True)
            while (message := await queue.get(fail=False)) is not None:
                assert message.delivery_mode == aio_pika.DeliveryMode.PERSISTENT
                assert message.content_type == "application/json"
                self._seen.append(message.body)
                await message.ack()
        return list(self._seen)


SITES: dict[str, Callable[[], Site]] = {
    "webhook": WebhookSite,
    "nats": NatsSite,
    "jetstream": JetStreamSite,
    "kafka": KafkaSite,
    "amqp": AmqpSite,
}
