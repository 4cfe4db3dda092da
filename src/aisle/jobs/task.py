"""What the work of a job is given: its arguments, the store, and a place to tell how far it is.

Work is a coroutine `async def copy_bucket(task: Task) -> object` that may be cancelled at any
`await` (the job was stopped, or its node has lost it) and begun again elsewhere: it goes on from
`task.progress.cursor`, and doing a step twice must be harmless. It never sees its lease. What it
returns, JSON-able, is the job's result; an `AisleError` that it raises is the job's error.

Arguments that name buckets are lists of a `BucketName`'s parts, so that every dialect can show
them: `bck` is the bucket that a job is on, and `to` the one that it fills from that.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import msgspec

from aisle.core.errors import RowChanged, StoreUnavailable
from aisle.core.names import BucketName
from aisle.namespace.records import Job, Progress, encode
from aisle.namespace.store import Store
from aisle.store.base import Check, Put

_log: Final = logging.getLogger("aisle.jobs")

SAVE_SECONDS: Final = 0.5
BUCKET: Final = "bck"
TO: Final = "to"


def bucket_in(args: Mapping[str, Any], name: str = BUCKET) -> BucketName | None:
    """The bucket that the arguments of a job name, if they do."""
    parts = args.get(name)
    return BucketName(*parts) if parts else None


class Task:
    """One run of a job. `record` is the job as it was when this run began."""

    def __init__(
        self,
        store: Store,
        identity: str,
        record: Job,
        progress: Progress,
        checks: Callable[[], Sequence[Check]],
        *,
        lost: Callable[[], None] = lambda: None,
    ) -> None:
        self.store = store
        self.id = identity
        self.record = record
        self.progress = progress
        self._checks = checks
        self._lost = lost
        self._saved = time.monotonic()

    @property
    def args(self) -> Mapping[str, Any]:
        return self.record.args

    async def advance(
        self,
        objects: int = 0,
        size: int = 0,
        *,
        cursor: str | None = None,
        errors: int = 0,
        message: str | None = None,
    ) -> None:
        """Note what has been done since the last call; it is saved now and then.

        Ends the work, as any `await` of it may, once another worker has taken the job over.
        """
        old = self.progress
        self.progress = msgspec.structs.replace(
            old,
            objects=old.objects + objects,
            bytes=old.bytes + size,
            errors=old.errors + errors,
            cursor=old.cursor if cursor is None else cursor,
            message=old.message if message is None else message,
        )
        if time.monotonic() - self._saved < SAVE_SECONDS:
            return
        try:
            await self.save()
        except StoreUnavailable as error:
            # What is not saved is done again by another; this run need not end for it.
            _log.warning("the progress of job %s cannot be saved: %s", self.id, error)

    async def save(self) -> None:
        """Make the progress visible, and the place from which another would go on durable."""
        self._saved = time.monotonic()
        try:
            await self.store.index.commit(*self._checks(), self.saved)
        except RowChanged:
            # Not an error that work could handle: it has to stop, here and in all its tasks.
            self._lost()
            raise asyncio.CancelledError(f"job {self.id} was taken over") from None

    @property
    def saved(self) -> Put:
        """The progress as a change of its row."""
        return Put("progress", self.id.encode(), encode(self.progress))
