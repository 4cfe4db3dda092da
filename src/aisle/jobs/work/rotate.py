"""The work of `rotate-keys`: wrap the keys of objects with the newest version of the ring's keys.

No byte of an object is read or written: only rows change. The cursor is the table and the last row
looked at. An upload under way keeps the key that it was begun with, and so does the object it
becomes; the result tells how many uploads do, and what could not be rotated for want of its key.
"""

from __future__ import annotations

from typing import Final

from aisle.core.errors import KeyRingMissing, KeyUnusable
from aisle.jobs.task import Task
from aisle.namespace.records import Upload, decode
from aisle.namespace.sealing import rotation

_PAGE: Final = 500
_TABLES: Final = ("object", "version")


async def rotate_keys(task: Task) -> object:
    store = task.store
    if store.ring is None:
        raise KeyRingMissing
    table, _, after_hex = task.progress.cursor.partition(":")
    after = bytes.fromhex(after_hex)
    for name in _TABLES[_TABLES.index(table) if table else 0 :]:
        while rows := await store.index.scan(name, after=after, limit=_PAGE):
            done = await rotation.rotate(store, name, rows)
            after = rows[-1][0]
            cursor = f"{name}:{after.hex()}"
            await task.advance(done.rotated, cursor=cursor, errors=done.unusable)
        after = b""
    found = {
        "rotated": task.progress.objects,
        "unusable": task.progress.errors,
        "uploads": await _uploads(task),
    }
    told = ", ".join(f"{count} {name}" for name, count in found.items())
    await task.advance(message=told)
    return found


async def _uploads(task: Task) -> int:
    """The uploads whose key is wrapped with an old one."""
    ring, after, count = task.store.ring, b"", 0
    assert ring is not None
    while rows := await task.store.index.scan("upload", after=after, limit=_PAGE):
        after = rows[-1][0]
        for _, raw in rows:
            try:
                count += rotation.is_old(ring, decode(Upload, raw).sealed)
            except KeyUnusable:
                count += 1
    return count
