"""Pages of an inventory: prefixes, delimiters, places, and copies among its entries."""

from __future__ import annotations

import pytest

from aisle.namespace.listing import ID, Query
from aisle.namespace.records import Listed, Object, decode, encode
from aisle.namespace.window.inventory import pages
from aisle.namespace.window.listing import State
from aisle.store.base import Put
from tests.inventories import Entry, entries, written
from tests.jobs.inventoried import ANY, BUCKET, names, site
from tests.namespace.support import run


def copy_of(size: int) -> bytes:
    return encode(
        Object(
            size, 1, "etag", "STANDARD", {}, "", "", [], b"", {}, {}, ("md5", "x"), [], 0, 1,
        )
    )  # fmt: skip


def test_pages_have_prefixes_delimiters_and_places() -> None:
    async def story() -> None:
        async with site() as at:
            told = [Entry(key) for key in ("a", "b/1", "b/2", "b/c/3", "c/4", "d")]
            at.put(written(BUCKET, [told]))
            row = await at.inventories().listed(at.bucket, ANY)
            base = at.bucket.record.id
            found = await pages.page(at.store, row, Query(prefix=base, delimiter=b"/", limit=3))
            assert [key[ID:] for key, _ in found.page.rows] == [b"a"]
            assert [prefix[ID:] for prefix in found.page.prefixes] == [b"b/", b"c/"]
            assert found.page.truncated
            rest = Query(prefix=base, delimiter=b"/", skip=base + found.page.last[ID:], limit=3)
            after = await pages.page(at.store, row, rest)
            assert [key[ID:] for key, _ in after.page.rows] == [b"d"]
            assert await at.keys(row, after=base + b"b/2", limit=2) == ["b/c/3", "c/4"]
            inner = await pages.page(
                at.store, row, Query(prefix=base + b"b/", delimiter=b"/", limit=10)
            )
            assert [key[ID:] for key, _ in inner.page.rows] == [b"b/1", b"b/2"]

    run(story())


@pytest.mark.parametrize("delimiter", [b"", b"/"])
def test_copies_stand_in_the_place_of_their_entries(delimiter: bytes) -> None:
    async def story() -> None:
        async with site() as at:
            told = entries(6, folder="")
            at.put(written(BUCKET, [told]))
            row = await at.inventories().listed(at.bucket, ANY)
            base = at.bucket.record.id
            mine = {told[1].key: 100, told[4].key: 400, "0000002.bin-not-listed": 1}
            for key, size in mine.items():
                await at.index.commit(Put("object", base + key.encode(), copy_of(size)))
            query = Query(prefix=base, delimiter=delimiter, limit=5)
            found = await pages.page(at.store, row, query)
            sizes = [decode(Listed, raw).size for _, raw in found.page.rows]
            assert sizes == [0, 100, 2, 3, 400]
            assert found.states == {base + told[at].key.encode(): State.CACHED for at in (1, 4)}
            assert [key[ID:].decode() for key, _ in found.page.rows] == names(told[:5])

    run(story())
