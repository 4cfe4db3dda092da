"""Handlers of the configurations that a bucket has many of, each with an id: metrics, analytics and
intelligent tiering (Put/Get/Delete/List).

They are held to the model, kept and given back. What they ask for is done by services around
Amazon's store, so nothing else here goes by them: see `compatibility.KEPT`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final, NamedTuple

from aisle.api.base import Context, Handler, Response, Service
from aisle.api.s3.common import XML, open_bucket
from aisle.api.s3.errors import S3Error
from aisle.api.s3.incoming import read_document
from aisle.api.s3.schemas import PREFIX, TAG, TAGS, Leaf, Node, canonical
from aisle.api.s3.xml import document, element, parse
from aisle.core.errors import InvalidArgument
from aisle.core.xmltree import Element
from aisle.namespace import documents
from aisle.namespace.listing import decode_token, encode_token
from aisle.namespace.store import BucketRow

MAX: Final = 1000  # of each kind in a bucket
PAGE: Final = 100
_DOCUMENT_LIMIT: Final = 64 << 10
_ID: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")
_ARN: Final = re.compile(r"arn:aws[a-z-]*:s3:::[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_ACCOUNT: Final = re.compile(r"[0-9]{12}")
# The fewest and the most days without access after which a tier is moved to.
_DAYS: Final = {"ARCHIVE_ACCESS": (90, 730), "DEEP_ARCHIVE_ACCESS": (180, 730)}


def _matching(pattern: re.Pattern[str], name: str) -> Callable[[str], None]:
    def check(text: str) -> None:
        if pattern.fullmatch(text) is None:
            raise InvalidArgument(f"The {name} is not valid.", name=name, value=text[:256])

    return check


def _no_access_point(text: str) -> None:
    raise InvalidArgument("There is no such access point", name="AccessPointArn", value=text[:256])


_NAME: Final = Leaf(limit=64, check=_matching(_ID, "Id"))


def _filter(**more: Leaf) -> Node:
    """A filter: one condition, or two and more in And."""
    both = Node({"Prefix": PREFIX, "Tag": TAG, **more}, many={"Tag": TAGS}, least=2)
    return Node({"Prefix": PREFIX, "Tag": TAG, **more, "And": both}, choice=True)


_EXPORT: Final = Node(
    {
        "OutputSchemaVersion": Leaf(("V_1",)),
        "Destination": Node(
            {
                "S3BucketDestination": Node(
                    {
                        "Format": Leaf(("CSV",)),
                        "BucketAccountId": Leaf(check=_matching(_ACCOUNT, "BucketAccountId")),
                        "Bucket": Leaf(check=_matching(_ARN, "Bucket")),
                        "Prefix": PREFIX,
                    },
                    frozenset({"Format", "Bucket"}),
                )
            },
            frozenset({"S3BucketDestination"}),
        ),
    },
    frozenset({"OutputSchemaVersion", "Destination"}),
)


class Kind(NamedTuple):
    """One kind of configuration: its documents' prefix, its element, the element of its lists,
    and its schema."""

    kind: bytes
    name: str
    lists: str
    schema: Node
    check: Callable[[Element], None] = lambda tree: None


def _check_tiers(tree: Element) -> None:
    """Raise `InvalidArgument` unless each tier is there once, with days that it may have."""
    seen = set()
    for tiering in tree.all("Tiering"):
        tier, days = tiering.value("AccessTier").strip(), tiering.value("Days").strip()
        low, high = _DAYS[tier]
        if not (days.isascii() and days.isdigit() and len(days) < 5 and low <= int(days) <= high):
            raise InvalidArgument(
                f"'Days' of the tier {tier} must be between {low} and {high}",
                name="Days",
                value=days[:256],
            )
        if tier in seen:
            raise InvalidArgument("An access tier may be named once", name="AccessTier", value=tier)
        seen.add(tier)


METRICS: Final = Kind(
    b"metrics/",
    "MetricsConfiguration",
    "ListMetricsConfigurationsResult",
    Node(
        {"Id": _NAME, "Filter": _filter(AccessPointArn=Leaf(check=_no_access_point))},
        frozenset({"Id"}),
    ),
)
ANALYTICS: Final = Kind(
    b"analytics/",
    "AnalyticsConfiguration",
    "ListBucketAnalyticsConfigurationResult",
    Node(
        {
            "Id": _NAME,
            "Filter": _filter(),
            "StorageClassAnalysis": Node({"DataExport": _EXPORT}),
        },
        frozenset({"Id", "StorageClassAnalysis"}),
    ),
)
TIERING: Final = Kind(
    b"intelligent-tiering/",
    "IntelligentTieringConfiguration",
    "ListBucketIntelligentTieringConfigurationsOutput",
    Node(
        {
            "Id": _NAME,
            "Filter": _filter(),
            "Status": Leaf(("Enabled", "Disabled")),
            "Tiering": Node(
                {"AccessTier": Leaf(tuple(_DAYS)), "Days": Leaf()},
                frozenset({"AccessTier", "Days"}),
            ),
        },
        frozenset({"Id", "Status", "Tiering"}),
        many={"Tiering": len(_DAYS) + 1},  # one too many is told by its own error
    ),
    _check_tiers,
)


def _id(ctx: Context) -> str:
    name = ctx.head.params.get("id", "")
    if _ID.fullmatch(name) is None:
        raise InvalidArgument("The configuration id is not valid.", name="id", value=name[:256])
    return name


async def _of_kind(svc: Service, row: BucketRow, kind: Kind) -> dict[str, bytes]:
    """The bucket's configurations of a kind by id, in order."""
    raw = (await documents.of(svc.store, row)).raw
    start = len(kind.kind)
    return {key[start:].decode(): raw[key] for key in sorted(raw) if key.startswith(kind.kind)}


