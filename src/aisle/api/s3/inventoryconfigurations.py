"""Handlers of inventory configurations: Put/Get/Delete/ListBucketInventoryConfiguration(s).

What is put is held to the model, and to what can be done: the destination is a bucket of the
cluster's own that whoever asks may write to, and this node can write the format. What is written is
the work of `jobs.work.listing`.

Spec: API reference of the four; user guide, "Configuring Amazon S3 Inventory".
"""

from __future__ import annotations

import re
from typing import Final

from aisle.api.access import authorise
from aisle.api.base import Context, Response, Service
from aisle.api.s3.actions import NEEDS
from aisle.api.s3.common import XML, named_bucket, open_bucket
from aisle.api.s3.configurations import MAX, PAGE
from aisle.api.s3.errors import S3Error
from aisle.api.s3.incoming import read_document
from aisle.api.s3.schemas import PREFIX, Leaf, Node, canonical
from aisle.api.s3.xml import document, element, parse
from aisle.core.errors import BucketNotFound, InvalidArgument
from aisle.core.xmltree import Element
from aisle.namespace import documents
from aisle.namespace.inventories import columns, layout
from aisle.namespace.inventories import configuration as configurations
from aisle.namespace.inventories.configuration import KIND, Configuration
from aisle.namespace.listing import decode_token, encode_token
from aisle.namespace.sealing import wishes
from aisle.namespace.sealing.wishes import Wish
from aisle.namespace.store import BucketRow

NAME: Final = "InventoryConfiguration"
_LIMIT: Final = 64 << 10
_ID: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")
_ARN: Final = re.compile(r"arn:aws[a-z-]*:s3:::([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])")
_ACCOUNT: Final = re.compile(r"[0-9]{12}")
_FORMATS: Final = ("CSV", "ORC", "Parquet")
_PUT: Final = NEEDS["PutObject"].actions[0]


def _check_arn(text: str) -> None:
    if _ARN.fullmatch(text) is None:
        raise InvalidArgument("The Bucket is not an ARN of one.", name="Bucket", value=text[:256])


def _check_account(text: str) -> None:
    if _ACCOUNT.fullmatch(text) is None:
        raise InvalidArgument("The AccountId is not valid.", name="AccountId", value=text[:256])


def _check_id(text: str) -> None:
    if _ID.fullmatch(text) is None:
        raise InvalidArgument("The configuration id is not valid.", name="Id", value=text[:256])


_SCHEMA: Final = Node(
    {
        "Destination": Node(
            {
                "S3BucketDestination": Node(
                    {
                        "AccountId": Leaf(check=_check_account),
                        "Bucket": Leaf(check=_check_arn),
                        "Format": Leaf(_FORMATS),
                        "Prefix": Leaf(limit=512, bare=False),
                        "Encryption": Node(
                            {
                                "SSE-S3": Node({}),
                                "SSE-KMS": Node({"KeyId": Leaf()}, frozenset({"KeyId"})),
                            },
                            choice=True,
                        ),
                    },
                    frozenset({"Bucket", "Format"}),
                )
            },
            frozenset({"S3BucketDestination"}),
        ),
        "IsEnabled": Leaf(("true", "false")),
        "Filter": Node({"Prefix": PREFIX}, frozenset({"Prefix"})),
        "Id": Leaf(check=_check_id),
        "IncludedObjectVersions": Leaf(("All", "Current")),
        "OptionalFields": Node(
            {"Field": Leaf(tuple(columns.FIELDS))}, many={"Field": len(columns.FIELDS)}
        ),
        "Schedule": Node({"Frequency": Leaf(("Daily", "Weekly"))}, frozenset({"Frequency"})),
    },
    frozenset({"Destination", "IsEnabled", "Id", "IncludedObjectVersions", "Schedule"}),
)


def _named(ctx: Context) -> str:
    name = ctx.head.params.get("id", "")
    if _ID.fullmatch(name) is None:
        raise InvalidArgument("The configuration id is not valid.", name="id", value=name[:256])
    return name


async def _present(svc: Service, row: BucketRow) -> dict[str, bytes]:
    """The bucket's configurations by id, in order."""
    raw = (await documents.of(svc.store, row)).raw
    return {key[len(KIND) :].decode(): raw[key] for key in sorted(raw) if key.startswith(KIND)}


