"""Histories at random and rules at random: what a walk leaves is what a naive reading says.

The model reads the versions of each key from the newest on, asks every rule of every one of them in
the words of S3's user guide, and knows nothing of tables, pages or prefixes.
"""

from __future__ import annotations

from typing import NamedTuple, TypeVar

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aisle.core.errors import ObjectLocked
from aisle.namespace import objects
from aisle.namespace.lifecycle import walk as walking
from aisle.namespace.lifecycle.rules import Rule
from aisle.namespace.records import Lock, Object
from tests.namespace.lifecycles import apply, put, put_rules, rule, stacks
from tests.namespace.support import DAY, Clock, make_bucket, memory_store, run
from tests.namespace.versioned import check_invariants, switch

KEYS = (b"a", b"a\0", b"a/b", b"b", b"b\0\xc3\xbc")
SECOND = 1_000_000_000
T = TypeVar("T")
START = 1_800_000_000 * SECOND


class Put(NamedTuple):
    key: bytes
    size: int
    tags: dict[str, str]
    locked: bool


class Remove(NamedTuple):
    key: bytes


class Switch(NamedTuple):
    suspended: bool


class Wait(NamedTuple):
    time: int


Deed = Put | Remove | Switch | Wait


def often(usual: T, *others: T) -> st.SearchStrategy[T]:
    return st.sampled_from([usual, usual, usual, *others])


# Most of what happens is to one key, and most rules are about all: short histories tell nothing.
key = st.sampled_from([KEYS[0]] * 5 + [*KEYS])
tags = often({}, {"x": "1"}, {"x": "1", "y": "2"})
days = often(1, 2, 3)
put_ = st.builds(Put, key, st.integers(0, 6), tags, often(False, False, False, True))
wait = st.builds(Wait, st.sampled_from([-DAY // 2, DAY // 3, DAY, DAY + SECOND, 2 * DAY]))
deeds = st.lists(
    st.one_of(put_, put_, st.builds(Remove, key), wait, st.builds(Switch, often(False, True))),
    min_size=6,
    max_size=40,
)
about = {
    "prefix": often("", "a", "a/", "b"),
    "tags": often({}, {"x": "1"}, {"x": "1", "y": "2"}),
    "larger": often(None, 0, 3),
    "smaller": often(None, 2, 5),
    "enabled": often(True, True, False),
}
rules = st.lists(
    st.one_of(
        st.builds(rule, days=days, **about),
        st.builds(rule, noncurrent=days, newer=st.sampled_from([None, 1, 2, 3]), **about),
        st.builds(rule, prefix=often("", "a"), markers=often(True, False)),
        st.builds(rule, date=st.sampled_from([0, START // SECOND, 4_000_000_000])),
    ),
    min_size=1,
    max_size=4,
)
later = st.sampled_from([0, DAY, DAY + DAY // 2, 2 * DAY, 3 * DAY])


def midnight(since: int, count: int) -> int:
    at = since + count * DAY
    return at - at % DAY + DAY


def fits(told: Rule, key: bytes, version: Object) -> bool:
    filter_ = told.filter
    return (
        told.status == "Enabled"
        and key.startswith((filter_.prefix or "").encode())
        and all(version.tags.get(name) == value for name, value in filter_.tags.items())
        and (filter_.larger is None or version.size > filter_.larger)
        and (filter_.smaller is None or version.size < filter_.smaller)
    )


def is_expired(told: list[Rule], key: bytes, version: Object, now: int) -> bool:
    for each in told:
        if each.expiration is not None and fits(each, key, version):
            if each.expiration.days is not None:
                if midnight(version.mtime, each.expiration.days) <= now:
                    return True
            elif each.expiration.date is not None and each.expiration.date * SECOND <= now:
                return True
    return False


def is_outdated(told: list[Rule], key: bytes, versions: list[Object], place: int, now: int) -> bool:
    version, since = versions[place], max(versions[place].mtime, versions[place - 1].mtime)
    for each in told:
        if each.noncurrent is None or not fits(each, key, version):
            continue
        newer = [v for v in versions[1:place] if not v.marker and fits(each, key, v)]
        stays = each.noncurrent.newer is not None and len(newer) < each.noncurrent.newer
        if not stays and midnight(since, each.noncurrent.days) <= now:
            return True
    return False


def held(version: Object) -> bool:
    return version.lock is not None


def left(
    told: list[Rule], key: bytes, versions: list[Object], status: str, now: int
) -> list[tuple[int, bool]]:
    """Place in the key's sequence and whether it is a marker, of what should be there after."""
    top = versions[0]
    if len(versions) == 1 and top.marker:
        wiped = any(
            each.expiration is not None and each.expiration.markers and fits(each, key, top)
            for each in told
        )
        return [] if wiped or is_expired(told, key, top, now) else [(top.seq, True)]
    kept = [
        version
        for place, version in enumerate(versions)
        if place == 0 or held(version) or not is_outdated(told, key, versions, place, now)
    ]
    told_of = [(version.seq, version.marker) for version in kept]
    if top.marker or not is_expired(told, key, top, now):
        return told_of
    if not status:
        return told_of if held(top) else told_of[1:]
    if status == "Suspended":
        # The marker takes the place of the null version, unless that is locked.
        null = next((version for version in versions if not version.version), None)
        if null is not None and held(null):
            return told_of
        told_of = [(v.seq, v.marker) for v in kept if v is not null]
    return [(top.seq + 1, True), *told_of]


@pytest.mark.parametrize("page", [1, 3, 500])
@settings(
    deadline=None,
    max_examples=400,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(history=deeds, told=rules, versioned=often(True, False), pause=later)
def test_what_is_left_is_what_a_naive_reading_leaves(
    page: int, history: list[Deed], told: list[Rule], versioned: bool, pause: int
) -> None:
    async def main() -> None:
        clock = Clock(START)
        store = memory_store(clock)
        bucket = await make_bucket(store)
        if versioned:
            bucket = await switch(store, bucket, suspended=False)
        for deed in history:
            match deed:
                case Put():
                    lock = Lock(hold=True) if deed.locked and versioned else None
                    try:
                        await put(store, bucket, deed.key, deed.size, tags=deed.tags, lock=lock)
                    except ObjectLocked:
                        continue
                case Remove():
                    try:
                        await objects.delete(store, bucket, deed.key, owner="me")
                    except ObjectLocked:
                        continue
                case Switch() if versioned:
                    bucket = await switch(store, bucket, suspended=deed.suspended)
                case Wait():
                    clock.now += deed.time
        bucket = await put_rules(store, bucket, *told)
        clock.now += pause
        before = await stacks(store, bucket)
        expected = {
            key: left(told, key, versions, bucket.record.versions, clock.now)
            for key, versions in before.items()
        }
        await apply(store, bucket)
        after = await stacks(store, bucket)
        assert {key: [(v.seq, v.marker) for v in after.get(key, [])] for key in before} == expected
        await check_invariants(store)

    old, walking.PAGE = walking.PAGE, page  # type: ignore[misc]
    try:
        run(main())
    finally:
        walking.PAGE = old  # type: ignore[misc]
