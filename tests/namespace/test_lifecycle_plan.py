"""When things are due, on literals.

The dates are those of S3's user guide: an object made on 15 January 2014 at 10:30 UTC that expires
after three days expires on 19 January at midnight.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

import pytest

from aisle.namespace.lifecycle.plan import DAY, SECOND, Ages, Due, after
from aisle.namespace.lifecycle.rules import Configuration, decode, encode
from tests.namespace.lifecycles import plan, rule


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * SECOND


MADE = at("2014-01-15 10:30")


def tagged(**tags: str) -> Mapping[str, str]:
    return tags


def untagged() -> Mapping[str, str]:
    return {}


def never() -> Mapping[str, str]:
    raise AssertionError("the tags were asked for")


@pytest.mark.parametrize(
    ("since", "days", "due"),
    [
        ("2014-01-15 10:30", 3, "2014-01-19"),
        ("2014-01-15 10:30", 1, "2014-01-17"),
        ("2014-01-15 00:00", 1, "2014-01-17"),
        ("2014-01-15 23:59", 1, "2014-01-17"),
        ("2016-02-27 12:00", 1, "2016-02-29"),
    ],
)
def test_days_end_at_the_midnight_that_follows(since: str, days: int, due: str) -> None:
    assert after(at(since), days, DAY) == at(due)


def test_days_of_another_length_end_where_they_end() -> None:
    assert after(MADE, 3, 2 * SECOND) == MADE + 6 * SECOND


def test_the_earliest_of_the_rules_that_fit_counts() -> None:
    rules = plan(
        rule(name="year", days=365),
        rule(name="logs", prefix="logs/", days=10),
        rule(name="off", days=1, enabled=False),
        rule(name="same", prefix="logs/x", days=10),
    )
    assert rules.expires(b"logs/x", 1, MADE, untagged) == Due(at("2014-01-26"), "logs")
    assert rules.expires(b"logs", 1, MADE, untagged) == Due(at("2015-01-16"), "year")
    assert rules.prefixes(former=True) == [b""]


def test_of_equal_ones_the_first_rule_is_told() -> None:
    long_first = plan(rule(name="long", prefix="a", days=1), rule(name="short", days=1))
    due = long_first.expires(b"a", 1, MADE, untagged)
    assert due is not None
    assert due.rule == "long"


def test_a_date_is_due_then_whenever_the_object_was_made() -> None:
    rules = plan(rule(name="date", date=at("2014-02-01") // SECOND))
    for made in (0, MADE, at("2020-01-01")):
        assert rules.expires(b"k", 1, made, untagged) == Due(at("2014-02-01"), "date")


@pytest.mark.parametrize(
    ("size", "fits"), [(0, False), (10, False), (11, True), (19, True), (20, False)]
)
def test_sizes_are_exclusive(size: int, fits: bool) -> None:
    rules = plan(rule(larger=10, smaller=20, days=1))
    assert (rules.expires(b"k", size, MADE, untagged) is not None) == fits


def test_all_tags_have_to_be_there_and_are_asked_for_last() -> None:
    rules = plan(rule(prefix="p", larger=0, tags={"a": "1", "b": ""}, days=1))
    assert rules.expires(b"p", 1, MADE, lambda: tagged(a="1", b="", c="2")) is not None
    for other in ({"a": "1"}, {"a": "2", "b": ""}, {"A": "1", "b": ""}):
        assert rules.expires(b"p", 1, MADE, lambda other=other: other) is None  # type: ignore[misc]
    assert rules.expires(b"q", 1, MADE, never) is None
    assert rules.expires(b"p", 0, MADE, never) is None


def test_a_lone_marker_goes_at_once_or_as_old_as_objects_expire() -> None:
    assert plan(rule(markers=True)).lone_marker(b"k", MADE) == Due(MADE, "rule")
    assert plan(rule(markers=False)).lone_marker(b"k", MADE) is None
    assert plan(rule(days=3)).lone_marker(b"k", MADE) == Due(at("2014-01-19"), "rule")
    assert plan(rule(noncurrent=1)).lone_marker(b"k", MADE) is None
    assert plan(rule(tags={"a": "b"}, days=1)).lone_marker(b"k", MADE) is None
    assert plan(rule(prefix="other", markers=True)).lone_marker(b"k", MADE) is None


def test_former_versions_are_due_by_age_behind_those_that_stay() -> None:
    clauses = plan(rule(noncurrent=1, newer=2)).former(b"k")
    ages = Ages(clauses, DAY)
    told = [ages.due(1, untagged, MADE, marker=marker) for marker in (False, True, False, False)]
    assert told == [None, None, None, at("2014-01-17")]  # the marker counts for nothing


def test_only_versions_that_a_rule_is_about_count_for_it() -> None:
    ages = Ages(plan(rule(noncurrent=1, newer=1, larger=5)).former(b"k"), DAY)
    assert [ages.due(size, never, MADE, marker=False) for size in (3, 9, 3, 9)] == [
        None,
        None,
        None,
        at("2014-01-17"),
    ]


def test_uploads_are_due_by_their_prefix_alone() -> None:
    rules = plan(rule(prefix="u/", abort=7, name="mpu"), rule(days=1))
    assert rules.aborts(b"u/x", MADE) == Due(at("2014-01-23"), "mpu")
    assert rules.aborts(b"v", MADE) is None
    assert rules.abort_prefixes == [b"u/"]


def test_prefixes_that_others_begin_with_are_read_once() -> None:
    rules = plan(
        rule(prefix="a/b", days=1),
        rule(prefix="a/", noncurrent=1),
        rule(prefix="c", days=1),
        rule(prefix="d", markers=True),
        rule(prefix="e", abort=1),
    )
    assert rules.prefixes(former=True) == [b"a/", b"c", b"d"]
    assert rules.prefixes(former=False) == [b"a/b", b"c"]


def test_rules_are_kept_as_they_are() -> None:
    told = Configuration([rule(tags={"a": "ü"}, date=0), rule(abort=3, enabled=False)])
    assert decode(encode(told)) == told
