"""Write-through: what the remote gets, what is kept, what decides, and what a refusal leaves."""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import replace

import pytest

from aisle.core.errors import (
    DigestMismatch,
    NotSupported,
    ObjectNotFound,
    PreconditionFailed,
    RemoteDenied,
    RemoteThrottled,
    RemoteUnavailable,
    RemoteUnknown,
)
from aisle.namespace import copies, edits, objects
from aisle.namespace.conditions import WriteConditions
from aisle.namespace.objects import Description
from aisle.namespace.records import Object
from aisle.namespace.window import claims, reaping
from tests.backend.memory import Held, MemoryBackend
from tests.namespace.support import LARGE, Data, blob_ids, nothing_leaks, pattern, rows, run
from tests.namespace.windowed import NAME
from tests.namespace.written import AWS, SAID, SIZES, nothing_is_left, one, put

# --- puts -----------------------------------------------------------------------------------


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("key", ["a", "dir/", "a//b", "ü/+ %2F?&=#", "\x01", "k" * 1024])
def test_a_put_is_what_the_remote_has_and_a_copy_of_it(key: str, size: int) -> None:
    async def main() -> None:
        async with one(versioned=True) as (remote, worker):
            data = pattern(size)
            told = await put(worker, key, data)
            held = remote.bucket(NAME)[key]
            assert held.data == data
            assert held.about.headers["content-type"] == "image/png"
            assert held.about.headers["cache-control"] == "no-store"
            assert held.about.meta == {"colour": "red"}
            assert held.about.storage_class == "STANDARD_IA"
            copy = await worker.copy(key)
            assert copy is not None
            assert copy == told
            assert copy.origin is not None
            assert copy.origin.version == held.about.version
            assert copy.origin.checksums["md5"] == hashlib.md5(data).hexdigest()
            assert (copy.etag, copy.mtime) == (held.about.etag, held.about.mtime)
            assert copy.meta == {"colour": "red"}
            remote.calls.clear()
            assert await worker.get(key) == data
            assert not remote.calls
            assert await rows(worker.store, "claim") == []
            await nothing_leaks(worker.store)

    run(main())


def test_the_copy_has_the_etag_of_a_remote_that_has_its_own() -> None:
    async def main() -> None:
        async with one(md5=False) as (remote, worker):
            told = await put(worker, "k", b"data")
            assert (
                told.etag == remote.bucket(NAME)["k"].about.etag != hashlib.md5(b"data").hexdigest()
            )

    run(main())


@pytest.mark.parametrize(
    "error",
    [
        RemoteDenied(AWS, "no"),
        RemoteThrottled(AWS, "slower"),
        RemoteUnavailable(AWS, "not now"),
        PreconditionFailed("If-None-Match"),
    ],
)
@pytest.mark.parametrize("size", SIZES)
def test_what_the_remote_refuses_leaves_nothing(error: Exception, size: int) -> None:
    async def main() -> None:
        async with one() as (remote, worker):
            await put(worker, "k", b"before")
            remote.fail("put", error)
            with pytest.raises(type(error)):
                await put(worker, "k", pattern(size))
            assert remote.data(NAME, "k") == b"before"
            await nothing_is_left(worker, "k")
            assert await worker.get("k") == b"before"

    run(main())


def test_a_body_that_is_not_what_its_client_says_does_not_reach_the_remote() -> None:
    async def main() -> None:
        async with one() as (remote, worker):
            wrong = DigestMismatch("MD5", expected="a", computed="b")
            for size in SIZES:
                body = Data(pattern(size), wrong=wrong)
                with pytest.raises(DigestMismatch):
                    await objects.put(
                        worker.store, await worker.bucket(), b"k", body, Description(owner="me")
                    )
            assert not remote.calls
            await nothing_is_left(worker, "k")

    run(main())


