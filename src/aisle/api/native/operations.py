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
    backends,
    batches,
    bmd,
    buckets,
    caching,
    certificates,
    cluster,
    config,
    copies,
    edits,
    export,
    inventories,
    jobs,
    keys,
    lists,
    logs,
    multi,
    nodes,
    objects,
    openapi,
    parts,
    promote,
    registered,
    remotes,
    roles,
    smap,
    stats,
    summaries,
    tokens,
    undelivered,
    users,
)
from aisle.api.native.errors import NoSuchCall
from aisle.api.native.needs import NEEDS, Where
from aisle.api.native.route import Route
from aisle.core.errors import InvalidArgument, NotSupported
from aisle.core.http import RequestHead, decode_component

_ROWS: Final = (
    *cluster.ROUTES,
    *backends.ROUTES,
    *remotes.ROUTES,
    *smap.ROUTES,
    *config.ROUTES,
    *nodes.ROUTES,
    *certificates.ROUTES,
    *logs.ROUTES,
    *bmd.ROUTES,
    *stats.ROUTES,
    *jobs.ROUTES,
    *export.ROUTES,
    *buckets.ROUTES,
    *lists.ROUTES,
    *inventories.ROUTES,
    *summaries.ROUTES,
    *multi.ROUTES,
    *caching.ROUTES,
    *promote.ROUTES,
    *objects.ROUTES,
    *parts.ROUTES,
    *append.ROUTES,
    *copies.ROUTES,
    *edits.ROUTES,
    *archives.ROUTES,
    *batches.ROUTES,
    *users.ROUTES,
    *keys.ROUTES,
    *roles.ROUTES,
    *registered.ROUTES,
    *tokens.ROUTES,
    *undelivered.ROUTES,
)
ROUTES: Final = (*_ROWS, openapi.route(_ROWS))
# Where Prometheus looks, and where clients of OpenID Connect do; all else is below `/v1`.
METRICS: Final = b"/metrics"
WELL_KNOWN: Final = b"/.well-known/"
# What stands before a name below `/v1/cluster`.
_NAMED: Final = frozenset({"proxy", "enable-bend", "disable-bend"})
# What belongs to a user, and what one of it is called in the table.
_OF_USERS: Final = {"keys": "A", "policies": "D"}
# Methods and paths of operations that need no credentials.
OPEN: Final = frozenset(
    (row.method, row.path) for row in ROUTES if NEEDS[row.name].where is Where.OPEN
)

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
    if path.startswith(WELL_KNOWN):
        return Target(path[1:].decode("latin-1"))
    noun, _, rest = path.decode("latin-1").removeprefix("/v1/").partition("/")
    if noun == "objects":
        bucket, _, key = rest.partition("/")
        where = "objects/B/K" if key else "objects/B"
        return Target(where, decode_component(bucket), decode_component(key))
    bucket, _, prefix = rest.partition("/")
    if noun == "buckets" and bucket and prefix:
        return Target("buckets/B/P", decode_component(bucket), decode_component(prefix))
    rest = rest.removesuffix("/")
    if noun in ("users", "roles", "clusters") and rest:
        return _named(noun, rest)
    place, _, name = rest.partition("/")
    if noun == "cluster" and place in _NAMED and name:
        return Target(f"cluster/{place}/N", "", decode_component(name))
    if noun == "ml" and place == "moss" and name:
        return Target("ml/moss/B", decode_component(name))
    if noun == "buckets" and rest:
        return Target("buckets/B", decode_component(rest))
    return Target(f"{noun}/{rest}" if rest else noun)


def _named(noun: str, rest: str) -> Target:
    """A user, role or cluster, or what belongs to a user; its name then stands before a slash,
    which is in no user's name."""
    name, _, more = rest.partition("/")
    if not more:
        return Target(f"{noun}/N", "", decode_component(name))
    kind, _, item = more.partition("/")
    letter = _OF_USERS.get(kind)
    if noun != "users" or letter is None or "/" in item:
        return Target(f"{noun}/{rest}")
    if not item:
        return Target(f"users/N/{kind}", "", decode_component(name))
    key = f"{decode_component(name)}/{decode_component(item)}"
    return Target(f"users/N/{kind}/{letter}", "", key)


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
