"""Handlers of registered clusters: those that roles may name, by id or alias."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from aisle.api.base import Context, Response, Service
from aisle.api.native.message import JSON, Message, read_struct
from aisle.api.native.route import Route
from aisle.core.errors import InvalidArgument
from aisle.namespace.records import Registered
from aisle.namespace.users import clusters


class Given(msgspec.Struct, frozen=True):
    """A cluster in a request; what is null or empty is left as it is where it is known already."""

    id: str = ""
    alias: str | None = None
    urls: list[str] | None = None


async def list_clusters(svc: Service, ctx: Context, message: Message) -> Response:
    """All registered clusters, and this one."""
    return _told(await clusters.list_all(svc.store))


async def get_cluster(svc: Service, ctx: Context, message: Message) -> Response:
    """One cluster, by its id or alias."""
    return _told([await clusters.get(svc.store, ctx.key)])


async def register_cluster(svc: Service, ctx: Context, message: Message) -> Response:
    """Register a cluster, and make the roles ClusterOwner, BucketOwner and Guest of it."""
    given = await read_struct(ctx, Given)
    ctx.key = given.id
    await clusters.register(svc.store, given.id, alias=given.alias or "", urls=given.urls or ())
    return Response(200)


async def update_cluster(svc: Service, ctx: Context, message: Message) -> Response:
    """Change the alias or the URLs of a cluster."""
    given = await read_struct(ctx, Given)
    if given.id not in ("", ctx.key, (await clusters.get(svc.store, ctx.key)).id):
        raise InvalidArgument("a cluster cannot be given another id", name="id")
    await clusters.change(svc.store, ctx.key, alias=given.alias or None, urls=given.urls or None)
    return Response(200)


async def delete_cluster(svc: Service, ctx: Context, message: Message) -> Response:
    """Forget a cluster; roles that name it stay."""
    await clusters.delete(svc.store, ctx.key)
    return Response(200)


def _told(found: list[Registered]) -> Response:
    shown: dict[str, dict[str, Any]] = {
        one.id: {"id": one.id, "alias": one.alias, "urls": one.urls} for one in found
    }
    return Response(200, JSON, msgspec.json.encode({"clusters": shown}))


ROUTES: Final = (
    Route("GET", "clusters", "", (), "list-clusters", list_clusters),
    Route("POST", "clusters", "", (), "register-cluster", register_cluster),
    Route("GET", "clusters/N", "", (), "get-cluster", get_cluster),
    Route("PUT", "clusters/N", "", (), "update-cluster", update_cluster),
    Route("DELETE", "clusters/N", "", (), "delete-cluster", delete_cluster),
)
