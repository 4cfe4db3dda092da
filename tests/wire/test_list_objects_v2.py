"""ListObjectsV2: https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html"""

from __future__ import annotations

import itertools
import re
import uuid
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote, unquote_plus

import pytest

from tests.conftest import empty_and_remove
from tests.harness import Node
from tests.wire.listing_model import KEYS, Entry, after, entries, in_order
from tests.wire.support import XMLNS, bucket_target, etag_of, expect_error, refused

PREFIXES = ["", "a", "a/", "a/b", "b", "b|", "logs/", "logs/2026-0", "zz", "é"]
DELIMITERS = ["", "/", "|", "2026", "é", "//"]


@pytest.fixture(scope="module")
def shelf(s3: Any) -> Iterator[str]:
    """A bucket with the keys of the model, which these tests only read."""
    name = f"list-{uuid.uuid4().hex[:12]}"
    s3.create_bucket(Bucket=name)
    for key in KEYS:
        s3.put_object(Bucket=name, Key=key, Body=key.encode())
    yield name
    empty_and_remove(s3, name)


def got(page: dict[str, Any]) -> list[Entry]:
    """The entries of one page, keys and common prefixes merged in order."""
    found = [Entry(entry["Key"], False) for entry in page.get("Contents", [])]
    found += [Entry(entry["Prefix"], True) for entry in page.get("CommonPrefixes", [])]
    return sorted(found, key=lambda entry: entry.name.encode())


def walk(s3: Any, bucket: str, **parameters: Any) -> list[list[Entry]]:
    """All pages of a listing, each checked for what must hold on every page."""
    pages: list[list[Entry]] = []
    token: str | None = None
    while True:
        more = {} if token is None else {"ContinuationToken": token}
        page = s3.list_objects_v2(Bucket=bucket, **parameters, **more)
        found = got(page)
        assert page["KeyCount"] == len(found)
        assert len(found) <= page["MaxKeys"]
        assert page["IsTruncated"] == ("NextContinuationToken" in page)
        assert page.get("ContinuationToken") == token
        pages.append(found)
        token = page.get("NextContinuationToken")
        if token is None:
            return pages
        assert found, "an empty page that is not the last"


@pytest.mark.parametrize(("prefix", "delimiter"), list(itertools.product(PREFIXES, DELIMITERS)))
def test_a_listing_is_what_the_model_says(s3: Any, shelf: str, prefix: str, delimiter: str) -> None:
    page = s3.list_objects_v2(Bucket=shelf, Prefix=prefix, Delimiter=delimiter)
    assert got(page) == entries(KEYS, prefix=prefix, delimiter=delimiter)
    assert page["IsTruncated"] is False
    assert page["Name"] == shelf
    assert page["Prefix"] == prefix
    assert page.get("Delimiter", "") == delimiter


@pytest.mark.parametrize("size", [1, 2, 5, 21, 22, 23])
@pytest.mark.parametrize(("prefix", "delimiter"), [("", ""), ("", "/"), ("a", "/"), ("", "|")])
def test_pages_join_to_the_whole(
    s3: Any, shelf: str, size: int, prefix: str, delimiter: str
) -> None:
    pages = walk(s3, shelf, Prefix=prefix, Delimiter=delimiter, MaxKeys=size)
    assert list(itertools.chain(*pages)) == entries(KEYS, prefix=prefix, delimiter=delimiter)
    assert all(len(page) == size for page in pages[:-1])


@pytest.mark.parametrize("start", ["", "a", "a/", "a/b", "a/b/zzz", "b", "logs/2026-02", "🦆"])
@pytest.mark.parametrize("delimiter", ["", "/"])
def test_start_after_is_exclusive(s3: Any, shelf: str, start: str, delimiter: str) -> None:
    page = s3.list_objects_v2(Bucket=shelf, StartAfter=start, Delimiter=delimiter)
    assert got(page) == after(KEYS, start, delimiter=delimiter)
    assert page.get("StartAfter", "") == start


def test_a_token_wins_over_start_after(s3: Any, shelf: str) -> None:
    first = s3.list_objects_v2(Bucket=shelf, StartAfter="a", MaxKeys=2)
    second = s3.list_objects_v2(
        Bucket=shelf, StartAfter="", MaxKeys=2, ContinuationToken=first["NextContinuationToken"]
    )
    names = [entry.name for entry in got(first) + got(second)]
    assert names == in_order([key for key in KEYS if key.encode() > b"a"])[:4]


def test_a_token_is_opaque_and_says_no_key(s3: Any, shelf: str) -> None:
    token = s3.list_objects_v2(Bucket=shelf, MaxKeys=16)["NextContinuationToken"]
    assert "logs" not in token
    assert token not in KEYS


@pytest.mark.parametrize("token", ["not-a-token", "", "%00", "a" * 5000])
def test_an_unknown_token_is_refused(node: Node, shelf: str, token: str) -> None:
    query = f"list-type=2&continuation-token={token}"
    expect_error(node.send("GET", bucket_target(shelf, query)), 400, "InvalidArgument")


