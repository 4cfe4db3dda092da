"""Handlers of website configurations: Put/Get/DeleteBucketWebsite. `hosting` serves by them."""

from __future__ import annotations

from typing import Final

from aisle.api.base import Context, Response, Service
from aisle.api.s3 import websiterules
from aisle.api.s3.common import XML, kept, open_bucket, remover
from aisle.api.s3.incoming import read_document
from aisle.namespace import documents

_DOCUMENT_LIMIT: Final = 128 << 10


async def get_bucket_website(svc: Service, ctx: Context) -> Response:
    raw = await kept(svc, ctx, documents.WEBSITE, "NoSuchWebsiteConfiguration")
    return Response(200, XML, websiterules.shown(websiterules.decode(raw)))


async def put_bucket_website(svc: Service, ctx: Context) -> Response:
    row = await open_bucket(svc, ctx)
    body = await read_document(ctx.head, ctx.known_payload, ctx.body, _DOCUMENT_LIMIT)
    raw = websiterules.encode(websiterules.read(body))
    await documents.change(svc.store, row, {documents.WEBSITE: raw})
    return Response(200)


delete_bucket_website = remover(documents.WEBSITE)
