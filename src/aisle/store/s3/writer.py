"""`S3Writer`: one blob on its way into the bucket, in one request or in parts.

* Up to `SINGLE` bytes (or one part, where the size is not known) are one PutObject by `seal`.
* More is a multipart upload: a part is sent while the next one is collected, `IN_FLIGHT` at most.
* A part is `PART` bytes, or as large as `MAX_PARTS` parts of the announced size have to be. Of an
  unannounced size parts double every `PARTS_A_SIZE`, which reaches 5 TiB.
* Ranges of other blobs of 5 MiB and more are copied by the server (UploadPartCopy).
* One task uses a writer. Parts run in tasks of their own, and `abort` ends those.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Coroutine
from typing import Any, Final

from aisle.core.errors import BlobMissing, StoreError, StoreUnavailable
from aisle.outgoing.s3 import Part, complete_document
from aisle.store.base import Body
from aisle.store.s3.client import S3Client, S3Refusal, crc32c
from aisle.store.s3.listing import abort_uploads
from aisle.store.s3.memory import PartMemory, Share
from aisle.store.s3.object import (
    ID_SIZE,
    as_multipart,
    head,
    is_multipart,
    key_of,
    missing,
    owner_headers,
)
from aisle.store.s3.xml import parse

PART: Final = 5 << 20  # the least that S3 takes
SINGLE: Final = 8 << 20
IN_FLIGHT: Final = 2
MAX_PARTS: Final = 10_000
MAX_PART: Final = 5 << 30
PARTS_A_SIZE: Final = 950
SPARE_PARTS: Final = 1_000  # for copies, whose parts are as they come
# AWS dates an object by the beginning of its upload. One that took as long as blobs have to be
# old for a sweep (a day) would look like an orphan in the moment before its row is committed.
LONGEST: Final = 12 * 3600.0
COPY_SECONDS: Final = 900.0  # for a part of 5 GiB that the server copies
COMPLETE_SECONDS: Final = 300.0
SMALL: Final = 4096
STEP: Final = 1 << 20


def part_size(number: int, announced: int, written: int) -> int:
    """How large part `number` is to be, of a blob of `announced` bytes (0: unknown)."""
    if written < announced:
        return min(MAX_PART, max(PART, -(-announced // (MAX_PARTS - SPARE_PARTS))))
    return min(MAX_PART, PART << (number - 1) // PARTS_A_SIZE)


class S3Writer:
    """The `BlobWriter` of one new object."""

    def __init__(
        self,
        client: S3Client,
        memory: PartMemory,
        writing: set[S3Writer],
        blob: bytes,
        owner: bytes,
        *,
        size_hint: int,
        open_source: Callable[[bytes, int, int], Coroutine[Any, Any, Body]],
    ) -> None:
        self._blob = blob
        self._size = 0
        self._client = client
        self._memory = memory
        self._share = Share(memory)
        self._writing = writing
        self._metadata, self._trailer = owner_headers(owner)
        self._announced = size_hint
        self._open_source = open_source
        self._pieces: list[bytes | bytearray] = []
        self._started = time.monotonic()
        self._upload = ""
        self._starting: asyncio.Task[str] | None = None
        self._sending: set[asyncio.Task[None]] = set()
        self._number = 0
        self._parts: dict[int, Part] = {}
        self._failure: BaseException | None = None
        self._completing = False
        self._undoing: asyncio.Task[None] | None = None
        self._ended = False
        self._sealed = False
        writing.add(self)

    @property
    def _key(self) -> str:
        return key_of(self._client.location.prefix, self._blob)

    @property
    def _in_parts(self) -> bool:
        """Whether the bucket knows of this blob yet, as a multipart upload."""
        return is_multipart(self._blob)

    def _limit(self) -> int:
        """How many bytes to collect before they are sent."""
        if not self._in_parts and 0 < self._announced <= SINGLE:
            return SINGLE
        return part_size(self._number + 1, self._announced, self._size - self._share.collected)

    def _check(self) -> None:
        if self._failure is not None:
            raise self._failure
        if self._ended:
            raise StoreUnavailable("this blob is no longer being written")

    # --- writing ----------------------------------------------------------------------------

    async def write(self, chunk: bytes) -> None:
        self._check()
        await self._collect(chunk)

    async def _collect(self, chunk: bytes) -> None:
        start = 0
        while start < len(chunk):
            limit = self._limit()
            if self._share.collected >= limit:
                await self._send_collected()
                continue
            piece = chunk[start : start + limit - self._share.collected]
            await self._share.take(len(piece), part=limit)
            self._append(piece)
            start += len(piece)
            # What may be the whole blob waits for `seal`; a part that is full goes at once.
            if self._share.collected >= limit and (self._in_parts or self._size < self._announced):
                await self._send_collected()

    def _append(self, piece: bytes) -> None:
        last = self._pieces[-1] if self._pieces else None
        if len(piece) >= SMALL:
            self._pieces.append(piece)
        elif isinstance(last, bytearray) and len(last) < SMALL:
            last += piece
        else:
            self._pieces.append(bytearray(piece))
        self._size += len(piece)

    def _take_collected(self) -> tuple[list[bytes], int]:
        pieces = [bytes(piece) for piece in self._pieces]
        self._pieces = []
        return pieces, self._share.hand_over()

    async def _send_collected(self) -> None:
        await self._slot()
        pieces, size = self._take_collected()
        self._number += 1
        self._spawn(self._send_part(self._number, pieces), size)

    async def _send_part(self, number: int, pieces: list[bytes]) -> None:
        headers = self._checksum(pieces)
        query = {"partNumber": str(number), "uploadId": self._upload}
        reply = await self._client.call("PUT", self._key, query=query, headers=headers, body=pieces)
        crc = headers.get("x-amz-checksum-crc32c", "")
        self._parts[number] = Part(number, reply.headers.get("ETag", ""), crc)

    def _checksum(self, pieces: list[bytes]) -> dict[str, str]:
        if not self._client.location.checksums:
            return {}
        return {"x-amz-checksum-crc32c": crc32c(pieces)}

    async def _slot(self) -> None:
        """Wait until one more part may be sent. Raises what an earlier one failed with."""
        if self._number >= MAX_PARTS:
            raise StoreUnavailable(f"blob {self._blob.hex()} needs more than {MAX_PARTS} parts")
        if not self._upload:
            # In a task, so that a cancelled caller does not leave an upload that nobody knows.
            self._blob = as_multipart(self._blob)
            self._starting = self._starting or asyncio.create_task(self._start())
            self._upload = await asyncio.shield(self._starting)
        while len(self._sending) >= IN_FLIGHT:
            await asyncio.wait(self._sending, return_when=asyncio.FIRST_COMPLETED)
        self._check()

    async def _start(self) -> str:
        headers = dict(self._metadata)
        if self._client.location.checksums:
            headers["x-amz-checksum-algorithm"] = "CRC32C"
        reply = await self._client.call("POST", self._key, query={"uploads": ""}, headers=headers)
        upload = parse(reply.body).value("UploadId")
        if not upload:
            raise StoreUnavailable(f"{self._client.location} began an upload without an id")
        return upload

    def _spawn(self, work: Coroutine[Any, Any, None], size: int = 0) -> None:
        """Run `work`, which sends `size` bytes that are held in memory."""

        def done(task: asyncio.Task[None]) -> None:
            self._sending.discard(task)
            self._memory.sent(size)
            if not task.cancelled():
                self._failure = self._failure or task.exception()

        task = asyncio.create_task(work)
        self._sending.add(task)
        task.add_done_callback(done)

    # --- copying ----------------------------------------------------------------------------

    async def copy(self, blob: bytes, offset: int, length: int) -> None:
        self._check()
        if length < PART:
            await self._stream(blob, offset, length)
            return
        source = key_of(self._client.location.prefix, blob)
        if len(blob) != ID_SIZE:
            raise BlobMissing(blob.hex(), "not an id of this store")
        if (await head(self._client, blob, source)).size < offset + length:
            raise BlobMissing(blob.hex(), "truncated")
        if self._share.collected:
            # A part before the last has to be whole, so a little of the source is read.
            first = max(0, PART - self._share.collected)
            await self._stream(blob, offset, first)
            offset, length = offset + first, length - first
            if length < PART:
                await self._stream(blob, offset, length)
                return
            await self._send_collected()
        count = -(-length // MAX_PART)
        for number in range(count):
            begin, end = length * number // count, length * (number + 1) // count
            await self._slot()
            self._number += 1
            self._spawn(self._copy_part(self._number, blob, source, offset + begin, offset + end))
            self._size += end - begin

    async def _stream(self, blob: bytes, offset: int, length: int) -> None:
        if length <= 0:
            return
        body = await self._open_source(blob, offset, length)
        try:
            while piece := await body.read(STEP):
                await self._collect(piece)
        finally:
            body.close()

    async def _copy_part(self, number: int, blob: bytes, source: str, begin: int, end: int) -> None:
        headers = {
            "x-amz-copy-source": self._client.location.copy_source(source),
            "x-amz-copy-source-range": f"bytes={begin}-{end - 1}",
        }
        query = {"partNumber": str(number), "uploadId": self._upload}
        try:
            reply = await self._client.call(
                "PUT", self._key, query=query, headers=headers, seconds=COPY_SECONDS
            )
        except S3Refusal as refusal:
            raise missing(blob, refusal) from None
        result = parse(reply.body)
        self._parts[number] = Part(number, result.value("ETag"), result.value("ChecksumCRC32C"))

    # --- the end ----------------------------------------------------------------------------

    async def seal(self) -> bytes:
        self._check()
        if self._trailer:
            trailer, self._trailer = self._trailer, b""
            await self._collect(trailer)
        if self._in_parts:
            await self._complete()
        else:
            await self._put()
        # Only now: a cancelled caller never learns the id, and aborts.
        self._sealed = self._ended = True
        self._writing.discard(self)
        return self._blob

    async def _put(self) -> None:
        pieces, size = self._take_collected()
        self._completing = True
        try:
            headers = self._metadata | self._checksum(pieces)
            await self._client.call("PUT", self._key, headers=headers, body=pieces)
        finally:
            self._memory.sent(size)

    async def _complete(self) -> None:
        if self._share.collected:
            await self._send_collected()
        while self._sending:
            await asyncio.wait(self._sending)
        self._check()
        if time.monotonic() - self._started > LONGEST:
            raise StoreUnavailable(f"blob {self._blob.hex()} took over {LONGEST:.0f} seconds")
        body = complete_document(self._parts[number] for number in sorted(self._parts))
        self._completing = True
        try:
            await self._client.call(
                "POST",
                self._key,
                query={"uploadId": self._upload},
                body=[body],
                seconds=COMPLETE_SECONDS,
            )
        except S3Refusal as refusal:
            if refusal.code != "NoSuchUpload":
                raise
            # An earlier attempt whose answer was lost may have done it: the object tells.
            try:
                await head(self._client, self._blob, self._key)
            except BlobMissing:
                raise refusal from None

    async def abort(self) -> None:
        if self._sealed:
            return
        self._ended = True
        # Shielded, because what is half done in the bucket has to be undone to the end.
        self._undoing = self._undoing or asyncio.create_task(self._undo())
        await asyncio.shield(self._undoing)

    async def _undo(self) -> None:
        self._writing.discard(self)
        self._pieces = []
        self._share.drop()
        await self.stop()
        with contextlib.suppress(StoreError):
            if self._in_parts:
                await abort_uploads(self._client, self._key, attempts=1)
            if self._completing:
                await self._client.call("DELETE", self._key, attempts=1)

    async def stop(self) -> None:
        """End what runs in the background, without a word to the server."""
        tasks: set[asyncio.Task[Any]] = set(self._sending)
        for task in tasks:
            task.cancel()
        if self._starting is not None:
            tasks.add(self._starting)
        await asyncio.gather(*tasks, return_exceptions=True)
