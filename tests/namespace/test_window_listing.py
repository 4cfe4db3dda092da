"""Listings of windows over a remote service in memory: against the naive list, page by page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aisle.backend.base import RemoteEntry, RemoteObject, RemotePage
from aisle.core.errors import (
    BackendDisabled,
    InvalidArgument,
    RemoteUnavailable,
)
from aisle.namespace import configuration, listing
from aisle.namespace.listing import ID, Query
from aisle.namespace.records import Listed, Object, decode, encode
from aisle.namespace.store import BucketRow, Store
from aisle.namespace.window import copies
from aisle.namespace.window import listing as windows
from aisle.namespace.window.listing import Listing, State, Want
from aisle.namespace.window.registry import Remotes
from aisle.store.base import Put
from tests.backend.memory import MemoryBackend, MemoryProvider, MemoryRemote
from tests.namespace.support import run
from tests.namespace.windowed import NAME, Worker, site

Shown = tuple[str, State | None]  # a name and what there is of it; `None` for a common prefix
EVERYTHING = Want(copies=True, gone=True)


class Pages(MemoryBackend):
    """The remote with pages of its own size and, if need be, answers of its own."""

    size = 1000
    answers: Sequence[RemotePage] = ()
    lists = True

    async def list(self, **asked: Any) -> RemotePage:
        if self.answers:
            self._remote.calls["list"] += 1
            return self.answers[min(self._remote.calls["list"], len(self.answers)) - 1]
        return await super().list(**{**asked, "limit": min(asked["limit"], self.size)})


def with_pages(worker: Worker, remote: MemoryRemote, **told: Any) -> Store:
    """The worker's store, over a remote that pages as it is told to."""
    return over(worker, remote, type("Told", (Pages,), told))


def over(worker: Worker, remote: MemoryRemote, kind: type[MemoryBackend]) -> Store:
    """The worker's store, over a remote of this kind."""

    class Provider(MemoryProvider):
        def open(self, bucket: str, settings: Any, *, namespace: str = "") -> MemoryBackend:
            return kind(remote, bucket)

    worker.store.remotes = Remotes({"aws": Provider(remote)})
    return worker.store


async def keep(store: Store, bucket: BucketRow, about: RemoteObject) -> None:
    record = copies.record(bucket.record, about, "aws", [])
    await store.index.commit(Put("object", bucket.record.id + about.key.encode(), encode(record)))


async def fill(
    store: Store, bucket: BucketRow, remote: MemoryRemote, states: Mapping[str, State]
) -> None:
    """Put objects at the remote, and copies of them into the store."""
    for key, state in states.items():
        about = remote.store(NAME, key, b"first")
        if state is not State.REMOTE:
            await keep(store, bucket, about)
        if state is State.CHANGED:
            remote.store(NAME, key, b"another one")
        elif state is State.GONE:
            remote.discard(NAME, key)


def query_of(bucket: BucketRow, **fields: Any) -> Query:
    base = bucket.record.id
    keyed = {
        name: base + str(value).encode() if value else b""
        for name, value in fields.items()
        if name in ("after", "skip")
    }
    return Query(
        prefix=base + str(fields.get("prefix", "")).encode(),
        delimiter=str(fields.get("delimiter", "")).encode(),
        limit=fields.get("limit", 1000),
        **keyed,
    )


def shown(page: Listing) -> list[Shown]:
    told: list[Shown] = [(key[ID:].decode(), None) for key in page.page.prefixes]
    told += [(key[ID:].decode(), page.states.get(key, State.REMOTE)) for key, _ in page.page.rows]
    return sorted(told, key=lambda one: one[0].encode())


async def all_pages(
    store: Store, bucket: BucketRow, want: Want = windows.PLAIN, **fields: Any
) -> list[Shown]:
    """Every page of a listing, each no longer than it may be; names come in order."""
    found: list[Shown] = []
    query, token = query_of(bucket, **fields), ""
    for _ in range(1000):
        page = await windows.page(store, bucket, query, token=token, want=want)
        told = shown(page)
        assert len(told) <= query.limit
        found += told
        if not page.token:
            assert not page.page.truncated
            names = [name.encode() for name, _ in found]
            assert names == sorted(set(names))
            return found
        token = page.token
    raise AssertionError("the listing does not end")


