"""Bodies on their way to S3: in one piece, or in parts, a few at a time.

* The parts are those that the client uploaded, so that the ETag comes out the same, if S3 allows
  them (5 MiB each but the last); else parts of the configured size, of which there are 10,000 at
  most. Nothing is held of a part but the piece that is being sent.
* What is sent is told to the server in a form that it checks: Content-MD5 where the MD5 of the
  whole is known; a CRC32C over connections that are not encrypted; TLS sees to the rest.
* An upload that fails is given up, unless nobody knows whether it was completed.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Final, NamedTuple

from aisle.backend.aws.addresses import encode_key, encode_query
from aisle.backend.aws.options import LARGEST, SMALLEST_PART
from aisle.backend.aws.replies import (
    AIS_TYPE,
    AIS_VALUE,
    META,
    read_document,
    unquoted,
)
from aisle.backend.aws.service import Call, Service
from aisle.backend.base import Outgoing
from aisle.core.checksums import ALGORITHMS, to_base64
from aisle.core.errors import RemoteBroken, RemoteError, RemoteRefused, RemoteUnknown
from aisle.core.http import field_value
from aisle.outgoing.request import Body, Reply, whole
from aisle.outgoing.s3 import Part, complete_document

AT_ONCE: Final = 4
MOST_PARTS: Final = 10_000
# How long the server may take to put an upload together; Amazon says minutes.
COMPLETE_SECONDS: Final = 300.0
_CRC32C: Final = ALGORITHMS["CRC32C"]


class Stretch(NamedTuple):
    """A part of the body, to be sent."""

    number: int
    start: int
    size: int


def plan(size: int, parts: Sequence[int], part: int) -> list[Stretch]:
    """The parts that a body of `size` bytes is sent in; none if it goes in one piece. `part` is
    their size where nothing asks for another, 0 to send no parts at all."""
    if not part and size <= LARGEST:
        return []
    sizes = list(parts)
    kept = (
        0 < len(sizes) <= MOST_PARTS
        and sum(sizes) == size
        and all(SMALLEST_PART <= own <= LARGEST for own in sizes[:-1])
        and 0 < sizes[-1] <= LARGEST
    )
    if not kept:
        if part and size <= part:
            return []
        step = max(part or SMALLEST_PART, -(-size // MOST_PARTS))
        sizes = [min(step, size - start) for start in range(0, size, step)]
    starts = [0]
    for own in sizes[:-1]:
        starts.append(starts[-1] + own)
    return [
        Stretch(n + 1, start, own) for n, (start, own) in enumerate(zip(starts, sizes, strict=True))
    ]


class Uploader:
    """Puts bodies into the bucket of `service`."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._plain = service.options.endpoint.startswith("http://")
        self._leftovers: set[asyncio.Task[None]] = set()

    async def put(self, key: str, body: Outgoing) -> Reply:
        """Store the body; the reply that made it visible, which has the ETag and the version."""
        parts = plan(body.size, body.parts, self._service.options.part)
        if not parts:
            return await self._put_whole(key, body)
        upload = await self._begin(key, body)
        try:
            if body.started is not None:
                await body.started(upload)
            sent = await self._send_parts(key, upload, body, parts)
            return await self._complete(key, upload, body, sent)
        except RemoteUnknown:
            raise
        except BaseException:
            self._drop_later(key, upload)
            raise

    async def give_up(self, key: str, upload: str) -> None:
        await self._service.call(
            Call(
                "DELETE",
                "AbortMultipartUpload",
                encode_key(key),
                key,
                encode_query(uploadId=upload),
                good=frozenset({404}),
            )
        )

    async def close(self) -> None:
        """Wait for uploads that are being given up."""
        while self._leftovers:
            await asyncio.wait(set(self._leftovers))

    # --- in one piece -----------------------------------------------------------------------

    async def _put_whole(self, key: str, body: Outgoing) -> Reply:
        headers = {**_described(body), **_conditions(body)}
        if body.md5:
            headers["content-md5"] = base64.b64encode(bytes.fromhex(body.md5)).decode()
        elif self._plain:
            headers[_CRC32C.header] = await _crc32c(body, 0, body.size)
        return await self._service.call(
            Call(
                "PUT",
                "PutObject",
                encode_key(key),
                key,
                headers=headers,
                body=Body(body.size, partial(_pour, self._service.name, body, 0, body.size)),
                conditional=_condition(body),
            )
        )

    # --- in parts ---------------------------------------------------------------------------

    async def _begin(self, key: str, body: Outgoing) -> str:
        headers = _described(body)
        if body.md5:
            # The ETag will not be the MD5; this is where AIStore looks for it.
            headers |= {META + AIS_TYPE: "md5", META + AIS_VALUE: body.md5}
        if self._plain:
            headers["x-amz-checksum-algorithm"] = _CRC32C.name
        call = Call("POST", "CreateMultipartUpload", encode_key(key), key, "uploads=", headers)
        reply = await self._service.call(call)
        root = read_document(
            self._service.name,
            reply.body,
            "InitiateMultipartUploadResult",
            "InitiateMptUploadResult",
        )
        upload = root.value("UploadId")
        if not upload:
            raise RemoteRefused(self._service.name, "an upload has no id", status=502)
        return upload

    async def _send_parts(
        self, key: str, upload: str, body: Outgoing, parts: Sequence[Stretch]
    ) -> list[Part]:
        waiting = iter(parts)
        sent: list[Part] = []

        async def work() -> None:
            sent.extend([await self._send_part(key, upload, body, part) for part in waiting])

        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(min(AT_ONCE, len(parts))):
                    group.create_task(work())
        except BaseExceptionGroup as errors:
            raise errors.exceptions[0] from None
        return sorted(sent)

    async def _send_part(self, key: str, upload: str, body: Outgoing, part: Stretch) -> Part:
        headers = {}
        if self._plain:
            headers[_CRC32C.header] = await _crc32c(body, part.start, part.size)
        open_ = partial(_pour, self._service.name, body, part.start, part.size)
        reply = await self._service.call(
            Call(
                "PUT",
                "UploadPart",
                encode_key(key),
                key,
                encode_query(partNumber=str(part.number), uploadId=upload),
                headers,
                Body(part.size, open_),
            )
        )
        etag = reply.headers.get("etag", "")
        if not unquoted(etag):
            raise RemoteRefused(self._service.name, "a part has no ETag", status=502)
        # A server that does not know the checksum has not kept it, and wants not to be told.
        crc32c = headers.get(_CRC32C.header, "") if _CRC32C.header in reply.headers else ""
        return Part(part.number, etag, crc32c)

    async def _complete(self, key: str, upload: str, body: Outgoing, sent: Sequence[Part]) -> Reply:
        document = complete_document(sent)
        call = Call(
            "POST",
            "CompleteMultipartUpload",
            encode_key(key),
            key,
            encode_query(uploadId=upload),
            {"content-type": "application/xml", **_conditions(body)},
            whole(document),
            sha256=hashlib.sha256(document).hexdigest(),
            conditional=_condition(body),
        )
        name = self._service.name
        try:
            reply = await self._service.call(call, seconds=COMPLETE_SECONDS)
        except RemoteRefused as refused:
            if refused.code != "NoSuchUpload":
                raise
            return await self._completed(key, sent)
        try:
            root = read_document(
                name, reply.body, "CompleteMultipartUploadResult", "CompleteMptUploadResult"
            )
        except RemoteRefused:
            return await self._completed(key, sent)
        etag = root.value("ETag")
        return reply._replace(headers={**reply.headers, "etag": etag}) if etag else reply

    async def _completed(self, key: str, sent: Sequence[Part]) -> Reply:
        """What becomes of an upload that was there a moment ago and is no more: an answer has got
        lost, or cannot be read, and the object tells what it said."""
        name = self._service.name
        with suppress(RemoteError):
            reply = await self._service.call(Call("HEAD", "HeadObject", encode_key(key), key))
            if unquoted(reply.headers.get("etag", "")) == parts_etag(sent):
                return reply
        raise RemoteUnknown(name, "an upload in parts may have been completed")

    def _drop_later(self, key: str, upload: str) -> None:
        """Give an upload up, whatever becomes of who asked for it."""

        async def drop() -> None:
            try:
                await self.give_up(key, upload)
            except RemoteError:
                return  # whoever was told of the upload will try again

        task = asyncio.create_task(drop())
        self._leftovers.add(task)
        task.add_done_callback(self._leftovers.discard)


