"""When a copy counts as what the remote has: the whole table of rules."""

from __future__ import annotations

from typing import Any

import pytest

from aisle.backend.base import RemoteObject
from aisle.core.checksums import ALGORITHMS
from aisle.namespace.records import Bucket
from aisle.namespace.window import copies
from aisle.namespace.window.validate import unchanged

BUCKET = Bucket(b"12345678", "b", "aws", "", 0, "me", "", {})
MD5, OTHER = "0" * 32, "1" * 32
CRC, OTHER_CRC = "00000000", "11111111"
SECOND = 1_000_000_000

BASE: dict[str, Any] = {
    "size": 5, "etag": "e", "version": "1", "mtime": SECOND,
    "checksums": {"md5": MD5, "crc32c": CRC},
}  # fmt: skip
BARE: dict[str, Any] = {"size": 5, "mtime": SECOND}


def about(base: dict[str, Any], **changed: Any) -> RemoteObject:
    return RemoteObject("k", **{**base, **changed})


@pytest.mark.parametrize(
    ("ours", "theirs", "source", "same"),
    [
        (about(BASE), about(BASE), "aws", True),
        (about(BASE), about(BASE, mtime=2 * SECOND), "aws", True),
        (about(BASE), about(BASE, size=6), "aws", False),
        (about(BASE), about(BASE, version="2"), "aws", False),
        (about(BASE), about(BASE, etag="f"), "aws", False),
        (about(BASE), about(BASE, checksums={"md5": OTHER}), "aws", False),
        (about(BASE), about(BASE, checksums={"crc32c": OTHER_CRC}), "aws", False),
        (about(BASE), about(BASE, version=""), "aws", True),
        (about(BASE), about(BASE, etag="f", checksums={"md5": MD5, "crc32c": CRC}), "aws", False),
        # One pair is enough from the same provider, and not from another one.
        (about(BASE), about(BARE, etag="e"), "aws", True),
        (about(BASE), about(BARE, etag="e"), "gcp", False),
        (about(BASE), about(BARE, checksums={"md5": MD5}), "gcp", False),
        (about(BASE), about(BARE, etag="e", checksums={"md5": MD5}), "gcp", True),
        # Nothing to compare but the date.
        (about(BARE), about(BARE), "aws", True),
        (about(BARE), about(BARE, mtime=2 * SECOND), "aws", False),
        (about(BARE, mtime=0), about(BARE, mtime=0), "aws", False),
        # What is no digest is not compared.
        (about(BARE, etag="e"), about(BARE, etag="e", checksums={"md5": "x"}), "aws", True),
    ],
)  # fmt: skip
def test_a_copy_is_what_the_remote_has(
    ours: RemoteObject, theirs: RemoteObject, source: str, same: bool
) -> None:
    copy = copies.record(BUCKET, ours, "aws", [])
    assert unchanged(copy, theirs, source) is same


def test_a_row_that_is_no_copy_counts_as_changed() -> None:
    copy = copies.record(BUCKET, about(BASE), "aws", [])
    values = {name: getattr(copy, name) for name in copy.__struct_fields__}
    assert not unchanged(type(copy)(**{**values, "origin": None}), about(BASE), "aws")


def test_what_a_remote_says_cannot_break_out_of_headers() -> None:
    told = RemoteObject(
        "k",
        5,
        etag='a"\r\nx: y',
        mtime=10**30,
        version="v\n",
        checksums={"md5": MD5 + "00", "nope": "00", "crc32c": CRC, "sha256": "xyz"},
        headers={
            "content-type": "a\r\nb: c",
            "content-language": "\u0142",  # not the Latin-1 text that stands for bytes
            "content-disposition": 'attachment; filename="gr\xc3\xbcn"',
            "cache-control": "no-store",
            "x-other": "1",
        },
        meta={"good": "ä", "bad name": "1", "é": "2", "long": "x" * 9000},
        storage_class="deep archive\r\n",
    )
    record = copies.record(BUCKET, told, "aws", [])
    assert record.etag.isalnum() or "-" in record.etag
    assert '"' not in record.etag
    assert "\n" not in record.etag
    assert record.mtime // SECOND < 253_402_300_800
    assert record.headers == {
        "cache-control": "no-store",
        "content-disposition": 'attachment; filename="gr\xc3\xbcn"',
    }
    assert record.meta == {"good": "ä"}
    assert record.storage_class == "STANDARD"
    assert record.origin is not None
    assert record.origin.version == ""
    assert record.origin.checksums == {"crc32c": CRC}
    assert set(record.checksums) == {"CRC32C"}


@pytest.mark.parametrize("name", ALGORITHMS)
def test_every_algorithm_is_known_by_its_name(name: str) -> None:
    value = bytes(ALGORITHMS[name].size)
    assert copies.digests_of(about(BARE, checksums={name.lower(): value.hex()})) == {name: value}
