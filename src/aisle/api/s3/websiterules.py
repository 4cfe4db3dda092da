"""The website configuration of a bucket as a value: read from XML, kept, shown, and asked where a
request is to go. Pure functions.

A rule without an error code is looked at before the object, one with a code after the error; the
first that fits counts. What a redirect says of host, protocol and key replaces that of the request.

Spec: PutBucketWebsite (API reference); "Configuring a webpage redirect" (user guide).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final, NamedTuple
from urllib.parse import quote

import msgspec

from aisle.api.s3.errors import S3Error
from aisle.api.s3.xml import MalformedXML, document, element, parse
from aisle.core.errors import InvalidArgument, InvalidRequest
from aisle.core.xmltree import Element
from aisle.namespace.records.encoding import reader

MAX_RULES: Final = 50
MAX_LOCATION: Final = 2048
MOVED: Final = 301
_HOST: Final = re.compile(r"[A-Za-z0-9._-]{1,255}(:[0-9]{1,5})?").fullmatch
_PROTOCOLS: Final = frozenset({"", "http", "https"})


class Redirect(msgspec.Struct, frozen=True, array_like=True):
    """Where a rule leads; `""` and `None` are what it leaves as it is. `code` is an HTTP status."""

    host: str = ""
    protocol: str = ""
    code: int = 0
    prefix: str | None = None
    key: str | None = None


class Rule(msgspec.Struct, frozen=True, array_like=True):
    """A routing rule: for keys that begin with `prefix`, and with `error` for that status alone."""

    redirect: Redirect
    prefix: str = ""
    error: int = 0


class Website(msgspec.Struct, frozen=True, array_like=True):
    """A configuration: with `everything` all requests lead elsewhere, else there is an `index`."""

    index: str = ""
    error: str = ""
    everything: Redirect | None = None
    rules: tuple[Rule, ...] = ()


# --- where to -------------------------------------------------------------------------------


class Target(NamedTuple):
    """What a redirect starts from: the request's scheme, Host, key and raw query."""

    scheme: str
    host: str
    key: str
    query: str = ""


def route(rules: Iterable[Rule], key: str, error: int = 0) -> Rule | None:
    """The first rule for a key, before anything is known of it, or after an `error`."""
    for rule in rules:
        if rule.error == error and key.startswith(rule.prefix):
            return rule
    return None


def location(rule: Rule, target: Target) -> tuple[int, str]:
    """Status and Location of a redirect by a rule."""
    redirect = rule.redirect
    if redirect.key is not None:
        path = _written(redirect.key)
    elif redirect.prefix is not None:
        path = _written(redirect.prefix) + _quoted(target.key[len(rule.prefix) :])
    else:
        path = _quoted(target.key)
    return redirect.code or MOVED, _url(redirect, target, path)


def location_of_all(redirect: Redirect, target: Target) -> tuple[int, str]:
    """Status and Location where everything leads elsewhere, with its key and query."""
    path = _quoted(target.key) + (f"?{_written(target.query)}" if target.query else "")
    return MOVED, _url(redirect, target, path)


def below(key: str) -> str:
    """The Location of what is asked for without its last slash. A key that begins with one must
    not become the name of a host."""
    path = _quoted(key)
    return f"/%2F{path[1:]}/" if path.startswith("/") else f"/{path}/"


def _url(redirect: Redirect, target: Target, path: str) -> str:
    host = redirect.host or target.host
    return f"{redirect.protocol or target.scheme}://{host}/{path}"


def _quoted(key: str) -> str:
    """A key in a URL."""
    return quote(key, safe="/-_.~!$&'()*+,;=:@", errors="surrogateescape")


def _written(text: str) -> str:
    """A part of a URL as the owner of a bucket has written it, perhaps with a query or a fragment:
    only what no header may have is changed."""
    return quote(text, safe="/-_.~!$&'()*+,;=:@?#%[]", errors="surrogateescape")


def check_location(text: str) -> str:
    """The value of x-amz-website-redirect-location. Raises `InvalidRedirectLocation`."""
    if not text.startswith(("/", "http://", "https://")):
        raise S3Error("InvalidRedirectLocation")
    if len(text) > MAX_LOCATION:
        raise S3Error(
            "InvalidRedirectLocation",
            f"The length of website redirect location cannot exceed {MAX_LOCATION:,} characters.",
        )
    if not (text.isascii() and text.isprintable()):
        raise S3Error(
            "InvalidRedirectLocation", "The website redirect location is not a URL in ASCII."
        )
    return text


# --- the document ---------------------------------------------------------------------------


def encode(website: Website) -> bytes:
    return msgspec.msgpack.encode(website)


decode: Final = reader(Website, "a bucket's website")


def _only(tree: Element, *names: str) -> dict[str, Element]:
    """The children of an element, which has at most one of each name."""
    found: dict[str, Element] = {}
    for child in tree.children:
        if child.name not in names or child.name in found:
            raise MalformedXML(f"{child.name} is not known here")
        found[child.name] = child
    return found


def _texts(tree: Element, *names: str) -> dict[str, str]:
    return {name: child.text.strip() for name, child in _only(tree, *names).items()}


