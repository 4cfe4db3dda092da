"""Lifecycle rules as XML: reading what clients send, with every check that S3 makes, and writing.

What does not fit the schema is `MalformedXML`; what fits it and makes no sense is told in S3's
words. All checks are here: nothing further in looks at a rule's form again.

Spec: API reference of PutBucketLifecycleConfiguration; user guide, "Lifecycle configuration
elements", "Transitioning objects using Amazon S3 Lifecycle".
"""

from __future__ import annotations

import base64
import re
import uuid
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Final, Literal

from aisle.api.s3.transitions import check_noncurrent_order, check_order
from aisle.api.s3.xml import MalformedXML, element, parse
from aisle.core.dates import iso_date
from aisle.core.errors import InvalidArgument, InvalidRequest
from aisle.core.xmltree import Element
from aisle.namespace.lifecycle.rules import (
    ALL_128K,
    VARIES,
    Configuration,
    Expiration,
    Filter,
    NoncurrentExpiration,
    NoncurrentTransition,
    Rule,
    Transition,
)

ROOT: Final = "LifecycleConfiguration"
MOST: Final = 1000
ID_LENGTH: Final = 255
PREFIX_LENGTH: Final = 1024
NEWER: Final = 100
TAG_KEY, TAG_VALUE = 128, 256
CLASSES: Final = frozenset(
    {
        "GLACIER",
        "STANDARD_IA",
        "ONEZONE_IA",
        "INTELLIGENT_TIERING",
        "DEEP_ARCHIVE",
        "GLACIER_IR",
    }
)
_LARGEST: Final = (1 << 31) - 1
_DAY: Final = 86_400
_DIGITS: Final = re.compile(r"-?[0-9]{1,19}")
_DATE: Final = re.compile(
    r"\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d{1,9})?)?(Z|[+-]\d\d:?\d\d)?)?", re.ASCII
)
_STATUS: Final[Mapping[str, Literal["Enabled", "Disabled"]]] = {
    "Enabled": "Enabled",
    "Disabled": "Disabled",
}
_SIZES: Final = ("ObjectSizeGreaterThan", "ObjectSizeLessThan")
_RULE: Final = (
    "ID",
    "Status",
    "Prefix",
    "Filter",
    "Expiration",
    "NoncurrentVersionExpiration",
    "AbortIncompleteMultipartUpload",
)


def read(document: bytes, minimum: str) -> Configuration:
    """The rules of a document, with ids for those that have none; `minimum` is the header
    `x-amz-transition-default-minimum-object-size`. Raises `MalformedXML`, `InvalidArgument`,
    `InvalidRequest`."""
    if minimum and minimum not in (VARIES, ALL_128K):
        raise InvalidRequest(f"Invalid TransitionDefaultMinimumObjectSize found: {minimum[:100]}")
    _, many = _fields(parse(document, ROOT), (), ("Rule",))
    if not 1 <= len(many["Rule"]) <= MOST:
        raise MalformedXML(f"there are 1 to {MOST} rules")
    rules = [_rule(found) for found in many["Rule"]]
    _check_together(rules)
    return Configuration(rules, minimum or ALL_128K)


def _check_together(rules: Sequence[Rule]) -> None:
    seen = set[str]()
    for rule in rules:
        if rule.id in seen:
            raise InvalidArgument(
                "Rule ID must be unique. Found same ID for more than one rule",
                name="ID",
                value=rule.id,
            )
        seen.add(rule.id)
        if rule.filter.legacy != rules[0].filter.legacy:
            raise InvalidRequest(
                "Base level prefix cannot be used in Lifecycle V2, prefixes are only supported in"
                " the Filter."
                if rule.filter.legacy
                else "Filter element can only be used in Lifecycle V2."
            )