@pytest.mark.parametrize("carried_out", [False, True])
def test_a_lost_answer_leaves_no_copy_until_it_is_settled(carried_out: bool) -> None:
    async def main() -> None:
        async with one() as (remote, worker):
            await put(worker, "k", b"before")
            remote.fail("put", RemoteUnknown(AWS, "no answer"), after=carried_out)
            with pytest.raises(RemoteUnknown):
                await put(worker, "k", pattern(LARGE))
            assert await worker.copy("k") is None
            assert await blob_ids(worker.store) == set()
            expected = pattern(LARGE) if carried_out else b"before"
            assert await worker.get("k") == expected
            assert await worker.copy("k") is None
            worker.store.now.now += claims.SETTLE + 1  # type: ignore[attr-defined]
            await reaping.tidy(worker.store)
            assert await worker.get("k") == expected
            assert await worker.copy("k") is not None

    run(main())


@pytest.mark.parametrize("size", SIZES)
def test_of_writers_at_the_same_time_none_leaves_a_copy_that_is_not_current(size: int) -> None:
    async def main() -> None:
        async with one() as (remote, worker):
            await worker.bucket()
            bodies = [pattern(size, seed) + b"%d" % seed for seed in range(6)]

            async def dally(method: str, key: str) -> None:
                await asyncio.sleep(0)

            remote.before = dally
            await asyncio.gather(*(put(worker, "k", body) for body in bodies))
            copy = await worker.copy("k")
            assert copy is None or copy.etag == remote.bucket(NAME)["k"].about.etag
            assert await worker.get("k") == remote.data(NAME, "k")
            assert await rows(worker.store, "claim") == []
            await nothing_leaks(worker.store)

    run(main())


def test_of_creators_at_the_same_time_one_wins() -> None:
    async def main() -> None:
        async with one() as (_, worker):
            await worker.bucket()
            create = WriteConditions(if_none_match="*")
            tries = [put(worker, "k", b"%d" % n, create) for n in range(6)]
            told = await asyncio.gather(*tries, return_exceptions=True)
            assert sum(isinstance(one, Object) for one in told) == 1
            assert sum(isinstance(one, PreconditionFailed) for one in told) == 5

    run(main())


# --- conditions -----------------------------------------------------------------------------


def test_the_remote_decides_about_conditions_and_not_the_copy() -> None:
    async def main() -> None:
        async with one() as (remote, worker):
            old = await put(worker, "k", b"one")
            new = remote.store(NAME, "k", b"two")  # behind the cluster's back
            with pytest.raises(PreconditionFailed):
                await put(worker, "k", b"three", WriteConditions(if_match=old.etag))
            assert remote.data(NAME, "k") == b"two"
            await put(worker, "k", b"three", WriteConditions(if_match=f'"{new.etag}"'))
            remote.discard(NAME, "k")
            remote.log.clear()
            await put(worker, "k", b"four", WriteConditions(if_none_match="*"))
            assert remote.log == [("put", "k")]

    run(main())


def test_conditions_that_a_remote_does_not_know_are_decided_by_what_it_has() -> None:
    async def main() -> None:
        async with one() as (remote, worker):
            etag = remote.store(NAME, "k", b"one").etag
            with pytest.raises(PreconditionFailed):
                await put(worker, "k", b"two", WriteConditions(if_match='"a", "b"'))
            with pytest.raises(PreconditionFailed):
                await put(worker, "k", b"two", WriteConditions(if_none_match=f'"{etag}"'))
            with pytest.raises(ObjectNotFound):
                await put(worker, "absent", b"two", WriteConditions(if_match="*"))
            await put(worker, "k", b"two", WriteConditions(if_match="*"))
            await put(worker, "new", b"two", WriteConditions(if_none_match=f'"{etag}"'))
            # It is replaced between the look and the write: the look is the write's condition.
            await put(worker, "k", b"three", WriteConditions(if_size=3))

            async def replace(method: str, key: str) -> None:
                if method == "put":
                    remote.before = None
                    remote.store(NAME, "k", b"other")

            remote.before = replace
            with pytest.raises(PreconditionFailed):
                await put(worker, "k", b"four", WriteConditions(if_size=5))
            await nothing_is_left(worker, "k")

    run(main())


def test_the_etag_of_an_object_that_has_none_is_a_condition_all_the_same() -> None:
    async def main() -> None:
        async with one() as (remote, worker):
            about = remote.store(NAME, "k", b"one")
            bare = replace(about, etag="", checksums={})
            remote.bucket(NAME)["k"] = Held(b"one", bare)
            etag = (await worker.find("k")).record.etag
            assert etag
            with pytest.raises(PreconditionFailed):
                await put(worker, "k", b"two", WriteConditions(if_match="1-2"))
            await put(worker, "k", b"two", WriteConditions(if_match=etag))
            assert remote.data(NAME, "k") == b"two"

    run(main())