def read(body: bytes) -> Website:
    """The configuration in a document. Raises `MalformedXML`, `InvalidRequest` and
    `InvalidArgument`."""
    tree = parse(body, "WebsiteConfiguration")
    parts = _only(tree, "RedirectAllRequestsTo", "IndexDocument", "ErrorDocument", "RoutingRules")
    everything = parts.pop("RedirectAllRequestsTo", None)
    if everything is not None:
        if parts:
            raise InvalidArgument(
                "RedirectAllRequestsTo cannot be provided in conjunction with other Routing Rules.",
                name="RedirectAllRequestsTo",
            )
        told = _texts(everything, "HostName", "Protocol")
        if "HostName" not in told:
            raise MalformedXML("RedirectAllRequestsTo has no HostName")
        return Website(everything=_redirect(told))
    if "IndexDocument" not in parts:
        raise InvalidArgument(
            "A value for IndexDocument Suffix must be provided if RedirectAllRequestsTo is empty",
            name="IndexDocument",
        )
    index = _texts(parts["IndexDocument"], "Suffix").get("Suffix", "")
    if not index or "/" in index:
        raise InvalidArgument(
            "The IndexDocument Suffix is not well formed", name="IndexDocument", value=index
        )
    error = ""
    if "ErrorDocument" in parts:
        error = _texts(parts["ErrorDocument"], "Key").get("Key", "")
        if not error:
            raise InvalidArgument(
                "The ErrorDocument Key is not well formed", name="ErrorDocument", value=error
            )
    rules: tuple[Rule, ...] = ()
    if "RoutingRules" in parts:
        rules = _rules(parts["RoutingRules"])
    return Website(index, error, None, rules)


def _rules(tree: Element) -> tuple[Rule, ...]:
    if any(child.name != "RoutingRule" for child in tree.children):
        raise MalformedXML("RoutingRules has rules, and nothing else")
    if len(tree.children) > MAX_RULES:
        raise InvalidRequest(
            f"{len(tree.children)} routing rules provided, the number of routing rules in a website"
            f" configuration is limited to {MAX_RULES}."
        )
    return tuple(_rule(child) for child in tree.children)


def _rule(tree: Element) -> Rule:
    parts = _only(tree, "Condition", "Redirect")
    if "Redirect" not in parts:
        raise MalformedXML("a RoutingRule has no Redirect")
    redirect = _redirect(
        _texts(
            parts["Redirect"],
            "HostName",
            "HttpRedirectCode",
            "Protocol",
            "ReplaceKeyPrefixWith",
            "ReplaceKeyWith",
        )
    )
    if "Condition" not in parts:
        return Rule(redirect)
    condition = _texts(parts["Condition"], "HttpErrorCodeReturnedEquals", "KeyPrefixEquals")
    if not condition:
        raise InvalidRequest(
            "Condition cannot be empty. To redirect all requests without a condition, the"
            " condition element shouldn't be present."
        )
    error = condition.get("HttpErrorCodeReturnedEquals", "")
    if "HttpErrorCodeReturnedEquals" in condition and not re.fullmatch(r"[45][0-9][0-9]", error):
        raise InvalidRequest(
            f"The provided HTTP error code ({error[:16]}) is not valid. Valid codes are 4XX or 5XX."
        )
    return Rule(redirect, condition.get("KeyPrefixEquals", ""), int(error or 0))


def _redirect(told: dict[str, str]) -> Redirect:
    host, protocol = told.get("HostName", ""), told.get("Protocol", "")
    if not told:
        raise MalformedXML("a Redirect says nothing")
    if "HostName" in told and not _HOST(host):
        raise InvalidRequest("The host name of a redirect is not a host name.")
    if protocol.lower() not in _PROTOCOLS:
        raise InvalidRequest(
            "Invalid protocol, protocol can be http or https. If not defined the protocol will be"
            " selected automatically."
        )
    if "ReplaceKeyPrefixWith" in told and "ReplaceKeyWith" in told:
        raise InvalidRequest("You can only define ReplaceKeyPrefix or ReplaceKey but not both.")
    code = told.get("HttpRedirectCode", "")
    if "HttpRedirectCode" in told and (not re.fullmatch(r"3[0-9][0-9]", code) or code == "300"):
        raise InvalidRequest(
            f"The provided HTTP redirect code ({code[:16]}) is not valid. Valid codes are 3XX"
            " except 300."
        )
    return Redirect(
        host,
        protocol.lower(),
        int(code or 0),
        told.get("ReplaceKeyPrefixWith"),
        told.get("ReplaceKeyWith"),
    )


def shown(website: Website) -> bytes:
    """The configuration as GetBucketWebsite gives it back."""
    parts = []
    if website.everything is not None:
        parts.append(_shown("RedirectAllRequestsTo", website.everything))
    if website.index:
        parts.append(f"<IndexDocument>{element('Suffix', website.index)}</IndexDocument>")
    if website.error:
        parts.append(f"<ErrorDocument>{element('Key', website.error)}</ErrorDocument>")
    if website.rules:
        rules = "".join(
            f"<RoutingRule>{_condition(rule)}{_shown('Redirect', rule.redirect)}</RoutingRule>"
            for rule in website.rules
        )
        parts.append(f"<RoutingRules>{rules}</RoutingRules>")
    return document("WebsiteConfiguration", *parts)


def _condition(rule: Rule) -> str:
    parts = [element("HttpErrorCodeReturnedEquals", rule.error)] if rule.error else []
    if rule.prefix:
        parts.append(element("KeyPrefixEquals", rule.prefix))
    return f"<Condition>{''.join(parts)}</Condition>" if parts else ""


def _shown(name: str, redirect: Redirect) -> str:
    values: dict[str, object | None] = {
        "HostName": redirect.host or None,
        "HttpRedirectCode": redirect.code or None,
        "Protocol": redirect.protocol or None,
        "ReplaceKeyPrefixWith": redirect.prefix,
        "ReplaceKeyWith": redirect.key,
    }
    parts = [element(name, value) for name, value in values.items() if value is not None]
    return f"<{name}>{''.join(parts)}</{name}>"
