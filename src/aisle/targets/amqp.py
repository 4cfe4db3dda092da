"""`Amqp`: each message is published to an exchange of AMQP 0-9-1, such as RabbitMQ's.

Messages are persistent and mandatory, and the broker confirms them: one that no queue takes was not
delivered.
"""

from __future__ import annotations

import asyncio
import ssl
from typing import Any, Final

import aio_pika
from aio_pika.abc import AbstractChannel, AbstractConnection, AbstractExchange
from aio_pika.exceptions import AMQPError, DeliveryError

from aisle.targets.base import Message, Spec, TargetError

_DEFAULT: Final = ""  # the exchange that leads to the queue called as the routing key


class Amqp:
    """See the module and `Target`."""

    def __init__(self, spec: Spec) -> None:
        options = spec.options
        self._url: str = options["url"]
        self._exchange: str = options.get("exchange", _DEFAULT)
        self._key: str = options["routing_key"]
        self._options: dict[str, Any] = {"timeout": spec.timeout}
        if options.get("ca_file"):
            context = ssl.create_default_context(cafile=options["ca_file"])
            self._options["ssl_context"] = context
        self._connection: AbstractConnection | None = None
        self._channel: AbstractChannel | None = None
        self._open: AbstractExchange | None = None
        self._opening = asyncio.Lock()

    async def send(self, message: Message) -> None:
        sent = aio_pika.Message(
            message.body,
            content_type="application/json",
            delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
            app_id="aisle",
        )
        try:
            exchange = await self._opened()
            await exchange.publish(sent, self._key, mandatory=True)
        except DeliveryError:
            raise TargetError("no queue takes the message") from None
        except (AMQPError, OSError, RuntimeError) as error:
            await self._forget()
            raise TargetError(f"AMQP says {type(error).__name__}") from None

    async def _opened(self) -> AbstractExchange:
        async with self._opening:
            exchange, channel = self._open, self._channel
            if exchange is None or channel is None or channel.is_closed:
                await self._forget()
                self._connection = await aio_pika.connect(self._url, **self._options)
                self._channel = channel = await self._connection.channel(
                    publisher_confirms=True, on_return_raises=True
                )
                self._open = exchange = (
                    await channel.get_exchange(self._exchange, ensure=True)
                    if self._exchange
                    else channel.default_exchange
                )
            return exchange

    async def _forget(self) -> None:
        self._open, self._channel = None, None
        if self._connection is not None:
            connection, self._connection = self._connection, None
            await connection.close()

    async def close(self) -> None:
        await self._forget()
