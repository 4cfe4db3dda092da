"""Handlers of event notifications: Get/PutBucketNotificationConfiguration.

Their deprecated twins speak of the same document. Destinations are targets of the cluster
(`targets.base`), whatever kind of configuration names them. Each is told once that it will be told
of a bucket, and has to take that message, unless `x-amz-skip-destination-validation` says not to
ask.

Spec: API reference of the four; user guide, "Amazon S3 Event Notifications".
"""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import Iterable
from typing import Final

from aisle.api.base import Context, Response, Service
from aisle.api.s3.common import XML, open_bucket
from aisle.api.s3.incoming import read_document
from aisle.api.s3.xml import MalformedXML, document, element, parse
from aisle.core.errors import InvalidArgument
from aisle.core.xmltree import Element
from aisle.namespace import documents
from aisle.namespace.notifications import messages, rules
from aisle.namespace.notifications.rules import BRIDGE, EVENTS, KINDS, Kind, Rule, Rules
from aisle.targets.base import Message, TargetError

_log: Final = logging.getLogger("aisle.notifications")

_DOCUMENT_LIMIT: Final = 1 << 20
_ROOT: Final = "NotificationConfiguration"
_SKIP: Final = "x-amz-skip-destination-validation"
MAX_RULES: Final = 100
_LONGEST_ID: Final = 255
_LONGEST_VALUE: Final = 1024
_BRIDGE: Final = "EventBridgeConfiguration"
# Of the deprecated form, and without a meaning here.
_KNOWN: Final = frozenset({"Id", "Event", "Filter", "InvocationRole", *KINDS})
_UNABLE: Final = "Unable to validate the following destination configurations"
_AMBIGUOUS: Final = (
    "Configuration is ambiguously defined. Cannot have overlapping suffixes in two rules if the"
    " prefixes are overlapping for the same event type."
)


async def get_bucket_notification_configuration(svc: Service, ctx: Context) -> Response:
    row = await open_bucket(svc, ctx)
    raw = (await documents.of(svc.store, row)).raw.get(documents.NOTIFICATION)
    found = rules.decode(raw) if raw is not None else Rules()
    parts = [_shown(rule) for rule in found.rules]
    if found.bridge:
        parts.append(f"<{_BRIDGE}/>")
    return Response(200, XML, document(_ROOT, *parts))


async def put_bucket_notification_configuration(svc: Service, ctx: Context) -> Response:
    row = await open_bucket(svc, ctx)
    body = await read_document(ctx.head, ctx.known_payload, ctx.body, _DOCUMENT_LIMIT)
    asked = read(body)
    _check_destinations(svc, asked)
    if ctx.head.header(_SKIP).strip().lower() != "true":
        await _try(svc, ctx, asked)
    anything = asked.rules or asked.bridge
    raw = rules.encode(asked) if anything else None
    await documents.change(svc.store, row, {documents.NOTIFICATION: raw})
    return Response(200)


# --- what is asked for ----------------------------------------------------------------------


def read(body: bytes) -> Rules:
    """What a document asks for. Raises `MalformedXML` and `InvalidArgument`."""
    tree = parse(body, _ROOT)
    found: list[Rule] = []
    bridge = False
    for child in tree.children:
        kind = _KINDS.get(child.name)
        if kind is not None:
            found.append(_rule(kind, child))
        elif child.name == _BRIDGE:
            bridge = True
        else:
            raise MalformedXML(f"{child.name} is not known here")
    if len(found) > MAX_RULES:
        raise InvalidArgument(f"You may have at most {MAX_RULES} notification configurations.")
    if len({rule.id for rule in found}) != len(found):
        raise InvalidArgument("Same ID used for multiple configurations. IDs must be unique")
    if rules.overlapping(found):
        raise InvalidArgument(_AMBIGUOUS)
    return Rules(tuple(found), bridge)


_KINDS: Final[dict[str, Kind]] = {f"{kind}Configuration": kind for kind in KINDS}


