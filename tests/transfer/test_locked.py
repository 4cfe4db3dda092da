"""What an import or a pull must not take away here: locks, versions, and other objects' notes."""

from __future__ import annotations

import msgspec
import pytest

from aisle.core.names import BucketName
from aisle.namespace import buckets, documents, edits, notes, objects
from aisle.namespace.locks import COMPLIANCE, GOVERNANCE
from aisle.namespace.records import Lock, Object
from aisle.namespace.store import BucketRow, Store
from aisle.namespace.windows import LOOK
from tests.namespace.locked import COMPLIANT, HELD, SOONER, lock_bucket
from tests.namespace.locked import put as put_locked
from tests.namespace.support import (
    get,
    interposed_store,
    make_bucket,
    memory_store,
    once,
    put,
    run,
)
from tests.namespace.versioned import check_invariants, get_version, ids, switch
from tests.transfer.support import Direct, export, import_all, pull


async def lock_it(store: Store, bucket: BucketRow, lock: Lock | None, version: str = "") -> None:
    def locked(old: Object) -> Object:
        return msgspec.structs.replace(old, lock=lock)

    await edits.change(store, bucket, b"k", locked, version=version)


def test_a_locked_object_that_has_gone_from_the_source_stays_without_versions_too() -> None:
    async def work() -> None:
        source, target = memory_store(), memory_store()
        bucket = await make_bucket(source)
        await put_locked(source, bucket, HELD)
        direct = Direct(source)
        await pull(target, direct, delete=True)
        await lock_it(source, bucket, None)
        await objects.delete(source, bucket, b"k")
        totals = await pull(target, direct, delete=True)
        assert totals.deleted == 0
        here = await buckets.find(target, "bucket")
        assert (await objects.head(target, here, b"k")).lock == HELD
        await lock_it(target, here, None)  # from then on it is the target's own

    run(work())


def test_a_bucket_that_begins_to_keep_versions_loses_no_object_to_a_pull() -> None:
    async def work() -> None:
        source = memory_store()
        target, index = interposed_store()
        bucket = await make_bucket(source)
        await put(source, bucket, b"k", b"data")
        direct = Direct(source)
        await pull(target, direct)
        await objects.delete(source, bucket, b"k")
        here = await buckets.find(target, "bucket")

        async def switched() -> None:
            await switch(target, here, suspended=False)

        once(index, "scan", "pulled", switched)
        await pull(target, direct, delete=True)
        assert (await buckets.find(target, "bucket")).record.versions == "Enabled"
        assert await get(target, here, b"k") == b"data"
        await check_invariants(target)

    run(work())


@pytest.mark.parametrize(
    ("here", "there", "after"),
    [
        (COMPLIANT, None, COMPLIANT),
        (COMPLIANT, Lock(COMPLIANCE, SOONER), COMPLIANT),
        (COMPLIANT, Lock(GOVERNANCE, COMPLIANT.until), COMPLIANT),
        (COMPLIANT, Lock(COMPLIANCE, COMPLIANT.until + 1), Lock(COMPLIANCE, COMPLIANT.until + 1)),
        (Lock(COMPLIANCE, SOONER), COMPLIANT, COMPLIANT),
        (HELD, None, None),  # whoever may take off a hold may do it like this
    ],
)
def test_an_import_makes_no_compliance_weaker(
    here: Lock, there: Lock | None, after: Lock | None
) -> None:
    async def work() -> None:
        source, target = memory_store(), memory_store()
        bucket = await lock_bucket(source)
        record = await put_locked(source, bucket)
        await import_all(target, await export(source))
        row = await buckets.find(target, "bucket")
        await lock_it(target, row, here)
        await lock_it(source, bucket, there)
        totals = await import_all(target, await export(source), overwrite=True)
        assert totals.refused == (after != there)
        how = LOOK._replace(version=record.version)
        assert (await objects.head(target, row, b"k", how)).lock == after
        await check_invariants(target)

    run(work())


@pytest.mark.parametrize("locks", [False, True])
def test_an_import_does_not_switch_off_what_keeps_versions(locks: bool) -> None:
    async def work() -> None:
        source, target = memory_store(), memory_store()
        bucket = await make_bucket(source)
        await put(source, bucket, b"other", b"data")
        if locks:  # versions there, but nothing that keeps them
            bucket = await switch(source, bucket, suspended=False)
        here = await (lock_bucket(target) if locks else make_bucket(target))
        here = await switch(target, here, suspended=False)
        first = await put_locked(target, here, COMPLIANT if locks else None)
        await put_locked(target, here)
        told: list[str] = []
        totals = await import_all(target, await export(source), overwrite=True, tell=told.append)
        assert totals.kept == 1
        assert told == ["kept ais://bucket as it is at the target: its versions may be needed"]
        row = await buckets.find(target, "bucket")
        assert row.record == here.record
        kept = (await documents.of(target, row)).raw
        assert (documents.LOCK in kept) == locks
        assert len(await ids(target, row, b"k")) == 2
        assert await get_version(target, row, b"k", first.version)
        assert await get(target, row, b"other") == b"data"
        await check_invariants(target)

    run(work())


@pytest.mark.parametrize("versions", [False, True])
def test_objects_that_were_imported_have_notes_of_their_own(versions: bool) -> None:
    async def work() -> None:
        store = memory_store()
        bucket = await make_bucket(store)
        if versions:
            bucket = await switch(store, bucket, suspended=False)
        await put(store, bucket, b"k", b"data")
        await notes.put(store, bucket, b"k", b"note", b"text")
        stream = await export(store)
        name = BucketName("renamed")
        await buckets.rename(store, bucket.name, name, identity=bucket.record.id)
        totals = await import_all(store, stream)
        assert (totals.objects, totals.notes, totals.refused) == (1, 1, 0)
        again = await import_all(store, stream)
        assert (again.objects, again.skipped, again.kept) == (0, 3, 0)
        here, before = await buckets.find(store, "bucket"), await buckets.get(store, name)
        await notes.put(store, here, b"k", b"note", b"mine")
        _, _, text = await notes.get(store, before, b"k", b"note")
        assert text == b"text"
        await notes.delete(store, here, b"k", b"note")
        await objects.delete(store, here, b"k")
        _, _, text = await notes.get(store, before, b"k", b"note")
        assert text == b"text"

    run(work())
