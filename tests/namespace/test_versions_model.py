"""Random histories of a bucket that keeps versions against a plain model: on the memory engines,
and on the real ones."""

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

from aisle.core.errors import (
    BucketNotEmpty,
    DeleteMarkerFound,
    DeleteMarkerNamed,
    ObjectNotFound,
    PreconditionFailed,
    VersionNotFound,
)
from aisle.namespace import buckets, copies, destroy, housekeeping, objects, uploads
from aisle.namespace.conditions import UNCONDITIONAL, WriteConditions
from aisle.namespace.listing import ID, Query, list_objects
from aisle.namespace.objects import Description
from aisle.namespace.records import Object
from aisle.namespace.store import BucketRow, Store
from aisle.namespace.uploads import UploadRow
from aisle.namespace.versions import ids, removal
from aisle.namespace.windows import READ
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
from tests.namespace.versioned import (
    NULL,
    Version,
    all_versions,
    check_invariants,
    get_version,
    marker_of,
    switch,
)

KEYS = st.sampled_from([b"a", b"a\x00", b"a/b", "é".encode()])
SIZES = st.sampled_from([0, 1, 1000, LARGE, 3 * LARGE])
PICKS = st.integers(0, 99)


class Kept(NamedTuple):
    """A version as the model has it; a marker has no bytes."""

    version: str
    data: bytes | None
    etag: str = ""


