"""What the providers that speak HTTP have in common: failures as `RemoteError`s, and bodies.

An `Exchange` is a transport as one remote bucket (or one account) uses it: it names the bucket in
every error and tells what passes, what is unknown and what is broken. A provider gives it a judge,
which knows the service's errors, and a way to sign; see `outgoing.request`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from aisle.backend.base import RemoteObject
from aisle.core.errors import (
    RemoteBroken,
    RemoteDenied,
    RemoteError,
    RemoteRefused,
    RemoteThrottled,
    RemoteUnavailable,
    RemoteUnknown,
)
from aisle.core.ranges import Span
from aisle.outgoing.addresses import ForbiddenAddress
from aisle.outgoing.request import (
    BrokenReply,
    Judge,
    OversizeReply,
    Refusal,
    Reply,
    Request,
    Sign,
    TransportError,
)
from aisle.outgoing.stream import Stream
from aisle.outgoing.transport import Transport

# The code of a `RemoteDenied` by ourselves.
FORBIDDEN: Final = "ForbiddenAddress"

_Result = TypeVar("_Result")


class Exchange:
    """Requests about the remote bucket called `name`, signed by `sign` and judged by `judge`."""

    __slots__ = ("_judge", "_sign", "name", "transport")

    def __init__(self, transport: Transport, name: str, judge: Judge, sign: Sign | None) -> None:
        self.transport = transport
        self.name = name
        self._judge = judge
        self._sign = sign

    async def call(
        self,
        request: Request,
        *,
        judge: Judge | None = None,
        writes: bool = False,
        limit: int | None = None,
        seconds: float | None = None,
        attempts: int | None = None,
        redirects: int = 0,
    ) -> Reply:
        """One operation and its whole reply. With `writes` a lost reply is `RemoteUnknown`, as is
        one that does not say that nothing was done."""
        judged = judge or self._judge
        return await self._told(
            lambda: self.transport.call(
                request,
                doubting(self.name, judged) if writes else judged,
                sign=self._sign,
                limit=limit,
                seconds=seconds,
                attempts=attempts,
                redirects=redirects,
            ),
            writes=writes,
        )

    async def open(
        self, request: Request, *, judge: Judge | None = None, redirects: int = 0
    ) -> Stream:
        """Begin an operation whose reply is a body, which the caller closes."""
        return await self._told(
            lambda: self.transport.open(
                request, judge or self._judge, sign=self._sign, redirects=redirects
            )
        )

    async def _told(
        self, work: Callable[[], Awaitable[_Result]], *, writes: bool = False
    ) -> _Result:
        try:
            return await work()
        except TransportError as error:
            raise told(self.name, error, writes=writes) from None


def doubting(name: str, judge: Judge) -> Judge:
    """A judge of writes: what the service refuses although it may have carried it out, or may do
    so yet (a gateway that gave up waiting, say), is not known."""

    def judged(reply: Reply) -> Refusal | None:
        refusal = judge(reply)
        if refusal is None or not (refusal.done or reply.doubtful):
            return refusal
        error = refusal.error
        if isinstance(error, RemoteUnknown) or not isinstance(
            error, RemoteUnavailable | RemoteThrottled
        ):
            return refusal
        said = str(error).removeprefix(f"{name}: ")
        return refusal._replace(error=RemoteUnknown(name, said, code=error.code))

    return judged


def told(name: str, error: TransportError, *, writes: bool = False) -> RemoteError:
    """A failure of the transport as callers of the port hear it."""
    if isinstance(error, ForbiddenAddress):
        return RemoteDenied(name, str(error), code=FORBIDDEN)
    if writes and error.sent:
        return RemoteUnknown(name, str(error))
    if isinstance(error, OversizeReply):
        return RemoteRefused(name, str(error), status=502)
    if isinstance(error, BrokenReply):
        return RemoteBroken(name, str(error))
    return RemoteUnavailable(name, str(error))


class StreamBody:
    """A `RemoteBody` of exactly the bytes that were asked for, from a reply's body."""

    __slots__ = ("_left", "_name", "_stream", "about")

    def __init__(self, name: str, about: RemoteObject, stream: Stream, length: int) -> None:
        self.about = about
        self._name = name
        self._stream = stream
        self._left = length

    async def read(self) -> bytes:
        try:
            piece = await self._stream.read()
        except TransportError as error:
            raise told(self._name, error) from None
        self._left -= len(piece)
        if self._left < 0:
            raise RemoteBroken(self._name, "the body is longer than it should be")
        if not piece and self._left:
            raise RemoteBroken(self._name, f"the body is {self._left} bytes short")
        return piece

    async def close(self) -> None:
        await self._stream.close()


def span_header(span: Span) -> str:
    """The value of `Range` that asks for `span`."""
    return f"bytes={span.start}-{span.last}"
