"""Random histories of a namespace against a dict: on the memory engines, and on the real ones."""

from __future__ import annotations

import asyncio
import tempfile
import time
from contextlib import AsyncExitStack
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from aisle.core.errors import BucketNotEmpty, ObjectNotFound, PreconditionFailed
from aisle.namespace import buckets, copies, housekeeping, objects, uploads
from aisle.namespace.conditions import WriteConditions
from aisle.namespace.listing import ID, Query, list_objects
from aisle.namespace.objects import Description
from aisle.namespace.store import BucketRow, Store
from aisle.namespace.uploads import UploadRow
from tests.namespace.support import (
    DAY,
    LARGE,
    begin,
    blob_ids,
    complete,
    disk_store,
    etag_of,
    get,
    make_bucket,
    memory_store,
    pattern,
    put,
    put_part,
    rows,
)

KEYS = st.sampled_from([b"a", b"a/", b"a/b", b"a\x00", "é/ü".encode(), b"z" * 1024])
SIZES = st.sampled_from([0, 1, 1000, LARGE - 1, LARGE, 3 * LARGE])
NUMBERS = st.integers(1, 6)


class Begun(NamedTuple):
    """An upload and what its parts hold."""

    row: UploadRow
    parts: dict[int, bytes]


class Histories(RuleBasedStateMachine):
    """A namespace beside what it must hold."""

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.run = self.runner.run
        self.stack = AsyncExitStack()
        self.skew = 0
        self.seed = 0
        self.model: dict[bytes, tuple[bytes, str]] = {}  # key -> bytes and ETag
        self.uploads: list[Begun] = []

    async def open(self) -> Store:
        return memory_store(self.now)

    def now(self) -> int:
        return time.time_ns() + self.skew

    @initialize()
    def make(self) -> None:
        self.store = self.run(self.open())
        self.bucket: BucketRow = self.run(make_bucket(self.store))

    def data(self, size: int) -> bytes:
        self.seed += 1
        return pattern(size, self.seed)

    @rule(key=KEYS, size=SIZES)
    def put(self, key: bytes, size: int) -> None:
        data = self.data(size)
        record = self.run(put(self.store, self.bucket, key, data))
        assert record.etag == etag_of(data)
        self.model[key] = data, record.etag

    @rule(key=KEYS, size=SIZES, right=st.booleans(), create=st.booleans())
    def put_if(self, key: bytes, size: int, right: bool, create: bool) -> None:
        present = self.model.get(key)
        condition = WriteConditions(if_none_match="*") if create else WriteConditions(
            if_match=present[1] if present and right else "0" * 32
        )  # fmt: skip
        allowed = present is None if create else bool(present and right)
        data = self.data(size)
        try:
            record = self.run(put(self.store, self.bucket, key, data, condition))
        except (PreconditionFailed, ObjectNotFound):
            assert not allowed
        else:
            assert allowed
            self.model[key] = data, record.etag

    @rule(key=KEYS)
    def delete(self, key: bytes) -> None:
        found = self.run(objects.delete(self.store, self.bucket, key))
        assert found.found == (self.model.pop(key, None) is not None)

    @rule(source=KEYS, key=KEYS, algorithm=st.sampled_from(["", "SHA256"]))
    def copy(self, source: bytes, key: bytes, algorithm: str) -> None:
        async def copy() -> str:
            found, small = await objects.find_small(self.store, self.bucket, source)
            description = Description(checksum_algorithm=algorithm)
            record = await copies.copy(
                self.store, found, self.bucket, key, description, small=small
            )  # fmt: skip
            return record.etag

        if source in self.model:
            data = self.model[source][0]
            assert self.run(copy()) == etag_of(data)
            self.model[key] = data, etag_of(data)
        else:
            with pytest.raises(ObjectNotFound):
                self.run(copy())

    @rule(key=KEYS, content=st.text(max_size=3))
    def redescribe(self, key: bytes, content: str) -> None:
        async def change() -> None:
            found = await objects.find(self.store, self.bucket, key)
            description = Description(meta={"m": content}, storage_class="STANDARD_IA")
            record = await copies.redescribe(self.store, found, self.bucket, key, description)
            assert record is not None
            assert (record.meta, record.seq) == ({"m": content}, found.record.seq + 1)

        if key in self.model:
            self.run(change())

    @rule(key=KEYS, count=st.sampled_from([0, 0, 6]))
    def begin(self, key: bytes, count: int) -> None:
        """Begin an upload, empty or with more parts than an object's row holds."""
        upload = Begun(self.run(begin(self.store, self.bucket, key)), {})
        self.uploads.append(upload)
        for number in range(1, count + 1):
            upload.parts[number] = self.data(1000)
            self.run(put_part(self.store, self.bucket, upload.row, number, upload.parts[number]))

    @precondition(lambda self: self.uploads)
    @rule(pick=st.integers(0, 9), number=NUMBERS, size=SIZES)
    def put_part(self, pick: int, number: int, size: int) -> None:
        upload = self.uploads[pick % len(self.uploads)]
        data = self.data(size)
        self.run(put_part(self.store, self.bucket, upload.row, number, data))
        upload.parts[number] = data

    @precondition(lambda self: self.uploads)
    @rule(pick=st.integers(0, 9), drop=NUMBERS)
    def complete(self, pick: int, drop: int) -> None:
        """Complete with all parts but one."""

        async def finish(upload: Begun) -> str:
            listed = await uploads.list_parts(self.store, upload.row, after=0, limit=99)
            used = [part for part in listed if part.number != drop]
            return (await complete(self.store, self.bucket, upload.row, *used)).etag

        upload = self.uploads[pick % len(self.uploads)]
        used = [data for number, data in sorted(upload.parts.items()) if number != drop]
        if used:
            self.uploads.remove(upload)
            etag = self.run(finish(upload))
            assert etag.endswith(f"-{len(used)}")
            self.model[upload.row.key] = b"".join(used), etag

    @precondition(lambda self: self.uploads)
    @rule(pick=st.integers(0, 9))
    def abort(self, pick: int) -> None:
        self.run(uploads.abort(self.store, self.uploads.pop(pick % len(self.uploads)).row))

    @rule(days=st.sampled_from([0, 0, 1, -1]))
    def keep_house(self, days: int) -> None:
        """Tidy and sweep, now and then with a clock that has jumped; nothing may be missed."""
        self.skew += days * DAY if abs(self.skew + days * DAY) < 5 * DAY else 0
        report = housekeeping.Report()
        self.run(housekeeping.tidy(self.store))
        self.run(housekeeping.sweep_blobs(self.store, report, min_age=0))
        self.run(housekeeping.find_missing(self.store, report))
        assert (report.missing, report.orphans) == ([], 0)

    @rule()
    def delete_bucket(self) -> None:
        if self.model:
            with pytest.raises(BucketNotEmpty):
                self.run(buckets.delete(self.store, self.bucket.name))
            return
        self.run(buckets.delete(self.store, self.bucket.name))
        assert self.run(uploads.discard_all(self.store, self.bucket.record.id)) == len(self.uploads)
        self.uploads.clear()
        self.bucket = self.run(make_bucket(self.store))

    @rule(key=KEYS)
    def read(self, key: bytes) -> None:
        if key in self.model:
            assert self.run(get(self.store, self.bucket, key)) == self.model[key][0]
        else:
            with pytest.raises(ObjectNotFound):
                self.run(get(self.store, self.bucket, key))

    @invariant()
    def listing_is_the_model(self) -> None:
        if not hasattr(self, "bucket"):
            return
        base = self.bucket.record.id
        page = self.run(list_objects(self.store, Query(prefix=base)))
        assert [key[ID:] for key, _ in page.rows] == sorted(self.model)

    def teardown(self) -> None:
        if hasattr(self, "bucket"):
            self.run(self.end())
        self.run(self.stack.aclose())
        self.runner.close()

    async def end(self) -> None:
        """Everything reads as the model says; then all is removed and nothing is left."""
        for key, (data, etag) in self.model.items():
            assert await get(self.store, self.bucket, key) == data
            assert (await objects.head(self.store, self.bucket, key)).etag == etag
            await objects.delete(self.store, self.bucket, key)
        for upload in self.uploads:
            await uploads.abort(self.store, upload.row)
        self.skew += 30 * DAY
        await housekeeping.tidy(self.store)
        for table in ("object", "body", "layout", "part", "upload", "garbage"):
            assert await rows(self.store, table) == []
        assert await blob_ids(self.store) == set()


class DiskHistories(Histories):
    """The same over sqlite and files."""

    def __init__(self) -> None:
        super().__init__()
        self.directory = tempfile.TemporaryDirectory()

    async def open(self) -> Store:
        path = Path(self.directory.name)
        return await self.stack.enter_async_context(disk_store(path, self.now))

    def teardown(self) -> None:
        super().teardown()
        self.directory.cleanup()


BOUNDED = settings(max_examples=60, stateful_step_count=40, deadline=None, derandomize=True)

TestOnMemory = Histories.TestCase
TestOnMemory.settings = BOUNDED
TestOnDisk = DiskHistories.TestCase
TestOnDisk.settings = settings(BOUNDED, max_examples=8, stateful_step_count=30)
