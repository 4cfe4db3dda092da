"""Buckets: create, resolve, list, change, delete.

Invariant: an object row exists only while its bucket's row does. Writers check the bucket's row in
their own batch; `delete` first marks the row, then looks for contents, then removes the row if it
still carries that mark. A writer that meets a mark takes it away in its own batch, so the delete
starts over. Nobody waits, and a crash between the steps leaves only a harmless mark. Multipart
uploads do not keep a bucket from being deleted; `uploads.discard_all` reclaims them afterwards.
`rename` moves the row alone: whoever checks the old one hears that the bucket is gone.

A full name (provider, namespace, name) is unique. S3 clients see the global namespace alone and
name no provider: `find` refuses a name that several providers have there, and `create` with
`across` one that any of them has. A window (`Bucket.behind`) is given another remote bucket by
`reborn`, as a new identity under the old name: whatever was begun for the old one finds it gone.
"""

from __future__ import annotations

import os
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import suppress
from typing import Any, Final, Literal

import msgspec

from aisle.core.errors import (
    AmbiguousName,
    BucketExists,
    BucketNotEmpty,
    BucketNotFound,
    InvalidRequest,
    RowChanged,
    VersionsKept,
    WriteConflict,
)
from aisle.core.names import BucketName
from aisle.namespace import attached
from aisle.namespace.records import Bucket, bucket_key, decode, encode
from aisle.namespace.store import RETRIES, BucketRow, Store
from aisle.store.base import ABSENT, Change, Check, Delete, Put, Row

# More documents than a bucket can have: see `documents`.
_DOCUMENTS: Final = 10_000
_POLICY: Final = b"policy"
_VERSIONING: Final = "versioning.enabled"
# Of `documents.BITS`, which stand above this, those of what needs versions; a test ties the two.
_KEEPS_VERSIONS: Final = ((1, "an Object Lock"), (16, "a replication"))
SHARED: Final = 1.0
_KEPT: Final = 10_000  # rows in memory


async def create(
    store: Store,
    name: BucketName,
    *,
    owner: str,
    location: str = "",
    props: Mapping[str, Any] | None = None,
    documents: Mapping[bytes, bytes] | None = None,
    across: bool = False,
    has: int = 0,
) -> BucketRow:
    """Make a bucket, with its `documents` by kind (and `has` what `documents.bits` says of them).
    Raises `BucketExists` if its name is taken, with
    `across` by a bucket of another provider too."""
    name = await attached.settled(store, name)
    taken = await _holder(store, name, across=across)
    if taken is not None:
        raise _exists(name, owner, taken)
    record = Bucket(
        id=os.urandom(8),
        name=name.name,
        provider=name.provider,
        namespace=name.namespace,
        created=store.now(),
        owner=owner,
        location=location,
        props=dict(props or {}),
        has=has,
    )
    record = _with_status(record, record.props)
    key = bucket_key(*name)
    raw = encode(record)
    try:
        await store.index.commit(
            Check("bucket", key, ABSENT),
            Put("bucket", key, raw),
            *(Put("document", record.id + kind, text) for kind, text in (documents or {}).items()),
        )
    except RowChanged:
        raise _exists(name, owner, (await get(store, name)).record) from None
    store.names.pop(_shared_key(name.name), None)
    return BucketRow(key, raw, record)


def unwritten(name: BucketName, *, owner: str, props: Mapping[str, Any]) -> BucketRow:
    """A bucket that nobody has made: it has no objects, and no write to it succeeds."""
    record = Bucket(
        os.urandom(8), name.name, name.provider, name.namespace, 0, owner, "", {**props}
    )
    return BucketRow(bucket_key(*name), encode(record), record)


async def is_taken(store: Store, name: BucketName) -> bool:
    """Whether `create` or `rename` would find another bucket of this name."""
    return await _holder(store, name) is not None


async def _holder(store: Store, name: BucketName, *, across: bool = False) -> Bucket | None:
    """The bucket that has a name, or with `across` one that has it for S3 clients."""
    name = await attached.canonical(store, name)
    raw = await store.index.get("bucket", bucket_key(*name))
    if raw is not None:
        return decode(Bucket, raw)
    named = await _of_name(store, name.name) if across else []
    return named[0].record if named else None


