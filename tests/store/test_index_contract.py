"""The suite of the `Index` port, on every engine of `engines.INDEXES`."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from aisle.core.errors import RowChanged
from aisle.store.base import ABSENT, Check, Delete, Fold, Index, Put
from tests.store.conftest import Run
from tests.store.engines import IndexEngine

# In byte order. The edges of a byte and of a prefix are all here.
KEYS = [
    b"\x00",
    b"\x00\x00",
    b"\x00\xff",
    b"a",
    b"a\x00",
    b"a\x00b",
    b"a/",
    b"a/1",
    b"a/2",
    b"a/2/x",
    b"a0",
    b"a\xff",
    b"a\xff\xff",
    b"b",
    b"\xc3\xa9",
    b"\xff",
    b"\xff\x00",
    b"\xff\xff",
]


def fill(run: Run, index: Index, keys: list[bytes]) -> None:
    run(index.commit(*[Put("row", key, b"=" + key) for key in reversed(keys)]))


def scanned(
    run: Run,
    index: Index,
    *,
    prefix: bytes = b"",
    after: bytes = b"",
    limit: int = 1000,
    reverse: bool = False,
) -> list[bytes]:
    rows = run(index.scan("row", prefix=prefix, after=after, limit=limit, reverse=reverse))
    assert all(value == b"=" + key for key, value in rows)
    return [key for key, _ in rows]


def test_a_miss_is_none_in_a_table_nobody_has_written_to(index: Index, run: Run) -> None:
    assert run(index.get("row", b"a")) is None
    assert run(index.get_many("row", [b"a", b"b"])) == [None, None]
    assert run(index.scan("row", limit=10)) == []
    run(index.drop("row"))


def test_a_committed_row_is_read_back_and_can_be_replaced_and_deleted(
    index: Index, run: Run
) -> None:
    run(index.commit(Put("row", b"k", b"one")))
    assert run(index.get("row", b"k")) == b"one"
    run(index.commit(Put("row", b"k", b"two")))
    assert run(index.get("row", b"k")) == b"two"
    run(index.commit(Delete("row", b"k"), Delete("row", b"never there")))
    assert run(index.get("row", b"k")) is None


def test_the_last_change_of_a_key_in_a_batch_counts(index: Index, run: Run) -> None:
    run(index.commit(Put("row", b"k", b"1"), Delete("row", b"k"), Put("row", b"k", b"2")))
    run(index.commit(Put("row", b"gone", b"1"), Delete("row", b"gone")))
    assert run(index.scan("row", limit=9)) == [(b"k", b"2")]


def test_tables_do_not_see_each_other(index: Index, run: Run) -> None:
    run(index.commit(Put("row", b"k", b"row"), Put("body", b"k", b"body"), Put("order", b"k", b"")))
    assert run(index.get("row", b"k")) == b"row"
    assert run(index.get("body", b"k")) == b"body"
    assert run(index.get("order", b"k")) == b""
    run(index.drop("row"))
    assert run(index.get("row", b"k")) is None
    assert run(index.get("body", b"k")) == b"body"


def test_get_many_answers_in_the_order_asked(index: Index, run: Run) -> None:
    fill(run, index, KEYS)
    asked = [b"b", b"none", b"a", b"b", b"\xff"]
    assert run(index.get_many("row", asked)) == [b"=b", None, b"=a", b"=b", b"=\xff"]
    assert run(index.get_many("row", [])) == []


def test_a_scan_is_in_byte_order_both_ways(index: Index, run: Run) -> None:
    assert sorted(KEYS) == KEYS
    fill(run, index, KEYS)
    assert scanned(run, index) == KEYS
    assert scanned(run, index, reverse=True) == KEYS[::-1]


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("limit", [0, 1, 2, 1000])
def test_every_prefix_and_after_selects_what_their_definition_says(
    index: Index, run: Run, reverse: bool, limit: int
) -> None:
    fill(run, index, KEYS)
    edges = [b"", *KEYS, b"a/\xff", b"zz", b"\xff\xff\xff"]
    for prefix in edges:
        for after in edges:
            want = [
                key
                for key in KEYS
                if key.startswith(prefix)
                and (not after or (key < after if reverse else key > after))
            ]
            want = (want[::-1] if reverse else want)[:limit]
            got = scanned(run, index, prefix=prefix, after=after, limit=limit, reverse=reverse)
            assert got == want, (prefix, after)


def test_a_folded_scan_gives_the_first_key_of_each_common_prefix(index: Index, run: Run) -> None:
    keys = [
        b"a", b"a/", b"a/1", b"a/2/x", b"a0", b"b\x00/1", b"b\x00/2", b"b/", b"c/\xff",
        b"c/\xff\xff", b"c0", b"\xc3\xa9/1", b"\xc3\xa9/2", b"\xff/\xff",
    ]  # fmt: skip
    fill(run, index, keys)

    def folded(delimiter: bytes, start: int, **scan: Any) -> list[bytes]:
        rows = run(index.scan("row", limit=99, fold=Fold(delimiter, start), **scan))
        assert all(value == b"=" + key for key, value in rows)
        return [key for key, _ in rows]

    assert folded(b"/", 0) == [
        b"a", b"a/", b"a0", b"b\x00/1", b"b/", b"c/\xff", b"c0", b"\xc3\xa9/1", b"\xff/\xff",
    ]  # fmt: skip
    assert folded(b"/", 2, prefix=b"a/") == [b"a/", b"a/1", b"a/2/x"]
    assert folded(b"/", 0, after=b"a/1")[:2] == [b"a/2/x", b"a0"]
    assert folded(b"/", 0, after=b"b/")[0] == b"c/\xff"
    assert folded(b"/\xff", 0, prefix=b"c") == [b"c/\xff", b"c0"]
    assert folded(b"0", 0, prefix=b"zz") == []
    assert run(index.scan("row", limit=2, fold=Fold(b"/", 0))) == [
        (b"a", b"=a"),
        (b"a/", b"=a/"),
    ]
    assert run(index.scan("row", limit=0, fold=Fold(b"/", 0))) == []
    with pytest.raises(ValueError, match="fold"):
        run(index.scan("row", limit=1, fold=Fold(b"\xff", 0)))


def test_pages_of_a_scan_put_together_are_the_whole(index: Index, run: Run) -> None:
    keys = [f"{number:05}".encode() for number in range(2500)]
    fill(run, index, keys)
    pages: list[bytes] = []
    while page := scanned(run, index, after=pages[-1] if pages else b"", limit=1000):
        pages += page
    assert pages == keys


def test_a_check_holds_for_the_value_expected_and_for_absence(index: Index, run: Run) -> None:
    run(index.commit(Check("row", b"k", ABSENT), Put("row", b"k", b"1")))
    run(index.commit(Check("row", b"k", b"1"), Put("row", b"k", b"2")))
    run(index.commit(Check("row", b"k", b"2"), Delete("row", b"k")))
    run(index.commit(Check("row", b"k", ABSENT)))
    assert run(index.get("row", b"k")) is None


@pytest.mark.parametrize("expected", [ABSENT, b"", b"other", b"valu", b"value "])
def test_a_failed_check_names_its_row_and_applies_nothing(
    index: Index, run: Run, expected: bytes
) -> None:
    run(index.commit(Put("row", b"k", b"value")))
    with pytest.raises(RowChanged) as caught:
        run(
            index.commit(
                Put("row", b"new", b""),
                Check("row", b"absent", ABSENT),
                Check("row", b"k", expected),
                Delete("row", b"k"),
                Put("fresh", b"new", b""),
            )
        )
    assert (caught.value.table, caught.value.key) == ("row", b"k")
    assert run(index.scan("row", limit=9)) == [(b"k", b"value")]
    assert run(index.scan("fresh", limit=9)) == []


def test_a_check_for_a_value_fails_on_an_absent_row(index: Index, run: Run) -> None:
    with pytest.raises(RowChanged):
        run(index.commit(Check("row", b"k", b""), Put("row", b"k", b"")))
    assert run(index.get("row", b"k")) is None


def test_checks_see_the_state_before_their_own_batch(index: Index, run: Run) -> None:
    run(index.commit(Put("row", b"k", b"1"), Check("row", b"k", ABSENT)))
    run(index.commit(Delete("row", b"k"), Check("row", b"k", b"1"), Check("row", b"x", ABSENT)))
    assert run(index.get("row", b"k")) is None


def test_of_many_who_create_one_row_at_once_exactly_one_wins(index: Index, run: Run) -> None:
    async def race() -> list[object]:
        attempts = [
            index.commit(Check("row", b"k", ABSENT), Put("row", b"k", str(number).encode()))
            for number in range(50)
        ]
        return await asyncio.gather(*attempts, return_exceptions=True)

    outcomes = run(race())
    winners = [number for number, outcome in enumerate(outcomes) if outcome is None]
    assert len(winners) == 1
    assert all(isinstance(outcome, RowChanged) for outcome in outcomes if outcome is not None)
    assert run(index.get("row", b"k")) == str(winners[0]).encode()


def test_batches_that_wait_together_do_not_disturb_each_other(index: Index, run: Run) -> None:
    """Good and failing batches, a drop among them, in the order in which they were queued."""

    async def together() -> Sequence[object]:
        return await asyncio.gather(
            index.commit(Put("row", b"a", b"1"), Put("row", b"kept", b"")),
            index.commit(Check("row", b"a", b"1"), Put("row", b"b", b"2")),
            index.commit(Check("row", b"b", ABSENT), Put("row", b"c", b"3")),
            index.drop("row"),
            index.commit(Check("row", b"a", ABSENT), Put("row", b"d", b"4")),
            index.commit(Check("row", b"d", b"4"), Delete("row", b"d"), Put("row", b"e", b"5")),
            return_exceptions=True,
        )

    outcomes = run(together())
    assert [type(outcome) for outcome in outcomes] == [
        type(None),
        type(None),
        RowChanged,
        type(None),
        type(None),
        type(None),
    ]
    assert run(index.scan("row", limit=9)) == [(b"e", b"5")]


@pytest.mark.parametrize("size", [0, 1, 4096, 65536, 1 << 20, 16 << 20])
def test_values_of_every_size_come_back_whole(index: Index, run: Run, size: int) -> None:
    value = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
    run(index.commit(Put("row", b"k", value), Put("body", b"k", value)))
    assert run(index.get("row", b"k")) == value
    assert run(index.get("body", b"k")) == value


def test_a_key_may_have_2560_bytes(index: Index, run: Run) -> None:
    fill(run, index, [b"\xff" * 2560])
    assert scanned(run, index) == [b"\xff" * 2560]


@pytest.mark.parametrize(
    "change",
    [
        Put("row", b"", b""),
        Put("row", b"x" * 2561, b""),
        Put("row", b"k", bytes((16 << 20) + 1)),
        Put("Row", b"k", b""),
        Put('row"; DROP TABLE t_row; --', b"k", b""),
        Delete("", b"k"),
        Check("row", b"", ABSENT),
    ],
    ids=["no key", "long key", "big value", "capital", "injection", "no table", "empty check"],
)
def test_a_change_outside_of_the_limits_is_refused(
    index: Index, run: Run, change: Put | Delete | Check
) -> None:
    with pytest.raises(ValueError, match=r"key|value|table"):
        run(index.commit(Put("row", b"other", b""), change))
    assert run(index.scan("row", limit=9)) == []


def test_the_epoch_changes_with_every_commit_and_not_by_itself(index: Index, run: Run) -> None:
    seen = [index.epoch()]
    for number in range(5):
        run(index.commit(Put("row", b"k", str(number).encode())))
        assert index.epoch() not in seen
        assert index.epoch() == index.epoch()
        run(index.get("row", b"k"))
        seen.append(index.epoch())
    run(index.drop("row"))
    assert index.epoch() not in seen


def test_an_empty_commit_is_allowed(index: Index, run: Run) -> None:
    run(index.commit())


def test_stats_name_the_engine_and_count_bytes(index: Index, run: Run) -> None:
    run(index.commit(Put("row", b"k", bytes(10000))))
    stats = run(index.stats())
    assert stats.engine in ("memory", "sqlite", "postgres")
    assert stats.bytes_used >= 10000


def test_rows_are_there_after_a_restart(
    index_engine: IndexEngine, tmp_path: Path, run: Run
) -> None:
    async def open_again() -> Index:
        return await index_engine.open(tmp_path)

    if not index_engine.durable:
        # The contract of a volatile engine: nothing is left.
        first = run(open_again())
        run(first.commit(Put("row", b"k", b"1")))
        run(first.close())
        assert run(run(open_again()).get("row", b"k")) is None
        return
    for number in range(3):
        opened = run(open_again())
        fill(run, opened, [f"{number}/{n}".encode() for n in range(100)])
        assert len(scanned(run, opened)) == 100 * (number + 1)
        run(opened.close())
        run(opened.close())