def naive(
    states: Mapping[str, State], want: Want, prefix: str, delimiter: str, after: str
) -> list[Shown]:
    told: dict[str, State | None] = {}
    for key, state in states.items():
        here = state is not State.GONE or want.gone
        if not here or not key.startswith(prefix) or key.encode() <= after.encode():
            continue
        end = key.find(delimiter, len(prefix)) if delimiter else -1
        if end >= 0:
            told[key[: end + len(delimiter)]] = None
        elif want.only is None or want.only == (state is not State.REMOTE):
            told[key] = state if want.copies or want.gone else State.REMOTE
    return sorted(told.items(), key=lambda one: one[0].encode())


keys = st.text("ab/é", min_size=1, max_size=4)
wants = st.sampled_from(
    [
        windows.PLAIN,
        Want(copies=True),
        EVERYTHING,
        Want(copies=True, gone=True, only=True),
        Want(copies=True, only=False),
    ]
)


@settings(max_examples=250)
@given(
    states=st.dictionaries(keys, st.sampled_from(list(State)), max_size=14),
    want=wants,
    prefix=st.sampled_from(["", "", "a", "a/"]),
    delimiter=st.sampled_from(["", "/", "b"]),
    after=st.sampled_from(["", "", "a", "a/b", "b/"]),
    limit=st.integers(1, 6),
    size=st.integers(1, 5),
)
def test_pages_together_are_the_whole_list(
    states: dict[str, State],
    want: Want,
    prefix: str,
    delimiter: str,
    after: str,
    limit: int,
    size: int,
) -> None:
    async def main() -> None:
        remote = MemoryRemote()
        async with site(remote) as (worker,):
            store, bucket = with_pages(worker, remote, size=size), await worker.bucket()
            await fill(store, bucket, remote, states)
            found = await all_pages(
                store, bucket, want, prefix=prefix, delimiter=delimiter, after=after, limit=limit
            )
            assert found == naive(states, want, prefix, delimiter, after)

    run(main())


def test_a_page_asks_for_as_much_as_it_takes_and_no_index() -> None:
    async def main() -> None:
        remote = MemoryRemote()
        for number in range(2500):
            remote.store(NAME, f"k{number:04}", b"x")
        async with site(remote) as (worker,):
            store, bucket = worker.store, await worker.bucket()
            found = await all_pages(store, bucket)
            assert [name for name, _ in found] == [f"k{number:04}" for number in range(2500)]
            assert remote.calls["list"] == 3
            page = await windows.page(store, bucket, query_of(bucket, limit=2500))
            assert len(page.page.rows) == 2500
            assert remote.calls["list"] == 6

    run(main())


def test_small_pages_are_put_together_and_a_few_names_more_are_not_asked_for() -> None:
    async def main() -> None:
        remote = MemoryRemote()
        for number in range(300):
            remote.store(NAME, f"k{number:03}", b"x")
        async with site(remote) as (worker,):
            store, bucket = with_pages(worker, remote, size=32), await worker.bucket()
            page = await windows.page(store, bucket, query_of(bucket, limit=100))
            assert len(page.page.rows) == 96
            assert remote.calls["list"] == 3
            assert page.token

    run(main())


def test_a_row_tells_what_the_remote_says_and_of_a_good_copy_what_is_kept() -> None:
    async def main() -> None:
        remote = MemoryRemote(versioned=True)
        async with site(remote) as (worker,):
            store, bucket = worker.store, await worker.bucket()
            about = remote.store(NAME, "cold", b"12345", storage_class="GLACIER")
            await keep(store, bucket, remote.store(NAME, "copy", b"1", meta={"a": "b"}))
            page = await windows.page(store, bucket, query_of(bucket), want=EVERYTHING)
            cold, copy = [decode(Object, raw) for _, raw in page.page.rows]
            assert (cold.size, cold.etag, cold.mtime) == (5, about.etag, about.mtime)
            assert cold.storage_class == "GLACIER"
            assert cold.origin is not None
            assert (cold.origin.version, cold.origin.source) == (about.version, "aws")
            assert copy.meta == {"a": "b"}

    run(main())


