"""Conditional reads and conditions on the source of a copy.

RFC 9110 section 13 with the two rules that S3's reference of GetObject spells out: a true
If-Match wins over a false If-Unmodified-Since (200), and a false If-None-Match over a true
If-Modified-Since (304).
"""

from __future__ import annotations

import datetime as dt
import email.utils
import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from tests.conftest import empty_and_remove
from tests.harness import Node
from tests.wire.support import etag_of, exists, expect_error, get, object_target

BODY = b"hello"
SAME, OTHER = etag_of(BODY), etag_of(b"other")

# What each condition may say of the object: that it holds, or that it does not.
MATCH = {"": None, "yes": SAME, "no": OTHER, "any": "*", "bare": SAME.strip('"')}
NONE_MATCH = {"": None, "yes": OTHER, "no": SAME, "any": "*"}
UNMODIFIED = {"": None, "yes": dt.timedelta(hours=1), "no": -dt.timedelta(hours=1)}
MODIFIED = {"": None, "yes": -dt.timedelta(hours=1), "no": dt.timedelta(0)}

TABLE = [
    # If-Match, If-Unmodified-Since, If-None-Match, If-Modified-Since, status of a read
    ("yes", "", "", "", 200),
    ("any", "", "", "", 200),
    ("bare", "", "", "", 200),
    ("no", "", "", "", 412),
    ("", "yes", "", "", 200),
    ("", "no", "", "", 412),
    ("yes", "yes", "", "", 200),
    ("yes", "no", "", "", 200),
    ("no", "yes", "", "", 412),
    ("no", "no", "", "", 412),
    ("", "", "yes", "", 200),
    ("", "", "no", "", 304),
    ("", "", "any", "", 304),
    ("", "", "", "yes", 200),
    ("", "", "", "no", 304),
    ("", "", "yes", "yes", 200),
    ("", "", "yes", "no", 200),
    ("", "", "no", "yes", 304),
    ("", "", "no", "no", 304),
    ("no", "", "no", "", 412),
    ("no", "", "", "no", 412),
    ("", "no", "no", "", 412),
    ("yes", "", "no", "", 304),
    ("yes", "", "yes", "", 200),
    ("yes", "", "", "no", 304),
    ("", "yes", "no", "", 304),
    ("yes", "no", "yes", "no", 200),
]


@pytest.fixture(scope="module")
def shelf(s3: Any) -> Iterator[tuple[str, dt.datetime]]:
    """A bucket with the object `k`, and when that was modified."""
    name = f"cond-{uuid.uuid4().hex[:12]}"
    s3.create_bucket(Bucket=name)
    s3.put_object(Bucket=name, Key="k", Body=BODY)
    yield name, s3.head_object(Bucket=name, Key="k")["LastModified"]
    empty_and_remove(s3, name)


def http_date(moment: dt.datetime) -> str:
    return email.utils.format_datetime(moment.astimezone(dt.UTC), usegmt=True)


def conditions(
    modified: dt.datetime, row: tuple[str, str, str, str, int], prefix: str = ""
) -> dict[str, str]:
    """The headers of one row of the table."""
    match, unmodified, none_match, modified_since, _ = row
    headers = {
        f"{prefix}If-Match": MATCH[match],
        f"{prefix}If-None-Match": NONE_MATCH[none_match],
    }
    for name, shift in (
        (f"{prefix}If-Unmodified-Since", UNMODIFIED[unmodified]),
        (f"{prefix}If-Modified-Since", MODIFIED[modified_since]),
    ):
        headers[name] = None if shift is None else http_date(modified + shift)
    return {name: value for name, value in headers.items() if value is not None}


@pytest.mark.parametrize("row", TABLE, ids=lambda row: "-".join(map(str, row)))
def test_reads_follow_the_table(
    node: Node, shelf: tuple[str, dt.datetime], row: tuple[str, str, str, str, int]
) -> None:
    bucket, modified = shelf
    headers = conditions(modified, row)
    status = row[-1]
    reply = node.send("GET", object_target(bucket, "k"), headers=headers)
    assert reply.status == status
    if status == 412:
        expect_error(reply, 412, "PreconditionFailed")
    else:
        assert reply.body == (BODY if status == 200 else b"")
        assert reply.headers["etag"] == SAME
        assert reply.headers["last-modified"] == http_date(modified)
    head = node.send("HEAD", object_target(bucket, "k"), headers=headers)
    assert (head.status, head.body) == (status, b"")


