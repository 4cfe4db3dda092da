"""Rows of the cluster, its nodes and their workers: `node`, `lease`, `beat`, `reader`, `config`.

The keys under `config` are in `users`, beside what they are kin to.
"""

from __future__ import annotations

from typing import Any

from aisle.namespace.records.base import Record


class Reader(Record, frozen=True, array_like=True):
    """A worker process: when it was last alive, and since when its longest read has run."""

    alive: int
    oldest: int


class Member(Record, frozen=True, array_like=True):
    """A node of the cluster: what it said of itself when it joined, and what it was told since.

    `url` is where others reach it; `session` tells one start of a node from the next; `formats`
    is the highest row version it reads; sizes are bytes, `started` is in nanoseconds.
    """

    url: str
    session: str
    version: str
    formats: int
    started: int
    workers: int
    state: str


class Lease(Record, frozen=True, array_like=True):
    """Who has a duty, since its `term`-th change of hands. `holder` is empty if it was given up."""

    holder: str
    term: int


class Beat(Record, frozen=True, array_like=True):
    """A sign of life: `count` differs from one to the next, and by nothing else is it judged.

    `total` and `free` are the bytes under the blobs, as the node that sent it sees them.
    """

    count: int
    total: int = 0
    free: int = 0


class Config(Record, frozen=True, array_like=True):
    """The cluster's settings that differ from the defaults, by flat name; `changed` is when they
    last did, in nanoseconds."""

    version: int
    values: dict[str, Any]
    changed: int = 0


class NodeConfig(Record, frozen=True, array_like=True):
    """What one node has of its own, by flat name, over the cluster's settings.

    `transient` values are in force only while the node's `session` is this one, so a restart of
    the node drops them. `orders` counts how often the node was told to do something.
    """

    values: dict[str, Any]
    session: str = ""
    transient: dict[str, Any] = {}
    orders: dict[str, int] = {}
