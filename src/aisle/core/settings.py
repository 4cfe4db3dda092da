"""THE table of settings: what the cluster's configuration and a bucket's props may hold.

One row a setting: name, kind, default, help, where it may be set, whether a restart is needed.
Parsing, checking, defaults, JSON in AIStore's nested shape and the reference page all come from
it. Names, structure and defaults are AIStore's; the last rows are our own. A setting without
`effect` is kept and returned, and changes nothing yet: its help says so wherever it is shown.

Canonical values: bool, int (also masks) and str (sizes and durations keep the text they were
given). Options of one process (addresses, directories) are not here but in
`aisle.node.options`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final, Literal

from aisle.core import features
from aisle.core.errors import InvalidArgument
from aisle.core.units import parse_duration, parse_size

Kind = Literal["bool", "int", "size", "duration", "text", "choice", "mask"]
Scope = Literal["cluster", "bucket"]
Value = bool | int | str

NO_EFFECT: Final = "Kept and returned; has no effect yet."
ACCESS_ALL: Final = (1 << 64) - 1


@dataclass(frozen=True, slots=True)
class Setting:
    """One row. `low` and `high` bound ints; `choices` list what a choice may be."""

    name: str
    kind: Kind
    default: Value
    help: str
    scope: frozenset[Scope]
    effect: bool = False
    restart: bool = False
    choices: tuple[str, ...] = ()
    low: int = 0
    high: int = (1 << 63) - 1

    @property
    def description(self) -> str:
        """`help`, and that the setting does nothing yet where that is so."""
        return self.help if self.effect else f"{self.help} {NO_EFFECT}"


_BOTH: Final[frozenset[Scope]] = frozenset({"cluster", "bucket"})
_CLUSTER: Final[frozenset[Scope]] = frozenset({"cluster"})
_BUCKET: Final[frozenset[Scope]] = frozenset({"bucket"})
_CHECKSUMS: Final = ("none", "xxhash", "xxhash2", "md5", "crc32c", "sha256", "sha512")
_COMPRESSION: Final = ("never", "always")
_WATERMARKS: Final = ("space.cleanupwm", "space.lowwm", "space.highwm", "space.out_of_space")
_POLICY: Final = ("", "immediate", "delayed", "never")

_ROWS: Final = (
    Setting("checksum.type", "choice", "xxhash",
            "Checksum computed for objects written from now on.", _BOTH, True, choices=_CHECKSUMS),
    Setting("checksum.validate_cold_get", "bool", True,
            "Verify remote objects while they are fetched.", _BOTH),
    Setting("checksum.validate_warm_get", "bool", False,
            "Verify stored objects whenever they are read.", _BOTH),
    Setting("checksum.validate_obj_move", "bool", False,
            "Verify objects when they move between nodes.", _BOTH),
    Setting("checksum.enable_read_range", "bool", False,
            "Return a checksum of the range with range reads.", _BOTH),
    Setting("versioning.enabled", "bool", False,
            "Keep former versions of objects (S3 bucket versioning).", _BOTH),
    Setting("versioning.validate_warm_get", "bool", False,
            "Compare with the remote version on every read.", _BOTH),
    Setting("versioning.synchronize", "bool", False,
            "Delete the stored copy when the remote object is gone.", _BOTH),
    Setting("lru.enabled", "bool", True,
            "Evict the least recently used remote objects when a disk fills up.", _BOTH),
    Setting("lru.dont_evict_time", "duration", "120m",
            "Keep objects that were used within this time.", _BOTH),
    Setting("lru.capacity_upd_time", "duration", "10m",
            "How often the used capacity is looked at.", _BOTH),
    Setting("mirror.enabled", "bool", False, "Keep copies of objects on several disks.", _BOTH),
    Setting("mirror.copies", "int", 2, "Copies of a mirrored object.", _BOTH, low=1, high=32),
    Setting("mirror.burst_buffer", "int", 128, "Queue of objects to be mirrored.", _BOTH),
    Setting("ec.enabled", "bool", False, "Store objects erasure coded.", _BOTH),
    Setting("ec.objsize_limit", "int", 262144,
            "Bytes from which an object is sliced rather than copied.", _BOTH, low=-1),
    Setting("ec.data_slices", "int", 1, "Data slices of an object.", _BOTH, low=1, high=32),
    Setting("ec.parity_slices", "int", 1, "Parity slices of an object.", _BOTH, low=1, high=32),
    Setting("ec.compression", "choice", "never", "Compress slices on their way.", _BOTH,
            choices=_COMPRESSION),
    Setting("ec.bundle_multiplier", "int", 2, "Streams to each node.", _BOTH),
    Setting("ec.disk_only", "bool", False, "Slice on disk, never in memory.", _BOTH),
    Setting("net.http.server_crt", "text", "server.crt", "File with the TLS certificate.",
            _CLUSTER, restart=True),
    Setting("net.http.server_key", "text", "server.key", "File with the TLS key.",
            _CLUSTER, restart=True),
    Setting("net.http.write_buffer_size", "int", 65536, "Write buffer of a connection.",
            _CLUSTER, restart=True),
    Setting("net.http.read_buffer_size", "int", 65536, "Read buffer of a connection.",
            _CLUSTER, restart=True),
    Setting("net.http.use_https", "bool", False, "Serve HTTPS.", _CLUSTER, restart=True),
    Setting("net.http.skip_verify", "bool", False, "Do not verify certificates of other nodes.",
            _CLUSTER, restart=True),
    Setting("net.http.chunked_transfer", "bool", True, "Send bodies in chunks between nodes.",
            _CLUSTER, restart=True),
    Setting("space.cleanupwm", "int", 65, "Percent used from which garbage is removed.",
            _CLUSTER, high=100),
    Setting("space.lowwm", "int", 75, "Percent used down to which eviction goes.",
            _CLUSTER, high=100),
    Setting("space.highwm", "int", 90, "Percent used from which eviction begins.",
            _CLUSTER, high=100),
    Setting("space.out_of_space", "int", 95, "Percent used from which writes are refused.",
            _CLUSTER, high=100),
    Setting("write_policy.data", "choice", "", "When object data is written out.", _BOTH,
            choices=("", "immediate")),
    Setting("write_policy.md", "choice", "", "When object metadata is written out.", _BOTH,
            choices=_POLICY),
    Setting("rate_limit.backend.enabled", "bool", False, "Limit requests to remote buckets.",
            _BOTH),
    Setting("rate_limit.backend.interval", "duration", "1m", "Time in which tokens are used up.",
            _BOTH),
    Setting("rate_limit.backend.max_tokens", "int", 1000, "Requests an interval.", _BOTH),
    Setting("rate_limit.backend.num_retries", "int", 3, "Retries of a limited request.", _BOTH),
    Setting("rate_limit.frontend.enabled", "bool", False, "Limit requests of clients.", _BOTH),
    Setting("rate_limit.frontend.interval", "duration", "1m", "Time in which tokens are used up.",
            _BOTH),
    Setting("rate_limit.frontend.max_tokens", "int", 1000, "Requests an interval.", _BOTH),
    Setting("rate_limit.frontend.burst_size", "int", 375, "Requests allowed at once.", _BOTH),
    Setting("features", "mask", features.DEFAULT_MASK,
            "Feature flags, as names or a mask; `none` clears them. Those without effect here are"
            " marked in the list of features.", _BOTH, True),
    # From here on: ours.
    Setting("etag.type", "choice", "md5",
            "What an ETag is: `md5` of the body as S3 clients expect, or `opaque` (contains a"
            " dash, is not the MD5) for ingest at full speed.", _BOTH, True,
            choices=("md5", "opaque")),
    Setting("multipart.min_part_size", "size", "0",
            "Smallest part but the last; 5MiB gives Amazon's EntityTooSmall.", _BOTH, True),
    Setting("multipart.expiry", "duration", "7d",
            "Age at which an unfinished multipart upload is removed; 0 keeps it.", _BOTH, True),
    Setting("space.garbage_grace", "duration", "10m",
            "How long bytes of a replaced or deleted object stay readable for running GETs.",
            _CLUSTER, True),
    Setting("space.sweep_age", "duration", "1d",
            "Age from which bytes that no row refers to count as orphans.", _CLUSTER, True),
    Setting("space.sweep_interval", "duration", "1d",
            "Time between sweeps for orphans and missing bytes.", _CLUSTER, True),
    Setting("access", "mask", ACCESS_ALL,
            "Permission bits granted on the bucket, as AIStore numbers them.", _BUCKET),
)  # fmt: skip

SETTINGS: Final[Mapping[str, Setting]] = {row.name: row for row in _ROWS}


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
        return _parse(row, raw, scope)
    except ValueError as error:
        raise InvalidArgument(f"{name}: {error}, got {raw!r}", name=name, value=str(raw)) from None


def changed(
    current: Mapping[str, Value], raw: Mapping[str, object], scope: Scope
) -> dict[str, Value]:
    """The canonical values of `raw` (dotted names), checked together with `current`."""
    parsed = {name: parse(name, value, scope) for name, value in raw.items()}
    if scope == "cluster":
        _check_watermarks({**cluster_defaults(), **current, **parsed})
    return parsed


def show(value: Value) -> str:
    """A value as the command line and tables print it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def to_json(name: str, value: Value) -> Value:
    """A value as JSON carries it: masks as decimal strings, since many readers hold 53 bits."""
    if SETTINGS[name].kind == "mask":
        return str(value)
    return value


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


