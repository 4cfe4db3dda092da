"""The configuration as rows: the cluster's settings, and what single nodes have of their own.

What is in force on a node is, the last one winning: the defaults, the cluster's settings, the
node's own, and the transient ones of its present session. A transient change of the cluster is one
of every node that lives at that moment: each drops it when it restarts, and nodes that come later
never have it. A lasting change of a setting ends transient ones of the same name, so that what was
set last counts. Every change is one commit with checks; nothing is remembered in a process.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Final

from aisle.core.errors import RowChanged, StoreUnavailable
from aisle.core.settings import Value
from aisle.namespace.records import Config, NodeConfig, decode, encode
from aisle.store.base import ABSENT, Change, Check, Index, Put

CONFIG_KEY: Final = b"cluster"
# Settings of backends: which are switched off, and what clusters are attached.
BACKENDS: Final = "backend."
ENABLED: Final = "enabled"
DISABLED: Final = "disabled"
_NODE: Final = b"node/"
_NODES: Final = 10_000
_RETRIES: Final = 64
_NOTHING: Final = NodeConfig({})


def node_key(node: str) -> bytes:
    return _NODE + node.encode("utf-8", "surrogateescape")


async def change_cluster(
    index: Index,
    values: Mapping[str, Value],
    *,
    now: int,
    reset: bool | Collection[str] = False,
) -> Config:
    """Set the cluster's settings (already parsed and checked).

    `reset` first sets all of them back, or those it names; the nodes' own values go with them.
    """
    for _ in range(_RETRIES):
        row = await index.get("config", CONFIG_KEY)
        old = decode(Config, row) if row else Config(0, {})
        new = Config(old.version + 1, {**_without(old.values, reset), **values}, now)
        changes: list[Change] = [
            Check("config", CONFIG_KEY, row if row is not None else ABSENT),
            Put("config", CONFIG_KEY, encode(new)),
        ]
        for key, raw in await index.scan("config", prefix=_NODE, limit=_NODES):
            had = decode(NodeConfig, raw)
            kept = NodeConfig(
                _without(had.values, reset),
                had.session,
                _without(_without(had.transient, reset), tuple(values)),
                had.orders,
            )
            if kept != had:
                changes += [Check("config", key, raw), Put("config", key, encode(kept))]
        try:
            await index.commit(*changes)
        except RowChanged:
            continue
        return new
    raise StoreUnavailable("the cluster configuration is being changed by too many writers")


async def change_backends(
    index: Index,
    change: Callable[[Config], Mapping[str, Value]],
    dropped: Callable[[Config], Collection[str]],
    *,
    now: int,
) -> Config:
    """Set what the cluster's settings say of backends, from what they say now; `change` and
    `dropped` may raise, and may be asked again."""
    for _ in range(_RETRIES):
        row = await index.get("config", CONFIG_KEY)
        old = decode(Config, row) if row else Config(0, {})
        values = {**_without(old.values, dropped(old)), **change(old)}
        new = Config(old.version + 1, values, now)
        try:
            await index.commit(
                Check("config", CONFIG_KEY, row if row is not None else ABSENT),
                Put("config", CONFIG_KEY, encode(new)),
            )
        except RowChanged:
            continue
        return new
    raise StoreUnavailable("the cluster configuration is being changed by too many writers")


async def change_node(index: Index, node: str, values: Mapping[str, Value]) -> None:
    """Set values of one node, until they are reset."""

    def change(had: NodeConfig) -> NodeConfig:
        transient = _without(had.transient, tuple(values))
        return NodeConfig({**had.values, **values}, had.session, transient, had.orders)

    await _update(index, {node: ""}, change)


async def reset_node(index: Index, node: str, reset: bool | Collection[str] = True) -> None:
    """Take values of one node back, all of them or those named: the cluster's are in force."""

    def change(had: NodeConfig) -> NodeConfig:
        return NodeConfig(
            _without(had.values, reset), had.session, _without(had.transient, reset), had.orders
        )

    await _update(index, {node: ""}, change)


async def set_transient(
    index: Index, sessions: Mapping[str, str], values: Mapping[str, Value]
) -> None:
    """Set values on nodes until they restart; `sessions` tells the present one of each node."""

    def change(had: NodeConfig) -> NodeConfig:
        return NodeConfig(had.values, had.session, {**had.transient, **values}, had.orders)

    await _update(index, sessions, change)


async def order(index: Index, sessions: Mapping[str, str], what: str) -> None:
    """Tell nodes to do `what`; each worker of theirs hears of it when it looks at its row."""

    def change(had: NodeConfig) -> NodeConfig:
        orders = {**had.orders, what: had.orders.get(what, 0) + 1}
        return NodeConfig(had.values, had.session, had.transient, orders)

    await _update(index, sessions, change)


async def of_node(index: Index, node: str) -> NodeConfig:
    """What a node has of its own."""
    row = await index.get("config", node_key(node))
    return decode(NodeConfig, row) if row else _NOTHING


def in_force(cluster: Config, own: NodeConfig, session: str) -> Config:
    """The settings that differ from the defaults on a node that is in `session`."""
    if not own.values and not own.transient:
        return cluster
    transient = own.transient if own.session == session else {}
    return Config(cluster.version, {**cluster.values, **own.values, **transient}, cluster.changed)


def _without(values: Mapping[str, Value], names: bool | Collection[str]) -> dict[str, Value]:
    if names is True:  # backends are no defaults to go back to
        return {name: value for name, value in values.items() if name.startswith(BACKENDS)}
    if names is False:
        return dict(values)
    return {name: value for name, value in values.items() if name not in names}


async def _update(
    index: Index, sessions: Mapping[str, str], change: Callable[[NodeConfig], NodeConfig]
) -> None:
    """Change the rows of nodes; where a session is told, what belongs to an earlier one goes."""
    keys = [node_key(node) for node in sessions]
    for _ in range(_RETRIES):
        rows = await index.get_many("config", keys)
        changes: list[Change] = []
        for key, row, session in zip(keys, rows, sessions.values(), strict=True):
            had = decode(NodeConfig, row) if row else _NOTHING
            if session and had.session != session:
                had = NodeConfig(had.values, session)
            new = encode(change(had))
            if new != row:
                changes += [
                    Check("config", key, ABSENT if row is None else row),
                    Put("config", key, new),
                ]
        try:
            if changes:
                await index.commit(*changes)
        except RowChanged:
            continue
        return
    raise StoreUnavailable("a node's configuration is being changed by too many writers")
