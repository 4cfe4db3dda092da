"""Conditions as tables: RFC 9110 section 13.2.2 for reads, S3's conditional writes."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from aisle.core.errors import AisleError, NotModified, ObjectNotFound, PreconditionFailed
from aisle.namespace.conditions import ReadConditions, WriteConditions, etag_matches
from tests.namespace.test_records import OBJECT

NOW = 1_800_000_000
FOUND = msgspec.structs.replace(OBJECT, etag="abc", mtime=NOW * 10**9 + 999_999_999, size=5)
BEFORE, AFTER = NOW - 1, NOW + 1


@pytest.mark.parametrize(
    ("header", "matches"),
    [
        ("abc", True),
        ('"abc"', True),
        ('W/"abc"', True),
        ("*", True),
        ('"x", "abc"', True),
        ('"x","abc","y"', True),
        ('"x"', False),
        ('"ABC"', False),
        ('"abcd"', False),
        ('""', False),
        ("", False),
        (",", False),
    ],
)
def test_an_etag_header_names_an_etag(header: str, matches: bool) -> None:
    assert etag_matches(header, "abc") is matches


YES, NO = '"abc"', '"other"'
READS: list[tuple[dict[str, Any], type[AisleError] | None, str]] = [
    ({}, None, ""),
    ({"if_match": YES}, None, ""),
    ({"if_match": "*"}, None, ""),
    ({"if_match": NO}, PreconditionFailed, "If-Match"),
    ({"if_none_match": NO}, None, ""),
    ({"if_none_match": YES}, NotModified, "not been modified"),
    ({"if_none_match": "*"}, NotModified, "not been modified"),
    # Whole seconds: an object of this very second is not newer than it.
    ({"if_modified_since": BEFORE}, None, ""),
    ({"if_modified_since": NOW}, NotModified, "not been modified"),
    ({"if_modified_since": AFTER}, NotModified, "not been modified"),
    ({"if_unmodified_since": BEFORE}, PreconditionFailed, "If-Unmodified-Since"),
    ({"if_unmodified_since": NOW}, None, ""),
    ({"if_unmodified_since": AFTER}, None, ""),
    # If-Match outranks If-Unmodified-Since, whichever way it goes.
    ({"if_match": YES, "if_unmodified_since": BEFORE}, None, ""),
    ({"if_match": NO, "if_unmodified_since": AFTER}, PreconditionFailed, "If-Match"),
    # If-None-Match outranks If-Modified-Since.
    ({"if_none_match": NO, "if_modified_since": AFTER}, None, ""),
    ({"if_none_match": YES, "if_modified_since": BEFORE}, NotModified, "not been modified"),
    # A failed precondition comes before not-modified.
    ({"if_match": NO, "if_none_match": YES}, PreconditionFailed, "If-Match"),
    ({"if_match": YES, "if_none_match": YES}, NotModified, "not been modified"),
    ({"if_match": YES, "if_modified_since": AFTER}, NotModified, "not been modified"),
    ({"if_unmodified_since": BEFORE, "if_none_match": YES}, PreconditionFailed, "If-Unmod"),
    ({"if_unmodified_since": 0}, PreconditionFailed, "If-Unmodified-Since"),
    ({"if_modified_since": 0}, None, ""),
]


@pytest.mark.parametrize(("given", "error", "condition"), READS)
def test_a_read_follows_the_precedence_of_rfc_9110(
    given: dict[str, Any], error: type[AisleError] | None, condition: str
) -> None:
    conditions = ReadConditions(**given)
    if error is None:
        conditions.check(FOUND)
        conditions.check_copy(FOUND)
        return
    with pytest.raises(error, match=condition):
        conditions.check(FOUND)
    # Of a copy's source "not modified" is a failure like the others.
    with pytest.raises(PreconditionFailed):
        conditions.check_copy(FOUND)


def test_not_modified_carries_what_a_304_shows() -> None:
    with pytest.raises(NotModified) as caught:
        ReadConditions(if_none_match="*").check(FOUND)
    assert (caught.value.etag, caught.value.mtime) == (FOUND.etag, FOUND.mtime)


WRITES: list[tuple[dict[str, Any], type[AisleError] | None, type[AisleError] | None]] = [
    # given, outcome where the object exists, outcome where nothing does
    ({}, None, None),
    ({"if_none_match": "*"}, PreconditionFailed, None),
    ({"if_match": YES}, None, ObjectNotFound),
    ({"if_match": NO}, PreconditionFailed, ObjectNotFound),
    ({"if_match": "*"}, None, ObjectNotFound),
    ({"if_size": 5}, None, None),
    ({"if_size": 0}, PreconditionFailed, None),
    ({"if_mtime": NOW}, None, None),
    ({"if_mtime": BEFORE}, PreconditionFailed, None),
    ({"if_match": YES, "if_size": 6}, PreconditionFailed, ObjectNotFound),
    ({"if_match": YES, "if_size": 5, "if_mtime": NOW}, None, ObjectNotFound),
]


@pytest.mark.parametrize(("given", "present", "absent"), WRITES)
def test_a_write_happens_only_over_what_its_conditions_name(
    given: dict[str, Any], present: type[AisleError] | None, absent: type[AisleError] | None
) -> None:
    conditions = WriteConditions(**given)
    assert conditions.empty is (not given)
    for current, error in ((FOUND, present), (None, absent)):
        if error is None:
            conditions.check(current, bucket="b", key="k")
        else:
            with pytest.raises(error):
                conditions.check(current, bucket="b", key="k")
