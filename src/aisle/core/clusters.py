"""Other clusters as the settings name them, and namespaces of buckets that are theirs.

An attached cluster is a setting of its own, `backend.ais.ALIAS`, whose value is the cluster's uuid
and its URLs with blanks between. A bucket of it has the namespace `@UUID` or `@UUID#NAME`; users
may write the alias in the place of the uuid. Requests that one cluster sends to another name those
that they have come through, so that windows that form a circle are found out. Pure functions, and
the variable that holds for a request where it has been.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from contextvars import ContextVar
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

from aisle.core.errors import InvalidArgument

PREFIX: Final = "backend.ais."
MAX_URLS: Final = 16
# The settings that a provider is given have the uuid of this cluster under this name.
OWN_UUID: Final = "uuid"
# The request header that names the clusters which a request has come through, and how many may be.
VIA_HEADER: Final = "ais-via"
MAX_HOPS: Final = 8
# The request header that has an object's user metadata, as JSON in base64.
META_HEADER: Final = "ais-set-custom-md"
# For whoever serves a request: the clusters that it has come through, oldest first.
VIA: Final[ContextVar[tuple[str, ...]]] = ContextVar("via", default=())
# Whether this very cluster is among them.
CIRCLING: Final[ContextVar[bool]] = ContextVar("circling", default=False)

_ALIAS: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,31}")
_UUID: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")
# What ids of clusters look like: AIStore's have 9 characters and more, Aisle's are 32 hex digits.
_LIKE_UUID: Final = re.compile(r"[0-9a-f]{32}")


class Attached(NamedTuple):
    """A cluster that is attached to this one."""

    alias: str
    uuid: str
    urls: tuple[str, ...]

    @property
    def setting(self) -> str:
        return PREFIX + self.alias

    @property
    def value(self) -> str:
        return " ".join((self.uuid, *self.urls))


def attached(values: Mapping[str, Any]) -> list[Attached]:
    """The attached clusters among settings, by alias."""
    found = []
    for name in sorted(values):
        if name.startswith(PREFIX):
            uuid, *urls = str(values[name]).split(" ")
            found.append(Attached(name.removeprefix(PREFIX), uuid, tuple(urls)))
    return found


def find(values: Mapping[str, Any], name: str) -> Attached | None:
    """The attached cluster of this uuid or alias."""
    known = attached(values)
    by_uuid = (one for one in known if one.uuid == name)
    return next(by_uuid, None) or next((one for one in known if one.alias == name), None)


def check_alias(alias: str) -> str:
    """Raise `InvalidArgument` unless a cluster can be called so."""
    if _ALIAS.fullmatch(alias) is None:
        raise InvalidArgument(
            f'a cluster cannot be called "{alias[:64]}": an alias has 1 to 32 letters, digits,'
            " dashes and underscores, and begins with a letter or digit",
            name="alias",
            value=alias[:64],
        )
    if _LIKE_UUID.fullmatch(alias) is not None:
        raise InvalidArgument(
            f'"{alias}" looks like the uuid of a cluster, and is no alias', name="alias"
        )
    return alias


def check_uuid(uuid: object) -> str:
    """The uuid that a cluster tells of itself. Raises `InvalidArgument`."""
    if not isinstance(uuid, str) or _UUID.fullmatch(uuid) is None:
        raise InvalidArgument("the cluster tells no uuid that could be one", name="uuid")
    return uuid


def check_url(text: str) -> str:
    """The address of a gateway, without a slash at its end. Raises `InvalidArgument`."""
    url = text.strip().rstrip("/")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        parts, port = urlsplit(""), None
    plain = url.isascii() and url.isprintable() and not {" ", "%", "\\"} & set(url)
    inside = parts.username or parts.password or parts.query or parts.fragment or parts.path
    if parts.scheme not in ("http", "https") or not parts.hostname or inside or not plain:
        # Not repeated: there may be a password in it.
        raise InvalidArgument(
            "the address of a cluster is http://HOST:PORT or https://HOST:PORT", name="url"
        )
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"{parts.scheme}://{host}" + (f":{port}" if port is not None else "")


def environment_name(alias: str) -> str:
    """An alias as names of environment variables have it."""
    return alias.upper().replace("-", "_")


# --- namespaces -----------------------------------------------------------------------------


def split_namespace(namespace: str) -> tuple[str, str]:
    """The uuid (or alias) and the name in a bucket's namespace; `""` for what it has not."""
    if not namespace.startswith("@"):
        return "", namespace
    uuid, _, name = namespace[1:].partition("#")
    return uuid, name


def join_namespace(uuid: str, name: str) -> str:
    """The namespace of a bucket from both; the global one is `""`."""
    if not uuid:
        return name
    return f"@{uuid}#{name}" if name else f"@{uuid}"


def namespace_json(namespace: str) -> dict[str, str]:
    """A namespace as AIStore's JSON has it."""
    uuid, name = split_namespace(namespace)
    return {"uuid": uuid, "name": name}


# --- where a request has been ---------------------------------------------------------------


def parse_via(text: str) -> tuple[str, ...]:
    """The clusters that the header names. Raises `InvalidArgument`."""
    names = tuple(word.strip() for word in text[:1024].split(",") if word.strip())
    if len(names) > MAX_HOPS or len(text) > 1024 or any(not _UUID.fullmatch(n) for n in names):
        raise InvalidArgument(
            f"{VIA_HEADER} names the clusters that a request has come through, {MAX_HOPS} at most",
            name=VIA_HEADER,
        )
    return names


def show_via(names: Sequence[str], own: str) -> str:
    """The header for a request that this cluster sends on."""
    return ",".join((*names, own))