# A copy knows no "not modified": what is 304 for a read is 412 for the source of a copy. If-Match
# with If-None-Match together are not in S3's rules for copies, nor are wildcards or bare ETags.
COPY_TABLE = [
    row
    for row in TABLE
    if not (row[0] and row[2]) and row[0] not in ("any", "bare") and row[2] != "any"
]


@pytest.mark.parametrize("row", COPY_TABLE, ids=lambda row: "-".join(map(str, row)))
def test_copies_follow_the_table(
    node: Node, s3: Any, shelf: tuple[str, dt.datetime], row: tuple[str, str, str, str, int]
) -> None:
    bucket, modified = shelf
    headers = conditions(modified, row, prefix="x-amz-copy-source-")
    s3.delete_object(Bucket=bucket, Key="to")
    reply = node.send(
        "PUT",
        object_target(bucket, "to"),
        headers={"x-amz-copy-source": f"{bucket}/k", **headers},
    )
    if row[-1] == 200:
        assert reply.status == 200, reply.body
    else:
        expect_error(reply, 412, "PreconditionFailed")
    assert exists(s3, bucket, "to") == (row[-1] == 200)


@pytest.mark.parametrize(
    ("header", "value", "status"),
    [
        ("If-Match", f"{OTHER}, {SAME}", 200),
        ("If-Match", f"{OTHER},{OTHER}", 412),
        ("If-None-Match", f"{OTHER}, {SAME}", 304),
        ("If-None-Match", f"W/{SAME}", 304),  # weak comparison: RFC 9110 section 13.1.2
        ("If-Modified-Since", "yesterday", 200),  # no date: to be ignored, section 13.1.3
        ("If-Unmodified-Since", "tomorrow", 200),
    ],
)
def test_forms_of_one_condition(
    node: Node, shelf: tuple[str, dt.datetime], header: str, value: str, status: int
) -> None:
    reply = node.send("GET", object_target(shelf[0], "k"), headers={header: value})
    assert reply.status == status


@pytest.mark.parametrize("form", ["%A, %d-%b-%y %H:%M:%S GMT", "%a %b %e %H:%M:%S %Y"])
def test_the_two_old_forms_of_a_date_are_read(
    node: Node, shelf: tuple[str, dt.datetime], form: str
) -> None:
    """RFC 850 and asctime: RFC 9110 section 5.6.7."""
    bucket, modified = shelf
    date = modified.astimezone(dt.UTC).strftime(form)
    reply = node.send("GET", object_target(bucket, "k"), headers={"If-Modified-Since": date})
    assert reply.status == 304


@pytest.mark.parametrize("header", ["If-Match", "If-None-Match"])
def test_a_missing_key_is_404_whatever_the_condition(
    node: Node, shelf: tuple[str, dt.datetime], header: str
) -> None:
    reply = node.send("GET", object_target(shelf[0], "missing"), headers={header: SAME})
    expect_error(reply, 404, "NoSuchKey")


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_304_tells_how_long_a_copy_may_be_kept(
    node: Node, s3: Any, bucket: str, method: str
) -> None:
    """RFC 9110, 15.4.5: Cache-Control and Expires as a 200 would have them."""
    said = {"Cache-Control": "max-age=60", "Expires": "Thu, 01 Dec 2033 16:00:00 GMT"}
    node.send("PUT", object_target(bucket, "k"), headers=said, body=b"x")
    etag = s3.head_object(Bucket=bucket, Key="k")["ETag"]
    reply = node.send(method, object_target(bucket, "k"), headers={"If-None-Match": etag})
    assert reply.status == 304
    assert reply.headers["etag"] == etag
    assert {name: reply.headers[name.lower()] for name in said} == said
    assert "content-type" not in reply.headers


def test_conditions_come_before_the_range(node: Node, shelf: tuple[str, dt.datetime]) -> None:
    bucket, _ = shelf
    assert get(node, bucket, "k", If_Match=OTHER, Range="bytes=0-1").status == 412
    assert get(node, bucket, "k", If_None_Match=SAME, Range="bytes=99-").status == 304
    assert get(node, bucket, "k", If_Match=SAME, Range="bytes=0-1").status == 206
