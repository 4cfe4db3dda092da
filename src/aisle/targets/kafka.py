"""`Kafka`: each message is a record of a topic, keyed by `BUCKET/KEY`.

So all that is told of an object is in one partition, in order. A message is delivered once all
in-sync replicas have it; the producer is idempotent, so that its own repetitions leave one record.
"""

from __future__ import annotations

import asyncio
import ssl
from contextlib import suppress
from typing import Any, Final

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError, MessageSizeTooLargeError

from aisle.targets.base import Message, Spec, TargetError

_PROTOCOLS: Final = {
    (False, False): "PLAINTEXT",
    (True, False): "SSL",
    (False, True): "SASL_PLAINTEXT",
    (True, True): "SASL_SSL",
}


class Kafka:
    """See the module and `Target`."""

    def __init__(self, spec: Spec) -> None:
        options = spec.options
        tls, sasl = bool(options.get("tls")), bool(options.get("user"))
        self._topic: str = options["topic"]
        self._options: dict[str, Any] = {
            "bootstrap_servers": options["servers"],
            "client_id": "aisle",
            "acks": "all",
            "enable_idempotence": True,
            "request_timeout_ms": int(spec.timeout * 1000),
            "security_protocol": _PROTOCOLS[tls, sasl],
        }
        if tls:
            cafile = options.get("ca_file")
            self._options["ssl_context"] = ssl.create_default_context(cafile=cafile)
        if sasl:
            self._options |= {
                "sasl_mechanism": options.get("mechanism", "SCRAM-SHA-512"),
                "sasl_plain_username": options["user"],
                "sasl_plain_password": options.get("password", ""),
            }
        self._producer: AIOKafkaProducer | None = None
        self._starting = asyncio.Lock()

    async def send(self, message: Message) -> None:
        try:
            producer = await self._started()
            await producer.send_and_wait(self._topic, message.body, key=message.key)
        except MessageSizeTooLargeError:
            raise TargetError("the message is too large for its topic", refused=True) from None
        except (KafkaError, OSError) as error:
            raise TargetError(f"Kafka says {type(error).__name__}") from None

    async def _started(self) -> AIOKafkaProducer:
        async with self._starting:
            if self._producer is None:
                producer = AIOKafkaProducer(**self._options)
                try:
                    await producer.start()
                except BaseException:
                    # One that did not start still holds connections.
                    with suppress(Exception):
                        await asyncio.shield(producer.stop())
                    raise
                self._producer = producer
            return self._producer

    async def close(self) -> None:
        if self._producer is not None:
            producer, self._producer = self._producer, None
            with suppress(KafkaError):
                await producer.stop()
