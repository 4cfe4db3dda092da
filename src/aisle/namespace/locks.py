"""Locks of versions: retention until a time, and legal holds. Pure functions.

What is locked is not removed by anything: a permanent delete, a write that would take its place,
lifecycle rules, the end of its bucket. A compliance lock yields to nobody; a governance lock to who
may bypass it and says so; a legal hold to nothing until it is taken off. Times are compared with
the clock of the store: one that went backwards locks for longer, never shorter.

A bucket with the document `documents.LOCK` is enabled for locks for good; the document is a `Rule`,
by which what is written without a retention of its own gets one.

Spec: user guide, "Locking objects with Object Lock".
"""

from __future__ import annotations

from typing import Final

import msgspec

from aisle.core.errors import ObjectLocked
from aisle.namespace.records import Lock, Object
from aisle.namespace.records.base import Record
from aisle.namespace.records.encoding import reader

GOVERNANCE: Final = "GOVERNANCE"
COMPLIANCE: Final = "COMPLIANCE"
MODES: Final = frozenset({GOVERNANCE, COMPLIANCE})
DAY: Final = 86_400 * 10**9
MAX_DAYS: Final = 36_500
MAX_YEARS: Final = 100
_DAYS_OF_YEAR: Final = 365
# Retention ends at a whole millisecond: what clients are shown is all of it.
_STEP: Final = 1_000_000
_NONE: Final = Lock()


class Rule(Record, frozen=True, array_like=True):
    """The default retention of a bucket: a mode and a number of days or years; no mode, none."""

    mode: str = ""
    days: int = 0
    years: int = 0

    @property
    def period(self) -> int:
        """How long it is, in days."""
        return self.days + self.years * _DAYS_OF_YEAR


def encode_rule(rule: Rule) -> bytes:
    return msgspec.msgpack.encode(rule)


decode_rule: Final = reader(Rule, "a bucket's default retention")


def ending(until: int) -> int:
    """A moment (ns) as retention keeps it: never earlier."""
    return -(-until // _STEP) * _STEP


def check_removal(record: Object, now: int, *, bypass: bool = False) -> None:
    """Raise `ObjectLocked` if a version must not go at `now`; `bypass` lifts governance."""
    lock = record.lock
    if lock is None:
        return
    if lock.hold:
        raise ObjectLocked("it is under a legal hold")
    if lock.until > now and not (bypass and lock.mode == GOVERNANCE):
        raise ObjectLocked(f"it is under {lock.mode.lower()} retention")


def retained(
    lock: Lock | None, mode: str, until: int, now: int, *, bypass: bool = False
) -> Lock | None:
    """The lock once its retention is `mode` until `until`, or none where `mode` is empty.

    Longer in the same mode it may always become. All else is refused while it lasts: in compliance
    to everybody, in governance but for `bypass`. Raises `ObjectLocked`.
    """
    old = lock or _NONE
    weaker = mode != old.mode or until < old.until
    if weaker and old.until > now and not (bypass and old.mode == GOVERNANCE):
        raise ObjectLocked(f"it is under {old.mode.lower()} retention")
    new = msgspec.structs.replace(old, mode=mode, until=until if mode else 0)
    return None if new == _NONE else new


def held(lock: Lock | None, *, on: bool) -> Lock:
    """The lock with its legal hold put or taken off."""
    return msgspec.structs.replace(lock or _NONE, hold=on, released=not on)


def with_default(record: Object, rule: Rule) -> Object:
    """A new version with the retention that its bucket gives what has none of its own: from the
    moment on that the version was made."""
    lock = record.lock or _NONE
    if not rule.mode or lock.mode or record.marker:
        return record
    until = ending(record.mtime + rule.period * DAY)
    return msgspec.structs.replace(
        record, lock=msgspec.structs.replace(lock, mode=rule.mode, until=until)
    )
