"""A request that was signed for the other host of a bucket is tried there."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import cast

import pytest

from aisle.api.s3.signedremote import SignedRemote
from aisle.backend.base import Backend, Forwarded, Outgoing, RawRequest, RemoteObject
from aisle.core.errors import RemoteDenied

ERROR = b"<Error><Code>%s</Code></Error>"


@dataclass
class Reply:
    """A reply with a body in one piece."""

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    size: int | None = None

    async def read(self) -> bytes:
        body, self.body = self.body, b""
        return body

    async def close(self) -> None:
        self.body = b""


class Amazon:
    """A bucket with two hosts, which accepts what was signed for the one without a region."""

    name, provider, region = "aws://b", "aws", "us-east-1"

    def __init__(self, code: bytes = b"SignatureDoesNotMatch") -> None:
        self.code = code
        self.seen: list[tuple[str, bytes]] = []

    async def forward(self, request: RawRequest) -> Forwarded:
        body = request.body
        assert not isinstance(body, bytes) or not body
        sent = b"" if isinstance(body, bytes) else b"".join([piece async for piece in body])
        self.seen.append((request.style, sent))
        if request.style.endswith("-global"):
            return Reply(200, b"data", {"etag": '"e"'})
        return Reply(403, ERROR % self.code)

    def other_style(self, style: str) -> str:
        return "" if style.endswith("-global") else f"{style}-global"

    def described(self, key: str, headers: Mapping[str, str]) -> RemoteObject:
        return RemoteObject(key, 4, headers["etag"].strip('"'))


def signed(amazon: Amazon) -> SignedRemote:
    return SignedRemote(cast("Backend", amazon), amazon, RawRequest("GET", style="path"))


def test_a_get_is_tried_at_the_other_host() -> None:
    async def check() -> None:
        amazon = Amazon()
        body = await signed(amazon).get("k")
        assert await body.read() == b"data"
        assert [style for style, _ in amazon.seen] == ["path", "path-global"]

    asyncio.run(check())


def test_a_put_is_sent_again_whole() -> None:
    async def pieces() -> AsyncIterator[bytes]:
        yield b"da"
        yield b"ta"

    async def check() -> None:
        amazon = Amazon()
        stored = await signed(amazon).put("k", Outgoing(4, lambda start, length: pieces()))
        assert stored.etag == "e"
        assert amazon.seen == [("path", b"data"), ("path-global", b"data")]

    asyncio.run(check())


def test_any_other_refusal_is_final() -> None:
    async def check() -> None:
        amazon = Amazon(code=b"AccessDenied")
        with pytest.raises(RemoteDenied):
            await signed(amazon).get("k")
        assert [style for style, _ in amazon.seen] == ["path"]

    asyncio.run(check())
