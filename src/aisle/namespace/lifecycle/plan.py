"""When objects, versions and uploads are due, by a bucket's lifecycle rules. Pure functions.

A day after a moment is counted as S3 does: the next midnight (UTC) after so many times 24 hours.
Where a day has another length, which is for trying rules out, nothing is rounded. Of several rules
that fit the earliest time counts; of equal ones the rule that comes first. Nothing is ever due by a
clock that was set back: that only makes `now` earlier.

Spec: user guide, "Lifecycle configuration elements", "Conflicts in lifecycle configurations", "How
Amazon S3 calculates how long an object has been noncurrent".
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final, NamedTuple

from aisle.namespace.lifecycle.rules import Configuration, Rule

SECOND: Final = 1_000_000_000
DAY: Final = 86_400 * SECOND

Tags = Callable[[], Mapping[str, str]]


class Due(NamedTuple):
    """When something is due (ns), and by which rule."""

    at: int
    rule: str


class Clause(NamedTuple):
    """One thing that one rule does. `days` or `date` (ns) say when, `newer` how many of the newest
    former versions stay; `place` is the rule's among all."""

    rule: str
    place: int
    larger: int
    smaller: int
    tags: frozenset[tuple[str, str]]
    days: int = 0
    date: int | None = None
    newer: int = 0

    def fits(self, size: int, tags: Tags) -> bool:
        """Whether it is about an object of this size and these tags, which are asked for last."""
        if not self.larger < size < self.smaller:
            return False
        return not self.tags or self.tags <= tags().items()

    def due(self, since: int, day: int) -> int:
        return self.date if self.date is not None else after(since, self.days, day)


class Clauses:
    """Clauses by what keys begin with, so that a thousand rules are looked through at once."""

    __slots__ = ("_by_prefix", "_lengths", "prefixes")

    def __init__(self, clauses: Iterable[tuple[bytes, Clause]]) -> None:
        by_prefix: dict[bytes, list[Clause]] = {}
        for prefix, clause in clauses:
            by_prefix.setdefault(prefix, []).append(clause)
        self._by_prefix = by_prefix
        self._lengths = sorted({len(prefix) for prefix in by_prefix})
        self.prefixes = tuple(by_prefix)

    def __bool__(self) -> bool:
        return bool(self._by_prefix)

    def of(self, key: bytes) -> Iterator[Clause]:
        size = len(key)
        for length in self._lengths:
            if length > size:
                return
            yield from self._by_prefix.get(key[:length], ())


class Plan:
    """What the rules that are enabled ask for; `day` is how long a day is, in ns."""

    __slots__ = ("_aborts", "_expirations", "_former", "_markers", "day")

    def __init__(self, configuration: Configuration, day: int = DAY) -> None:
        enabled = [
            (place, rule)
            for place, rule in enumerate(configuration.rules)
            if rule.status == "Enabled"
        ]
        self.day = day
        self._expirations = Clauses(_expirations(enabled))
        self._markers = Clauses(_markers(enabled))
        self._former = Clauses(_former(enabled))
        self._aborts = Clauses(_aborts(enabled))

    def prefixes(self, *, former: bool) -> list[bytes]:
        """What the keys begin with that rules are about, none of which begins with another; with
        `former` also those of rules about former versions and delete markers."""
        found = list(self._expirations.prefixes)
        if former:
            found += [*self._former.prefixes, *self._markers.prefixes]
        return _disjoint(found)

    @property
    def abort_prefixes(self) -> list[bytes]:
        return _disjoint(self._aborts.prefixes)

    def expires(self, key: bytes, size: int, mtime: int, tags: Tags) -> Due | None:
        """When the current version of a key is due, if ever."""
        return _earliest(self._expirations.of(key), size, tags, mtime, self.day)

    def lone_marker(self, key: bytes, mtime: int) -> Due | None:
        """When a delete marker is due that is all there is of its key: at once where a rule says
        so, and where objects expire when it is old enough to."""
        found = [
            Due(mtime, clause.rule) for clause in self._markers.of(key) if clause.fits(0, _untagged)
        ]
        aged = _earliest(self._expirations.of(key), 0, _untagged, mtime, self.day)
        return min(found, key=_at, default=aged)

    def former(self, key: bytes) -> list[Clause]:
        """What the rules say of the former versions of a key."""
        return list(self._former.of(key))

    def aborts(self, key: bytes, started: int) -> Due | None:
        """When an upload of a key that has not been completed is due, if ever."""
        return _earliest(self._aborts.of(key), 0, _untagged, started, self.day)


