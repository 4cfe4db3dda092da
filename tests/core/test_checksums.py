"""The tables of checksum algorithms, against published check values and botocore."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
from pathlib import Path

import botocore
import pytest
from botocore.httpchecksum import _CHECKSUM_CLS
from hypothesis import given
from hypothesis import strategies as st

from aisle.core.checksums import (
    AIS_TYPES,
    ALGORITHMS,
    BY_HEADER,
    COMPOSITE,
    FULL_OBJECT,
    parse_base64,
    to_base64,
)
from aisle.core.errors import InvalidArgument

# Of b"123456789": the check values of the CRC catalogue (CRC-32/ISO-HDLC, CRC-32/ISCSI,
# CRC-64/NVME), MD5, and XXH64 as another implementation
# (python-xxhash 4.1) gives it.
CHECKS = {
    "CRC32": "cbf43926",
    "CRC32C": "e3069283",
    "CRC64NVME": "ae8b14860a799888",
    "SHA1": hashlib.sha1(b"123456789").hexdigest(),
    "SHA256": hashlib.sha256(b"123456789").hexdigest(),
    "SHA512": hashlib.sha512(b"123456789").hexdigest(),
    "MD5": "25f9e794323b453885f5181f1b624d0b",
    "XXHASH64": "8cb841db40e6ae83",
}
# Of b"": likewise from python-xxhash.
EMPTY = {
    "XXHASH64": "ef46db3751d8e999",
    "XXHASH3": "2d06800538d394c2",
    "XXHASH128": "99aa06d3014798d86001c324468d497f",
}
names = pytest.mark.parametrize("name", ALGORITHMS)


def test_table_has_the_algorithms_and_headers_of_the_s3_model() -> None:
    path = Path(botocore.__file__).parent / "data/s3/2006-03-01/service-2.json.gz"
    shapes = json.loads(gzip.decompress(path.read_bytes()))["shapes"]
    assert set(ALGORITHMS) == set(shapes["ChecksumAlgorithm"]["enum"])
    members = shapes["PutObjectRequest"]["members"]
    for name, row in ALGORITHMS.items():
        assert row.header == members[f"Checksum{name}"]["locationName"]
        assert BY_HEADER[row.header] is row


@pytest.mark.parametrize("name", CHECKS)
def test_digest_is_the_published_check_value(name: str) -> None:
    assert ALGORITHMS[name].compute(b"123456789").hex() == CHECKS[name]


@pytest.mark.parametrize("name", EMPTY)
def test_digest_of_nothing_is_the_published_one(name: str) -> None:
    assert ALGORITHMS[name].compute(b"").hex() == EMPTY[name]


@names
@given(data=st.lists(st.binary(max_size=300), max_size=5))
def test_steps_give_the_digest_of_the_whole_and_botocores(name: str, data: list[bytes]) -> None:
    row = ALGORITHMS[name]
    hasher = row.new()
    for piece in data:
        hasher.update(piece)
    whole = b"".join(data)
    assert hasher.digest() == hasher.digest() == row.compute(whole)
    assert len(hasher.digest()) == row.size
    if name != "MD5":  # which botocore sends as Content-MD5 only
        assert to_base64(hasher.digest()) == _CHECKSUM_CLS[name.lower()]().handle(whole)


@pytest.mark.parametrize("size", [1983, 1984, 1985, 2047, 2048, 4096, 65_537])
@pytest.mark.parametrize("name", ["MD5", "SHA1", "SHA256", "SHA512"])
def test_a_digest_in_one_go_is_hashlibs(name: str, size: int) -> None:
    data = bytes(range(251)) * (size // 251 + 1)
    assert ALGORITHMS[name].compute(data[:size]) == hashlib.new(name, data[:size]).digest()


@names
@given(left=st.binary(max_size=300), right=st.binary(max_size=300))
def test_full_object_digests_combine_and_others_do_not(
    name: str, left: bytes, right: bytes
) -> None:
    row = ALGORITHMS[name]
    if FULL_OBJECT in row.types:
        combined = row.combine(row.compute(left), row.compute(right), len(right))
        assert combined == row.compute(left + right)
    else:
        with pytest.raises(InvalidArgument):
            row.combine(row.compute(left), row.compute(right), len(right))


def test_multipart_types_are_those_of_s3() -> None:
    assert ALGORITHMS["CRC64NVME"].types == (FULL_OBJECT,)
    assert ALGORITHMS["CRC32"].default_type == ALGORITHMS["CRC32C"].default_type == COMPOSITE
    hashes = set(ALGORITHMS) - {"CRC32", "CRC32C", "CRC64NVME"}
    assert all(ALGORITHMS[name].types == (COMPOSITE,) for name in hashes)


@names
def test_composite_is_the_digest_of_digests_and_a_count(name: str) -> None:
    row = ALGORITHMS[name]
    digests = [row.compute(bytes([number])) for number in range(12)]
    value = row.composite(digests)
    assert value == base64.b64encode(row.compute(b"".join(digests))).decode() + "-12"
    assert row.parse_composite(value) == (row.compute(b"".join(digests)), 12)
    for text in (value[:-3], value + "x", "-3", value[:-2] + "123456", value[:-2] + "٣"):
        with pytest.raises(InvalidArgument):
            row.parse_composite(text)


@names
def test_header_value_is_strict_base64_of_the_right_size(name: str) -> None:
    row = ALGORITHMS[name]
    value = to_base64(row.compute(b"x"))
    assert row.parse(value) == row.compute(b"x")
    longer, shorter = to_base64(bytes(row.size + 1)), to_base64(bytes(row.size - 1))
    for text in ("", " " + value, value + "\n", value.rstrip("="), longer, shorter, "é", "-_" * 4):
        with pytest.raises(InvalidArgument) as caught:
            row.parse(text)
        assert caught.value.name == row.header


def test_stray_bits_in_the_last_character_are_refused() -> None:
    assert parse_base64("AAAAAA==", 4, name="x") == bytes(4)
    with pytest.raises(InvalidArgument):
        parse_base64("AAAAAB==", 4, name="x")


def test_ais_types_are_the_documented_ones() -> None:
    assert list(AIS_TYPES) == ["none", "xxhash", "xxhash2", "md5", "crc32c", "sha256", "sha512"]


@pytest.mark.parametrize("name", AIS_TYPES)
def test_ais_value_is_hex_of_the_right_size(name: str) -> None:
    row = AIS_TYPES[name]
    hasher = row.new()
    hasher.update(b"1234")
    hasher.update(b"56789")
    digest = row.compute(b"123456789")
    assert hasher.digest() == digest == row.parse(digest.hex())
    assert len(digest) == row.size
    for text in ("zz", digest.hex() + "00", " " + digest.hex()):
        with pytest.raises(InvalidArgument):
            row.parse(text)


def test_ais_xxhash_is_xxh64_most_significant_byte_first() -> None:
    assert AIS_TYPES["xxhash2"].compute(b"123456789").hex() == CHECKS["XXHASH64"]
    assert AIS_TYPES["xxhash"].compute(b"").hex() == EMPTY["XXHASH64"]
