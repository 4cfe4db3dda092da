"""Request payment: who pays for what is asked of a bucket (Get/PutBucketRequestPayment).

Nobody is billed here. What `Requester` means for requests holds: whoever does not own the bucket
has to be somebody, and to say `x-amz-request-payer: requester`, and is told that it was charged.
Its owner's account and administrators need not.

Spec: user guide, "Using Requester Pays general purpose buckets".
"""

from __future__ import annotations

from typing import Final

from aisle.api.base import Context, Response, Service
from aisle.api.s3.common import XML, open_bucket
from aisle.api.s3.incoming import read_document
from aisle.api.s3.schemas import Leaf, Node, canonical
from aisle.api.s3.xml import document, element, parse
from aisle.core.errors import AccessDenied
from aisle.namespace import documents
from aisle.namespace.store import BucketRow

PAYS: Final = documents.BITS[documents.PAYMENT]
HEADER: Final = "x-amz-request-payer"
CHARGED: Final = (b"x-amz-request-charged", b"requester")
_DOCUMENT_LIMIT: Final = 64 << 10
_SCHEMA: Final = Node({"Payer": Leaf(("Requester", "BucketOwner"))}, frozenset({"Payer"}))


async def get_bucket_request_payment(svc: Service, ctx: Context) -> Response:
    row = await open_bucket(svc, ctx)
    payer = "Requester" if row.record.has & PAYS else "BucketOwner"
    return Response(200, XML, document("RequestPaymentConfiguration", element("Payer", payer)))


async def put_bucket_request_payment(svc: Service, ctx: Context) -> Response:
    row = await open_bucket(svc, ctx)
    body = await read_document(ctx.head, ctx.known_payload, ctx.body, _DOCUMENT_LIMIT)
    tree = parse(body, "RequestPaymentConfiguration")
    canonical(tree, _SCHEMA)
    payer = tree.value("Payer").strip()
    kept = payer.encode() if payer == "Requester" else None
    await documents.change(svc.store, row, {documents.PAYMENT: kept})
    return Response(200)


def charge(svc: Service, ctx: Context, row: BucketRow) -> None:
    """Have whoever asks pay for a request to a bucket whose requesters pay. Raises `AccessDenied`
    if they have not said that they will."""
    who = ctx.who
    if not svc.auth_enabled or who.admin or who.canonical == row.record.owner:
        return
    head = ctx.head
    said = head.headers.get(HEADER) or head.params.get(HEADER, "")
    if who.anonymous or said.strip().lower() != "requester":
        ctx.denied = f"who asks for {row.record.name} pays, and has not said so"
        raise AccessDenied("the bucket's requesters pay")
    if CHARGED not in ctx.extra:  # by the source of a copy
        ctx.extra.append(CHARGED)
