"""A bucket's props as AIStore's JSON: whole where they are shown, checked where they are set.

What the table of settings holds is nested from there; this adds what only a bucket's JSON has (its
identity, and the bucket behind it), and reads props to be set.
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from typing import Any, Final

from aisle.api.native.message import fields, parse_provider
from aisle.core import settings
from aisle.core.errors import InvalidArgument, NotSupported
from aisle.core.settings import Value
from aisle.namespace.records import Bucket

_NO_BUCKET: Final = {"name": "", "provider": "", "namespace": {"uuid": "", "name": ""}}
_BACKEND: Final = "backend_bck"


def shown(record: Bucket, cluster: Mapping[str, Value]) -> dict[str, Any]:
    """The props of a bucket: what was set on it over what the cluster says now.

    64-bit numbers are text.
    """
    own: dict[str, Value] = record.props
    nested = settings.nest({**settings.bucket_defaults(cluster), **own})
    return {
        "provider": record.provider,
        _BACKEND: deepcopy(_NO_BUCKET),
        **nested,
        "bid": str(int.from_bytes(record.id, "big")),
        "created": str(record.created),
    }


def asked(value: object) -> dict[str, object]:
    """The props that a message sets, by flat name and still raw: `settings.changed` checks them.

    They come nested, flat or both. Raises `InvalidArgument`, and `NotSupported` for a bucket of
    another provider behind this one.
    """
    given = fields(value)
    _check_backend(given)
    flat = settings.flatten({name: part for name, part in given.items() if name != _BACKEND})
    return {name: part for name, part in flat.items() if not name.startswith(f"{_BACKEND}.")}


def _check_backend(given: Mapping[str, Any]) -> None:
    """None is the only bucket that may stand behind another, for now."""
    behind = given.get(_BACKEND, "")
    if isinstance(behind, Mapping):
        name, provider = behind.get("name", ""), behind.get("provider", "")
    else:
        name, provider = behind, given.get(f"{_BACKEND}.provider", "")
    name = given.get(f"{_BACKEND}.name", name)
    if name in ("", "none", None) and provider in ("", None):
        return
    if not (isinstance(name, str) and isinstance(provider or "", str)):
        raise InvalidArgument(f"{_BACKEND} is not a bucket", name=_BACKEND, value=str(behind))
    scheme, separator, bucket = name.partition("://")
    known = parse_provider(scheme if separator else provider or "ais")
    named = f"{known}://{bucket if separator else name}"
    raise NotSupported(f"{_BACKEND}={named}: buckets of provider {known} are not supported yet")
