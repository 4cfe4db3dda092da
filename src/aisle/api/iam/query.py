"""The query protocol's requests: a form, checked against its operation, as values.

Every parameter has one rule, whichever operation it belongs to: the patterns and lengths of IAM's
and STS's models. A list is `Name.member.N`, its items text or fields of a structure. What breaks
a rule is told by the name of its parameter and never by its value, which may be a secret.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from aisle.api.iam.errors import IamError
from aisle.api.iam.operations import Operation
from aisle.core.http import parse_query

MAX_PARAMETERS: Final = 300
MAX_LIST: Final = 50
# What the protocol itself has in every form.
PROTOCOL: Final = frozenset({"Action", "Version"})

_ITEM: Final = re.compile(r"([A-Za-z]+)\.member\.([1-9][0-9]?)(?:\.([A-Za-z]+))?")
_NAME: Final = r"[A-Za-z0-9_+=,.@-]+"
_LATIN: Final = r"[\t\n\r\x20-\xff]+"
_PATH: Final = r"/(?:[\x21-\x7e]+/)?"


class Rule(NamedTuple):
    """How long a value may be, and what it may have in it."""

    shortest: int
    longest: int
    pattern: str


RULES: Final[Mapping[str, Rule]] = {
    "AccessKeyId": Rule(1, 128, r"[\x21-\x7e]+"),
    "AssignmentStatus": Rule(3, 10, "Assigned|Unassigned|Any"),
    "DurationSeconds": Rule(1, 6, "[0-9]+"),
    "Marker": Rule(1, 320, r"[\x20-\xff]+"),
    "MaxItems": Rule(1, 4, "[0-9]+"),
    "NewPassword": Rule(1, 128, _LATIN),
    "NewPath": Rule(1, 512, _PATH),
    "NewUserName": Rule(1, 64, _NAME),
    "OldPassword": Rule(1, 128, _LATIN),
    "Password": Rule(1, 128, _LATIN),
    "PasswordResetRequired": Rule(4, 5, "true|false"),
    "Path": Rule(1, 512, _PATH),
    "PathPrefix": Rule(1, 512, r"/[\x21-\x7e]*"),
    "Policy": Rule(1, 16384, _LATIN),
    "PolicyDocument": Rule(1, 16384, _LATIN),
    "PolicyName": Rule(1, 128, _NAME),
    "RoleArn": Rule(20, 2048, r"[\x20-\x7e]+"),
    "RoleSessionName": Rule(2, 64, _NAME),
    "ServiceName": Rule(1, 128, _NAME),
    "Status": Rule(6, 8, "Active|Inactive"),
    "UserName": Rule(1, 128, _NAME),
    "WebIdentityToken": Rule(4, 20000, r"[\x21-\x7e]+"),
}
_TAG: Final = r"[\w .:/=+@-]"
# The fields of a list's items; "" where an item is plain text.
LISTS: Final[Mapping[str, Mapping[str, Rule]]] = {
    "Tags": {"Key": Rule(1, 128, _TAG + "+"), "Value": Rule(0, 256, _TAG + "*")},
    "TagKeys": {"": Rule(1, 128, _TAG + "+")},
}
_MATCHERS: Final = {
    rule.pattern: re.compile(rule.pattern).fullmatch
    for rule in [*RULES.values(), *(rule for fields in LISTS.values() for rule in fields.values())]
}


@dataclass(frozen=True, slots=True)
class Form:
    """The parameters of one request, each as its rule has it."""

    values: Mapping[str, str]
    lists: Mapping[str, Sequence[Mapping[str, str]]]

    def __getitem__(self, name: str) -> str:
        """A parameter that the operation needs."""
        return self.values[name]

    def get(self, name: str, default: str = "") -> str:
        return self.values.get(name, default)

    def number(self, name: str, default: int, *, lowest: int, highest: int) -> int:
        """A parameter that is a number within bounds. Raises `IamError`."""
        text = self.values.get(name)
        if text is None:
            return default
        if not lowest <= int(text) <= highest:
            raise IamError("ValidationError", f"{name} must be {lowest} to {highest}.")
        return int(text)

    def items(self, name: str) -> Sequence[Mapping[str, str]]:
        """The items of a list, each by field."""
        return self.lists.get(name, ())


def read(body: bytes) -> dict[str, str]:
    """The pairs of a form. Raises `IamError` for one that says a thing twice."""
    if body.count(b"&") > MAX_PARAMETERS:
        raise IamError("MalformedQueryString", "The request has too many parameters.")
    pairs = parse_query(body)
    found = dict(pairs)
    if len(found) != len(pairs):
        raise IamError("MalformedQueryString", "The request has a parameter more than once.")
    return found


def check(parameters: Mapping[str, str], operation: Operation) -> Form:
    """The form of `operation`. Raises `IamError` for what it does not take, what is missing, and
    what breaks its rule."""
    values: dict[str, str] = {}
    lists: dict[str, dict[int, dict[str, str]]] = {}
    for name, value in parameters.items():
        if name in PROTOCOL:
            continue
        plain = name.partition(".")[0]
        if plain not in operation.takes:
            raise IamError("ValidationError", _unknown(plain, operation))
        if plain not in LISTS:
            _hold(name, value, RULES.get(name))
            values[name] = value
        elif name != plain or value:  # an empty list is written `Tags=`
            number, field = _place(name, plain)
            _hold(plain, value, LISTS[plain].get(field))
            lists.setdefault(plain, {}).setdefault(number, {})[field] = value
    ordered = {name: [rows[n] for n in sorted(rows)] for name, rows in lists.items()}
    for name, items in ordered.items():
        if len(items) > MAX_LIST or any(item.keys() != LISTS[name].keys() for item in items):
            raise IamError("ValidationError", f"{name} is not a list of what it should have.")
    for name in operation.needs - values.keys() - ordered.keys():
        raise IamError("ValidationError", f"{name} must not be missing.")
    return Form(values, ordered)


def _unknown(name: str, operation: Operation) -> str:
    if name.isascii() and name.isalnum() and len(name) <= 64:
        return f"The parameter {name} is not supported by {operation.name} here."
    return f"The request has a parameter that {operation.name} does not have."


def _place(name: str, plain: str) -> tuple[int, str]:
    found = _ITEM.fullmatch(name)
    if found is None:
        raise IamError("ValidationError", f"{plain} is not a list of what it should have.")
    return int(found[2]), found[3] or ""


def _hold(name: str, value: str, rule: Rule | None) -> None:
    if rule is None:
        raise IamError("ValidationError", f"{name.partition('.')[0]} has no such field.")
    if not rule.shortest <= len(value) <= rule.longest:
        raise IamError(
            "ValidationError", f"{name} must have {rule.shortest} to {rule.longest} characters."
        )
    if _MATCHERS[rule.pattern](value) is None:
        raise IamError("ValidationError", f"{name} has characters or a form it cannot have.")
