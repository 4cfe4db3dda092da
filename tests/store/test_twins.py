"""Random histories: an index against memory, blobs against memory (Hypothesis state machines)."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, rule

from aisle.core.errors import BlobMissing, RowChanged
from aisle.store.base import ABSENT, Blobs, Body, Change, Check, Delete, Fold, Index, Put
from aisle.store.memory import MemoryBlobs, MemoryIndex
from tests.store.engines import BLOBS, INDEXES

TABLES = st.sampled_from(["row", "body"])
# Few bytes and short keys, so that keys meet, follow and begin each other.
KEYS = st.lists(st.sampled_from([0, 1, 0x61, 0xFE, 0xFF]), min_size=1, max_size=3).map(bytes)
EDGES = st.one_of(st.just(b""), KEYS)
VALUES = st.one_of(st.binary(max_size=3), st.integers(4000, 9000).map(bytes))
CHANGES = st.one_of(
    st.builds(Put, TABLES, KEYS, VALUES),
    st.builds(Delete, TABLES, KEYS),
    st.builds(Check, TABLES, KEYS, st.one_of(st.just(ABSENT), st.binary(max_size=1))),
)


class Histories(RuleBasedStateMachine):
    """A directory and a loop for one history."""

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.run = self.runner.run
        self.directory = tempfile.TemporaryDirectory()

    def teardown(self) -> None:
        self.runner.close()
        self.directory.cleanup()


class IndexTwins(Histories):
    """What an engine answers, memory answers too."""

    engine = "sqlite-relaxed"

    def __init__(self) -> None:
        super().__init__()
        self.model = MemoryIndex()
        self.index = self.run(self.open())

    async def open(self) -> Index:
        engine = next(engine for engine in INDEXES if engine.name == self.engine)
        return await engine.open(Path(self.directory.name))

    @rule(batches=st.lists(st.lists(CHANGES, max_size=5), min_size=1, max_size=4))
    def commit(self, batches: list[list[Change]]) -> None:
        async def together(index: Index) -> list[str]:
            outcomes = await asyncio.gather(
                *[index.commit(*batch) for batch in batches], return_exceptions=True
            )
            assert all(o is None or isinstance(o, RowChanged) for o in outcomes)
            return [str(outcome) for outcome in outcomes]

        assert self.run(together(self.index)) == self.run(together(self.model))

    @rule(table=TABLES, keys=st.lists(KEYS, max_size=4))
    def get(self, table: str, keys: list[bytes]) -> None:
        found = self.run(self.index.get_many(table, keys))
        assert found == self.run(self.model.get_many(table, keys))

    @rule(table=TABLES, prefix=EDGES, after=EDGES, limit=st.integers(0, 8), reverse=st.booleans())
    def scan(self, table: str, prefix: bytes, after: bytes, limit: int, reverse: bool) -> None:
        rows = [
            self.run(i.scan(table, prefix=prefix, after=after, limit=limit, reverse=reverse))
            for i in (self.index, self.model)
        ]
        assert rows[0] == rows[1]

    @rule(
        table=TABLES,
        prefix=EDGES,
        after=EDGES,
        limit=st.integers(0, 8),
        fold=st.builds(Fold, KEYS.filter(lambda key: key.strip(b"\xff")), st.integers(0, 3)),
    )
    def folded(self, table: str, prefix: bytes, after: bytes, limit: int, fold: Fold) -> None:
        rows = [
            self.run(i.scan(table, prefix=prefix, after=after, limit=limit, fold=fold))
            for i in (self.index, self.model)
        ]
        assert rows[0] == rows[1]

    @rule(table=TABLES)
    def drop(self, table: str) -> None:
        self.run(self.index.drop(table))
        self.run(self.model.drop(table))

    @rule()
    def reopen(self) -> None:
        self.run(self.index.close())
        self.index = self.run(self.open())

    def teardown(self) -> None:
        self.run(self.index.close())
        super().teardown()


class BlobsTwins(Histories):
    """What an engine holds, memory holds too, under other ids."""

    engine = "files-3"
    blobs = Bundle("blobs")

    def __init__(self) -> None:
        super().__init__()
        self.model: Blobs = MemoryBlobs()
        self.store = self.run(self.open())

    async def open(self) -> Blobs:
        engine = next(engine for engine in BLOBS if engine.name == self.engine)
        return await engine.open(Path(self.directory.name))

    @rule(
        target=blobs,
        owner=st.binary(max_size=600),
        pieces=st.lists(st.binary(max_size=70), max_size=3),
    )
    def put(self, owner: bytes, pieces: list[bytes]) -> tuple[bytes, bytes]:
        async def write(store: Blobs) -> bytes:
            writer = await store.create(owner)
            for piece in pieces:
                await writer.write(piece)
            return await writer.seal()

        return self.run(write(self.store)), self.run(write(self.model))

    @rule(
        target=blobs,
        blob=blobs,
        offset=st.integers(0, 100),
        length=st.integers(0, 150),
    )
    def copy(self, blob: tuple[bytes, bytes], offset: int, length: int) -> tuple[bytes, bytes]:
        """A copy of the range, or (where it does not exist) the blob itself."""

        async def write(store: Blobs, source: bytes) -> bytes | None:
            writer = await store.create(b"copy")
            try:
                await writer.copy(source, offset, length)
                return await writer.seal()
            except BlobMissing:
                await writer.abort()
                return None

        made = self.run(write(self.store, blob[0])), self.run(write(self.model, blob[1]))
        assert (made[0] is None) == (made[1] is None)
        return blob if made[0] is None or made[1] is None else (made[0], made[1])

    @rule(blob=blobs, offset=st.integers(0, 220), length=st.integers(0, 220))
    def read(self, blob: tuple[bytes, bytes], offset: int, length: int) -> None:
        async def take(store: Blobs, blob: bytes) -> bytes | None:
            try:
                body = await store.open(blob, offset, length)
            except BlobMissing:
                return None
            try:
                return await _read_all(body)
            finally:
                body.close()

        assert self.run(take(self.store, blob[0])) == self.run(take(self.model, blob[1]))

    @rule(blob=consumes(blobs))
    def delete(self, blob: tuple[bytes, bytes]) -> None:
        self.run(self.store.delete(blob[0]))
        self.run(self.model.delete(blob[1]))

    @rule()
    def scan(self) -> None:
        async def seen(store: Blobs) -> list[tuple[bytes | None, int]]:
            return sorted([(i.owner, i.size) async for i in store.scan()], key=repr)

        assert self.run(seen(self.store)) == self.run(seen(self.model))

    def teardown(self) -> None:
        self.run(self.store.close())
        super().teardown()


async def _read_all(body: Body) -> bytes:
    pieces = []
    while piece := await body.read(64):
        pieces.append(piece)
    return b"".join(pieces)


BOUNDED = settings(max_examples=40, stateful_step_count=25, deadline=None, derandomize=True)

TestIndexTwins = IndexTwins.TestCase
TestIndexTwins.settings = BOUNDED


class SharedTwins(IndexTwins):
    engine = "sqlite-shared"


class PostgresTwins(IndexTwins):
    engine = "postgres"


class RadosTwins(BlobsTwins):
    engine = "rados"


class ErasureCodedTwins(BlobsTwins):
    engine = "rados-ec"


class S3Twins(BlobsTwins):
    engine = "s3"


TestSharedTwins = SharedTwins.TestCase
TestSharedTwins.settings = BOUNDED
TestPostgresTwins = PostgresTwins.TestCase
TestPostgresTwins.settings = settings(BOUNDED, max_examples=15)
TestBlobsTwins = BlobsTwins.TestCase
TestBlobsTwins.settings = settings(BOUNDED, max_examples=12)
TestRadosTwins = RadosTwins.TestCase
TestRadosTwins.settings = settings(BOUNDED, max_examples=5)
TestErasureCodedTwins = ErasureCodedTwins.TestCase
TestErasureCodedTwins.settings = settings(BOUNDED, max_examples=5)
TestS3Twins = S3Twins.TestCase
TestS3Twins.settings = settings(BOUNDED, max_examples=5)
