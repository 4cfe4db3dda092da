"""Handler of SelectObjectContent: a query on one object, answered as an event stream.

What is wrong before the first record is there is told as any error is; later errors are messages of
the stream, which cannot take back what it has said.

Spec: API reference, SelectObjectContent.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Final

from aisle.api.base import Context, Headers, Response, Service
from aisle.api.s3 import errors, selections, sse
from aisle.api.s3.common import open_bucket, version_of
from aisle.api.s3.errors import S3Error
from aisle.api.s3.incoming import read_document
from aisle.api.s3.selections import Asked
from aisle.core.errors import AisleError, InvalidArgument
from aisle.core.names import encode_key
from aisle.namespace import objects, reads
from aisle.namespace.objects import Found
from aisle.namespace.windows import PART
from aisle.query import framing, records
from aisle.query.records import LONGEST
from aisle.query.runner import Frame, Run
from aisle.query.shapes import Order, Range
from aisle.query.syntax import parse

DOCUMENT_LIMIT: Final = 1 << 20
# So long a reply waits for the first record, so that errors up to it are errors of the request.
FIRST_SECONDS: Final = 3.0
# A stream without records says so often that it is still there, which also tells that the client
# is not.
ALIVE_SECONDS: Final = 1.0


async def select_object_content(svc: Service, ctx: Context) -> Response:
    head = ctx.head
    bucket = await open_bucket(svc, ctx)
    if head.params.get("select-type") != "2":
        raise InvalidArgument(
            "Value of select-type is invalid: it has to be 2",
            name="select-type",
            value=head.params.get("select-type", "")[:100],
        )
    if "range" in head.headers:
        raise S3Error("UnsupportedRangeHeader")
    body = await read_document(head, ctx.known_payload, ctx.body, DOCUMENT_LIMIT)
    if not body:
        raise S3Error("EmptyRequestBody")
    asked = selections.read(body)
    parse(asked.expression)
    how = PART._replace(version=version_of(ctx))
    customer = sse.reading(head)
    if customer:
        await sse.admit(svc, ctx)
        how = how._replace(customer_key=customer)
    if ctx.via is not None:
        how = how._replace(via=ctx.via)
    found, small = await objects.find_small(svc.store, bucket, encode_key(ctx.key), how)
    wanted = selections.span(asked.scan, found.record.size)
    order, at = await _order(svc, asked, wanted, found, small)
    data = await reads.part(svc.store, found, small, at, found.record.size - at)
    run = await svc.queries.start(order, _pieces(data))
    try:
        first = await _first(run)
    except BaseException:
        await run.close()
        raise
    headers: Headers = [(b"content-type", b"application/vnd.amazon.eventstream")]
    headers += sse.told(svc, found.record.sealed, customer)
    return Response(200, headers, _stream(run, first, progress=asked.progress))


async def _order(
    svc: Service, asked: Asked, wanted: Range, found: Found, small: bytes | None
) -> tuple[Order, int]:
    """What the worker is to do, and from which byte on it gets the object."""
    shape = asked.input
    part = asked.scan is not None and shape.format != "Parquet"  # which is kept as a whole
    at = records.begin(wanted, shape.record.encode()) if part else 0
    head = b""
    if at and shape.header == "USE":
        size = min(found.record.size, LONGEST + 1)
        head = await _whole(await reads.part(svc.store, found, small, 0, size))
    return Order(asked.expression, shape, asked.output, svc.queries.limits, wanted, at, head), at


async def _whole(data: bytes | AsyncIterator[bytes]) -> bytes:
    return b"".join([piece async for piece in _pieces(data)])


async def _pieces(data: bytes | AsyncIterator[bytes]) -> AsyncGenerator[bytes, None]:
    if isinstance(data, bytes):
        if data:
            yield data
        return
    try:
        async for piece in data:
            yield piece
    finally:
        aclose = getattr(data, "aclose", None)
        if aclose is not None:
            await aclose()


class _Frames:
    """The frames of a run, one at a time: the next is awaited though its reader gives up."""

    def __init__(self, run: Run) -> None:
        self._frames = run.frames()
        self._next: asyncio.Task[Frame | None] | None = None

    async def next(self, seconds: float) -> Frame | None:
        """The next frame, `None` if there is none in so many seconds."""
        if self._next is None:
            self._next = asyncio.ensure_future(anext(self._frames, None))
        done, _ = await asyncio.wait([self._next], timeout=seconds)
        if not done:
            return None
        task, self._next = self._next, None
        return task.result()

    async def close(self) -> None:
        if self._next is not None:
            self._next.cancel()
            await asyncio.wait([self._next])
            if not self._next.cancelled():
                self._next.exception()
        await self._frames.aclose()


class _Begun:
    """A run, its frames, and the first one that is more than a word on how far it is."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.frames = _Frames(run)
        self.first: Frame | None = None


async def _first(run: Run) -> _Begun:
    """Wait for the first record or the end. Raises what ends the run before."""
    begun = _Begun(run)
    loop = asyncio.get_running_loop()
    until = loop.time() + FIRST_SECONDS
    try:
        while (left := until - loop.time()) > 0:
            frame = await begun.frames.next(left)
            if frame is not None and frame.letter != "P":
                begun.first = frame
                break
    except BaseException:
        await begun.frames.close()
        raise
    return begun


async def _stream(run: Run, begun: _Begun, *, progress: bool) -> AsyncGenerator[bytes, None]:
    loop = asyncio.get_running_loop()
    told = loop.time()
    frame = begun.first
    try:
        while True:
            if frame is None:
                yield framing.CONTINUATION
            elif frame.letter == "R":
                for message in framing.records(frame.data):
                    yield message
            elif frame.letter == "E":
                yield framing.stats(*frame.counts) + framing.END
                return
            elif progress:
                yield framing.progress(*frame.counts)
                told = loop.time()
            elif loop.time() - told >= ALIVE_SECONDS:
                yield framing.CONTINUATION
                told = loop.time()
            frame = await begun.frames.next(ALIVE_SECONDS)
    except AisleError as error:
        said = errors.tell(error)
        yield framing.error(said.code, said.message)
    finally:
        await begun.frames.close()
        await run.close()
