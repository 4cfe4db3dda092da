"""The Condition element: every operator, compiled once and then asked with a request's values.

A condition is about one condition key. It holds if any of the policy's values fits any of the
request's, a negated one if none does; `ForAllValues:` and `ForAnyValue:` ask about each value of
the request instead. Without the key in the request a condition does not hold unless it is negated,
or ends in `IfExists`, or says `ForAllValues:`.

What cannot be known (a variable without a value in a negated condition, an object's tags where many
objects are meant) is settled against the caller: an Allow does not hold, a Deny does.

Spec: "IAM JSON policy elements: Condition operators", IAM user guide.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from functools import lru_cache
from typing import Any, Final, NamedTuple

from aisle.auth.policy import values
from aisle.auth.policy.actions import OF_AN_OBJECT
from aisle.auth.policy.match import (
    Test,
    Tokens,
    any_of,
    bind,
    compiled,
    has_variables,
    literal,
    tokens,
)

# The values of a condition key, which is in lower case, or `None`.
Given = tuple[str, ...] | None
# A value of a policy as text with variables in it: one pattern, or one for each part of an ARN.
Parts = tuple[Tokens, ...]


class Unknown(Exception):
    """The value of a condition key, which there may be, cannot be told."""


class Known(dict[str, Given]):
    """The condition keys of a request, each asked for when it is first needed. With `many` the
    request is about many objects at once, and what differs between them is `Unknown`."""

    __slots__ = ("_ask", "_many")

    def __init__(self, ask: Callable[[str], Given], *, many: bool = False) -> None:
        self._ask = ask
        self._many = many

    def __missing__(self, key: str) -> Given:
        if self._many and key.startswith(OF_AN_OBJECT):
            raise Unknown(key)
        given = self[key] = self._ask(key)
        return given

    def single(self, key: str) -> str | None:
        """The value of a variable: that of a condition key that has exactly one."""
        given = self[key]
        return given[0] if given is not None and len(given) == 1 else None


class BadValue(Exception):
    """A policy's value is not of the type that its operator is about."""


class Each(Enum):
    ALL = auto()
    ANY = auto()


class _Text(NamedTuple):
    """An operator over text, whose values may have variables."""

    split: Callable[[str, bool], Parts]
    test: Callable[[Sequence[Parts]], Test]


class _Typed(NamedTuple):
    """An operator over values of a type: how the policy's and the request's are read, and whether
    the request's fits one of the policy's."""

    theirs: Callable[[str], Any]
    ours: Callable[[str], Any]
    fits: Callable[[Any, Any], bool]


# --- operators over text --------------------------------------------------------------------

# A colon that is not within a variable.
_COLON = re.compile(r":(?![^${}]*\})")


def _plain(text: str, variables: bool) -> Parts:
    return (literal(text, variables=variables),)


def _pattern(text: str, variables: bool) -> Parts:
    return (tokens(text, variables=variables),)


def _arn(text: str, variables: bool) -> Parts:
    return tuple(tokens(part, variables=variables) for part in _COLON.split(text, maxsplit=5))


def _text(parts: Parts) -> str:
    return "".join(token for token in parts[0] if isinstance(token, str))


def _equals(given: Sequence[Parts]) -> Test:
    return frozenset(map(_text, given)).__contains__


def _equals_ignoring_case(given: Sequence[Parts]) -> Test:
    known = frozenset(_text(parts).lower() for parts in given)
    return lambda text: text.lower() in known


def _like(given: Sequence[Parts]) -> Test:
    return any_of(parts[0] for parts in given)


def _arn_like(given: Sequence[Parts]) -> Test:
    """Each of an ARN's six parts is a pattern of its own: no star goes beyond a colon, except in
    the last. What is not an ARN is one pattern as a whole."""
    known = [tuple(compiled(part) for part in parts) for parts in given]

    def test(text: str) -> bool:
        parts = text.split(":", 5)
        for each in known:
            if len(each) == 1:
                if each[0](text):
                    return True
            elif len(each) == len(parts) and all(map(_call, each, parts)):
                return True
        return False

    return test


def _call(test: Test, text: str) -> object:
    return test(text)


def _within(given: tuple[int, int], network: values.Network) -> bool:
    return given[0] == network.version and given[1] & network.mask == network.address


_ORDER: Final = {
    "Equals": operator.eq,
    "LessThan": operator.lt,
    "LessThanEquals": operator.le,
    "GreaterThan": operator.gt,
    "GreaterThanEquals": operator.ge,
}
NULL: Final = "Null"
_ABSENT: Final = ("true",)
_PRESENT: Final = ("false",)
# How many answers a condition keeps.
_REMEMBERED: Final = 8

