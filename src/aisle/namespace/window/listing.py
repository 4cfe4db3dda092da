"""Listing windows: pages of the remote bucket, with what the cluster keeps of the objects in them.

A page is read from the remote as far as it goes and never further: as many requests as it takes, up
to `REQUESTS` and for `SECONDS`; after that it is given as it is, and the next goes on. Where copies
matter, their rows are read with it. Nothing but a page is in memory.

A token says where the next page begins: behind a name, and on which page of the remote's list that
is. It is good for any gateway. What stood on a page of the remote's that was not given whole is
read again with the next one, so a provider that can only page need not be read from its start.

Whatever a remote sends is made to fit: what has not the prefix, is no name that could be one here,
or does not come behind what was given before is passed over, so no list goes round in a circle. Of
a remote whose pages are each in order, but not all together (`Backend.in_order`), that is asked of
each page alone: names in another order are better than names left out. Where copies that are gone
are told, the order is relied on all the same.
"""

from __future__ import annotations

import base64
import time
from collections.abc import Mapping
from enum import Enum, auto
from typing import Final, NamedTuple

import msgspec

from aisle.backend.base import Backend, RemoteEntry, RemoteObject, RemotePage
from aisle.core.errors import InvalidArgument, RemoteUnavailable
from aisle.namespace import listing
from aisle.namespace.listing import ID, Page, Query
from aisle.namespace.records import Object, decode, encode
from aisle.namespace.store import BucketRow, Store
from aisle.namespace.window import copies
from aisle.namespace.window.adding import remotes_of
from aisle.namespace.window.validate import unchanged
from aisle.store.base import Row

REQUESTS: Final = 100
SECONDS: Final = 5.0
LONGEST: Final = 4096  # bytes of a name that is shown: more than any provider allows
_TOKEN_LIMIT: Final = 16 << 10
_MARK: Final = "w."


class State(Enum):
    """What the cluster has of an object."""

    REMOTE = auto()  # nothing
    CACHED = auto()
    CHANGED = auto()  # a copy of another version than the remote has
    GONE = auto()  # a copy of what the remote has no more


class Want(NamedTuple):
    """What is to be told beside the remote's list: whether there are `copies` of the objects, and
    also of those that are `gone` from the remote; `only` the objects that are cached (`True`) or
    are not."""

    copies: bool = False
    gone: bool = False
    only: bool | None = None


PLAIN: Final = Want()
_NO_PAGE: Final = Page([], [], False, b"", False)


class Listing(NamedTuple):
    """A page, whose rows are as those of a bucket of our own, and what there is of each by its
    row's key (all is `REMOTE` that is not there); `token` is where the next one begins, `""` if
    this was the last."""

    page: Page
    states: Mapping[bytes, State]
    token: str


class _Place(NamedTuple):
    """Behind the name `last` (base64), or behind all that begins so, on the remote's page
    `token`."""

    token: str = ""
    last: str = ""
    is_prefix: bool = False

    @property
    def behind(self) -> bytes:
        return base64.b64decode(self.last, validate=True)


def encode_token(token: str, last: bytes, *, is_prefix: bool) -> str:
    place = _Place(token, base64.b64encode(last).decode(), is_prefix)
    return _MARK + base64.urlsafe_b64encode(msgspec.json.encode(place)).decode().rstrip("=")


def decode_token(token: str, *, name: str) -> tuple[str, bytes, bool]:
    """The remote's token and the name in a token, and whether it is a common prefix. Raises
    `InvalidArgument`."""
    text = token.removeprefix(_MARK)
    try:
        if text == token or len(token) > _TOKEN_LIMIT:
            raise ValueError
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        place = msgspec.json.decode(raw, type=_Place)
        return place.token, place.behind, place.is_prefix
    except (ValueError, msgspec.MsgspecError):
        raise InvalidArgument(
            "The continuation token provided is incorrect", name=name, value=token[:100]
        ) from None


def is_token(token: str) -> bool:
    """Whether a token is one of a remote list, and not of rows."""
    return token.startswith(_MARK)


