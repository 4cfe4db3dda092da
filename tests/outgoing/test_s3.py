"""`outgoing.s3`, and what else reads what strangers have written: never more than its own error."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aisle.backend.aws.replies import describe, read_buckets, read_page, read_versions
from aisle.core.errors import RemoteRefused
from aisle.core.xmltree import XmlError, parse_records, parse_tree
from aisle.outgoing.request import http_seconds, retry_after
from aisle.outgoing.s3 import Part, complete_document, read_error

# Documents that are nearly right, beside those that are not at all.
PIECES = [
    b"<ListBucketResult>", b"</ListBucketResult>", b"<Contents>", b"</Contents>", b"<Key>",
    b"</Key>", b"a%2", b"&amp;", b"<Size>", b"</Size>", b"-1", b"1e9", b"<IsTruncated>true",
    b"</IsTruncated>", b"<!DOCTYPE x>", b"<!--", b"-->", b"<LastModified>9999-99-99</LastModified>",
    b"<EncodingType>url</EncodingType>", b"\xff", b"<Error>", b"</Error>", b"<Code>x</Code>",
]  # fmt: skip
DOCUMENTS = st.one_of(st.binary(), st.lists(st.sampled_from(PIECES), max_size=12).map(b"".join))
HEADERS = st.dictionaries(
    st.sampled_from(
        ["etag", "content-length", "content-range", "last-modified", "x-amz-checksum-crc32c",
         "x-amz-checksum-type", "x-amz-meta-ais-cksum-type", "x-amz-meta-ais-cksum-val",
         "x-amz-meta-x", "x-amz-version-id", "content-type", "retry-after", "date"]
    ),
    st.one_of(st.text(max_size=40), st.sampled_from(["md5", "7", '"', "W/", "bytes 0-1/2"])),
)  # fmt: skip


@given(DOCUMENTS)
def test_any_document_is_read_or_refused(document: bytes) -> None:
    for read in (read_page, read_versions, read_buckets):
        with contextlib.suppress(RemoteRefused):
            read("aws://b", document)
    code, _ = read_error(document)
    assert not code or code.replace(".", "").isalnum()


@given(HEADERS)
def test_any_headers_are_read_or_refused(headers: dict[str, str]) -> None:
    try:
        about = describe("aws://b", "key", headers)
    except RemoteRefused:
        return
    assert about.size >= 0
    assert about.mtime >= 0
    wait = retry_after(headers)
    assert wait is None or wait >= 0


@given(st.text())
def test_any_date_is_read_or_none(text: str) -> None:
    seconds = http_seconds(text)
    assert seconds is None or isinstance(seconds, float)


@pytest.mark.parametrize(
    "date", ["Mon, 01 Jan 0001 00:00:00 -0000", "Fri, 31 Dec 9999 23:59:59 -2359", "1 1 1 1", ""]
)
def test_a_date_beyond_the_calendar_is_none_or_a_number(date: str) -> None:
    assert http_seconds(date) is None or isinstance(http_seconds(date), float)


@given(DOCUMENTS)
def test_records_are_what_the_tree_has(document: bytes) -> None:
    try:
        tree = parse_tree(document)
    except XmlError:
        with pytest.raises(XmlError):
            parse_records(document)
        return
    found = parse_records(document)
    assert found.name == tree.name
    leaves = {child.name: child.text for child in tree.children if not child.children}
    assert found.values == leaves
    assert [name for name, _ in found.records] == [
        child.name for child in tree.children if child.children
    ]


def test_an_error_has_a_code_and_perhaps_a_region() -> None:
    document = b"<Error><Code>PermanentRedirect</Code><Region>eu-west-1</Region></Error>"
    assert read_error(document) == ("PermanentRedirect", "eu-west-1")
    assert read_error(b"<Error><Code>" + b"x" * 65 + b"</Code></Error>") == ("", "")
    assert read_error(b"<html>Error</html>") == ("", "")


def test_an_upload_is_completed_by_its_parts() -> None:
    document = complete_document([Part(1, '"a"', ""), Part(2, "<&", "AAAAAQ==")])
    parts = list(parse_tree(document).all("Part"))
    assert [part.value("PartNumber") for part in parts] == ["1", "2"]
    assert [part.value("ETag") for part in parts] == ['"a"', "<&"]
    assert [part.value("ChecksumCRC32C") for part in parts] == ["", "AAAAAQ=="]
