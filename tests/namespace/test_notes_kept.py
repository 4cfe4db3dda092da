"""Annotations where a version is written anew: they stay with it, whatever happens beside."""

from __future__ import annotations

import os

import msgspec
import pytest

from aisle.namespace import appends, edits, notes, objects
from aisle.namespace.appends import Handle
from aisle.namespace.objects import Description
from aisle.namespace.records import Object
from aisle.namespace.sealing import rotation
from aisle.namespace.sealing.ring import Ring
from aisle.namespace.store import BucketRow, Store
from tests.namespace.support import Data, get, interposed_store, make_bucket, once, rows, run

KEY = b"log"
SECRETS = {1: os.urandom(32), 2: os.urandom(32)}
OLD, NEW = Ring({"aisle": {1: SECRETS[1]}}), Ring({"aisle": SECRETS})
BOTH = {b"a": b"first", b"b": b"second"}
SUSPENDED = {"versioning.enabled": False}


async def texts(store: Store, bucket: BucketRow, version: str = "") -> dict[bytes, bytes]:
    page = await notes.listed(store, bucket, KEY, version=version)
    return {
        name: (await notes.get(store, bucket, KEY, name, version=version))[2]
        for name, _ in page.found
    }


async def begun(store: Store, bucket: BucketRow) -> Handle:
    """An object with two annotations, and a session that is to append to it."""
    said = Description(owner="me", tags={"t": "1"})
    await objects.put(store, bucket, KEY, Data(b"one"), said)
    for name, text in BOTH.items():
        await notes.put(store, bucket, KEY, name, text)
    handle = await appends.begin(store, bucket, KEY, Description(owner="me"))
    return await appends.append(store, bucket, KEY, handle, Data(b" two"))


async def rotate(store: Store) -> None:
    """Wrap the key of the object anew, with the newest version of that of the ring."""
    store.ring = NEW
    found = await store.index.scan("object", limit=10)
    assert (await rotation.rotate(store, "object", found)).rotated == 1


async def tag(store: Store, bucket: BucketRow) -> None:
    def tagged(old: Object) -> Object:
        return msgspec.structs.replace(old, tags={"t": "2"})

    await edits.change(store, bucket, KEY, tagged)


async def nothing_more(store: Store) -> None:
    """There are rows of two annotations, and of no others."""
    for table, number in (("annotation", 2), ("note", 2), ("annotated", 1)):
        assert len(await rows(store, table)) == number


def test_an_append_keeps_them_while_keys_are_rotated() -> None:
    async def main() -> None:
        store, _ = interposed_store()
        store.ring = OLD
        bucket = await make_bucket(store)
        handle = await begun(store, bucket)
        await rotate(store)
        record = await appends.flush(store, bucket, KEY, handle)
        assert await get(store, bucket, KEY) == b"one two"
        assert record.sealed is not None
        assert record.sealed.key == "aisle/2"
        assert await texts(store, bucket) == BOTH
        await nothing_more(store)

    run(main())


def test_an_append_that_encrypts_the_object_encrypts_them_too() -> None:
    async def main() -> None:
        store, _ = interposed_store()
        bucket = await make_bucket(store)
        await begun(store, bucket)
        store.ring = OLD  # from now on what is new is encrypted
        handle = await appends.begin(store, bucket, KEY, Description(owner="me"))
        handle = await appends.append(store, bucket, KEY, handle, Data(b" two"))
        assert (await appends.flush(store, bucket, KEY, handle)).sealed is not None
        assert await texts(store, bucket) == BOTH
        await nothing_more(store)
        kept = [raw for _, raw in await store.index.scan("note", limit=10)]
        assert not set(kept) & set(BOTH.values())

    run(main())


@pytest.mark.parametrize("tags", [{"t": "2"}, {"t": "1"}])
def test_what_is_said_of_the_object_while_it_is_written_anew_is_not_lost(
    tags: dict[str, str],
) -> None:
    async def main() -> None:
        store, index = interposed_store()
        store.ring = OLD
        bucket = await make_bucket(store)
        handle = await begun(store, bucket)
        await rotate(store)

        async def between() -> None:
            if tags != {"t": "1"}:
                await tag(store, bucket)
            await notes.put(store, bucket, KEY, b"b", b"third")

        once(index, "scan", "annotation", between)
        assert (await appends.flush(store, bucket, KEY, handle)).tags == tags
        assert await texts(store, bucket) == {b"a": b"first", b"b": b"third"}
        await nothing_more(store)

    run(main())


def test_a_null_version_that_an_append_replaces_hands_them_on() -> None:
    async def main() -> None:
        store, _ = interposed_store()
        bucket = await make_bucket(store, props=SUSPENDED)
        handle = await begun(store, bucket)
        await appends.flush(store, bucket, KEY, handle)
        assert await texts(store, bucket) == BOTH
        await nothing_more(store)

    run(main())


@pytest.mark.parametrize("size", [10, 3 << 20])
def test_many_of_them_are_handed_on(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        store, _ = interposed_store()
        store.ring = OLD
        bucket = await make_bucket(store)
        handle = await begun(store, bucket)
        await rotate(store)
        monkeypatch.setattr(notes, "_TOGETHER", size)
        await appends.flush(store, bucket, KEY, handle)
        assert await texts(store, bucket) == BOTH
        await nothing_more(store)

    run(main())


def test_texts_that_were_written_ahead_in_vain_do_not_stay(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def main() -> None:
        store, index = interposed_store()
        store.ring = OLD
        bucket = await make_bucket(store)
        handle = await begun(store, bucket)
        await rotate(store)
        monkeypatch.setattr(notes, "_TOGETHER", 1)

        async def between() -> None:
            await tag(store, bucket)

        once(index, "scan", "annotation", between)
        await appends.flush(store, bucket, KEY, handle)
        assert await texts(store, bucket) == BOTH
        await nothing_more(store)

    run(main())
