"""A native PUT's body as the namespace takes it in, held to what the client announced.

The claims are its length, the SHA-256 of its signature, and `Ais-Checksum-Type` and `-Value`
(without `claims` these are of something else than the body).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from aisle.api.base import Context
from aisle.auth.payload import PayloadKind
from aisle.core.checksums import AIS_TYPES
from aisle.core.errors import (
    DigestMismatch,
    EntityTooLarge,
    IncompleteBody,
    InvalidArgument,
    NotSupported,
)
from aisle.namespace.bodies import DIGEST_OF

MAX_BODY: Final = 5 << 40  # the largest object, S3's limit


class NativeIncoming:
    """An `Incoming` of the namespace; `algorithms` are the digests that `verify` needs."""

    def __init__(self, ctx: Context, *, claims: bool = True) -> None:
        self._body = ctx.body
        self._payload = ctx.known_payload
        if self._payload.kind is PayloadKind.CHUNKED:
            raise NotSupported("aws-chunked bodies belong to the S3 API")
        self.size = _announced(ctx)
        self._claimed = claimed_digest(ctx) if claims else {}
        wanted = set(self._claimed)
        if self._payload.kind is PayloadKind.DIGEST:
            wanted.add("SHA256")
        self.algorithms = frozenset(wanted)

    async def read(self) -> bytes:
        return await self._body.read()

    def verify(self, digests: Mapping[str, bytes], size: int) -> None:
        if self.size is not None and size != self.size:
            raise IncompleteBody(f"{size} bytes came, {self.size} were announced")
        if size > MAX_BODY:
            raise EntityTooLarge(size, MAX_BODY)
        claims = {name: value.hex() for name, value in self._claimed.items()}
        if self._payload.kind is PayloadKind.DIGEST:
            _compare("x-amz-content-sha256", self._payload.sha256, digests["SHA256"].hex())
        for name, value in claims.items():
            _compare(name, value, digests[name].hex())


def _compare(name: str, expected: str, computed: str) -> None:
    if expected != computed:
        raise DigestMismatch(name, expected=expected, computed=computed)


def _announced(ctx: Context) -> int | None:
    text = ctx.head.header("content-length")
    if not text:
        return None if "transfer-encoding" in ctx.head.headers else 0
    if not (text.isascii() and text.isdigit() and len(text) < 20):
        raise InvalidArgument("the content length is not a number", name="Content-Length")
    size = int(text)
    if size > MAX_BODY:
        raise EntityTooLarge(size, MAX_BODY)
    return size


def claimed_digest(ctx: Context) -> dict[str, bytes]:
    """The digest that the client sent in its headers, by the name of its algorithm."""
    kind, value = ctx.head.header("ais-checksum-type"), ctx.head.header("ais-checksum-value")
    if not value or kind == "none":
        return {}
    if kind not in AIS_TYPES:
        raise InvalidArgument(f'checksum type "{kind}" is not known', name="Ais-Checksum-Type")
    return {DIGEST_OF[kind]: AIS_TYPES[kind].parse(value.lower())}
