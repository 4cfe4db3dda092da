"""The aws-chunked body as a state machine: bytes in, object bytes out, no I/O.

    chunk    = hex-size [";chunk-signature=" 64hex] CRLF  data CRLF
    last     = "0" [";chunk-signature=" 64hex] CRLF
    trailer  = name ":" value (CRLF | LF CRLF)            as many as were announced
    body     = *chunk last *trailer ["x-amz-trailer-signature:" 64hex CRLF] CRLF

Pieces are handed out as they arrive, before the signature of their chunk is known: a write has
one visible moment, and until `finish` has returned nothing may be committed. `feed` and `finish`
raise for anything that is not exactly this grammar, and after that the decoder stays failed.
Every turn of the loop consumes input, and only an unfinished line is kept, up to a limit: a
truncated or hostile body can neither loop nor grow. Signed chunks are hashed inside `feed`, so
call it where hashing does not hold up the event loop.

No lower bound is put on the size of a chunk (S3 asks for 8 KiB except in the last one): botocore
sends whatever a read returned.

Spec: "Signature Calculations: Transferring Payload in Multiple Chunks" and "... Including Trailing
Headers", S3 API reference.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Final

from aisle.core.errors import AisleError, IncompleteBody, InvalidRequest, SignatureMismatch
from aisle.core.sigv4 import EMPTY_SHA256, signature

TRAILER_SIGNATURE: Final = "x-amz-trailer-signature"
_HEADER_LIMIT: Final = 1024
_TRAILER_LIMIT: Final = 8192
_HEADER = re.compile(rb"([0-9A-Fa-f]{1,16})(?:;([^\r\n]*))?\r\n").fullmatch
_TRAILER = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]+):([^\r\n]*)\r?\n").fullmatch
_SIGNATURE_PREFIX: Final = b"chunk-signature="


@dataclass(frozen=True, slots=True)
class ChunkSigner:
    """What the chunks of one request are signed with; `seed` is the request's own signature."""

    access_key: str
    key: bytes = field(repr=False)
    timestamp: str
    scope: str
    seed: str

    def chunk(self, previous: str, digest: str) -> str:
        """The signature of a chunk whose SHA-256 is `digest` (hex)."""
        return signature(
            self.key,
            f"AWS4-HMAC-SHA256-PAYLOAD\n{self.timestamp}\n{self.scope}\n{previous}\n"
            f"{EMPTY_SHA256}\n{digest}",
        )

    def trailer(self, previous: str, digest: str) -> str:
        """The signature of the trailers, `name:value\\n` each, whose SHA-256 is `digest`."""
        return signature(
            self.key,
            f"AWS4-HMAC-SHA256-TRAILER\n{self.timestamp}\n{self.scope}\n{previous}\n{digest}",
        )


class _State(Enum):
    HEADER = auto()
    DATA = auto()
    DATA_END = auto()
    TRAILERS = auto()
    END = auto()
    DONE = auto()
    FAILED = auto()


_LINE_LIMIT: Final = {
    _State.HEADER: _HEADER_LIMIT,
    _State.DATA_END: 2,
    _State.TRAILERS: _TRAILER_LIMIT,
    _State.END: 2,
}


