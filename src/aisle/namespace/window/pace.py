"""How fast a remote bucket is asked: AIStore's `rate_limit.backend`, as a wrapper of a backend.

Tokens flow in evenly, `max_tokens` in an `interval`, and some of them may be saved up; a request
takes one, and waits its turn if there is none. An operation with tokens of its own
(`per_op_max_tokens`: GET, PUT, HEAD, LIST, DELETE) takes those instead. The limit is the cluster's:
each process has its share, and asks no other.

It adapts: when the service throttles, the flow is halved and nothing is sent before the time that
it asked for; every request that succeeds then brings back a little, up to the full flow. A request
that was throttled is tried `num_retries` times more, in its turn. Nobody waits for longer than
`PATIENCE` seconds: who would have to hears `RemoteThrottled` at once.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeVar, cast

from aisle.backend.base import (
    PAGE_LIMIT,
    Backend,
    Forwarded,
    Forwarding,
    Outgoing,
    RawRequest,
    RemoteBody,
    RemoteFacts,
    RemoteObject,
    RemotePage,
)
from aisle.core import settings
from aisle.core.errors import RemoteThrottled
from aisle.core.ranges import Span
from aisle.core.settings.values import REMOTE_OPERATIONS, per_operation

PREFIX: Final = "rate_limit.backend."
PATIENCE: Final = 30.0
# The part of an interval's tokens that may be saved up.
SAVED: Final = 0.1
LEAST: Final = 1 / 64  # of the flow, however often the service throttles
RECOVERY: Final = 1 / 32  # of the flow, with each success
_THROTTLED: Final = (429, 503)
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Pace:
    """The limit as it is set, for the whole cluster."""

    seconds: float
    tokens: int
    operations: Mapping[str, int]
    retries: int


def pace_of(values: Mapping[str, Any]) -> Pace | None:
    """The limit that these settings are, by flat name; `None` if they are none."""

    def value(name: str) -> Any:
        return values.get(PREFIX + name, settings.SETTINGS[PREFIX + name].default)

    if not value("enabled"):
        return None
    seconds = max(settings.nanoseconds(value("interval")), 1) / 1e9
    operations = per_operation(str(value("per_op_max_tokens")), REMOTE_OPERATIONS)
    return Pace(seconds, int(value("max_tokens")), operations, max(0, int(value("num_retries"))))


class Flow:
    """The tokens of one kind of requests. `share` is among how many processes they are divided."""

    def __init__(
        self, tokens: int, seconds: float, share: Callable[[], int], now: Callable[[], float]
    ) -> None:
        self._tokens = tokens
        self._seconds = seconds
        self._share = share
        self._now = now
        self._due = now() - seconds  # when the next request may go
        self._not_before = 0.0  # what the service asked for
        self.factor = 1.0  # of the full flow

    def reserve(self, patience: float) -> float | None:
        """Seconds until it is one's turn, which is taken; `None` if it would be too many."""
        now = self._now()
        if self._tokens <= 0:
            return None
        flow = self._tokens / self._seconds / max(1, self._share()) * self.factor
        saved = self._seconds * SAVED if self.factor == 1.0 else 0.0
        due = max(self._due, now - saved)
        wait = max(0.0, due - now, self._not_before - now)
        if wait > patience:
            return None
        self._due = max(due, self._not_before) + 1 / flow
        return wait

    def held_back(self, patience: float) -> float | None:
        """Seconds until anything may be sent, 0 for now; `None` if those are too many."""
        wait = max(0.0, self._not_before - self._now())
        return wait if wait <= max(0.0, patience) else None

    def throttled(self, retry_after: float) -> None:
        """The service asks for fewer requests. Those that were under way together count once."""
        now = self._now()
        if now >= self._not_before:
            self.factor = max(LEAST, self.factor / 2)
            self._due = max(self._due, now)
        self._not_before = max(self._not_before, now + max(0.0, retry_after))

    def went_well(self) -> None:
        if self.factor < 1.0:
            self.factor = min(1.0, self.factor + RECOVERY)


