"""Server access logging: Get/PutBucketLogging, and the lines that requests leave.

Logs go to a bucket of the same account in this cluster, which may be the bucket itself: deliveries
are no requests, and leave no lines. Whoever sets that up has to be allowed to write there, since
what is written there is up to them.

Spec: API reference of the two; user guide, "Logging requests with server access logging".
"""

from __future__ import annotations

import time
from typing import Final

from aisle.api.access import may
from aisle.api.base import Context, Response, Service
from aisle.api.s3 import accessrecords, grants
from aisle.api.s3.accessrecords import Outcome
from aisle.api.s3.common import XML, open_bucket
from aisle.api.s3.errors import S3Error
from aisle.api.s3.incoming import read_document
from aisle.api.s3.schemas import Leaf, Node, canonical
from aisle.api.s3.xml import MalformedXML, document, element, parse
from aisle.auth.access import ENFORCED, Action
from aisle.auth.acl import Grant
from aisle.core import permissions
from aisle.core.errors import AmbiguousName, BucketNotFound
from aisle.core.xmltree import Element
from aisle.namespace import accesslogs, buckets, documents
from aisle.namespace.accesslogs import BY_DELIVERY, BY_EVENT, LOGS, SIMPLE, Logging
from aisle.namespace.store import BucketRow

_DOCUMENT_LIMIT: Final = 128 << 10
_WRITE: Final = Action("s3:PutObject", permissions.PUT)
_PREFIX_LIMIT: Final = 800  # what comes behind it has to fit into a key
_FORMAT: Final = Node(
    {
        "SimplePrefix": Node({}),
        "PartitionedPrefix": Node({"PartitionDateSource": Leaf((BY_EVENT, BY_DELIVERY))}),
    },
    choice=True,
)
_PERMISSIONS: Final = ("FULL_CONTROL", "READ", "WRITE")


async def get_bucket_logging(svc: Service, ctx: Context) -> Response:
    row = await open_bucket(svc, ctx)
    logging = await accesslogs.logging_of(svc.store, row)
    if logging is None:
        return Response(200, XML, document("BucketLoggingStatus"))
    parts = [element("TargetBucket", logging.target), element("TargetPrefix", logging.prefix)]
    if logging.grants:
        parts.append(f"<TargetGrants>{await grants.listed(svc, logging.grants)}</TargetGrants>")
    if logging.keys == SIMPLE:
        parts.append("<TargetObjectKeyFormat><SimplePrefix/></TargetObjectKeyFormat>")
    elif logging.keys:
        source = element("PartitionDateSource", logging.keys)
        inner = f"<PartitionedPrefix>{source}</PartitionedPrefix>"
        parts.append(f"<TargetObjectKeyFormat>{inner}</TargetObjectKeyFormat>")
    enabled = f"<LoggingEnabled>{''.join(parts)}</LoggingEnabled>"
    return Response(200, XML, document("BucketLoggingStatus", enabled))


async def put_bucket_logging(svc: Service, ctx: Context) -> Response:
    row = await open_bucket(svc, ctx)
    body = await read_document(ctx.head, ctx.known_payload, ctx.body, _DOCUMENT_LIMIT)
    tree = parse(body, "BucketLoggingStatus")
    if any(child.name != "LoggingEnabled" for child in tree.children) or len(tree.children) > 1:
        raise MalformedXML("there is one LoggingEnabled, or nothing")
    if not tree.children:
        await documents.change(svc.store, row, {documents.LOGGING: None})
        return Response(200)
    logging = await _read(svc, tree.children[0])
    await _check_target(svc, ctx, row, logging)
    kept = accesslogs.encode_logging(logging)
    await documents.change(svc.store, row, {documents.LOGGING: kept})
    return Response(200)


async def _read(svc: Service, enabled: Element) -> Logging:
    known = ("TargetBucket", "TargetPrefix", "TargetGrants", "TargetObjectKeyFormat")
    names = [child.name for child in enabled.children]
    if len(set(names)) < len(names) or not set(names) <= set(known):
        raise MalformedXML("LoggingEnabled has other elements")
    target, prefix = enabled.first("TargetBucket"), enabled.first("TargetPrefix")
    if target is None or prefix is None:
        raise MalformedXML("LoggingEnabled needs TargetBucket and TargetPrefix")
    canonical(target, Leaf())
    canonical(prefix, Leaf(limit=_PREFIX_LIMIT, bare=False))
    given = enabled.first("TargetGrants")
    found: list[Grant] = []
    if given is not None:
        found = await grants.of_elements(svc, given, _PERMISSIONS)
    return Logging(target.text.strip(), prefix.text, found, _keys(enabled))


def _keys(enabled: Element) -> str:
    """How log objects are to be called."""
    form = enabled.first("TargetObjectKeyFormat")
    if form is None:
        return ""
    canonical(form, _FORMAT)
    partitioned = form.first("PartitionedPrefix")
    if partitioned is None:
        return SIMPLE
    return partitioned.value("PartitionDateSource").strip() or BY_DELIVERY


async def _check_target(svc: Service, ctx: Context, row: BucketRow, logging: Logging) -> None:
    """Raise unless the logs can be kept where they are wanted."""
    told = {"TargetBucket": logging.target}
    try:
        target = await buckets.find(svc.store, logging.target)
    except (BucketNotFound, AmbiguousName):
        raise S3Error("InvalidTargetBucketForLogging", **told) from None
    # Amazon asks the target's policy, which names the service of logs: nobody could be named here.
    allowed = await may(svc, ctx, _WRITE, target, logging.prefix)
    if not allowed or accesslogs.refusal(row, target):
        raise S3Error("InvalidTargetBucketForLogging", **told)
    access = (await documents.of(svc.store, target)).access
    if logging.grants and access.ownership == ENFORCED:
        raise S3Error("AccessControlListNotSupported")


# --- lines ----------------------------------------------------------------------------------


def note(
    svc: Service,
    ctx: Context,
    response: Response,
    *,
    sent: int,
    total: int,
    turned: int,
    http: str,
    website: bool = False,
) -> None:
    """Leave the lines of a request that has ended, where its bucket is logged."""
    row, logs = ctx.row, svc.access_logs
    if row is None and ctx.bucket:  # refused before it was looked for
        row = buckets.remembered(svc.store, ctx.bucket)
    logged = row is not None and row.record.has & LOGS
    if logs is None or not (logged or ctx.beside):
        return
    now = int(time.time())
    if row is not None and logged:
        outcome = Outcome(now, response.status, response.error, sent, total, turned, http)
        text = accessrecords.line(ctx, row, response, outcome, website=website)
        logs.note(row, now, text)
    for other, operation, key, version, status, error in ctx.beside:
        if other.record.has & LOGS:
            outcome = Outcome(now, status, error, 0, total, turned, http)
            text = accessrecords.line_of(ctx, other, operation, key, version, outcome)
            logs.note(other, now, text)