def putting(kind: Kind) -> Handler:
    async def put(svc: Service, ctx: Context) -> Response:
        row = await open_bucket(svc, ctx)
        name = _id(ctx)
        body = await read_document(ctx.head, ctx.known_payload, ctx.body, _DOCUMENT_LIMIT)
        tree = parse(body, kind.name)
        written = canonical(tree, kind.schema)
        kind.check(tree)
        if tree.value("Id").strip() != name:
            raise InvalidArgument(
                "The id of the configuration is not the one of the request", name="id", value=name
            )
        present = await _of_kind(svc, row, kind)
        if name not in present and len(present) >= MAX:
            raise S3Error("TooManyConfigurations")
        await documents.change(svc.store, row, {kind.kind + name.encode(): written.encode()})
        return Response(200)

    return put


def getting(kind: Kind) -> Handler:
    async def get(svc: Service, ctx: Context) -> Response:
        row = await open_bucket(svc, ctx)
        found = (await documents.of(svc.store, row)).raw.get(kind.kind + _id(ctx).encode())
        if found is None:
            raise S3Error("NoSuchConfiguration")
        return Response(200, XML, document(kind.name, found.decode()))

    return get


def deleting(kind: Kind) -> Handler:
    async def delete(svc: Service, ctx: Context) -> Response:
        row = await open_bucket(svc, ctx)
        key = kind.kind + _id(ctx).encode()
        if key not in (await documents.of(svc.store, row)).raw:
            raise S3Error("NoSuchConfiguration")
        await documents.change(svc.store, row, {key: None})
        return Response(204)

    return delete


def listing(kind: Kind) -> Handler:
    async def list_all(svc: Service, ctx: Context) -> Response:
        row = await open_bucket(svc, ctx)
        token = ctx.head.params.get("continuation-token", "")
        after = decode_token(token)[0].decode("utf-8", "replace") if token else ""
        present = await _of_kind(svc, row, kind)
        rest = [(name, raw) for name, raw in present.items() if name > after]
        page = rest[:PAGE]
        truncated = len(rest) > len(page)
        parts = [f"<{kind.name}>{raw.decode()}</{kind.name}>" for _, raw in page]
        parts.append(element("IsTruncated", "true" if truncated else "false"))
        if token:
            parts.append(element("ContinuationToken", token))
        if truncated:
            last = encode_token(page[-1][0].encode(), is_prefix=False)
            parts.append(element("NextContinuationToken", last))
        return Response(200, XML, document(kind.lists, *parts))

    return list_all


put_metrics, get_metrics = putting(METRICS), getting(METRICS)
delete_metrics, list_metrics = deleting(METRICS), listing(METRICS)
put_analytics, get_analytics = putting(ANALYTICS), getting(ANALYTICS)
delete_analytics, list_analytics = deleting(ANALYTICS), listing(ANALYTICS)
put_tiering, get_tiering = putting(TIERING), getting(TIERING)
delete_tiering, list_tiering = deleting(TIERING), listing(TIERING)
