"""Handlers of bucket replication: Put/Get/DeleteBucketReplication.

A destination is named by the ARN of a bucket as this cluster knows it: one of its own, or a window
on a remote bucket, whose endpoint and credentials are the window's. Whoever sets the rules must be
allowed to replicate into each destination. The document is given back in the form of `_RULE`; of
what is in it without effect here docs/replication.md tells.

Spec: API reference of the three; user guide, "Replication configuration file elements".
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

from aisle.api.access import authorise, may
from aisle.api.base import Context, Response, Service
from aisle.api.s3.common import XML, kept, open_bucket, remover
from aisle.api.s3.headers import STORAGE_CLASSES
from aisle.api.s3.incoming import read_document
from aisle.api.s3.schemas import TAG, Leaf, Node, canonical
from aisle.api.s3.xml import MalformedXML, document, element, parse
from aisle.auth.access import Action
from aisle.core import permissions
from aisle.core.errors import BucketNotFound, InvalidArgument, InvalidRequest
from aisle.core.xmltree import Element
from aisle.jobs.work.replicate import KIND
from aisle.namespace import buckets, documents
from aisle.namespace.replication import rules
from aisle.namespace.replication.delivery import HEADER
from aisle.namespace.replication.rules import Configuration, Rule
from aisle.namespace.store import BucketRow

MAX_RULES: Final = 1000
_DOCUMENT_LIMIT: Final = 2 << 20
_ID_LIMIT: Final = 255
_PREFIX_LIMIT: Final = 1024
_ARN: Final = "arn:aws:s3:::"
_REPLICATE: Final = Action("s3:ReplicateObject", permissions.PUT)
_SWITCH: Final = ("Enabled", "Disabled")
_TAGS: Final = 100
_STATUS: Final = Node({"Status": Leaf(_SWITCH)}, frozenset({"Status"}))
_MINUTES: Final = Node({"Minutes": Leaf()})
# How long a prefix and an id may be is told in other words than those of a schema.
_PREFIX: Final = Leaf(limit=_DOCUMENT_LIMIT, bare=False)
_RULE: Final = Node(
    {
        "ID": Leaf(limit=_DOCUMENT_LIMIT),
        "Priority": Leaf(),
        "Prefix": _PREFIX,
        "Filter": Node(
            {
                "Prefix": _PREFIX,
                "Tag": TAG,
                "And": Node({"Prefix": _PREFIX, "Tag": TAG}, many={"Tag": _TAGS}),
            }
        ),
        "Status": Leaf(_SWITCH),
        "SourceSelectionCriteria": Node(
            {"SseKmsEncryptedObjects": _STATUS, "ReplicaModifications": _STATUS}
        ),
        "ExistingObjectReplication": _STATUS,
        "Destination": Node(
            {
                "Bucket": Leaf(),
                "Account": Leaf(),
                "StorageClass": Leaf(),
                "AccessControlTranslation": Node({"Owner": Leaf(("Destination",))}),
                "EncryptionConfiguration": Node({"ReplicaKmsKeyID": Leaf()}),
                "ReplicationTime": Node(
                    {"Status": Leaf(_SWITCH), "Time": _MINUTES}, frozenset({"Status", "Time"})
                ),
                "Metrics": Node(
                    {"Status": Leaf(_SWITCH), "EventThreshold": _MINUTES}, frozenset({"Status"})
                ),
            }
        ),
        "DeleteMarkerReplication": Node({"Status": Leaf(_SWITCH)}),
    }
)


class _Filter(NamedTuple):
    prefix: str
    tags: dict[str, str]


async def status_of(svc: Service, ctx: Context, bucket: BucketRow) -> str:
    """What a write is to say of its replication: that it is a replica, if whoever sends it says
    so and may replicate into the bucket. From others that means nothing."""
    if ctx.head.header(HEADER).upper() != rules.REPLICA:
        return ""
    return rules.REPLICA if await may(svc, ctx, _REPLICATE, bucket, ctx.key) else ""


async def get_bucket_replication(svc: Service, ctx: Context) -> Response:
    raw = await kept(svc, ctx, documents.REPLICATION, "ReplicationConfigurationNotFoundError")
    return Response(200, XML, document("ReplicationConfiguration", rules.decode(raw).text))


async def put_bucket_replication(svc: Service, ctx: Context) -> Response:
    row = await open_bucket(svc, ctx)
    body = await read_document(ctx.head, ctx.known_payload, ctx.body, _DOCUMENT_LIMIT)
    configuration = read_configuration(body)
    if not row.record.keeps_versions:
        raise InvalidRequest(
            "Versioning must be 'Enabled' on the bucket to apply a replication configuration"
        )
    for name in dict.fromkeys(rule.bucket for rule in configuration.rules):
        await _check_destination(svc, ctx, name)
    await documents.change(svc.store, row, {documents.REPLICATION: rules.encode(configuration)})
    if any(rule.existing and rule.enabled for rule in configuration.rules):
        args = {"bck": list(row.name), "asked_by_rule": True}
        await svc.jobs.submit(KIND, args, user=ctx.who.name)
    return Response(200)


delete_bucket_replication = remover(documents.REPLICATION)


async def _check_destination(svc: Service, ctx: Context, name: str) -> None:
    if name == ctx.bucket:
        raise InvalidRequest("The destination bucket cannot be the source bucket.")
    try:
        target = await buckets.find(svc.store, name)
    except BucketNotFound:
        raise InvalidRequest("Destination bucket must exist.") from None
    await authorise(svc, ctx, _REPLICATE, target, "")
    if target.record.behind is None and not target.record.keeps_versions:
        raise InvalidRequest("Destination bucket must have versioning enabled.")


# --- the document ---------------------------------------------------------------------------


def read_configuration(body: bytes) -> Configuration:
    """The rules in a document. Raises `MalformedXML`, `InvalidRequest`, `InvalidArgument`."""
    tree = parse(body, "ReplicationConfiguration")
    role = tree.value("Role").strip()
    found = [_rule(number, child) for number, child in enumerate(tree.all("Rule"), start=1)]
    others = [child.name for child in tree.children if child.name != "Rule"]
    if not found or others not in ([], ["Role"]):
        raise MalformedXML("a replication configuration has a Role and at least one Rule")
    if len(found) > MAX_RULES:
        raise InvalidRequest(f"The number of replication rules must not exceed {MAX_RULES}.")
    if len({rule.id for rule in found}) < len(found):
        raise InvalidArgument("Rule ID must be unique. Found same ID for more than one rule")
    filtered = [rule.priority for rule in found if rule.priority >= 0]
    if len(set(filtered)) < len(filtered):
        raise InvalidRequest("Priority must be unique. Found same priority for more than one rule")
    parts = [element("Role", role) if role else ""]
    for rule, child in zip(found, tree.all("Rule"), strict=True):
        _name(child, rule.id)
        parts.append(f"<Rule>{canonical(child, _RULE)}</Rule>")
    return Configuration(found, "".join(parts))


def _name(node: Element, name: str) -> None:
    """Give a rule without an id the one by which it is known."""
    given = node.first("ID")
    if given is None:
        given = Element("ID")
        node.children.append(given)
    given.text = name


def _rule(number: int, node: Element) -> Rule:
    name = node.value("ID").strip() or f"rule-{number}"
    if len(name) > _ID_LIMIT:
        raise InvalidArgument(
            f"ID length should not exceed allowed limit of {_ID_LIMIT}", name="ID", value=name[:64]
        )
    status = _switch(node, "Status")
    chosen = node.first("Filter")
    if chosen is not None and node.first("Prefix") is not None:
        raise MalformedXML("a Rule has a Filter or a Prefix, not both")
    if chosen is None and node.first("Prefix") is None:
        raise MalformedXML("a Rule needs a Filter or a Prefix")
    limits = _filter(chosen) if chosen is not None else _Filter(node.value("Prefix"), {})
    if len(limits.prefix.encode()) > _PREFIX_LIMIT:
        raise InvalidRequest(f"The maximum size of a prefix is {_PREFIX_LIMIT}")
    markers = node.first("DeleteMarkerReplication")
    if chosen is not None and node.first("Priority") is None:
        raise InvalidRequest(
            "Priority must be specified for this version of Cross Region Replication configuration"
            " schema. Please refer to S3 Developer Guide for more information."
        )
    if chosen is not None and markers is None:
        raise InvalidRequest(
            "DeleteMarkerReplication must be specified for this version of Cross Region Replication"
            " configuration schema. Please refer to S3 Developer Guide for more information."
        )
    marked = _switch(markers, "Status") if markers is not None else chosen is None
    if marked and limits.tags:
        raise InvalidRequest(
            "Delete marker replication is not supported if any Tag filter is specified. Please"
            " refer to S3 Developer Guide for more information."
        )
    existing = node.first("ExistingObjectReplication")
    bucket, storage_class = _destination(node)
    return Rule(
        id=name,
        priority=_priority(node),
        enabled=status,
        bucket=bucket,
        prefix=limits.prefix,
        tags=limits.tags,
        storage_class=storage_class,
        markers=marked,
        existing=existing is not None and _switch(existing, "Status"),
    )


def _switch(node: Element, name: str) -> bool:
    word = node.value(name).strip()
    if word not in _SWITCH:
        raise MalformedXML(f"{name} of a {node.name} is Enabled or Disabled")
    return word == "Enabled"


def _priority(node: Element) -> int:
    """The priority of a rule, -1 for one of the first schema, which has none."""
    if node.first("Priority") is None:
        return -1
    text = node.value("Priority").strip()
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise MalformedXML("Priority is not a number")
    return int(text)


def _filter(node: Element) -> _Filter:
    """What a Filter lets through: a prefix, a tag, or all that an And has in it."""
    if not node.children:
        return _Filter("", {})
    if len(node.children) > 1:
        raise MalformedXML("a Filter has one of Prefix, Tag and And")
    only = node.children[0]
    if only.name == "Prefix":
        return _Filter(only.text, {})
    if only.name == "Tag":
        return _Filter("", dict(_tags(node)))
    if only.name != "And":
        raise MalformedXML(f"{only.name} is not known in a Filter")
    tags = dict(_tags(only))
    if len(tags) < sum(1 for _ in only.all("Tag")):
        raise InvalidRequest("Duplicate Tag Keys are not allowed.")
    return _Filter(only.value("Prefix"), tags)


def _tags(node: Element) -> Iterator[tuple[str, str]]:
    for tag in node.all("Tag"):
        if not tag.value("Key"):
            raise MalformedXML("a Tag without a Key")
        yield tag.value("Key"), tag.value("Value")


def _destination(node: Element) -> tuple[str, str]:
    """The bucket and the storage class that a rule's Destination names."""
    target = node.first("Destination")
    if target is None:
        raise MalformedXML("a Rule needs a Destination")
    arn = target.value("Bucket").strip()
    name = arn.removeprefix(_ARN)
    if not arn.startswith(_ARN) or not name or "/" in name or ":" in name:
        raise InvalidArgument("Invalid bucket ARN.", name="Bucket", value=arn[:128])
    storage_class = target.value("StorageClass").strip()
    if storage_class and storage_class not in STORAGE_CLASSES:
        raise MalformedXML("the StorageClass of a Destination is not known")
    return name, storage_class
