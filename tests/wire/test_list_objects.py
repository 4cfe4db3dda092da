"""ListObjects (version 1): https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjects.html"""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import unquote_plus

import pytest

from tests.conftest import empty_and_remove
from tests.harness import Node
from tests.wire.listing_model import KEYS, Entry, entries, in_order
from tests.wire.support import XMLNS, bucket_target, etag_of, expect_error, refused


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
    found = [Entry(entry["Key"], False) for entry in page.get("Contents", [])]
    found += [Entry(entry["Prefix"], True) for entry in page.get("CommonPrefixes", [])]
    return sorted(found, key=lambda entry: entry.name.encode())


@pytest.mark.parametrize(
    ("prefix", "delimiter"),
    list(itertools.product(["", "a", "a/", "b", "zz"], ["", "/", "|", "é"])),
)
def test_a_listing_is_what_the_model_says(s3: Any, shelf: str, prefix: str, delimiter: str) -> None:
    page = s3.list_objects(Bucket=shelf, Prefix=prefix, Delimiter=delimiter)
    assert got(page) == entries(KEYS, prefix=prefix, delimiter=delimiter)
    assert page["IsTruncated"] is False
    assert (page["Prefix"], page["Marker"]) == (prefix, "")
    assert page.get("Delimiter", "") == delimiter
    assert "NextMarker" not in page


@pytest.mark.parametrize("size", [1, 2, 5, 21, 22, 23])
@pytest.mark.parametrize(("prefix", "delimiter"), [("", ""), ("", "/"), ("a", "/"), ("", "|")])
def test_pages_join_to_the_whole(
    s3: Any, shelf: str, size: int, prefix: str, delimiter: str
) -> None:
    found, marker = [], ""
    while True:
        page = s3.list_objects(
            Bucket=shelf, Prefix=prefix, Delimiter=delimiter, Marker=marker, MaxKeys=size
        )
        assert page["Marker"] == marker
        entries_of_page = got(page)
        found += entries_of_page
        if not page["IsTruncated"]:
            break
        assert len(entries_of_page) == size
        # NextMarker is told only with a delimiter; without one the last key is the marker.
        assert ("NextMarker" in page) == bool(delimiter)
        marker = page.get("NextMarker") or entries_of_page[-1].name
        assert marker == entries_of_page[-1].name
    assert found == entries(KEYS, prefix=prefix, delimiter=delimiter)


def test_a_marker_that_is_no_key_starts_behind_it(s3: Any, shelf: str) -> None:
    page = s3.list_objects(Bucket=shelf, Marker="a/bb")
    expected = in_order([key for key in KEYS if key.encode() > b"a/bb"])
    assert [entry.name for entry in got(page)] == expected


def test_a_marker_that_is_a_common_prefix_skips_it(s3: Any, shelf: str) -> None:
    page = s3.list_objects(Bucket=shelf, Delimiter="/", Marker="a/")
    names = [entry.name for entry in got(page)]
    assert "a/" not in names
    assert names[0] == "a0"


@pytest.mark.parametrize(("asked", "told"), [(0, 0), (1, 1), (1000, 1000), (5000, 1000)])
def test_max_keys_is_told_as_it_counted(s3: Any, shelf: str, asked: int, told: int) -> None:
    page = s3.list_objects(Bucket=shelf, MaxKeys=asked)
    assert page["MaxKeys"] == told
    assert len(got(page)) == min(told, len(KEYS))
    assert page["IsTruncated"] == (0 < asked < len(KEYS))


@pytest.mark.parametrize("value", ["-1", "x"])
def test_max_keys_that_is_no_number_is_refused(node: Node, shelf: str, value: str) -> None:
    reply = node.send("GET", bucket_target(shelf, f"max-keys={value}"))
    expect_error(reply, 400, "InvalidArgument")


def test_an_entry_tells_its_owner_too(s3: Any, shelf: str) -> None:
    entry = s3.list_objects(Bucket=shelf, Prefix="a/b/c")["Contents"][0]
    assert (entry["Size"], entry["ETag"]) == (5, etag_of(b"a/b/c"))
    assert entry["StorageClass"] == "STANDARD"
    assert entry["Owner"]["ID"] == s3.list_buckets(MaxBuckets=1)["Owner"]["ID"]


def test_the_document_is_the_one_of_s3(node: Node, shelf: str) -> None:
    reply = node.send("GET", bucket_target(shelf))
    assert reply.status == 200
    assert f'xmlns="{XMLNS}"'.encode() in reply.body
    root = reply.xml
    assert root.tag == "ListBucketResult"
    # These mark the answer of version 2.
    assert root.findtext("KeyCount") is None
    assert root.findtext("NextContinuationToken") is None
    assert [element.text for element in root.iterfind("Contents/Key")] == in_order(KEYS)


def test_a_trailing_slash_names_the_same_bucket(node: Node, shelf: str) -> None:
    reply = node.send("GET", bucket_target(shelf) + "/")
    assert len(reply.xml.findall("Contents")) == len(KEYS)


def test_encoding_type_url_encodes_every_name(node: Node, shelf: str) -> None:
    query = "delimiter=%7C&encoding-type=url&marker=b&max-keys=1&prefix=b"
    root = node.send("GET", bucket_target(shelf, query)).xml
    assert root.findtext("EncodingType") == "url"
    assert [unquote_plus(e.text or "") for e in root.iterfind("Contents/Key")] == ["b/"]
    assert unquote_plus(root.findtext("NextMarker") or "") == "b/"
    assert root.findtext("Delimiter") == "%7C"


def test_an_unknown_bucket_is_404(s3: Any) -> None:
    with refused(404, "NoSuchBucket"):
        s3.list_objects(Bucket="no-such-bucket-here")


def test_the_default_page_has_1000_keys(node: Node, s3: Any, bucket: str) -> None:
    """One listing of more than a page, the way old clients walk it."""

    def put(number: int) -> None:
        s3.put_object(Bucket=bucket, Key=f"{number:04}", Body=b"")

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(put, range(1003)))
    page = s3.list_objects(Bucket=bucket)
    assert (len(page["Contents"]), page["IsTruncated"], page["MaxKeys"]) == (1000, True, 1000)
    rest = s3.list_objects(Bucket=bucket, Marker=page["Contents"][-1]["Key"])
    assert [entry["Key"] for entry in rest["Contents"]] == ["1000", "1001", "1002"]
    page = s3.list_objects_v2(Bucket=bucket)
    assert (page["KeyCount"], page["IsTruncated"]) == (1000, True)
    for start in (0, 1000):
        names = [{"Key": f"{n:04}"} for n in range(start, min(start + 1000, 1003))]
        assert "Errors" not in s3.delete_objects(Bucket=bucket, Delete={"Objects": names})
