"""Clusters that roles may name, by uuid or alias, and the roles that come with each.

The store's own cluster is known without having been registered: its uuid is the store's id.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from aisle.core import permissions
from aisle.core.errors import (
    ClusterExists,
    ClusterNotFound,
    InvalidArgument,
    RowChanged,
    WriteConflict,
)
from aisle.namespace.records import Registered, Role, decode, encode
from aisle.namespace.store import RETRIES, Store, store_id
from aisle.namespace.users import names
from aisle.store.base import ABSENT, Change, Check, Delete, Put

TABLE: Final = "cluster"
MAX_URLS: Final = 32
MAX_CLUSTERS: Final = 1000
# What registering a cluster makes: name, description, permissions.
ROLES: Final = (
    ("ClusterOwner", "Admin access to cluster {}", permissions.EVERYTHING),
    ("BucketOwner", "Full access to buckets in cluster {}", permissions.READ_WRITE),
    (
        "Guest",
        "Read-only access to buckets in cluster {}",
        permissions.READ_ONLY | permissions.CLUSTER_READ_ONLY,
    ),
)


def _by_id(uuid: str) -> bytes:
    return b"id/" + uuid.encode("utf-8", "surrogateescape")[:256]


def _by_alias(alias: str) -> bytes:
    return b"alias/" + alias.encode("utf-8", "surrogateescape")[:256]


def _checked(given: Registered) -> Registered:
    names.cluster_id(given.id)
    names.alias(given.alias)
    if len(given.urls) > MAX_URLS or any(not 1 <= len(url) <= 1024 for url in given.urls):
        raise InvalidArgument(f"there are up to {MAX_URLS} URLs, of up to 1,024 characters each")
    return given


async def register(store: Store, uuid: str, *, alias: str = "", urls: Sequence[str] = ()) -> None:
    """Make a cluster known, and the roles that it comes with. Raises `ClusterExists` and
    `InvalidArgument`."""
    new = _checked(Registered(uuid, alias, list(urls)))
    changes: list[Change] = [Check(TABLE, _by_id(uuid), ABSENT), *_rows(new)]
    for prefix, description, bits in ROLES:
        role = Role(f"{prefix}-{alias or uuid}"[:64], description.format(alias or uuid))
        place = role.name.encode()
        if await store.index.get("role", place) is None:
            made = Role(role.name, role.description, {uuid: bits})
            changes.append(Put("role", place, encode(made)))
    try:
        await store.index.commit(*changes)
    except RowChanged as error:
        raise ClusterExists(uuid if error.key == _by_id(uuid) else alias) from None


def _rows(new: Registered) -> list[Change]:
    rows: list[Change] = [Put(TABLE, _by_id(new.id), encode(new))]
    if new.alias:
        rows += [
            Check(TABLE, _by_alias(new.alias), ABSENT),
            Put(TABLE, _by_alias(new.alias), new.id.encode()),
        ]
    return rows


async def _read(store: Store, name: str) -> tuple[bytes, Registered] | None:
    raw = await store.index.get(TABLE, _by_id(name))
    if raw is None:
        uuid = await store.index.get(TABLE, _by_alias(name))
        raw = await store.index.get(TABLE, _by_id(uuid.decode())) if uuid is not None else None
    return (raw, decode(Registered, raw)) if raw is not None else None


async def get(store: Store, name: str) -> Registered:
    """The cluster of this uuid or alias. Raises `ClusterNotFound`."""
    found = await _read(store, name)
    if found is not None:
        return found[1]
    if name and name == await store_id(store.index):
        return Registered(name, "", [])
    raise ClusterNotFound(name[:64])


async def list_all(store: Store) -> list[Registered]:
    """All clusters, the store's own included."""
    rows = await store.index.scan(TABLE, prefix=b"id/", limit=MAX_CLUSTERS)
    found = [decode(Registered, raw) for _, raw in rows]
    own = await store_id(store.index)
    if all(cluster.id != own for cluster in found):
        found.append(Registered(own, "", []))
    return found


async def change(
    store: Store, name: str, *, alias: str | None = None, urls: Sequence[str] | None = None
) -> Registered:
    """Give a registered cluster another alias or other URLs. Raises `ClusterNotFound`,
    `ClusterExists` if the alias is another's, and `InvalidArgument`."""
    for _ in range(RETRIES):
        found = await _read(store, name)
        if found is None:
            raise ClusterNotFound(name[:64])
        raw, old = found
        new = _checked(
            Registered(
                old.id,
                old.alias if alias is None else alias,
                old.urls if urls is None else list(urls),
            )
        )
        changes: list[Change] = [Check(TABLE, _by_id(old.id), raw)]
        if new.alias == old.alias:
            changes.append(Put(TABLE, _by_id(old.id), encode(new)))
        else:
            changes += [Delete(TABLE, _by_alias(old.alias))] if old.alias else []
            changes += _rows(new)
        try:
            await store.index.commit(*changes)
        except RowChanged as error:
            if error.key == _by_alias(new.alias):
                raise ClusterExists(new.alias) from None
            continue
        return new
    raise WriteConflict(f'cluster "{name}" is being changed by too many writers')


async def delete(store: Store, name: str) -> None:
    """Forget a registered cluster; roles that name it stay. Raises `ClusterNotFound`."""
    for _ in range(RETRIES):
        found = await _read(store, name)
        if found is None:
            raise ClusterNotFound(name[:64])
        raw, old = found
        changes: list[Change] = [Check(TABLE, _by_id(old.id), raw), Delete(TABLE, _by_id(old.id))]
        changes += [Delete(TABLE, _by_alias(old.alias))] if old.alias else []
        try:
            await store.index.commit(*changes)
        except RowChanged:
            continue
        return
    raise WriteConflict(f'cluster "{name}" is being changed by too many writers')
