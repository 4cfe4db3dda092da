"""Encrypted objects in the namespace: every way to write, read, copy and change one."""

from __future__ import annotations

import base64
from pathlib import Path

import msgspec
import pytest

from aisle.core.errors import (
    CustomerKeyNeeded,
    CustomerKeyUnused,
    CustomerKeyWrong,
    EncryptionBlocked,
    KeyNotFound,
    KeyRingMissing,
    KeyUnusable,
    ObjectNotFound,
    SealBroken,
)
from aisle.namespace import appends, bodies, copies, documents, edits, objects, uploads
from aisle.namespace.archives import making
from aisle.namespace.objects import Description
from aisle.namespace.records import Object, decode, encode
from aisle.namespace.sealing import rotation, wishes
from aisle.namespace.sealing.ring import Ring
from aisle.namespace.sealing.wishes import Rule, Wish
from aisle.namespace.store import BucketRow, Store
from aisle.namespace.uploads import NamedPart
from aisle.namespace.windows import LOOK, PART, READ
from aisle.store.base import Put
from tests.namespace.support import (
    NO_CLAIMS,
    Data,
    disk_store,
    etag_of,
    get,
    make_bucket,
    memory_store,
    pattern,
    run,
)

ONE, TWO, THREE = (base64.b64encode(bytes([n]) * 32).decode() for n in (1, 2, 3))
RING = Ring.parse(f"aisle/1:{ONE},reports/1:{TWO}")
ROTATED = Ring.parse(f"aisle/1:{ONE},aisle/2:{THREE},reports/1:{TWO}")
CUSTOMER, OTHER = b"c" * 32, b"o" * 32
SMALL, LARGE = pattern(1000), pattern(300_000)
WISHES = {
    "default": None,
    "AES256": Wish("AES256"),
    "kms": Wish("aws:kms", "reports", '{"a":"b"}', True),
    "dsse": Wish("aws:kms:dsse"),
    "customer": Wish(customer=CUSTOMER),
}
modes = pytest.mark.parametrize("mode", WISHES)
sizes = pytest.mark.parametrize("data", [b"", SMALL, LARGE], ids=["empty", "small", "large"])


def sealed_store(ring: Ring | None = RING) -> Store:
    store = memory_store()
    store.ring = ring
    return store


def described(mode: str) -> Description:
    return Description(owner="me", wish=WISHES[mode])


def key_of(mode: str) -> bytes:
    return CUSTOMER if mode == "customer" else b""


async def write(store: Store, bucket: BucketRow, key: bytes, data: bytes, mode: str) -> Object:
    return await objects.put(store, bucket, key, Data(data), described(mode))


async def read(store: Store, bucket: BucketRow, key: bytes, customer: bytes = b"") -> bytes:
    how = READ._replace(customer_key=customer)
    found, small = await objects.find_small(store, bucket, key, how)
    if small is not None:
        return small
    stream = bodies.read_extents(store, found.extents, 0, found.record.size)
    return b"".join([piece async for piece in stream])


async def everything(store: Store) -> bytes:
    """All that the engines hold, rows and blobs."""
    held = []
    for table in ("object", "version", "body", "upload", "part", "layout", "done"):
        held += [raw for _, raw in await store.index.scan(table, limit=1000)]
    async for info in store.blobs.scan():
        body = await store.blobs.open(info.blob, 0, info.size)
        while piece := await body.read(1 << 20):
            held.append(piece)
        body.close()
    return b"".join(held)


@modes
@sizes
def test_what_was_written_is_read_and_only_what_is_sealed_is_kept(mode: str, data: bytes) -> None:
    async def test() -> None:
        store = sealed_store()
        bucket = await make_bucket(store)
        record = await write(store, bucket, b"key", data, mode)
        assert record.size == len(data)
        assert record.sealed is not None
        assert await read(store, bucket, b"key", key_of(mode)) == data
        if data:
            kept = await everything(store)
            assert data[:64] not in kept
            assert data[-64:] not in kept
            assert CUSTOMER not in kept
        plain_md5 = record.sealed.mode == "AES256"
        assert (record.etag == etag_of(data)) == plain_md5
        assert len(record.etag) == 32

    run(test())


