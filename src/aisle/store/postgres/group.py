"""Batches that are committed together, worked out on values alone: which rows have to be read and
locked, which batches pass, and what is left to write. No I/O.

A row goes by its *full key*, which is the name of its table, NUL, and its key. Each batch is judged
against what the batches before it leave. Nothing may change between the judgement and the commit,
and this is what keeps it so:

* a row that is checked and written is locked (FOR UPDATE), one that is only checked is shared
  (FOR SHARE), in the order of their keys;
* a row that was found, or is only believed, to be absent is inserted without further ado, and
  deleted again if it is not to stay: if it is there after all, everything is rolled back;
* rows of watched tables are only read: nobody changes them while we are at it (`postgres.commit`).

Deletions come last: to delete what is not there locks nothing, so everything else that the
transaction depends on has to be locked by then.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from itertools import zip_longest
from typing import Final, Literal, NamedTuple

from aisle.core.errors import RowChanged, StoreError
from aisle.store.base import ABSENT, Change, Check, Put
from aisle.store.postgres.schema import BODY, OBJECT, ROW
from aisle.store.rows import successor


class Clear(NamedTuple):
    """Remove every row of `table`: what `Index.drop` queues."""

    table: str


class Batch:
    """What one caller wants applied, and where its answer goes."""

    __slots__ = ("changes", "error", "future", "size")

    def __init__(self, changes: Sequence[Change] | Clear, future: asyncio.Future[None]) -> None:
        self.changes = changes
        self.future = future
        self.error: StoreError | None = None
        self.size = 0
        if not isinstance(changes, Clear):
            self.size = sum(len(c.value) for c in changes if type(c) is Put)


class Tables(NamedTuple):
    """The tables of the port that are not like the others: see `postgres.schema` for where their
    rows lie, and `postgres.commit` for what it means to be watched."""

    bulky: frozenset[str]
    lasting: frozenset[str]
    watched: frozenset[str]

    def physical(self, table: str) -> str:
        if table in self.bulky:
            return BODY
        return OBJECT if table in self.lasting else ROW


def full_key(table: str, key: bytes) -> bytes:
    """No table's full keys lie among those of another one."""
    return b"%b\0%b" % (table.encode(), key)


Kind = Literal["insert", "upsert", "delete", "clear"]


class Write(NamedTuple):
    """What a physical table has to take. For `clear` the rows from `keys[0]` up to `values[0]`."""

    kind: Kind
    physical: str
    keys: list[bytes]
    values: list[bytes]


Round = list[Write]  # at most one of each physical table: what one statement can do


class Statement(NamedTuple):
    """What to execute. It returns how many rows it has inserted; unless that is `inserted`, some
    of them were there already."""

    sql: str
    arguments: list[list[bytes]]
    inserted: int


Query = tuple[str, list[list[bytes]]]

_PHYSICAL: Final = (OBJECT, ROW, BODY)  # in this order they are locked
_LOCKS: Final = (" ORDER BY k FOR UPDATE", " ORDER BY k FOR SHARE", "")
_PUTS: Final[tuple[Kind, ...]] = ("insert", "upsert")
_INSERT: Final = "INSERT INTO {physical}(k, v) SELECT * FROM unnest(${a}::bytea[], ${b}::bytea[])"
_SQL: Final[dict[Kind, str]] = {
    # Not an error, which a server would write into its log each time.
    "insert": _INSERT + " ON CONFLICT (k) DO NOTHING RETURNING 1",
    "upsert": _INSERT + " ON CONFLICT (k) DO UPDATE SET v = excluded.v",
    "delete": "DELETE FROM {physical} WHERE k = ANY(${a}::bytea[])",
    "clear": "DELETE FROM {physical} WHERE k >= (${a}::bytea[])[1] AND k < (${b}::bytea[])[1]",
}


