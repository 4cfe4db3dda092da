"""What a dead process has fetched of an object: its chunks, taken over by who goes on.

They are good as long as the remote still has the version that the claim told, and nothing has swept
them away: chunks that are nearly as old as what a sweep looks at are left to it.
"""

from __future__ import annotations

from typing import Final

from aisle.backend.base import RemoteObject
from aisle.namespace.records import Claim, Extent, decode
from aisle.namespace.window.claims import SECOND, Held
from aisle.namespace.window.pump import chunk_key
from aisle.store.base import Change, Check, Delete, Put

OLDEST: Final = 3600 * SECOND
_STEP: Final = 500


def version(held: Held, before: Claim | None) -> RemoteObject | None:
    """What the dead one was fetching, if that was told and is worth going on with."""
    if before is None or not held.former or not before.etag or before.size <= 0:
        return None
    dead = next((one for one in before.holders if one.id == held.former), None)
    if dead is None or dead.started < held.store.now() - OLDEST:
        return None
    return RemoteObject(held.key.decode(), before.size, etag=before.etag)


async def adopt(held: Held) -> list[Extent]:
    """Make the chunks of the dead one those of `held`, from the first up to the first gap."""
    index, extents, after = held.store.index, list[Extent](), b""
    while True:
        rows = await index.scan("chunk", prefix=held.former, after=after, limit=_STEP)
        changes: list[Change] = []
        found: list[Extent] = []
        for key, raw in rows:
            after = key
            number = len(extents) + len(found)
            if key != chunk_key(held.former, number):
                rows = []
                break
            changes += [Check("chunk", key, raw), Delete("chunk", key)]
            changes.append(Put("chunk", chunk_key(held.id, number), raw))
            found.append(decode(Extent, raw))
        if changes:
            await index.commit(*changes)
        extents += found
        if len(rows) < _STEP:
            return extents
