"""How the head of a request guards its body: the values of x-amz-content-sha256.

Spec: "Authenticating Requests (AWS Signature Version 4)", S3 API reference.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final

from aisle.auth.chunked import ChunkSigner
from aisle.core.errors import InvalidArgument, InvalidRequest
from aisle.core.http import RequestHead
from aisle.core.sigv4 import UNSIGNED_PAYLOAD

HASH_HEADER: Final = "x-amz-content-sha256"
HASH_PARAM: Final = "X-Amz-Content-Sha256"


class PayloadKind(Enum):
    """How the body is guarded."""

    UNSIGNED = "unsigned"
    DIGEST = "digest"
    CHUNKED = "chunked"


@dataclass(frozen=True, slots=True)
class Payload:
    """What the head says of the body.

    UNSIGNED: the bytes are taken as they come. DIGEST: their SHA-256 must be `sha256` (lower-case
    hex). CHUNKED: they are to be decoded, with trailers if `trailer`, and each chunk is to be
    verified with `signer` unless that is `None`.
    """

    kind: PayloadKind
    sha256: str = ""
    trailer: bool = False
    signer: ChunkSigner | None = None


UNSIGNED: Final = Payload(PayloadKind.UNSIGNED)
# The chunked values: (are chunks signed, do trailers follow).
_CHUNKED: Final = {
    "STREAMING-AWS4-HMAC-SHA256-PAYLOAD": (True, False),
    "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER": (True, True),
    "STREAMING-UNSIGNED-PAYLOAD-TRAILER": (False, True),
}


def signs_chunks(claimed: str) -> bool:
    """Whether a value of x-amz-content-sha256 announces chunks with signatures."""
    return claimed in _CHUNKED and _CHUNKED[claimed][0]


def parse_payload(claimed: str, signer: ChunkSigner | None = None) -> Payload:
    """The meaning of a value of x-amz-content-sha256. Raises `InvalidArgument`."""
    if claimed == UNSIGNED_PAYLOAD:
        return UNSIGNED
    if claimed in _CHUNKED:
        return Payload(PayloadKind.CHUNKED, trailer=_CHUNKED[claimed][1], signer=signer)
    if len(claimed) != 64 or claimed.strip("0123456789abcdefABCDEF"):
        raise InvalidArgument(
            "x-amz-content-sha256 must be UNSIGNED-PAYLOAD, "
            f"{', '.join(_CHUNKED)} or a valid sha256 value.",
            name=HASH_HEADER,
            value=claimed,
        )
    return Payload(PayloadKind.DIGEST, sha256=claimed.lower())


def anonymous_payload(head: RequestHead) -> Payload:
    """The payload of a request without credentials where credentials are checked."""
    claimed = head.headers.get(HASH_HEADER, "")
    if signs_chunks(claimed):
        raise InvalidRequest("a body of signed chunks needs a signed request")
    return parse_payload(claimed) if claimed else UNSIGNED


def unchecked_payload(head: RequestHead) -> Payload:
    """The payload when authentication is off: a digest still counts, chunks are still decoded.

    Nothing is verified with a key, so the chunks' signatures are passed over.
    """
    claimed = head.headers.get(HASH_HEADER) or head.params.get(HASH_PARAM)
    return parse_payload(claimed) if claimed else UNSIGNED
