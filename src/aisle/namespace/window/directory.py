"""Which remote buckets there are: what the cluster's credentials may list, provider by provider."""

from __future__ import annotations

import logging
from typing import Final

from aisle.core import clusters
from aisle.core.clusters import join_namespace, split_namespace
from aisle.core.errors import AisleError, NotSupported
from aisle.core.names import BucketName
from aisle.namespace.store import Store
from aisle.namespace.window.registry import Remotes

# What stands for all attached clusters where a namespace is named.
EVERY_CLUSTER: Final = ("@", "@*", "@@#")
_log = logging.getLogger("aisle.window")


def in_namespace(namespace: str, wanted: str | None) -> bool:
    """Whether a bucket's namespace is the one that is wanted; `None` wants all, `@` those of other
    clusters, and a cluster all that it has."""
    if wanted is None:
        return True
    if wanted in EVERY_CLUSTER:
        return namespace.startswith("@")
    uuid, name = split_namespace(wanted)
    if uuid and not name:
        return split_namespace(namespace)[0] == uuid
    return namespace == wanted


async def listed(store: Store, provider: str, namespace: str | None) -> list[BucketName]:
    """The buckets of a provider, or of all that are configured (`""`); of other clusters if a
    namespace of theirs is named. Of many providers one that fails is passed over. Raises
    `RemoteError`s, `BackendDisabled` and `ClusterNotAttached` where one alone is asked."""
    remotes = store.remotes
    if remotes is None:
        return []
    if namespace is not None and namespace.startswith("@"):
        return await _of_clusters(store, remotes, namespace) if provider in ("", "ais") else []
    if namespace or provider == "ais":
        return []
    if provider:
        if await remotes.idle(store, provider):
            return []
        return await _of(store, remotes, provider)
    found: list[BucketName] = []
    for name in await remotes.configured(store):
        if name != "ais":
            found += await _tried(store, remotes, name)
    return found


async def _of_clusters(store: Store, remotes: Remotes, namespace: str) -> list[BucketName]:
    known = clusters.attached((await store.config()).values)
    if namespace not in EVERY_CLUSTER:
        found = await _of(store, remotes, "ais", namespace)
        return [name for name in found if in_namespace(name.namespace, namespace)]
    return [
        name
        for one in known
        for name in await _tried(store, remotes, "ais", join_namespace(one.uuid, ""))
    ]


async def _of(
    store: Store, remotes: Remotes, provider: str, namespace: str = ""
) -> list[BucketName]:
    try:
        return await remotes.buckets(store, provider, namespace=namespace)
    except NotSupported:
        return []  # there is no such list


async def _tried(
    store: Store, remotes: Remotes, provider: str, namespace: str = ""
) -> list[BucketName]:
    try:
        return await _of(store, remotes, provider, namespace)
    except AisleError as error:
        _log.warning("the buckets of %s cannot be listed: %s", provider, error)
        return []
