"""THE table of native operations: which request under `/v1` means which operation.

Its rows stand beside their handlers, one module a noun (`route.Route`). What has no row is not
offered, and a query parameter that would change what a request means (`Route.refuses`) is never
passed over. Only the table and its look-up live here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from aisle.api.native import (
    append,
    archives,
    bmd,
    buckets,
    cluster,
    config,
    copies,
    edits,
    export,
    jobs,
    lists,
    logs,
    multi,
    nodes,
    objects,
    openapi,
    parts,
    promote,
    smap,
    stats,
    summaries,
)
from aisle.api.native.errors import NoSuchCall
from aisle.api.native.route import Route
from aisle.core.errors import InvalidArgument, NotSupported
from aisle.core.http import RequestHead, decode_component

_ROWS: Final = (
    *cluster.ROUTES,
    *smap.ROUTES,
    *config.ROUTES,
    *nodes.ROUTES,
    *logs.ROUTES,
    *bmd.ROUTES,
    *stats.ROUTES,
    *jobs.ROUTES,
    *export.ROUTES,
    *buckets.ROUTES,
    *lists.ROUTES,
    *summaries.ROUTES,
    *multi.ROUTES,
    *promote.ROUTES,
    *objects.ROUTES,
    *parts.ROUTES,
    *append.ROUTES,
    *copies.ROUTES,
    *edits.ROUTES,
    *archives.ROUTES,
)
ROUTES: Final = (*_ROWS, openapi.route(_ROWS))
# Where Prometheus looks; no other operation is outside `/v1`.
METRICS: Final = b"/metrics"
# What stands before a name below `/v1/cluster`.
_NAMED: Final = frozenset({"proxy", "enable-bend", "disable-bend"})
# Operations that need no credentials.
OPEN: Final = frozenset({"health"})

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
    if path == METRICS:
        return Target("metrics")
    noun, _, rest = path.decode("latin-1").removeprefix("/v1/").partition("/")
    if noun == "objects":
        bucket, _, key = rest.partition("/")
        where = "objects/B/K" if key else "objects/B"
        return Target(where, decode_component(bucket), decode_component(key))
    bucket, _, prefix = rest.partition("/")
    if noun == "buckets" and bucket and prefix:
        return Target("buckets/B/P", decode_component(bucket), decode_component(prefix))
    rest = rest.removesuffix("/")
    place, _, name = rest.partition("/")
    if noun == "cluster" and place in _NAMED and name:
        return Target(f"cluster/{place}/N", "", decode_component(name))
    if noun == "buckets" and rest:
        return Target("buckets/B", decode_component(rest))
    return Target(f"{noun}/{rest}" if rest else noun)


def candidates(head: RequestHead, target: Target) -> tuple[Route, ...]:
    """The rows of a method and path. Raises `NoSuchCall`."""
    rows = _BY_PLACE.get((head.method, target.path))
    if rows is not None:
        return rows
    if target.path == "objects/B":
        raise NoSuchCall("the path of an object is /v1/objects/BUCKET/OBJECT")
    shown = ascii(head.path.decode("latin-1"))[1:-1]
    allow = _METHODS.get(target.path)
    if allow is None:
        raise NoSuchCall(f"{head.method} {shown} is not supported")
    raise NoSuchCall(f"{head.method} is not supported on {shown}", allow=allow)


def pick(rows: tuple[Route, ...], head: RequestHead, action: str) -> Route:
    """The row that a request means. Raises `NotSupported` and `InvalidArgument`."""
    row = rows[0] if not rows[0].by else _told_apart(rows, head, action)
    for name in row.refuses:
        if head.params.get(name, "") not in ("", "false"):
            raise NotSupported(f"{name} is not supported by {row.name}")
    return row


def _told_apart(rows: tuple[Route, ...], head: RequestHead, action: str) -> Route:
    by = rows[0].by
    if by == "param":
        given = (row for row in rows if any(head.params.get(name, "") for name in row.values))
        plain = next(row for row in rows if "" in row.values)
        return next(given, plain)
    value = head.params.get("what", "") if by == "what" else action
    found = next((row for row in rows if value in row.values), None)
    if found is not None:
        return found
    method, path = rows[0].method, rows[0].path
    offered = ", ".join(row.values[0] for row in rows)
    if not value:
        raise InvalidArgument(f"{method} /v1/{path} needs {_a(by)}: {offered}", name=by)
    raise NotSupported(
        f'{by} "{value}" is not supported by {method} /v1/{path} (supported: {offered})'
    )


def _a(by: str) -> str:
    return "an action in its body" if by == "action" else f"a {by} parameter"
