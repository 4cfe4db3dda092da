"""`aisnode export`: everything that a store holds, into a file or a pipe."""

from __future__ import annotations

from typing import NamedTuple

from aisle.core.errors import ConfigError
from aisle.namespace.store import store_id
from aisle.namespace.transfer.exporting import Export, Taking, gathered
from aisle.namespace.transfer.frames import FORMAT, Counts, FrameReader, StreamCut, StreamDamaged
from aisle.namespace.transfer.items import Cursor, ItemReader
from aisle.node.transfer import carriers, session
from aisle.node.transfer.carriers import Carrier
from aisle.node.transfer.options import PIPE, ExportOptions
from aisle.node.transfer.session import counted, note, notes_too, sized, users_too


class _Kept(NamedTuple):
    """What a file that was broken off holds, up to the end of its last whole item."""

    taking: Taking | None
    cursor: Cursor | None
    complete: bool


async def run(options: ExportOptions) -> int:
    """Export, and return the exit code. Raises `ConfigError` and `StoreError`."""
    node = options.node
    if node.embedded and not (node.data / "index.db").exists():
        raise ConfigError(f"there is no store in {node.data}")
    async with session.open_store(node) as store:
        known = options.resume and carriers.exists(options.file)
        open_file = carriers.open_again if known else carriers.open_output
        carrier = open_file(options.file)
        try:
            identity = await store_id(store.index)
            kept = await _keep(carrier, identity) if known else _Kept(None, None, False)
            export = Export(store, identity, taking=kept.taking)
            if not kept.complete:
                await _write(export, kept.cursor, carrier)
        finally:
            await carrier.close()
    for line in export.unreadable:
        note(f"unreadable {line}")
    summary = _summary("exported", export.counts)
    if options.file == PIPE:
        note(summary)
    else:
        print(summary)
    return 1 if export.unreadable else 0


async def _write(export: Export, after: Cursor | None, carrier: Carrier) -> None:
    async with session.progress(lambda: _summary("so far", export.counts)):
        async for piece in gathered(export.everything(after)):
            await carrier.write(piece)


async def _keep(carrier: Carrier, identity: str) -> _Kept:
    """Verify a file and cut it off behind its last whole item. Raises `ConfigError`."""
    frames = FrameReader(carrier.read)
    reader = ItemReader(frames)
    try:
        await reader.begin()
    except (StreamCut, StreamDamaged):
        await carrier.cut(0)
        return _Kept(None, None, False)
    if reader.start.store != identity:
        raise ConfigError(f"{carrier.name} is an export of another store")
    if reader.start.format != FORMAT:
        note(f"{carrier.name}: another release has begun it in another format; beginning anew")
        await carrier.cut(0)
        return _Kept(None, None, False)
    complete = False
    try:
        async for _ in reader.items():
            pass
        complete = True
    except (StreamCut, StreamDamaged) as error:
        note(f"{carrier.name}: {error}; going on from there")
    if not complete and not reader.begun:
        # What comes before the buckets is little, and not taken up in the middle.
        await carrier.cut(0)
        return _Kept(None, None, False)
    lost = await carrier.cut(frames.position if complete else reader.position)
    if lost:
        note(f"{carrier.name}: cut off {sized(lost)}")
    taking = Taking(reader.check, reader.counts)
    return _Kept(taking, reader.cursor, complete)


def _summary(verb: str, counts: Counts) -> str:
    return (
        f"{verb} {counted(counts.buckets, 'bucket')}, {counted(counts.objects, 'object')},"
        f" {counted(counts.uploads, 'upload')} with {counted(counts.parts, 'part')},"
        f"{users_too(counts.users)}{notes_too(counts.notes)}"
        f" {sized(counts.bytes)}"
    )
