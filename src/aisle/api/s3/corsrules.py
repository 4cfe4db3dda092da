"""The CORS configuration of a bucket as a value: read from XML, kept, shown, and held against the
origin, method and headers that a browser asks for. Pure functions.

A wildcard stands for any text, once in an origin or a header; origins are compared as they are,
headers without regard to case. The first rule that allows everything that is asked for counts.

Spec: "CORSRule" (API reference), "Elements of a CORS configuration" (user guide); Fetch Standard,
3.3 "CORS protocol".
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

from aisle.api.base import Headers
from aisle.api.s3.errors import S3Error
from aisle.api.s3.xml import MalformedXML, document, element, parse
from aisle.core.errors import InvalidRequest
from aisle.core.xmltree import Element
from aisle.namespace.records.encoding import reader

METHODS: Final = ("GET", "PUT", "HEAD", "POST", "DELETE")
MAX_RULES: Final = 100
_MAX_ID: Final = 255
_MAX_AGE: Final = (1 << 31) - 1
# Every reply of a bucket with rules may be another one to another origin.
VARY: Final = (
    b"vary",
    b"Origin, Access-Control-Request-Headers, Access-Control-Request-Method",
)


class Rule(msgspec.Struct, frozen=True, array_like=True):
    """A rule; `max_age` is in seconds, `None` where the browser may decide."""

    id: str
    methods: tuple[str, ...]
    origins: tuple[str, ...]
    headers: tuple[str, ...] = ()
    exposed: tuple[str, ...] = ()
    max_age: int | None = None

    def origin(self, asked: str) -> str:
        """The pattern that allows an origin, `""` if none does; `*` where that is one of them."""
        if "*" in self.origins:
            return "*"
        return next((one for one in self.origins if matches(one, asked)), "")

    def takes(self, headers: Sequence[str]) -> bool:
        """Whether every header that a preflight names may be sent."""
        allowed = [one.lower() for one in self.headers]
        return all(any(matches(one, name) for one in allowed) for name in headers)


def matches(pattern: str, text: str) -> bool:
    """Whether `text` is what a pattern with at most one wildcard says."""
    before, star, after = pattern.partition("*")
    if not star:
        return pattern == text
    long_enough = len(text) >= len(before) + len(after)
    return long_enough and text.startswith(before) and text.endswith(after)


# --- matching -------------------------------------------------------------------------------


def find(
    rules: Iterable[Rule], origin: str, method: str, headers: Sequence[str] = ()
) -> Rule | None:
    """The first rule that allows all of it."""
    for rule in rules:
        if method in rule.methods and rule.origin(origin) and rule.takes(headers):
            return rule
    return None


def asked_headers(text: str) -> tuple[str, ...]:
    """The names in Access-Control-Request-Headers, in lower case."""
    names = (name.strip(" \t").lower() for name in text.split(","))
    return tuple(name for name in names if name)


def replied(rule: Rule, origin: str, headers: Sequence[str] = ()) -> Headers:
    """What a browser is told of a rule that allows `origin` and, in a preflight, `headers`.

    That credentials may be sent along is said only to an origin that the rule names in full: one
    that a wildcard lets in could be anybody's.
    """
    pattern = rule.origin(origin)
    told: Headers = [
        (b"access-control-allow-origin", b"*" if pattern == "*" else origin.encode("latin-1")),
        (b"access-control-allow-methods", ", ".join(rule.methods).encode()),
    ]
    if headers:
        told.append((b"access-control-allow-headers", ", ".join(headers).encode("latin-1")))
    if rule.exposed:
        told.append((b"access-control-expose-headers", ", ".join(rule.exposed).encode("latin-1")))
    if rule.max_age is not None:
        told.append((b"access-control-max-age", b"%d" % rule.max_age))
    if "*" not in pattern:
        told.append((b"access-control-allow-credentials", b"true"))
    return told


# --- the document ---------------------------------------------------------------------------


def encode(rules: Sequence[Rule]) -> bytes:
    return msgspec.msgpack.encode(rules)


decode: Final = reader(tuple[Rule, ...], "a bucket's CORS rules")


def read(body: bytes) -> tuple[Rule, ...]:
    """The rules of a CORSConfiguration. Raises `MalformedXML` and `InvalidRequest`."""
    tree = parse(body, "CORSConfiguration")
    if not tree.children or any(child.name != "CORSRule" for child in tree.children):
        raise MalformedXML("a CORSConfiguration has rules, and nothing else")
    if len(tree.children) > MAX_RULES:
        raise InvalidRequest(
            f"The number of CORS rules should not exceed allowed limit of {MAX_RULES} rules."
        )
    return tuple(_rule(child) for child in tree.children)


_LISTS: Final = ("AllowedMethod", "AllowedOrigin", "AllowedHeader", "ExposeHeader")
_SINGLE: Final = ("ID", "MaxAgeSeconds")


def _rule(tree: Element) -> Rule:
    found: dict[str, list[str]] = {}
    for child in tree.children:
        if child.name not in _LISTS and child.name not in _SINGLE:
            raise MalformedXML(f"{child.name} is not known here")
        found.setdefault(child.name, []).append(child.text.strip())
    if any(len(found.get(name, ())) > 1 for name in _SINGLE):
        raise MalformedXML("ID and MaxAgeSeconds are there at most once")
    methods, origins, headers, exposed = (tuple(found.get(name, ())) for name in _LISTS)
    if not methods or not origins:
        raise MalformedXML("a CORSRule has at least one AllowedMethod and one AllowedOrigin")
    for method in methods:
        if method not in METHODS:
            raise InvalidRequest(
                f"Found unsupported HTTP method in CORS config. Unsupported method is {method[:64]}"
            )
    for name, values in (("AllowedOrigin", origins), ("AllowedHeader", headers)):
        for value in values:
            _check_text(name, value)
            if value.count("*") > 1:
                raise InvalidRequest(f'{name} "{value}" can not have more than one wildcard.')
    for value in exposed:
        _check_text("ExposeHeader", value)
        if "*" in value:
            raise InvalidRequest(
                f'ExposeHeader "{value}" contains wildcard. We currently do not support wildcard'
                " for ExposeHeader."
            )
    (rule_id,) = found.get("ID", [""])
    if len(rule_id) > _MAX_ID:
        raise InvalidRequest(f"The ID of a CORS rule has at most {_MAX_ID} characters.")
    (age,) = found.get("MaxAgeSeconds", [""])
    return Rule(rule_id, methods, origins, headers, exposed, _max_age(age))


def _check_text(name: str, value: str) -> None:
    """What is repeated in headers is printable ASCII: an origin as browsers write it is."""
    if not value or not (value.isascii() and value.isprintable()) or " " in value or "," in value:
        raise InvalidRequest(f"{name} is not a value that a browser could send.")


def _max_age(text: str) -> int | None:
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 11 and int(text) <= _MAX_AGE):
        raise MalformedXML("MaxAgeSeconds is not a number of seconds")
    return int(text)


def shown(rules: Iterable[Rule]) -> bytes:
    """The configuration as GetBucketCors gives it back."""
    return document("CORSConfiguration", *(_shown(rule) for rule in rules))


def _shown(rule: Rule) -> str:
    parts = [element("ID", rule.id)] if rule.id else []
    for name, values in zip(
        _LISTS, (rule.methods, rule.origins, rule.headers, rule.exposed), strict=True
    ):
        parts += [element(name, value) for value in values]
    if rule.max_age is not None:
        parts.append(element("MaxAgeSeconds", rule.max_age))
    return f"<CORSRule>{''.join(parts)}</CORSRule>"


# --- refusals -------------------------------------------------------------------------------


def not_enabled() -> S3Error:
    return S3Error("AccessForbidden", "CORSResponse: CORS is not enabled for this bucket.")


def not_allowed(method: str, kind: str) -> S3Error:
    return S3Error(
        "AccessForbidden",
        "CORSResponse: This CORS request is not allowed. This is usually because the evaluation of"
        " Origin, request method / Access-Control-Request-Method or"
        " Access-Control-Request-Headers are not whitelisted by the resource's CORS spec.",
        Method=method,
        ResourceType=kind,
    )
