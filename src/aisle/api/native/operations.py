"""THE table of native operations: which request under `/v1` means which operation.

A row is a method, a path, and what tells it from others of the same method and path: the `what` of
the query, or the `action` of the message in the body. What has no row is not offered, and a query
parameter that would change what a request means (`REFUSED`) is never passed over. Only the table
and its look-up live here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal, NamedTuple

from aisle.api.native import buckets, cluster, export, lists, objects
from aisle.api.native.errors import NoSuchCall
from aisle.api.native.message import NativeHandler
from aisle.core.errors import InvalidArgument, NotSupported
from aisle.core.http import RequestHead, decode_component

By = Literal["", "what", "action"]


class Route(NamedTuple):
    """A row. `values` are those of `by` that mean it; the first is its proper one."""

    method: str
    path: str
    by: By
    values: tuple[str, ...]
    name: str
    handler: NativeHandler


def _cluster(action: str, handler: NativeHandler) -> Route:
    return Route("PUT", "cluster", "action", (action,), action, handler)


ROUTES: Final = (
    Route("GET", "health", "", (), "health", cluster.health),
    Route("HEAD", "health", "", (), "health", cluster.health),
    Route("GET", "daemon", "what", ("smap",), "get-smap", cluster.get_smap),
    Route("GET", "daemon", "what", ("config",), "get-config", cluster.get_config),
    Route("GET", "cluster", "what", ("cluster_config",), "get-config", cluster.get_config),
    Route("PUT", "cluster/set-config", "", (), "set-config", cluster.set_config_query),
    _cluster("set-config", cluster.set_config),
    _cluster("reset-config", cluster.reset_config),
    _cluster("start-maintenance", cluster.start_maintenance),
    _cluster("stop-maintenance", cluster.stop_maintenance),
    _cluster("decommission-node", cluster.decommission),
    Route("GET", "export", "", (), "export-heads", export.export_heads),
    Route("POST", "export", "action", ("export",), "export", export.export_objects),
    Route("GET", "buckets", "action", ("list", ""), "list-buckets", buckets.list_buckets),
    Route("POST", "buckets/B", "action", ("create-bck",), "create-bck", buckets.create_bck),
    Route("DELETE", "buckets/B", "action", ("destroy-bck",), "destroy-bck", buckets.destroy_bck),
    Route("HEAD", "buckets/B", "", (), "head-bck", buckets.head_bck),
    Route("PATCH", "buckets/B", "action", ("set-bprops",), "set-bprops", buckets.set_bprops),
    Route("PATCH", "buckets/B", "action", ("reset-bprops",), "reset-bprops", buckets.reset_bprops),
    Route("GET", "buckets/B", "action", ("list", ""), "list", lists.list_objects),
    Route("PUT", "objects/B/K", "", (), "put-object", objects.put_object),
    Route("GET", "objects/B/K", "", (), "get-object", objects.get_object),
    Route("HEAD", "objects/B/K", "", (), "head-object", objects.head_object),
    Route("DELETE", "objects/B/K", "", (), "delete-object", objects.delete_object),
)
# Operations that need no credentials.
OPEN: Final = frozenset({"health"})
# Parameters that make another operation of these, which is not offered yet.
REFUSED: Final[Mapping[str, tuple[str, ...]]] = {
    "get-object": ("archpath", "archregx", "archmode", "etl_name", "etl_pipeline"),
    "head-object": ("archpath", "etl_name", "etl_pipeline"),
    "put-object": (
        "object_to",
        "append_type",
        "append_handle",
        "uploadId",
        "partNumber",
        "archpath",
        "archmime",
        "etl_name",
        "etl_pipeline",
    ),
    "delete-object": ("uploadId", "archpath"),
    "set-config": ("transient",),
    "head-bck": ("bsumm_remote", "uuid"),
}

_BY_PLACE: Final[Mapping[tuple[str, str], tuple[Route, ...]]] = {
    (row.method, row.path): tuple(
        other for other in ROUTES if (other.method, other.path) == (row.method, row.path)
    )
    for row in ROUTES
}
_METHODS: Final[Mapping[str, tuple[str, ...]]] = {
    row.path: tuple(dict.fromkeys(other.method for other in ROUTES if other.path == row.path))
    for row in ROUTES
}


class Target(NamedTuple):
    """A path under `/v1`: as the table writes it, and the names in it."""

    path: str
    bucket: str = ""
    key: str = ""


def parse_target(path: bytes) -> Target:
    """Take a path apart as it is on the wire; a key is never normalised."""
    noun, _, rest = path.decode("latin-1").removeprefix("/v1/").partition("/")
    if noun == "objects":
        bucket, _, key = rest.partition("/")
        return Target("objects/B/K", decode_component(bucket), decode_component(key))
    rest = rest.removesuffix("/")
    if noun == "buckets" and rest:
        return Target("buckets/B", decode_component(rest))
    return Target(f"{noun}/{rest}" if rest else noun)


def candidates(head: RequestHead, target: Target) -> tuple[Route, ...]:
    """The rows of a method and path. Raises `NoSuchCall`."""
    if target.path == "objects/B/K" and not target.key:
        raise NoSuchCall("the path of an object is /v1/objects/BUCKET/OBJECT")
    rows = _BY_PLACE.get((head.method, target.path))
    if rows is not None:
        return rows
    shown = ascii(head.path.decode("latin-1"))[1:-1]
    allow = _METHODS.get(target.path)
    if allow is None:
        raise NoSuchCall(f"{head.method} {shown} is not supported")
    raise NoSuchCall(f"{head.method} is not supported on {shown}", allow=allow)


def pick(rows: tuple[Route, ...], head: RequestHead, action: str) -> Route:
    """The row that a request means. Raises `NotSupported` and `InvalidArgument`."""
    row = rows[0]
    if row.by:
        value = head.params.get("what", "") if row.by == "what" else action
        found = next((row for row in rows if value in row.values), None)
        if found is None:
            offered = ", ".join(row.values[0] for row in rows)
            if not value:
                raise InvalidArgument(
                    f"{head.method} /v1/{row.path} needs {_a(row.by)}: {offered}", name=row.by
                )
            raise NotSupported(
                f'{row.by} "{value}" is not supported by {head.method} /v1/{row.path}'
                f" (supported: {offered})"
            )
        row = found
    for name in REFUSED.get(row.name, ()):
        if head.params.get(name, "") not in ("", "false"):
            raise NotSupported(f"{name} is not supported by {row.name}")
    return row


def _a(by: str) -> str:
    return "an action in its body" if by == "action" else f"a {by} parameter"