@modes
def test_ranges_over_the_ends_of_parts_and_frames(mode: str) -> None:
    async def test() -> None:
        store = sealed_store()
        bucket = await make_bucket(store)
        upload = await uploads.create(store, bucket, b"key", described(mode), checksum_type="")
        row = await uploads.find(store, bucket, b"key", upload.id.hex())
        pieces = [pattern(5 << 20, 1), pattern(5 << 20, 2), pattern(70_000, 3), pattern(10, 4)]
        named = []
        for number, piece in enumerate(pieces, 1):
            part = await uploads.put_part(
                store, bucket, row, number, Data(piece), customer_key=key_of(mode)
            )
            named.append(NamedPart(number, part.etag, {}))
        kept = await everything(store)
        assert not any(piece[:10] in kept for piece in pieces[:3])
        await store.change_config({"multipart.min_part_size": "1"})
        record = await uploads.complete(store, bucket, row, named, NO_CLAIMS)
        whole = b"".join(pieces)
        assert await read(store, bucket, b"key", key_of(mode)) == whole
        how = PART._replace(customer_key=key_of(mode))
        found, _ = await objects.find_small(store, bucket, b"key", how)
        for start in (0, 65_535, (5 << 20) - 1, (10 << 20) - 70_000, len(whole) - 12):
            for length in (1, 2, 65_537, 200_000):
                stretch = min(length, len(whole) - start)
                stream = bodies.read_extents(store, found.extents, start, stretch)
                got = b"".join([piece async for piece in stream])
                assert got == whole[start : start + stretch]
        assert record.sealed == upload.sealed

    run(test())


def test_without_a_ring_nothing_is_encrypted_unless_a_client_has_its_own_key() -> None:
    async def test() -> None:
        store = sealed_store(None)
        bucket = await make_bucket(store)
        assert (await write(store, bucket, b"key", SMALL, "default")).sealed is None
        for mode in ("AES256", "kms", "dsse"):
            with pytest.raises(KeyRingMissing):
                await write(store, bucket, b"key", SMALL, mode)
        await write(store, bucket, b"customer", LARGE, "customer")
        assert await read(store, bucket, b"customer", CUSTOMER) == LARGE
        assert await get(store, bucket, b"key") == SMALL

    run(test())


@sizes
def test_a_client_s_key_is_needed_right_and_for_what_it_is_for(data: bytes) -> None:
    async def test() -> None:
        store = sealed_store()
        bucket = await make_bucket(store)
        await write(store, bucket, b"mine", data, "customer")
        await write(store, bucket, b"ours", data, "AES256")
        for how in (READ, PART):
            for find in (objects.find, objects.find_small):
                with pytest.raises(CustomerKeyNeeded):
                    await find(store, bucket, b"mine", how)
                with pytest.raises(CustomerKeyWrong):
                    await find(store, bucket, b"mine", how._replace(customer_key=OTHER))
                with pytest.raises(CustomerKeyUnused):
                    await find(store, bucket, b"ours", how._replace(customer_key=CUSTOMER))
        found = await objects.find(store, bucket, b"mine", LOOK)
        assert found.record.size == len(data)
        if data:
            with pytest.raises(CustomerKeyNeeded):
                await anext(bodies.read_extents(store, found.extents, 0, 1))

    run(test())


def test_a_key_that_is_gone_from_the_ring_is_told_of() -> None:
    async def test() -> None:
        store = sealed_store()
        bucket = await make_bucket(store)
        await write(store, bucket, b"key", SMALL, "kms")
        store.ring = Ring.parse(f"aisle/1:{ONE}")
        with pytest.raises(KeyUnusable, match="reports/1"):
            await get(store, bucket, b"key")
        with pytest.raises(KeyNotFound):
            await write(store, bucket, b"other", SMALL, "kms")
        store.ring = None
        with pytest.raises(KeyRingMissing):
            await get(store, bucket, b"key")
        with pytest.raises(ObjectNotFound):
            await objects.head(store, bucket, b"other")

    run(test())


@pytest.mark.parametrize("to", WISHES)
@modes
@sizes
def test_copies_are_encrypted_as_they_are_asked_to_be(mode: str, to: str, data: bytes) -> None:
    async def test() -> None:
        store = sealed_store()
        bucket = await make_bucket(store)
        await write(store, bucket, b"from", data, mode)
        how = READ._replace(customer_key=key_of(mode))
        found, small = await objects.find_small(store, bucket, b"from", how)
        record = await copies.copy(store, found, bucket, b"to", described(to), small=small)
        assert found.record.sealed is not None
        assert record.sealed is not None
        assert record.sealed.wrapped != found.record.sealed.wrapped
        assert await read(store, bucket, b"to", key_of(to)) == data
        await objects.delete(store, bucket, b"from")
        assert await read(store, bucket, b"to", key_of(to)) == data

    run(test())


@modes
def test_an_object_changes_its_description_in_place_only_if_its_encryption_stays(mode: str) -> None:
    async def test() -> None:
        store = sealed_store()
        bucket = await make_bucket(store)
        record = await write(store, bucket, b"key", SMALL, mode)
        how = READ._replace(customer_key=key_of(mode))
        found = await objects.find(store, bucket, b"key", how)
        for to in WISHES:
            same = (to == mode and mode != "customer") or {to, mode} == {"AES256", "default"}
            changed = await copies.redescribe(store, found, bucket, b"key", described(to))
            assert (changed is not None) == same, to
            if changed is not None:
                assert changed.sealed == record.sealed
                found = found._replace(record=changed)
        assert await read(store, bucket, b"key", key_of(mode)) == SMALL

    run(test())