def _rule(found: Element) -> Rule:
    one, many = _fields(found, _RULE, ("Transition", "NoncurrentVersionTransition"))
    status = _STATUS.get(_text(one, "Status"))
    if status is None:
        raise MalformedXML("the Status of a rule is Enabled or Disabled")
    name = _text(one, "ID")
    if len(name) > ID_LENGTH:
        raise InvalidArgument(
            f"ID length should not exceed allowed limit of {ID_LENGTH}", name="ID", value=name
        )
    rule = Rule(
        id=name or _new_id(),
        status=status,
        filter=_filter(one),
        expiration=_expiration(one.get("Expiration")),
        noncurrent=_noncurrent(one.get("NoncurrentVersionExpiration")),
        abort_days=_abort(one.get("AbortIncompleteMultipartUpload")),
        transitions=[_transition(each) for each in many["Transition"]],
        noncurrent_transitions=[
            _noncurrent_transition(each) for each in many["NoncurrentVersionTransition"]
        ],
    )
    if not rule.acts:
        raise InvalidRequest("At least one action needs to be specified in a rule")
    _check_filter_of(rule)
    check_order(rule)
    check_noncurrent_order(rule)
    return rule


def _new_id() -> str:
    return base64.b64encode(str(uuid.uuid4()).encode()).decode()


def _check_filter_of(rule: Rule) -> None:
    """What an action asks of its rule's filter."""
    told = rule.filter
    sized = told.larger is not None or told.smaller is not None
    if rule.abort_days is not None and (told.tags or sized):
        what = "Tags" if told.tags else "Object Size"
        raise InvalidRequest(f"AbortIncompleteMultipartUpload cannot be specified with {what}.")
    if rule.expiration is not None and rule.expiration.markers is not None and told.tags:
        raise InvalidRequest("ExpiredObjectDeleteMarker cannot be specified with Tags.")
    newer = [rule.noncurrent.newer if rule.noncurrent is not None else None]
    newer += [each.newer for each in rule.noncurrent_transitions]
    if told.legacy and any(each is not None for each in newer):
        raise InvalidRequest("NewerNoncurrentVersions can only be used in a rule with a Filter.")


# --- filters --------------------------------------------------------------------------------


def _filter(one: Mapping[str, Element]) -> Filter:
    legacy, found = one.get("Prefix"), one.get("Filter")
    if (legacy is None) == (found is None):
        raise MalformedXML("a rule has either a Filter or a Prefix")
    if found is None:
        return Filter("Rule", _prefix(_leaf(one["Prefix"])))
    parts, _ = _fields(found, ("Prefix", "Tag", "And", *_SIZES))
    if len(parts) > 1:
        raise MalformedXML("a Filter has exactly one element")
    if "And" not in parts:
        return _predicates(next(iter(parts), ""), parts, [parts["Tag"]] if "Tag" in parts else [])
    parts, many = _fields(parts["And"], ("Prefix", *_SIZES), ("Tag",))
    if len(parts) + len(many["Tag"]) < 2:
        raise MalformedXML("And has two elements at least")
    return _predicates("And", parts, many["Tag"])


def _predicates(form: str, parts: Mapping[str, Element], tags: Sequence[Element]) -> Filter:
    larger, smaller = (_number(parts[name]) if name in parts else None for name in _SIZES)
    for name, size, least in zip(_SIZES, (larger, smaller), (0, 1), strict=True):
        if size is not None and size < least:
            raise InvalidRequest(f"'{name}' must be {'positive' if least else 'non-negative'}")
    if larger is not None and smaller is not None and smaller <= larger:
        raise InvalidRequest(
            "'ObjectSizeLessThan' has to be a value greater than 'ObjectSizeGreaterThan'"
        )
    prefix = _prefix(_leaf(parts["Prefix"])) if "Prefix" in parts else None
    return Filter(form, prefix, _tags(tags), larger, smaller)


def _prefix(text: str) -> str:
    if len(text.encode("utf-8", "surrogateescape")) > PREFIX_LENGTH:
        raise InvalidRequest(f"The maximum size of a prefix is {PREFIX_LENGTH}.")
    return text