async def page(
    store: Store,
    bucket: BucketRow,
    query: Query,
    *,
    token: str = "",
    want: Want = PLAIN,
    remote: bool = True,
    name: str = "continuation-token",
) -> Listing:
    """A page of a window: `query` as `listing.list_objects` has it, but that a `token` of a remote
    list counts for more than its `after`. Of a remote that cannot be listed, and without `remote`,
    the copies are listed and nobody else is asked. `name` is what errors call the token. Raises
    `RemoteError`s, `BackendDisabled`, `InvalidArgument`."""
    backend = await remotes_of(store).backend(store, bucket.record)
    if not (remote and backend.lists):
        if is_token(token):
            listing.decode_token(token, name=name)  # which refuses it
        return await _local(store, query, want)
    reading = _Reading(store, bucket, backend, query, want)
    if is_token(token):
        reading.token, reading.last, reading.last_is_prefix = decode_token(token, name=name)
    elif query.skip and not query.after:  # from a list of rows: behind that prefix
        reading.last, reading.last_is_prefix = query.skip[ID:], True
    return await reading.page()


async def _local(store: Store, query: Query, want: Want) -> Listing:
    """The copies alone."""
    if want.only is False:
        return Listing(_NO_PAGE, {}, "")
    found = await listing.list_objects(store, query)
    following = ""
    if found.truncated:
        following = listing.encode_token(found.last[ID:], is_prefix=found.last_is_prefix)
    return Listing(found, {key: State.CACHED for key, _ in found.rows}, following)


