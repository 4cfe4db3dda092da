"""Copies in windows, put there as a finished download does, without a remote behind them."""

from __future__ import annotations

from aisle.core.names import BucketName
from aisle.core.settings import Value
from aisle.namespace import bodies, buckets, objects
from aisle.namespace.objects import Description
from aisle.namespace.records import Object, Origin, encode
from aisle.namespace.store import BucketRow, Store
from aisle.namespace.window import atimes
from aisle.store.base import Put
from tests.namespace.support import Data


async def make_window(store: Store, name: str = "window", **props: Value) -> BucketRow:
    """`lru_enabled` and so on are props by their names."""
    given = {name.replace("_", ".", 1): value for name, value in props.items()}
    return await buckets.create(store, BucketName(name, "aws"), owner="me", props=given)


async def keep(
    store: Store, bucket: BucketRow, key: str, size: int, *, used: int | None = None
) -> Object:
    """A copy of `size` bytes that was last used at `used` (ns), or comes now."""
    row_key = bucket.record.id + key.encode()
    stored = await bodies.ingest(store, Data(b"x" * size), owner=row_key, algorithms=["MD5"])
    digest = ("md5", stored.digests["MD5"].hex())
    record = objects.new_object(
        stored, Description(), etag="remote", digest=digest, old=None, mtime=1
    )
    values = {name: getattr(record, name) for name in Object.__struct_fields__}
    record = Object(**{**values, "origin": Origin("aws", etag="remote", modified=1)})
    when = store.atimes.came(row_key)
    if used is not None:
        when = Put(atimes.TABLE, row_key, atimes.packed(used))
    await store.index.commit(Put("object", row_key, encode(record)), when, *stored.changes())
    return record


async def kept(store: Store, bucket: BucketRow) -> list[str]:
    """The keys of the copies."""
    rows = await store.index.scan("object", prefix=bucket.record.id, limit=10_000)
    return [key[8:].decode() for key, _ in rows]
