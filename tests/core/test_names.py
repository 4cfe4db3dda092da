"""Names in literals: S3's bucket rules, AIStore's, and keys as bytes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aisle.core.errors import InvalidArgument, InvalidName, KeyTooLong
from aisle.core.names import (
    MAX_KEY_BYTES,
    BucketName,
    check_native_bucket_name,
    check_s3_bucket_name,
    encode_key,
)


@pytest.mark.parametrize(
    "name",
    ["abc", "a-b", "a.b", "1a2", "123", "a" * 63, "my.bucket-1", "1.2.3", "1.2.3.4.5", "256.1.1.1"],
)
def test_a_bucket_may_be_called(name: str) -> None:
    check_s3_bucket_name(name)


@pytest.mark.parametrize(
    "name",
    [
        "", "a", "ab", "s3", "v1", "a" * 64, "Abc", "aBc", "a_b", "-ab", "ab-", ".ab", "ab.",
        "a..b", "a b", "a/b", "abc\n", "\nabc", "abc\x00", "äbc", "a\u0661c", "192.168.5.4",
        "xn--abc", "sthree-abc", "amzn-s3-demo-abc", "abc-s3alias", "abc--ol-s3", "abc.mrap",
        "abc--x-s3", "abc--table-s3", "%61bc", "..", "a\udcffb",
    ],
)  # fmt: skip
def test_a_bucket_may_not_be_called(name: str) -> None:
    with pytest.raises(InvalidName) as caught:
        check_s3_bucket_name(name)
    assert caught.value.name == name


@pytest.mark.parametrize("name", ["a", "A_b-c.d", "_x", "0", "a" * 64])
def test_a_native_bucket_may_be_called(name: str) -> None:
    check_native_bucket_name(name)


@pytest.mark.parametrize(
    "name", ["", "s3", "v1", ".a", "-a", "a..b", "a/b", "a b", "a" * 65, "ä", "a\n", "a\x00"]
)
def test_a_native_bucket_may_not_be_called(name: str) -> None:
    with pytest.raises(InvalidName):
        check_native_bucket_name(name)


def test_the_mounts_are_no_bucket_names() -> None:
    """`/s3` and `/v1` are where the dialects answer."""
    for check in (check_s3_bucket_name, check_native_bucket_name):
        for name in ("s3", "v1"):
            with pytest.raises(InvalidName):
                check(name)


@pytest.mark.parametrize(
    ("name", "uri"),
    [
        (BucketName("b"), "ais://b"),
        (BucketName("b", "s3"), "s3://b"),
        (BucketName("b", "ais", "ns"), "ais://#ns/b"),
    ],
)
def test_a_bucket_has_a_uri(name: BucketName, uri: str) -> None:
    assert str(name) == uri


@pytest.mark.parametrize(
    "key",
    ["a", "a/b", "/", "//", ".", "..", "../../etc/passwd", " ", "+", "%", "%2F", "\x00", "\n", "é",
     "🦆", "\ufffe", "k" * MAX_KEY_BYTES, "é" * (MAX_KEY_BYTES // 2), "🦆" * (MAX_KEY_BYTES // 4)],
)  # fmt: skip
def test_a_key_is_kept_as_it_is(key: str) -> None:
    assert encode_key(key).decode() == key


@pytest.mark.parametrize("key", ["k" * 1025, "é" * 512 + "k", "🦆" * 257])
def test_a_key_is_measured_in_bytes(key: str) -> None:
    with pytest.raises(KeyTooLong) as caught:
        encode_key(key)
    assert (caught.value.size, caught.value.limit) == (len(key.encode()), 1024)


@pytest.mark.parametrize("key", ["", "\udcff", "a\ud800b", "\udcc0\udcaf"])
def test_what_is_not_utf_8_is_no_key(key: str) -> None:
    with pytest.raises(InvalidArgument):
        encode_key(key)


@given(st.text(max_size=20).filter(bool), st.text(max_size=20).filter(bool))
def test_keys_sort_by_bytes_as_by_code_points(left: str, right: str) -> None:
    assert (encode_key(left) < encode_key(right)) == (left < right)
    assert (encode_key(left) == encode_key(right)) == (left == right)
