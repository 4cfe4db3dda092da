"""An ASGI client in a few lines: one request, its messages as told, its reply as a value.

`Exchange` plays the server: it hands out the pieces of the request's body, can hang up at a chosen
moment, and records what the application sends.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from aisle.api.base import Service
from aisle.api.native import dialect as native
from aisle.api.s3 import dialect as s3
from aisle.app.asgi import App, Dialect
from aisle.app.wire import Message
from aisle.jobs.jobs import Jobs
from aisle.namespace.store import Store
from aisle.namespace.users.principals import Principals, RootKeys


def app_over(store: Store, *, dialect: Dialect = s3) -> App:
    """The application over a store, authorisation off."""

    async def startup() -> Service:
        return Service(
            store=store,
            principals=Principals(store, RootKeys()),
            auth_enabled=False,
            region="us-east-1",
            domains=("localhost",),
            jobs=Jobs(store, "driver"),
        )

    async def shutdown() -> None:
        pass

    return App(s3=dialect, native=native, iam=native, startup=startup, shutdown=shutdown)


async def started(app: App) -> App:
    """The application after the start of its lifespan."""
    messages = iter([{"type": "lifespan.startup"}])
    told: list[Message] = []

    async def receive() -> Message:
        try:
            return next(messages)
        except StopIteration:
            await asyncio.Event().wait()
            raise

    async def send(message: Message) -> None:
        told.append(message)

    lifespan = asyncio.create_task(app({"type": "lifespan"}, receive, send))
    while not told:
        await asyncio.sleep(0)
    lifespan.cancel()
    assert told[0]["type"] == "lifespan.startup.complete"
    return app


@dataclass
class Exchange:
    """One request. `hang_up_after` is the number of body pieces after which the client is gone
    (`None`: it stays), `leave_after` the number of bytes of the reply it reads. `asked` is how
    often the application wanted to hear more of it."""

    method: str
    path: str
    body: Sequence[bytes] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    query: str = ""
    hang_up_after: int | None = None
    leave_after: int | None = None
    scheme: str = "http"

    status: int = 0
    fields: dict[str, str] = field(default_factory=dict)
    content: bytes = b""
    taken: int = 0
    asked: int = 0
    ended: bool = False

    async def run(self, app: App) -> Exchange:
        headers = {"host": "localhost", **self.headers}
        if self.body and "transfer-encoding" not in headers:
            headers.setdefault("content-length", str(sum(map(len, self.body))))
        scope: dict[str, Any] = {
            "type": "http",
            "method": self.method,
            "scheme": self.scheme,
            "path": self.path,
            "raw_path": self.path.encode(),
            "query_string": self.query.encode(),
            "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
            "client": ("127.0.0.1", 1),
        }
        self._gone = asyncio.Event()
        await app(scope, self._receive, self._send)
        return self

    async def _receive(self) -> Message:
        self.asked += 1
        await asyncio.sleep(0)
        if self.hang_up_after is not None and self.taken >= self.hang_up_after:
            return {"type": "http.disconnect"}
        if self.taken < len(self.body):
            piece = self.body[self.taken]
            self.taken += 1
            more = self.taken < len(self.body)
            return {"type": "http.request", "body": piece, "more_body": more}
        if not self.body and self.taken == 0:
            self.taken = 1
            return {"type": "http.request", "body": b"", "more_body": False}
        await self._gone.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Message) -> None:
        await asyncio.sleep(0)
        if message["type"] == "http.response.start":
            assert not self.status, "two heads"
            self.status = message["status"]
            for name, value in message["headers"]:
                assert name == name.lower()
                assert name.decode() not in self.fields, f"{name!r} twice"
                self.fields[name.decode()] = value.decode()
            return
        assert self.status, "a body before its head"
        assert not self.ended, "a body after its end"
        self.content += message["body"]
        self.ended = not message.get("more_body", False)
        if self.leave_after is not None and len(self.content) >= self.leave_after:
            self._gone.set()
