"""A row of the table of native operations; every module of handlers has some, see `operations`."""

from __future__ import annotations

from typing import Literal, NamedTuple

from aisle.api.native.message import NativeHandler

By = Literal["", "what", "action", "param"]


class Route(NamedTuple):
    """Which request means which operation.

    A row is a method, a path (`B` stands for a bucket, `K` for a key), and what tells it from
    others of the same method and path: the `what` of the query, the `action` of the message in the
    body, or a `param` of the query that only this operation has. `values` are those of `by` that
    mean it; the first is its proper one, and `""` the lack of any. `refuses` are parameters that
    would make another operation of it, which is not offered.
    """

    method: str
    path: str
    by: By
    values: tuple[str, ...]
    name: str
    handler: NativeHandler
    refuses: tuple[str, ...] = ()