def test_max_keys_0_is_an_empty_page_that_is_not_truncated(s3: Any, shelf: str) -> None:
    page = s3.list_objects_v2(Bucket=shelf, MaxKeys=0)
    assert (got(page), page["IsTruncated"], page["KeyCount"]) == ([], False, 0)
    assert page["MaxKeys"] == 0


def test_max_keys_above_1000_counts_as_1000(s3: Any, shelf: str) -> None:
    page = s3.list_objects_v2(Bucket=shelf, MaxKeys=5000)
    assert len(got(page)) == len(KEYS)
    assert page["MaxKeys"] == 1000
    assert s3.list_objects_v2(Bucket=shelf)["MaxKeys"] == 1000


@pytest.mark.parametrize("value", ["-1", "x", "1.5", "99999999999999999999"])
def test_max_keys_that_is_no_number_is_refused(node: Node, shelf: str, value: str) -> None:
    reply = node.send("GET", bucket_target(shelf, f"list-type=2&max-keys={value}"))
    expect_error(reply, 400, "InvalidArgument")


def test_an_entry_tells_size_etag_date_and_class(s3: Any, shelf: str) -> None:
    entry = s3.list_objects_v2(Bucket=shelf, Prefix="a/b/c")["Contents"][0]
    assert (entry["Size"], entry["ETag"]) == (5, etag_of(b"a/b/c"))
    assert entry["StorageClass"] == "STANDARD"
    assert entry["LastModified"] == s3.head_object(Bucket=shelf, Key="a/b/c")["LastModified"]
    assert entry["ChecksumAlgorithm"] == ["CRC32"]  # boto3's default for a PUT
    assert entry["ChecksumType"] == "FULL_OBJECT"
    assert "Owner" not in entry


def test_fetch_owner_tells_the_owner_of_the_buckets(s3: Any, shelf: str) -> None:
    entry = s3.list_objects_v2(Bucket=shelf, MaxKeys=1, FetchOwner=True)["Contents"][0]
    assert entry["Owner"]["ID"] == s3.list_buckets(MaxBuckets=1)["Owner"]["ID"]


def test_the_document_is_the_one_of_s3(node: Node, shelf: str) -> None:
    reply = node.send("GET", bucket_target(shelf, "delimiter=%2F&list-type=2&prefix=a%2F"))
    assert reply.status == 200
    assert reply.headers["content-type"].split(";")[0] == "application/xml"
    assert f'xmlns="{XMLNS}"'.encode() in reply.body
    root = reply.xml
    assert root.tag == "ListBucketResult"
    assert root.findtext("IsTruncated") == "false"
    assert root.findtext("EncodingType") is None
    assert root.findtext("StartAfter") is None
    dates = [element.text or "" for element in root.iterfind("Contents/LastModified")]
    assert dates
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", date) for date in dates)


def test_encoding_type_url_encodes_every_name(node: Node, shelf: str) -> None:
    query = f"delimiter={quote('é')}&encoding-type=url&list-type=2&prefix=a&start-after=a%2F"
    root = node.send("GET", bucket_target(shelf, query)).xml
    assert root.findtext("EncodingType") == "url"
    names = [element.text or "" for element in root.iterfind("Contents/Key")]
    assert all(name.isascii() for name in names)
    expected = after(KEYS, "a/", prefix="a", delimiter="é")
    assert [unquote_plus(n) for n in names] == [e.name for e in expected if not e.common]
    prefixes = [element.text or "" for element in root.iterfind("CommonPrefixes/Prefix")]
    assert [unquote_plus(n) for n in prefixes] == [e.name for e in expected if e.common]
    assert unquote_plus(root.findtext("Delimiter") or "") == "é"
    assert unquote_plus(root.findtext("StartAfter") or "") == "a/"


@pytest.mark.parametrize("value", ["base64", "URL2"])
def test_another_encoding_type_is_refused(node: Node, shelf: str, value: str) -> None:
    reply = node.send("GET", bucket_target(shelf, f"encoding-type={value}&list-type=2"))
    expect_error(reply, 400, "InvalidArgument")


def test_an_unknown_bucket_is_404(s3: Any) -> None:
    with refused(404, "NoSuchBucket"):
        s3.list_objects_v2(Bucket="no-such-bucket-here")


def test_a_listing_sees_each_write_at_once(s3: Any, bucket: str) -> None:
    for number in range(20):
        s3.put_object(Bucket=bucket, Key=f"k{number:02}", Body=b"x")
        listed = [entry["Key"] for entry in s3.list_objects_v2(Bucket=bucket)["Contents"]]
        assert listed == [f"k{n:02}" for n in range(number + 1)]
    for number in range(20):
        s3.delete_object(Bucket=bucket, Key=f"k{number:02}")
        assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 19 - number


def test_a_token_goes_on_although_the_last_key_is_gone(s3: Any, bucket: str) -> None:
    for key in "abcd":
        s3.put_object(Bucket=bucket, Key=key, Body=b"x")
    first = s3.list_objects_v2(Bucket=bucket, MaxKeys=2)
    s3.delete_object(Bucket=bucket, Key="b")
    second = s3.list_objects_v2(Bucket=bucket, ContinuationToken=first["NextContinuationToken"])
    assert [entry["Key"] for entry in second["Contents"]] == ["c", "d"]