def test_tokens_are_opaque_good_for_any_gateway_and_checked() -> None:
    async def main() -> None:
        remote = MemoryRemote()
        for name in ("a", "b", "c"):
            remote.store(NAME, name, b"x")
        async with site(remote, workers=2) as (one, two):
            bucket = await one.bucket()
            query = query_of(bucket, limit=1)
            first = await windows.page(one.store, bucket, query)
            second = await windows.page(two.store, bucket, query, token=first.token)
            assert shown(second) == [("b", State.REMOTE)]
            for token in ("w.", "w.AAAA", "w." + "A" * 20_000, "w.é", first.token[:-4]):
                with pytest.raises(InvalidArgument, match="token"):
                    await windows.page(one.store, bucket, query, token=token)
            # One of a list of rows says where to go on, too.
            token = listing.encode_token(b"b", is_prefix=False)
            after, skip = bucket.record.id + listing.decode_token(token)[0], b""
            page = await windows.page(
                one.store, bucket, Query(prefix=bucket.record.id, after=after, skip=skip)
            )
            assert shown(page) == [("c", State.REMOTE)]

    run(main())


def test_copies_are_listed_without_asking_the_remote() -> None:
    async def main() -> None:
        remote = MemoryRemote()
        async with site(remote) as (worker,):
            store, bucket = worker.store, await worker.bucket()
            states = dict.fromkeys(("a", "b/1", "b/2"), State.CACHED) | {"c": State.REMOTE}
            await fill(store, bucket, remote, states)
            query = query_of(bucket, delimiter="/", limit=1)
            page = await windows.page(store, bucket, query, remote=False)
            assert (shown(page), page.page.truncated) == ([("a", State.CACHED)], True)
            place, is_prefix = listing.decode_token(page.token)
            query = query_of(bucket, delimiter="/", after=place.decode())
            page = await windows.page(store, bucket, query, remote=False)
            assert (shown(page), page.token, is_prefix) == ([("b/", None)], "", False)
            only = Want(copies=True, only=False)
            nothing = await windows.page(store, bucket, query, remote=False, want=only)
            assert shown(nothing) == []
            assert remote.calls["list"] == 0

    run(main())


def test_a_remote_that_cannot_be_listed_shows_what_is_cached() -> None:
    async def main() -> None:
        remote = MemoryRemote()
        async with site(remote) as (worker,):
            store, bucket = with_pages(worker, remote, lists=False), await worker.bucket()
            await fill(store, bucket, remote, {"a": State.CACHED, "b": State.REMOTE})
            assert await all_pages(store, bucket) == [("a", State.CACHED)]
            with pytest.raises(InvalidArgument):
                await windows.page(store, bucket, query_of(bucket), token="w.AAAA")

    run(main())


def test_what_a_remote_should_not_have_sent_is_passed_over() -> None:
    entries = [
        RemoteEntry("b", 1),
        RemoteEntry("a", 1),  # out of order
        RemoteEntry("a", 2),  # twice
        RemoteEntry("x" * 5000, 1),
        RemoteEntry("", 1),
        RemoteEntry("\ud800", 1),
    ]
    strange = [
        RemotePage([RemoteEntry("a", -1, etag='"><b>', mtime=-5, storage_class="<b>")], [], "")
    ]
    pages = [
        RemotePage(entries, ["c/", "a/"], "t1"),
        RemotePage([RemoteEntry("a", 1), RemoteEntry("d", 1)], ["c/"], ""),
    ]

    async def main() -> None:
        remote = MemoryRemote()
        async with site(remote) as (worker,):
            store, bucket = with_pages(worker, remote, answers=pages), await worker.bucket()
            found = await all_pages(store, bucket, delimiter="/")
            assert [name for name, _ in found] == ["a", "a/", "b", "c/", "d"]
        async with site(remote) as (worker,):
            store, bucket = with_pages(worker, remote, answers=strange), await worker.bucket()
            page = await windows.page(store, bucket, query_of(bucket))
            row = decode(Listed, page.page.rows[0][1])
            assert (row.size, row.mtime, '"' in row.etag, row.storage_class) == (
                0, 0, False, "STANDARD",
            )  # fmt: skip

    run(main())


