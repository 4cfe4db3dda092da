"""Values of Object Lock: from headers and documents, and into them. Pure functions.

Spec: API reference of Put/GetObjectLockConfiguration, Put/GetObjectRetention and
Put/GetObjectLegalHold; user guide, "Locking objects with Object Lock".
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

from aisle.api.base import Headers
from aisle.api.s3.errors import S3Error
from aisle.api.s3.xml import MalformedXML, document, element, parse
from aisle.core.errors import InvalidArgument
from aisle.core.http import RequestHead
from aisle.core.xmltree import Element
from aisle.namespace.locks import DAY, MAX_DAYS, MAX_YEARS, MODES, Rule, ending
from aisle.namespace.records import Lock

PREFIX: Final = "x-amz-object-lock-"
MODE: Final = "x-amz-object-lock-mode"
UNTIL: Final = "x-amz-object-lock-retain-until-date"
HOLD: Final = "x-amz-object-lock-legal-hold"
# This and the headers that begin so, its durations.
EVENT_HOLD: Final = "x-amz-object-lock-event-hold"
NO_EVENT_HOLDS: Final = (
    "Event holds are not kept here: a legal hold keeps a version until it is taken off, retention"
    " until a date."
)
DOCUMENT_LIMIT: Final = 64 << 10
_EVENT_HOLDS: Final = frozenset({"EventHold", "EventHoldDuration", "DefaultEventHold"})
_WORDS: Final = {"ON": True, "OFF": False}
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_LONGEST: Final = 64  # characters of a date
_MICROSECOND: Final = timedelta(microseconds=1)


class Retention(NamedTuple):
    """What a request asks for: no mode, none."""

    mode: str
    until: int  # ns


# --- dates ----------------------------------------------------------------------------------


def read_date(text: str) -> int:
    """A moment in ISO 8601 (ns), in UTC where it names no zone. Raises `ValueError`."""
    if len(text) > _LONGEST:
        raise ValueError("no date is that long")
    moment = datetime.fromisoformat(text.strip())
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return ending((moment - _EPOCH) // _MICROSECOND * 1000)


def write_date(until: int) -> str:
    """A moment (ns) as clients are told it, to the millisecond."""
    moment = _EPOCH + timedelta(milliseconds=until // 1_000_000)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


def check_until(until: int, now: int, *, name: str = "", value: str = "") -> None:
    """Raise `InvalidArgument` for an end that is past, or too far off."""
    if until <= now:
        raise InvalidArgument(
            "The retain until date must be in the future!", name=name, value=value
        )
    if until > now + MAX_DAYS * DAY:
        raise InvalidArgument(
            f"The retain until date must be within {MAX_DAYS} days from now.",
            name=name,
            value=value,
        )


# --- headers --------------------------------------------------------------------------------


def is_asked(head: RequestHead) -> bool:
    """Whether a request locks the object that it writes."""
    return MODE in head.headers or UNTIL in head.headers or HOLD in head.headers


def of_headers(head: RequestHead, now: int) -> Lock | None:
    """The lock that a request gives the object it writes. Raises `InvalidArgument`."""
    mode, until, hold = (head.headers.get(name) for name in (MODE, UNTIL, HOLD))
    if mode is None and until is None and hold is None:
        return None
    if (mode is None) != (until is None):
        name, value = (MODE, mode) if until is None else (UNTIL, until)
        raise InvalidArgument(
            f"{UNTIL} and {MODE} must both be supplied", name=name, value=value or ""
        )
    if mode is not None and mode not in MODES:
        raise InvalidArgument("Unknown wormMode directive.", name=MODE, value=mode[:_LONGEST])
    end = 0
    if until is not None:
        try:
            end = read_date(until)
        except (ValueError, OverflowError):
            raise InvalidArgument(
                "The retain until date must be provided in ISO 8601 format",
                name=UNTIL,
                value=until[:_LONGEST],
            ) from None
        check_until(end, now, name=UNTIL, value=until)
    if hold is not None and hold not in _WORDS:
        raise InvalidArgument(
            "Legal Hold must be either of 'ON' or 'OFF'", name=HOLD, value=hold[:_LONGEST]
        )
    return Lock(mode or "", end, hold == "ON", hold == "OFF")


def retention_headers(lock: Lock) -> Headers:
    """How a reply tells retention."""
    if not lock.mode:
        return []
    return [(MODE.encode(), lock.mode.encode()), (UNTIL.encode(), write_date(lock.until).encode())]


def hold_headers(lock: Lock) -> Headers:
    """How a reply tells a legal hold, if one was ever put or taken off."""
    if not (lock.hold or lock.released):
        return []
    return [(HOLD.encode(), b"ON" if lock.hold else b"OFF")]


# --- documents ------------------------------------------------------------------------------


def _leaves(tree: Element, *names: str) -> dict[str, str]:
    """The text of an element's children, each of which is named at most once."""
    found: dict[str, str] = {}
    for child in tree.children:
        if child.name in _EVENT_HOLDS:
            raise S3Error("NotImplemented", NO_EVENT_HOLDS)
        if child.name not in names or child.name in found or child.children:
            raise MalformedXML(f"{child.name} is not known here")
        found[child.name] = child.text.strip()
    return found