class Paced:
    """A backend that keeps to a pace; otherwise the one inside."""

    def __init__(
        self,
        inner: Backend,
        pace: Pace,
        share: Callable[[], int] = lambda: 1,
        *,
        now: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self.inner = inner
        self.provider = inner.provider
        self.name = inner.name
        self.lists = inner.lists
        self.writes = inner.writes
        self.in_order = inner.in_order
        self.ranges_by_etag = inner.ranges_by_etag
        self._pace = pace
        self._sleep = sleep
        self._now = now
        self._all = Flow(pace.tokens, pace.seconds, share, now)
        self._flows = {
            name: Flow(tokens, pace.seconds, share, now) for name, tokens in pace.operations.items()
        }

    async def _ask(self, operation: str, ask: Callable[[], Awaitable[T]]) -> T:
        flow = self._flows.get(operation, self._all)
        left = self._pace.retries
        end = self._now() + PATIENCE
        while True:
            await self._turn(flow, operation, end)
            try:
                answer = await ask()
            except RemoteThrottled as error:
                flow.throttled(error.retry_after)
                if not left:
                    raise
                left -= 1
                continue
            flow.went_well()
            return answer

    async def _turn(self, flow: Flow, operation: str, end: float) -> None:
        wait = flow.reserve(end - self._now())
        while wait is not None and wait > 0:
            await self._sleep(wait)
            wait = flow.held_back(end - self._now())
        if wait is None:
            raise RemoteThrottled(
                self.name,
                f"the rate of {operation} requests to it is limited, and too many wait",
                retry_after=PATIENCE,
            )

    async def facts(self) -> RemoteFacts:
        return await self._ask("HEAD", self.inner.facts)

    async def head(self, key: str, *, version: str = "") -> RemoteObject:
        return await self._ask("HEAD", lambda: self.inner.head(key, version=version))

    async def get(
        self, key: str, *, span: Span | None = None, etag: str = "", version: str = ""
    ) -> RemoteBody:
        return await self._ask(
            "GET", lambda: self.inner.get(key, span=span, etag=etag, version=version)
        )

    async def put(self, key: str, body: Outgoing) -> RemoteObject:
        return await self._ask("PUT", lambda: self.inner.put(key, body))

    async def delete(self, key: str) -> None:
        await self._ask("DELETE", lambda: self.inner.delete(key))

    async def give_up(self, key: str, upload: str) -> None:
        await self._ask("DELETE", lambda: self.inner.give_up(key, upload))

    async def list(
        self, *, prefix: str = "", delimiter: str = "", after: str = "", token: str = "",
        limit: int = PAGE_LIMIT,
    ) -> RemotePage:  # fmt: skip
        return await self._ask(
            "LIST",
            lambda: self.inner.list(
                prefix=prefix, delimiter=delimiter, after=after, token=token, limit=limit
            ),
        )

    async def close(self) -> None:
        await self.inner.close()


class PacedForwarding(Paced):
    """The same for a backend that also forwards requests as they are."""

    @property
    def _forwarding(self) -> Forwarding:
        return cast("Forwarding", self.inner)

    @property
    def region(self) -> str:
        return self._forwarding.region

    async def forward(self, request: RawRequest) -> Forwarded:
        # Its body cannot be sent again: it waits its turn, and what it is told is handed on.
        flow = self._flows.get(request.method, self._all)
        await self._turn(flow, request.method, self._now() + PATIENCE)
        reply = await self._forwarding.forward(request)
        if reply.status in _THROTTLED:
            flow.throttled(1.0)
        return reply

    def other_style(self, style: str) -> str:
        return self._forwarding.other_style(style)

    def described(self, key: str, headers: Mapping[str, str]) -> RemoteObject:
        return self._forwarding.described(key, headers)


def paced(
    backend: Backend, values: Mapping[str, Any], share: Callable[[], int] = lambda: 1
) -> Backend:
    """The backend at the pace that the settings in force ask for; itself if they ask for none."""
    pace = pace_of(values)
    if pace is None:
        return backend
    kind = PacedForwarding if hasattr(backend, "forward") else Paced
    return kind(backend, pace, share)