def parts_etag(parts: Sequence[Part]) -> str:
    """The ETag of an object of these parts; `""` if theirs are no MD5s."""
    try:
        digests = b"".join([bytes.fromhex(unquoted(part.etag)) for part in parts])
    except ValueError:
        return ""
    return f"{hashlib.md5(digests, usedforsecurity=False).hexdigest()}-{len(parts)}"


def _described(body: Outgoing) -> dict[str, str]:
    headers = {**body.headers, **body.encryption}
    headers |= {META + name: field_value(value).decode() for name, value in body.meta.items()}
    if body.storage_class not in ("", "STANDARD"):
        headers["x-amz-storage-class"] = body.storage_class
    return headers


def _conditions(body: Outgoing) -> Mapping[str, str]:
    if body.if_none_match:
        return {"if-none-match": "*"}
    return {"if-match": f'"{body.if_match}"'} if body.if_match else {}


def _condition(body: Outgoing) -> str:
    if body.if_none_match:
        return "If-None-Match"
    return "If-Match" if body.if_match else ""


async def _pour(name: str, body: Outgoing, start: int, size: int) -> AsyncIterator[bytes]:
    """A stretch of the body, of exactly that many bytes. Raises `RemoteBroken`."""
    left = size
    async for piece in body.open(start, size):
        left -= len(piece)
        if left < 0:
            break
        yield piece
    if left:
        raise RemoteBroken(name, "the body to be stored is not as long as it was said to be")


async def _crc32c(body: Outgoing, start: int, size: int) -> str:
    """The checksum of a stretch, as headers have it: one more reading, at memory speed."""
    hasher = _CRC32C.new()
    async for piece in body.open(start, size):
        hasher.update(piece)
    return to_base64(hasher.digest())