class Directories(Pages):
    """A remote that lists directory by directory, and in each by UTF-16, as Azure does."""

    in_order = False

    async def list(self, **asked: Any) -> RemotePage:
        after, _, behind = (asked["token"] or asked["after"]).partition(" ")
        every = {**asked, "token": "", "after": after, "limit": 1000}
        found = await MemoryBackend.list(self, **every)
        entries = {entry.key: entry for entry in found.entries}
        order = sorted(
            [*entries, *found.prefixes],
            key=lambda name: name.replace("/", "\0").encode("utf-16-be"),
        )
        place = int(behind or 0)
        end = place + min(asked["limit"], self.size)
        names = sorted(order[place:end], key=str.encode)
        return RemotePage(
            [entries[name] for name in names if name in entries],
            [name for name in names if name not in entries],
            f"{after} {end}" if end < len(order) else "",
        )


@settings(max_examples=250)
@given(
    names=st.sets(st.text("a-/\uffee\U0001f600", min_size=1, max_size=4), max_size=14),
    prefix=st.sampled_from(["", "", "a", "a/"]),
    delimiter=st.sampled_from(["", "/"]),
    after=st.sampled_from(["", "", "a", "a/-", "\uffee"]),
    limit=st.integers(1, 6),
    size=st.integers(1, 5),
)
def test_a_list_in_another_order_is_given_whole(
    names: set[str], prefix: str, delimiter: str, after: str, limit: int, size: int
) -> None:
    states = dict.fromkeys(names, State.REMOTE)

    async def main() -> None:
        remote = MemoryRemote()
        async with site(remote) as (worker,):
            kind = type("Told", (Directories,), {"size": size})
            store, bucket = over(worker, remote, kind), await worker.bucket()
            await fill(store, bucket, remote, states)
            found = list[Shown]()
            query = query_of(bucket, prefix=prefix, delimiter=delimiter, after=after, limit=limit)
            token = "start"
            while token:
                given = "" if token == "start" else token
                page = await windows.page(store, bucket, query, token=given)
                assert len(shown(page)) <= limit
                found += shown(page)
                token = page.token
            expected = naive(states, windows.PLAIN, prefix, delimiter, after)
            assert sorted(found, key=lambda one: one[0].encode()) == expected

    run(main())


def test_a_list_that_goes_round_in_a_circle_is_an_error() -> None:
    async def main() -> None:
        remote = MemoryRemote()
        async with site(remote) as (worker,):
            again = [RemotePage([], [], "again")]
            store, bucket = with_pages(worker, remote, answers=again), await worker.bucket()
            with pytest.raises(RemoteUnavailable, match="aws://remote: its list goes round"):
                await windows.page(store, bucket, query_of(bucket))

    run(main())


def test_a_remote_that_never_sends_anything_does_not_hold_a_page_for_ever() -> None:
    async def main() -> None:
        remote = MemoryRemote()
        empty = [RemotePage([], [], f"t{number}") for number in range(windows.REQUESTS + 5)]
        async with site(remote) as (worker,):
            store, bucket = with_pages(worker, remote, answers=empty), await worker.bucket()
            page = await windows.page(store, bucket, query_of(bucket))
            assert (shown(page), page.page.truncated) == ([], True)
            assert remote.calls["list"] == windows.REQUESTS

    run(main())


def test_a_disabled_backend_lists_nothing_not_even_copies() -> None:
    async def main() -> None:
        remote = MemoryRemote()
        async with site(remote) as (worker,):
            store, bucket = worker.store, await worker.bucket()
            await fill(store, bucket, remote, {"a": State.CACHED})
            change = {configuration.BACKENDS + "aws": configuration.DISABLED}
            await configuration.change_backends(
                store.index, lambda _: change, lambda _: (), now=store.now()
            )
            for remotely in (True, False):
                with pytest.raises(BackendDisabled, match="aws"):
                    await windows.page(store, bucket, query_of(bucket), remote=remotely)

    run(main())
