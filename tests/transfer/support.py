"""What the tests of moving a store share: streams in memory, whole contents, sources that break."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

import msgspec

from aisle.core.errors import AisleError
from aisle.namespace import bodies, buckets, objects
from aisle.namespace.objects import Description
from aisle.namespace.records import (
    Bucket,
    Config,
    Layout,
    Object,
    Part,
    Upload,
    decode,
    escape_key,
    unescape_key,
)
from aisle.namespace.store import CONFIG_KEY, Store, store_id
from aisle.namespace.transfer.exporting import Asked, Export, Limit
from aisle.namespace.transfer.frames import FrameReader, Read
from aisle.namespace.transfer.importing import Import
from aisle.namespace.transfer.items import Cursor, ItemReader
from aisle.namespace.transfer.pull import Pull
from aisle.namespace.transfer.source import Asking, SourceLost
from aisle.namespace.transfer.terms import Totals
from aisle.namespace.transfer.verify import check_stream
from tests.namespace.support import (
    LARGE,
    Data,
    begun,
    make_bucket,
    multipart,
    pattern,
    put,
    sweep,
)
from tests.namespace.versioned import check_invariants

MANY = 6  # more parts than a row holds


def reading(data: bytes, step: int = 1 << 30) -> Read:
    """`data` as a stream that comes in pieces of up to `step` bytes."""
    at = 0

    async def read(size: int) -> bytes:
        nonlocal at
        piece = data[at : at + min(size, step)]
        at += len(piece)
        return piece

    return read


def reader_of(data: bytes, step: int = 1 << 30) -> ItemReader:
    return ItemReader(FrameReader(reading(data, step)))


async def export(store: Store, after: Cursor | None = None, **options: Any) -> bytes:
    """A whole stream."""
    export = Export(store, await store_id(store.index), **options)
    return b"".join([frame async for frame in export.everything(after)])


async def import_all(store: Store, stream: bytes, **options: Any) -> Totals:
    """Import a stream, as the command does."""
    target = Import(store, **options)
    reader = reader_of(stream)
    await reader.begin()
    await target.run(reader)
    return target.totals


async def verify(stream: bytes) -> list[str]:
    """What a verification of a stream tells."""
    told: list[str] = []
    reader = reader_of(stream)
    await reader.begin()
    await check_stream(reader, told.append)
    return told


class Thing(NamedTuple):
    """An object or part: its record without places, its parts, its bytes, and which of its
    stretches are rows."""

    record: Object | Part
    parts: list[Any]
    data: bytes
    inline: list[bool]


class Contents(NamedTuple):
    """All that a store holds, by names instead of ids."""

    config: dict[str, Any]
    buckets: dict[str, Bucket]
    objects: dict[tuple[str, bytes], Thing]
    uploads: dict[tuple[str, bytes, bytes], Upload]
    parts: dict[tuple[bytes, int], Thing]


async def contents(store: Store) -> Contents:
    index = store.index
    raw = await index.get("config", CONFIG_KEY)
    found = Contents(dict(decode(Config, raw).values) if raw else {}, {}, {}, {}, {})
    for row in await buckets.list_all(store):
        bucket, name = row.record, str(row.name)
        found.buckets[name] = msgspec.structs.replace(bucket, id=b"", mark=b"")
        current = await index.scan("object", prefix=bucket.id, limit=10**6)
        versions = await index.scan("version", prefix=bucket.id, limit=10**6)
        known = [(key[8:], raw) for key, raw in current]
        known += [(b"version " + place[8:], raw) for place, raw in versions]
        for key, raw in known:
            record = decode(Object, raw)
            layout = await index.get("layout", record.layout) if record.layout else None
            whole = decode(Layout, layout) if layout else Layout(record.extents, record.parts)
            found.objects[name, key] = Thing(
                msgspec.structs.replace(record, extents=[], layout=b"", parts=[]),
                whole.parts,
                await bytes_of(store, whole.extents),
                [extent.inline for extent in whole.extents],
            )
        for key, raw in await index.scan("upload", prefix=bucket.id, limit=10**6):
            upload = decode(Upload, raw)
            found.uploads[name, unescape_key(key[8:-16]), key[-16:]] = upload
            for part_key, part in await index.scan("part", prefix=upload.id, limit=10**6):
                piece = decode(Part, part)
                found.parts[upload.id, int.from_bytes(part_key[16:], "big")] = Thing(
                    msgspec.structs.replace(piece, extents=[]),
                    [],
                    await bytes_of(store, piece.extents),
                    [extent.inline for extent in piece.extents],
                )
    return found


async def bytes_of(store: Store, extents: Sequence[Any]) -> bytes:
    size = sum(extent.length for extent in extents)
    return b"".join([p async for p in bodies.read_extents(store, extents, 0, size)])


async def fill(store: Store) -> None:
    """Some of everything, in two buckets, with a third that is empty."""
    await store.change_config({"multipart.min_part_size": "0"})
    bucket = await make_bucket(store, "first", location="eu-1", props={"checksum.type": "sha256"})
    await put(store, bucket, b"empty", b"")
    await put(store, bucket, b"small", b"x")
    await put(store, bucket, b"inline", pattern(LARGE - 1, 1))
    await put(store, bucket, b"large", pattern(3 * LARGE, 2))
    await objects.put(
        store,
        bucket,
        "ключ\x00\n/é".encode(),
        Data(b"described"),
        Description(
            headers={"content-type": "text/plain"},
            meta={"colour": "gelb"},
            storage_class="GLACIER",
            owner="somebody",
            checksum_algorithm="CRC32C",
        ),
    )
    await multipart(store, bucket, b"few", [LARGE, 10])
    await multipart(store, bucket, b"many", [LARGE, 0, 10, LARGE, 1, 100][:MANY])
    await begun(store, bucket, b"live", LARGE, 5)
    await begun(store, bucket, b"live\x00er")
    other = await make_bucket(store, "second", props={"etag.type": "opaque"})
    await put(store, other, b"small", b"y")
    await begun(store, other, b"small", 7)
    await make_bucket(store, "third")


class Direct:
    """A store in this process as a pull's source. `breaks` says after how many bytes each reply
    breaks off, in turn; the rest are whole."""

    def __init__(self, store: Store, *, limit: Limit | None = None) -> None:
        self.store = store
        self.limit = limit or Limit(3, 1 << 20)
        self.breaks: list[int] = []
        self.kind: type[AisleError] = SourceLost
        self.when_broken: Callable[[], Awaitable[None]] | None = None
        self.asked: list[int] = []
        self.sent = 0

    @asynccontextmanager
    async def heads(self, after: bytes) -> AsyncIterator[Read]:
        cursor = decode(Cursor, after) if after else None
        yield self._reply(await export(self.store, cursor, bodies=False, limit=self.limit))

    @asynccontextmanager
    async def bodies(self, asked: bytes) -> AsyncIterator[Read]:
        asking = msgspec.json.decode(asked, type=Asking)
        bucket = await buckets.find(self.store, asking.bucket)
        wanted = Asked(
            [key.encode() for key in asking.objects],
            [(key_of(upload.key, upload.id), upload.parts) for upload in asking.uploads],
            asking.offset,
            [(version.key.encode(), version.seq) for version in asking.versions],
            [(note.key.encode(), note.seq, note.name.encode()) for note in asking.notes],
        )
        self.asked.append(len(asking.objects))
        stream = Export(self.store, await store_id(self.store.index)).asked(bucket, wanted)
        yield self._reply(b"".join([frame async for frame in stream]))

    def _reply(self, data: bytes) -> Read:
        self.sent += len(data)
        end = self.breaks.pop(0) if self.breaks else None
        read = reading(data[:end])

        async def broken(size: int) -> bytes:
            piece = await read(size)
            if not piece and end is not None:
                if self.when_broken is not None and end < len(data):
                    work, self.when_broken = self.when_broken, None
                    await work()
                raise self.kind("broken off")
            return piece

        return broken


def key_of(key: str, upload: str) -> bytes:
    return escape_key(key.encode()) + bytes.fromhex(upload)


async def pull(
    store: Store, source: Direct, *, delete: bool = False, told: list[str] | None = None
) -> Totals:
    """One pass."""
    tell: Callable[[str], None] = (lambda line: None) if told is None else told.append
    totals = Totals()
    await Pull(store, source, delete=delete, patience=0.0, tell=tell).run_pass(totals)
    return totals


async def same(source: Store, target: Store) -> None:
    """Both hold the same, and the target has no orphan and misses nothing."""
    assert await contents(target) == await contents(source)
    await check_invariants(target)
    report = await sweep(target)
    assert (report.orphans, report.missing) == (0, [])
