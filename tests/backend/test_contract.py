"""The suite of the `Backend` and `Provider` ports, on every provider of `cases.CASES`."""

from __future__ import annotations

import asyncio
import hashlib
import random
import time
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest

from aisle.backend.base import Backend, Outgoing, RemoteBody, RemoteObject, RemotePage
from aisle.core.checksums import AIS_TYPES
from aisle.core.errors import (
    AisleError,
    InvalidArgument,
    PreconditionFailed,
    RemoteBroken,
    RemoteBucketNotFound,
    RemoteChanged,
    RemoteObjectNotFound,
)
from aisle.core.ranges import Span
from tests.backend.cases import Site
from tests.store.conftest import Run

MIB = 1 << 20
PIECE = 64 << 10
# Names that a URL, a listing or a query could spoil.
NAMES = [
    "a",
    "a b+c",
    "d/e/f",
    "100%/q?x=1&y=2#z",
    "ключ/ключ",
    "~tilde'quote\"",
    "plus+plus/=equal",
    "日本/𝄞",
    "a<b>&c",
]


def some_bytes(size: int) -> bytes:
    return random.Random(size).randbytes(size)


def outgoing(data: bytes, **more: Any) -> Outgoing:
    async def pour(start: int, length: int) -> AsyncIterator[bytes]:
        for place in range(start, start + length, PIECE):
            yield data[place : min(place + PIECE, start + length)]

    more.setdefault("md5", hashlib.md5(data).hexdigest())
    return Outgoing(len(data), pour, **more)


async def take(body: RemoteBody) -> bytes:
    try:
        pieces = []
        while piece := await body.read():
            pieces.append(piece)
        return b"".join(pieces)
    finally:
        await body.close()


async def get(backend: Backend, key: str, **more: Any) -> bytes:
    return await take(await backend.get(key, **more))


async def put_all(backend: Backend, keys: Sequence[str]) -> None:
    for start in range(0, len(keys), 8):
        await asyncio.gather(
            *[backend.put(key, outgoing(key.encode())) for key in keys[start : start + 8]]
        )


async def all_pages(backend: Backend, **more: Any) -> list[RemotePage]:
    pages = [await backend.list(**more)]
    while pages[-1].token:
        pages.append(await backend.list(**{**more, "token": pages[-1].token}))
    return pages


async def all_keys(backend: Backend, **more: Any) -> list[str]:
    return [entry.key for page in await all_pages(backend, **more) for entry in page.entries]


def writable(site: Site, backend: Backend) -> None:
    if not backend.writes:
        assert site.store is not None, "what cannot be written needs another way in"


async def fill(site: Site, backend: Backend, bucket: str, key: str, data: bytes) -> None:
    """Have an object there, by whatever way there is."""
    if backend.writes:
        await backend.put(key, outgoing(data))
    else:
        assert site.store is not None, "what cannot be written needs another way in"
        await asyncio.to_thread(site.store, bucket, key, data)


# --- bodies ---------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [0, 1, 4096, 3 * MIB + 7])
def test_an_object_is_read_back_as_it_was_stored(
    site: Site, backend: Backend, bucket: str, run: Run, size: int
) -> None:
    data = some_bytes(size)
    run(fill(site, backend, bucket, "key", data))

    async def look() -> tuple[RemoteObject, bytes]:
        body = await backend.get("key")
        return body.about, await take(body)

    about, found = run(look())
    assert found == data
    assert about.size == size
    head = run(backend.head("key"))
    assert (head.key, head.size, head.etag) == ("key", size, about.etag)
    assert abs(head.mtime - time.time_ns()) < 3600 * 10**9


def test_what_the_service_vouches_for_is_true(
    site: Site, backend: Backend, bucket: str, run: Run
) -> None:
    data = some_bytes(100_000)
    run(fill(site, backend, bucket, "key", data))
    about = run(backend.head("key"))
    for name, value in about.checksums.items():
        if name in AIS_TYPES:
            assert AIS_TYPES[name].compute(data).hex() == value, name
    assert about.etag == about.etag.strip('"')
    assert about.etag or about.version or about.mtime


@pytest.mark.parametrize("span", [Span(0, 1), Span(5, 3000), Span(MIB - 1, 2), Span(2 * MIB, 7)])
def test_a_range_is_read_and_nothing_beside_it(
    site: Site, backend: Backend, bucket: str, run: Run, span: Span
) -> None:
    data = some_bytes(2 * MIB + 7)
    run(fill(site, backend, bucket, "key", data))

    async def look() -> tuple[int, bytes]:
        body = await backend.get("key", span=span)
        return body.about.size, await take(body)

    assert run(look()) == (len(data), data[span.start : span.start + span.length])


