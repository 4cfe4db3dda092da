"""The table of native errors, without a server."""

import json
import re

import pytest

from aisle.api.base import Context
from aisle.api.native.errors import TABLE, NoSuchCall, tell
from aisle.core import errors as e
from aisle.core.http import RequestHead
from tests.auth.signing import someone

# How AIStore's SDK finds a bucket or object in the text of an error (aistore 2.0.0, sdk/utils.py).
URL = re.compile(
    r"(ais|aws|gcp|azure|oci|s3|gs|az)://([A-Za-z0-9_.@#-]{1,64})(?:(/)|(?![A-Za-z0-9]))"
)


class NoBody:
    count = 0

    async def read(self) -> bytes:
        return b""


def context(method: str = "GET", query: bytes = b"") -> Context:
    return Context(RequestHead(method, b"/v1/objects/b/k", query, {}), NoBody(), "1")


def all_errors() -> list[type[e.AisleError]]:
    found, left = [], [e.AisleError]
    while left:
        kind = left.pop()
        found.append(kind)
        left += kind.__subclasses__()
    return found


def test_every_error_has_a_row_of_its_own_or_of_a_class_above() -> None:
    for kind in all_errors():
        assert any(above in TABLE for above in kind.__mro__)


@pytest.mark.parametrize(
    ("error", "status", "found"),
    [
        (e.BucketNotFound("b"), 404, ("aws", "b", None)),
        (e.BucketExists("b", owned=True), 409, ("aws", "b", None)),
        (e.ObjectNotFound("b", "k/l"), 404, ("aws", "b", "/")),
    ],
)
def test_the_sdk_finds_the_name_first(
    error: e.AisleError, status: int, found: tuple[str, str, str | None]
) -> None:
    reply = tell(context(query=b"provider=s3"), error)
    assert reply.status == status
    assert isinstance(reply.body, bytes)
    match = URL.search(reply.body.decode())
    assert match is not None
    assert match.groups() == found


def test_a_known_caller_who_may_not_is_told_otherwise_than_an_unknown_one() -> None:
    ctx = context()
    assert tell(ctx, e.AccessDenied("no")).status == 401
    ctx.principal = someone("alice")
    assert tell(ctx, e.AccessDenied("no")).status == 403


def test_a_bug_is_told_by_its_request_id_alone() -> None:
    class Odd(e.AisleError):
        pass

    reply = tell(context(), Odd("secret detail"))
    assert reply.status == 500
    assert isinstance(reply.body, bytes)
    assert b"secret" not in reply.body
    assert "request id 1" in json.loads(reply.body)["message"]


def test_a_head_reply_has_the_error_in_a_header_that_nothing_can_break() -> None:
    reply = tell(context("HEAD"), e.ObjectNotFound("b", "é\r\nx: y\x7f\udcff"))
    assert reply.body == b""
    value = dict(reply.headers)[b"hdr-error"]
    assert all(0x20 <= byte < 0x7F for byte in value)
    assert "é\r\nx: y" in json.loads(value)["message"]


def test_allow_comes_with_405_only() -> None:
    assert tell(context(), NoSuchCall("x")).status == 404
    assert tell(context(), NoSuchCall("x", allow=("GET",))).status == 405