async def _of_name(store: Store, name: str) -> list[BucketRow]:
    """The buckets that S3 clients would call `name`, by provider."""
    prefix = f"{name}\0".encode("utf-8", "surrogateescape")
    return [row async for row in _scan(store, prefix, step=16) if not row.record.namespace]


def _exists(name: BucketName, owner: str, taken: Bucket) -> BucketExists:
    owned = taken.owner == owner and taken.provider == name.provider
    return BucketExists(name.name, owned=owned, namespace=name.namespace)


async def rename(store: Store, name: BucketName, new: BucketName, *, identity: bytes) -> BucketRow:
    """Give the bucket of this id another name, in one commit; done already, it stays done.

    Its objects, uploads and props are its own as before. Raises `BucketNotFound`, `BucketExists`,
    and `InvalidRequest` for a window, and while it has a policy, which has the old name in it.
    """
    for _ in range(RETRIES):
        taken = await _holder(store, new)
        if taken is not None and taken.id == identity:
            return await get(store, new)
        if taken is not None:
            raise _exists(new, taken.owner, taken)
        row = await get(store, name)
        if row.record.id != identity:
            raise BucketNotFound(name.name, name.namespace)
        refuse_window(row)
        await refuse_policy(store, row)
        record = msgspec.structs.replace(
            row.record, name=new.name, provider=new.provider, namespace=new.namespace, mark=b""
        )
        key, raw = bucket_key(*new), encode(record)
        try:
            await store.index.commit(
                row.check,
                Check("bucket", key, ABSENT),
                Check("document", identity + _POLICY, ABSENT),
                Delete("bucket", row.key),
                Put("bucket", key, raw),
            )
        except RowChanged:
            continue
        return BucketRow(key, raw, record)
    raise WriteConflict(f'bucket "{name.name}" is being changed by too many writers')


async def refuse_policy(store: Store, row: BucketRow) -> None:
    """Raise `InvalidRequest` if the bucket has a policy, which names it."""
    if await store.index.get("document", row.record.id + _POLICY) is not None:
        raise InvalidRequest(f'"{row.record.name}" has a policy that names it: delete that first')


def refuse_window(row: BucketRow) -> None:
    """Raise `InvalidRequest` if there is a remote bucket behind this one."""
    if row.record.behind is not None:
        raise InvalidRequest(
            f"{row.name} cannot be renamed: {row.record.behind} is behind it, whose name stays"
        )


async def get(store: Store, name: BucketName, *, recent: bool = False) -> BucketRow:
    """The bucket of this full name. Raises `BucketNotFound`.

    With `recent` it may be what it was up to `index.lag` seconds ago: enough to read an object
    that is there, since a bucket is empty before it goes (one that was renamed can be read by its
    old name for so long); not to say that something is absent.
    """
    if name.namespace[:1] == "@":
        name = await attached.canonical(store, name)
    key = bucket_key(*name)
    epoch = store.index.epoch()
    cached = store.bucket_cache.get(key)
    if cached is not None and cached[0] == epoch and (recent or not store.index.lag):
        return cached[1]
    raw = await store.index.get("bucket", key)
    if raw is None:
        store.bucket_cache.pop(key, None)
        await attached.refuse_unknown(store, name)
        raise BucketNotFound(name.name, name.namespace, name.provider)
    return _found(store, key, epoch, (key, raw))


async def refresh(store: Store, row: BucketRow) -> BucketRow:
    """The present row of the same bucket. Raises `BucketNotFound` also if another one has its
    name by now: what was begun for the old bucket must not end up under the new one's row."""
    fresh = await get(store, row.name)
    if fresh.record.id != row.record.id:
        raise BucketNotFound(row.record.name, row.record.namespace)
    return fresh


async def find(store: Store, name: str, *, recent: bool = False) -> BucketRow:
    """The bucket that S3 clients call `name`: see `get`. Raises `BucketNotFound`, and
    `AmbiguousName` if there are several; that another one has come is noticed within `SHARED`
    seconds, so that a name which is in use costs no more than a row."""
    key = _shared_key(name)
    epoch = store.index.epoch()
    cached = store.bucket_cache.get(key)
    if cached is not None:
        if cached[0] == epoch and (recent or not store.index.lag):
            return cached[1]
        if time.monotonic() - store.names.get(key, -SHARED) < SHARED:
            raw = await store.index.get("bucket", cached[1].key)
            if raw is not None:
                return _found(store, key, epoch, (cached[1].key, raw))
    rows = await store.index.scan("bucket", prefix=key[1:] + b"\0", limit=2)
    if len(rows) > 1:  # some may be in other namespaces
        rows = [(row.key, row.raw) for row in await _of_name(store, name)]
    if len(rows) != 1 or not rows[0][0].endswith(b"\0"):
        store.bucket_cache.pop(key, None)
        if len(rows) > 1:
            raise AmbiguousName(name, [decode(Bucket, raw).provider for _, raw in rows])
        raise BucketNotFound(name)
    if len(store.names) > _KEPT:
        store.names.clear()
    store.names[key] = time.monotonic()
    return _found(store, key, epoch, rows[0])