def nanoseconds(value: Value) -> int:
    """The length of a canonical duration."""
    assert isinstance(value, str)
    return parse_duration(value)


def size_of(value: Value) -> int:
    """The bytes of a canonical size."""
    assert isinstance(value, str)
    return parse_size(value)


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


def _parse(row: Setting, raw: object, scope: Scope) -> Value:
    match row.kind:
        case "bool":
            return _parse_bool(raw)
        case "int":
            return _parse_int(raw, row.low, row.high)
        case "mask":
            if row.name == "features":
                return _parse_features(raw, bucket=scope == "bucket")
            return _parse_int(raw, 0, ACCESS_ALL)
        case _:
            return _parse_text(row, raw)


def _parse_bool(raw: object) -> bool:
    if isinstance(raw, bool):
        return raw
    word = raw.strip().lower() if isinstance(raw, str) else ""
    if word in ("true", "yes", "on", "1"):
        return True
    if word in ("false", "no", "off", "0"):
        return False
    raise ValueError("expected true or false")


def _parse_int(raw: object, low: int, high: int) -> int:
    # int() alone would read True, "1_000" and Arabic digits.
    text = raw.strip() if isinstance(raw, str) else ""
    if isinstance(raw, int) and not isinstance(raw, bool):
        value = raw
    elif text.isascii() and text.removeprefix("-").isdecimal():
        value = int(text)
    else:
        raise ValueError("expected a whole number")
    if not low <= value <= high:
        raise ValueError(f"expected a number from {low} to {high}")
    return value


def _parse_features(raw: object, *, bucket: bool) -> int:
    if isinstance(raw, bool) or not isinstance(raw, int | str | list | tuple):
        raise ValueError("expected feature names or a mask")
    return features.parse_features(raw, bucket=bucket)


def _parse_text(row: Setting, raw: object) -> str:
    if row.kind == "size" and isinstance(raw, int) and not isinstance(raw, bool):
        raw = str(raw)  # JSON sizes may be plain numbers
    if not isinstance(raw, str):
        raise ValueError("expected text")
    value = raw.strip()
    if row.kind == "choice" and value not in row.choices:
        shown = ", ".join(choice or '""' for choice in row.choices)
        raise ValueError(f"expected one of {shown}")
    if row.kind == "size":
        parse_size(value)
    elif row.kind == "duration":
        parse_duration(value)
    elif any(ord(character) < 32 for character in value):
        raise ValueError("expected text without control characters")
    return value


def _unknown(name: str, scope: Scope) -> InvalidArgument:
    owner = "the cluster configuration" if scope == "cluster" else "bucket props"
    return InvalidArgument(f"{owner} has no setting {name!r}", name=name, value="")
