"""Bring one item of the queue to its destination.

Doing so twice is harmless but for another version at the destination, where there are any: a crash
between the destination's answer and ours leaves the item. Nothing here decides when something is
tried again.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Final, cast
from urllib.parse import quote, urlencode
from xml.sax.saxutils import escape

import msgspec

from aisle.backend.base import Backend, Forwarding, Outgoing, RawRequest
from aisle.core.errors import (
    DeleteMarkerNamed,
    NotSupported,
    ObjectNotFound,
    RemoteRefused,
    RemoteUnavailable,
    VersionNotFound,
)
from aisle.namespace import bodies, buckets, copies, edits, objects
from aisle.namespace.objects import Description, Found
from aisle.namespace.records import Object, decode
from aisle.namespace.replication.queue import Item
from aisle.namespace.replication.rules import REPLICA, rule_for
from aisle.namespace.replication.sink import rules_of
from aisle.namespace.store import BucketRow, Store
from aisle.namespace.versions.ids import shown
from aisle.namespace.window import claims
from aisle.namespace.window.claims import Held
from aisle.namespace.windows import READ

# Tells one of ours that what it gets is a replica; others pass over it.
HEADER: Final = "x-amz-replication-status"
_TAGGING: Final = "x-amz-tagging"


async def deliver(store: Store, source: BucketRow, item: Item) -> bool:
    """Do what an item asks for; False if there is nothing to do (any more), because the version is
    gone or no rule sends it there.

    Raises `RemoteError`s, `BucketNotFound` of the destination, and what reading the source raises.
    """
    wanted, key = item.wanted, item.key
    rules = await rules_of(store, source)
    if wanted.kind == "marker":
        if rule_for(rules, wanted.target, key.decode(), {}) is None:
            return False
        await _mark(store, await buckets.find(store, wanted.target), key)
        return True
    try:
        how = READ._replace(version=shown(wanted.version))
        found, small = await objects.find_small(store, source, key, how)
    except (ObjectNotFound, VersionNotFound, DeleteMarkerNamed):
        return False
    rule = rule_for(rules, wanted.target, key.decode(), found.record.tags)
    if rule is None:
        return False
    target = await buckets.find(store, wanted.target)
    if wanted.kind == "tags":
        await _tag(store, target, key, found.record)
        return True
    storage_class = rule.storage_class or found.record.storage_class
    if target.record.behind is None:
        await _copy(store, found, small, target, key, storage_class)
    else:
        await _send(store, found, small, target, key, storage_class)
    return True


# --- to a bucket of this cluster ------------------------------------------------------------


async def _copy(
    store: Store,
    found: Found,
    small: bytes | None,
    target: BucketRow,
    key: bytes,
    storage_class: str,
) -> None:
    record = found.record
    description = Description(
        headers=record.headers,
        meta=record.meta,
        storage_class=storage_class,
        owner=record.owner,
        checksum_algorithm=next(iter(record.checksums), ""),
        tags=record.tags,
        replication=REPLICA,
    )
    if not target.record.keeps_versions and await _is_there(store, target, key, found, description):
        return
    await copies.copy(store, found, target, key, description, small=small)


async def _is_there(
    store: Store, target: BucketRow, key: bytes, found: Found, description: Description
) -> bool:
    """Whether an object is the replica that would come in its place, younger than what it is made
    of: another would take with it what has been put beside it since, such as annotations."""
    raw = await store.index.get("object", target.record.id + key)
    if raw is None:
        return False
    there, known = decode(Object, raw), objects.known_digests(found.record)
    if there.replication != REPLICA or there.mtime < found.record.mtime:
        return False
    here = objects.known_digests(there)
    common = known.keys() & here.keys()
    return (
        bool(common)
        and all(known[name] == here[name] for name in common)
        and there.size == found.record.size
        and there.headers == description.headers
        and there.meta == description.meta
        and there.tags == description.tags
        and there.storage_class == description.storage_class
        and there.owner == description.owner
    )


# --- to a bucket behind a window ------------------------------------------------------------


async def _send(
    store: Store,
    found: Found,
    small: bytes | None,
    target: BucketRow,
    key: bytes,
    storage_class: str,
) -> None:
    record = found.record
    backend = await _backend(store, target)
    headers = dict(record.headers)
    if _speaks_s3(backend) is not None:
        headers[HEADER] = REPLICA
        if record.tags:
            headers[_TAGGING] = urlencode(record.tags, quote_via=quote)

    def opened(start: int, length: int) -> AsyncIterator[bytes]:
        if small is not None:
            return _piece(small[start : start + length])
        return bodies.read_extents(store, found.extents, start, length)

    md5 = objects.known_digests(record).get("MD5")

    async def put(held: Held) -> None:
        async def started(upload: str) -> None:
            await held.note(upload=upload)

        body = Outgoing(
            size=record.size,
            open=opened,
            md5=md5.hex() if md5 is not None else "",
            parts=tuple(part.size for part in found.parts),
            headers=headers,
            meta=record.meta,
            storage_class=storage_class,
            started=started,
        )
        await backend.put(key.decode(), body)

    await _claimed(store, target, key, put)


async def _claimed(
    store: Store, target: BucketRow, key: bytes, work: Callable[[Held], Awaitable[None]]
) -> None:
    """Change a remote object; the window keeps no copy of it from before."""
    held = await claims.writing(store, target, key)
    try:
        await work(held)
    except RemoteUnavailable:
        await claims.abandon(held)  # it may have been done
        raise
    except BaseException:
        await claims.leave(held)
        raise
    await claims.leave(held)


async def _piece(data: bytes) -> AsyncIterator[bytes]:
    yield data


async def _mark(store: Store, target: BucketRow, key: bytes) -> None:
    """Delete an object at the destination, whose versions may stay behind a marker there too."""
    if target.record.behind is None:
        owner = target.record.owner
        await objects.delete(store, target, key, owner=owner, replication=REPLICA)
        return
    backend = await _backend(store, target)
    remote = _speaks_s3(backend)

    async def delete(_: Held) -> None:
        if remote is None:
            await backend.delete(key.decode())
            return
        await _asked(backend, remote, RawRequest("DELETE", _path(key), headers={HEADER: REPLICA}))

    await _claimed(store, target, key, delete)


async def _tag(store: Store, target: BucketRow, key: bytes, record: Object) -> None:
    """Give the replica the tags that the source has by now, if it is still the same object."""
    if target.record.behind is None:

        def tagged(old: Object) -> Object:
            same = old.size == record.size and old.replication == REPLICA
            return msgspec.structs.replace(old, tags=record.tags) if same else old

        try:
            await edits.change(store, target, key, tagged)
        except ObjectNotFound:
            return
        return
    backend = await _backend(store, target)
    remote = _speaks_s3(backend)
    if remote is None:
        return  # its service has no tags of that kind
    tags = "".join(
        f"<Tag><Key>{escape(name)}</Key><Value>{escape(value)}</Value></Tag>"
        for name, value in record.tags.items()
    )
    body = f"<Tagging><TagSet>{tags}</TagSet></Tagging>".encode()
    request = RawRequest("PUT", _path(key), "tagging=", {HEADER: REPLICA}, body, len(body))
    await _asked(backend, remote, request)


async def _asked(backend: Backend, remote: Forwarding, request: RawRequest) -> None:
    """Send a request; that there is no such object (any more) is no error."""
    reply = await remote.forward(request)
    await reply.close()
    if reply.status < 300 or reply.status == 404:
        return
    said = f"{request.method} was answered with status {reply.status}"
    if reply.status >= 500 or reply.status == 429:
        raise RemoteUnavailable(backend.name, said)
    raise RemoteRefused(backend.name, said, status=reply.status)


async def _backend(store: Store, target: BucketRow) -> Backend:
    if store.remotes is None:
        raise NotSupported(f"{target.record.behind} cannot be reached from this process")
    return await store.remotes.backend(store, target.record)


def _speaks_s3(backend: Backend) -> Forwarding | None:
    return cast("Forwarding", backend) if hasattr(backend, "forward") else None


def _path(key: bytes) -> str:
    return quote(key, safe="/-._~")