class ChunkedDecoder:
    """Decodes one body.

    `decoded_length` is x-amz-decoded-content-length, if sent. Without a `signer` signatures in
    the body are passed over (authentication is off, or the body is of the unsigned kind).
    `announced_trailers` are the names in x-amz-trailer: all of them must come, and no other.

    `feed` and `finish` raise `InvalidRequest` (not the grammar, wrong trailers),
    `IncompleteBody` (too short or too long) or `SignatureMismatch`.
    """

    def __init__(
        self,
        *,
        decoded_length: int | None,
        signer: ChunkSigner | None,
        trailer: bool,
        announced_trailers: Sequence[str] = (),
    ) -> None:
        self.trailers: dict[str, str] = {}
        self._announced = frozenset(name.strip().lower() for name in announced_trailers)
        self._length = decoded_length
        self._signer = signer
        self._trailer = trailer
        self._state = _State.HEADER
        self._line = bytearray()
        self._total = 0
        self._left = 0
        self._previous = signer.seed if signer else ""
        self._claimed = ""
        self._hash = hashlib.sha256()
        self._trailer_room = _TRAILER_LIMIT
        self._trailer_text = b""
        self._trailer_signature: str | None = None
        self._bare = False

    def feed(self, data: bytes) -> list[bytes]:
        """Decode the next bytes of the body; the pieces of the object in them, in order."""
        try:
            return self._feed(data)
        except AisleError:
            self._state = _State.FAILED
            raise

    def finish(self) -> None:
        """The body has ended: raise unless it is complete and of the announced size."""
        if self._state is not _State.DONE:
            raise IncompleteBody("the chunked body ended before its last chunk")
        if self._length is not None and self._total != self._length:
            raise IncompleteBody(
                f"the chunks hold {self._total} bytes, {self._length} were announced"
            )

    def _feed(self, data: bytes) -> list[bytes]:
        pieces: list[bytes] = []
        position = 0
        end = len(data)
        while position < end:
            if self._state is _State.DATA:
                stop = min(end, position + self._left)
                # A piece that is the whole input is passed on without a copy.
                piece = data if stop - position == end else data[position:stop]
                self._left -= stop - position
                position = stop
                pieces.append(piece)
                if self._signer:
                    self._hash.update(piece)
                if not self._left:
                    self._end_chunk()
                    self._state = _State.DATA_END
            elif self._state in _LINE_LIMIT:
                position = self._take_line(data, position)
            else:
                raise IncompleteBody("the body goes on after its last chunk")
        return pieces

    def _take_line(self, data: bytes, position: int) -> int:
        """Consume one line, or what there is of it; return the new position."""
        room = _LINE_LIMIT[self._state] - len(self._line)
        newline = data.find(b"\n", position, position + room)
        if newline < 0:
            if len(data) - position >= room:
                raise InvalidRequest("a line of the chunked body is too long")
            self._line += data[position:]
            return len(data)
        line = bytes(self._line) + data[position : newline + 1]
        self._line.clear()
        if self._state is _State.HEADER:
            self._begin_chunk(line)
        elif self._state is _State.TRAILERS:
            self._take_trailer(line)
        elif line != b"\r\n":
            raise InvalidRequest("a chunk is longer than its size says")
        else:
            self._state = _State.HEADER if self._state is _State.DATA_END else _State.DONE
        return newline + 1

    def _begin_chunk(self, line: bytes) -> None:
        match = _HEADER(line)
        if not match:
            raise InvalidRequest("a chunk of the body has a malformed header")
        size = int(match[1], 16)
        if self._signer:
            extension = match[2] or b""
            if not extension.startswith(_SIGNATURE_PREFIX):
                raise InvalidRequest("a chunk of a signed body has no signature")
            self._claimed = extension[len(_SIGNATURE_PREFIX) :].decode("latin-1")
            self._hash = hashlib.sha256()
        self._total += size
        if self._length is not None and self._total > self._length:
            raise IncompleteBody(
                f"the chunks hold {self._total} bytes or more, {self._length} were announced"
            )
        if size:
            self._left = size
            self._state = _State.DATA
        else:
            self._end_chunk()
            self._state = _State.TRAILERS if self._trailer else _State.END

    def _end_chunk(self) -> None:
        if self._signer:
            self._verify(self._signer.chunk(self._previous, self._hash.hexdigest()), self._claimed)
            self._previous = self._claimed

    def _take_trailer(self, line: bytes) -> None:
        # minio-go ends its trailers with LF CRLF and then goes on (cmd of its streaming reader);
        # so does the example in the specification. That CRLF belongs to the line before it.
        if line == b"\r\n" and self._bare:
            self._bare = False
            return
        if line == b"\r\n":
            self._end_trailers()
            self._state = _State.DONE
            return
        match = _TRAILER(line)
        self._trailer_room -= len(line)
        if not match or self._trailer_room < 0 or self._trailer_signature is not None:
            raise InvalidRequest("the trailers of the body are malformed")
        self._bare = not line.endswith(b"\r\n")
        name, value = match[1].decode("ascii").lower(), match[2].strip(b" \t")
        if name == TRAILER_SIGNATURE:
            self._trailer_signature = value.decode("latin-1")
            return
        if name not in self._announced or name in self.trailers:
            raise InvalidRequest(f"the trailer {name} was not announced in x-amz-trailer")
        self.trailers[name] = value.decode("latin-1")
        self._trailer_text += name.encode("ascii") + b":" + value + b"\n"

    def _end_trailers(self) -> None:
        missing = self._announced - self.trailers.keys()
        if missing:
            raise InvalidRequest(f"the trailer {min(missing)} was announced but not sent")
        if self._signer:
            if self._trailer_signature is None:
                raise InvalidRequest("the trailers of a signed body have no signature")
            digest = hashlib.sha256(self._trailer_text).hexdigest()
            self._verify(self._signer.trailer(self._previous, digest), self._trailer_signature)

    def _verify(self, computed: str, claimed: str) -> None:
        assert self._signer
        if not hmac.compare_digest(computed.encode("ascii"), claimed.encode("latin-1")):
            raise SignatureMismatch(self._signer.access_key, provided=claimed)
