"""URIs of buckets and objects as users type them: `ais:`, `ais://abc`, `ais://abc/dir/name`.

A namespace stands before the bucket: `ais://#ns/abc`, or `ais://@uuid#ns/abc` with the cluster that
has it. The scheme is passed on as it is typed: what providers there are is the node's to say. Only
`http://host/dir/name` and `https://...` are read as what they stand for: an object of provider `ht`
in the bucket that the directory is.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import quote

from aisle.cli.failure import Failure

if TYPE_CHECKING:
    from types import ModuleType

_ADDRESSES: Final = ("http://", "https://")
_URI: Final = re.compile(r"([a-z0-9]{2,5}):(?://([^/]*)(?:/(.*))?)?", re.DOTALL)


class Uri(NamedTuple):
    """A provider, a bucket in it and a key in that; `""` for what is not named. `namespace` is as
    it is typed, `@uuid#name` with either part or both; `base` is the address that a bucket of
    provider `ht` was typed as."""

    provider: str
    bucket: str = ""
    key: str = ""
    namespace: str = ""
    base: str = ""

    def __str__(self) -> str:
        if self.base:
            return self.base + self.key
        space = f"{self.namespace}/" if self.namespace else ""
        return f"{self.provider}://{space}{self.bucket}" + (f"/{self.key}" if self.key else "")

    @property
    def parent(self) -> Uri:
        """The bucket alone."""
        return self._replace(key="")

    @property
    def path(self) -> str:
        """The path under which the native API has it, percent-encoded."""
        bucket = _quote(self.bucket)
        if self.key:
            return f"/v1/objects/{bucket}/{_quote(self.key)}"
        return f"/v1/buckets/{bucket}"

    @property
    def query(self) -> dict[str, str]:
        space = {"namespace": self.namespace} if self.namespace else {}
        address = {"original_url": _origins().object_url(self.base, self.key)} if self.base else {}
        return {"provider": self.provider, **space, **address}

    @property
    def uname(self) -> str:
        """The bucket as `bck_to` and `object_to` name it, with the key if there is one."""
        return f"{self.provider}/{self.namespace or '@#'}/{self.bucket}/{self.key}"


def _quote(text: str) -> str:
    return quote(text.encode("utf-8", "surrogateescape"), safe="/-._~")


def assume(provider: str) -> None:
    """From now on take names without a scheme as those of a provider (none: as mistakes)."""
    _assumed[0] = provider


_assumed: Final = [""]


def parse(text: str) -> Uri:
    """Read a URI. Raises `Failure`."""
    if _assumed[0] and text and ":" not in text:
        text = f"{_assumed[0]}://{text}"
    if text.startswith(_ADDRESSES):
        return _located(text)
    match = _URI.fullmatch(text)
    if match is None:
        hint = f" (did you mean ais://{text}?)" if ":" not in text else ""
        raise Failure(f'"{text}" is not a URI such as ais://bucket/object{hint}')
    provider, bucket, key = match.groups(default="")
    namespace = ""
    if bucket[:1] in ("@", "#"):
        namespace = bucket
        bucket, _, key = key.partition("/")
    if key and not bucket:
        raise Failure(f'"{text}" names no bucket')
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        raise Failure(f'"{text}" is not UTF-8') from None
    return Uri(provider, bucket, key, namespace)


def _origins() -> ModuleType:
    """What reads addresses, imported by those who have one to read."""
    return import_module("aisle.core.origins")


def _located(text: str) -> Uri:
    origins = _origins()
    try:
        found = origins.locate(text)
    except origins.InvalidArgument as error:
        raise Failure(str(error)) from None
    return Uri("ht", found.bucket, found.key, base=found.base)


def bucket(text: str) -> Uri:
    """Read the URI of a bucket. Raises `Failure`."""
    uri = parse(text)
    if not uri.bucket or uri.key:
        raise Failure(f'"{text}" is not the URI of a bucket, such as ais://bucket')
    return uri


def object_(text: str) -> Uri:
    """Read the URI of an object. Raises `Failure`."""
    uri = parse(text)
    if not uri.key:
        raise Failure(f'"{text}" is not the URI of an object, such as ais://bucket/object')
    return uri


def of_row(row: Mapping[str, Any]) -> Uri:
    """The bucket that a reply names."""
    space = row.get("namespace") or {}
    uuid, name = space.get("uuid") or "", space.get("name") or ""
    namespace = (f"@{uuid}" if uuid else "") + (f"#{name}" if name else "")
    return Uri(row["provider"], row["name"], namespace=namespace)


def is_elsewhere(uri: Uri) -> bool:
    """Whether a bucket is a remote one: of another provider, or of another cluster."""
    return uri.provider != "ais" or uri.namespace.startswith("@")


def order(row: Mapping[str, Any]) -> tuple[str, ...]:
    """By what rows of buckets are sorted."""
    uri = of_row(row)
    return (uri.provider, uri.namespace, uri.bucket)
