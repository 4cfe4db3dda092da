"""`AisProvider`: which clusters are attached, and backends for their buckets.

What is attached stands in the settings that a backend is opened with (`core.clusters`), so a change
of it opens another one. Clusters are kept as long as they are attached as they are: backends of one
share its connections, and what is known of its gateways.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import quote

from aisle.backend.ais.bucket import AisBackend
from aisle.backend.ais.cluster import Ask, Cluster
from aisle.backend.ais.replies import bucket_names
from aisle.backend.ais.tokens import Token
from aisle.backend.base import Backend, ClusterSeen
from aisle.core import clusters
from aisle.core.clusters import OWN_UUID, Attached
from aisle.core.errors import (
    ClusterNotAttached,
    InvalidArgument,
    RemoteRefused,
    RemoteUnavailable,
)
from aisle.outgoing.request import whole
from aisle.outgoing.transport import Transport

_BUCKETS: Final = 64 << 20  # bytes of a list of buckets


class AisProvider:
    """See `backend.base.Provider`, and `Clusters`."""

    name = "ais"

    def __init__(self, environment: Mapping[str, str] | None = None) -> None:
        self._environment = os.environ if environment is None else environment
        self._transport = Transport()
        self._known: dict[str, Cluster] = {}  # by uuid

    def open(self, bucket: str, settings: Mapping[str, Any], *, namespace: str = "") -> Backend:
        cluster = self._cluster(settings, namespace)
        return AisBackend(cluster, bucket, clusters.split_namespace(namespace)[1])

    async def buckets(self, settings: Mapping[str, Any], *, namespace: str = "") -> list[str]:
        """The buckets of a cluster in one of its namespaces."""
        cluster = self._cluster(settings, namespace)
        space = clusters.split_namespace(namespace)[1]
        query = "provider=ais" + (f"&namespace={quote(f'#{space}', safe='')}" if space else "")
        name = f"ais://@{cluster.known.alias}"
        reply = await cluster.call(
            name,
            Ask(
                "GET",
                f"/v1/buckets?{query}",
                {"content-type": "application/json"},
                whole(b'{"action":"list"}'),
                limit=_BUCKETS,
            ),
        )
        try:
            return bucket_names(reply.body, space)
        except ValueError as error:
            raise RemoteRefused(
                name, f"the cluster's reply makes no sense: {error}", status=502
            ) from None

    async def look(
        self, alias: str, urls: Sequence[str], settings: Mapping[str, Any]
    ) -> ClusterSeen:
        name = f"ais://@{alias}"
        token = Token(alias, self._environment)
        own = str(settings.get(OWN_UUID, ""))
        cluster = Cluster(self._transport, Attached(alias, "", tuple(urls)), token, own)
        seen: ClusterSeen | None = None
        for url in urls:
            found = await cluster.look(name, url)
            if seen is not None and found.uuid != seen.uuid:
                raise InvalidArgument(
                    f'{seen.url} and {url} are two clusters, "{seen.uuid}" and "{found.uuid}"',
                    name="url",
                )
            seen = seen or found
        if seen is None:
            raise RemoteUnavailable(name, "there is no address to ask")
        return seen

    async def close(self) -> None:
        await self._transport.close()

    def _cluster(self, settings: Mapping[str, Any], namespace: str) -> Cluster:
        """Raises `ClusterNotAttached`, and `InvalidArgument` for a namespace of our own."""
        wanted, _ = clusters.split_namespace(namespace)
        if not wanted:
            raise InvalidArgument(
                "a bucket of another cluster is ais://@CLUSTER/BUCKET", name="namespace"
            )
        found = clusters.find(settings, wanted)
        if found is None:
            raise ClusterNotAttached(wanted)
        cluster = self._known.get(found.uuid)
        if cluster is None or cluster.known != found:
            token = Token(found.alias, self._environment)
            own = str(settings.get(OWN_UUID, ""))
            cluster = self._known[found.uuid] = Cluster(self._transport, found, token, own)
        return cluster