def remembered(store: Store, name: str) -> BucketRow | None:
    """The bucket that S3 clients have called `name` a while ago, as it was then: enough to note
    what was asked of it."""
    cached = store.bucket_cache.get(_shared_key(name))
    return cached[1] if cached is not None else None


def _shared_key(name: str) -> bytes:
    """Where `bucket_cache` has what S3 clients call so: no row's key begins with NUL."""
    return b"\0" + name.encode("utf-8", "surrogateescape")


def _found(store: Store, key: bytes, epoch: int, found: Row) -> BucketRow:
    """A row that has been read, kept for as long as nothing changes."""
    cached = store.bucket_cache.get(key)
    if cached is not None and cached[1].raw == found[1]:
        row = cached[1]
    else:
        row = BucketRow(*found, decode(Bucket, found[1]))
    _keep(store, key, epoch, row)
    return row


def _keep(store: Store, key: bytes, epoch: int, row: BucketRow) -> None:
    if len(store.bucket_cache) > _KEPT:
        store.bucket_cache.clear()
    store.bucket_cache[key] = (epoch, row)


async def list_all(
    store: Store,
    *,
    prefix: str = "",
    after: bytes = b"",
    limit: int = 10_000,
    namespace: str | None = None,
    wanted: Callable[[Bucket], bool] | None = None,
) -> list[BucketRow]:
    """Buckets in byte order of their names, above the row key `after`; those of one namespace, if
    it is named (`""` is the global one), and only those that are `wanted`."""
    found: list[BucketRow] = []
    async for row in _scan(store, prefix.encode("utf-8", "surrogateescape"), after, limit):
        if wanted is not None and not wanted(row.record):
            continue
        if namespace is None or row.record.namespace == namespace:
            found.append(row)
            if len(found) == limit:
                break
    return found


async def _scan(
    store: Store, prefix: bytes, after: bytes = b"", step: int = 1000
) -> AsyncIterator[BucketRow]:
    """Every bucket whose row key begins with `prefix`, `step` of them read at a time."""
    while True:
        rows = await store.index.scan("bucket", prefix=prefix, after=after, limit=step)
        for key, raw in rows:
            yield BucketRow(key, raw, decode(Bucket, raw))
        if len(rows) < step:
            return
        after = rows[-1][0]


async def change_props(store: Store, name: BucketName, props: Mapping[str, Any]) -> BucketRow:
    """Set properties (flat names, already validated); a value of `None` drops one."""
    for _ in range(RETRIES):
        row = await get(store, name)
        merged = {**row.record.props, **props}
        record = msgspec.structs.replace(
            row.record, props={key: value for key, value in merged.items() if value is not None}
        )
        record = _with_status(record, props)
        raw = encode(record)
        try:
            await store.index.commit(row.check, Put("bucket", row.key, raw))
        except RowChanged:
            continue
        return BucketRow(row.key, raw, record)
    raise WriteConflict(f'bucket "{name.name}" is being changed by too many writers')


async def set_versioning(store: Store, row: BucketRow, *, suspended: bool) -> BucketRow:
    """Set S3's versioning status, and the property that is the same switch. Raises
    `BucketNotFound`, and `VersionsKept` where versions may be locked."""
    for _ in range(RETRIES):
        if suspended:
            _refuse_to_suspend(row.record)
        status: Literal["Enabled", "Suspended"] = "Suspended" if suspended else "Enabled"
        props = {**row.record.props, _VERSIONING: not suspended}
        record = msgspec.structs.replace(row.record, versions=status, props=props, mark=b"")
        after = BucketRow(row.key, encode(record), record)
        try:
            await store.index.commit(row.check, Put("bucket", row.key, after.raw))
        except RowChanged:
            row = await refresh(store, row)
            continue
        return after
    raise WriteConflict(f'bucket "{row.record.name}" is being changed by too many writers')


