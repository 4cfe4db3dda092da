"""Range reads, for GET and HEAD: RFC 9110 section 14 as S3 applies it.

S3 answers one range; a request for several, or one it cannot read, gets the whole object.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from tests.conftest import empty_and_remove
from tests.harness import Node
from tests.wire.support import expect_error, get, object_target, pattern, put_parts, read

SMALL, LARGE = pattern(1000), pattern(3_000_000)
BODIES = [pattern(400, 1), pattern(600, 2)]
OBJECTS = {"small": SMALL, "large": LARGE, "multi": b"".join(BODIES)}


@pytest.fixture(scope="module")
def shelf(s3: Any) -> Iterator[str]:
    """A bucket with an inline object, one in a file, a multipart and an empty one."""
    name = f"ranges-{uuid.uuid4().hex[:12]}"
    s3.create_bucket(Bucket=name)
    s3.put_object(Bucket=name, Key="small", Body=SMALL)
    s3.put_object(Bucket=name, Key="large", Body=LARGE)
    s3.put_object(Bucket=name, Key="empty", Body=b"")
    put_parts(s3, name, "multi", BODIES)
    yield name
    empty_and_remove(s3, name)


@pytest.mark.parametrize("key", ["small", "large", "multi"])
@pytest.mark.parametrize(
    ("asked", "first", "last"),
    [
        ("bytes=0-0", 0, 0),
        ("bytes=0-99", 0, 99),
        ("bytes=399-400", 399, 400),
        ("bytes=500-", 500, None),
        ("bytes=-1", -1, None),
        ("bytes=-250", -250, None),
        ("bytes=0-", 0, None),
        ("bytes=900-999999999", 900, None),
        ("bytes=0-99999999999999999999", 0, None),
        ("bytes=-99999999", 0, None),
        ("BYTES=0-9", 0, 9),
    ],
)
def test_a_range_within_the_object_is_206(
    node: Node, shelf: str, key: str, asked: str, first: int, last: int | None
) -> None:
    data = OBJECTS[key]
    size = len(data)
    start = first if first >= 0 else size + first
    end = size - 1 if last is None else last
    for method in ("GET", "HEAD"):
        reply = node.send(method, object_target(shelf, key), headers={"Range": asked})
        assert reply.status == 206
        assert reply.headers["content-range"] == f"bytes {start}-{end}/{size}"
        assert reply.headers["content-length"] == str(end - start + 1)
        assert reply.headers["accept-ranges"] == "bytes"
        assert reply.headers["etag"]
        assert reply.body == (data[start : end + 1] if method == "GET" else b"")


@pytest.mark.parametrize("key", ["small", "large", "multi"])
@pytest.mark.parametrize(
    "asked", ["bytes={size}-", "bytes={size}-{size}", "bytes=99999999-", "bytes=-0"]
)
def test_a_range_outside_of_the_object_is_416(node: Node, shelf: str, key: str, asked: str) -> None:
    size = len(OBJECTS[key])
    asked = asked.format(size=size)
    reply = get(node, shelf, key, Range=asked)
    expect_error(reply, 416, "InvalidRange")
    assert reply.headers["content-range"] == f"bytes */{size}"
    assert reply.xml.findtext("ActualObjectSize") == str(size)
    assert reply.xml.findtext("RangeRequested") == asked
    head = node.send("HEAD", object_target(shelf, key), headers={"Range": asked})
    assert (head.status, head.body) == (416, b"")


@pytest.mark.parametrize("asked", ["bytes=0-", "bytes=0-0", "bytes=-1", "bytes=5-9"])
def test_no_range_of_an_empty_object_can_be_satisfied(node: Node, shelf: str, asked: str) -> None:
    expect_error(get(node, shelf, "empty", Range=asked), 416, "InvalidRange")


@pytest.mark.parametrize(
    "asked",
    [
        "bytes=0-1,5-6",
        "bytes=5-2",
        "bytes=a-b",
        "bytes=",
        "bytes=-",
        "bytes=1",
        "items=0-5",
        "0-5",
        "bytes=0x1-5",
        "bytes=+1-5",
    ],
)
def test_a_range_that_s3_does_not_read_gives_the_whole_object(
    node: Node, shelf: str, asked: str
) -> None:
    reply = get(node, shelf, "small", Range=asked)
    assert (reply.status, reply.body) == (200, SMALL)
    assert "content-range" not in reply.headers


def test_a_range_counts_only_while_if_range_holds(node: Node, shelf: str) -> None:
    """RFC 9110, 13.1.5: of an object that is another one by now, all of it is sent."""
    told = get(node, shelf, "small").headers
    etag, written = told["etag"], told["last-modified"]
    for method in ("GET", "HEAD"):
        for holds in (etag, written):
            asked = {"Range": "bytes=5-9", "If-Range": holds}
            reply = node.send(method, object_target(shelf, "small"), headers=asked)
            assert (reply.status, reply.headers["content-length"]) == (206, "5")
        for fails in ('"other"', f"W/{etag}", "Fri, 01 Jan 2038 00:00:00 GMT", "nonsense"):
            asked = {"Range": "bytes=5-9", "If-Range": fails}
            reply = node.send(method, object_target(shelf, "small"), headers=asked)
            assert (reply.status, reply.headers["content-length"]) == (200, str(len(SMALL)))
            assert "content-range" not in reply.headers
            assert reply.body == (SMALL if method == "GET" else b"")
        asked = {"Range": f"bytes={len(SMALL)}-", "If-Range": '"other"'}
        assert node.send(method, object_target(shelf, "small"), headers=asked).status == 200


def test_a_default_client_reads_a_range_of_an_object_with_a_checksum(
    node: Node, s3: Any, shelf: str
) -> None:
    """boto3 asks for checksums on every read; one of the whole would not fit a slice."""
    assert read(s3, shelf, "small", Range="bytes=10-19") == SMALL[10:20]
    reply = get(node, shelf, "small", Range="bytes=10-19", x_amz_checksum_mode="ENABLED")
    assert not [name for name in reply.headers if name.startswith("x-amz-checksum-crc")]


def test_slices_join_to_the_whole(s3: Any, shelf: str) -> None:
    step = 777_777
    slices = [
        read(s3, shelf, "large", Range=f"bytes={start}-{start + step - 1}")
        for start in range(0, len(LARGE), step)
    ]
    assert b"".join(slices) == LARGE
