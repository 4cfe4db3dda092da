"""Handlers of roles: what AIStore's AuthN API says of them.

A role as JSON is `{"name", "desc", "admin", "clusters": [{"id", "perm"}], "buckets": [{"bck",
"perm"}]}`: `perm` is AIStore's bits as decimal text, `bck` names a bucket, whose namespace has the
id of the cluster it is in as its `uuid`. Nothing for an id is any cluster.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from aisle.api.base import Context, Response, Service
from aisle.api.native.message import JSON, Message, parse_namespace, parse_provider, read_struct
from aisle.api.native.route import Route
from aisle.core.errors import InvalidArgument
from aisle.core.names import check_native_bucket_name
from aisle.namespace.records import Role
from aisle.namespace.users import roles
from aisle.namespace.users.roles import BucketBits


class Space(msgspec.Struct, frozen=True):
    """A namespace in JSON."""

    uuid: str = ""
    name: str = ""


class Bck(msgspec.Struct, frozen=True):
    """A bucket in JSON."""

    name: str
    provider: str = "ais"
    namespace: Space | None = None


class OnCluster(msgspec.Struct, frozen=True):
    """What a role gives in a cluster."""

    id: str = ""
    perm: str | int = 0


class OnBucket(msgspec.Struct, frozen=True):
    """What a role gives on a bucket."""

    bck: Bck
    perm: str | int = 0


class Given(msgspec.Struct, frozen=True):
    """A role in a request; what is null is left as it is where the role is there already."""

    name: str = ""
    desc: str | None = None
    clusters: list[OnCluster] | None = None
    buckets: list[OnBucket] | None = None
    admin: bool | None = None


async def list_roles(svc: Service, ctx: Context, message: Message) -> Response:
    """All roles, with what they give."""
    found = [shown(role) for role in await roles.list_all(svc.store)]
    return Response(200, JSON, msgspec.json.encode(found))


async def get_role(svc: Service, ctx: Context, message: Message) -> Response:
    """One role, with what it gives."""
    return Response(200, JSON, msgspec.json.encode(shown(await roles.get(svc.store, ctx.key))))


async def create_role(svc: Service, ctx: Context, message: Message) -> Response:
    """Make a role."""
    given = await read_struct(ctx, Given)
    ctx.key = given.name
    await roles.create(svc.store, _made(Role(given.name), given))
    return Response(200)


async def update_role(svc: Service, ctx: Context, message: Message) -> Response:
    """Change a role: each list that is given replaces the one there was."""
    given = await read_struct(ctx, Given)
    if given.name not in ("", ctx.key):
        raise InvalidArgument("a role cannot be given another name", name="name")
    await roles.change(svc.store, _made(await roles.get(svc.store, ctx.key), given))
    return Response(200)


async def delete_role(svc: Service, ctx: Context, message: Message) -> Response:
    """Delete a role, and take it from all who have it."""
    await roles.delete(svc.store, ctx.key)
    return Response(200)


def shown(role: Role) -> dict[str, Any]:
    """A role as JSON."""
    return {
        "name": role.name,
        "desc": role.description,
        "clusters": [{"id": uuid, "perm": str(bits)} for uuid, bits in role.clusters.items()],
        "buckets": [_on_bucket(entry) for entry in role.buckets],
        "admin": role.admin,
    }


def _on_bucket(entry: BucketBits) -> dict[str, Any]:
    uuid, provider, namespace, name, bits = entry
    space = {"uuid": uuid, "name": namespace}
    return {"bck": {"name": name, "provider": provider, "namespace": space}, "perm": str(bits)}


def _made(old: Role, given: Given) -> Role:
    """The role that is to be. Raises `InvalidArgument`, `InvalidName` and `LimitExceeded`."""
    clusters, buckets = old.clusters, old.buckets
    if given.clusters is not None:
        clusters = {entry.id: _bits(entry.perm) for entry in given.clusters}
    if given.buckets is not None:
        buckets = [_bucket_bits(entry) for entry in given.buckets]
    return roles.made(
        old.name,
        description=old.description if given.desc is None else given.desc,
        clusters=clusters,
        buckets=buckets,
        admin=old.admin if given.admin is None else given.admin,
    )


def _bucket_bits(entry: OnBucket) -> BucketBits:
    check_native_bucket_name(entry.bck.name)
    space = entry.bck.namespace or Space()
    namespace = parse_namespace(f"#{space.name}") if space.name else ""
    provider = parse_provider(entry.bck.provider or "ais")
    return (space.uuid, provider, namespace, entry.bck.name, _bits(entry.perm))


def _bits(given: str | int) -> int:
    text = str(given)
    if not (text.isascii() and text.isdigit() and len(text) <= 20):
        raise InvalidArgument("perm is a number, a bit for each permission", name="perm")
    return int(text)


ROUTES: Final = (
    Route("GET", "roles", "", (), "list-roles", list_roles),
    Route("POST", "roles", "", (), "create-role", create_role),
    Route("GET", "roles/N", "", (), "get-role", get_role),
    Route("PUT", "roles/N", "", (), "update-role", update_role),
    Route("DELETE", "roles/N", "", (), "delete-role", delete_role),
)