def _tags(found: Sequence[Element]) -> dict[str, str]:
    tags: dict[str, str] = {}
    for tag in found:
        one, _ = _fields(tag, ("Key", "Value"))
        if len(one) != 2:
            raise MalformedXML("a Tag has a Key and a Value")
        name, value = _leaf(one["Key"]), _leaf(one["Value"])
        if not 1 <= len(name) <= TAG_KEY:
            raise InvalidRequest(f"A Tag's Key must be a length between 1 and {TAG_KEY}.")
        if len(value) > TAG_VALUE:
            raise InvalidRequest(f"A Tag's Value must be a length between 0 and {TAG_VALUE}.")
        if name in tags:
            raise InvalidRequest("Duplicate Tag Keys are not allowed.")
        tags[name] = value
    return tags


# --- actions --------------------------------------------------------------------------------


def _expiration(found: Element | None) -> Expiration | None:
    if found is None:
        return None
    one, _ = _fields(found, ("Days", "Date", "ExpiredObjectDeleteMarker"))
    if len(one) != 1:
        raise MalformedXML("an Expiration has exactly one element")
    if "Days" in one:
        return Expiration(days=_days(one["Days"], "Expiration"))
    if "Date" in one:
        return Expiration(date=_midnight(one["Date"]))
    markers = {"true": True, "false": False}.get(_leaf(one["ExpiredObjectDeleteMarker"]).strip())
    if markers is None:
        raise MalformedXML("ExpiredObjectDeleteMarker is true or false")
    return Expiration(markers=markers)


def _noncurrent(found: Element | None) -> NoncurrentExpiration | None:
    if found is None:
        return None
    name = "NoncurrentVersionExpiration"
    one, _ = _fields(found, ("NoncurrentDays", "NewerNoncurrentVersions"))
    if "NoncurrentDays" not in one:
        raise MalformedXML("NoncurrentDays is missing")
    return NoncurrentExpiration(_days(one["NoncurrentDays"], name), _newer(one, name))


def _abort(found: Element | None) -> int | None:
    if found is None:
        return None
    one, _ = _fields(found, ("DaysAfterInitiation",))
    if not one:
        raise MalformedXML("DaysAfterInitiation is missing")
    return _days(one["DaysAfterInitiation"], "AbortIncompleteMultipartUpload")


def _transition(found: Element) -> Transition:
    one, _ = _fields(found, ("Days", "Date", "StorageClass"))
    if ("Days" in one) == ("Date" in one):
        raise MalformedXML("a Transition has either Days or a Date")
    if "Date" in one:
        return Transition(_storage_class(one), date=_midnight(one["Date"]))
    return Transition(_storage_class(one), days=_days(one["Days"], "Transition", least=0))


def _noncurrent_transition(found: Element) -> NoncurrentTransition:
    name = "NoncurrentVersionTransition"
    one, _ = _fields(found, ("NoncurrentDays", "NewerNoncurrentVersions", "StorageClass"))
    if "NoncurrentDays" not in one:
        raise MalformedXML("NoncurrentDays is missing")
    days = _days(one["NoncurrentDays"], name, least=0)
    return NoncurrentTransition(_storage_class(one), days, _newer(one, name))


def _storage_class(one: Mapping[str, Element]) -> str:
    found = _text(one, "StorageClass")
    if found not in CLASSES:
        raise MalformedXML("the StorageClass of a transition is not known")
    return found


def _newer(one: Mapping[str, Element], action: str) -> int | None:
    if "NewerNoncurrentVersions" not in one:
        return None
    newer = _days(one["NewerNoncurrentVersions"], action)
    if newer > NEWER:
        raise InvalidArgument(
            f"'NewerNoncurrentVersions' for {action} action must not be greater than {NEWER}",
            name="NewerNoncurrentVersions",
            value=str(newer),
        )
    return newer


def _days(found: Element, action: str, *, least: int = 1) -> int:
    days = _number(found)
    if days > _LARGEST:
        raise MalformedXML(f"{found.name} is too large")
    if days < least:
        kind = "positive" if least else "non-negative"
        raise InvalidArgument(
            f"'{found.name}' for {action} action must be a {kind} integer",
            name=found.name,
            value=str(days),
        )
    return days


