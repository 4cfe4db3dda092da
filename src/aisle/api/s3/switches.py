"""Handlers of settings of buckets that are one word: transfer acceleration and attribute-based
access (Get/PutBucketAccelerateConfiguration, Get/PutBucketAbac).

Acceleration is kept and given back: there is no network of edges in front of a store of one's own.
Where ABAC is enabled, policies may ask for the bucket's tags (`aws:ResourceTag`).
"""

from __future__ import annotations

from typing import Final

from aisle.api.base import Context, Response, Service
from aisle.api.s3.common import XML, open_bucket
from aisle.api.s3.incoming import read_document
from aisle.api.s3.schemas import Leaf, Node, canonical
from aisle.api.s3.xml import document, element, parse
from aisle.core.errors import InvalidRequest
from aisle.namespace import documents

_DOCUMENT_LIMIT: Final = 64 << 10
_STATUS: Final = frozenset({"Status"})
_ACCELERATION: Final = Node({"Status": Leaf(("Enabled", "Suspended"))}, _STATUS)
_ABAC: Final = Node({"Status": Leaf(("Enabled", "Disabled"))}, _STATUS)


async def _asked(ctx: Context, root: str, schema: Node) -> str:
    body = await read_document(ctx.head, ctx.known_payload, ctx.body, _DOCUMENT_LIMIT)
    tree = parse(body, root)
    canonical(tree, schema)
    return tree.value("Status").strip()


async def get_bucket_accelerate_configuration(svc: Service, ctx: Context) -> Response:
    row = await open_bucket(svc, ctx)
    status = (await documents.of(svc.store, row)).raw.get(documents.ACCELERATE, b"").decode()
    parts = [element("Status", status)] if status else []
    return Response(200, XML, document("AccelerateConfiguration", *parts))


async def put_bucket_accelerate_configuration(svc: Service, ctx: Context) -> Response:
    row = await open_bucket(svc, ctx)
    status = await _asked(ctx, "AccelerateConfiguration", _ACCELERATION)
    if "." in row.record.name:
        raise InvalidRequest(
            "S3 Transfer Acceleration is not supported for buckets with periods (.) in their names"
        )
    await documents.change(svc.store, row, {documents.ACCELERATE: status.encode()})
    return Response(200)


async def get_bucket_abac(svc: Service, ctx: Context) -> Response:
    row = await open_bucket(svc, ctx)
    enabled = documents.ABAC in (await documents.of(svc.store, row)).raw
    status = element("Status", "Enabled" if enabled else "Disabled")
    return Response(200, XML, document("AbacStatus", status))


async def put_bucket_abac(svc: Service, ctx: Context) -> Response:
    row = await open_bucket(svc, ctx)
    status = await _asked(ctx, "AbacStatus", _ABAC)
    kept = status.encode() if status == "Enabled" else None
    await documents.change(svc.store, row, {documents.ABAC: kept})
    return Response(200)