# --- deletes, copies, and what is refused ---------------------------------------------------


def test_deleting_removes_the_object_and_the_copy() -> None:
    async def main() -> None:
        async with one() as (remote, worker):
            bucket = await worker.bucket()
            await put(worker, "k", b"data")
            assert await objects.delete(worker.store, bucket, b"k")
            assert remote.data(NAME, "k") is None
            await nothing_is_left(worker, "k")
            remote.store(NAME, "cold", b"x")
            assert await objects.delete(worker.store, bucket, b"cold")
            assert remote.data(NAME, "cold") is None
            with pytest.raises(ObjectNotFound):
                await worker.get("cold")

    run(main())


def test_a_delete_that_fails_leaves_the_object_and_no_doubtful_copy() -> None:
    async def main() -> None:
        async with one() as (remote, worker):
            bucket = await worker.bucket()
            await put(worker, "k", b"data")
            remote.fail("delete", RemoteDenied(AWS, "no"))
            with pytest.raises(RemoteDenied):
                await objects.delete(worker.store, bucket, b"k")
            assert await worker.get("k") == b"data"
            assert await worker.kept("k") == b"data"
            remote.fail("delete", RemoteUnknown(AWS, "no answer"), after=True)
            with pytest.raises(RemoteUnknown):
                await objects.delete(worker.store, bucket, b"k")
            assert await worker.copy("k") is None
            with pytest.raises(ObjectNotFound):
                await worker.get("k")

    run(main())


def test_a_condition_of_a_delete_is_held_against_the_remote() -> None:
    async def main() -> None:
        async with one() as (remote, worker):
            bucket = await worker.bucket()
            old = await put(worker, "k", b"one")
            new = remote.store(NAME, "k", b"two")
            with pytest.raises(PreconditionFailed):
                await objects.delete(
                    worker.store, bucket, b"k", conditions=WriteConditions(if_match=old.etag)
                )
            assert remote.data(NAME, "k") == b"two"
            await objects.delete(
                worker.store, bucket, b"k", conditions=WriteConditions(if_match=new.etag)
            )
            assert remote.data(NAME, "k") is None

    run(main())


def test_a_remote_that_can_only_be_read_is_not_written_to(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(MemoryBackend, "writes", False)

    async def main() -> None:
        async with one() as (remote, worker):
            remote.store(NAME, "k", b"data")
            with pytest.raises(NotSupported):
                await put(worker, "k", pattern(LARGE))
            with pytest.raises(NotSupported):
                await objects.delete(worker.store, await worker.bucket(), b"k")
            await nothing_is_left(worker, "k")
            assert await worker.get("k") == b"data"

    run(main())


def test_a_copy_within_a_window_reaches_the_remote() -> None:
    async def main() -> None:
        async with one() as (remote, worker):
            bucket = await worker.bucket()
            remote.store(NAME, "cold", pattern(LARGE))
            found, small = await objects.find_small(worker.store, bucket, b"cold")
            await copies.copy(worker.store, found, bucket, b"copy", SAID, small=small)
            assert remote.data(NAME, "copy") == pattern(LARGE)
            assert remote.bucket(NAME)["copy"].about.meta == {"colour": "red"}
            assert await worker.kept("copy") == pattern(LARGE)

    run(main())


def test_what_cannot_reach_the_remote_is_refused() -> None:
    async def main() -> None:
        async with one() as (remote, worker):
            bucket = await worker.bucket()
            remote.store(NAME, "k", b"data", meta={"colour": "red"})
            with pytest.raises(NotSupported):
                await edits.rename(worker.store, bucket, b"k", b"l")
            with pytest.raises(NotSupported):
                await edits.set_custom(worker.store, bucket, b"k", {"a": "b"})
            await worker.get("k")
            changed = await edits.set_custom(worker.store, bucket, b"k", {"a": "b"})
            assert changed.meta == {"a": "b", "colour": "red"}
            assert remote.bucket(NAME)["k"].about.meta == {"colour": "red"}

    run(main())