def _rule(kind: Kind, tree: Element) -> Rule:
    for child in tree.children:
        if child.name not in _KNOWN:
            raise MalformedXML(f"{child.name} is not known here")
    arn = tree.value(kind).strip()
    asked = tuple(dict.fromkeys(child.text.strip() for child in tree.all("Event")))
    if not arn or not asked:
        raise MalformedXML(f"{kind} and Event are needed")
    for event in asked:
        if event not in EVENTS:
            raise InvalidArgument(
                "A specified event is not supported for notifications.",
                name="Event",
                value=event[:_LONGEST_VALUE],
            )
    name = tree.value("Id").strip() or str(uuid.uuid4())
    if len(name) > _LONGEST_ID:
        raise InvalidArgument(f"The ID has more than {_LONGEST_ID} characters.", name="Id")
    prefix, suffix = _filter(tree.first("Filter"))
    destination = rules.parse_arn(arn)
    if destination is None:
        raise InvalidArgument("The ARN is not well formed", name=kind, value=arn[:_LONGEST_VALUE])
    return Rule(name, kind, arn, destination.name, asked, prefix, suffix)


def _filter(tree: Element | None) -> tuple[str | None, str | None]:
    """Prefix and suffix of a filter."""
    given: dict[str, str] = {}
    for key in tree.children if tree is not None else ():
        if key.name != "S3Key":
            raise MalformedXML(f"{key.name} is not known here")
        for rule in key.all("FilterRule"):
            name, value = rule.value("Name").strip().lower(), rule.value("Value")
            if name not in ("prefix", "suffix"):
                raise InvalidArgument(
                    "filter rule name must be either prefix or suffix",
                    name="FilterRule.Name",
                    value=rule.value("Name")[:_LONGEST_VALUE],
                )
            if name in given:
                raise InvalidArgument(f"Cannot specify more than one {name} rule in a filter.")
            if len(value.encode()) > _LONGEST_VALUE:
                raise InvalidArgument(
                    f"Size of filter rule value cannot exceed {_LONGEST_VALUE} bytes in UTF-8"
                    " representation",
                    name="FilterRule.Value",
                )
            given[name] = value
    return given.get("prefix"), given.get("suffix")


# --- who is to hear of it -------------------------------------------------------------------


def _check_destinations(svc: Service, asked: Rules) -> None:
    for rule in asked.rules:
        destination = rules.parse_arn(rule.arn)
        assert destination is not None
        if destination.region not in ("", svc.region):
            raise InvalidArgument(
                "The notification destination service region is not valid for the bucket location"
                " constraint",
                name=rule.kind,
                value=rule.arn,
            )
        known = svc.targets.get(rule.target)
        if known is None or known.spec.kind != destination.kind:
            raise _unable([rule.arn], "The destination does not exist")
    if asked.bridge and svc.targets.get(BRIDGE) is None:
        raise InvalidArgument(
            f"{_UNABLE}: this cluster has no target called {BRIDGE}", name=_BRIDGE, value=""
        )


async def _try(svc: Service, ctx: Context, asked: Rules) -> None:
    """Tell each destination that it will be told. EventBridge hears of no test."""
    body = messages.test(ctx.bucket, at=svc.store.now(), request=ctx.request_id)
    message = Message(body, ctx.bucket.encode())
    arns = {rule.target: rule.arn for rule in asked.rules}

    async def told(name: str) -> bool:
        known = svc.targets.get(name)
        assert known is not None
        try:
            await known.send(message)
        except TargetError as error:
            _log.warning("target %s does not take a test event: %s", name, error)
            return False
        return True

    took = await asyncio.gather(*(told(name) for name in arns))
    silent = [arn for arn, heard in zip(arns.values(), took, strict=True) if not heard]
    if silent:
        raise _unable(silent, "The destination does not take a test event")


def _unable(arns: Iterable[str], why: str) -> InvalidArgument:
    names = ", ".join(arns)
    return InvalidArgument(f"{_UNABLE}: {why}: {names}", name=names, value=why)


def _shown(rule: Rule) -> str:
    parts = [element("Id", rule.id), element(rule.kind, rule.arn)]
    parts += [element("Event", event) for event in rule.events]
    given = [("Prefix", rule.prefix), ("Suffix", rule.suffix)]
    filters = "".join(
        f"<FilterRule>{element('Name', name)}{element('Value', value)}</FilterRule>"
        for name, value in given
        if value is not None
    )
    if filters:
        parts.append(f"<Filter><S3Key>{filters}</S3Key></Filter>")
    return f"<{rule.kind}Configuration>{''.join(parts)}</{rule.kind}Configuration>"
