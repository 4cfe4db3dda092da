"""What S3 asks of the transitions of a lifecycle rule: which class may follow which, and how late.

They are checked as S3 does, so that rules that are taken here are taken there, and have no effect
else: objects stay in the class that they were written with. Pure functions.

Spec: user guide, "Transitioning objects using Amazon S3 Lifecycle", "Constraints and considerations
for transitions".
"""

from __future__ import annotations

from itertools import pairwise
from typing import Final, NamedTuple

from aisle.core.errors import InvalidArgument, InvalidRequest
from aisle.namespace.lifecycle.rules import Filter, Rule

# From each class only to later ones.
WATERFALL: Final = (
    "STANDARD_IA",
    "INTELLIGENT_TIERING",
    "ONEZONE_IA",
    "GLACIER_IR",
    "GLACIER",
    "DEEP_ARCHIVE",
)
INFREQUENT: Final = frozenset({"STANDARD_IA", "ONEZONE_IA"})
ARCHIVES: Final = frozenset({"GLACIER", "DEEP_ARCHIVE"})
# Days that an object is in its class before it may go to, or on from, one of `INFREQUENT`.
LEAST: Final = 30


class _Step(NamedTuple):
    storage_class: str
    days: int


class _Words(NamedTuple):
    """What days, the action and the expiration that ends all are called."""

    days: str
    action: str
    expiration: str


_CURRENT: Final = _Words("Days", "Transition", "Expiration")
_NONCURRENT: Final = _Words(
    "NoncurrentDays", "NoncurrentVersionTransition", "NoncurrentVersionExpiration"
)


def check_order(rule: Rule) -> None:
    """Raise `InvalidArgument` or `InvalidRequest` for transitions of current versions that S3 does
    not take."""
    when = [(each.days, each.date) for each in rule.transitions]
    end = rule.expiration
    if end is not None and (end.days is not None or end.date is not None):
        when.append((end.days, end.date))
    dated = {date is not None for _, date in when}
    where = shown(rule.filter)
    if len(dated) > 1:
        raise InvalidRequest(
            "Found mixed 'Date' and 'Days' based Expiration and Transition actions in lifecycle"
            f" rule for {where}"
        )
    classes = [each.storage_class for each in rule.transitions]
    _check_classes(classes, _CURRENT, where)
    if dated == {True}:
        for each in rule.transitions:
            if end is not None and end.date is not None and end.date <= (each.date or 0):
                raise InvalidArgument(
                    f"'Date' in the Expiration action for {where} must be later than 'Date' in the"
                    " Transition action",
                    name="Date",
                )
        return
    steps = [_Step(each.storage_class, each.days or 0) for each in rule.transitions]
    _check_days(steps, end.days if end is not None else None, _CURRENT, where)


def check_noncurrent_order(rule: Rule) -> None:
    """The same for former versions."""
    where = shown(rule.filter)
    steps = [_Step(each.storage_class, each.days) for each in rule.noncurrent_transitions]
    _check_classes([step.storage_class for step in steps], _NONCURRENT, where)
    end = rule.noncurrent
    _check_days(steps, end.days if end is not None else None, _NONCURRENT, where)


def _check_classes(classes: list[str], words: _Words, where: str) -> None:
    if len(set(classes)) < len(classes):
        raise InvalidRequest(
            f"'StorageClass' must be different for '{words.action}' actions in same 'Rule' with"
            f" {where}"
        )


def _check_days(steps: list[_Step], end: int | None, words: _Words, where: str) -> None:
    for step in steps:
        if step.storage_class in INFREQUENT and step.days < LEAST:
            raise InvalidArgument(
                f"'{words.days}' in {words.action} action must be greater than or equal to {LEAST}"
                f" for storageClass '{step.storage_class}'",
                name=words.days,
                value=str(step.days),
            )
        if end is not None and end <= step.days:
            raise InvalidArgument(
                f"'{words.days}' in the {words.expiration} action for {where} must be greater than"
                f" '{words.days}' in the {words.action} action",
                name=words.days,
                value=str(end),
            )
    for first, then in pairwise(
        sorted(steps, key=lambda step: WATERFALL.index(step.storage_class))
    ):
        archived = first.storage_class in INFREQUENT and then.storage_class in ARCHIVES
        least = first.days + LEAST if archived else first.days + 1
        if then.days < least:
            more = f"{LEAST} days more than" if archived else "greater than"
            raise InvalidArgument(
                f"'{words.days}' in the {words.action} action for StorageClass"
                f" '{then.storage_class}' for {where} must be {more} '{words.days}' in the"
                f" {words.action} action for StorageClass '{first.storage_class}'",
                name=words.days,
                value=str(then.days),
            )


def shown(told: Filter) -> str:
    """A filter as S3's messages show it."""
    if told.legacy:
        return f"prefix '{told.prefix}'"
    parts = [f"prefix={told.prefix}"] if told.prefix is not None else []
    parts += [f"tag(key={name}, value={value})" for name, value in told.tags.items()]
    if told.larger is not None:
        parts.append(f"objectsizegreaterthan={told.larger}")
    if told.smaller is not None:
        parts.append(f"objectsizelessthan={told.smaller}")
    return f"filter '({' and '.join(parts)})'"
