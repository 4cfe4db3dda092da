"""Archives listed as directories: the list flag arch-dir.

The members of an archive stand right behind it, in the order of their names, and count for the
size of the page. A page may end inside an archive; the next goes on there, and reads the archive
again up to what fits: nothing is kept in between. A prefix may reach into an archive
(`shard.tar/dir/`). What has the name of an archive and cannot be read as one is an object like any
other.
"""

from __future__ import annotations

import base64
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final, NamedTuple, TypeVar

import msgspec

from aisle.core.errors import ArchiveError, InvalidArgument, KeyTooLong, ObjectNotFound
from aisle.core.names import MAX_KEY_BYTES, encode_key
from aisle.namespace.archives import formats, reading
from aisle.namespace.archives.reading import Listed
from aisle.namespace.listing import ID, Page
from aisle.namespace.store import BucketRow, Store

SECONDS: Final = 5.0  # a page ends early once it has taken so long to look into archives
_MARK: Final = "a."
_START: Final = ("", -1)
T = TypeVar("T")


class Place(NamedTuple):
    """Where a page goes on: in an archive, behind the member of that name and number."""

    key: str
    name: str
    number: int


class Opened(NamedTuple):
    """A page of objects, cut to what fits, and what is in those that are archives. `first` are
    members of archives whose objects are not on the page. `place` is where the next page begins
    if it is inside an archive."""

    page: Page
    members: Mapping[str, list[Listed]]
    first: list[tuple[str, list[Listed]]]
    place: Place | None


def encode_place(place: Place) -> str:
    return _MARK + base64.urlsafe_b64encode(msgspec.json.encode(place)).decode().rstrip("=")


def decode_place(token: str) -> Place | None:
    """The place in a token, if it is one of a place. Raises `InvalidArgument`."""
    if not token.startswith(_MARK):
        return None
    text = token.removeprefix(_MARK)
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        return msgspec.json.decode(raw, type=Place)
    except (ValueError, msgspec.MsgspecError):
        raise InvalidArgument(
            "the continuation token is not one of this API", name="continuation_token", value=token
        ) from None


async def look(
    store: Store, bucket: BucketRow, page: Page, limit: int, *, prefix: str, place: Place | None
) -> Opened:
    """What is in the archives of a page of at most `limit` objects and members, which begins at
    `place` if it has one."""
    opening = _Opening(store, bucket, limit)
    return await opening.open(page, await opening.first(prefix, place))


def weave(
    entries: Sequence[T],
    opened: Opened,
    *,
    name_of: Callable[[T], str],
    mark: Callable[[T], None],
    make: Callable[[str, int], T],
) -> list[T]:
    """The entries of a page with the members of archives behind them: `mark` what is an archive,
    and `make` an entry of a member of its name and size."""
    woven: list[T] = []

    def put(key: str, members: Iterable[Listed]) -> None:
        for member in members:
            shown = member.name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
            woven.append(make(f"{key}/{shown}", member.size))

    for key, members in opened.first:
        put(key, members)
    for entry in entries:
        woven.append(entry)
        name = name_of(entry)
        if name in opened.members:
            mark(entry)
            put(name, opened.members[name])
    return woven


class _Opening:
    """Looks into the archives of one page."""

    def __init__(self, store: Store, bucket: BucketRow, limit: int) -> None:
        self._store = store
        self._bucket = bucket
        self._left = limit
        self._until = time.monotonic() + SECONDS

    async def first(self, prefix: str, place: Place | None) -> list[tuple[str, list[Listed]]]:
        """Members of archives that a prefix reaches into, or behind the place in one."""
        found: list[tuple[str, list[Listed]]] = []
        for key in reached(prefix, place):
            after = (place.name, place.number) if place and place.key == key else _START
            inner = prefix.removeprefix(f"{key}/") if prefix.startswith(f"{key}/") else ""
            members = await self._members(key, after, inner)
            if members:
                found.append((key, members))
            if self._left < 0:
                break
        return found

    async def open(self, page: Page, first: list[tuple[str, list[Listed]]]) -> Opened:
        """The archives of a page, as long as there is room and time for what is in them."""
        members: dict[str, list[Listed]] = {}
        if first and self._left <= 0:
            place = self._end(*first[-1])
            return Opened(page._replace(rows=[], prefixes=[]), members, first, place)
        for count, (row_key, _) in enumerate(page.rows, 1):
            if self._left <= 0 or (time.monotonic() > self._until and count > 1):
                return Opened(_until(page, count - 1), members, first, None)
            self._left -= 1
            key = row_key[ID:].decode()
            if formats.by_name(key) is None:
                continue
            found = await self._members(key, _START, "")
            if found is None:
                continue
            members[key] = found
            if self._left < 0:
                return Opened(_until(page, count), members, first, self._end(key, found))
        return Opened(page, members, first, None)

    def _end(self, key: str, listed: list[Listed]) -> Place:
        """Where the next page goes on behind what is listed of an archive; the one that was too
        many is taken away again."""
        if self._left < 0:
            listed.pop()
        last = listed[-1] if listed else Listed("", -1, 0)
        return Place(key, last.name, last.number)

    async def _members(self, key: str, after: tuple[str, int], prefix: str) -> list[Listed] | None:
        """What fits of an archive, and one more if there is more: then less than nothing is left.
        `None` if it cannot be read."""
        try:
            archive = await reading.open_archive(self._store, self._bucket, encode_key(key))
            found = await reading.list_members(archive, self._left + 1, prefix=prefix, after=after)
        except (ArchiveError, ObjectNotFound, InvalidArgument, KeyTooLong):
            return None
        self._left -= len(found)
        return found


def reached(prefix: str, place: Place | None) -> list[str]:
    """The archives that a prefix reaches into, or the one that a place is in and those behind:
    none of them needs to begin with the prefix."""
    keys = [
        prefix[:at]
        for at, char in enumerate(prefix[: MAX_KEY_BYTES + 1])
        if char == "/" and formats.by_name(prefix[:at]) is not None
    ]
    if place is None:
        return keys
    return [place.key, *(key for key in keys if key > place.key)]


def _until(page: Page, count: int) -> Page:
    """The first rows of a page, as a page that goes on behind them."""
    rows = page.rows[:count]
    last = rows[-1][0]
    prefixes = [prefix for prefix in page.prefixes if prefix < last]
    return Page(rows, prefixes, True, last, False)