class Histories(RuleBasedStateMachine):
    """A bucket beside what it must hold: for each key its versions, the newest first."""

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.run = self.runner.run
        self.stack = AsyncExitStack()
        self.skew = 0
        self.seed = 0
        self.status = ""
        self.model: dict[bytes, list[Kept]] = {}
        self.gone: list[tuple[bytes, str]] = []
        self.upload: tuple[UploadRow, bytes, list[bytes]] | None = None

    async def open(self) -> Store:
        return memory_store(self.now)

    def now(self) -> int:
        return time.time_ns() + self.skew

    @initialize()
    def make(self) -> None:
        self.store = self.run(self.open())
        self.run(self.store.change_config({"multipart.min_part_size": "0"}))
        self.bucket: BucketRow = self.run(make_bucket(self.store))

    def data(self, size: int) -> bytes:
        self.seed += 1
        return pattern(size, self.seed)

    def current(self, key: bytes) -> Kept | None:
        """The version that reads without an id give."""
        top = next(iter(self.model.get(key, [])), None)
        return top if top is not None and top.data is not None else None

    def push(self, key: bytes, kept: Kept) -> None:
        """A new version or marker, as the bucket's status has it."""
        versions = self.model.setdefault(key, [])
        if kept.version == NULL:
            versions[:] = [each for each in versions if each.version != NULL]
        versions.insert(0, kept)

    def written(self, key: bytes, data: bytes, record: Object) -> None:
        assert bool(record.version) == (self.status == "Enabled")
        self.push(key, Kept(ids.shown(record.version), data, record.etag))

    def pick(self, pick: int) -> tuple[bytes, Kept] | None:
        entries = [(key, kept) for key, versions in self.model.items() for kept in versions]
        return entries[pick % len(entries)] if entries else None

    # --- what changes the bucket ----------------------------------------------------------------

    @rule(suspended=st.sampled_from([False, False, True]))
    def switch(self, suspended: bool) -> None:
        self.bucket = self.run(switch(self.store, self.bucket, suspended=suspended))
        self.status = "Suspended" if suspended else "Enabled"

    @rule(key=KEYS, size=SIZES)
    def put(self, key: bytes, size: int) -> None:
        data = self.data(size)
        self.written(key, data, self.run(put(self.store, self.bucket, key, data)))

    @rule(key=KEYS, right=st.booleans(), create=st.booleans())
    def put_if(self, key: bytes, right: bool, create: bool) -> None:
        present, data = self.current(key), self.data(100)
        condition = WriteConditions(if_none_match="*") if create else WriteConditions(
            if_match=present.etag if present and right else "0" * 32
        )  # fmt: skip
        allowed = present is None if create else bool(present and right)
        try:
            record = self.run(put(self.store, self.bucket, key, data, condition))
        except (PreconditionFailed, ObjectNotFound):
            assert not allowed
        else:
            assert allowed
            self.written(key, data, record)

    @rule(key=KEYS, condition=st.sampled_from(["", "", "right", "wrong"]))
    def delete(self, key: bytes, condition: str) -> None:
        present = self.current(key)
        conditions = UNCONDITIONAL
        if condition:
            etag = present.etag if present and condition == "right" else "0" * 32
            conditions = WriteConditions(if_match=etag)
        try:
            done = self.run(objects.delete(self.store, self.bucket, key, conditions=conditions))
        except (PreconditionFailed, ObjectNotFound):
            assert condition == "wrong" or (condition and present is None)
            return
        assert done.found == (present is not None)
        if self.status:
            self.push(key, Kept(marker_of(done), None))
        else:
            assert done.marker is None
            self.model.pop(key, None)

    @rule(pick=PICKS, condition=st.sampled_from(["", "", "right", "wrong"]))
    def remove(self, pick: int, condition: str) -> None:
        """Take a version or a marker out for good."""
        found = self.pick(pick)
        if found is None:
            return
        key, kept = found
        conditions = UNCONDITIONAL
        if condition:
            conditions = WriteConditions(if_match=kept.etag if condition == "right" else "0" * 32)
        work = removal.remove(self.store, self.bucket, key, kept.version, conditions=conditions)
        try:
            removed = self.run(work)
        except PreconditionFailed:
            assert condition == "wrong" or kept.data is None
            return
        assert condition != "wrong"
        version = "" if kept.version == NULL else kept.version
        assert removed == removal.Removed(version, kept.data is None)
        self.model[key].remove(kept)
        if kept.version != NULL:
            self.gone.append((key, kept.version))

    @rule(key=KEYS)
    def remove_null(self, key: bytes) -> None:
        removed = self.run(removal.remove(self.store, self.bucket, key, NULL))
        versions = self.model.get(key, [])
        null = [kept for kept in versions if kept.version == NULL]
        assert (removed is not None) == bool(null)
        for kept in null:
            versions.remove(kept)

    @rule(pick=PICKS, key=KEYS)
    def copy(self, pick: int, key: bytes) -> None:
        """Copy a version, be it onto its own key."""

        async def copy(source: bytes, version: str) -> Object:
            how = READ._replace(version=version)
            found, small = await objects.find_small(self.store, self.bucket, source, how)
            return await copies.copy(
                self.store, found, self.bucket, key, Description(), small=small
            )  # fmt: skip

        picked = self.pick(pick)
        if picked is None:
            return
        source, kept = picked
        if kept.data is None:
            with pytest.raises(DeleteMarkerNamed):
                self.run(copy(source, kept.version))
            return
        self.written(key, kept.data, self.run(copy(source, kept.version)))

    @rule(key=KEYS, count=st.sampled_from([1, 2, 6]), size=st.sampled_from([0, 10, LARGE]))
    def begin(self, key: bytes, count: int, size: int) -> None:
        if self.upload is not None:
            return
        row = self.run(begin(self.store, self.bucket, key))
        parts = [self.data(size) for _ in range(count)]
        for number, data in enumerate(parts, 1):
            self.run(put_part(self.store, self.bucket, row, number, data))
        self.upload = row, key, parts

    @precondition(lambda self: self.upload is not None)
    @rule(create=st.booleans())
    def complete(self, create: bool) -> None:
        async def finish(row: UploadRow) -> Object:
            parts = await uploads.list_parts(self.store, row, after=0, limit=99)
            conditions = WriteConditions(if_none_match="*") if create else UNCONDITIONAL
            return await complete(self.store, self.bucket, row, *parts, conditions=conditions)

        assert self.upload is not None
        row, key, parts = self.upload
        try:
            record = self.run(finish(row))
        except PreconditionFailed:
            assert create
            assert self.current(key) is not None
            return
        self.upload = None
        self.written(key, b"".join(parts), record)

    @rule(days=st.sampled_from([0, 0, 1, -1]))
    def keep_house(self, days: int) -> None:
        self.skew += days * DAY if abs(self.skew + days * DAY) < 5 * DAY else 0
        report = housekeeping.Report()
        self.run(housekeeping.tidy(self.store))
        self.run(housekeeping.sweep_blobs(self.store, report, min_age=0))
        self.run(housekeeping.find_missing(self.store, report))
        assert (report.missing, report.orphans) == ([], 0)

    @rule(whole=st.sampled_from([False, False, False, True]))
    def delete_bucket(self, whole: bool) -> None:
        """DeleteBucket, or a destruction with all versions."""
        if whole:
            count = sum(self.current(key) is not None for key in self.model)
            assert self.run(destroy.destroy(self.store, self.bucket.name)) == count
            self.model.clear()
            self.upload = None
        elif any(self.model.values()):
            with pytest.raises(BucketNotEmpty):
                self.run(buckets.delete(self.store, self.bucket.name))
            return
        else:
            self.run(buckets.delete(self.store, self.bucket.name))
            self.run(uploads.discard_all(self.store, self.bucket.record.id))
            self.upload = None
        self.status = ""
        self.bucket = self.run(make_bucket(self.store))

    # --- what is read ---------------------------------------------------------------------------

    @rule(key=KEYS)
    def read(self, key: bytes) -> None:
        present = self.current(key)
        if present is not None:
            assert self.run(get(self.store, self.bucket, key)) == present.data
            return
        with pytest.raises(ObjectNotFound) as missing:
            self.run(get(self.store, self.bucket, key))
        assert isinstance(missing.value, DeleteMarkerFound) == bool(self.model.get(key))

    @rule(pick=PICKS)
    def read_version(self, pick: int) -> None:
        found = self.pick(pick)
        if found is None:
            return
        key, kept = found
        if kept.data is None:
            with pytest.raises(DeleteMarkerNamed):
                self.run(get_version(self.store, self.bucket, key, kept.version))
        else:
            assert self.run(get_version(self.store, self.bucket, key, kept.version)) == kept.data

    @precondition(lambda self: self.gone)
    @rule(pick=PICKS)
    def read_what_is_gone(self, pick: int) -> None:
        key, version = self.gone[pick % len(self.gone)]
        with pytest.raises(VersionNotFound):
            self.run(get_version(self.store, self.bucket, key, version))
        assert self.run(removal.remove(self.store, self.bucket, key, version)) is None

    @rule(limit=st.sampled_from([1, 2, 3, 1000]))
    def list_versions(self, limit: int) -> None:
        expected = [
            Version(key, kept.version, not at, kept.data is None, len(kept.data or b""))
            for key in sorted(self.model)
            for at, kept in enumerate(self.model[key])
        ]
        assert self.run(all_versions(self.store, self.bucket, limit=limit)) == expected

    @invariant()
    def rows_are_as_promised(self) -> None:
        if not hasattr(self, "bucket"):
            return
        page = self.run(list_objects(self.store, Query(prefix=self.bucket.record.id)))
        current = [key for key in sorted(self.model) if self.current(key) is not None]
        assert [key[ID:] for key, _ in page.rows] == current
        self.run(check_invariants(self.store))

    def teardown(self) -> None:
        if hasattr(self, "bucket"):
            self.run(self.end())
        self.run(self.stack.aclose())
        self.runner.close()

    async def end(self) -> None:
        """Everything reads as the model says; then each version is removed and nothing is left."""
        for key, versions in self.model.items():
            for kept in versions:
                if kept.data is not None:
                    found = await get_version(self.store, self.bucket, key, kept.version)
                    assert found == kept.data
                    assert "-" in kept.etag or kept.etag == etag_of(found)
            for kept in versions:
                await removal.remove(self.store, self.bucket, key, kept.version)
        if self.upload is not None:
            await uploads.abort(self.store, self.upload[0])
        await buckets.delete(self.store, self.bucket.name)
        self.skew += 30 * DAY
        await housekeeping.tidy(self.store)
        for table in ("object", "version", "null", "hidden", "body", "layout", "part", "garbage"):
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


BOUNDED = settings(max_examples=80, stateful_step_count=40, deadline=None, derandomize=True)

TestOnMemory = Histories.TestCase
TestOnMemory.settings = BOUNDED
TestOnDisk = DiskHistories.TestCase
TestOnDisk.settings = settings(BOUNDED, max_examples=8, stateful_step_count=30)
