"""The table of what operations need: every operation has a row, and few need nothing."""

import pytest

from aisle.api.native.needs import NEEDS, Where
from aisle.api.native.operations import OPEN, ROUTES
from aisle.api.native.route import Route
from aisle.core import permissions

STRANGERS = {"health", "login", "public-key", "openid-configuration", "jwks"}
ANYBODY = {
    "get-openapi",
    "list-buckets",
    "summary-bck",
    "get-job",
    "list-jobs",
    "list-running-jobs",
    "query-jobs",
    "stop-job",
    "copy-listrange",
    "delete-listrange",
    "archive",
    "get-batch",
    "revoke-token",
    "get-self",
    "get-user",
    "update-user",
    "list-keys",
    "create-key",
    "update-key",
    "delete-key",
}


@pytest.mark.parametrize("row", ROUTES, ids=lambda row: f"{row.method}-{row.path}-{row.name}")
def test_every_operation_says_what_it_needs(row: Route) -> None:
    need = NEEDS[row.name]
    if need.where in (Where.OPEN, Where.KNOWN):
        assert not need.actions
        assert not need.whole
    else:
        assert need.actions or need.whole
    if need.where in (Where.BUCKET, Where.OBJECT):
        assert row.path.startswith(("buckets/B", "objects/B"))
    if need.where is Where.OBJECT:
        assert row.path == "objects/B/K"


def test_every_need_is_of_an_operation() -> None:
    assert set(NEEDS) == {row.name for row in ROUTES}


def test_strangers_get_to_few_operations() -> None:
    assert {name for name, need in NEEDS.items() if need.where is Where.OPEN} == STRANGERS
    assert {row.name for row in ROUTES if (row.method, row.path) in OPEN} == STRANGERS


def test_few_operations_ask_for_permission_themselves() -> None:
    assert {name for name, need in NEEDS.items() if need.where is Where.KNOWN} == ANYBODY


def test_every_action_has_a_bit_of_aistore_and_a_name_for_policies() -> None:
    for need in NEEDS.values():
        for action in (*need.actions, *need.whole):
            assert action.name.startswith(("s3:", "ais:"))
            assert 0 < action.bit <= permissions.EVERYTHING
            whole_cluster = (
                permissions.LIST_BUCKETS | permissions.SHOW_CLUSTER | permissions.CREATE_BUCKET
                | permissions.DESTROY_BUCKET | permissions.MOVE_BUCKET | permissions.ADMIN
            )  # fmt: skip
            if action.name.startswith("ais:") and need.where is Where.CLUSTER:
                assert action.bit & whole_cluster == action.bit
