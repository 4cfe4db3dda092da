"""Pages of a listing that begin at a name. Pure functions.

The service counts names and common prefixes of a page together, other servers of its API do not
hold prefixes back: so of a page that is not the last, prefixes behind its last name are left to the
next one. Nothing is given twice and nothing out of order, whoever serves.
"""

from __future__ import annotations

from typing import NamedTuple, Self

from aisle.backend.base import RemoteEntry, RemotePage

_LAST = "\U0010ffff"


class Place(NamedTuple):
    """After a name (`k`) or a common prefix (`p`) that was given. As a token: the two together."""

    kind: str
    name: str

    @classmethod
    def of(cls, token: str, after: str) -> Self:
        return cls(token[:1], token[1:]) if token else cls("k", after)

    @property
    def start(self) -> str:
        """The name to begin at, which may be the one that was given."""
        return beyond(self.name) if self.kind == "p" else self.name


def beyond(prefix: str) -> str:
    """The least name after all that begin with `prefix`, `""` if there is none."""
    stem = prefix.rstrip(_LAST)
    if not stem:
        return ""
    following = ord(stem[-1]) + 1
    # No text has surrogates in it.
    return stem[:-1] + chr(0xE000 if following == 0xD800 else following)


def assemble(
    entries: list[RemoteEntry], prefixes: list[str], place: Place, limit: int, *, more: bool
) -> RemotePage:
    """A page of at most `limit` out of a reply to a question for `place.start`."""
    names: dict[str, RemoteEntry | None] = {entry.key: entry for entry in entries}
    if more and entries:
        last = max(entry.key.encode() for entry in entries)
        prefixes = [prefix for prefix in prefixes if prefix.encode() < last]
    names.update(dict.fromkeys(prefixes))
    if place.kind == "k":
        names.pop(place.name, None)
    order = sorted(names, key=str.encode)
    kept = order[:limit]
    page = RemotePage(
        [entry for name in kept if (entry := names[name]) is not None],
        [name for name in kept if names[name] is None],
        "",
    )
    if not kept or not (more or len(order) > limit):
        return page
    kind = "p" if names[kept[-1]] is None else "k"
    return page._replace(token=kind + kept[-1])