class _Reading:
    """A page that is being read. Names are without the bucket's id here."""

    def __init__(
        self, store: Store, bucket: BucketRow, backend: Backend, query: Query, want: Want
    ) -> None:
        self._store = store
        self._bucket = bucket
        self._backend = backend
        self._prefix = query.prefix[ID:]
        self._delimiter = query.delimiter
        self._limit = query.limit
        self._want = want
        self._skip = query.skip[ID:]
        self._rows: list[Row] = []
        self._prefixes: list[bytes] = []
        self._states: dict[bytes, State] = {}
        self.token = ""
        self.last = query.after[ID:]
        self.last_is_prefix = False
        self._over = False
        self._in_order = backend.in_order or want.gone
        self._fresh = False  # nothing was given of the remote's page `token`, and all of it may be

    async def page(self) -> Listing:
        end = time.monotonic() + SECONDS
        for number in range(REQUESTS):
            left = self._limit - self._count
            if left <= 0 or self._over or (number and time.monotonic() > end and self._count):
                break
            # Copies may cut a page of the remote's short, which is then read again.
            found = await self._ask(self._limit if self._want.gone else left)
            await self._take(found)
            if 0 < self._limit - self._count <= self._limit // 10:
                break  # a request for a few names more is not worth it
        more = not self._over and self._limit > 0
        token = self._following() if more else ""
        last = self._bucket.record.id + self.last
        result = Page(self._rows, self._prefixes, more, last, self.last_is_prefix)
        return Listing(result, self._states, token)

    def _following(self) -> str:
        if self._fresh:
            return encode_token(self.token, b"", is_prefix=False)
        return encode_token(self.token, self.last, is_prefix=self.last_is_prefix)

    @property
    def _count(self) -> int:
        return len(self._rows) + len(self._prefixes)

    async def _ask(self, limit: int) -> RemotePage:
        after = "" if self.token else self.last.decode("utf-8", "replace")
        return await self._backend.list(
            prefix=self._prefix.decode("utf-8", "replace"),
            delimiter=self._delimiter.decode("utf-8", "replace"),
            after=after,
            token=self.token,
            limit=limit,
        )

    async def _take(self, found: RemotePage) -> None:
        """Take over what fits of a page of the remote's, and go on behind it."""
        items = self._items(found)
        local = await self._copies() if self._want.gone else _NO_PAGE
        known = {key[ID:]: raw for key, raw in local.rows}
        if self._want.gone:
            items = _with(items, local, whole=not found.token)
        elif self._want.copies:
            known = await self._rows_of([name for name, entry in items if entry is not None])
        cut = local.last[ID:] if local.truncated else None
        for name, entry in items:
            if (cut is not None and name > cut) or self._count == self._limit:
                return  # the rest comes with the next page, which reads this one again
            self._put(name, entry, known)
        if found.token and found.token == self.token:
            raise RemoteUnavailable(self._backend.name, "its list goes round in a circle")
        if found.token:
            self.token = found.token
            self._fresh = not self._in_order
        else:
            self._over = cut is None  # else there are more copies

    def _items(self, found: RemotePage) -> list[tuple[bytes, RemoteEntry | None]]:
        """The names and common prefixes (which have no entry) that come next, in order."""
        items: dict[bytes, RemoteEntry | None] = {}
        for entry in found.entries:
            self._note(items, entry.key, entry)
        for prefix in found.prefixes:
            self._note(items, prefix, None)
        return sorted(items.items())

    def _note(
        self, items: dict[bytes, RemoteEntry | None], text: str, entry: RemoteEntry | None
    ) -> None:
        try:
            name = text.encode()
        except UnicodeEncodeError:
            return
        if not name.startswith(self._prefix) or not 0 < len(name) <= LONGEST:
            return
        follows = name > self.last or self._fresh
        if entry is None and not self.last_is_prefix:
            # What a listing is to begin after may lie in the first of its common prefixes.
            follows = (follows or self.last.startswith(name)) and name != self._skip
        if follows:
            items[name] = entry

    async def _copies(self) -> Page:
        """Copies behind what was given, as many as a page takes."""
        base = self._bucket.record.id
        after, skip = base + self.last, b""
        if self.last_is_prefix:
            after, skip = b"", base + self.last
        query = Query(
            prefix=base + self._prefix,
            delimiter=self._delimiter,
            after=after if self.last else b"",
            skip=skip or (base + self._skip if self._skip else b""),
            limit=self._limit,
        )
        return await listing.list_objects(self._store, query)

    async def _rows_of(self, names: list[bytes]) -> dict[bytes, bytes]:
        base = self._bucket.record.id
        rows = await self._store.index.get_many("object", [base + name for name in names])
        return {name: raw for name, raw in zip(names, rows, strict=True) if raw is not None}

    def _put(self, name: bytes, entry: RemoteEntry | None, known: Mapping[bytes, bytes]) -> None:
        """Give a name its place on the page, unless it is not wanted."""
        self.last, self.last_is_prefix, self._fresh = name, False, False
        raw = known.get(name)
        if entry is None and raw is None:
            self.last_is_prefix = True
            self._prefixes.append(self._bucket.record.id + name)
            return
        if self._want.only is not None and self._want.only != (raw is not None):
            return
        key = self._bucket.record.id + name
        state = State.REMOTE
        if raw is not None:
            copy = decode(Object, raw)
            about = _about(entry) if entry is not None else None
            state = State.GONE if about is None else State.CACHED
            if about is not None and not unchanged(copy, about, self._backend.provider):
                state = State.CHANGED
            self._states[key] = state
        if entry is not None and state is not State.CACHED:
            raw = row_of(self._bucket, entry, self._backend.provider)
        assert raw is not None
        self._rows.append((key, raw))


def _with(
    items: list[tuple[bytes, RemoteEntry | None]], local: Page, *, whole: bool
) -> list[tuple[bytes, RemoteEntry | None]]:
    """The items of a page of the remote's with those that only the copies have, up to the end of
    what both have told."""
    merged: dict[bytes, RemoteEntry | None] = dict(items)
    end = None if whole else items[-1][0] if items else b""
    for name in [*(key[ID:] for key, _ in local.rows), *(key[ID:] for key in local.prefixes)]:
        if end is None or name <= end:
            merged.setdefault(name)
    return sorted(merged.items())


def row_of(bucket: BucketRow, entry: RemoteEntry, source: str) -> bytes:
    """The row of a remote object as listings read one."""
    return encode(copies.record(bucket.record, _about(entry), source, []))


def _about(entry: RemoteEntry) -> RemoteObject:
    return RemoteObject(
        entry.key,
        max(entry.size, 0),
        etag=entry.etag,
        mtime=entry.mtime,
        version=entry.version,
        checksums=entry.checksums,
        storage_class=entry.storage_class,
    )
