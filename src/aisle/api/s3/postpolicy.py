"""The policy document of a form: what whoever signed it allows others to upload. Pure functions.

Fields are held against it after `${filename}` was replaced, by name without regard to case, by
value to the letter. Every field must be named by a condition, but for the policy itself, what
proves it, the file, and names that begin with `x-ignore-`. All conditions must hold.

Spec: "POST policy" (signature version 4), "HTML form construction (signature version 2)".
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from aisle.api.s3.errors import S3Error

# Fields that no condition has to name.
EXEMPT: Final = frozenset(
    {"x-amz-signature", "awsaccesskeyid", "signature", "file", "policy", "x-amz-security-token"}
)
_IGNORED: Final = "x-ignore-"
_EQ: Final = "eq"
_STARTS: Final = "starts-with"
_RANGE: Final = "content-length-range"
_MAX_SIZE: Final = (1 << 63) - 1
_SHOWN: Final = 256
# "Character escaping": two that S3 asks for and JSON does not have.
_ESCAPE: Final = re.compile(r"\\(.)", re.DOTALL)
_ESCAPED: Final = {r"\$": "$", r"\v": r"\u000b"}


@dataclass(frozen=True, slots=True)
class Condition:
    """`operator` is `eq` or `starts-with`; `field` is lower case, without the dollar sign."""

    operator: str
    field: str
    value: str

    def holds(self, found: str) -> bool:
        if self.operator == _EQ:
            return found == self.value
        if self.field == "content-type" and "," in found:
            return all(one.strip().startswith(self.value) for one in found.split(","))
        return found.startswith(self.value)

    def __str__(self) -> str:
        return json.dumps([self.operator, f"${self.field}", self.value])[:_SHOWN]


@dataclass(frozen=True, slots=True)
class Policy:
    """A policy; `expires` is in seconds since 1970, sizes are in bytes and included."""

    expires: float
    conditions: tuple[Condition, ...]
    least: int = 0
    most: int = _MAX_SIZE

    def check(self, fields: Mapping[str, str], now: float) -> None:
        """Raise `AccessDenied` unless it allows these fields; names are lower case, and `bucket` is
        the bucket that the form was sent to. The size is for whoever reads the file."""
        if now >= self.expires:
            raise _denied("Policy expired.")
        for condition in self.conditions:
            if not condition.holds(fields.get(condition.field, "")):
                raise _denied(f"Policy Condition failed: {condition}")
        named = {condition.field for condition in self.conditions} | EXEMPT | {"bucket"}
        for name in fields:
            if name not in named and not name.startswith(_IGNORED):
                raise _denied(f"Extra input fields: {name[:_SHOWN]}")


def _denied(why: str) -> S3Error:
    return S3Error("AccessDenied", f"Invalid according to Policy: {why}")


def _invalid(why: str) -> S3Error:
    return S3Error("InvalidPolicyDocument", f"Invalid Policy: {why}")


def parse(encoded: str) -> Policy:
    """The policy in a form's field. Raises `InvalidPolicyDocument`."""
    try:
        text = base64.b64decode("".join(encoded.split()), validate=True).decode("utf-8")
    except (binascii.Error, ValueError):
        raise _invalid("Invalid base64 encoding.") from None
    try:
        document = json.loads(_ESCAPE.sub(lambda found: _ESCAPED.get(found[0], found[0]), text))
    except (ValueError, RecursionError):
        raise _invalid("Invalid JSON.") from None
    if not isinstance(document, dict):
        raise _invalid("Invalid JSON.")
    unknown = document.keys() - {"expiration", "conditions"}
    if unknown:
        raise _invalid(f"Unexpected: '{min(unknown)[:_SHOWN]}'")
    if "expiration" not in document:
        raise _invalid("Policy missing expiration.")
    if "conditions" not in document:
        raise _invalid("Policy missing conditions.")
    listed = document["conditions"]
    if not isinstance(listed, list):
        raise _invalid("Invalid 'conditions' value: must be a List.")
    conditions: list[Condition] = []
    least, most = 0, _MAX_SIZE
    for one in listed:
        if isinstance(one, dict):
            conditions += _simple(one)
        elif isinstance(one, list):
            if one and str(one[0]).lower() == _RANGE:
                low, high = _range(one)
                least, most = max(least, low), min(most, high)
            else:
                conditions.append(_operation(one))
        else:
            raise _invalid("Invalid Condition: must be a List or an Object.")
    return Policy(_moment(document["expiration"]), tuple(conditions), least, most)


def _moment(text: Any) -> float:
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        return moment.timestamp()
    except (TypeError, ValueError, OverflowError):
        raise _invalid(f"Invalid 'expiration' value: '{str(text)[:_SHOWN]}'") from None


def _simple(one: dict[str, Any]) -> list[Condition]:
    if len(one) != 1:
        raise _invalid("Invalid Simple-Condition: Simple-Conditions must have exactly one property")
    ((name, value),) = one.items()
    return [Condition(_EQ, name.lower(), _text(value))]


def _text(value: Any) -> str:
    """A value to compare with; numbers count as they are written."""
    if isinstance(value, str):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    raise _invalid("Invalid Condition: value must be a string.")


def _operation(one: list[Any]) -> Condition:
    if len(one) != 3:
        raise _invalid("Invalid Condition: must be of three elements.")
    operator, field, value = one
    operator = str(operator).lower()
    if operator not in (_EQ, _STARTS):
        raise _invalid(f"Invalid Condition: unknown operation '{operator[:_SHOWN]}'.")
    if not (isinstance(field, str) and field.startswith("$") and len(field) > 1):
        raise _invalid(f"Invalid Condition: field must begin with '$': '{str(field)[:_SHOWN]}'")
    return Condition(operator, field[1:].lower(), _text(value))


def _range(one: list[Any]) -> tuple[int, int]:
    if len(one) != 3:
        raise _invalid("Invalid content-length-range: must be of three elements.")
    bounds = []
    for value in one[1:]:
        text = _text(value)
        if not (text.isascii() and text.isdigit() and len(text) < 19):
            raise _invalid("Invalid content-length-range: bounds must be whole numbers.")
        bounds.append(int(text))
    if bounds[0] > bounds[1]:
        raise _invalid("Invalid content-length-range: the upper bound is below the lower one.")
    return bounds[0], bounds[1]
