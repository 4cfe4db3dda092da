"""Remote buckets as windows: opened as the settings say, looked up, added, attached, turned."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from aisle.core import settings
from aisle.core.errors import (
    BackendDisabled,
    BucketExists,
    BucketNotFound,
    InvalidRequest,
    NotSupported,
    RemoteBucketNotFound,
    RemoteDenied,
    RemoteUnavailable,
)
from aisle.core.names import BucketName
from aisle.namespace import buckets, configuration, objects
from aisle.namespace.configuration import BACKENDS, DISABLED, ENABLED
from aisle.namespace.records import BACKEND_BCK
from aisle.namespace.store import Store
from aisle.namespace.window import adding, directory, registry
from aisle.namespace.window.registry import Remotes
from aisle.namespace.window.window import RemoteWindow
from tests.backend.memory import MemoryBackend, MemoryProvider, MemoryRemote
from tests.namespace.support import memory_store, put, run

WINDOW = BucketName("there", "aws")


class Opening(MemoryProvider):
    """Tells which of its backends were closed."""

    def __init__(self, remote: MemoryRemote) -> None:
        super().__init__(remote)
        self.closed: list[str] = []

    def open(self, bucket: str, settings: Any, *, namespace: str = "") -> MemoryBackend:
        super().open(bucket, settings, namespace=namespace)
        provider = self

        class Backend(MemoryBackend):
            async def close(self) -> None:
                provider.closed.append(bucket)

        return Backend(self.remote, bucket)


@asynccontextmanager
async def made(*names: str) -> AsyncIterator[tuple[Store, MemoryRemote, Opening]]:
    """A store that reaches these remote buckets."""
    remote = MemoryRemote()
    for name in names:
        remote.make(name)
    store, provider = memory_store(), Opening(remote)
    store.remotes = Remotes({"aws": provider})
    window = RemoteWindow(store.remotes)
    store.window = window
    yield store, remote, provider
    await window.close()
    await store.remotes.close()


async def switch(store: Store, value: str) -> None:
    await configuration.change_backends(
        store.index, lambda _: {BACKENDS + "aws": value}, lambda _: (), now=store.now()
    )


# --- backends -------------------------------------------------------------------------------


def test_a_backend_is_opened_once_and_anew_when_its_settings_change(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(registry, "GRACE", -1.0)

    async def main() -> None:
        async with made("there") as (store, _, provider):
            assert store.remotes is not None
            row = await adding.add(store, WINDOW, owner="me")
            provider.opened.clear()
            provider.closed.clear()
            first = await store.remotes.backend(store, row.record)
            row = await buckets.change_props(store, WINDOW, {"checksum.type": "md5"})
            assert await store.remotes.backend(store, row.record) is first
            row = await buckets.change_props(store, WINDOW, {"extra.aws.max_pagesize": 7})
            assert await store.remotes.backend(store, row.record) is not first
            assert [asked["extra.aws.max_pagesize"] for _, asked, _ in provider.opened] == [0, 7]
            assert provider.closed == ["there"]
            await store.change_config({"rate_limit.backend.max_tokens": 5})
            await store.remotes.backend(store, row.record)
            assert len(provider.opened) == 2  # the bucket's own value counts
        assert provider.closed == ["there", "there"]

    run(main())


def test_many_backends_are_not_all_kept_open(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "KEPT", 2)
    monkeypatch.setattr(registry, "GRACE", -1.0)

    async def main() -> None:
        async with made("a", "b", "c") as (store, _, provider):
            assert store.remotes is not None
            rows = [await adding.add(store, BucketName(n, "aws"), owner="me") for n in "abc"]
            provider.closed.clear()
            for row in rows:
                await store.remotes.backend(store, row.record)
            assert provider.closed == ["a"]

    run(main())


def test_what_is_no_window_has_no_backend() -> None:
    async def main() -> None:
        async with made() as (store, _, _provider):
            assert store.remotes is not None
            row = await buckets.create(store, BucketName("own"), owner="me")
            with pytest.raises(Exception, match="no remote bucket behind it"):
                await store.remotes.backend(store, row.record)
            for provider in ("gcp", "oci"):
                with pytest.raises(BackendDisabled, match=f'no backend "{provider}" here'):
                    await adding.look_up(store, BucketName("x", provider))
        with pytest.raises(NotSupported, match="cannot be reached"):
            await adding.look_up(memory_store(), WINDOW)

    run(main())


def test_a_backend_is_switched_off_and_on_for_every_gateway() -> None:
    async def main() -> None:
        async with made("there") as (store, _, _provider):
            assert store.remotes is not None
            row = await adding.add(store, WINDOW, owner="me")
            other = Store(store.index, store.blobs)
            other.remotes, other.window = store.remotes, store.window
            assert await store.remotes.configured(other) == []
            await switch(store, DISABLED)
            assert await other.remotes.enabled(other) == []
            with pytest.raises(BackendDisabled, match='backend "aws" is disabled'):
                await store.remotes.backend(other, row.record)
            with pytest.raises(BackendDisabled, match="aws://there"):
                await objects.head(other, row, b"key")
            await switch(store, ENABLED)
            assert await other.remotes.configured(other) == ["aws"]
            assert await store.remotes.backend(other, row.record)

    run(main())


# --- adding ---------------------------------------------------------------------------------


def test_a_window_has_what_the_look_up_told_and_what_was_asked_for() -> None:
    async def main() -> None:
        async with made("there") as (store, remote, provider):
            remote.versioned = True
            asked = {"extra.aws.endpoint": "http://127.0.0.1:1", "lru.enabled": False}
            row = await adding.add(store, WINDOW, owner="me", props=asked)
            props = row.record.props
            assert (row.record.location, row.record.owner) == ("us-east-1", "me")
            assert props["versioning.enabled"] is True
            assert props["extra.aws.cloud_region"] == "us-east-1"
            assert props["lru.enabled"] is False
            assert provider.opened[0][1]["extra.aws.endpoint"] == "http://127.0.0.1:1"
            with pytest.raises(BucketExists):
                await adding.add(store, WINDOW, owner="me")
            plain = await adding.add(store, BucketName("later", "aws"), owner="", lookup=False)
            assert plain.record.props["lru.enabled"] is True
            assert plain.record.props["versioning.enabled"] is False
            with pytest.raises(RemoteBucketNotFound, match="aws://none"):
                await adding.add(store, BucketName("none", "aws"), owner="me")
            with pytest.raises(BucketNotFound):
                await buckets.get(store, BucketName("none", "aws"))

    run(main())


def test_that_there_is_no_remote_bucket_is_asked_once_in_a_while() -> None:
    async def main() -> None:
        async with made() as (store, remote, _):
            assert store.remotes is not None
            for _ in range(3):
                with pytest.raises(RemoteBucketNotFound):
                    await adding.found(store, WINDOW, owner="me")
            assert remote.calls["facts"] == 1
            remote.make("there")
            await adding.add(store, WINDOW, owner="me")  # which is said to be there
            assert WINDOW not in store.remotes.absent
            remote.fail("facts", RemoteUnavailable("aws://x", "away"), times=2)
            for _ in range(2):
                with pytest.raises(RemoteUnavailable):
                    await adding.found(store, BucketName("x", "aws"), owner="me")
            assert remote.calls["facts"] == 4

    run(main())


def test_of_many_who_use_a_bucket_first_one_looks() -> None:
    async def main() -> None:
        async with made("there") as (store, remote, _):

            async def wait(method: str, key: str) -> None:
                await asyncio.sleep(0)

            remote.before = wait
            found = [adding.found(store, WINDOW, owner="me") for _ in range(20)]
            rows = await asyncio.gather(*found)
            assert len({row.record.id for row in rows}) == 1
            assert remote.calls["facts"] == 1

    run(main())


def test_absence_is_forgotten_after_a_while_and_does_not_fill_memory(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(registry, "ABSENT_SECONDS", 0.0)
    absent = registry.Absent()
    absent.add(WINDOW)
    assert WINDOW not in absent
    monkeypatch.setattr(registry, "ABSENT_SECONDS", 60.0)
    monkeypatch.setattr(registry, "_ABSENT_KEPT", 2)
    for name in "abc":
        absent.add(BucketName(name))
    assert [BucketName(name) in absent for name in "abc"] == [False, False, True]


# --- attaching ------------------------------------------------------------------------------


def test_a_remote_bucket_is_attached_and_detached_without_a_trace() -> None:
    async def main() -> None:
        async with made("there") as (store, remote, _):
            remote.store("there", "key", b"remote")
            name = BucketName("own")
            props = settings.bucket_defaults({})
            row = await buckets.create(store, name, owner="me", props=props)
            attached = await adding.changed(store, row, {}, "aws://there")
            assert attached.record.behind == WINDOW
            assert attached.record.id != row.record.id
            assert attached.record.props["lru.enabled"] is True
            assert (await objects.find(store, attached, b"key")).record.size == 6
            await put(store, attached, b"mine", b"written through")
            assert remote.data("there", "mine") == b"written through"
            assert await store.index.scan("object", limit=9)
            detached = await adding.changed(store, attached, {}, "")
            assert detached.record.behind is None
            assert detached.record.props["lru.enabled"] is False
            assert await store.index.scan("object", limit=9) == []
            assert remote.data("there", "mine") == b"written through"
            with pytest.raises(BucketNotFound):
                await put(store, attached, b"late", b"x")

    run(main())


def test_what_cannot_stand_behind_is_refused_and_nothing_changes() -> None:
    async def main() -> None:
        async with made("there") as (store, remote, _):
            own = await buckets.create(store, BucketName("own"), owner="me")
            for behind in ("ais://other", "ais://#ns/other"):
                with pytest.raises(InvalidRequest, match="is no remote bucket"):
                    await adding.changed(store, own, {}, behind)
            window = await adding.add(store, WINDOW, owner="me")
            with pytest.raises(InvalidRequest, match="is a remote bucket itself"):
                await adding.changed(store, window, {}, "aws://there")
            with pytest.raises(RemoteBucketNotFound):
                await adding.changed(store, own, {}, "aws://none")
            remote.fail("facts", RemoteDenied("aws://there", "no"))
            with pytest.raises(RemoteDenied):
                await adding.changed(store, own, {}, "aws://there")
            await put(store, own, b"key", b"data")
            with pytest.raises(InvalidRequest, match="has objects of its own"):
                await adding.changed(store, own, {}, "aws://there")
            assert (await buckets.get(store, own.name)).record.behind is None
            assert (await objects.find(store, own, b"key")).record.size == 4

    run(main())


def test_another_endpoint_drops_the_copies_and_another_page_size_does_not() -> None:
    async def main() -> None:
        async with made("there") as (store, remote, _):
            row = await adding.add(store, WINDOW, owner="me")
            await put(store, row, b"key", b"data")
            same = await adding.changed(store, row, {"extra.aws.max_pagesize": 5}, None)
            assert same.record.id == row.record.id
            remote.fail("facts", RemoteUnavailable("aws://there", "nobody there"))
            endpoint = {"extra.aws.endpoint": "http://127.0.0.1:1"}
            with pytest.raises(RemoteUnavailable):
                await adding.changed(store, same, endpoint, None)
            assert await store.index.scan("object", limit=9)
            other = await adding.changed(store, same, endpoint, None)
            assert other.record.id != row.record.id
            assert other.record.props["extra.aws.max_pagesize"] == 5
            assert await store.index.scan("object", limit=9) == []

    run(main())


def test_props_of_a_window_for_a_bucket_of_our_own_leave_the_remote_out() -> None:
    async def main() -> None:
        async with made("there") as (store, _, _provider):
            asked = {"extra.aws.endpoint": "http://127.0.0.1:1", "checksum.type": "md5"}
            row = await adding.add(store, WINDOW, owner="me", props=asked)
            props = await adding.own_props(store, row)
            assert props["extra.aws.endpoint"] == props["extra.aws.cloud_region"] == ""
            assert (props["checksum.type"], props["lru.enabled"]) == ("md5", False)
            assert BACKEND_BCK not in props

    run(main())


# --- directories ----------------------------------------------------------------------------


def test_buckets_of_a_provider_are_listed_and_failures_told_where_one_is_asked() -> None:
    async def main() -> None:
        async with made("b", "a") as (store, remote, _):
            names = [BucketName("a", "aws"), BucketName("b", "aws")]
            for provider in ("aws", ""):  # which nobody has configured: it is not asked
                assert await directory.listed(store, provider, None) == []
            assert await directory.listed(store, "ais", None) == []
            assert await directory.listed(store, "aws", "ns") == []
            await switch(store, ENABLED)
            assert await directory.listed(store, "aws", None) == names
            assert await directory.listed(store, "", None) == names
            remote.fail("buckets", RemoteDenied("aws://", "no"), times=2)
            assert await directory.listed(store, "", None) == []
            with pytest.raises(RemoteDenied):
                await directory.listed(store, "aws", None)
            remote.fail("buckets", NotSupported("no list"))
            assert await directory.listed(store, "aws", None) == []
            await switch(store, DISABLED)
            with pytest.raises(BackendDisabled):
                await directory.listed(store, "aws", None)
        assert await directory.listed(memory_store(), "aws", None) == []

    run(main())


@pytest.mark.parametrize(
    ("namespace", "wanted", "fits"),
    [
        ("", None, True),
        ("@u#ns", None, True),
        ("", "", True),
        ("ns", "", False),
        ("@u", "@", True),
        ("ns", "@*", False),
        ("@u#ns", "@u", True),
        ("@v", "@u", False),
        ("@u", "@u#ns", False),
        ("@u#ns", "@u#ns", True),
    ],
)
def test_namespaces_that_are_wanted(namespace: str, wanted: str | None, fits: bool) -> None:
    assert directory.in_namespace(namespace, wanted) == fits
