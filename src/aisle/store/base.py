"""The two ports: `Index` (small rows in byte order) and `Blobs` (immutable bytes).

Contract, held by the suites in `tests/store/` on every engine:

* Methods are coroutines; an engine may complete without suspending. There is no sync twin.
* A miss is `None`. Failures are `aisle.core.errors.StoreError` subclasses, nothing else.
* No transaction is held across an await: conditions travel inside the batch as `Check`.
* What `commit` or `seal` returned from survives power loss (unless durability was relaxed).

Only the contract lives here. It knows no bucket, no object, no HTTP.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Final, NamedTuple, Protocol


class _Absent:
    """The type of `ABSENT`: a row that must not exist."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "ABSENT"


ABSENT: Final = _Absent()


class Put(NamedTuple):
    """Set `key` of `table` to `value`."""

    table: str
    key: bytes
    value: bytes


class Delete(NamedTuple):
    """Remove `key` of `table`; removing an absent row is not an error."""

    table: str
    key: bytes


class Check(NamedTuple):
    """The batch applies only if the row equals `expected` (or is absent, for `ABSENT`)."""

    table: str
    key: bytes
    expected: bytes | _Absent


Change = Put | Delete | Check
Row = tuple[bytes, bytes]


class Fold(NamedTuple):
    """How `Index.scan` folds keys: of all keys that are the same up to and including the first
    `delimiter` at or after the byte `start`, it gives the first only. A delimiter has a byte other
    than 0xFF."""

    delimiter: bytes
    start: int


class IndexStats(NamedTuple):
    """What an engine tells of itself: rows per table where cheap (else -1), bytes on disk."""

    engine: str
    bytes_used: int


class Index(Protocol):
    """Small rows in tables, in byte order of their keys, changed in atomic durable batches.

    Tables are named by short ASCII words and exist from their first row on. Keys are 1 to
    2,560 bytes, values up to 16 MiB; others are a `ValueError`.
    """

    async def get(self, table: str, key: bytes) -> bytes | None: ...

    async def get_many(self, table: str, keys: Sequence[bytes]) -> list[bytes | None]:
        """The values of `keys`, in their order."""
        ...

    async def scan(
        self,
        table: str,
        *,
        prefix: bytes = b"",
        after: bytes = b"",
        limit: int,
        reverse: bool = False,
        fold: Fold | None = None,
    ) -> list[Row]:
        """Up to `limit` rows whose keys begin with `prefix`, in byte order.

        `after` is exclusive: only keys above it (below it when `reverse`; `b""` is no bound).
        With `fold`, which only goes forward, rows that it folds away are neither given nor read.
        """
        ...

    async def commit(self, *changes: Change) -> None:
        """Apply all changes or none; durable on return.

        All `Check`s are evaluated against the state before the batch. Raises `RowChanged` if
        one fails, `OutOfSpace`, `ReadOnlyStore` or `StoreUnavailable` if the engine cannot.
        """
        ...

    async def drop(self, table: str) -> None:
        """Remove every row of `table`."""
        ...

    @property
    def lag(self) -> float:
        """By how many seconds `epoch` may be behind other processes; 0.0 if it never is."""
        ...

    def epoch(self) -> int:
        """A cheap number that differs from an earlier one if a row may have changed since, up to
        `lag` seconds ago. While an engine cannot hold that promise (its database does not
        answer), every number is a new one.

        An engine may be told which tables it has to watch; changes of others then may not show.
        """
        ...

    async def time(self) -> int:
        """Nanoseconds since 1970 by the store's one clock, whichever machine asks."""
        ...

    async def stats(self) -> IndexStats: ...

    async def close(self) -> None: ...


class Body(Protocol):
    """Bytes being read. `read` returns 1 to `size` bytes, `b""` only at the end."""

    async def read(self, size: int) -> bytes: ...

    def close(self) -> None: ...


class BlobWriter(Protocol):
    """Bytes being written; either `seal` or `abort` ends it."""

    async def write(self, chunk: bytes) -> None: ...

    async def copy(self, blob: bytes, offset: int, length: int) -> None:
        """Append a range of a sealed blob of the same store, without passing through Python
        where the engine can."""
        ...

    async def seal(self) -> bytes:
        """Make the blob durable and return its id (1 to 64 bytes, minted by the engine)."""
        ...

    async def abort(self) -> None:
        """Drop what was written. Never raises; may be called after a failed `write` or `seal`."""
        ...


class BlobInfo(NamedTuple):
    """One blob as `scan` sees it. `owner` is `None` for a blob that was never sealed."""

    blob: bytes
    owner: bytes | None
    age: float
    size: int


class Space(NamedTuple):
    """Bytes of the disks (or pool) under the blobs."""

    total: int
    used: int
    free: int


class Blobs(Protocol):
    """Immutable bytes under ids that the engine mints."""

    async def create(self, owner: bytes, *, size_hint: int = 0) -> BlobWriter:
        """Begin a blob. `owner` (up to 4 KiB) travels with it, so that it can be traced."""
        ...

    async def open(self, blob: bytes, offset: int, length: int) -> Body:
        """Read `length` bytes from `offset`. Raises `BlobMissing` (here, or from `read` when
        bytes are short)."""
        ...

    async def delete(self, blob: bytes) -> None:
        """Remove a blob; an absent one is not an error. Bodies already open may be cut off."""
        ...

    def scan(self) -> AsyncIterator[BlobInfo]:
        """Every blob, in no order, including unsealed ones; `age` in seconds since writing."""
        ...

    async def place(self, blob: bytes) -> str:
        """Where a blob lies, in its administrator's words: a mountpath, a pool, a bucket; `""` if
        it is not there, as far as that is looked at."""
        ...

    async def space(self) -> Space: ...

    async def close(self) -> None: ...
