"""Handlers of the public-access block: Get/Put/DeletePublicAccessBlock.

Spec: https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-control-block-public-access.html
"""

from __future__ import annotations

from typing import Final

from aisle.api.base import Context, Response, Service
from aisle.api.s3.common import XML, open_bucket, remover
from aisle.api.s3.errors import S3Error
from aisle.api.s3.incoming import read_document
from aisle.api.s3.xml import MalformedXML, document, element, parse
from aisle.auth.access import PublicAccessBlock
from aisle.namespace import documents

_DOCUMENT_LIMIT: Final = 64 << 10
# In the order of `PublicAccessBlock`.
_SWITCHES: Final = (
    "BlockPublicAcls",
    "IgnorePublicAcls",
    "BlockPublicPolicy",
    "RestrictPublicBuckets",
)
_WORDS: Final = {"true": True, "false": False}


async def get_public_access_block(svc: Service, ctx: Context) -> Response:
    row = await open_bucket(svc, ctx)
    found = await documents.of(svc.store, row)
    if documents.BLOCK not in found.raw:
        raise S3Error("NoSuchPublicAccessBlockConfiguration", BucketName=ctx.bucket)
    switches = [
        element(name, "true" if on else "false")
        for name, on in zip(_SWITCHES, found.access.block, strict=True)
    ]
    return Response(200, XML, document("PublicAccessBlockConfiguration", *switches))


async def put_public_access_block(svc: Service, ctx: Context) -> Response:
    row = await open_bucket(svc, ctx)
    body = await read_document(ctx.head, ctx.known_payload, ctx.body, _DOCUMENT_LIMIT)
    raw = documents.encode_block(_switches(body))
    await documents.change(svc.store, row, {documents.BLOCK: raw})
    return Response(200)


def _switches(body: bytes) -> PublicAccessBlock:
    tree = parse(body, "PublicAccessBlockConfiguration")
    given: dict[str, bool] = {}
    for child in tree.children:
        on = _WORDS.get(child.text.strip().lower())
        if child.name not in _SWITCHES or child.name in given or on is None:
            raise MalformedXML(f"{child.name} is not known here")
        given[child.name] = on
    return PublicAccessBlock(*(given.get(name, False) for name in _SWITCHES))


delete_public_access_block = remover(documents.BLOCK)
