"""The format: what was written comes back, and nothing else passes for it."""

from __future__ import annotations

import pytest

from aisle.core.errors import ConfigError
from aisle.namespace.transfer.frames import (
    FORMAT,
    LIMIT,
    MAGIC,
    Counts,
    End,
    Frame,
    FrameReader,
    FrameWriter,
    Kind,
    Start,
    StreamCut,
    StreamDamaged,
    pack,
)
from tests.namespace.support import begun, make_bucket, memory_store, multipart, put, run
from tests.transfer.support import export, reader_of, reading, verify

START = pack(Start(FORMAT, "00" * 16, "1", True))
END = pack(End(Counts()))


def stream(*frames: tuple[Kind, bytes]) -> bytes:
    writer = FrameWriter()
    return MAGIC + b"".join(writer.frame(*frame) for frame in frames)


async def frames_of(data: bytes, step: int = 1 << 30) -> list[Frame]:
    reader = FrameReader(reading(data, step))
    await reader.magic()
    frames = []
    while not await reader.at_end():
        frames.append(await reader.next())
    assert reader.position == len(data)
    return frames


@pytest.mark.parametrize("step", [1, 7, 1 << 30])
def test_frames_come_back_however_the_bytes_come(step: int) -> None:
    frames = [
        Frame(Kind.DATA, b""),
        Frame(Kind.DATA, bytes(range(256)) * 40),
        Frame(Kind.END, b"x"),
    ]
    assert run(frames_of(stream(*frames), step)) == frames


async def tiny() -> bytes:
    store = memory_store()
    bucket = await make_bucket(store)
    await put(store, bucket, b"a", b"one")
    await multipart(store, bucket, b"b", [3])
    await begun(store, bucket, b"c", 2)
    return await export(store)


def test_a_flipped_bit_anywhere_is_refused() -> None:
    whole = run(tiny())
    assert run(verify(whole)) == []
    for position in range(len(whole)):
        damaged = bytearray(whole)
        damaged[position] ^= 1 << position % 8
        with pytest.raises((StreamDamaged, StreamCut)):
            run(verify(bytes(damaged)))


def test_an_end_that_is_missing_is_noticed_wherever_it_is_cut() -> None:
    whole = run(tiny())
    for size in range(len(whole)):
        with pytest.raises(StreamCut):
            run(verify(whole[:size]))


def test_lost_doubled_and_exchanged_frames_are_refused() -> None:
    writer = FrameWriter()
    pieces = [writer.frame(Kind.DATA, bytes([number]) * 5) for number in range(4)]
    a, b, c, d = pieces
    for order in ([a, c, d], [b, c, d], [a, b, b, c, d], [a, c, b, d], [d]):
        with pytest.raises(StreamDamaged, match="damaged"):
            run(frames_of(MAGIC + b"".join(order)))


@pytest.mark.parametrize("data", [b"hello, world", b"\x1f\x8b\x08", MAGIC[:-1] + b"?"])
def test_what_is_no_export_is_called_so(data: bytes) -> None:
    with pytest.raises(StreamDamaged, match="not an export"):
        run(frames_of(data))


def test_a_length_beyond_all_frames_is_not_believed() -> None:
    frame = bytes([Kind.DATA]) + (LIMIT + 1).to_bytes(4, "big") + bytes(8)
    with pytest.raises(StreamDamaged, match="byte 13 is damaged"):
        run(frames_of(MAGIC + frame))


def test_an_export_of_a_later_format_names_the_release() -> None:
    later = pack(Start(FORMAT + 1, "00" * 16, "9.9", True))
    with pytest.raises(ConfigError, match=r"Aisle 9\.9"):
        run(verify(stream((Kind.START, later), (Kind.END, END))))


@pytest.mark.parametrize(
    ("frames", "text"),
    [
        ([(Kind.END, END)], "first frame"),
        ([(Kind.START, START), (Kind.START, START)], "START frame stands"),
        ([(Kind.START, START), (Kind.DATA, b"x")], "DATA frame stands"),
        ([(Kind.START, START), (Kind.PART, b"x")], "PART frame stands"),
        ([(Kind.START, START), (Kind.END, b"\xc1")], "End frame cannot be read"),
        (
            [(Kind.START, START), (Kind.END, pack(End(Counts(objects=1))))],
            "does not hold what its end frame says",
        ),
    ],
)
def test_frames_out_of_place_are_refused(frames: list[tuple[Kind, bytes]], text: str) -> None:
    with pytest.raises(StreamDamaged, match=text):
        run(verify(stream(*frames)))


def test_a_kind_that_is_not_known_is_refused() -> None:
    writer = FrameWriter()
    data = MAGIC + writer.frame(Kind.START, START) + writer.frame(200, b"")  # type: ignore[arg-type]
    with pytest.raises(StreamDamaged, match="no known kind"):
        run(verify(data))


@pytest.mark.parametrize("extra", [-1, 1])
def test_a_body_of_another_size_than_its_row_says_is_refused(extra: int) -> None:
    whole = run(tiny())
    frames = run(frames_of(whole))
    at = next(i for i, frame in enumerate(frames) if frame.kind is Kind.DATA)
    frames[at] = Frame(Kind.DATA, (frames[at].payload + b"?")[: 3 + extra])
    with pytest.raises(StreamDamaged, match="as many bytes as its row says"):
        run(verify(stream(*frames)))


def test_what_does_not_match_its_record_is_refused_by_name() -> None:
    frames = run(frames_of(run(tiny())))
    changed = [
        Frame(frame.kind, frame.payload[::-1] if frame.kind is Kind.DATA else frame.payload)
        for frame in frames
    ]
    told = run(verify(stream(*changed)))
    assert told[0].startswith("refused ais://bucket/a: MD5: expected")
    assert told[1].startswith("refused ais://bucket/b: CRC64NVME: expected")
    assert told[2].startswith("refused ais://bucket/c, part 1 of an upload: MD5")


def test_a_reader_tells_where_it_stands_after_every_item() -> None:
    async def positions() -> None:
        whole = await tiny()
        reader = reader_of(whole)
        await reader.begin()
        seen = [reader.position async for _ in reader.items()]
        assert seen == sorted(set(seen))
        assert reader.counts == Counts(buckets=1, objects=2, uploads=1, parts=1, bytes=8)
        assert reader.end.counts == reader.counts

    run(positions())