class Ages:
    """The former versions of one key, told from the newest on: which of them are due.

    A version counts as one of the newest that stay if the rule is about it and it is no delete
    marker, so that as many stay as the rule says.
    """

    __slots__ = ("_clauses", "_counts", "_day")

    def __init__(self, clauses: list[Clause], day: int) -> None:
        self._clauses = clauses
        self._counts = [0] * len(clauses)
        self._day = day

    def due(self, size: int, tags: Tags, since: int, *, marker: bool) -> int | None:
        """When the next version is due, that was replaced at `since`; `None` for never."""
        earliest: int | None = None
        for place, clause in enumerate(self._clauses):
            if not clause.fits(size, tags):
                continue
            if clause.newer:
                counted = self._counts[place]
                if not marker:
                    self._counts[place] = counted + 1
                if counted < clause.newer:
                    continue
            at = clause.due(since, self._day)
            if earliest is None or at < earliest:
                earliest = at
        return earliest


def after(since: int, days: int, day: int) -> int:
    """So many days after a moment, as S3 counts them."""
    at = since + days * day
    return (at // DAY + 1) * DAY if day == DAY else at


def _at(due: Due) -> int:
    return due.at


def _untagged() -> Mapping[str, str]:
    return {}


def _earliest(clauses: Iterable[Clause], size: int, tags: Tags, since: int, day: int) -> Due | None:
    best: tuple[int, int, str] | None = None
    for clause in clauses:
        if clause.fits(size, tags):
            found = (clause.due(since, day), clause.place, clause.rule)
            best = found if best is None else min(best, found)
    return Due(best[0], best[2]) if best is not None else None


def _disjoint(prefixes: Iterable[bytes]) -> list[bytes]:
    found: list[bytes] = []
    for prefix in sorted(set(prefixes)):
        if not found or not prefix.startswith(found[-1]):
            found.append(prefix)
    return found


_Enabled = list[tuple[int, Rule]]
_LARGEST: Final = 1 << 63


def _clause(
    place: int, rule: Rule, *, days: int = 0, date: int | None = None, newer: int = 0
) -> tuple[bytes, Clause]:
    told = rule.filter
    clause = Clause(
        rule.id,
        place,
        -1 if told.larger is None else told.larger,
        _LARGEST if told.smaller is None else told.smaller,
        frozenset(told.tags.items()),
        days,
        date,
        newer,
    )
    prefix = (told.prefix or "").encode("utf-8", "surrogateescape")
    return prefix, clause


def _expirations(enabled: _Enabled) -> Iterator[tuple[bytes, Clause]]:
    for place, rule in enabled:
        told = rule.expiration
        if told is not None and told.days is not None:
            yield _clause(place, rule, days=told.days)
        elif told is not None and told.date is not None:
            yield _clause(place, rule, date=told.date * SECOND)


def _markers(enabled: _Enabled) -> Iterator[tuple[bytes, Clause]]:
    for place, rule in enabled:
        if rule.expiration is not None and rule.expiration.markers:
            yield _clause(place, rule)


def _former(enabled: _Enabled) -> Iterator[tuple[bytes, Clause]]:
    for place, rule in enabled:
        told = rule.noncurrent
        if told is not None:
            yield _clause(place, rule, days=told.days, newer=told.newer or 0)


def _aborts(enabled: _Enabled) -> Iterator[tuple[bytes, Clause]]:
    for place, rule in enabled:
        if rule.abort_days is not None:
            yield _clause(place, rule, days=rule.abort_days)