def test_a_renamed_object_keeps_its_key() -> None:
    async def test() -> None:
        store = sealed_store()
        bucket = await make_bucket(store)
        await write(store, bucket, b"from", LARGE, "customer")
        await edits.rename(store, bucket, b"from", b"to")
        assert await read(store, bucket, b"to", CUSTOMER) == LARGE

    run(test())


async def _append(store: Store, bucket: BucketRow, key: bytes, *pieces: bytes) -> None:
    handle = await appends.begin(store, bucket, key, Description(owner="me"))
    for piece in pieces:
        handle = await appends.append(store, bucket, key, handle, Data(piece))
    await appends.flush(store, bucket, key, handle)


@pytest.mark.parametrize("mode", ["default", "kms", "dsse"])
@sizes
def test_appends_keep_the_encryption_and_copy_nothing(mode: str, data: bytes) -> None:
    async def test() -> None:
        store = sealed_store()
        bucket = await make_bucket(store)
        before = await write(store, bucket, b"key", data, mode)
        await _append(store, bucket, b"key", SMALL, LARGE)
        record = await objects.head(store, bucket, b"key")
        assert record.sealed == before.sealed
        assert record.extents[: len(before.extents)] == before.extents
        assert await get(store, bucket, b"key") == data + SMALL + LARGE
        assert SMALL[:64] not in await everything(store)

    run(test())


def test_many_small_pieces_become_one_that_is_sealed() -> None:
    async def test() -> None:
        store = sealed_store()
        bucket = await make_bucket(store)
        pieces = [pattern(2000, seed) for seed in range(130)]
        await _append(store, bucket, b"key", *pieces)
        record = await objects.head(store, bucket, b"key")
        assert len(record.extents) < 130
        assert await get(store, bucket, b"key") == b"".join(pieces)
        assert pieces[1][:64] not in await everything(store)

    run(test())


@pytest.mark.parametrize("before", [None, RING])
def test_an_object_that_was_replaced_while_a_session_went_on(before: Ring | None) -> None:
    async def test() -> None:
        store = sealed_store(before)
        bucket = await make_bucket(store)
        handle = await appends.begin(store, bucket, b"key", Description(owner="me"))
        handle = await appends.append(store, bucket, b"key", handle, Data(SMALL))
        store.ring = RING
        await write(store, bucket, b"key", LARGE, "kms")
        record = await appends.flush(store, bucket, b"key", handle)
        assert record.sealed is not None
        assert record.sealed.mode == "aws:kms"
        assert await get(store, bucket, b"key") == LARGE + SMALL

    run(test())


def test_nobody_appends_to_what_only_a_client_can_read() -> None:
    async def test() -> None:
        store = sealed_store()
        bucket = await make_bucket(store)
        handle = await appends.begin(store, bucket, b"key", Description(owner="me"))
        handle = await appends.append(store, bucket, b"key", handle, Data(SMALL))
        await write(store, bucket, b"key", LARGE, "customer")
        with pytest.raises(CustomerKeyNeeded):
            await appends.begin(store, bucket, b"key", Description(owner="me"))
        with pytest.raises(CustomerKeyNeeded):
            await appends.flush(store, bucket, b"key", handle)
        assert await read(store, bucket, b"key", CUSTOMER) == LARGE

    run(test())


def test_archives_are_sealed_on_their_way_too(tmp_path: Path) -> None:
    async def test() -> None:
        async with disk_store(tmp_path) as store:
            store.ring = RING
            bucket = await make_bucket(store)
            for name, data in ((b"one", SMALL), (b"two", LARGE)):
                await making.put_file(
                    store,
                    bucket,
                    b"a.tar",
                    name.decode(),
                    Data(data),
                    algorithms=frozenset(),
                    mode=making.Mode.APPEND_OR_PUT,
                )
            whole = await get(store, bucket, b"a.tar")
            assert SMALL in whole
            assert LARGE in whole
            kept = await everything(store)
            assert SMALL[:64] not in kept
            assert LARGE[:64] not in kept

    run(test())


def test_bytes_of_another_object_fail_closed(tmp_path: Path) -> None:
    async def test() -> None:
        store = sealed_store()
        bucket = await make_bucket(store)
        mine = await write(store, bucket, b"mine", LARGE, "kms")
        other = await write(store, bucket, b"other", LARGE[::-1], "kms")
        for extents in (
            other.extents,
            [msgspec.structs.replace(other.extents[0], seal=mine.extents[0].seal)],
        ):
            forged = msgspec.structs.replace(mine, extents=extents)
            await store.index.commit(Put("object", bucket.record.id + b"mine", encode(forged)))
            with pytest.raises(SealBroken):
                await get(store, bucket, b"mine")

    run(test())


