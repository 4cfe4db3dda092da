"""A request's body as S3 clients send and announce it: decoded, measured, compared.

One value collects every claim that a client makes of its body (length, SHA-256, Content-MD5, an
`x-amz-checksum-*` header or trailer) and holds the bytes to all of them. Nothing is stored here.
"""

from __future__ import annotations

import asyncio
import base64
from collections import deque
from collections.abc import Mapping
from typing import Final

from aisle.api.base import RequestBody
from aisle.api.s3.errors import S3Error
from aisle.auth.chunked import ChunkedDecoder
from aisle.auth.payload import Payload, PayloadKind
from aisle.core import checksums
from aisle.core.errors import DigestMismatch, IncompleteBody, InvalidArgument, InvalidRequest
from aisle.core.http import RequestHead

MAX_BODY: Final = 5 << 30  # of a single PUT or part (user guide, "Multipart upload limits")
_CHECKSUM: Final = "x-amz-checksum-"
# Beside the digests: what is said of them, which is for other operations.
_KNOWN_CHECKSUMS: Final = frozenset(
    {*checksums.BY_HEADER, *(f"{_CHECKSUM}{name}" for name in ("algorithm", "type", "mode"))}
)
# Signed chunks are hashed while they are decoded: from this size on in a thread.
_DECODE_INLINE: Final = 16 << 10


class S3Incoming:
    """The body of a PutObject or UploadPart: an `Incoming` of the namespace.

    `algorithms` are the digests that `verify` needs; `checksum` is the S3 algorithm whose value
    is to be kept with the object, "" if the client named none.
    """

    def __init__(self, head: RequestHead, payload: Payload, body: RequestBody) -> None:
        self._body = body
        self._payload = payload
        self._pieces: deque[bytes] = deque()
        self._decoder: ChunkedDecoder | None = None
        self._trailer = ""
        self._claimed = b""
        self.checksum = ""
        self._read_claims(head)
        self.size = self._announced_size(head)
        if self.size is not None and self.size > MAX_BODY:
            raise S3Error("EntityTooLarge", ProposedSize=self.size, MaxSizeAllowed=MAX_BODY)
        if payload.kind is PayloadKind.CHUNKED:
            self._decoder = ChunkedDecoder(
                decoded_length=self.size,
                signer=payload.signer,
                trailer=payload.trailer,
                announced_trailers=[self._trailer] if self._trailer else [],
            )
        wanted = {self.checksum} if self.checksum else set()
        if payload.kind is PayloadKind.DIGEST:
            wanted.add("SHA256")
        if self._md5:
            wanted.add("MD5")
        self.algorithms = frozenset(wanted)

    def _read_claims(self, head: RequestHead) -> None:
        self._md5 = content_md5(head)
        algorithm, value = checksum_header(head)
        trailer = head.header("x-amz-trailer").strip().lower()
        if trailer:
            row = checksums.BY_HEADER.get(trailer)
            if row is None or not self._payload.trailer:
                raise InvalidRequest(
                    "The value specified in the x-amz-trailer header is not supported"
                )
            if algorithm:
                raise InvalidRequest(
                    "Expecting a single x-amz-checksum- header. Multiple checksum Types are not"
                    " allowed."
                )
            algorithm, self._trailer = row.name, trailer
        self._claimed = value
        self.checksum = algorithm
        named = head.header("x-amz-sdk-checksum-algorithm").upper()
        if named:
            if named not in checksums.ALGORITHMS:
                raise InvalidRequest("Checksum algorithm provided is unsupported.")
            if not algorithm:
                raise InvalidRequest(
                    "x-amz-sdk-checksum-algorithm specified, but no corresponding"
                    " x-amz-checksum-* or x-amz-trailer headers were found."
                )
            if named != algorithm:
                raise InvalidRequest("Value for x-amz-sdk-checksum-algorithm header is invalid.")

    def _announced_size(self, head: RequestHead) -> int | None:
        if self._payload.kind is PayloadKind.CHUNKED:
            text = head.header("x-amz-decoded-content-length")
            if not text:
                raise S3Error("MissingContentLength")
        else:
            text = head.header("content-length")
            if not text:
                if "transfer-encoding" in head.headers:
                    return None
                raise S3Error("MissingContentLength")
        if not (text.isascii() and text.isdigit() and len(text) < 20):
            raise InvalidArgument("the content length is not a number", name="Content-Length")
        return int(text)

    async def read(self) -> bytes:
        """The next decoded piece, `b""` at the end."""
        while not self._pieces:
            raw = await self._body.read()
            if self._decoder is None:
                return raw
            if not raw:
                self._decoder.finish()
                return b""
            if self._payload.signer is not None and len(raw) > _DECODE_INLINE:
                loop = asyncio.get_running_loop()
                self._pieces.extend(await loop.run_in_executor(None, self._decoder.feed, raw))
            else:
                self._pieces.extend(self._decoder.feed(raw))
        return self._pieces.popleft()

    def verify(self, digests: Mapping[str, bytes], size: int) -> None:
        """Hold the body to everything that was said of it."""
        if self.size is not None and size != self.size:
            raise IncompleteBody(f"{size} bytes came, {self.size} were announced")
        if size > MAX_BODY:
            raise S3Error("EntityTooLarge", ProposedSize=size, MaxSizeAllowed=MAX_BODY)
        if self._payload.kind is PayloadKind.DIGEST:
            computed = digests["SHA256"].hex()
            if computed != self._payload.sha256:
                raise DigestMismatch(
                    "x-amz-content-sha256", expected=self._payload.sha256, computed=computed
                )
        if self._md5 and digests["MD5"] != self._md5:
            raise DigestMismatch(
                "Content-MD5",
                expected=base64.b64encode(self._md5).decode(),
                computed=base64.b64encode(digests["MD5"]).decode(),
            )
        if self.checksum:
            claimed = self._claimed
            if self._trailer and self._decoder is not None:
                text = self._decoder.trailers[self._trailer]
                claimed = parse_checksum(self.checksum, text)
            if digests[self.checksum] != claimed:
                raise DigestMismatch(
                    self.checksum,
                    expected=checksums.to_base64(claimed),
                    computed=checksums.to_base64(digests[self.checksum]),
                )


