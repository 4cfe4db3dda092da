"""How operations stand is told of all of them, once, and as it is."""

from __future__ import annotations

from pathlib import Path

import botocore.session

from aisle.api.s3 import dialect
from aisle.api.s3.compatibility import KEPT, REFUSED
from aisle.api.s3.operations import ROUTES

MODEL = set(botocore.session.get_session().get_service_model("s3").operation_names)
# Deprecated twins are served by the operation that has taken their place.
TWINS = {
    "GetBucketLifecycle",
    "GetBucketNotification",
    "PutBucketLifecycle",
    "PutBucketNotification",
}


def test_every_operation_of_the_model_is_served_or_refused() -> None:
    told = set(dialect.HANDLERS) | set(REFUSED)
    assert MODEL - TWINS - told == set()
    assert set(REFUSED) - MODEL == set()


def test_no_operation_is_both_served_and_refused() -> None:
    assert set(dialect.HANDLERS) & set(REFUSED) == set()


def test_what_is_kept_without_effect_is_served() -> None:
    assert set(KEPT) <= set(dialect.HANDLERS)


def test_every_handler_can_be_reached() -> None:
    routed = {name for row in ROUTES for name in row.names}
    assert set(dialect.HANDLERS) - routed <= {"PostObject", "PreflightObject"}


def test_the_page_has_every_operation() -> None:
    page = (Path(__file__).parents[2] / "docs" / "s3-compatibility.md").read_text()
    for name in MODEL:
        assert f"| `{name}` |" in page, name
