"""Pages of an inventory: its rows, merged with what the cluster has of the same objects.

One scan reads a page of the inventory and one the copies in between; a copy stands in the place of
the entry. Objects that the inventory does not have are not listed, whether there are copies of them
or not.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import Final

from aisle.core.errors import InventoryBusy
from aisle.namespace import listing
from aisle.namespace.listing import ID, Page, Query
from aisle.namespace.store import Store
from aisle.namespace.window.inventory import generations
from aisle.namespace.window.inventory.generations import InventoryRow
from aisle.namespace.window.listing import Listing, State
from aisle.store.base import Fold, Row

_TRIES: Final = 10


async def page(store: Store, row: InventoryRow, query: Query) -> Listing:
    """A page of `query`, which is one of the bucket's objects: its keys carry the bucket's id. The
    keys of rows have that of a generation instead, but for those of copies."""
    for _ in range(_TRIES):
        generation = row.record.rows
        found = await _page(store, generation, query)
        now = await generations.read(store, row.key)
        if now.record.rows == generation:
            return await _merged(store, query, found)
        # Its rows may have been deleted while they were read.
        row = now
        if not row.record.rows:
            break
    raise InventoryBusy("the inventory has just been replaced, or removed", 1)


async def _page(store: Store, generation: bytes, query: Query) -> Page:
    def moved(key: bytes) -> bytes:
        return generation + key[ID:] if key else key

    scan, prefix = store.index.scan, moved(query.prefix)
    fold = Fold(query.delimiter, len(prefix))

    async def read(after: bytes, limit: int) -> list[Row]:
        return await scan(generations.ROWS, prefix=prefix, after=after, limit=limit)

    async def folded(after: bytes, limit: int) -> list[Row]:
        return await scan(generations.ROWS, prefix=prefix, after=after, limit=limit, fold=fold)

    inner = Query(
        prefix=prefix,
        delimiter=query.delimiter,
        after=moved(query.after),
        skip=moved(query.skip),
        limit=query.limit,
    )
    can_fold = bool(query.delimiter.rstrip(b"\xff"))
    return await listing.list_page(inner, read, folded=folded if can_fold else None)


async def _merged(store: Store, query: Query, found: Page) -> Listing:
    """The page with copies in the places of their entries."""
    token = ""
    if found.truncated:
        token = listing.encode_token(found.last[ID:], is_prefix=found.last_is_prefix)
    rows, base = found.rows, query.prefix[:ID]
    copies = await _copies(store, query, base, rows) if rows else {}
    if not copies:
        return Listing(found, {}, token)
    states: dict[bytes, State] = {}
    merged: list[Row] = []
    for row in rows:
        key = row[0][ID:]
        copy = copies.get(key)
        if copy is None:
            merged.append(row)
        else:
            merged.append((base + key, copy))
            states[base + key] = State.CACHED
    return Listing(found._replace(rows=merged), states, token)


async def _copies(store: Store, query: Query, base: bytes, rows: list[Row]) -> dict[bytes, bytes]:
    """The rows of objects by key, of those that the page may have."""
    if query.delimiter:  # what lies between them may be much that is not theirs
        keys = [base + key[ID:] for key, _ in rows]
        values = await store.index.get_many("object", keys)
        return {key[ID:]: raw for key, raw in zip(keys, values, strict=True) if raw is not None}
    last, limit = base + rows[-1][0][ID:], len(rows) + 1
    after = query.after
    found: dict[bytes, bytes] = {}
    while True:
        some = await store.index.scan("object", prefix=query.prefix, after=after, limit=limit)
        end = bisect_right(some, last, key=lambda row: row[0])
        found.update((key[ID:], raw) for key, raw in some[:end])
        if end < len(some) or len(some) < limit:
            return found
        after = some[-1][0]
