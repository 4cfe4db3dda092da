"""Groups on literals: what is read and locked, who passes, what is written, in which order."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from aisle.core.errors import RowChanged
from aisle.store.base import ABSENT, Change, Check, Delete, Put
from aisle.store.postgres.group import Batch, Clear, Group, Round, Tables, Write, statements

TABLES = Tables(frozenset({"body"}), frozenset({"object"}), frozenset({"bucket"}))
Grouped = Callable[..., Group]


@pytest.fixture
def group() -> Grouped:
    """A group of these batches, in this order."""
    loop = asyncio.new_event_loop()
    loop.close()

    def make(*batches: list[Change] | Clear) -> Group:
        return Group([Batch(changes, loop.create_future()) for changes in batches], TABLES)

    return make


def failed(group: Group) -> list[bytes | None]:
    """The key of the check for which each batch failed."""
    errors = [batch.error for batch in group.batches]
    return [error.key if isinstance(error, RowChanged) else None for error in errors]


def plain(rounds: list[Round]) -> list[list[tuple[str, str, list[bytes]]]]:
    return [[(w.kind, w.physical.removeprefix("aisle_"), w.keys) for w in some] for some in rounds]


def test_what_is_written_is_locked_what_is_only_checked_is_shared_and_buckets_are_read(
    group: Grouped,
) -> None:
    made = group(
        [Check("bucket", b"b", b"1"), Check("object", b"z", b"1"), Put("object", b"z", b"2")],
        [Check("object", b"a", b"1"), Delete("object", b"a"), Check("upload", b"u", b"1")],
    )
    sql, arguments = made.read(guess=True)  # type: ignore[misc]
    assert arguments == [[b"object\0a", b"object\0z"], [b"upload\0u"], [b"bucket\0b"]]
    first, second, third = sql.split("part")[1:4]
    assert "FROM aisle_object" in first
    assert "ORDER BY k FOR UPDATE" in first
    assert "FROM aisle_row" in second
    assert "ORDER BY k FOR SHARE" in second
    assert " FOR " not in third
    assert not made.changes_watched


def test_a_new_object_takes_one_read_of_its_bucket_and_one_statement(group: Grouped) -> None:
    made = group(
        [
            Check("bucket", b"b", b"1"),
            Check("object", b"k", ABSENT),
            Put("object", b"k", b"v"),
            Put("body", b"i", b"w"),
        ]
    )
    assert made.read(guess=True) == (
        "SELECT k, v FROM aisle_row WHERE k = ANY($1::bytea[])",
        [[b"bucket\0b"]],
    )
    rounds = made.judge({b"bucket\0b": b"1"}, guess=True)
    assert failed(made) == [None]
    ((sql, arguments, inserted),) = statements(rounds, b"\0mark")
    assert arguments == [[b"object\0k"], [b"v"], [b"body\0i"], [b"w"], [b"\0mark"], [b""]]
    assert inserted == 2
    assert sql.count("ON CONFLICT (k) DO NOTHING") == 2
    assert sql.count("ON CONFLICT (k) DO UPDATE") == 1


def test_a_guess_that_was_wrong_is_read_the_next_time(group: Grouped) -> None:
    made = group([Check("object", b"k", ABSENT), Put("object", b"k", b"v")])
    assert made.read(guess=True) is None
    sql, arguments = made.read(guess=False)  # type: ignore[misc]
    assert (sql.endswith("FOR UPDATE"), arguments) == (True, [[b"object\0k"]])
    assert made.judge({b"object\0k": b"old"}, guess=False) == []
    assert failed(made) == [b"k"]


def test_absence_that_somebody_relied_on_is_inserted_and_deleted_again(group: Grouped) -> None:
    made = group([Check("object", b"k", ABSENT), Put("row", b"x", b"v")])
    for guess in (True, False):
        assert plain(made.judge({}, guess=guess)) == [
            [("insert", "object", [b"object\0k"]), ("upsert", "row", [b"row\0x"])],
            [("delete", "object", [b"object\0k"])],
        ]


def test_who_fails_for_a_guess_has_it_verified(group: Grouped) -> None:
    """The first batch fails for another reason, the second one only because of the guess."""
    made = group(
        [Check("object", b"k", ABSENT), Check("row", b"x", b"1"), Put("object", b"k", b"1")],
        [Check("object", b"k", b"1"), Put("object", b"k", b"2")],
    )
    rounds = made.judge({}, guess=True)
    assert failed(made) == [b"x", b"k"]
    assert plain(rounds) == [
        [("insert", "object", [b"object\0k"])],
        [("delete", "object", [b"object\0k"])],
    ]


def test_batches_see_what_those_before_them_leave(group: Grouped) -> None:
    made = group(
        [Check("row", b"k", b"1"), Put("row", b"k", b"2")],
        [Check("row", b"k", b"1"), Put("row", b"other", b"")],
        [Check("row", b"k", b"2"), Delete("row", b"k")],
        [Check("row", b"k", ABSENT), Put("row", b"k", b"3")],
    )
    rounds = made.judge({b"row\0k": b"1"}, guess=False)
    assert failed(made) == [None, b"k", None, None]
    assert rounds == [[Write("upsert", "aisle_row", [b"row\0k"], [b"3"])]]


def test_a_clear_stands_between_what_was_before_and_after_it(group: Grouped) -> None:
    made = group(
        [Put("row", b"a", b"1")],
        Clear("row"),
        [Check("row", b"a", ABSENT), Put("row", b"a", b"2")],
    )
    rounds = made.judge({b"row\0a": b"0"}, guess=False)
    assert failed(made) == [None, None, None]
    assert plain(rounds) == [
        [("upsert", "row", [b"row\0a"])],
        [("clear", "row", [b"row\0"])],
        [("insert", "row", [b"row\0a"])],
    ]
    assert made.clears


def test_only_changes_of_watched_tables_stop_the_others(group: Grouped) -> None:
    assert group([Put("bucket", b"b", b"")]).changes_watched
    assert group([Delete("bucket", b"b")]).changes_watched
    assert group(Clear("bucket")).changes_watched
    assert not group([Check("bucket", b"b", b""), Put("object", b"k", b"")]).changes_watched


def test_the_marker_goes_with_a_statement_that_is_there_anyway(group: Grouped) -> None:
    def count(*batches: list[Change] | Clear) -> int:
        made = group(*batches)
        told = statements(made.judge({}, guess=True), b"\0mark")
        assert sum(b"\0mark" in keys for _, keys_of, _ in told for keys in keys_of) == 1
        return len(told)

    assert count([Put("row", b"k", b"")]) == 1
    assert count([Put("object", b"k", b"")]) == 1
    assert count([Put("body", b"k", b""), Put("object", b"k", b""), Put("row", b"k", b"")]) == 1
    assert count([Delete("object", b"k")]) == 1
    assert count([Put("object", b"k", b""), Delete("row", b"k")]) == 2
    assert count(Clear("row")) == 2
