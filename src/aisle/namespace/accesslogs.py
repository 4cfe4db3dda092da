"""Server access logs: what was asked of buckets that log, gathered and written as objects.

A request leaves one line in memory, which costs it nothing but the formatting; every
`access_logs.interval`, when much has been gathered, and at the end of the process, each bucket's
lines become an object in the bucket that its `LOGGING` document names at that moment. That is done
as well as it can be, and no better, as at Amazon: lines of a process that is killed are lost, and
so are those that find no room or no bucket. What is written so is not a request, and leaves no line
itself, whichever bucket it goes to.

Spec: user guide, "Logging requests with server access logging".
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Final

import msgspec

from aisle.auth.acl import FULL_CONTROL, Grant, kept
from aisle.core.errors import AisleError, StoreError
from aisle.core.names import BucketName, encode_key
from aisle.namespace import buckets, documents, objects
from aisle.namespace.objects import Description
from aisle.namespace.records.encoding import reader
from aisle.namespace.store import BucketRow, Store

_log: Final = logging.getLogger("aisle.accesslogs")

LOGS: Final = documents.BITS[documents.LOGGING]
# Lines in memory: from so many bytes on they are written without further delay, and of more than
# that the newest are dropped.
ENOUGH: Final = 4 << 20
MOST: Final = 32 << 20
_LOOK_SECONDS: Final = 1.0
SIMPLE: Final = "simple"
BY_EVENT: Final = "EventTime"
BY_DELIVERY: Final = "DeliveryTime"


class Logging(msgspec.Struct, frozen=True, array_like=True):
    """Where a bucket's requests are logged. `keys` is how log objects are called: not said,
    `SIMPLE`, or partitioned `BY_EVENT` or `BY_DELIVERY`."""

    target: str
    prefix: str
    grants: list[Grant] = []
    keys: str = ""


_decode: Final = reader(Logging, "a bucket's access logging")


def encode_logging(logging: Logging) -> bytes:
    return msgspec.msgpack.encode(logging)


async def logging_of(store: Store, row: BucketRow) -> Logging | None:
    """Where a bucket's requests are logged, if they are."""
    raw = (await documents.of(store, row)).raw.get(documents.LOGGING)
    return None if raw is None else _decode(raw)


def refusal(source: BucketRow, target: BucketRow) -> str:
    """Why logs of `source` cannot be kept in `target`, `""` if they can."""
    if target.record.behind is not None:
        return "a remote bucket is behind it"
    if target.record.owner != source.record.owner:
        return "it is not owned by the same account"
    if target.record.has & documents.BITS[documents.PAYMENT]:
        return "its requesters pay"
    return ""


class _Batch:
    """Lines of one bucket, each with the second of its request."""

    __slots__ = ("lines", "row")

    def __init__(self, row: BucketRow) -> None:
        self.row = row
        self.lines: list[tuple[int, bytes]] = []


class AccessLogs:
    """The lines that one process has gathered."""

    def __init__(self, store: Store, region: str) -> None:
        self._store = store
        self._region = region
        self._batches: dict[bytes, _Batch] = {}
        self._size = 0
        self._written = time.monotonic()
        self.dropped = 0

    def note(self, row: BucketRow, second: int, line: bytes) -> None:
        """Remember a line, which ends in a newline, if there is room."""
        if self._size + len(line) > MOST:
            self.dropped += 1
            return
        batch = self._batches.get(row.record.id)
        if batch is None:
            batch = self._batches[row.record.id] = _Batch(row)
        batch.lines.append((second, line))
        self._size += len(line)

    async def follow(self) -> None:
        """Write what is gathered, again and again."""
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            if not self._batches:
                continue
            try:
                interval = await self._store.duration("access_logs.interval") / 1e9
            except StoreError:
                continue
            if self._size >= ENOUGH or time.monotonic() - self._written >= interval:
                await self.write()

    async def write(self) -> None:
        """Write all that is gathered. What the index cannot take now is kept for later."""
        batches, self._batches, self._size = list(self._batches.values()), {}, 0
        self._written = time.monotonic()
        while batches:
            batch = batches.pop()
            try:
                await self._deliver(batch)
            except asyncio.CancelledError:  # the process ends, and will write once more
                for left in (batch, *batches):
                    self._keep(left)
                raise
            except StoreError as error:
                _log.warning("access logs cannot be written: %s", error)
                self._keep(batch)
            except AisleError as error:
                self._drop(batch, str(error))
            except Exception:
                _log.exception("access logs of %s cannot be written", batch.row.name)
                self.dropped += len(batch.lines)
        if self.dropped:
            _log.warning("%d lines of access logs were dropped", self.dropped)
            self.dropped = 0

    def _keep(self, batch: _Batch) -> None:
        for second, line in batch.lines:
            self.note(batch.row, second, line)

    def _drop(self, batch: _Batch, why: str) -> None:
        _log.info("access logs of %s cannot be delivered: %s", batch.row.name, why)
        self.dropped += len(batch.lines)

    async def _deliver(self, batch: _Batch) -> None:
        """Write the lines of a bucket, wherever it wants them by now. Raises `AisleError`."""
        source = await buckets.refresh(self._store, batch.row)
        logging = await logging_of(self._store, source)
        if logging is None:
            return
        target = await buckets.get(self._store, BucketName(logging.target))
        why = refusal(source, target)
        if why:
            self._drop(batch, why)
            return
        owner = target.record.owner
        grants = [Grant("id", owner, FULL_CONTROL), *logging.grants]
        description = Description(
            headers={"content-type": "text/plain"},
            owner=owner,
            checksum_algorithm="CRC64NVME",
            acl=kept(grants, owner),
        )
        now = self._store.now() // 1_000_000_000
        for moment, lines in _days(batch, now, by_event=logging.keys == BY_EVENT):
            where = logging.prefix + self._directory(source, moment, logging.keys)
            key = encode_key(log_key(where, moment))
            await objects.put(self._store, target, key, _Text(lines), description)

    def _directory(self, source: BucketRow, moment: datetime, keys: str) -> str:
        if keys not in (BY_EVENT, BY_DELIVERY):
            return ""
        record = source.record
        where = record.location or self._region
        return f"{record.owner}/{where}/{record.name}/{moment:%Y/%m/%d}/"


def log_key(prefix: str, moment: datetime) -> str:
    """A name that no other log object has."""
    return f"{prefix}{moment:%Y-%m-%d-%H-%M-%S}-{secrets.token_hex(8).upper()}"


def _days(batch: _Batch, now: int, *, by_event: bool) -> Iterator[tuple[datetime, bytes]]:
    """The lines in order, with the time that their object tells: each day's if that counts."""
    batch.lines.sort(key=lambda pair: pair[0])
    if not by_event:
        yield datetime.fromtimestamp(now, UTC), b"".join([line for _, line in batch.lines])
        return
    days: dict[int, list[bytes]] = {}
    for second, line in batch.lines:
        days.setdefault(second // 86_400, []).append(line)
    for day, lines in days.items():
        yield datetime.fromtimestamp(day * 86_400, UTC), b"".join(lines)


class _Text:
    """A body that is in memory already: an `Incoming`."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.size: int | None = len(data)

    async def read(self) -> bytes:
        data, self._data = self._data, b""
        return data

    def verify(self, digests: Mapping[str, bytes], size: int) -> None:
        """Nobody has claimed anything of it."""