def _with_status(record: Bucket, changed: Mapping[str, Any]) -> Bucket:
    """The record with the versioning status that its property asks for: once a bucket has had
    versions it can only suspend them. Those of a window are the remote's. Raises `VersionsKept` if
    versions cannot be given up, because they may be locked."""
    if _VERSIONING not in changed or record.behind is not None:
        return record
    if record.props.get(_VERSIONING):
        return msgspec.structs.replace(record, versions="Enabled")
    if not record.versions:
        return record
    _refuse_to_suspend(record)
    return msgspec.structs.replace(record, versions="Suspended")


def _refuse_to_suspend(record: Bucket) -> None:
    for bit, what in _KEEPS_VERSIONS:
        if record.has & bit:
            raise VersionsKept(record.name, what)


async def delete(store: Store, name: BucketName, *, identity: bytes = b"") -> None:
    """Remove an empty bucket, with an `identity` the one of this id alone. Raises `BucketNotFound`
    or `BucketNotEmpty`."""
    for _ in range(RETRIES):
        row = await get(store, name)
        if identity and row.record.id != identity:
            raise BucketNotFound(name.name, name.namespace, name.provider)
        with suppress(RowChanged):
            marked, documents = await _emptied(store, row)
            await store.index.commit(
                Check("bucket", row.key, marked),
                Delete("bucket", row.key),
                Delete("hidden", row.record.id),
                *(Delete("document", key) for key, _ in documents),
            )
            return
    raise WriteConflict(f'bucket "{name.name}" is being changed by too many writers')


async def reborn(
    store: Store, name: BucketName, props: Mapping[str, Any], *, location: str, identity: bytes
) -> BucketRow:
    """Give the empty bucket of this id other props and another identity, documents and all else
    staying as they are. Raises `BucketNotFound`, `BucketNotEmpty`, and `VersionsKept` where
    versions may be locked."""
    for _ in range(RETRIES):
        row = await get(store, name)
        if row.record.id != identity:
            raise BucketNotFound(name.name, name.namespace, name.provider)
        _refuse_to_suspend(row.record)
        record = msgspec.structs.replace(
            row.record,
            id=os.urandom(8),
            props=dict(props),
            location=location,
            mark=b"",
            versions="",
        )
        record = _with_status(record, props)
        raw = encode(record)
        with suppress(RowChanged):
            marked, documents = await _emptied(store, row)
            await store.index.commit(
                Check("bucket", row.key, marked),
                Put("bucket", row.key, raw),
                *(Delete("document", key) for key, _ in documents),
                *(
                    Put("document", record.id + key[len(identity) :], text)
                    for key, text in documents
                ),
            )
            return BucketRow(row.key, raw, record)
    raise WriteConflict(f'bucket "{name.name}" is being changed by too many writers')


async def _emptied(store: Store, row: BucketRow) -> tuple[bytes, list[Row]]:
    """The row with the mark of a bucket that has been found empty, and its documents. Raises
    `BucketNotEmpty`, `RowChanged`."""
    marked = encode(msgspec.structs.replace(row.record, mark=os.urandom(8)))
    await store.index.commit(row.check, Put("bucket", row.key, marked))
    if await _has_contents(store, row.record):
        with suppress(RowChanged):  # a writer has taken the mark away already
            await store.index.commit(
                Check("bucket", row.key, marked), Put("bucket", row.key, _unmarked(row.record))
            )
        raise BucketNotEmpty(row.record.name, versioned=bool(row.record.versions))
    documents = await store.index.scan("document", prefix=row.record.id, limit=_DOCUMENTS)
    return marked, documents


async def _has_contents(store: Store, bucket: Bucket) -> bool:
    for table in ("object", "version") if bucket.versions else ("object",):
        if await store.index.scan(table, prefix=bucket.id, limit=1):
            return True
    return False


def guard(row: BucketRow) -> list[Change]:
    """The changes that tie a write to its bucket: it still exists and is not being deleted."""
    if not row.record.mark:
        return [row.check]
    return [row.check, Put("bucket", row.key, _unmarked(row.record))]


def _unmarked(record: Bucket) -> bytes:
    return encode(msgspec.structs.replace(record, mark=b""))