def test_a_range_of_an_etag_is_of_that_version_or_none(
    site: Site, backend: Backend, bucket: str, run: Run
) -> None:
    if not backend.ranges_by_etag:
        return
    run(fill(site, backend, bucket, "key", b"first version"))
    etag = run(backend.head("key")).etag
    assert run(get(backend, "key", span=Span(0, 5), etag=etag)) == b"first"
    run(fill(site, backend, bucket, "key", b"other version"))
    with pytest.raises(RemoteChanged):
        run(get(backend, "key", span=Span(0, 5), etag=etag))
    with pytest.raises(RemoteChanged):
        run(get(backend, "key", etag=etag))


def test_many_bodies_are_read_at_a_time(
    site: Site, backend: Backend, bucket: str, run: Run
) -> None:
    data = some_bytes(MIB)
    run(fill(site, backend, bucket, "key", data))

    async def many() -> list[bytes]:
        return await asyncio.gather(
            *[get(backend, "key", span=Span(n * 1000, 500_000)) for n in range(20)]
        )

    assert run(many()) == [data[n * 1000 : n * 1000 + 500_000] for n in range(20)]


def test_a_body_may_be_given_up_in_the_middle(
    site: Site, backend: Backend, bucket: str, run: Run
) -> None:
    run(fill(site, backend, bucket, "key", some_bytes(3 * MIB)))

    async def leave() -> None:
        for _ in range(5):
            body = await backend.get("key")
            assert await body.read()
            await body.close()
            await body.close()

    run(leave())
    assert run(get(backend, "key", span=Span(0, 10))) == some_bytes(3 * MIB)[:10]


def test_a_body_that_is_read_behind_its_end_is_empty(
    site: Site, backend: Backend, bucket: str, run: Run
) -> None:
    run(fill(site, backend, bucket, "key", b"abc"))

    async def look() -> list[bytes]:
        body = await backend.get("key")
        assert await body.read() == b"abc"
        found = [await body.read(), await body.read()]
        await body.close()
        return found

    assert run(look()) == [b"", b""]


# --- what is not there ----------------------------------------------------------------------


def test_an_absent_object_is_told(backend: Backend, run: Run) -> None:
    with pytest.raises(RemoteObjectNotFound) as failure:
        run(backend.head("absent"))
    assert failure.value.bucket == backend.name
    assert str(failure.value).startswith(backend.name)
    with pytest.raises(RemoteObjectNotFound):
        run(get(backend, "absent"))
    with pytest.raises(RemoteObjectNotFound):
        run(get(backend, "absent", span=Span(0, 1)))


def test_an_absent_bucket_is_told_by_every_operation(site: Site, run: Run) -> None:
    if "absence" in site.lacks:
        return
    absent = site.provider.open(site.absent, site.settings, namespace=site.namespace)
    with pytest.raises(RemoteBucketNotFound):
        run(absent.facts())
    with pytest.raises(RemoteBucketNotFound):
        run(absent.head("key"))
    with pytest.raises(RemoteBucketNotFound):
        run(get(absent, "key"))
    if absent.lists:
        with pytest.raises(RemoteBucketNotFound):
            run(absent.list())
    if absent.writes:
        with pytest.raises(RemoteBucketNotFound):
            run(absent.put("key", outgoing(b"body")))
        with pytest.raises(RemoteBucketNotFound):
            run(absent.delete("key"))
    run(absent.close())


def test_a_bucket_that_is_there_has_facts(backend: Backend, run: Run) -> None:
    facts = run(backend.facts())
    assert isinstance(facts.region, str)
    assert isinstance(facts.versioned, bool)


def test_a_version_that_is_not_there_is_told(
    site: Site, backend: Backend, bucket: str, run: Run
) -> None:
    if "versions" in site.lacks:
        return
    run(fill(site, backend, bucket, "key", b"body"))
    with pytest.raises(AisleError):
        run(backend.head("key", version="0123456789abcdef0123456789abcdef"))


# --- writing --------------------------------------------------------------------------------


def test_put_says_what_head_says_afterwards(site: Site, backend: Backend, run: Run) -> None:
    if not backend.writes:
        return
    data = some_bytes(70_000)
    put = run(backend.put("key", outgoing(data)))
    head = run(backend.head("key"))
    assert (put.size, put.etag, put.version, put.checksums) == (
        head.size,
        head.etag,
        head.version,
        head.checksums,
    )
    assert abs(put.mtime - head.mtime) <= 2 * 10**9


