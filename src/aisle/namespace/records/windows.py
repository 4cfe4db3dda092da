"""Rows of windows on remote buckets: `claim`, `inventory`, `inventories`.

What a window keeps of an object is an `Object` with an `Origin`, as in `buckets`.
"""

from __future__ import annotations

from aisle.namespace.records.base import Record
from aisle.namespace.records.buckets import Owned


class Inventoried(Owned, frozen=True, array_like=True):
    """An entry of an inventory of a remote bucket: what a listing shows, its version there, and
    digests of the whole body in hex."""

    version: str = ""
    sums: dict[str, str] = {}


class Inventory(Record, frozen=True, array_like=True):
    """An inventory of a remote bucket: see `window.inventory.generations`.

    `rows` is the id of the generation that is listed, empty while there is none; `source` tells
    what it was made of, `started` and `finished` (ns) when, `count` and `size` (bytes of its rows)
    how large it is. `making` is one that `job` makes of `making_of`; the rows of those in `dropped`
    are to be deleted. `prefix` limits what is in it; `chunk` is names a chunk, for who asks.
    """

    name: str
    rows: bytes = b""
    source: str = ""
    started: int = 0
    finished: int = 0
    count: int = 0
    size: int = 0
    prefix: str = ""
    chunk: int = 0
    job: str = ""
    making: bytes = b""
    making_of: str = ""
    dropped: list[bytes] = []


class Holder(Record, frozen=True, array_like=True):
    """Who is at work on an object of a window: `id` (16) names the work, `worker` the process, as
    in `reader`. A writer that has begun an upload in parts at the remote names it."""

    id: bytes
    worker: bytes
    writes: bool
    started: int
    upload: str = ""


class Claim(Record, frozen=True, array_like=True):
    """Who is at work on an object of a window: any number of writers, or one that fetches it. A
    copy may be kept only by one that was alone all the time: see `window.claims`. Of what is
    fetched, `etag` and `size` are told, and the chunks that are there already (table `chunk`)."""

    holders: list[Holder]
    crowded: bool = False
    etag: str = ""
    size: int = 0
