"""Leases: which node has a duty that only one may have.

No two clocks are ever compared. A holder renews by changing a beat; another takes over after it
has seen the same beat for the whole term of the lease by its own steady clock, and the holder
stops a third earlier by its own. What a former holder still does must be harmless: its batches
carry `Lease.checks`, which fail from the take-over on, and what it deletes otherwise it could have
deleted before.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Final, Protocol

from aisle.core.errors import RowChanged
from aisle.namespace.records import Beat, decode, encode
from aisle.namespace.records import Lease as LeaseRow
from aisle.store.base import ABSENT, Change, Check, Delete, Index, Put

SECONDS: Final = 10.0
# The duty of the one node that keeps house and looks after the map.
PRIMARY: Final = "primary"


class Duty(Protocol):
    """Whether this process may do what only one may, and how its batches show it."""

    @property
    def held(self) -> bool: ...

    @property
    def checks(self) -> Sequence[Check]: ...


class Sole:
    """The duty of a node that is alone with its store: always its own."""

    held: Final = True
    checks: Final[Sequence[Check]] = ()


class Lease:
    """One node's side of the lease on the duty `name`. Call `turn` about every `seconds` / 5."""

    def __init__(
        self,
        index: Index,
        name: str,
        holder: str,
        *,
        seconds: float = SECONDS,
        steady: Callable[[], float] = time.monotonic,
    ) -> None:
        self._index = index
        self._key = name.encode()
        self._holder = holder
        self._seconds = seconds
        self._steady = steady
        self._row: bytes | None = None  # ours, while we hold it
        self._until = 0.0
        self._count = 0
        self._seen: tuple[bytes, bytes | None] | None = None
        self._since = 0.0

    @property
    def held(self) -> bool:
        """Whether this node may act as the holder now."""
        return self._row is not None and self._steady() < self._until

    @property
    def checks(self) -> Sequence[Check]:
        """What a batch of the holder carries: it fails once another has taken over.

        Raises `RowChanged` if this node knows that it has.
        """
        if self._row is None:
            raise RowChanged("lease", self._key)
        return [Check("lease", self._key, self._row)]

    async def turn(self) -> bool:
        """Renew the lease, or take it if it is free; True if it is held. Raises `StoreError`."""
        began = self._steady()
        row, beat = await self._look()
        if self._row is not None and row == self._row:
            await self._put(began, self._row, Check("lease", self._key, self._row))
        else:
            self._row = None
            if self._is_free(row, beat, began):
                term = decode(LeaseRow, row).term + 1 if row is not None else 1
                await self._put(
                    began,
                    encode(LeaseRow(self._holder, term)),
                    Check("lease", self._key, ABSENT if row is None else row),
                    Check("beat", self._key, ABSENT if beat is None else beat),
                )
        return self.held

    async def give_up(self) -> None:
        """Let another take over at once."""
        if self._row is None:
            return
        mine, self._row = self._row, None
        free = encode(LeaseRow("", decode(LeaseRow, mine).term))
        try:
            await self._index.commit(Check("lease", self._key, mine), Put("lease", self._key, free))
        except RowChanged:
            return  # another has taken over already

    def drop(self) -> None:
        """Forget a lease whose rows have gone, by `forgotten` in a batch of the holder."""
        self._row = None

    async def _look(self) -> tuple[bytes | None, bytes | None]:
        # The beat first: a beat that belongs to an older row makes a take-over fail, not succeed.
        beat = await self._index.get("beat", self._key)
        return await self._index.get("lease", self._key), beat

    def _is_free(self, row: bytes | None, beat: bytes | None, now: float) -> bool:
        if row is None or not decode(LeaseRow, row).holder:
            return True
        if (row, beat) != self._seen:
            self._seen, self._since = (row, beat), now
        return now - self._since >= self._seconds

    async def _put(self, began: float, row: bytes, *checks: Check) -> None:
        self._count += 1
        # A take-over must differ from what others have seen, so it starts from the term.
        beat = Beat(decode(LeaseRow, row).term << 32 | self._count)
        try:
            await self._index.commit(
                *checks, Put("lease", self._key, row), Put("beat", self._key, encode(beat))
            )
        except RowChanged:
            self._row = None
            return
        self._row = row
        self._until = began + self._seconds * 2 / 3


def forgotten(name: str) -> list[Change]:
    """The changes that end a duty, so that its rows do not stay."""
    key = name.encode()
    return [Delete("lease", key), Delete("beat", key)]


async def holder(index: Index, name: str) -> str:
    """The id of the node that has the duty, or that had it last; empty if none has."""
    row = await index.get("lease", name.encode())
    return decode(LeaseRow, row).holder if row is not None else ""