def test_headers_and_metadata_survive(site: Site, backend: Backend, run: Run) -> None:
    if not backend.writes or "metadata" in site.lacks:
        return
    headers = {
        "content-type": "text/plain; charset=utf-8",
        "cache-control": "max-age=60",
        "content-disposition": 'attachment; filename="a b.txt"',
        "content-language": "en",
    }
    meta = {"colour": "blue", "with-dash": "a  b", "empty-not": "-", "beyond": "gr\xfcn \U0001f600"}
    put = run(backend.put("key", outgoing(b"body", headers=headers, meta=meta)))
    for about in (put, run(backend.head("key"))):
        assert headers.items() <= about.headers.items()
        assert about.meta == meta


def test_a_header_beyond_ascii_comes_back_as_its_bytes(
    site: Site, backend: Backend, run: Run
) -> None:
    """Values are Latin-1 text in the house: the bytes of the wire, most often UTF-8."""
    if not backend.writes or "metadata" in site.lacks:
        return
    headers = {"content-disposition": 'attachment; filename="gr\xc3\xbcn.txt"'}
    body = outgoing(b"body", headers=headers)
    if backend.provider == "azure":
        with pytest.raises(InvalidArgument, match="ASCII"):
            run(backend.put("key", body))
        return
    for about in (run(backend.put("key", body)), run(backend.head("key"))):
        assert headers.items() <= about.headers.items()


def test_an_object_is_replaced(backend: Backend, run: Run) -> None:
    if not backend.writes:
        return
    first = run(backend.put("key", outgoing(b"first", meta={"one": "1"})))
    second = run(backend.put("key", outgoing(b"the second")))
    assert first.etag != second.etag or first.version != second.version
    assert run(get(backend, "key")) == b"the second"
    assert run(backend.head("key")).meta == {}


def test_a_deleted_object_is_gone_and_may_be_deleted_again(backend: Backend, run: Run) -> None:
    if not backend.writes:
        return
    run(backend.put("key", outgoing(b"body")))
    run(backend.delete("key"))
    with pytest.raises(RemoteObjectNotFound):
        run(backend.head("key"))
    run(backend.delete("key"))


def test_conditions_of_a_write_hold(site: Site, backend: Backend, run: Run) -> None:
    if not backend.writes or "conditions" in site.lacks:
        return
    first = run(backend.put("key", outgoing(b"first", if_none_match=True)))
    with pytest.raises(PreconditionFailed):
        run(backend.put("key", outgoing(b"again", if_none_match=True)))
    run(backend.put("key", outgoing(b"second", if_match=first.etag)))
    with pytest.raises(PreconditionFailed):
        run(backend.put("key", outgoing(b"third", if_match=first.etag)))
    with pytest.raises(PreconditionFailed):
        run(backend.put("absent", outgoing(b"body", if_match=first.etag)))
    assert run(get(backend, "key")) == b"second"


def test_a_body_that_is_shorter_than_announced_is_not_stored(backend: Backend, run: Run) -> None:
    if not backend.writes:
        return

    async def short(start: int, length: int) -> AsyncIterator[bytes]:
        yield bytes(max(0, length - 1))

    with pytest.raises(RemoteBroken):
        run(backend.put("key", Outgoing(1000, short)))
    with pytest.raises(RemoteObjectNotFound):
        run(backend.head("key"))


def test_a_body_that_fails_is_not_stored(backend: Backend, run: Run) -> None:
    if not backend.writes:
        return

    class Trouble(AisleError):
        """What the one who reads the body hears."""

    async def broken(start: int, length: int) -> AsyncIterator[bytes]:
        yield bytes(10)
        raise Trouble("the disk is gone")

    with pytest.raises(Trouble):
        run(backend.put("key", Outgoing(1000, broken)))
    with pytest.raises(RemoteObjectNotFound):
        run(backend.head("key"))


def test_an_upload_in_parts_is_told_of_and_whole(site: Site, backend: Backend, run: Run) -> None:
    if not backend.writes or "parts" in site.lacks:
        return
    data = some_bytes(13 * MIB)
    told: list[str] = []

    async def started(upload: str) -> None:
        told.append(upload)
        with pytest.raises(RemoteObjectNotFound):
            await backend.head("key")

    parts = (6 * MIB, 5 * MIB, 2 * MIB)
    meta = {"colour": "red"}
    put = run(backend.put("key", outgoing(data, parts=parts, started=started, meta=meta)))
    assert len(told) == 1
    assert put.size == len(data)
    assert put.meta == meta
    assert run(get(backend, "key")) == data
    assert run(backend.head("key")).etag == put.etag
    run(backend.give_up("key", told[0]))  # that there is none any more is no error
    assert run(get(backend, "key", span=Span(11 * MIB - 3, 6))) == data[11 * MIB - 3 :][:6]


