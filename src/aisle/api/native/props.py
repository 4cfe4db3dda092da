"""A bucket's props as AIStore's JSON: whole where they are shown, checked where they are set.

What the table of settings holds is nested from there; this adds what only a bucket's JSON has (its
identity, and the bucket behind it), and reads props to be set.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from aisle.api.native.message import fields, parse_namespace, parse_provider
from aisle.core import settings
from aisle.core.clusters import namespace_json
from aisle.core.errors import InvalidArgument
from aisle.core.names import BucketName, check_native_bucket_name, parse_bucket_name
from aisle.core.settings import Value
from aisle.namespace.records import BACKEND_BCK, Bucket

_NOBODY: Final = BucketName("", "", "")
_NONE: Final = ("", "none", None)


class Asked(NamedTuple):
    """What a message sets: values by flat name, still raw, which `settings.changed` checks; and the
    bucket that is to be behind, by its full name, `""` for none, `None` if nothing is said."""

    values: dict[str, object]
    behind: str | None = None


def shown(record: Bucket, cluster: Mapping[str, Value]) -> dict[str, Any]:
    """The props of a bucket: what was set on it over what the cluster says now.

    64-bit numbers are text.
    """
    own: dict[str, Value] = {n: value for n, value in record.props.items() if n != BACKEND_BCK}
    remote = record.behind is not None
    nested = settings.nest({**settings.bucket_defaults(cluster, remote=remote), **own})
    named = record.props.get(BACKEND_BCK)
    return {
        "provider": record.provider,
        BACKEND_BCK: bucket_json(parse_bucket_name(named) if named else _NOBODY),
        **nested,
        "bid": str(int.from_bytes(record.id, "big")),
        "created": str(record.created),
    }


def bucket_json(name: BucketName) -> dict[str, Any]:
    """A bucket as AIStore's JSON names one."""
    return {
        "name": name.name,
        "provider": name.provider,
        "namespace": namespace_json(name.namespace),
    }


def asked(value: object) -> Asked:
    """The props that a message sets; they come nested, flat or both. Raises `InvalidArgument`,
    `InvalidName`."""
    given = fields(value)
    flat = settings.flatten({name: part for name, part in given.items() if name != BACKEND_BCK})
    values = {name: part for name, part in flat.items() if not name.startswith(f"{BACKEND_BCK}.")}
    return Asked(values, _behind(given))


def _behind(given: Mapping[str, Any]) -> str | None:
    """The bucket behind that `backend_bck` names: an object of AIStore's, or `provider://name`."""
    said = BACKEND_BCK in given or any(name.startswith(f"{BACKEND_BCK}.") for name in given)
    if not said:
        return None
    whole = given.get(BACKEND_BCK, "")
    parts: dict[str, Any] = dict(whole) if isinstance(whole, Mapping) else {"name": whole}
    for part in ("name", "provider"):
        parts[part] = given.get(f"{BACKEND_BCK}.{part}", parts.get(part))
    name, provider = parts["name"], parts["provider"] or ""
    if name in _NONE and not provider:
        return ""
    if not (isinstance(name, str) and isinstance(provider, str)) or name in _NONE:
        raise InvalidArgument(f"{BACKEND_BCK} is not a bucket", name=BACKEND_BCK, value=str(whole))
    return str(_parsed(name, provider, parts.get("namespace")))


def _parsed(name: str, provider: str, namespace: object) -> BucketName:
    scheme, separator, rest = name.partition("://")
    if separator:
        space, _, last = rest.rpartition("/")
        provider, name = scheme, last
    else:
        space = ""
    if isinstance(namespace, Mapping) and not space and any(namespace.values()):
        space = f"@{namespace.get('uuid') or ''}#{namespace.get('name') or ''}"
    check_native_bucket_name(name)
    return BucketName(name, parse_provider(provider or "ais"), parse_namespace(space))