async def put_bucket_inventory_configuration(svc: Service, ctx: Context) -> Response:
    row = await open_bucket(svc, ctx)
    name = _named(ctx)
    tree = parse(await read_document(ctx.head, ctx.known_payload, ctx.body, _LIMIT), NAME)
    about = _read(tree, canonical(tree, _SCHEMA))
    if about.id != name:
        raise InvalidArgument(
            "The id of the configuration is not the one of the request", name="id", value=name
        )
    if not configurations.writes(about.format):
        raise S3Error(
            "NotImplemented",
            f"An inventory of format {about.format} needs PyArrow: this node lacks Aisle's"
            " extra 'inventory'. Ask for CSV, or have it installed.",
        )
    await _check_destination(svc, ctx, row, about)
    present = await _present(svc, row)
    if name not in present and len(present) >= MAX:
        raise S3Error("TooManyConfigurations")
    await documents.change(
        svc.store,
        row,
        {configurations.document(name): configurations.pack(about)},
        along=[configurations.scheduled(row, name, svc.store.now())],
    )
    return Response(200)


def _read(tree: Element, xml: str) -> Configuration:
    """A document that fits the schema, as a value."""
    outer = tree.first("Destination")
    inner = outer.first("S3BucketDestination") if outer is not None else None
    schedule, only, optional = (
        tree.first("Schedule"),
        tree.first("Filter"),
        tree.first("OptionalFields"),
    )
    assert inner is not None
    assert schedule is not None
    arn = _ARN.fullmatch(inner.value("Bucket").strip())
    assert arn is not None
    fields = [field.text.strip() for field in optional.all("Field")] if optional is not None else []
    if len(set(fields)) != len(fields):
        raise InvalidArgument("A field may be named once", name="Field", value=fields[-1])
    encryption = inner.first("Encryption")
    kms = encryption.first("SSE-KMS") if encryption is not None else None
    mode = "" if encryption is None else wishes.KMS if kms is not None else wishes.AES256
    return Configuration(
        xml,
        tree.value("Id").strip(),
        tree.value("IsEnabled").strip() == "true",
        arn[1],
        inner.value("Format").strip(),
        inner.value("Prefix"),
        only.value("Prefix") if only is not None else "",
        tree.value("IncludedObjectVersions").strip() == "All",
        schedule.value("Frequency").strip(),
        tuple(fields),
        mode,
        kms.value("KeyId").strip() if kms is not None else "",
    )


async def _check_destination(
    svc: Service, ctx: Context, source: BucketRow, about: Configuration
) -> None:
    """Raise unless the inventory can be written there, by whoever asks for it."""
    try:
        to = await named_bucket(svc, ctx, about.destination)
    except BucketNotFound:
        raise S3Error(
            "InvalidS3DestinationBucket",
            f"The destination bucket {about.destination} does not exist.",
        ) from None
    folder = layout.folder(about, source.record.name)
    await authorise(svc, ctx, _PUT, to, f"{folder}data/")
    if to.record.behind is not None:
        raise S3Error(
            "InvalidS3DestinationBucket",
            "The destination of an inventory is a bucket of the cluster's own, not a remote one.",
        )
    if about.mode:
        await wishes.settle(svc.store, to, Wish(about.mode, about.key))


async def get_bucket_inventory_configuration(svc: Service, ctx: Context) -> Response:
    row = await open_bucket(svc, ctx)
    found = (await documents.of(svc.store, row)).raw.get(configurations.document(_named(ctx)))
    if found is None:
        raise S3Error("NoSuchConfiguration")
    return Response(200, XML, document(NAME, configurations.unpack(found).xml))


async def delete_bucket_inventory_configuration(svc: Service, ctx: Context) -> Response:
    row = await open_bucket(svc, ctx)
    name = _named(ctx)
    kind = configurations.document(name)
    if kind not in (await documents.of(svc.store, row)).raw:
        raise S3Error("NoSuchConfiguration")
    await documents.change(svc.store, row, {kind: None}, along=[configurations.dropped(row, name)])
    return Response(204)


async def list_bucket_inventory_configurations(svc: Service, ctx: Context) -> Response:
    row = await open_bucket(svc, ctx)
    token = ctx.head.params.get("continuation-token", "")
    after = decode_token(token)[0].decode("utf-8", "replace") if token else ""
    rest = [(name, raw) for name, raw in (await _present(svc, row)).items() if name > after]
    page = rest[:PAGE]
    truncated = len(rest) > len(page)
    parts = [f"<{NAME}>{configurations.unpack(raw).xml}</{NAME}>" for _, raw in page]
    parts.append(element("IsTruncated", "true" if truncated else "false"))
    if token:
        parts.append(element("ContinuationToken", token))
    if truncated:
        last = encode_token(page[-1][0].encode(), is_prefix=False)
        parts.append(element("NextContinuationToken", last))
    return Response(200, XML, document("ListInventoryConfigurationsResult", *parts))
