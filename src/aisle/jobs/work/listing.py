"""The work of `write-inventory`: an inventory of a bucket of our own, into another one or itself.

It reads the bucket a page at a time, writes files of bounded size, and notes each of them in its
cursor once it is stored, with where the next one begins: who takes over writes the file that was at
work again, under the same name. Nothing is an inventory before its manifest and then the checksum
are there. Files of a job that did not come to that are removed by the next job of the same
configuration, and by itself where the configuration is gone.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import IO, Any, Final

import msgspec

from aisle.core.errors import AisleError, NotSupported, ObjectNotFound
from aisle.jobs.task import Task
from aisle.jobs.work.selection import open_bucket
from aisle.namespace import buckets, documents, objects
from aisle.namespace.inventories import columns as names
from aisle.namespace.inventories import configuration as configurations
from aisle.namespace.inventories import files, layout
from aisle.namespace.inventories.columns import Column, Entry
from aisle.namespace.inventories.configuration import Configuration
from aisle.namespace.inventories.files import Writer
from aisle.namespace.inventories.layout import File
from aisle.namespace.lifecycle import told
from aisle.namespace.objects import Description
from aisle.namespace.records import Object, decode
from aisle.namespace.sealing.wishes import Wish
from aisle.namespace.store import BucketRow, Store
from aisle.namespace.versions import listing
from aisle.namespace.versions.listing import Marker

KIND: Final = "write-inventory"
ID: Final = "id"
WHEN: Final = "when"
BEFORE: Final = "before"  # the job before, whose files are in the way if it was not finished
PAGE: Final = 1000
# A file ends with the page that brings it to either.
FILE_RECORDS: Final = 2_000_000
FILE_BYTES: Final = 256 << 20
_PIECE: Final = 1 << 20
_LIFECYCLE: Final = documents.BITS[documents.LIFECYCLE]
_TYPES: Final[Mapping[str, str]] = {
    "json": "application/json", "checksum": "text/plain", "txt": "text/plain",
}  # fmt: skip


class ConfigurationGone(AisleError):
    """The configuration was removed or changed while its inventory was written."""

    def __init__(self) -> None:
        super().__init__("the inventory configuration was removed or changed")


class _State(msgspec.Struct):
    """How far it is: files that are stored, and the last version in them."""

    files: list[File] = []
    key: str = ""
    version: str = ""
    count: int = 0
    swept: bool = False


class _Site(msgspec.Struct, frozen=True):
    """What the work is about."""

    source: BucketRow
    to: BucketRow
    raw: bytes
    about: Configuration
    columns: tuple[Column, ...]
    folder: str


async def write_inventory(task: Task) -> object:
    site = await _open(task)
    state = _read(task.progress.cursor)
    try:
        if not state.swept:
            await _sweep(task.store, site, str(task.args.get(BEFORE, "")))
            state.swept = True
        async with aclosing(_files(task, site, state)) as steps:
            async for count in steps:
                await task.advance(count, cursor=_written(state))
                await _check(task.store, site)
        key = await _publish(task, site, state)
    except ConfigurationGone:
        await _sweep(task.store, site, task.id)
        raise
    return {"manifest": f"s3://{site.to.record.name}/{key}", "objects": state.count}


async def _open(task: Task) -> _Site:
    source = await open_bucket(task)
    raw = (await documents.of(task.store, source)).raw.get(
        configurations.document(str(task.args[ID]))
    )
    if raw is None:
        raise ConfigurationGone
    about = configurations.unpack(raw)
    if not configurations.writes(about.format):
        raise NotSupported(f"{about.format} needs PyArrow: install aisle[inventory] on every node")
    to = await buckets.find(task.store, about.destination)
    if to.record.behind is not None:
        raise NotSupported("an inventory goes into a bucket of the cluster's own")
    return _Site(
        source, to, raw, about, names.chosen(about.fields, versions=about.versions),
        layout.folder(about, source.record.name),
    )  # fmt: skip


async def _check(store: Store, site: _Site) -> None:
    """Raise `ConfigurationGone` unless the configuration is what it was."""
    source = await buckets.refresh(store, site.source)
    raw = (await documents.of(store, source)).raw.get(configurations.document(site.about.id))
    if raw != site.raw:
        raise ConfigurationGone


async def _sweep(store: Store, site: _Site, job: str) -> None:
    """Remove the files of a job that was not finished: they are numbered without a gap."""
    if not job:
        return
    number = 0
    while True:
        key = layout.data_key(site.folder, site.about.format, job, number).encode()
        if not await objects.is_kept(store, site.to, key):
            return
        try:
            await objects.delete(store, site.to, key)
        except ObjectNotFound:
            return
        number += 1


# --- files ------------------------------------------------------------------------------------


async def _files(task: Task, site: _Site, state: _State) -> AsyncGenerator[int, None]:
    """Write file after file; gives the records of each once it is stored and in the state."""
    writer: Writer | None = None
    count = 0
    entry: Entry | None = None
    try:
        async with aclosing(_pages(task, site, state)) as pages:
            async for page in pages:
                if writer is None:
                    writer = await asyncio.to_thread(files.writer, site.about.format, site.columns)
                await asyncio.to_thread(writer.add, [names.values(e, site.columns) for e in page])
                count += len(page)
                entry = page[-1]
                if count >= FILE_RECORDS or writer.size() >= FILE_BYTES:
                    await _store(task, site, state, writer, count, entry)
                    yield count
                    writer, count = None, 0
                else:
                    await task.advance()
        if writer is not None and entry is not None:
            await _store(task, site, state, writer, count, entry)
            writer = None
            yield count
    finally:
        if writer is not None:
            writer.close()


async def _store(
    task: Task, site: _Site, state: _State, writer: Writer, count: int, last: Entry
) -> None:
    spool = await asyncio.to_thread(writer.finish)
    try:
        key = layout.data_key(site.folder, site.about.format, task.id, len(state.files))
        incoming = _Spooled(spool)
        await _put(task.store, site, key, incoming, "application/octet-stream")
        state.files.append(File(key, incoming.size, incoming.digest.hexdigest()))
    finally:
        spool.close()
    state.key, state.version = last.key, last.record.version or "null"
    state.count += count


class _Spooled:
    """A file on its way into the store: an `Incoming`."""

    def __init__(self, spool: IO[bytes]) -> None:
        self._spool = spool
        self.size: int = spool.seek(0, 2)
        spool.seek(0)
        self.digest = hashlib.md5(usedforsecurity=False)

    async def read(self) -> bytes:
        return await asyncio.to_thread(self._read)

    def _read(self) -> bytes:
        data = self._spool.read(_PIECE)
        self.digest.update(data)
        return data

    def verify(self, digests: Mapping[str, bytes], size: int) -> None:
        """Nobody has announced anything."""


class _Small:
    """A few bytes on their way into the store: an `Incoming`."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.size = len(data)

    async def read(self) -> bytes:
        data, self._data = self._data, b""
        return data

    def verify(self, digests: Mapping[str, bytes], size: int) -> None:
        """Nobody has announced anything."""


