"""aws-chunked bodies, framed by hand so that every byte can be wrong on purpose.

https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming.html and
https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming-trailers.html
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from tests.harness import Node, Reply, Signed, sign

SIGNED = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
SIGNED_TRAILER = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"
UNSIGNED_TRAILER = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
MODES = (SIGNED, SIGNED_TRAILER, UNSIGNED_TRAILER)

EMPTY = hashlib.sha256(b"").hexdigest()


def cut(data: bytes, size: int) -> list[bytes]:
    """Chunks of `size` bytes and the rest."""
    return [data[start : start + size] for start in range(0, len(data), size)]


class Chain:
    """The chunk signatures of one request, each made over the one before."""

    def __init__(self, signed: Signed) -> None:
        self._signed = signed
        self.previous = signed.signature

    def _next(self, kind: str, *hashes: str) -> str:
        lines = [kind, self._signed.timestamp, self._signed.scope, self.previous, *hashes]
        self.previous = self._signed.chain("\n".join(lines))
        return self.previous

    def chunk(self, data: bytes) -> str:
        return self._next("AWS4-HMAC-SHA256-PAYLOAD", EMPTY, hashlib.sha256(data).hexdigest())

    def trailer(self, lines: bytes) -> str:
        return self._next("AWS4-HMAC-SHA256-TRAILER", hashlib.sha256(lines).hexdigest())


def frame(
    mode: str, chunks: Sequence[bytes], signed: Signed, trailers: Mapping[str, str] | None = None
) -> bytes:
    """The body as it goes over the wire. `trailers` end the two modes that have them."""
    chain = Chain(signed)
    out = b""
    for chunk in [*chunks, b""]:
        head = f"{len(chunk):x}"
        if mode != UNSIGNED_TRAILER:
            head += f";chunk-signature={chain.chunk(chunk)}"
        out += head.encode() + b"\r\n"
        if chunk:
            out += chunk + b"\r\n"
    if mode == SIGNED:
        return out + b"\r\n"
    lines = [f"{name}:{value}" for name, value in (trailers or {}).items()]
    out += b"".join(f"{line}\r\n".encode() for line in lines)
    if mode == SIGNED_TRAILER:
        signature = chain.trailer("".join(f"{line}\n" for line in lines).encode())
        out += f"x-amz-trailer-signature:{signature}\r\n".encode()
    return out + b"\r\n"


@dataclass
class Upload:
    """One chunked PUT; fields left alone are what a right client would send."""

    mode: str
    data: bytes
    size: int = 65536
    trailers: dict[str, str] = field(default_factory=dict)
    announced: str | None = None  # x-amz-trailer
    decoded: str | None = None  # x-amz-decoded-content-length; "" leaves it out
    encoding: str = "aws-chunked"  # "" leaves it out
    headers: dict[str, str] = field(default_factory=dict)
    spoil: Callable[[bytes], bytes] = lambda body: body
    secret: str | None = None

    def send(self, node: Node, target: str) -> Reply:
        headers = dict(self.headers)
        if self.encoding:
            headers["Content-Encoding"] = self.encoding
        decoded = str(len(self.data)) if self.decoded is None else self.decoded
        if decoded:
            headers["x-amz-decoded-content-length"] = decoded
        announced = ",".join(self.trailers) if self.announced is None else self.announced
        if announced:
            headers["x-amz-trailer"] = announced
        key = {"secret_key": self.secret} if self.secret else {}
        signed = sign("PUT", target, host=node.host, headers=headers, payload=self.mode, **key)
        body = self.spoil(frame(self.mode, cut(self.data, self.size), signed, self.trailers))
        return node.send("PUT", target, headers=signed.headers, body=body, signed=False)