class Group:
    """Batches in the order of the queue. It may be judged again after another read."""

    def __init__(self, batches: Sequence[Batch], tables: Tables) -> None:
        self.batches = batches
        self._tables = tables
        self._where: dict[bytes, str] = {}  # full key -> physical table
        self._written: set[bytes] = set()
        self._checked: dict[bytes, bool] = {}  # full key -> whether it may be taken to be absent
        self._watched: set[bytes] = set()
        changed: set[str] = set()
        for batch in batches:
            if isinstance(batch.changes, Clear):
                changed.add(batch.changes.table)
                continue
            for change in batch.changes:
                key = full_key(change.table, change.key)
                self._where[key] = tables.physical(change.table)
                if isinstance(change, Check):
                    guess = change.expected is ABSENT and change.table not in tables.watched
                    self._checked[key] = guess or self._checked.get(key, False)
                else:
                    self._written.add(key)
                    changed.add(change.table)
                if change.table in tables.watched:
                    self._watched.add(key)
        self.clears = any(isinstance(batch.changes, Clear) for batch in batches)
        self.changes_watched = not changed.isdisjoint(tables.watched)

    def read(self, *, guess: bool) -> Query | None:
        """The statement that reads and locks what is checked: rows of full key and value. With
        `guess` a row that some batch expects to be absent is not read: its insertion will tell."""
        wanted: dict[tuple[str, int], list[bytes]] = {}
        for key in sorted(self._checked):
            if not (guess and self._checked[key]):
                lock = 2 if key in self._watched else 0 if key in self._written else 1
                wanted.setdefault((self._where[key], lock), []).append(key)
        parts: list[str] = []
        arguments: list[list[bytes]] = []
        for physical in _PHYSICAL:
            for number, lock_sql in enumerate(_LOCKS):
                if keys := wanted.get((physical, number)):
                    arguments.append(keys)
                    among = f"k = ANY(${len(arguments)}::bytea[])"
                    parts.append(f"SELECT k, v FROM {physical} WHERE {among}{lock_sql}")  # noqa: S608
        if len(parts) < 2:
            return (parts[0], arguments) if parts else None
        # What locks cannot stand in a UNION, but in a WITH.
        named = ", ".join(f"part{number} AS ({part})" for number, part in enumerate(parts))
        union = " UNION ALL ".join(f"SELECT k, v FROM part{n}" for n in range(len(parts)))  # noqa: S608
        return f"WITH {named} {union}", arguments

    def judge(self, found: dict[bytes, bytes], *, guess: bool) -> list[Round]:
        """Set `error` of every batch, and return what has to be written, if anything.

        `found` has the rows that `read` found.
        """
        state: dict[bytes, bytes | None] = {key: found.get(key) for key in self._checked}
        # Rows whose absence is relied on: also of those who fail for it.
        absent = {key for key, guessed in self._checked.items() if guess and guessed}
        ours: set[bytes] = set()
        pending: dict[bytes, bytes | None] = {}
        rounds: list[Round] = []
        for batch in self.batches:
            batch.error = None
            if isinstance(batch.changes, Clear):
                rounds += self._rounds(pending, absent)
                rounds.append([self._clear(batch.changes.table, state, ours)])
                pending, absent = {}, set()
                continue
            keys = [full_key(change.table, change.key) for change in batch.changes]
            failed = _first_failed(batch.changes, keys, state)
            if failed is not None:
                batch.error = RowChanged(failed.table, failed.key)
                continue
            for change, key in zip(batch.changes, keys, strict=True):
                if isinstance(change, Check) and change.expected is ABSENT and key not in ours:
                    absent.add(key)
            for change, key in zip(batch.changes, keys, strict=True):
                if not isinstance(change, Check):
                    pending[key] = state[key] = change.value if isinstance(change, Put) else None
                    ours.add(key)
        return rounds + self._rounds(pending, absent)

    def _clear(self, table: str, state: dict[bytes, bytes | None], ours: set[bytes]) -> Write:
        low = full_key(table, b"")
        high = successor(low)
        assert high is not None
        for key in state:
            if key.startswith(low):
                state[key] = None
                ours.discard(key)
        return Write("clear", self._tables.physical(table), [low], [high])

    def _rounds(self, pending: dict[bytes, bytes | None], absent: set[bytes]) -> list[Round]:
        """Insertions and other puts, then deletions, each in the order of the keys."""
        made: dict[tuple[Kind, str], Write] = {}
        inserted = absent - self._watched
        for key in sorted(pending.keys() | inserted):
            physical, value = self._where[key], pending.get(key)
            if value is not None or key in inserted:
                kind: Kind = "insert" if key in inserted else "upsert"
                write = made.setdefault((kind, physical), Write(kind, physical, [], []))
                write.keys.append(key)
                write.values.append(value or b"")
            if value is None:
                write = made.setdefault(("delete", physical), Write("delete", physical, [], []))
                write.keys.append(key)
        puts = [[made[k, p] for k in _PUTS if (k, p) in made] for p in _PHYSICAL]
        rounds = [[write for write in some if write is not None] for some in zip_longest(*puts)]
        deletes = [made["delete", p] for p in _PHYSICAL if ("delete", p) in made]
        return [*rounds, deletes] if deletes else rounds


def _first_failed(
    changes: Iterable[Change], keys: Iterable[bytes], state: dict[bytes, bytes | None]
) -> Check | None:
    for change, key in zip(changes, keys, strict=True):
        if isinstance(change, Check):
            expected = None if change.expected is ABSENT else change.expected
            if state[key] != expected:
                return change
    return None


def statements(rounds: Sequence[Round], marker: bytes) -> list[Statement]:
    """One statement a round. They write one more row, `marker`, which is there if and when the
    others are."""
    return [_statement(some) for some in _marked(rounds, marker)]


def _marked(rounds: Sequence[Round], marker: bytes) -> list[Round]:
    marked = [list(some) for some in rounds]
    for some in marked:
        for number, write in enumerate(some):
            if write.physical == ROW and write.kind in _PUTS:
                keys, values = [marker, *write.keys], [b"", *write.values]
                some[number] = Write(write.kind, ROW, keys, values)
                return marked
    alone = Write("insert", ROW, [marker], [b""])
    if all(write.physical != ROW for write in marked[0]):
        marked[0].append(alone)
        return marked
    return [[alone], *marked]


def _statement(some: Round) -> Statement:
    texts: list[str] = []
    arguments: list[list[bytes]] = []
    for write in some:
        first = len(arguments) + 1
        texts.append(_SQL[write.kind].format(physical=write.physical, a=first, b=first + 1))
        arguments.append(write.keys)
        if write.kind != "delete":
            arguments.append(write.values)
    inserts = [number for number, write in enumerate(some) if write.kind == "insert"]
    inserted = sum(len(some[number].keys) for number in inserts)
    if not inserts and len(texts) == 1:
        return Statement(texts[0], arguments, 0)
    arms = ", ".join(f"arm{number} AS ({text})" for number, text in enumerate(texts))
    sums = " + ".join(f"(SELECT count(*) FROM arm{number})" for number in inserts)  # noqa: S608
    return Statement(f"WITH {arms} SELECT {sums or '0'}", arguments, inserted)
