"""The application: picks the dialect, holds the ONE try/except, numbers and logs requests.

A dialect is a module with `handle(svc, ctx)`, which raises what happened, and `tell(ctx, error)`,
which turns it into a reply. What is not an `AisleError` is a bug: it is logged with its traceback
and told as an internal error with the request's id, and nothing more.
"""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import Awaitable, Callable
from itertools import count
from typing import Protocol

from aisle.api.base import HOST_ID, Context, Headers, Response, Service, virtual_bucket
from aisle.api.native import easy
from aisle.app import stalls
from aisle.app.wire import Message, Receive, Send, WireBody, respond
from aisle.core.errors import AisleError
from aisle.core.http import RequestHead, fold_headers

_log = logging.getLogger("aisle.app")


class Dialect(Protocol):
    """What `aisle.api.s3.dialect` and `aisle.api.native.dialect` are."""

    async def handle(self, svc: Service, ctx: Context) -> Response: ...

    def tell(self, ctx: Context, error: AisleError) -> Response: ...


class InternalError(AisleError):
    """Stands for a bug when it is told to a client."""


class Log(Protocol):
    """Where finished requests are noted: `aisle.node.logs.AccessLog`."""

    def record(
        self,
        request_id: str,
        remote: str,
        method: str,
        path: bytes,
        query: bytes,
        operation: str,
        status: int,
        bytes_in: int,
        bytes_out: int,
        duration_ns: int,
        identity: str,
    ) -> None: ...


Hook = Callable[[], Awaitable[None]]


class App:
    """An ASGI 3 application over one `Service`, which `startup` makes in the worker process."""

    def __init__(
        self,
        *,
        s3: Dialect,
        native: Dialect,
        startup: Callable[[], Awaitable[Service]],
        shutdown: Hook,
        log: Log | None = None,
    ) -> None:
        self._s3 = s3
        self._native = native
        self._startup = startup
        self._shutdown = shutdown
        self._log = log
        self._svc: Service | None = None
        self._watch: asyncio.Task[None] | None = None
        self._ids = count(1)
        self._prefix = os.urandom(4).hex().upper()

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await self._serve(scope, receive, send)
        elif scope["type"] == "lifespan":
            await self._lifespan(receive, send)
        else:
            raise RuntimeError(f"no {scope['type']} here")

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                try:
                    self._svc = await self._startup()
                    self._watch = asyncio.create_task(stalls.watch())
                except Exception as error:
                    if not isinstance(error, AisleError):
                        _log.exception("the worker cannot start")
                    await send({"type": "lifespan.startup.failed", "message": str(error)})
                    return
                await send({"type": "lifespan.startup.complete"})
            else:
                if self._watch is not None:
                    self._watch.cancel()
                await self._shutdown()
                await send({"type": "lifespan.shutdown.complete"})
                return

    async def _serve(self, scope: Message, receive: Receive, send: Send) -> None:
        started = time.perf_counter_ns()
        svc = self._svc
        assert svc is not None
        headers, repeated = fold_headers(scope["headers"])
        path: bytes = scope["raw_path"]
        client = scope.get("client")
        head = RequestHead(
            scope["method"],
            path,
            scope["query_string"],
            headers,
            repeated,
            scope["scheme"],
            client[0] if client else "",
        )
        body = WireBody(receive, _content_length(headers))
        request_id = f"{self._prefix}{next(self._ids):08X}"
        ctx = Context(head, body, request_id)
        dialect = self._s3
        try:
            if await _is_native(svc, head):
                dialect = self._native
            response = await dialect.handle(svc, ctx)
        except AisleError as error:
            response = dialect.tell(ctx, error)
        except Exception:
            _log.exception("request %s failed: %s %r", request_id, head.method, path)
            response = dialect.tell(ctx, InternalError("internal error"))
        extra: Headers = [
            (b"x-amz-request-id", request_id.encode()),
            (b"x-amz-id-2", HOST_ID),
            (b"server", b"Aisle"),
        ]
        if not body.ended and response.waits and "expect" not in headers:
            await body.drain()
        if not body.ended:
            extra.append((b"connection", b"close"))
        sent = -1  # in the log: the reply broke off
        try:
            sent = await respond(response, extra, receive, send, head_only=head.method == "HEAD")
        except AisleError as error:
            # The head is out: all that is left is to end short, which the client notices.
            _log.error("reply broke off: %s", error, extra={"request_id": request_id})
            raise ConnectionAbortedError(str(error)) from None
        finally:
            duration = time.perf_counter_ns() - started
            svc.counters.note(ctx.operation, response.status, body.count, sent, duration)
            self._note(ctx, response.status, sent, duration)

    def _note(self, ctx: Context, status: int, sent: int, duration: int) -> None:
        if self._log is None:
            return
        head = ctx.head
        self._log.record(
            ctx.request_id,
            head.client,
            head.method,
            head.path,
            head.query,
            ctx.operation,
            status,
            ctx.body.count,
            sent,
            duration,
            ctx.identity.user if ctx.identity else "",
        )


def _scrapes(head: RequestHead) -> bool:
    """Whether a request for `/metrics` is Prometheus's, and not one for a bucket of that name:
    S3 clients do not ask for plain text."""
    return head.method == "GET" and not head.query and "text/plain" in head.header("accept")


async def _is_native(svc: Service, head: RequestHead) -> bool:
    """Whether a request is for the native API rather than for S3."""
    path = head.path
    if path.startswith(b"/v1/") or (path == b"/metrics" and _scrapes(head)):
        return virtual_bucket(head, svc.domains) is None
    if path.startswith(easy.PREFIXES):
        return virtual_bucket(head, svc.domains) is None and await easy.takes(svc, head)
    return False


def _content_length(headers: dict[str, str]) -> int | None:
    """The announced size of a body; 0 if there is none, `None` if it comes in chunks."""
    text = headers.get("content-length")
    if text is not None and text.isascii() and text.isdigit():
        return int(text)
    return None if "transfer-encoding" in headers else 0
