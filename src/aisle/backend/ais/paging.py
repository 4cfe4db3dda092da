"""Listings of another cluster as pages of the port.

With no delimiter, or `/`, the cluster does it all and its token is handed on. It knows no other
delimiter: then names are listed one after the other, and grouped here. A token tells which of both
it is for, and is believed no more than that: it may come back from anywhere.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from aisle.backend.ais.replies import IS_DIR, Page, listed, object_entries
from aisle.backend.base import RemoteEntry, RemotePage
from aisle.core.errors import InvalidArgument

NO_RECURSION: Final = 1 << 11
PAGE_LARGEST: Final = 10_000
_PAGES: Final = 16  # read for one page of groups at most


class Paging:
    """`ask` fetches one page, given the value of the cluster's list message."""

    def __init__(self, ask: Callable[[Mapping[str, Any]], Awaitable[Page]]) -> None:
        self._ask = ask

    async def list(
        self, *, prefix: str, delimiter: str, after: str, token: str, limit: int
    ) -> RemotePage:
        """See `backend.base.Backend.list`."""
        limit = max(1, min(limit, PAGE_LARGEST))
        if delimiter not in ("", "/"):
            return await self._grouped(prefix, delimiter, after, token, limit)
        value: dict[str, Any] = {
            "prefix": prefix,
            "pagesize": limit,
            "flags": str(NO_RECURSION if delimiter else 0),
        }
        if token:
            uuid, place = _read_token(token, "page", 2)
            value |= {"uuid": uuid, "continuation_token": place}
        elif after:
            value["start_after"] = after
        page = await self._ask(value)
        entries: list[RemoteEntry] = []
        prefixes: list[str] = []
        for entry in object_entries(page):
            if delimiter and entry.f & IS_DIR:
                prefixes.append(entry.n if entry.n.endswith("/") else f"{entry.n}/")
            elif not entry.f & IS_DIR:
                entries.append(listed(entry))
        more = page.ContinuationToken
        return RemotePage(entries, prefixes, _token("page", page.UUID, more) if more else "")

    async def _grouped(
        self, prefix: str, delimiter: str, after: str, token: str, limit: int
    ) -> RemotePage:
        """A page of groups: keys up to the delimiter stand for all that begin so."""
        entries: list[RemoteEntry] = []
        prefixes: list[str] = []
        last, group = _read_token(token, "group", 2) if token else (after, "")
        for _ in range(_PAGES):
            page = await self._ask(
                {
                    "prefix": prefix,
                    "pagesize": PAGE_LARGEST // 10,
                    "start_after": last,
                    "flags": "0",
                }
            )
            for entry in object_entries(page):
                if entry.f & IS_DIR or (group and entry.n.startswith(group)):
                    last = entry.n
                    continue
                if len(entries) + len(prefixes) == limit:
                    return RemotePage(entries, prefixes, _token("group", last, group))
                head, found, _ = entry.n[len(prefix) :].partition(delimiter)
                last = entry.n
                if found:
                    group = prefix + head + delimiter
                    prefixes.append(group)
                else:
                    entries.append(listed(entry))
            if not page.ContinuationToken:
                return RemotePage(entries, prefixes, "")
        return RemotePage(entries, prefixes, _token("group", last, group))


def _token(kind: str, *words: str) -> str:
    return json.dumps([kind, *words])


def _read_token(token: str, kind: str, count: int) -> tuple[str, ...]:
    """Raises `InvalidArgument`."""
    try:
        found = json.loads(token)
    except (ValueError, RecursionError):
        found = None
    if (
        not isinstance(found, list)
        or len(found) != count + 1
        or found[0] != kind
        or not all(isinstance(word, str) for word in found)
    ):
        raise InvalidArgument("the continuation token is not one of this listing", name="token")
    return tuple(found[1:])