async def _put(store: Store, site: _Site, key: str, incoming: Any, kind: str) -> None:
    about = site.about
    described = Description(
        headers={"content-type": kind},
        owner=site.to.record.owner,
        wish=Wish(about.mode, about.key) if about.mode else None,
    )
    to = await buckets.refresh(store, site.to)
    await objects.put(store, to, key.encode("utf-8", "surrogateescape"), incoming, described)


async def _publish(task: Task, site: _Site, state: _State) -> str:
    """The symbolic links, the manifest and at last its checksum; the key of the manifest."""
    when = int(task.args[WHEN])
    await _check(task.store, site)
    key, links = layout.symlink(site.folder, when, site.to.record.name, state.files)
    data = layout.manifest(site.about, site.source.record.name, when, site.columns, state.files)
    manifest = layout.date_key(site.folder, when, "manifest.json")
    for each, content in (
        (key, links),
        (manifest, data),
        (layout.date_key(site.folder, when, "manifest.checksum"), layout.checksum(data)),
    ):
        kind = _TYPES[each.rpartition(".")[2]]
        await _put(task.store, site, each, _Small(content), kind)
    return manifest


# --- entries ----------------------------------------------------------------------------------


async def _pages(task: Task, site: _Site, state: _State) -> AsyncGenerator[list[Entry], None]:
    read = _versions if site.about.versions else _current
    async with aclosing(read(task.store, site, state)) as pages:
        async for page in pages:
            if page:
                yield page


async def _current(store: Store, site: _Site, state: _State) -> AsyncGenerator[list[Entry], None]:
    base = site.source.record.id
    prefix = base + site.about.only.encode("utf-8", "surrogateescape")
    after = base + state.key.encode("utf-8", "surrogateescape") if state.key else b""
    while rows := await store.index.scan("object", prefix=prefix, after=after, limit=PAGE):
        yield [
            await _entry(store, site, key[len(base) :], decode(Object, raw), True)
            for key, raw in rows
        ]
        after = rows[-1][0]


async def _versions(store: Store, site: _Site, state: _State) -> AsyncGenerator[list[Entry], None]:
    marker = Marker(state.key.encode("utf-8", "surrogateescape"), state.version)
    before = marker.key
    while True:
        page = await listing.list_versions(
            store,
            site.source,
            prefix=site.about.only.encode("utf-8", "surrogateescape"),
            marker=marker,
            limit=PAGE,
        )
        entries = []
        for place, raw in page.rows:
            key, record = listing.key_of(place), decode(Object, raw)
            latest = listing.is_current(place) or (record.marker and key != before)
            before = key
            entries.append(await _entry(store, site, key, record, latest))
            marker = Marker(key, record.version or "null")
        yield entries
        if not page.truncated:
            return


async def _entry(store: Store, site: _Site, key: bytes, record: Object, latest: bool) -> Entry:
    source = site.source.record
    expires = 0
    wanted = "LifecycleExpirationDate" in site.about.fields and source.has & _LIFECYCLE
    if wanted and latest and not record.marker:
        due = await told.expiration(store, site.source, key, record)
        expires = due.at if due is not None else 0
    return Entry(
        source.name, key.decode("utf-8", "surrogateescape"), record, latest,
        record.owner or source.owner, expires,
    )  # fmt: skip


def _read(cursor: str) -> _State:
    return msgspec.json.decode(cursor, type=_State) if cursor else _State()


def _written(state: _State) -> str:
    return msgspec.json.encode(state).decode()
