"""`aisnode import`: what a file, a pipe or a serving node holds, into a store."""

from __future__ import annotations

import asyncio
from typing import Final

from aisle.core.errors import AisleError
from aisle.namespace.transfer.frames import FrameReader, StreamDamaged
from aisle.namespace.transfer.importing import Import
from aisle.namespace.transfer.items import ItemReader
from aisle.namespace.transfer.pull import Pull
from aisle.namespace.transfer.terms import Totals
from aisle.namespace.transfer.verify import check_stream
from aisle.node.transfer import carriers, session
from aisle.node.transfer.carriers import Carrier
from aisle.node.transfer.options import ImportOptions
from aisle.node.transfer.remote import Remote
from aisle.node.transfer.session import counted, note, notes_too, sized, users_too

# Between two passes: what the source's clients do meanwhile makes the next one worth its while.
FOLLOW_SECONDS: Final = 1.0
_TOLD: Final = 10_000


class _Once:
    """Tells every line once, however often passes come upon the same."""

    def __init__(self) -> None:
        self._told: set[str] = set()

    def __call__(self, line: str) -> None:
        if line in self._told:
            return
        if len(self._told) < _TOLD:
            self._told.add(line)
        note(line)


async def run(options: ImportOptions) -> int:
    """Import, and return the exit code. Raises `AisleError`s."""
    if options.online:
        return await _pull(options)
    carrier = carriers.open_input(options.source)
    try:
        if options.verify_only:
            return await _verify(carrier)
        return await _import(options, carrier)
    finally:
        await carrier.close()


async def _import(options: ImportOptions, carrier: Carrier) -> int:
    frames = FrameReader(carrier.read)
    reader = ItemReader(frames)
    await reader.begin()
    async with session.open_store(options.node) as store:
        target = Import(store, overwrite=options.overwrite, tell=_Once(), source=reader.start.store)
        try:
            async with session.progress(lambda: _summary("so far", target.totals)):
                await target.run(reader)
                await _expect_end(frames)
        except AisleError:
            print(_summary("not complete: imported", target.totals), flush=True)
            raise
    return _result("imported", target.totals)


async def _verify(carrier: Carrier) -> int:
    frames = FrameReader(carrier.read)
    reader = ItemReader(frames)
    await reader.begin()
    refused = await check_stream(reader, note)
    await _expect_end(frames)
    counts = reader.counts
    print(
        f"verified {counted(counts.buckets, 'bucket')}, {counted(counts.objects, 'object')},"
        f" {counted(counts.uploads, 'upload')} with {counted(counts.parts, 'part')},"
        f"{users_too(counts.users)}{notes_too(counts.notes)}"
        f" {sized(counts.bytes)}; refused {refused:,}"
    )
    return 1 if refused else 0


async def _expect_end(frames: FrameReader) -> None:
    if not await frames.at_end():
        raise StreamDamaged(f"there is more behind the end of the export, at {frames.position}")


async def _pull(options: ImportOptions) -> int:
    source = Remote(options.source, options.access_key, options.secret_key)
    totals = Totals()
    try:
        async with session.open_store(options.node) as store:
            pull = Pull(store, source, delete=options.delete, tell=_Once())
            try:
                async with session.progress(lambda: _summary("so far", totals)):
                    await _passes(pull, totals, follow=options.follow)
                    if options.finish and not totals.refused:
                        await pull.finish()
                    elif options.finish:
                        note("not finished: what was refused has not been brought")
            except AisleError:
                print(_summary("not complete: imported", totals), flush=True)
                raise
    finally:
        source.close()
    return _result("imported", totals)


async def _passes(pull: Pull, totals: Totals, *, follow: bool) -> None:
    """One pass, or passes until one finds nothing new."""
    while True:
        before = totals.changes
        # Of what is the same, differs or is refused, the last pass has the whole number.
        totals.skipped = totals.kept = totals.refused = 0
        await pull.run_pass(totals)
        if not follow or totals.changes == before:
            return
        await asyncio.sleep(FOLLOW_SECONDS)


def _result(verb: str, totals: Totals) -> int:
    print(_summary(verb, totals))
    if totals.kept:
        note(f"{counted(totals.kept, 'thing')} at the target differ and were kept")
    return 1 if totals.refused else 0


def _summary(verb: str, totals: Totals) -> str:
    deleted = f"; deleted {totals.deleted:,}" if totals.deleted else ""
    return (
        f"{verb} {counted(totals.buckets, 'bucket')}, {counted(totals.objects, 'object')},"
        f" {counted(totals.uploads, 'upload')} with {counted(totals.parts, 'part')},"
        f"{users_too(totals.users)}{notes_too(totals.notes)}"
        f" {sized(totals.bytes)}{deleted}; skipped {totals.skipped:,} that are the same,"
        f" kept {totals.kept:,} that differ, refused {totals.refused:,}"
    )
