"""Handlers of buckets: list-buckets, create-bck, destroy-bck, head-bck, set- and reset-bprops.

Props are shown whole and nested as AIStore nests them: what was set on the bucket over what the
cluster's configuration says now.
"""

from __future__ import annotations

import json
from typing import Any, Final

import msgspec

from aisle.api.base import Context, Response, Service
from aisle.api.native.message import (
    JSON,
    Message,
    bucket_name,
    fields,
    open_bucket,
    provider,
)
from aisle.core import settings
from aisle.core.errors import InvalidArgument, NotSupported
from aisle.core.settings import Value
from aisle.namespace import buckets
from aisle.namespace.destroy import destroy
from aisle.namespace.store import BucketRow

_PAGE: Final = 1000


async def list_buckets(svc: Service, ctx: Context, message: Message) -> Response:
    wanted = provider(ctx, default="")
    found = []
    after = b""
    while rows := await buckets.list_all(svc.store, after=after, limit=_PAGE):
        after = rows[-1].key
        for row in rows:
            record = row.record
            if wanted and record.provider != wanted:
                continue
            space = {"uuid": "", "name": record.namespace}
            found.append({"name": record.name, "provider": record.provider, "namespace": space})
    return Response(200, JSON, msgspec.json.encode(found))


async def create_bck(svc: Service, ctx: Context, message: Message) -> Response:
    name = bucket_name(ctx)
    if name.provider != "ais":
        raise NotSupported(f"buckets of provider {name.provider} are not supported yet")
    if name.namespace:
        raise NotSupported("bucket namespaces are not supported yet")
    props = settings.bucket_defaults((await svc.store.config()).values)
    asked = settings.flatten(fields(message.value))
    props |= settings.changed(props, asked, "bucket")
    await buckets.create(svc.store, name, owner=svc.owner.id, props=props)
    return Response(200)


async def destroy_bck(svc: Service, ctx: Context, message: Message) -> Response:
    row = await open_bucket(svc, ctx)
    await destroy(svc.store, row.name)
    return Response(200)


async def head_bck(svc: Service, ctx: Context, message: Message) -> Response:
    row = await open_bucket(svc, ctx)
    shown = json.dumps(await _props(svc, row)).encode()
    return Response(200, [(b"ais-bucket-props", shown)])


async def _props(svc: Service, row: BucketRow) -> dict[str, Any]:
    """A bucket's props as AIStore shows them; 64-bit numbers are text."""
    record = row.record
    own: dict[str, Value] = record.props
    nested = settings.nest({**settings.bucket_defaults((await svc.store.config()).values), **own})
    none = {"name": "", "provider": "", "namespace": {"uuid": "", "name": ""}}
    return {
        "provider": record.provider,
        "backend_bck": none,
        **nested,
        "extra": {},
        "bid": str(int.from_bytes(record.id, "big")),
        "created": str(record.created),
    }


async def set_bprops(svc: Service, ctx: Context, message: Message) -> Response:
    row = await open_bucket(svc, ctx)
    asked = settings.flatten(fields(message.value))
    if not asked:
        raise InvalidArgument("there is nothing to set: name at least one property")
    props = settings.changed(row.record.props, asked, "bucket")
    await buckets.change_props(svc.store, row.name, props)
    return Response(200)


async def reset_bprops(svc: Service, ctx: Context, message: Message) -> Response:
    """As if the bucket were made now: a fresh snapshot of the cluster's values."""
    row = await open_bucket(svc, ctx)
    defaults = settings.bucket_defaults((await svc.store.config()).values)
    dropped = dict.fromkeys(row.record.props)
    await buckets.change_props(svc.store, row.name, {**dropped, **defaults})
    return Response(200)