def read_rule(body: bytes) -> Rule:
    """The default retention of an `ObjectLockConfiguration`. Raises `MalformedXML`,
    `InvalidArgument`."""
    tree = parse(body, "ObjectLockConfiguration")
    if [child.name for child in tree.children] not in (
        ["ObjectLockEnabled"],
        ["ObjectLockEnabled", "Rule"],
        ["Rule", "ObjectLockEnabled"],
    ):
        raise MalformedXML("a configuration has ObjectLockEnabled and at most one Rule")
    if tree.value("ObjectLockEnabled").strip() != "Enabled":
        raise MalformedXML("ObjectLockEnabled is Enabled")
    rule = tree.first("Rule")
    if rule is None:
        return Rule()
    if [child.name for child in rule.children] != ["DefaultRetention"]:
        raise MalformedXML("a Rule has one DefaultRetention")
    given = _leaves(rule.children[0], "Mode", "Days", "Years")
    if given.get("Mode") not in MODES or ("Days" in given) == ("Years" in given):
        raise MalformedXML("a DefaultRetention has a Mode and either Days or Years")
    days = _period(given["Days"], MAX_DAYS) if "Days" in given else 0
    years = _period(given["Years"], MAX_YEARS) if "Years" in given else 0
    return Rule(given["Mode"], days, years)


def _period(text: str, most: int) -> int:
    digits = text.removeprefix("-")
    if not (digits.isascii() and digits.isdigit() and len(text) < 12):
        raise MalformedXML("a period is a number")
    if int(text) <= 0:
        raise InvalidArgument("Default retention period must be a positive integer value.")
    if int(text) > most:
        raise InvalidArgument(f"Default retention period too large: {most} at most.")
    return int(text)


def write_rule(rule: Rule) -> bytes:
    parts = [element("ObjectLockEnabled", "Enabled")]
    if rule.mode:
        period = element("Years", rule.years) if rule.years else element("Days", rule.days)
        default = f"<DefaultRetention>{element('Mode', rule.mode)}{period}</DefaultRetention>"
        parts.append(f"<Rule>{default}</Rule>")
    return document("ObjectLockConfiguration", *parts)


def read_retention(body: bytes) -> Retention:
    """What a `Retention` asks for. Raises `MalformedXML`."""
    given = _leaves(parse(body, "Retention"), "Mode", "RetainUntilDate")
    if not given:
        return Retention("", 0)
    if given.get("Mode") not in MODES or "RetainUntilDate" not in given:
        raise MalformedXML("a Retention has a Mode and a RetainUntilDate")
    try:
        return Retention(given["Mode"], read_date(given["RetainUntilDate"]))
    except (ValueError, OverflowError):
        raise MalformedXML("the RetainUntilDate cannot be read") from None


def write_retention(lock: Lock) -> bytes:
    return document(
        "Retention",
        element("Mode", lock.mode),
        element("RetainUntilDate", write_date(lock.until)),
    )


def read_hold(body: bytes) -> bool:
    """Whether a `LegalHold` is on. Raises `MalformedXML`."""
    status = _leaves(parse(body, "LegalHold"), "Status").get("Status", "")
    if status not in _WORDS:
        raise MalformedXML("the Status of a LegalHold is ON or OFF")
    return _WORDS[status]


def write_hold(lock: Lock) -> bytes:
    return document("LegalHold", element("Status", "ON" if lock.hold else "OFF"))