def test_an_upload_whose_beginning_could_not_be_noted_is_not_stored(
    site: Site, backend: Backend, run: Run
) -> None:
    if not backend.writes or "parts" in site.lacks:
        return

    class Trouble(AisleError):
        """What the one who notes the upload hears."""

    async def started(upload: str) -> None:
        raise Trouble("no")

    with pytest.raises(Trouble):
        run(
            backend.put(
                "key",
                outgoing(some_bytes(6 * MIB), parts=(5 * MIB, MIB), started=started),
            )
        )
    with pytest.raises(RemoteObjectNotFound):
        run(backend.head("key"))


# --- listings -------------------------------------------------------------------------------


def test_names_that_need_care_come_back_as_they_are(
    site: Site, backend: Backend, bucket: str, run: Run
) -> None:
    for name in NAMES:
        run(fill(site, backend, bucket, name, name.encode()))
        assert run(get(backend, name)) == name.encode()
        assert run(backend.head(name)).size == len(name.encode())
    if backend.lists:
        assert run(all_keys(backend)) == sorted(NAMES, key=str.encode)
    if backend.writes:
        for name in NAMES:
            run(backend.delete(name))
        assert run(all_keys(backend)) == []


def test_a_listing_tells_what_head_tells(
    site: Site, backend: Backend, bucket: str, run: Run
) -> None:
    if not backend.lists:
        return
    run(fill(site, backend, bucket, "key", b"some body"))
    (entry,) = run(backend.list()).entries
    head = run(backend.head("key"))
    assert (entry.key, entry.size) == ("key", 9)
    assert entry.etag in ("", head.etag)
    assert entry.version in ("", head.version)
    assert not entry.mtime or abs(entry.mtime - head.mtime) <= 2 * 10**9


def test_pages_continue_where_they_ended(backend: Backend, run: Run) -> None:
    if not backend.lists or not backend.writes:
        return
    keys = [f"k{n:03}" for n in range(25)]
    run(put_all(backend, keys))
    pages = run(all_pages(backend, limit=7))
    assert [len(page.entries) for page in pages] == [7, 7, 7, 4]
    assert run(all_keys(backend, limit=7)) == keys
    assert run(all_keys(backend, limit=25)) == keys
    assert run(all_keys(backend, prefix="k01", limit=3)) == keys[10:20]
    assert run(all_keys(backend, prefix="nothing")) == []


def test_a_listing_begins_behind_a_key(backend: Backend, run: Run) -> None:
    if not backend.lists or not backend.writes:
        return
    keys = [f"k{n:03}" for n in range(12)]
    run(put_all(backend, keys))
    assert run(all_keys(backend, after="k004", limit=3)) == keys[5:]
    assert run(all_keys(backend, after="k004x")) == keys[5:]
    assert run(all_keys(backend, after="k011")) == []
    assert run(all_keys(backend, prefix="k00", after="k007")) == keys[8:10]


def test_a_delimiter_gathers_prefixes(backend: Backend, run: Run) -> None:
    if not backend.lists or not backend.writes:
        return
    keys = ["a", "b/1", "b/2", "b/c/3", "d/4", "e"]
    run(put_all(backend, keys))
    page = run(backend.list(delimiter="/"))
    assert [entry.key for entry in page.entries] == ["a", "e"]
    assert page.prefixes == ["b/", "d/"]
    below = run(backend.list(delimiter="/", prefix="b/"))
    assert [entry.key for entry in below.entries] == ["b/1", "b/2"]
    assert below.prefixes == ["b/c/"]
    pages = run(all_pages(backend, delimiter="/", limit=1))
    assert [entry.key for page in pages for entry in page.entries] == ["a", "e"]
    assert [prefix for page in pages for prefix in page.prefixes] == ["b/", "d/"]


def test_buckets_are_listed(site: Site, bucket: str, run: Run) -> None:
    if "buckets" in site.lacks:
        with pytest.raises(AisleError):
            run(site.provider.buckets(site.settings, namespace=site.namespace))
        return
    assert bucket in run(site.provider.buckets(site.settings, namespace=site.namespace))
