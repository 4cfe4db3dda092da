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

from aisle.api.base import Context, Headers, Response, Service, virtual_bucket, website_bucket
from aisle.api.iam import target as iam_target
from aisle.api.native import easy
from aisle.api.s3 import accesslogs
from aisle.app import edge as edges
from aisle.app import stalls
from aisle.app.edge import Edge
from aisle.app.wire import Message, Receive, Send, WireBody, respond
from aisle.core.errors import AisleError, AuthError, RequestTimeout
from aisle.core.http import RequestHead, fold_headers

_log = logging.getLogger("aisle.app")


class Dialect(Protocol):
    """What `aisle.api.s3.dialect`, `aisle.api.native.dialect` and `aisle.api.iam.dialect` are."""

    @property
    def NAME(self) -> str: ...

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


class Audit(Protocol):
    """Where it is kept who did what: `aisle.node.audit.AuditLog`."""

    def record(
        self, ctx: Context, dialect: str, status: int, error: str, sent: int, duration: int
    ) -> None: ...


Hook = Callable[[], Awaitable[None]]


class App:
    """An ASGI 3 application over one `Service`, which `startup` makes in the worker process."""

    def __init__(
        self,
        *,
        s3: Dialect,
        native: Dialect,
        iam: Dialect,
        website: Dialect | None = None,
        startup: Callable[[], Awaitable[Service]],
        shutdown: Hook,
        log: Log | None = None,
        audit: Audit | None = None,
        edge: Edge | None = None,
    ) -> None:
        self._s3 = s3
        self._native = native
        self._iam = iam
        self._website = website
        self._startup = startup
        self._shutdown = shutdown
        self._log = log
        self._audit = audit
        self._edge = edge or Edge()
        self._svc: Service | None = None
        self._watch: asyncio.Task[None] | None = None
        self._ids = count(1)
        self._prefix = os.urandom(4).hex().upper()

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            self._edge.running += 1
            try:
                await self._serve(scope, receive, send)
            finally:
                self._edge.running -= 1
        elif scope["type"] == "lifespan":
            await self._lifespan(receive, send)
        else:
            raise RuntimeError(f"no {scope['type']} here")

    @property
    def _shortest(self) -> float:
        limits = self._edge.limits
        return min(limits.body_timeout, limits.send_timeout)

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                try:
                    self._svc = await self._startup()
                    self._watch = asyncio.create_task(stalls.watch(self._shortest))
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
        edge = self._edge
        remote, scheme = edges.peer(client), scope["scheme"]
        if edge.proxies:
            remote, scheme = edge.origin(headers, remote, scheme)
        head = RequestHead(
            scope["method"],
            path,
            scope["query_string"],
            headers,
            repeated,
            scheme,
            remote,
        )
        body = WireBody(receive, _content_length(headers), edge.limits.body_timeout)
        request_id = f"{self._prefix}{next(self._ids):08X}"
        ctx = Context(head, body, request_id)
        dialect = self._s3
        try:
            if self._website is not None and website_bucket(head, svc.website_domains, svc.domains):
                dialect = self._website
            elif await _is_native(svc, head):
                dialect = self._native
            elif head.path in iam_target.PATHS and iam_target.takes(svc, head):
                dialect = self._iam
            edge.check(head, scope.get("http_version", ""))
            response = await dialect.handle(svc, ctx)
        except AisleError as error:
            if isinstance(error, AuthError) and not ctx.denied:
                ctx.denied = str(error)
            response = dialect.tell(ctx, error)
        except Exception:
            _log.exception("request %s failed: %s %r", request_id, head.method, path)
            response = dialect.tell(ctx, InternalError("internal error"))
        turned = time.perf_counter_ns() - started
        extra: Headers = [
            (b"x-amz-request-id", request_id.encode()),
            *edges.standard(scheme, headers.get("host", "")),
            *ctx.extra,
        ]
        if (
            ctx.key
            and dialect is not self._website
            and edges.runs_here(response.headers, head, svc.domains)
        ):
            extra.append(edges.SANDBOX)
        if not body.ended and response.waits and "expect" not in headers:
            await body.drain()
        if not body.ended:
            extra.append((b"connection", b"close"))
        sent = -1  # in the log: the reply broke off
        try:
            sent = await respond(
                response,
                extra,
                receive,
                send,
                head_only=head.method == "HEAD",
                patience=edge.limits.send_timeout,
            )
        except RequestTimeout as error:
            _log.warning("reply broke off: %s", error, extra={"request_id": request_id})
            # An announced length that does not come ends the connection; what comes in chunks
            # would look whole.
            if response.length is None:
                raise ConnectionAbortedError(str(error)) from None
        except AisleError as error:
            # The head is out: all that is left is to end short, which the client notices.
            _log.error("reply broke off: %s", error, extra={"request_id": request_id})
            raise ConnectionAbortedError(str(error)) from None
        finally:
            duration = time.perf_counter_ns() - started
            svc.counters.note(ctx.operation, response.status, body.count, sent, duration)
            self._note(ctx, response.status, sent, duration)
            if dialect is self._s3 or dialect is self._website:
                accesslogs.note(
                    svc,
                    ctx,
                    response,
                    sent=sent,
                    total=duration,
                    turned=turned,
                    http=scope.get("http_version", "1.1"),
                    website=dialect is self._website,
                )
            if self._audit is not None:
                self._audit.record(
                    ctx, dialect.NAME, response.status, response.error, sent, duration
                )

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
            ctx.principal.name if ctx.principal else "",
        )


def _scrapes(head: RequestHead) -> bool:
    """Whether a request for `/metrics` is Prometheus's, and not one for a bucket of that name:
    S3 clients do not ask for plain text."""
    return head.method == "GET" and not head.query and "text/plain" in head.header("accept")


# No bucket has a name that begins with a dot.
_NATIVE = (b"/v1/", b"/.well-known/")


async def _is_native(svc: Service, head: RequestHead) -> bool:
    """Whether a request is for the native API rather than for S3."""
    path = head.path
    if path.startswith(_NATIVE) or (path == b"/metrics" and _scrapes(head)):
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
