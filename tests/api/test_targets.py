"""Which bucket and key a request is for, and where a copy comes from; nothing is normalised."""

from __future__ import annotations

import pytest

from aisle.api.base import Context
from aisle.api.s3.common import part_number
from aisle.api.s3.copies import parse_source
from aisle.api.s3.dialect import split_target
from aisle.core.errors import InvalidArgument
from aisle.core.http import RequestHead
from tests.api.test_errors import Body

DOMAINS = ("localhost", "s3.example.org", "box/s3")


@pytest.mark.parametrize(
    ("host", "path", "bucket", "key"),
    [
        # Path style, at the root and under the mount.
        ("localhost:8080", "/", "", ""),
        ("localhost:8080", "/bucket", "bucket", ""),
        ("localhost:8080", "/bucket/", "bucket", ""),
        ("localhost:8080", "/bucket/key", "bucket", "key"),
        ("localhost:8080", "/s3", "", ""),
        ("localhost:8080", "/s3/", "", ""),
        ("localhost:8080", "/s3/bucket", "bucket", ""),
        ("localhost:8080", "/s3/bucket/a/b", "bucket", "a/b"),
        ("localhost:8080", "/s3x/key", "s3x", "key"),
        ("", "/bucket/key", "bucket", "key"),
        ("192.168.0.1", "/bucket/key", "bucket", "key"),
        ("[::1]:8080", "/bucket/key", "bucket", "key"),
        ("elsewhere.org", "/bucket/key", "bucket", "key"),
        # A key is whatever follows: nothing is decoded, joined or dropped.
        ("localhost", "/bucket//", "bucket", "/"),
        ("localhost", "/bucket//a//b/", "bucket", "/a//b/"),
        ("localhost", "/bucket/./..", "bucket", "./.."),
        ("localhost", "/bucket/../../etc/passwd", "bucket", "../../etc/passwd"),
        ("localhost", "/bucket/%2e%2e%2F", "bucket", "%2e%2e%2F"),
        ("localhost", "/bucket%2Fkey", "bucket%2Fkey", ""),
        ("localhost", "/s3/s3/s3/x", "s3", "s3/x"),
        ("localhost", "//key", "", "key"),
        # Virtual-hosted: the whole path is the key.
        ("bucket.localhost:8080", "/", "bucket", ""),
        ("bucket.localhost:8080", "/key", "bucket", "key"),
        ("BUCKET.LocalHost:8080", "/Key", "bucket", "Key"),
        ("bucket.localhost", "/s3/key", "bucket", "s3/key"),
        ("bucket.localhost", "//key", "bucket", "/key"),
        ("my.dotted.bucket.s3.example.org", "/k", "my.dotted.bucket", "k"),
        ("s3.example.org", "/bucket/key", "bucket", "key"),
        ("notlocalhost", "/bucket/key", "bucket", "key"),
        # s3cmd's bucket host with a path: the mount is not part of the key.
        ("bucket.box", "/s3/key", "bucket", "key"),
        ("bucket.box", "/s3", "bucket", ""),
        ("bucket.box", "/key", "bucket", "key"),
    ],
)
def test_a_request_is_for(host: str, path: str, bucket: str, key: str) -> None:
    head = RequestHead("GET", path.encode(), b"", {"host": host} if host else {})
    assert split_target(head, DOMAINS) == (bucket, key)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("bucket/key", ("bucket", "key", "")),
        ("/bucket/key", ("bucket", "key", "")),
        ("/bucket/a/b/", ("bucket", "a/b/", "")),
        ("bucket/a%2Fb", ("bucket", "a/b", "")),
        ("bucket%2Fa%2Fb", ("bucket", "a/b", "")),
        ("bucket/a+b", ("bucket", "a b", "")),
        ("bucket%2Fa+b", ("bucket", "a b", "")),
        ("%2Fbucket%2F%2Fa", ("bucket", "/a", "")),
        ("bucket/a%2Bb%20c", ("bucket", "a+b c", "")),
        ("bucket/%C3%A9", ("bucket", "é", "")),
        ("bucket%2F%C3%A9", ("bucket", "é", "")),
        ("bucket/../other/key", ("bucket", "../other/key", "")),
        ("bucket/%2e%2e/other", ("bucket", "../other", "")),
        ("bucket//key", ("bucket", "/key", "")),
        ("bucket/key?versionId=v1", ("bucket", "key", "v1")),
        ("bucket/key%3FversionId=v1", ("bucket", "key?versionId=v1", "")),
        ("bucket/what?", ("bucket", "what?", "")),
        ("bucket/100%", ("bucket", "100%", "")),
    ],
)
def test_a_copy_comes_from(text: str, expected: tuple[str, str, str]) -> None:
    assert parse_source(text) == expected


@pytest.mark.parametrize("text", ["bucket", "bucket/", "/", "//key", "%2F%2Fkey", ""])
def test_a_copy_source_without_bucket_or_key_is_refused(text: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        parse_source(text)
    assert (caught.value.name, caught.value.value) == ("x-amz-copy-source", text)


@pytest.mark.parametrize("text", ["1", "10000", "0001"])
def test_a_part_number_is_read(text: str) -> None:
    assert part_number(_context(text)) == int(text)


@pytest.mark.parametrize(
    "text", ["", "0", "-1", "10001", "1.0", "x", "\u0661", "99999999999999999999", "00100001", "1 "]
)
def test_a_part_number_is_refused(text: str) -> None:
    with pytest.raises(InvalidArgument):
        part_number(_context(text))


def _context(number: str) -> Context:
    query = f"partNumber={number}&uploadId=x".encode().replace(b" ", b"%20")
    return Context(RequestHead("PUT", b"/b/k", query, {}), Body(), "R")