def test_what_a_bucket_says_comes_before_the_default_and_the_client_before_it() -> None:
    async def test() -> None:
        store = sealed_store()
        bucket = await make_bucket(store)
        rule = Rule("aws:kms", "alias/reports", True, (wishes.SSE_C,))
        change = {documents.ENCRYPTION: wishes.encode_rule(rule)}
        bucket = await documents.change(store, bucket, change)
        sealed = (await write(store, bucket, b"key", SMALL, "default")).sealed
        assert sealed is not None
        assert (sealed.mode, sealed.key, sealed.bucket_key) == ("aws:kms", "reports/1", True)
        sealed = (await write(store, bucket, b"key", SMALL, "AES256")).sealed
        assert sealed is not None
        assert (sealed.mode, sealed.key, sealed.bucket_key) == ("AES256", "aisle/1", False)
        with pytest.raises(EncryptionBlocked):
            await write(store, bucket, b"key", SMALL, "customer")
        store.ring = None
        with pytest.raises(KeyRingMissing):
            await write(store, bucket, b"key", SMALL, "default")

    run(test())


def test_rotation_changes_rows_alone_and_passes_over_what_clients_have_keys_to() -> None:
    async def test() -> None:
        store = sealed_store()
        bucket = await make_bucket(store)
        before = {mode: await write(store, bucket, mode.encode(), LARGE, mode) for mode in WISHES}
        store.ring = ROTATED
        rows = await store.index.scan("object", limit=100)
        done = await rotation.rotate(store, "object", rows)
        assert done == (3, 0)  # those of the key aisle
        for mode, old in before.items():
            record = await objects.head(store, bucket, mode.encode())
            assert record.sealed is not None
            assert old.sealed is not None
            assert msgspec.structs.replace(record, sealed=None) == msgspec.structs.replace(
                old, sealed=None
            )
            assert await read(store, bucket, mode.encode(), key_of(mode)) == LARGE
            assert (record.sealed.key == "aisle/2") == (old.sealed.key == "aisle/1")
        store.ring = Ring.parse(f"aisle/2:{THREE},reports/1:{TWO}")
        for mode in WISHES:
            assert await read(store, bucket, mode.encode(), key_of(mode)) == LARGE
        rows = await store.index.scan("object", limit=100)
        assert await rotation.rotate(store, "object", rows) == (0, 0)

    run(test())


def test_a_row_that_is_replaced_while_it_is_rotated_is_looked_at_again() -> None:
    async def test() -> None:
        store = sealed_store()
        bucket = await make_bucket(store)
        await write(store, bucket, b"one", SMALL, "default")
        await write(store, bucket, b"two", SMALL, "default")
        rows = await store.index.scan("object", limit=100)
        await write(store, bucket, b"two", LARGE, "default")
        store.ring = ROTATED
        assert await rotation.rotate(store, "object", rows) == (2, 0)
        assert await get(store, bucket, b"two") == LARGE
        row = await store.index.get("object", bucket.record.id + b"two")
        assert row is not None
        sealed = decode(Object, row).sealed
        assert sealed is not None
        assert sealed.key == "aisle/2"
        store.ring = Ring.parse(f"aisle/3:{TWO}")
        rows = await store.index.scan("object", limit=100)
        assert await rotation.rotate(store, "object", rows) == (0, 2)

    run(test())


def test_a_key_may_go_once_nothing_is_encrypted_with_it() -> None:
    async def test() -> None:
        store = sealed_store()
        bucket = await make_bucket(store)
        without = Ring.parse(f"aisle/2:{THREE}")
        assert await rotation.needed(store, RING, without) == ""
        assert await rotation.needed(store, RING, ROTATED) == ""
        for mode in WISHES:
            await write(store, bucket, mode.encode(), SMALL, mode)
        assert "aisle/1" in await rotation.needed(store, RING, without)
        store.ring = ROTATED
        await rotation.rotate(store, "object", await store.index.scan("object", limit=100))
        found = await rotation.needed(store, ROTATED, without)
        assert found == "reports/1, which an object is encrypted with"
        kept = Ring.parse(f"aisle/2:{THREE},reports/1:{TWO}")
        assert await rotation.needed(store, ROTATED, kept) == ""
        await objects.delete(store, bucket, b"kms")
        assert await rotation.needed(store, ROTATED, without) == ""
        rule = Rule("aws:kms", "alias/reports")
        change = {documents.ENCRYPTION: wishes.encode_rule(rule)}
        await documents.change(store, bucket, change)
        found = await rotation.needed(store, ROTATED, without)
        assert found == "the key reports, which a bucket has new objects encrypted with"
        assert await rotation.needed(store, ROTATED, kept) == ""

    run(test())
