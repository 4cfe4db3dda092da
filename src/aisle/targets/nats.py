"""`Nats`: each message is published to a subject of NATS.

Without JetStream a message counts as delivered once the server has it, whether or not anybody
listens; with `jetstream`, once a stream has stored it.
"""

from __future__ import annotations

import asyncio
import hashlib
import ssl
from typing import Any, Final

import nats
from nats.aio.client import Client
from nats.errors import Error as NatsError
from nats.js.errors import NoStreamResponseError

from aisle.targets.base import Message, Spec, TargetError

_SECONDS: Final = 5
# JetStream drops what it has stored already under the same id, within the stream's window.
_ID: Final = "Nats-Msg-Id"


class Nats:
    """See the module and `Target`."""

    def __init__(self, spec: Spec) -> None:
        options = spec.options
        self._subject: str = options["subject"]
        self._stored: bool = options.get("jetstream", False)
        self._seconds = spec.timeout
        self._options: dict[str, Any] = {
            "servers": options["url"],
            "name": "aisle",
            "connect_timeout": _SECONDS,
            "allow_reconnect": False,
            "max_reconnect_attempts": 1,
            "reconnect_time_wait": 0.1,
            "error_cb": _ignore,
        }
        for ours, theirs in (("user", "user"), ("password", "password"), ("token", "token")):
            if options.get(ours):
                self._options[theirs] = options[ours]
        if options.get("ca_file"):
            self._options["tls"] = ssl.create_default_context(cafile=options["ca_file"])
        self._client: Client | None = None
        self._connecting = asyncio.Lock()

    async def send(self, message: Message) -> None:
        try:
            client = await self._connected()
            if self._stored:
                name = hashlib.sha256(message.body).hexdigest()
                await client.jetstream(timeout=self._seconds).publish(
                    self._subject, message.body, headers={_ID: name}
                )
            else:
                await client.publish(self._subject, message.body)
                await client.flush(timeout=int(self._seconds) or 1)
        except NoStreamResponseError:
            raise TargetError(f"no stream takes the subject {self._subject}") from None
        except (NatsError, OSError, TimeoutError) as error:
            raise TargetError(_told(error)) from None

    async def _connected(self) -> Client:
        async with self._connecting:
            client = self._client
            if client is None or not client.is_connected:
                self._client = None
                if client is not None:
                    await client.close()
                self._client = client = await nats.connect(**self._options)
            return client

    async def close(self) -> None:
        if self._client is not None:
            client, self._client = self._client, None
            await client.close()


async def _ignore(_: Exception) -> None:
    """What goes wrong is told by the next call."""


def _told(error: Exception) -> str:
    """What went wrong, without addresses."""
    name = type(error).__name__
    return "it cannot be reached" if isinstance(error, OSError) else f"NATS says {name}"
