"""docs/policies.md holds: its examples parse, its tables are complete, its promises are kept."""

import re
from pathlib import Path

import pytest

from aisle.api.conditions import _HEADERS, _KEYS
from aisle.api.s3.actions import NEEDS
from aisle.auth.access import Decision
from aisle.auth.policy import actions, public
from aisle.auth.policy.conditions import NAMES
from aisle.auth.policy.document import MAX_SIZE, parse_bucket_policy
from aisle.auth.policy.public import is_public
from tests.auth.policies import ALICE, ARN, BUCKET, alice, amy, ask, bob, bucket

PAGE = (Path(__file__).parents[2] / "docs" / "policies.md").read_text()
EXAMPLES = re.findall(r"^```json\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


def test_the_examples_are_policies() -> None:
    assert len(EXAMPLES) == 2
    assert [is_public(parse_bucket_policy(text, BUCKET)) for text in EXAMPLES] == [True, False]


def test_the_examples_do_what_the_page_says() -> None:
    first, second = (
        type(bucket())((BUCKET, "ais", ""), alice.canonical, policy=parse_bucket_policy(t, BUCKET))
        for t in EXAMPLES
    )
    here, there = {"aws:SourceIp": "10.1.2.3"}, {"aws:SourceIp": "203.0.113.1"}
    draft = f"{ARN}/drafts/bob/x"
    assert ask(amy, "s3:GetObject", first, f"{ARN}/public/x", context=here) is Decision.ALLOW
    assert ask(bob, "s3:PutObject", first, draft, context=here) is Decision.ALLOW
    assert ask(bob, "s3:PutObject", first, draft, context=there) is Decision.DENY
    assert ask(alice, "s3:PutObject", first, draft, context=there) is Decision.DENY
    home, other = {"s3:prefix": "home/amy/x"}, {"s3:prefix": "home/ben/x"}
    assert amy.account == ALICE
    assert ask(amy, "s3:ListBucket", second, ARN, context=home) is Decision.ALLOW
    assert ask(amy, "s3:ListBucket", second, ARN, context=other) is Decision.DENY


@pytest.mark.parametrize("name", NAMES)
def test_every_operator_is_on_the_page(name: str) -> None:
    assert f"`{name}`" in PAGE


def test_every_condition_key_that_is_known_is_on_the_page() -> None:
    said = {key.lower() for key in re.findall(r"`((?:aws|s3):[^`]*)`", PAGE)}
    grants = {key for key in _HEADERS if key.startswith("s3:x-amz-grant-")}
    encryption = {key for key in _HEADERS if key.startswith("s3:x-amz-server-side-encryption-")}
    assert {*_KEYS, *_HEADERS} - grants - encryption <= said


def test_every_condition_key_that_is_known_can_be_written() -> None:
    for key in (*_KEYS, *_HEADERS):
        assert actions.is_key(key), key


def test_every_key_that_limits_a_policy_to_somebody_is_on_the_page() -> None:
    for key in public._WHO:
        assert f"`{key}`" in PAGE.lower()


def test_the_limit_is_on_the_page() -> None:
    assert f"{MAX_SIZE // 1024} KiB" in PAGE


def test_every_action_that_an_operation_needs_can_be_written() -> None:
    for needs in NEEDS.values():
        more = (action for _, action in (*needs.by_header, *needs.on_new))
        for action in (*needs.actions, *needs.of_version, *more):
            assert action.name in actions.NAMES, action.name
