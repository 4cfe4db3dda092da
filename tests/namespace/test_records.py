"""Rows: the version byte, migrations, fields added later, and the order of keys."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aisle.core.errors import StoreUnavailable
from aisle.namespace import records
from aisle.namespace.records import (
    AccessKey,
    Bucket,
    Completed,
    Config,
    Extent,
    KeyPair,
    Layout,
    Listed,
    Object,
    Part,
    PartInfo,
    Reader,
    Record,
    Session,
    Upload,
    User,
    decode,
    encode,
    encoding,
    escape_key,
    unescape_key,
)

OBJECT = Object(
    size=5,
    mtime=17,
    etag="e",
    storage_class="STANDARD",
    checksums={"CRC32": "AAAAAA=="},
    checksum_type="FULL_OBJECT",
    owner="me",
    extents=[Extent(b"blob", 0, 5, True)],
    layout=b"",
    headers={"content-type": "text/plain"},
    meta={"a": "b"},
    digest=("xxhash", "00"),
    parts=[PartInfo(1, 5, {})],
    part_count=1,
    seq=3,
)
EXAMPLES: tuple[Record, ...] = (
    OBJECT,
    Bucket(b"12345678", "n", "ais", "", 1, "me", "", {"versioning.enabled": True}),
    Layout([Extent(b"x", 1, 2)], [PartInfo(1, 2, {})]),
    Upload(b"id", 1, "me", "STANDARD", {}, {}, "CRC32", "COMPOSITE"),
    Part(1, 2, 3, "e", {}, [Extent(b"x", 0, 2)]),
    Completed(b"b", b"k", 1, "e", b"r", {}, ""),
    Reader(1, 2),
    Config(1, {"features": 0}),
)
KEYS = st.binary(max_size=6) | st.lists(st.sampled_from([0, 1, 0x61, 0xFE])).map(bytes)


@pytest.mark.parametrize("record", EXAMPLES, ids=lambda record: type(record).__name__)
def test_a_record_comes_back_as_it_went(record: Record) -> None:
    row = encode(record)
    assert row[0] == records.VERSION
    assert decode(type(record), row) == record


def test_a_listing_reads_the_leading_fields_of_an_object() -> None:
    listed = decode(Listed, encode(OBJECT))
    for name in Listed.__struct_fields__:
        assert getattr(listed, name) == getattr(OBJECT, name)
    assert Object.__struct_fields__[: len(Listed.__struct_fields__)] == Listed.__struct_fields__


def test_fields_added_later_are_read_both_ways() -> None:
    class Later(Record, frozen=True, array_like=True):
        alive: int
        oldest: int
        added: str = "default"

    new = Later(1, 2, "value")
    assert decode(Later, encode(Reader(1, 2))) == Later(1, 2, "default")
    assert decode(Reader, encode(new)) == Reader(1, 2)


def add_migration(
    monkeypatch: pytest.MonkeyPatch,
    kind: type[Record],
    version: int,
    step: Callable[[bytes], bytes],
) -> None:
    monkeypatch.setattr(encoding, "MIGRATIONS", {**encoding.MIGRATIONS, (kind, version): step})


def test_a_row_of_an_older_version_is_migrated_step_by_step(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Version 1 kept minutes and one field less, version 2 had both fields in the other order."""

    def from_1(payload: bytes) -> bytes:
        (minutes,) = msgspec.msgpack.decode(payload)
        return msgspec.msgpack.encode([0, minutes * 60])

    def from_2(payload: bytes) -> bytes:
        oldest, alive = msgspec.msgpack.decode(payload)
        return msgspec.msgpack.encode([alive, oldest])

    monkeypatch.setattr(encoding, "VERSION", 3)
    monkeypatch.setattr(encoding, "_VERSION_BYTE", b"\x03")
    add_migration(monkeypatch, Reader, 1, from_1)
    add_migration(monkeypatch, Reader, 2, from_2)
    assert decode(Reader, b"\x01" + msgspec.msgpack.encode([2])) == Reader(120, 0)
    assert decode(Reader, b"\x02" + msgspec.msgpack.encode([7, 120])) == Reader(120, 7)
    assert decode(Reader, encode(Reader(120, 7))) == Reader(120, 7)
    with pytest.raises(StoreUnavailable, match="Part row has the unknown version 1"):
        decode(Part, b"\x01" + msgspec.msgpack.encode([]))


def test_a_listing_migrates_rows_as_a_read_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encoding, "VERSION", 2)
    monkeypatch.setattr(encoding, "_VERSION_BYTE", b"\x02")
    old = b"\x01" + encode(OBJECT)[1:]
    add_migration(monkeypatch, Object, 1, lambda payload: payload)
    assert decode(Object, old) == OBJECT
    assert decode(Listed, old).etag == OBJECT.etag


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (b"\x02\x92\x01\x02", "version 2; this release reads up to 1"),
        (b"\x00\x92\x01\x02", "unknown version 0"),
        (b"", "unknown version 0"),
        (b"\x01\x92\x01", "cannot be read"),
        (b"\x01\x92\x01\xa1x", "cannot be read"),
        (b"\x01", "cannot be read"),
    ],
)
def test_a_row_that_cannot_be_read_is_refused(row: bytes, reason: str) -> None:
    with pytest.raises(StoreUnavailable, match=reason):
        decode(Reader, row)


@given(KEYS, KEYS, st.binary(min_size=16, max_size=16), st.binary(min_size=16, max_size=16))
def test_escaped_keys_sort_as_keys_do_and_come_back(
    left: bytes, right: bytes, left_id: bytes, right_id: bytes
) -> None:
    # What follows begins with the high byte of a time, which is never 0xFF.
    left_id, right_id = b"\x18" + left_id[1:], b"\x18" + right_id[1:]
    assert unescape_key(escape_key(left)) == left
    if left != right:
        escaped = escape_key(left) + left_id < escape_key(right) + right_id
        assert escaped == (left < right)


def test_timed_ids_sort_by_time_and_do_not_repeat() -> None:
    made = [records.timed_id() for _ in range(100)]
    assert [identity[:8] for identity in made] == sorted(identity[:8] for identity in made)
    assert len({*made}) == 100
    assert all(len(identity) == 16 and identity[0] != 0xFF for identity in made)


def test_rows_that_hold_secrets_do_not_show_them() -> None:
    shown = repr(
        [
            User("alice", "1" * 12, 0, password="hidden", keys=["AKIA"]),
            AccessKey("AKIA", "hidden", "alice", 0),
            KeyPair("AKIA", "hidden"),
            Session("ASIA", "hidden", "hidden", "alice", 0, 1),
        ]
    )
    assert "hidden" not in shown
    assert "alice" in shown
