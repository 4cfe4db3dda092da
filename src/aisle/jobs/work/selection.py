"""Which objects of a bucket a job is about: a list, a template, a prefix, or all of them.

A selection is read in batches, each of bounded size and with the place after it, from which another
worker goes on: of a list and of a template that is a number, of a prefix the last key. What a list
or a template names need not exist: such an item has no row. Nor has one that is in a remote bucket
alone.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from itertools import count, islice
from typing import Any, Final, NamedTuple

from aisle.core import templates
from aisle.core.errors import AisleError, BucketNotFound, NotSupported
from aisle.core.names import encode_key
from aisle.jobs.task import BUCKET, Task, bucket_in
from aisle.namespace import buckets
from aisle.namespace.records import Listed, decode
from aisle.namespace.store import BucketRow, Store

BATCH: Final = 500
NAMES: Final = "objnames"
TEMPLATE: Final = "template"
PREFIX: Final = "prefix"
_ID: Final = 8  # bytes of bucket id before the key in a row's key


class Item(NamedTuple):
    """An object that was selected, the row it had, and the place after it. Without a row it does
    not exist, unless it may be in the `remote` bucket behind its own, whose listing may have `told`
    its size."""

    name: str
    raw: bytes | None
    after: str
    remote: bool = False
    told: int | None = None

    @property
    def absent(self) -> bool:
        return self.raw is None and not self.remote

    @property
    def key(self) -> bytes:
        return self.name.encode("utf-8", "surrogateescape")

    @property
    def size(self) -> int:
        return decode(Listed, self.raw).size if self.raw is not None else self.told or 0


class Selection:
    """What the arguments of a job select: `objnames`, or a `template`, which may be just a prefix,
    or else those that begin with `prefix`, as it stands (`""` for all).

    `listed` tells that every name was given one by one, so that one which is absent is a mistake.
    Raises `InvalidArgument` for a bad template.
    """

    def __init__(self, args: Mapping[str, Any]) -> None:
        self._names: Sequence[str] = args.get(NAMES) or ()
        self.listed = bool(self._names)
        template = args.get(TEMPLATE)
        self._template = templates.parse(template) if template is not None else None
        # The prefix that is selected, `""` for all objects; `None` where names are.
        self.prefix: str | None = None if self.listed else args.get(PREFIX, "")
        if self._template is not None:
            self.prefix = self._template.prefix

    async def batches(
        self,
        store: Store,
        bucket: BucketRow,
        after: str = "",
        *,
        size: int = BATCH,
        remote: bool = False,
        delimiter: str = "",
    ) -> AsyncIterator[list[Item]]:
        """The objects behind the place `after`, `size` at a time. With `remote` a prefix of a
        window selects all that the remote bucket has, up to the next `delimiter`; without, what is
        in the cluster."""
        prefix = self.prefix
        if prefix is not None and remote and bucket.record.behind is not None:
            async for batch in listed(store, bucket, prefix, after, delimiter):
                yield batch
            return
        if prefix is not None:
            key = after.encode("utf-8", "surrogateescape")
            async for batch in scan(store, bucket, prefix, key, size=size):
                yield batch
            return
        start = int(after or 0)
        names = self._names_from(start)
        places = count(start + 1)
        while some := list(islice(names, size)):
            yield await _found(store, bucket, some, places)

    def _names_from(self, start: int) -> Iterator[str]:
        if self._template is not None:
            return self._template.names(start)
        return iter(self._names[start:])


async def scan(
    store: Store, bucket: BucketRow, prefix: str, after: bytes = b"", *, size: int = BATCH
) -> AsyncIterator[list[Item]]:
    """The objects that begin with `prefix`, in order, behind the key `after`."""
    base = bucket.record.id
    start = base + prefix.encode("utf-8", "surrogateescape")
    last = base + after if after else b""
    while rows := await store.index.scan("object", prefix=start, after=last, limit=size):
        last = rows[-1][0]
        names = [key[_ID:].decode("utf-8", "surrogateescape") for key, _ in rows]
        yield [Item(name, raw, name) for name, (_, raw) in zip(names, rows, strict=True)]


async def listed(
    store: Store, bucket: BucketRow, prefix: str, after: str = "", delimiter: str = ""
) -> AsyncIterator[list[Item]]:
    """The same of what the remote bucket behind a window lists. Raises `RemoteError`s, and
    `NotSupported` for one that cannot be listed."""
    if store.remotes is None:
        raise NotSupported("remote buckets cannot be reached from this process")
    backend = await store.remotes.backend(store, bucket.record)
    if not backend.lists:
        raise NotSupported(f"{backend.name} cannot be listed: name objects one by one")
    token = ""
    while True:
        page = await backend.list(prefix=prefix, delimiter=delimiter, after=after, token=token)
        rows = await rows_of(store, bucket, [entry.key for entry in page.entries])
        if page.entries:
            yield [
                Item(entry.key, raw, entry.key, True, entry.size)
                for entry, raw in zip(page.entries, rows, strict=True)
            ]
        token = page.token
        if not token:
            return


async def rows_of(store: Store, bucket: BucketRow, names: Sequence[str]) -> list[bytes | None]:
    """The rows of objects by name; a text that cannot be a name has none."""
    keys = [_key(name) for name in names]
    wanted = [bucket.record.id + key for key in keys if key]
    found = iter(await store.index.get_many("object", wanted) if wanted else ())
    return [next(found) if key else None for key in keys]


async def _found(
    store: Store, bucket: BucketRow, names: Sequence[str], places: Iterator[int]
) -> list[Item]:
    rows = await rows_of(store, bucket, names)
    remote = bucket.record.behind is not None
    return [
        Item(name, raw, str(place), remote)
        for name, raw, place in zip(names, rows, places, strict=False)
    ]


def _key(name: str) -> bytes:
    try:
        return encode_key(name)
    except AisleError:
        return b""


def bucket_args(row: BucketRow, name: str = BUCKET) -> dict[str, Any]:
    """The arguments by which a job finds a bucket again, and no other of the same name."""
    return {name: list(row.name), f"{name}_id": row.record.id.hex()}


async def open_bucket(task: Task, name: str = BUCKET) -> BucketRow:
    """The bucket that `bucket_args` named. Raises `BucketNotFound`."""
    wanted = bucket_in(task.args, name)
    assert wanted is not None
    row = await buckets.get(task.store, wanted)
    if row.record.id.hex() != task.args[f"{name}_id"]:
        raise BucketNotFound(wanted.name)
    return row