def content_md5(head: RequestHead) -> bytes:
    """The digest in Content-MD5, `b""` if there is none. Raises `InvalidDigest`."""
    text = head.headers.get("content-md5")
    if text is None:
        return b""
    try:
        return checksums.parse_base64(text.strip(), 16, name="Content-MD5")
    except InvalidArgument:
        raise S3Error("InvalidDigest", **{"Content-MD5": text}) from None


def checksum_header(head: RequestHead) -> tuple[str, bytes]:
    """The algorithm and digest of the one `x-amz-checksum-*` header, or `("", b"")`."""
    for header in head.headers:
        if header.startswith(_CHECKSUM) and header not in _KNOWN_CHECKSUMS:
            raise InvalidRequest(
                "The algorithm type you specified in x-amz-checksum- header is invalid."
            )
    if checksums.BY_HEADER.keys().isdisjoint(head.headers):
        return "", b""
    found = [
        (row.name, head.headers[header])
        for header, row in checksums.BY_HEADER.items()
        if header in head.headers
    ]
    if len(found) > 1:
        raise InvalidRequest(
            "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed."
        )
    name, text = found[0]
    return name, parse_checksum(name, text)


def parse_checksum(algorithm: str, text: str) -> bytes:
    row = checksums.ALGORITHMS[algorithm]
    try:
        return row.parse(text.strip())
    except InvalidArgument:
        raise InvalidRequest(f"Value for {row.header} header is invalid.") from None


async def read_document(
    head: RequestHead, payload: Payload, body: RequestBody, limit: int
) -> bytes:
    """A body that is an XML document, whole, held to its digests. Raises on more than `limit`."""
    incoming = S3Incoming(head, payload, body)
    if incoming.size is not None and incoming.size > limit:
        raise S3Error("MaxMessageLengthExceeded", MaxMessageLengthBytes=limit)
    pieces: list[bytes] = []
    size = 0
    while piece := await incoming.read():
        size += len(piece)
        if size > limit:
            raise S3Error("MaxMessageLengthExceeded", MaxMessageLengthBytes=limit)
        pieces.append(piece)
    data = b"".join(pieces)
    incoming.verify(
        {name: checksums.ALGORITHMS[name].compute(data) for name in incoming.algorithms}, size
    )
    return data
