"""Locks of versions: what they may become, what a default gives, and what clocks do to them."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aisle.core.errors import ObjectLocked
from aisle.namespace import destroy, documents, locks, objects
from aisle.namespace.locks import COMPLIANCE, GOVERNANCE, Rule
from aisle.namespace.records import Lock, Object, decode
from aisle.namespace.versions import removal, stack
from aisle.namespace.windows import LOOK
from tests.namespace.locked import (
    COMPLIANT,
    GOVERNED,
    HELD,
    LATER,
    NOW,
    SOONER,
    lock_bucket,
    put,
)
from tests.namespace.support import DAY, HOUR, Clock, memory_store, run

# --- what a lock may become -----------------------------------------------------------------

# The lock before, what is asked for, and what it is then: without and with bypass.
REFUSED = "refused"
TRANSITIONS: list[tuple[Lock | None, tuple[str, int], object, object]] = [
    (None, (GOVERNANCE, LATER), GOVERNED, GOVERNED),
    (None, (COMPLIANCE, LATER), COMPLIANT, COMPLIANT),
    (None, ("", 0), None, None),
    (HELD, (GOVERNANCE, LATER), Lock(GOVERNANCE, LATER, True), Lock(GOVERNANCE, LATER, True)),
    (GOVERNED, (GOVERNANCE, LATER + 1), Lock(GOVERNANCE, LATER + 1), Lock(GOVERNANCE, LATER + 1)),
    (GOVERNED, (GOVERNANCE, LATER), GOVERNED, GOVERNED),
    (GOVERNED, (GOVERNANCE, SOONER), REFUSED, Lock(GOVERNANCE, SOONER)),
    (GOVERNED, (COMPLIANCE, LATER), REFUSED, COMPLIANT),
    (GOVERNED, (COMPLIANCE, SOONER), REFUSED, Lock(COMPLIANCE, SOONER)),
    (GOVERNED, ("", 0), REFUSED, None),
    (Lock(GOVERNANCE, LATER, True), ("", 0), REFUSED, HELD),
    (COMPLIANT, (COMPLIANCE, LATER + 1), Lock(COMPLIANCE, LATER + 1), Lock(COMPLIANCE, LATER + 1)),
    (COMPLIANT, (COMPLIANCE, LATER), COMPLIANT, COMPLIANT),
    (COMPLIANT, (COMPLIANCE, SOONER), REFUSED, REFUSED),
    (COMPLIANT, (GOVERNANCE, LATER + 1), REFUSED, REFUSED),
    (COMPLIANT, ("", 0), REFUSED, REFUSED),
    (Lock(COMPLIANCE, NOW), ("", 0), None, None),
    (Lock(COMPLIANCE, NOW), (GOVERNANCE, LATER), GOVERNED, GOVERNED),
    (Lock(COMPLIANCE, NOW + 1), ("", 0), REFUSED, REFUSED),
]  # fmt: skip


@pytest.mark.parametrize("bypass", [False, True])
@pytest.mark.parametrize("row", TRANSITIONS)
def test_what_retention_may_become(
    row: tuple[Lock | None, tuple[str, int], object, object], bypass: bool
) -> None:
    before, (mode, until), plain, bypassed = row
    expected = bypassed if bypass else plain
    if expected == REFUSED:
        with pytest.raises(ObjectLocked):
            locks.retained(before, mode, until, NOW, bypass=bypass)
    else:
        assert locks.retained(before, mode, until, NOW, bypass=bypass) == expected


# Until when (days from NOW) a version must stay, and who asks for it with which words.
Step = tuple[str, str, int, bool, int]
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["retain", "hold", "release", "remove"]),
        st.sampled_from(["", GOVERNANCE, COMPLIANCE]),
        st.integers(1, 20),
        st.booleans(),
        st.integers(-3, 5),
    ),
    max_size=30,
)


@given(STEPS)
def test_compliance_never_weakens(steps: list[Step]) -> None:
    """Whatever is asked for, and wherever the clock goes: what compliance has promised once is
    kept for as long as the clock says that it lasts, and a hold until it is released."""
    lock: Lock | None = None
    now, promised, held, removed = NOW, 0, False, False
    for kind, mode, days, bypass, passes in steps:
        now += passes * DAY
        record = msgspec.structs.replace(BLANK, lock=lock)
        try:
            if kind == "retain":
                lock = locks.retained(
                    lock, mode, now + days * DAY if mode else 0, now, bypass=bypass
                )
            elif kind == "remove":
                locks.check_removal(record, now, bypass=bypass)
                removed = True
            else:
                lock = locks.held(lock, on=kind == "hold")
                held = kind == "hold"
        except ObjectLocked:
            assert lock is not None
            assert lock.hold or lock.until > now
        if removed:
            assert now >= promised
            assert not held
            return
        if promised > now:
            assert lock is not None
            assert (lock.mode, lock.until >= promised) == (COMPLIANCE, True)
        promised = lock.until if lock is not None and lock.mode == COMPLIANCE else 0
        assert held == (lock is not None and lock.hold)


BLANK = stack.marker(1, version="", now=NOW, owner="me")
CASES: list[tuple[Lock | None, bool, bool]] = [
    (None, True, True),
    (Lock(), True, True),
    (Lock(released=True), True, True),
    (HELD, False, False),
    (Lock(GOVERNANCE, NOW + 1), False, True),
    (Lock(GOVERNANCE, NOW), True, True),
    (Lock(GOVERNANCE, NOW + 1, True), False, False),
    (Lock(COMPLIANCE, NOW + 1), False, False),
    (Lock(COMPLIANCE, NOW), True, True),
    (Lock(COMPLIANCE, NOW, True), False, False),
]


@pytest.mark.parametrize(("lock", "plain", "bypassed"), CASES)
def test_what_may_be_removed(lock: Lock | None, plain: bool, bypassed: bool) -> None:
    record = msgspec.structs.replace(BLANK, lock=lock)
    for bypass, free in ((False, plain), (True, bypassed)):
        if free:
            locks.check_removal(record, NOW, bypass=bypass)
        else:
            with pytest.raises(ObjectLocked):
                locks.check_removal(record, NOW, bypass=bypass)


def test_a_default_counts_from_when_the_version_was_made() -> None:
    made = msgspec.structs.replace(BLANK, marker=False, mtime=NOW + 1)
    assert locks.with_default(made, Rule()) == made
    assert locks.with_default(BLANK, Rule(GOVERNANCE, 1)) == BLANK  # a delete marker
    end = NOW + DAY + 1_000_000  # the next whole millisecond
    assert locks.with_default(made, Rule(GOVERNANCE, 1)).lock == Lock(GOVERNANCE, end)
    year = NOW + 365 * DAY + 1_000_000
    assert locks.with_default(made, Rule(COMPLIANCE, 0, 1)).lock == Lock(COMPLIANCE, year)
    held = msgspec.structs.replace(made, lock=HELD)
    assert locks.with_default(held, Rule(GOVERNANCE, 1)).lock == Lock(GOVERNANCE, end, True)
    own = msgspec.structs.replace(made, lock=GOVERNED)
    assert locks.with_default(own, Rule(COMPLIANCE, 9)) == own


# --- clocks ---------------------------------------------------------------------------------


def test_a_clock_that_goes_back_does_not_unlock() -> None:
    async def main() -> None:
        clock = Clock(NOW)
        store = memory_store(clock)
        bucket = await lock_bucket(store, Rule(COMPLIANCE, 1))
        it = await put(store, bucket)
        assert it.lock == Lock(COMPLIANCE, NOW + DAY)
        for moment in (NOW - 400 * DAY, 0, NOW - 1, NOW, NOW + DAY - 1):
            clock.now = moment
            with pytest.raises(ObjectLocked):
                await removal.remove(store, bucket, b"k", it.version, bypass=True)
            with pytest.raises(ObjectLocked):
                await destroy.destroy(store, bucket.name)
            with pytest.raises(ObjectLocked):
                locks.retained(it.lock, "", 0, clock.now, bypass=True)
        clock.now = NOW + DAY
        assert await removal.remove(store, bucket, b"k", it.version) is not None

    run(main())


def test_a_clock_that_was_ahead_and_is_set_right_locks_again() -> None:
    """What nobody removed meanwhile is as locked as before; what was written meanwhile is locked
    from the time on that it says it was written."""

    async def main() -> None:
        clock = Clock(NOW)
        store = memory_store(clock)
        bucket = await lock_bucket(store, Rule(COMPLIANCE, 1))
        it = await put(store, bucket)
        clock.now = NOW + 2 * DAY
        late = await put(store, bucket, key=b"late")
        clock.now = NOW + HOUR
        for key, version in ((b"k", it.version), (b"late", late.version)):
            with pytest.raises(ObjectLocked):
                await removal.remove(store, bucket, key, version, bypass=True)
        clock.now = NOW + DAY
        await removal.remove(store, bucket, b"k", it.version)
        with pytest.raises(ObjectLocked):
            await removal.remove(store, bucket, b"late", late.version)

    run(main())


def test_the_default_is_the_one_at_the_moment_of_the_write() -> None:
    async def main() -> None:
        clock = Clock(NOW)
        store = memory_store(clock)
        bucket = await lock_bucket(store)
        before = await put(store, bucket)
        raw = locks.encode_rule(Rule(GOVERNANCE, 3))
        bucket = await documents.change(store, bucket, {documents.LOCK: raw})
        after = await put(store, bucket)
        assert (before.lock, after.lock) == (None, Lock(GOVERNANCE, NOW + 3 * DAY))
        how = LOOK._replace(version=before.version)
        assert (await objects.head(store, bucket, b"k", how)).lock is None
        rows = await store.index.scan("object", prefix=bucket.record.id, limit=2)
        assert decode(Object, rows[0][1]).lock == after.lock

    run(main())
