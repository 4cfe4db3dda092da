"""THE table of settings: what the cluster's configuration and a bucket's props may hold.

One row a setting: name, kind, default, help, where it may be set, whether a restart is needed. The
rows stand in `shared` (of buckets, with the cluster's defaults for them) and `cluster` (the rest);
parsing, checking, defaults, JSON in AIStore's nested shape and the reference page all come from
them. A setting without `effect` is kept and returned, and changes nothing yet: its help says so
wherever it is shown.

Options of one process (addresses, directories) are not here but in `aisle.node.options`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any, Final

from aisle.core import features
from aisle.core.errors import InvalidArgument
from aisle.core.settings import cluster as _cluster
from aisle.core.settings import shared as _shared
from aisle.core.settings import values as _values
from aisle.core.settings.row import NO_EFFECT, Kind, Scope, Setting, Value
from aisle.core.settings.values import nanoseconds, show, size_of

__all__ = [
    "NO_EFFECT",
    "READ_ONLY",
    "SETTINGS",
    "Kind",
    "Scope",
    "Setting",
    "Value",
    "bucket_defaults",
    "changed",
    "cluster_defaults",
    "flatten",
    "lookup",
    "names",
    "nanoseconds",
    "nest",
    "parse",
    "section",
    "show",
    "size_of",
    "to_json",
]

_ROWS: Final = (*_shared.ROWS, *_cluster.ROWS)
SETTINGS: Final[Mapping[str, Setting]] = {row.name: row for row in _ROWS}
# What stands beside the settings in the JSON of a configuration, and cannot be set.
READ_ONLY: Final = (
    "uuid", "config_version", "lastupdate_time", "backend", "tracing", "ext",
    "confdir", "log_dir", "host_net", "fspaths", "test_fspaths",
)  # fmt: skip
_WATERMARKS: Final = ("space.cleanupwm", "space.lowwm", "space.highwm", "space.out_of_space")


def names(scope: Scope) -> tuple[str, ...]:
    """Names of all settings of `scope`, in table order."""
    return tuple(row.name for row in _ROWS if scope in row.scope)


def section(prefix: str, scope: Scope) -> tuple[Setting, ...]:
    """The rows named `prefix` or below it; all of `scope` for `""`.

    Raises `InvalidArgument` if there is none.
    """
    below = prefix + "."
    rows = tuple(
        row
        for row in _ROWS
        if scope in row.scope and (not prefix or row.name == prefix or row.name.startswith(below))
    )
    if not rows:
        raise _unknown(prefix, scope)
    return rows


def lookup(name: str, scope: Scope) -> Setting:
    """The row called `name`. Raises `InvalidArgument` if `scope` has none."""
    row = SETTINGS.get(name)
    if row is None or scope not in row.scope:
        raise _unknown(name, scope)
    return row


def cluster_defaults() -> dict[str, Value]:
    """What a cluster nobody has configured holds."""
    return {name: SETTINGS[name].default for name in names("cluster")}


def bucket_defaults(cluster: Mapping[str, Value], *, remote: bool = False) -> dict[str, Value]:
    """Props of a new bucket: a snapshot of the cluster's values, as AIStore takes it.

    Eviction is for cached remote buckets only: it stays off on a bucket whose objects live here.
    """
    props = {name: cluster.get(name, SETTINGS[name].default) for name in names("bucket")}
    mask = props["features"]
    assert isinstance(mask, int)
    props["features"] = mask & features.BUCKET_MASK
    if not remote:
        props["lru.enabled"] = False
    return props


def parse(name: str, raw: object, scope: Scope) -> Value:
    """The canonical value of a setting from text or JSON. Raises `InvalidArgument`."""
    row = lookup(name, scope)
    try:
        return _values.parse(row, raw, scope)
    except ValueError as error:
        shown = repr(raw)
        if len(shown) > 100:
            shown = shown[:100] + "..."
        raise InvalidArgument(f"{name}: {error}, got {shown}", name=name, value=shown) from None


def changed(
    current: Mapping[str, Value], raw: Mapping[str, object], scope: Scope
) -> dict[str, Value]:
    """The canonical values of `raw` (dotted names), checked together with `current`."""
    parsed = {name: parse(name, value, scope) for name, value in raw.items()}
    for name in [name for name in parsed if SETTINGS[name].fixed]:
        # A configuration that is written back as it was read holds these too.
        if parsed[name] != current.get(name, SETTINGS[name].default):
            raise InvalidArgument(
                f"{name} cannot be set here: it tells what the node was started with",
                name=name,
            )
        del parsed[name]
    if scope == "cluster":
        _check_watermarks({**cluster_defaults(), **current, **parsed})
    return parsed


def to_json(name: str, value: Value) -> Value | list[str]:
    """A value as JSON carries it: masks as decimal strings, since many readers hold 53 bits."""
    return _values.to_json(SETTINGS[name], value)


def nest(values: Mapping[str, Value]) -> dict[str, Any]:
    """Dotted names to AIStore's nested JSON: `{"checksum": {"type": "md5"}}`."""
    root: dict[str, Any] = {}
    for name, value in values.items():
        *parents, leaf = name.split(".")
        node = root
        for parent in parents:
            node = node.setdefault(parent, {})
        node[leaf] = to_json(name, value)
    return root


def flatten(nested: Mapping[str, Any]) -> dict[str, object]:
    """AIStore's nested JSON to dotted names. Values are still raw: give them to `changed`."""
    return dict(_walk(nested, ""))


def _check_watermarks(values: Mapping[str, Value]) -> None:
    for (low_name, low), (high_name, high) in pairwise((n, values[n]) for n in _WATERMARKS):
        assert isinstance(low, int)
        assert isinstance(high, int)
        if low > high:
            raise InvalidArgument(
                f"{low_name} ({low}) must not exceed {high_name} ({high})",
                name=low_name,
                value=str(low),
            )


def _walk(node: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, object]]:
    for key, value in node.items():
        name = prefix + key
        if isinstance(value, Mapping):
            yield from _walk(value, name + ".")
        else:
            yield name, value


def _unknown(name: str, scope: Scope) -> InvalidArgument:
    owner = "the cluster configuration" if scope == "cluster" else "bucket props"
    if scope == "cluster" and name.partition(".")[0] in READ_ONLY:
        return InvalidArgument(f"{owner} tells {name}, which cannot be set", name=name, value="")
    return InvalidArgument(f"{owner} has no setting {name!r}", name=name, value="")
