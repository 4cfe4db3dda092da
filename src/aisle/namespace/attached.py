"""Clusters that are attached to this one: made known, forgotten, and found by uuid or alias.

They are settings of the cluster, `backend.ais.ALIAS` (see `core.clusters`), so each change is one
commit with a check of what was there before, and every gateway hears of it as of any setting. A
bucket's row has its cluster's uuid; an alias is looked up here when a name comes in.
"""

from __future__ import annotations

from typing import Final

from aisle.core import clusters
from aisle.core.clusters import Attached
from aisle.core.errors import ClusterExists, ClusterNotAttached, InvalidArgument
from aisle.core.names import BucketName
from aisle.core.settings import Value
from aisle.namespace import configuration
from aisle.namespace.records import Config
from aisle.namespace.store import Store, store_id

MOST: Final = 100


async def list_all(store: Store) -> list[Attached]:
    """The attached clusters, by alias."""
    return clusters.attached((await store.config()).values)


async def get(store: Store, name: str) -> Attached:
    """The cluster of this uuid or alias. Raises `ClusterNotAttached`."""
    found = clusters.find((await store.config()).values, name)
    if found is None:
        raise ClusterNotAttached(name[:64])
    return found


async def attach(store: Store, new: Attached) -> Attached:
    """Make a cluster known, or give one that is known more URLs or another alias; as it is known
    then. Raises `InvalidArgument` and `ClusterExists`."""
    own = await store_id(store.index)
    clusters.check_alias(new.alias)
    if new.uuid == own:
        raise InvalidArgument("this cluster cannot be attached to itself", name="url")

    def change(old: Config) -> dict[str, Value]:
        known = clusters.attached(old.values)
        _check_clash(known, new, own)
        same = [one for one in known if one.uuid == new.uuid]
        if not same and len(known) >= MOST:
            raise InvalidArgument(f"no more than {MOST} clusters can be attached", name="alias")
        urls = dict.fromkeys((*(url for one in same for url in one.urls), *new.urls))
        if len(urls) > clusters.MAX_URLS:
            raise InvalidArgument(f"a cluster has {clusters.MAX_URLS} URLs at most", name="url")
        return {new.setting: Attached(new.alias, new.uuid, tuple(urls)).value}

    def dropped(old: Config) -> list[str]:
        known = clusters.attached(old.values)
        return [one.setting for one in known if one.uuid == new.uuid and one.alias != new.alias]

    await configuration.change_backends(store.index, change, dropped, now=store.now())
    store.forget_config()
    return await get(store, new.alias)


def _check_clash(known: list[Attached], new: Attached, own: str) -> None:
    """Aliases and uuids are one set of names; and two aliases have not the same token."""
    for one in known:
        if one.uuid == new.uuid:
            continue
        if one.alias == new.alias:
            raise ClusterExists(new.alias)
        if new.alias == one.uuid or new.uuid == one.alias:
            raise InvalidArgument(
                f'"{new.alias}" is the uuid of a cluster that is attached', name="alias"
            )
        spoken = clusters.environment_name
        if spoken(one.alias) == spoken(new.alias):
            raise InvalidArgument(
                f'the alias "{new.alias}" is too much like "{one.alias}": their tokens would have'
                " one name",
                name="alias",
            )
    if new.alias == own:
        raise InvalidArgument(f'"{new.alias}" is the uuid of this cluster', name="alias")


async def detach(store: Store, name: str) -> Attached:
    """Forget a cluster, by its alias or uuid; windows on it stay, and cannot reach it. Raises
    `ClusterNotAttached`."""
    gone: list[Attached] = []

    def dropped(old: Config) -> list[str]:
        found = clusters.find(old.values, name)
        if found is None:
            raise ClusterNotAttached(name[:64])
        gone[:] = [found]
        return [found.setting]

    await configuration.change_backends(store.index, lambda _: {}, dropped, now=store.now())
    store.forget_config()
    return gone[0]


async def canonical(store: Store, name: BucketName) -> BucketName:
    """The name with the cluster's uuid in the place of its alias. A cluster that is not attached
    keeps the name it was given: there may be a window left on it."""
    if not name.namespace.startswith("@"):
        return name
    return name._replace(namespace=await canonical_namespace(store, name.namespace))


async def canonical_namespace(store: Store, namespace: str) -> str:
    """The same for a namespace alone."""
    uuid, space = clusters.split_namespace(namespace)
    if not uuid:
        return namespace
    found = clusters.find((await store.config()).values, uuid)
    return clusters.join_namespace(found.uuid if found is not None else uuid, space)


async def settled(store: Store, name: BucketName) -> BucketName:
    """The canonical name of a bucket that is to be. Raises `ClusterNotAttached`, and
    `InvalidArgument` for one of another provider than `ais` in another cluster."""
    await refuse_unknown(store, name)
    if name.provider != "ais" and name.namespace.startswith("@"):
        raise InvalidArgument(
            f"{name}: of other clusters only ais:// buckets can be reached", name="provider"
        )
    return await canonical(store, name)


async def refuse_unknown(store: Store, name: BucketName) -> None:
    """Raise `ClusterNotAttached` if a bucket is named as one of a cluster that is not."""
    uuid, _ = clusters.split_namespace(name.namespace)
    if uuid:
        await get(store, uuid)
