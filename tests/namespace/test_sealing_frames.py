"""Frames: what was sealed opens, any range of it; whatever else is refused."""

from __future__ import annotations

import re

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aisle.core.errors import CustomerKeyNeeded, SealBroken
from aisle.namespace.records import Extent, encode
from aisle.namespace.records.buckets import Layout
from aisle.namespace.sealing.frames import (
    FRAME,
    TAG,
    DataKey,
    Opened,
    Opener,
    Sealer,
    key_of,
    open_whole,
    seal,
)
from tests.namespace.support import pattern

KEY = DataKey(bytes(range(32)))
TWO_LAYERS = DataKey(bytes(range(64)))
# Where a frame ends, and one byte before and after.
EDGES = [1, 2, FRAME - 1, FRAME, FRAME + 1, 2 * FRAME - 1, 2 * FRAME, 2 * FRAME + 1, 3 * FRAME + 7]
keys = st.sampled_from([KEY, TWO_LAYERS])
sizes = st.one_of(st.sampled_from(EDGES), st.integers(1, 4 * FRAME))
DATA = pattern(4 * FRAME)


def extent(size: int, salt: bytes) -> Extent:
    return Extent(b"blob", 0, size, seal=salt)


def sealed(key: DataKey, size: int) -> tuple[Extent, bytes]:
    salt, stored = seal(key, DATA[:size])
    return extent(size, salt), stored


def read(key: DataKey, of: Extent, stored: bytes, start: int, length: int, step: int) -> bytes:
    """A range, read in pieces of `step` bytes as a blob gives them."""
    opener = Opener(key, of, start, length)
    first, left = opener.range
    plain = b""
    while left:
        piece = stored[first : first + min(left, step)]
        assert piece, "fewer bytes are stored than the range needs"
        first, left = first + len(piece), left - len(piece)
        plain += opener.open(piece, ended=not left)
    return plain


@given(keys, sizes, st.integers(1, 3 * FRAME))
def test_what_was_sealed_in_pieces_opens_as_one(key: DataKey, size: int, step: int) -> None:
    sealer = Sealer(key)
    stored = b"".join(
        [sealer.update(DATA[at : min(at + step, size)]) for at in range(0, size, step)]
    )
    stored += sealer.finish()
    assert len(stored) == size + key.overhead * -(-size // FRAME)
    assert open_whole(key, extent(size, sealer.salt), stored) == DATA[:size]


@given(st.data(), keys, sizes, st.integers(1, 3 * FRAME))
def test_any_range_opens_and_reads_no_frame_that_it_does_not_need(
    data: st.DataObject, key: DataKey, size: int, step: int
) -> None:
    of, stored = sealed(key, size)
    start = data.draw(st.integers(0, size - 1))
    length = data.draw(st.integers(1, size - start))
    assert read(key, of, stored, start, length, step) == DATA[start : start + length]
    needed = (start + length - 1) // FRAME - start // FRAME + 1
    assert Opener(key, of, start, length).range.length <= needed * (FRAME + key.overhead)


def test_slices_end_where_frames_do() -> None:
    of, _ = sealed(KEY, 4 * FRAME)
    opener = Opener(KEY, of, 0, 4 * FRAME)
    assert opener.slice(1) == FRAME + TAG
    assert opener.slice(256 << 10) == 3 * (FRAME + TAG)


@given(keys, sizes, st.integers(0, 4 * FRAME), st.integers(0, 7))
def test_no_bit_can_be_flipped(key: DataKey, size: int, at: int, bit: int) -> None:
    of, stored = sealed(key, size)
    at %= len(stored)
    flipped = stored[:at] + bytes([stored[at] ^ 1 << bit]) + stored[at + 1 :]
    with pytest.raises(SealBroken):
        open_whole(key, of, flipped)


def test_frames_cannot_change_places_or_come_twice() -> None:
    of, stored = sealed(KEY, 3 * FRAME)
    step = FRAME + TAG
    first, second, last = (stored[at : at + step] for at in range(0, 3 * step, step))
    assert open_whole(KEY, of, first + second + last) == DATA[: 3 * FRAME]
    for wrong in (
        second + first + last,
        first + first + last,
        first + last + second,
        first + second + second,
        last + second + first,
    ):
        with pytest.raises(SealBroken):
            open_whole(KEY, of, wrong)


@pytest.mark.parametrize("frames", [1, 2])
def test_a_run_cannot_be_cut_even_where_the_row_is_cut_with_it(frames: int) -> None:
    of, stored = sealed(KEY, 3 * FRAME)
    shorter = extent(frames * FRAME, of.seal)
    with pytest.raises(SealBroken):
        open_whole(KEY, shorter, stored[: frames * (FRAME + TAG)])
    with pytest.raises(SealBroken):
        open_whole(KEY, of, stored[: frames * (FRAME + TAG)])


def test_nor_made_longer() -> None:
    of, stored = sealed(KEY, FRAME)
    longer = extent(2 * FRAME, of.seal)
    with pytest.raises(SealBroken):
        open_whole(KEY, longer, stored + stored)
    with pytest.raises(SealBroken):
        Opener(KEY, longer, 0, FRAME).open(stored, ended=True)


def test_the_bytes_of_another_part_or_object_do_not_open() -> None:
    mine, _ = sealed(KEY, 2 * FRAME)
    _, of_other_part = sealed(KEY, 2 * FRAME)
    with pytest.raises(SealBroken):
        open_whole(KEY, mine, of_other_part)
    of, of_other_object = sealed(DataKey(bytes(32)), 2 * FRAME)
    with pytest.raises(SealBroken):
        open_whole(KEY, of, of_other_object)


def test_one_of_two_layers_is_not_enough() -> None:
    of, stored = sealed(TWO_LAYERS, 100)
    assert len(stored) == 100 + 2 * TAG
    for half in (TWO_LAYERS.secret[:32], TWO_LAYERS.secret[32:]):
        with pytest.raises(SealBroken):
            open_whole(DataKey(half), of, stored)


def test_without_a_key_nothing_opens() -> None:
    of, stored = sealed(KEY, 100)
    with pytest.raises(CustomerKeyNeeded):
        open_whole(None, of, stored)


def test_no_row_and_no_text_gets_the_key() -> None:
    extents = Opened([extent(5, b"salt")], KEY)
    assert key_of(extents) is KEY
    assert key_of(extents[:1]) is None
    raw = encode(Layout(list(extents), []))
    assert KEY.secret not in raw
    assert encode(Layout(extents, [])) == raw
    with pytest.raises(TypeError):
        msgspec.msgpack.encode(KEY)
    assert re.search("[0-9]{4}|x01", f"{KEY!r}{extents!r}".replace(hex(id(KEY))[2:], "")) is None