def _midnight(found: Element) -> int:
    """A date in seconds; a time without a zone is in UTC. Raises `InvalidArgument` for one that is
    not midnight."""
    text = _leaf(found).strip()
    if not _DATE.fullmatch(text):
        raise MalformedXML("a Date is in ISO 8601 format")
    try:
        date = datetime.fromisoformat(text)
        seconds = (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        raise MalformedXML("there is no such Date") from None
    if seconds % _DAY:
        raise InvalidArgument("'Date' must be at midnight GMT", name="Date", value=text)
    return int(seconds)


# --- elements -------------------------------------------------------------------------------


def _fields(
    found: Element, single: Sequence[str], repeated: Sequence[str] = ()
) -> tuple[dict[str, Element], dict[str, list[Element]]]:
    """The children of an element by name: those that may come once, and the others. Raises
    `MalformedXML` for one that is not known, or comes again."""
    one: dict[str, Element] = {}
    many: dict[str, list[Element]] = {name: [] for name in repeated}
    if found.text.strip():
        raise MalformedXML(f"{found.name} has text of its own")
    for child in found.children:
        if child.name in many:
            many[child.name].append(child)
        elif child.name in single and child.name not in one:
            one[child.name] = child
        else:
            raise MalformedXML(f"{child.name} is not expected in {found.name}")
    return one, many


def _leaf(found: Element) -> str:
    if found.children:
        raise MalformedXML(f"{found.name} has elements")
    return found.text


def _text(one: Mapping[str, Element], name: str) -> str:
    return _leaf(one[name]).strip() if name in one else ""


def _number(found: Element) -> int:
    text = _leaf(found).strip()
    if not _DIGITS.fullmatch(text):
        raise MalformedXML(f"{found.name} is not a number")
    return int(text)


# --- writing --------------------------------------------------------------------------------


def write(configuration: Configuration) -> str:
    """The rules as elements."""
    return "".join(f"<Rule>{_written(rule)}</Rule>" for rule in configuration.rules)


def _written(rule: Rule) -> str:
    parts = [element("ID", rule.id), _written_filter(rule.filter), element("Status", rule.status)]
    for transition in rule.transitions:
        inner = _when(transition.days, transition.date)
        inner += element("StorageClass", transition.storage_class)
        parts.append(f"<Transition>{inner}</Transition>")
    told = rule.expiration
    if told is not None:
        inner = _when(told.days, told.date)
        if told.markers is not None:
            inner = element("ExpiredObjectDeleteMarker", "true" if told.markers else "false")
        parts.append(f"<Expiration>{inner}</Expiration>")
    for later in rule.noncurrent_transitions:
        inner = _noncurrent_when(later.days, later.newer)
        inner += element("StorageClass", later.storage_class)
        parts.append(f"<NoncurrentVersionTransition>{inner}</NoncurrentVersionTransition>")
    if rule.noncurrent is not None:
        inner = _noncurrent_when(rule.noncurrent.days, rule.noncurrent.newer)
        parts.append(f"<NoncurrentVersionExpiration>{inner}</NoncurrentVersionExpiration>")
    if rule.abort_days is not None:
        inner = element("DaysAfterInitiation", rule.abort_days)
        parts.append(f"<AbortIncompleteMultipartUpload>{inner}</AbortIncompleteMultipartUpload>")
    return "".join(parts)


def _when(days: int | None, date: int | None) -> str:
    if date is not None:
        return element("Date", iso_date(date))
    return element("Days", days) if days is not None else ""


def _noncurrent_when(days: int, newer: int | None) -> str:
    kept = element("NewerNoncurrentVersions", newer) if newer is not None else ""
    return element("NoncurrentDays", days) + kept


def _written_filter(told: Filter) -> str:
    parts = [element("Prefix", told.prefix)] if told.prefix is not None else []
    if told.legacy:
        return parts[0]
    for name, value in told.tags.items():
        parts.append(f"<Tag>{element('Key', name)}{element('Value', value)}</Tag>")
    for name, size in zip(_SIZES, (told.larger, told.smaller), strict=True):
        if size is not None:
            parts.append(element(name, size))
    inner = "".join(parts)
    return (
        f"<Filter><And>{inner}</And></Filter>"
        if told.form == "And"
        else f"<Filter>{inner}</Filter>"
    )
