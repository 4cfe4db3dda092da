"""Handlers of ownership controls: Get/Put/DeleteBucketOwnershipControls.

Spec: https://docs.aws.amazon.com/AmazonS3/latest/userguide/about-object-ownership.html
"""

from __future__ import annotations

from typing import Final

from aisle.api.base import Context, Response, Service
from aisle.api.s3.common import XML, open_bucket, remover
from aisle.api.s3.errors import S3Error
from aisle.api.s3.incoming import read_document
from aisle.api.s3.xml import MalformedXML, document, element, parse
from aisle.auth.access import ENFORCED
from aisle.namespace import documents
from aisle.namespace.ownership import MODES

_DOCUMENT_LIMIT: Final = 64 << 10


async def get_bucket_ownership_controls(svc: Service, ctx: Context) -> Response:
    row = await open_bucket(svc, ctx)
    mode = (await documents.of(svc.store, row)).access.ownership
    if not mode:
        raise S3Error("OwnershipControlsNotFoundError", BucketName=ctx.bucket)
    rule = f"<Rule>{element('ObjectOwnership', mode)}</Rule>"
    return Response(200, XML, document("OwnershipControls", rule))


async def put_bucket_ownership_controls(svc: Service, ctx: Context) -> Response:
    row = await open_bucket(svc, ctx)
    body = await read_document(ctx.head, ctx.known_payload, ctx.body, _DOCUMENT_LIMIT)
    mode = _mode(body)
    access = (await documents.of(svc.store, row)).access
    if mode == ENFORCED and access.acl is not None:
        raise S3Error("InvalidBucketAclWithObjectOwnership")
    await documents.change(svc.store, row, {documents.OWNERSHIP: mode.encode()})
    return Response(200)


def _mode(body: bytes) -> str:
    tree = parse(body, "OwnershipControls")
    rules = tree.children
    if len(rules) != 1 or rules[0].name != "Rule" or len(rules[0].children) != 1:
        raise MalformedXML("there is exactly one rule")
    mode = rules[0].value("ObjectOwnership").strip()
    if mode not in MODES:
        raise MalformedXML("the ObjectOwnership is not known")
    return mode


delete_bucket_ownership_controls = remover(documents.OWNERSHIP)
