"""What `objects` and `bodies` know of buckets with a remote one behind them: a protocol.

It stands below them so that every operation of every dialect finds a remote object as it finds one
of its own: `objects.head`, `find` and `find_small` ask `present`, which may answer with a record
whose one extent is `cold`; `bodies.read_extents` reads such an extent through `read`, wherever the
bytes are by then; `objects.commit` and `objects.delete` leave the write to `commit` and `delete`.
The implementation is `namespace.window`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from aisle.backend.base import Backend
from aisle.namespace.conditions import WriteConditions
from aisle.namespace.records import Extent, Object
from aisle.store.base import Change

if TYPE_CHECKING:
    from aisle.namespace.bodies import Stored
    from aisle.namespace.store import BucketRow, Store


class How(NamedTuple):
    """Why an object is asked for. `latest` compares a copy with the remote first, as the bucket's
    `versioning.validate_warm_get` does for all; `whole` says that all bytes are about to be read,
    in order, so that fetching them may begin at once; `used` counts as an access. The remote is
    asked by `via`, where a request brings its own way to it. `version` is asked for instead of the
    current one, in buckets of our own; `customer_key` opens what is encrypted with one."""

    latest: bool = False
    whole: bool = False
    used: bool = False
    via: Backend | None = None
    version: str = ""
    customer_key: bytes = b""


LOOK: Final = How()
READ: Final = How(whole=True, used=True)
PART: Final = How(used=True)


class Window(Protocol):
    """The objects of windows, for one process."""

    async def present(
        self, store: Store, bucket: BucketRow, key: bytes, cached: Object | None, how: How
    ) -> Object:
        """The object as it is to be served: `cached` if that is good, else what the remote says,
        with one `cold` extent (none if it is empty). Raises `ObjectNotFound`, `RemoteError`s,
        `ColdGetDisabled`."""
        ...

    def read(self, store: Store, extent: Extent, offset: int, length: int) -> AsyncIterator[bytes]:
        """Bytes of a cold extent: of the version that `present` spoke of, or none. Raises
        `RemoteChanged` and other `RemoteError`s."""
        ...

    async def fetch(
        self,
        store: Store,
        bucket: BucketRow,
        key: bytes,
        *,
        workers: int = 0,
        chunk: int = 0,
        latest: bool = False,
    ) -> Object:
        """Bring an object into the cluster, and its row once it is there: see
        `window.downloads.fetch`."""
        ...

    async def commit(
        self,
        store: Store,
        bucket: BucketRow,
        key: bytes,
        stored: Stored | None,
        build: Callable[[Object | None, int], Object],
        conditions: WriteConditions,
        extra: tuple[Change, ...],
        via: Backend | None = None,
    ) -> Object:
        """Write through: the remote first (by `via`, where a request brings its own way to it),
        then the row with what the remote answered. Raises what `objects.commit` does and
        `RemoteError`s; then nothing is left of it."""
        ...

    async def delete(
        self, store: Store, bucket: BucketRow, key: bytes, conditions: WriteConditions
    ) -> bool:
        """Delete the remote object and the copy; False if there was none."""
        ...
