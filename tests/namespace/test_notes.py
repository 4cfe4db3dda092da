"""Annotations: limits, what they go with, and that nothing of them is left."""

from __future__ import annotations

import base64

import pytest

from aisle.core.errors import (
    AnnotationNotFound,
    InvalidRequest,
    ObjectLocked,
    TooManyAnnotations,
)
from aisle.namespace import buckets, documents, edits, notes, objects
from aisle.namespace.objects import Description
from aisle.namespace.records import Annotated, Annotation, Lock, Object, decode, encode
from aisle.namespace.sealing.ring import Ring
from aisle.namespace.sealing.wishes import Wish
from aisle.namespace.store import BucketRow, Store
from aisle.store.base import Change, Put
from tests.namespace.support import (
    Data,
    interposed_store,
    make_bucket,
    memory_store,
    once,
    put,
    rows,
    run,
)

TABLES = ("annotation", "annotated", "note")


async def annotate(store: Store, bucket: BucketRow, name: bytes, text: bytes = b"text") -> Object:
    record, _ = await notes.put(store, bucket, b"k", name, text)
    return record


async def nothing_left(store: Store) -> bool:
    return not any([await rows(store, table) for table in TABLES])


def test_an_object_has_up_to_a_thousand() -> None:
    async def main() -> None:
        store = memory_store()
        bucket = await make_bucket(store)
        await put(store, bucket, b"k", b"1")
        record = await annotate(store, bucket, b"first")
        full = encode(Annotated(notes.MOST, 7))
        await store.index.commit(Put("annotated", record.notes, full))
        with pytest.raises(TooManyAnnotations):
            await annotate(store, bucket, b"second")
        await annotate(store, bucket, b"first", b"replaced")
        await notes.delete(store, bucket, b"k", b"first")
        await annotate(store, bucket, b"second")
        assert len(await rows(store, "note")) == 1

    run(main())


def test_nothing_of_them_is_left() -> None:
    async def main() -> None:
        store = memory_store()
        bucket = await make_bucket(store)
        for end in (
            lambda: objects.delete(store, bucket, b"k"),
            lambda: put(store, bucket, b"k", b"2"),
            lambda: edits.rename(store, bucket, b"other", b"k"),
        ):
            await put(store, bucket, b"k", b"1")
            await put(store, bucket, b"other", b"1")
            for name in (b"a", b"b"):
                await annotate(store, bucket, name)
            assert len(await rows(store, "note")) == 2
            await end()
            assert await nothing_left(store)

    run(main())


def test_one_that_comes_while_the_object_goes_is_not_left_behind() -> None:
    async def main() -> None:
        store, index = interposed_store()
        bucket = await make_bucket(store)
        await put(store, bucket, b"k", b"1")
        await annotate(store, bucket, b"a")

        async def another() -> None:
            await annotate(store, bucket, b"b")

        once(index, "scan", "annotation", another)
        await put(store, bucket, b"k", b"2")
        assert await nothing_left(store)
        await annotate(store, bucket, b"a")
        once(index, "scan", "annotation", another)
        await objects.delete(store, bucket, b"k")
        assert await nothing_left(store)

    run(main())


def test_those_of_a_version_stay_with_it() -> None:
    async def main() -> None:
        store = memory_store()
        bucket = await make_bucket(store)
        bucket = await buckets.set_versioning(store, bucket, suspended=False)
        first = await put(store, bucket, b"k", b"1")
        await annotate(store, bucket, b"a")
        await put(store, bucket, b"k", b"2")
        with pytest.raises(AnnotationNotFound):
            await notes.get(store, bucket, b"k", b"a")
        _, _, text = await notes.get(store, bucket, b"k", b"a", version=first.version)
        assert text == b"text"

    run(main())


@pytest.mark.parametrize("versions", [False, True])
def test_they_stay_through_a_rename(versions: bool) -> None:
    async def main() -> None:
        store = memory_store()
        bucket = await make_bucket(store, props={"versioning.enabled": versions})
        await put(store, bucket, b"k", b"1")
        for name in (b"a", b"b"):
            await annotate(store, bucket, name, b"text of " + name)
        await edits.rename(store, bucket, b"k", b"new")
        for name in (b"a", b"b"):
            _, _, text = await notes.get(store, bucket, b"new", name)
            assert text == b"text of " + name
        assert len(await rows(store, "note")) == (4 if versions else 2)

    run(main())


def test_the_text_of_an_encrypted_object_is_encrypted() -> None:
    async def main() -> None:
        store = memory_store()
        store.ring = Ring.parse("aisle/1:" + base64.b64encode(b"1" * 32).decode())
        bucket = await make_bucket(store)
        await put(store, bucket, b"k", b"1")
        text = b"a secret caption" * 9000
        _, made = await notes.put(store, bucket, b"k", b"a", text)
        kept = await store.index.get("note", made.note)
        assert kept is not None
        assert b"secret" not in kept
        _, _, told = await notes.get(store, bucket, b"k", b"a")
        assert told == text
        secret = Description(owner="me", wish=Wish(customer=b"c" * 32))
        await objects.put(store, bucket, b"k", Data(b"1"), secret)
        with pytest.raises(InvalidRequest):
            await annotate(store, bucket, b"a")

    run(main())


def test_those_of_a_locked_version_are_not_lost() -> None:
    async def main() -> None:
        store = memory_store()
        bucket = await make_bucket(store)
        bucket = await buckets.set_versioning(store, bucket, suspended=False)
        lock = Lock("GOVERNANCE", store.now() + 10**12)
        await objects.put(store, bucket, b"k", Data(b"1"), Description(owner="me", lock=lock))
        await annotate(store, bucket, b"a")
        with pytest.raises(ObjectLocked):
            await annotate(store, bucket, b"a", b"other")
        with pytest.raises(ObjectLocked):
            await notes.delete(store, bucket, b"k", b"a")
        await notes.delete(store, bucket, b"k", b"a", bypass=True)
        raw = await store.index.scan("annotation", limit=10)
        assert [decode(Annotation, row) for _, row in raw] == []

    run(main())


def test_who_watches_the_bucket_is_told_of_each_change_of_one() -> None:
    told: list[tuple[bytes, str]] = []

    class Ear:
        async def changes(
            self, store: Store, bucket: BucketRow, key: bytes, record: Object, event: str
        ) -> list[Change]:
            told.append((key, event))
            return [Put("undelivered", b"%d" % len(told), record.notes)]

    async def main() -> None:
        store = memory_store()
        bucket = await make_bucket(store)
        await put(store, bucket, b"k", b"1")
        await annotate(store, bucket, b"unheard")
        bucket = await documents.change(store, bucket, {documents.NOTIFICATION: b"x"})
        store.sinks.append(Ear())
        record = await annotate(store, bucket, b"a")
        await annotate(store, bucket, b"a", b"other")
        await notes.delete(store, bucket, b"k", b"a")
        await notes.delete(store, bucket, b"k", b"a")  # there is none
        assert told == [
            (b"k", "s3:ObjectAnnotation:Put"),
            (b"k", "s3:ObjectAnnotation:Put"),
            (b"k", "s3:ObjectAnnotation:Delete"),
        ]
        # What it remembers is part of the same batch.
        kept = await store.index.scan("undelivered", limit=10)
        assert [row for _, row in kept] == [record.notes] * 3

    run(main())
