"""The table of operations against botocore's models, and what is not served, over the wire."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.loaders import Loader

from aisle.api.iam.dialect import HANDLERS
from aisle.api.iam.errors import STATUS, TABLE, tell
from aisle.api.iam.operations import OPERATIONS, SERVED
from aisle.api.iam.query import LISTS, RULES
from aisle.core import errors
from tests.iam.forms import error_of, post
from tests.people import Person

MODELS = {name: Loader().load_service_model(name, "service-2") for name in ("iam", "sts")}
SERVICES = {
    operation: service for service, model in MODELS.items() for operation in model["operations"]
}


def members(operation: str) -> tuple[set[str], set[str]]:
    """All parameters of an operation, and those it needs."""
    model = MODELS[SERVICES[operation]]
    row = model["operations"][operation]
    shape: dict[str, Any] = model["shapes"][row["input"]["shape"]] if "input" in row else {}
    return set(shape.get("members", {})), set(shape.get("required", ()))


def test_every_operation_of_the_models_is_in_the_table() -> None:
    assert {name: row.service for name, row in OPERATIONS.items()} == SERVICES


def test_every_served_operation_has_a_handler() -> None:
    assert {row.name for row in OPERATIONS.values() if row.served} == HANDLERS.keys()


@pytest.mark.parametrize("row", SERVED, ids=lambda row: row.name)
def test_parameters_are_those_of_the_model(row: Any) -> None:
    known, needed = members(row.name)
    assert row.takes <= known
    assert row.needs == needed
    assert row.takes <= RULES.keys() | LISTS.keys()


def test_every_code_of_an_error_has_a_status() -> None:
    for kind, teller in TABLE.items():
        error = kind.__new__(kind)
        Exception.__init__(error, "what happened")
        error.__dict__.setdefault("code", "NoSuchEntity")
        assert teller(error).code in STATUS


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.UserNotFound("bob"), "NoSuchEntity"),
        (errors.UserInUse("bob", "access keys"), "DeleteConflict"),
        (errors.StoreUnavailable("a disk is gone"), "ServiceUnavailable"),
        (errors.StoreError("anything"), "ServiceFailure"),
        (errors.TooManyAttempts(2.0), "Throttling"),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
def test_what_happened_is_told_by_the_nearest_class(error: errors.AisleError, code: str) -> None:
    assert tell(error).code == code


def test_what_is_not_served_is_refused_by_name(root: Person) -> None:
    for name, service in SERVICES.items():
        if name not in HANDLERS:
            reply = post(root, service, {"Action": name})
            assert (reply.status, error_of(reply)) == (501, "NotImplemented"), name
            assert name.encode() in reply.body


@pytest.mark.parametrize("row", SERVED, ids=lambda row: row.name)
def test_parameters_that_are_not_taken_are_refused(root: Person, row: Any) -> None:
    """What a client asks for is done in whole or not at all."""
    for name in members(row.name)[0] - row.takes:
        reply = post(root, row.service, {"Action": row.name, name: "1"})
        assert (reply.status, error_of(reply)) == (400, "ValidationError")
        assert name.encode() in reply.body