# Positive operators; negated ones are the same with another name.
_OPERATORS: Final[dict[str, _Text | _Typed]] = {
    "StringEquals": _Text(_plain, _equals),
    "StringEqualsIgnoreCase": _Text(_plain, _equals_ignoring_case),
    "StringLike": _Text(_pattern, _like),
    "ArnEquals": _Text(_arn, _arn_like),
    "ArnLike": _Text(_arn, _arn_like),
    **{f"Numeric{n}": _Typed(values.number, values.number, f) for n, f in _ORDER.items()},
    **{f"Date{n}": _Typed(values.date, values.date, f) for n, f in _ORDER.items()},
    "Bool": _Typed(values.boolean, values.boolean, operator.eq),
    "BinaryEquals": _Typed(values.binary, values.binary, operator.eq),
    "IpAddress": _Typed(values.address, values.network, _within),
    NULL: _Typed(values.boolean, values.boolean, operator.eq),
}
_NEGATED: Final = {
    "StringNotEquals": "StringEquals",
    "StringNotEqualsIgnoreCase": "StringEqualsIgnoreCase",
    "StringNotLike": "StringLike",
    "ArnNotEquals": "ArnEquals",
    "ArnNotLike": "ArnLike",
    "NumericNotEquals": "NumericEquals",
    "DateNotEquals": "DateEquals",
    "NotIpAddress": "IpAddress",
}
NAMES: Final = (*_OPERATORS, *_NEGATED)
_EACH: Final = {"ForAllValues:": Each.ALL, "ForAnyValue:": Each.ANY}
_IF_EXISTS: Final = "IfExists"


class Operator(NamedTuple):
    """An operator as a policy names it, taken apart; `name` is the positive one."""

    name: str
    negative: bool
    each: Each | None
    if_exists: bool


def parse_operator(text: str) -> Operator | None:
    """`None` if there is no such operator."""
    prefix, colon, rest = text.partition(":")
    each = _EACH.get(prefix + colon) if colon else None
    if colon and each is None:
        return None
    name = rest if colon else prefix
    if_exists = name.endswith(_IF_EXISTS)
    name = name.removesuffix(_IF_EXISTS)
    negative = name in _NEGATED
    name = _NEGATED.get(name, name)
    if name not in _OPERATORS or (name == NULL and (if_exists or each)):
        return None
    return Operator(name, negative, each, if_exists)


@dataclass(frozen=True, slots=True, eq=False)
class Condition:
    """One operator on one key; `values` are the policy's, as they are written.

    `test` tells whether a value of the request fits one of the policy's; it is `None` if they have
    variables, and is then made from `templates` when asked. `without` is the answer for a request
    that does not have the key, `plainly` that for the values of one that has, where nothing else
    matters. The last few answers are kept: addresses and programs that ask are few, and ask again.
    """

    operator: Operator
    key: str
    values: tuple[str, ...]
    test: Test | None
    templates: tuple[Parts, ...]
    without: bool
    plainly: Callable[[tuple[str, ...]], bool] | None
    negative: bool

    def holds(self, known: Known, allow: bool) -> bool:
        """Whether it does; `allow` is the statement's effect, which settles what is unknown."""
        try:
            given = known[self.key]
            if given is None:
                return self.without
            if self.plainly is None:
                return self._holds(given, known)
        except Unknown:
            return not allow
        return self.plainly(given)

    def _holds(self, given: tuple[str, ...], known: Known) -> bool:
        if self.operator.name == NULL:
            given = _PRESENT if given else _ABSENT
        test = self.test or self._bound(known)
        hits = (bool(test(value)) for value in given)
        match self.operator.each:
            case None:
                return any(hits) != self.negative
            case Each.ALL:
                return all(hit != self.negative for hit in hits)
            case Each.ANY:
                return any(hit != self.negative for hit in hits)

    def _bound(self, known: Known) -> Test:
        found: list[Parts] = []
        for template in self.templates:
            parts = [bind(part, known.single) for part in template]
            if None not in parts:
                found.append(tuple(part for part in parts if part is not None))
            elif self.negative:
                raise Unknown
        how = _OPERATORS[self.operator.name]
        assert isinstance(how, _Text)
        return how.test(found)


def compile_condition(
    name: Operator, key: str, given: Sequence[str], *, variables: bool
) -> Condition:
    """A condition on `key`, which is in lower case. Raises `BadValue`."""
    how = _OPERATORS[name.name]
    templates: tuple[Parts, ...] = ()
    test: Test | None = None
    if isinstance(how, _Typed):
        test = _typed(how, given)
    else:
        templates = tuple(how.split(text, variables) for text in given)
        if not any(has_variables(part) for parts in templates for part in parts):
            test = how.test(templates)
    plainly = None
    if test is not None and name.each is None and name.name != NULL:
        plainly = _remembering(test, name.negative)
    without = _without(name, test)
    return Condition(name, key, tuple(given), test, templates, without, plainly, name.negative)


def _without(name: Operator, test: Test | None) -> bool:
    """Whether a condition holds for a request that does not have the key."""
    if name.name == NULL:
        return test is not None and any(map(test, _ABSENT))
    if name.each is not None:
        return name.each is Each.ALL or name.if_exists
    return name.negative or name.if_exists


def _remembering(test: Test, negative: bool) -> Callable[[tuple[str, ...]], bool]:
    @lru_cache(maxsize=_REMEMBERED)
    def plainly(given: tuple[str, ...]) -> bool:
        for value in given:
            if test(value):
                return not negative
        return negative

    return plainly


def _typed(how: _Typed, given: Sequence[str]) -> Test:
    known = [how.ours(text) for text in given]
    if None in known:
        raise BadValue
    theirs, fits = how.theirs, how.fits

    def test(text: str) -> bool:
        found = theirs(text)
        if found is None:
            return False
        for value in known:  # noqa: SIM110 - a generator would cost more than the comparison
            if fits(found, value):
                return True
        return False

    return test
