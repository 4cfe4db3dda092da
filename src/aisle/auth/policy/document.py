"""Policies as values: parsed from JSON once, refused with the reason if they are malformed.

A statement is compiled while it is parsed, and a policy remembers which of its statements an action
is in, so that deciding only looks at sets and beginnings of text. What a document says is never
repaired: unknown elements, repeated ones, actions that do not exist and resources of another bucket
are refused, since a rule that silently does nothing is worse than none.

Spec: "Policies and permissions in Amazon S3", "IAM JSON policy elements reference".
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final, NamedTuple

from aisle.auth.policy import actions, principals
from aisle.auth.policy.actions import Kind
from aisle.auth.policy.conditions import BadValue, Condition, compile_condition, parse_operator
from aisle.auth.policy.match import Tokens, compiled, reach, tokens
from aisle.auth.policy.principals import BadPrincipal, Named
from aisle.auth.policy.resources import Resources, without_variables
from aisle.core.errors import MalformedPolicy

MAX_SIZE: Final = 20 * 1024
S3_ARN: Final = "arn:aws:s3:::"
_VERSIONS: Final = ("2012-10-17", "2008-10-17")
_LONGEST_VALUE: Final = 2048
_DEEPEST: Final = 8
_REMEMBERED: Final = 256
_MOST_RELEVANT: Final = 128

_POLICY: Final = frozenset({"Version", "Id", "Statement"})
_STATEMENT: Final = frozenset({
    "Sid", "Effect", "Principal", "NotPrincipal", "Action", "NotAction", "Resource", "NotResource",
    "Condition",
})  # fmt: skip
_SYNTAX: Final = "Invalid policy syntax."
_NO_JSON: Final = "Policies must be valid JSON and the first byte must be '{'"
_UNTOLD = re.compile("[\0\ud800-\udfff]").search
_IDENTITY_ACTION = re.compile(r"\*|[a-z0-9-]+:[a-z0-9*?]+", re.ASCII).fullmatch
_IDENTITY_KEY = re.compile(r"[A-Za-z0-9-]+:[!-~ ]+", re.ASCII).fullmatch


@dataclass(frozen=True, slots=True, eq=False)
class Statement:
    """One statement, compiled.

    It is about `principals` by name, or about all but them with `not_principals`, or about
    `everyone`; `federated` tells that some of them are identities from elsewhere. `actions` are
    patterns in lower case, and are what it is not about with `not_actions`.
    """

    sid: str
    allow: bool
    everyone: bool
    federated: bool
    principals: frozenset[str]
    not_principals: bool
    actions: tuple[str, ...]
    not_actions: bool
    resources: Resources
    conditions: tuple[Condition, ...]

    def is_about(self, names: frozenset[str]) -> bool:
        """Whether it is about a principal of these names."""
        return self.everyone or self.principals.isdisjoint(names) is self.not_principals

    def has_action(self, name: str) -> bool:
        """Whether it is about an action, in lower case."""
        patterns = (tokens(pattern, variables=False) for pattern in self.actions)
        return any(compiled(pattern)(name) for pattern in patterns) is not self.not_actions


class Relevant(NamedTuple):
    """The statements of a policy that are about one action of one principal."""

    denials: tuple[Statement, ...]
    allowances: tuple[Statement, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Policy:
    """A policy document, compiled; `source` is its text as it was given, `named` are the accounts
    and users it names."""

    source: str
    statements: tuple[Statement, ...]
    named: tuple[Named, ...] = ()
    _relevant: dict[tuple[str, frozenset[str]], Relevant] = field(default_factory=dict, repr=False)

    def relevant(self, action: str, names: frozenset[str]) -> Relevant:
        """The statements about an action of whoever has these names."""
        found = self._relevant.get((action, names))
        if found is None:
            name = action.lower()
            about = [s for s in self.statements if s.is_about(names) and s.has_action(name)]
            found = Relevant(
                tuple(statement for statement in about if not statement.allow),
                tuple(statement for statement in about if statement.allow),
            )
            if len(self._relevant) >= _MOST_RELEVANT:
                self._relevant.clear()
            self._relevant[action, names] = found
        return found


@lru_cache(maxsize=_REMEMBERED)
def parse_bucket_policy(text: str, bucket: str) -> Policy:
    """A policy of a bucket: every statement has a Principal. Raises `MalformedPolicy`."""
    return _policy(text, _Dialect(S3_ARN + bucket))


@lru_cache(maxsize=_REMEMBERED)
def parse_identity_policy(text: str) -> Policy:
    """A policy of a user, role or session: no statement has a Principal. Raises
    `MalformedPolicy`."""
    return _policy(text, _Dialect(None))


# --- the document ---------------------------------------------------------------------------


class _Dialect(NamedTuple):
    """Where a policy is to be attached: to the bucket with this ARN, or to an identity."""

    bucket: str | None


def _policy(text: str, dialect: _Dialect) -> Policy:
    document = _load(text)
    for name in document:
        if name not in _POLICY:
            raise MalformedPolicy(_unknown(name))
    version = document.get("Version", _VERSIONS[1])
    if version not in _VERSIONS:
        raise MalformedPolicy("The policy must contain a valid version string")
    if not isinstance(document.get("Id", ""), str):
        raise MalformedPolicy(_SYNTAX)
    if "Statement" not in document:
        raise MalformedPolicy("Missing required field Statement")
    given = document["Statement"]
    if not isinstance(given, list):
        given = [given]
    if not given:
        raise MalformedPolicy("Could not parse the policy: Statement is empty!")
    variables = version == _VERSIONS[0]
    found = [_statement(each, dialect, variables) for each in given]
    sids = [statement.sid for statement, _ in found if statement.sid]
    if len(set(sids)) != len(sids):
        raise MalformedPolicy("Statement IDs (SID) in a single policy must be unique.")
    named = dict.fromkeys(name for _, names in found for name in names)
    return Policy(text, tuple(statement for statement, _ in found), tuple(named))


def _load(text: str) -> dict[str, Any]:
    if len(text) > MAX_SIZE or len(text.encode("utf-8", "surrogatepass")) > MAX_SIZE:
        raise MalformedPolicy(f"Policies must not be larger than {MAX_SIZE} bytes")
    try:
        document = json.loads(text, object_pairs_hook=_object, parse_constant=_constant)
    except (ValueError, RecursionError) as error:
        raise MalformedPolicy(_NO_JSON) from error
    if not isinstance(document, dict):
        raise MalformedPolicy(_NO_JSON)
    _check_text(document, 0)
    return document


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise MalformedPolicy("Duplicate elements are not allowed in a policy")
    return found


def _constant(name: str) -> object:
    raise ValueError(name)


def _check_text(value: object, depth: int) -> None:
    """Half a surrogate pair, or a NUL, is text that can neither be stored nor told."""
    if depth > _DEEPEST:
        raise MalformedPolicy(_SYNTAX)
    if isinstance(value, str):
        if _UNTOLD(value):
            raise MalformedPolicy(_SYNTAX)
    elif isinstance(value, dict):
        for name, inner in value.items():
            _check_text(name, depth)
            _check_text(inner, depth + 1)
    elif isinstance(value, list):
        for inner in value:
            _check_text(inner, depth + 1)


def _unknown(name: str) -> str:
    return f"Unknown field {name[:64]}" if name.isascii() and name.isprintable() else _SYNTAX


# --- a statement ----------------------------------------------------------------------------


def _statement(
    given: object, dialect: _Dialect, variables: bool
) -> tuple[Statement, tuple[Named, ...]]:
    if not isinstance(given, dict):
        raise MalformedPolicy(_SYNTAX)
    for name in given:
        if name not in _STATEMENT:
            raise MalformedPolicy(_unknown(name))
    sid = given.get("Sid", "")
    if not isinstance(sid, str):
        raise MalformedPolicy(_SYNTAX)
    effect = _required(given, "Effect")
    if effect not in ("Allow", "Deny"):
        raise MalformedPolicy("Invalid effect in policy: it must be Allow or Deny")
    allow = effect == "Allow"
    everyone, named, not_principals = _principal(given, dialect, allow)
    not_actions, patterns = _either(given, "Action")
    patterns = tuple(_action(pattern, dialect) for pattern in patterns)
    not_resources, texts = _either(given, "Resource")
    resources, kinds = _resources(texts, not_resources, dialect, variables)
    conditions = _conditions(given.get("Condition", {}), dialect, variables)
    if dialect.bucket is not None:
        if not (not_actions or not_resources):
            _check_fit(patterns, kinds)
        if not not_actions:
            _check_keys(patterns, conditions)
    statement = Statement(
        sid=sid,
        allow=allow,
        everyone=everyone,
        federated=any(name.kind == "federated" for name in named),
        principals=frozenset(name.text for name in named),
        not_principals=not_principals,
        actions=patterns,
        not_actions=not_actions,
        resources=resources,
        conditions=conditions,
    )
    return statement, named


def _required(given: dict[str, Any], name: str) -> Any:
    if name not in given:
        raise MalformedPolicy(f"Missing required field {name}")
    return given[name]


def _principal(
    given: dict[str, Any], dialect: _Dialect, allow: bool
) -> tuple[bool, tuple[Named, ...], bool]:
    """Whether everyone is meant, who is named, and whether all but those are meant."""
    negated = "NotPrincipal" in given
    if dialect.bucket is None:
        if negated or "Principal" in given:
            raise MalformedPolicy("Policy document should not specify a principal.")
        return True, (), False
    if negated and "Principal" in given:
        raise MalformedPolicy(_SYNTAX)
    if negated and allow:
        raise MalformedPolicy("Allow with NotPrincipal is not allowed.")
    element = given["NotPrincipal"] if negated else _required(given, "Principal")
    try:
        everyone, named = principals.parse(element)
    except BadPrincipal as error:
        raise MalformedPolicy("Invalid principal in policy") from error
    if negated and everyone:
        raise MalformedPolicy("Invalid principal in policy")
    return everyone, named, negated


def _either(given: dict[str, Any], name: str) -> tuple[bool, tuple[str, ...]]:
    """The element, or the one that is named `Not` it: whether it is that, and its values."""
    negated = f"Not{name}" in given
    if negated and name in given:
        raise MalformedPolicy(_SYNTAX)
    element = given[f"Not{name}"] if negated else _required(given, name)
    values = element if isinstance(element, list) else [element]
    if not values or not all(isinstance(value, str) for value in values):
        raise MalformedPolicy(f"Policy has invalid {name.lower()}")
    return negated, tuple(values)


def _action(pattern: str, dialect: _Dialect) -> str:
    name = pattern.lower()
    if dialect.bucket is None:
        valid = bool(_IDENTITY_ACTION(name))
    else:
        valid = name == "*" or (name.startswith(actions.PREFIX) and bool(actions.matching(name)))
    if not valid:
        raise MalformedPolicy("Policy has invalid action")
    return name


def _resources(
    texts: Sequence[str], negated: bool, dialect: _Dialect, variables: bool
) -> tuple[Resources, Kind]:
    """The patterns, and what of a bucket they mean together."""
    kinds = Kind(0)
    patterns: list[Tokens] = []
    for text in texts:
        if len(text) > _LONGEST_VALUE:
            raise MalformedPolicy("Policy has invalid resource")
        pattern = tokens(text, variables=variables)
        if dialect.bucket is None:
            valid = text == "*" or text.startswith(("arn:", "*:"))
        else:
            found = _kinds(pattern, dialect.bucket)
            valid = bool(found)
            kinds |= found
        if not valid:
            raise MalformedPolicy("Policy has invalid resource")
        patterns.append(pattern)
    return Resources(patterns, negated), kinds


def _kinds(pattern: Tokens, bucket: str) -> Kind:
    """What of a bucket a resource means: the bucket, objects in it, or neither."""
    loose = without_variables(pattern)
    kinds = Kind(0)
    if compiled(loose)(bucket):
        kinds |= Kind.BUCKET
    if reach(loose, bucket + "/").any:
        kinds |= Kind.OBJECT
    return kinds


def _check_fit(patterns: Iterable[str], kinds: Kind) -> None:
    for pattern in patterns:
        if not any(actions.KINDS[name] & kinds for name in actions.matching(pattern)):
            raise MalformedPolicy("Action does not apply to any resource(s) in statement")


def _check_keys(patterns: Iterable[str], conditions: Iterable[Condition]) -> None:
    keys = [condition.key for condition in conditions]
    for pattern in patterns if keys else ():
        names = actions.matching(pattern)
        for key in keys:
            if not any(actions.has_key(name, key) for name in names):
                raise MalformedPolicy(
                    "Conditions do not apply to combination of actions and resources in statement"
                )


# --- its conditions -------------------------------------------------------------------------


def _conditions(given: object, dialect: _Dialect, variables: bool) -> tuple[Condition, ...]:
    if not isinstance(given, dict):
        raise MalformedPolicy(_SYNTAX)
    found: list[Condition] = []
    for name, keys in given.items():
        operator = parse_operator(name)
        if operator is None:
            raise MalformedPolicy("Invalid Condition type")
        if not isinstance(keys, dict) or not keys:
            raise MalformedPolicy(_SYNTAX)
        for key, element in keys.items():
            if not _is_key(key, dialect):
                raise MalformedPolicy("Policy has an invalid condition key")
            values = [_value(value) for value in _listed(element)]
            try:
                found.append(compile_condition(operator, key.lower(), values, variables=variables))
            except BadValue as error:
                raise MalformedPolicy(f"Invalid value for condition type {name}") from error
    return tuple(found)


def _is_key(key: str, dialect: _Dialect) -> bool:
    if not _IDENTITY_KEY(key) or key.endswith("/"):
        return False
    return dialect.bucket is None or actions.is_key(key.lower())


def _listed(element: object) -> list[object]:
    found = element if isinstance(element, list) else [element]
    if not found:
        raise MalformedPolicy(_SYNTAX)
    return found


def _value(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float | str):
        text = str(value)
        if len(text) <= _LONGEST_VALUE:
            return text
    raise MalformedPolicy(_SYNTAX)
