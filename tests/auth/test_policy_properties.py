"""What holds for any policy, any pattern and any text, however hostile."""

import json
import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aisle.auth.access import BucketAccess, Decision
from aisle.auth.policy.actions import KINDS, NAMES, matching
from aisle.auth.policy.conditions import NAMES as OPERATORS
from aisle.auth.policy.document import parse_bucket_policy, parse_identity_policy
from aisle.auth.policy.match import any_of, compiled, reach, tokens
from aisle.auth.principal import ANONYMOUS
from aisle.core.errors import MalformedPolicy
from tests.auth.policies import (
    ACTIONS,
    ALICE,
    ARN,
    BOB,
    BUCKET,
    KEY,
    alice,
    amy,
    ask,
    bob,
    bucket,
    document,
    identity_policy,
    root,
    statement,
    user_arn,
    who,
)

# --- patterns ---------------------------------------------------------------------------------

patterns = st.text("ab*?.", max_size=12)
texts = st.text("ab*?.", max_size=12)


def reference(pattern: str, text: str) -> bool:
    """The definition of a pattern, as slow as can be."""
    rows = [False] * (len(text) + 1)
    rows[0] = True
    for character in pattern:
        if character == "*":
            seen = False
            for place, row in enumerate(rows):
                seen = seen or row
                rows[place] = seen
        else:
            rows = [False] + [
                rows[place] and character in ("?", text[place]) for place in range(len(text))
            ]
    return rows[-1]


@given(patterns, texts)
def test_a_pattern_matches_what_its_definition_says(pattern: str, text: str) -> None:
    assert bool(compiled(tokens(pattern, variables=False))(text)) == reference(pattern, text)


@given(st.lists(patterns, min_size=1, max_size=4), texts)
def test_any_of_some_patterns_matches_what_one_of_them_does(some: list[str], text: str) -> None:
    test = any_of(tokens(pattern, variables=False) for pattern in some)
    assert bool(test(text)) == any(reference(pattern, text) for pattern in some)


@given(patterns, texts, texts)
def test_what_a_pattern_reaches(pattern: str, beginning: str, rest: str) -> None:
    found = reach(tokens(pattern, variables=False), beginning)
    matches = reference(pattern, beginning + rest)
    assert matches <= found.any
    assert found.all <= matches


@given(st.text("${}a:*?, '", max_size=24), st.text("${}a:*?, '", max_size=12))
def test_whatever_looks_like_a_variable_is_read_without_harm(pattern: str, text: str) -> None:
    parts = tokens(pattern, variables=True)
    reach(parts, text)
    plain = "".join(part for part in parts if isinstance(part, str))
    assert set(plain) <= set(pattern)


HOSTILE = [
    "*a" * 1_000 + "b",
    "*" + "a" * 1_000 + "b*",
    "*?" * 900 + "b",
    "*" + "?" * 1_000 + "b",
    "a*" * 500 + "*b" * 500,
    "*a?" * 300 + "*b",
]


@pytest.mark.parametrize("pattern", HOSTILE)
def test_no_pattern_takes_long(pattern: str) -> None:
    # What backtracks here would never end.
    test = compiled(tokens(pattern, variables=False))
    text = "a" * 1_100
    assert not test(text)
    reach(tokens(pattern, variables=False), text)
    reach(tokens("${x}" * 500 + pattern, variables=True), text)


# --- any text at all --------------------------------------------------------------------------

scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10)
words = st.sampled_from([
    "Allow", "Deny", "*", "s3:*", "s3:GetObject", "s3:ListBucket", "s3:Get*", ARN, f"{ARN}/*",
    f"{ARN}/${{aws:username}}", "2012-10-17", "2008-10-17", ALICE, user_arn("amy", ALICE),
    "aws:SourceIp", "s3:prefix", "10.0.0.0/8", "true", "2026-01-01T00:00:00Z", "7",
])  # fmt: skip
operators = st.sampled_from(OPERATORS).flatmap(
    lambda name: st.sampled_from([name, f"{name}IfExists", f"ForAnyValue:{name}"])
)
names = st.sampled_from([
    "Version", "Id", "Statement", "Sid", "Effect", "Principal", "NotPrincipal", "Action",
    "NotAction", "Resource", "NotResource", "Condition", "AWS", "CanonicalUser", "Service",
    "aws:SourceIp", "s3:prefix", "aws:CurrentTime", "aws:Referer",
])  # fmt: skip
anything: st.SearchStrategy[Any] = st.recursive(
    scalars | words,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(names | operators | st.text(max_size=5), inner, max_size=4)
    ),
    max_leaves=12,
)
near = st.fixed_dictionaries(
    {"Effect": st.sampled_from(["Allow", "Deny"]) | anything},
    optional={
        "Sid": words | anything,
        "Principal": st.just("*") | st.just({"AWS": ALICE}) | anything,
        "NotPrincipal": st.just({"AWS": ALICE}) | anything,
        "Action": words | st.lists(words, max_size=3) | anything,
        "NotAction": words | anything,
        "Resource": words | st.lists(words, max_size=3) | anything,
        "NotResource": words | anything,
        "Condition": st.dictionaries(
            operators,
            st.dictionaries(names, words | st.lists(words, max_size=3) | anything, max_size=2),
            max_size=2,
        )
        | anything,
    },
)


def refuses_or_decides(text: str) -> None:
    try:
        policy = parse_bucket_policy(text, BUCKET)
    except MalformedPolicy as error:
        str(error).encode()
    else:
        access = type(bucket())((BUCKET, "ais", ""), alice.canonical, policy=policy)
        for principal in (alice, amy, bob, ANONYMOUS):
            for name in ("s3:GetObject", "s3:ListBucket", "ais:MoveBucket"):
                ask(principal, name, access, context={"aws:SourceIp": "10.0.0.1"})
                ask(principal, name, access, ARN, whole=True)
    try:
        parse_identity_policy(text)
    except MalformedPolicy as error:
        str(error).encode()


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=60) | anything.map(json.dumps))
def test_any_text_is_a_policy_or_malformed(text: str) -> None:
    refuses_or_decides(text)


@settings(max_examples=200, deadline=None)
@given(st.lists(near, min_size=1, max_size=3), st.sampled_from(["2012-10-17", "2008-10-17"]))
def test_whatever_is_nearly_a_policy_is_one_or_malformed(
    statements: list[dict[str, Any]], version: str
) -> None:
    refuses_or_decides(document(*statements, version=version))


# --- decisions --------------------------------------------------------------------------------

good_conditions = st.sampled_from([
    {}, {},
    {"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}},
    {"NotIpAddress": {"aws:SourceIp": "10.0.0.0/8"}},
    {"StringEquals": {"aws:username": "amy"}},
    {"StringNotEquals": {"aws:Referer": "${aws:UserAgent}"}},
    {"Null": {"aws:Referer": "true"}},
    {"StringEqualsIfExists": {"aws:Referer": "x"}},
])  # fmt: skip
elements = st.fixed_dictionaries({
    "Action": st.sampled_from(["*", "s3:*", "s3:Get*", "s3:List*", "s3:Put*", "s3:*Object"]),
    "Resource": st.lists(
        st.sampled_from([ARN, f"{ARN}/*", f"{ARN}/2024/*", f"{ARN}/${{aws:username}}/*", "*"]),
        min_size=1, max_size=2,
    ),
    "Condition": good_conditions,
})  # fmt: skip
principals = st.sampled_from([
    "*", {"AWS": ALICE}, {"AWS": BOB}, {"AWS": user_arn("amy", ALICE)},
])  # fmt: skip
statements = st.builds(
    lambda effect, body, principal: statement(effect, Principal=principal, **body),
    st.sampled_from(["Allow", "Allow", "Deny"]),
    elements,
    principals,
)
denials = st.builds(
    lambda body, principal: statement("Deny", Principal=principal, **body), elements, principals
)
people = st.sampled_from([alice, amy, bob, root, ANONYMOUS])
actions = st.sampled_from(sorted(ACTIONS))
contexts = st.fixed_dictionaries(
    {},
    optional={
        "aws:SourceIp": st.sampled_from(["10.0.0.1", "11.0.0.1"]),
        "aws:Referer": st.sampled_from(["x", "y"]),
        "aws:UserAgent": st.sampled_from(["x", "y"]),
    },
)
RANK = {Decision.DENY: 0, Decision.OBJECT: 1, Decision.ALLOW: 2}


def parsed(some: list[dict[str, Any]]) -> Any:
    try:
        return bucket(*some)
    except MalformedPolicy:  # an action that fits none of the resources
        return None


@settings(max_examples=200, deadline=None)
@given(
    st.lists(statements, max_size=3), denials, people, actions, contexts,
    st.sampled_from([KEY, ARN, f"{ARN}/amy/x"]), st.booleans(), st.integers(0, 3),
)  # fmt: skip
def test_one_more_denial_never_allows_more(
    some: list[dict[str, Any]], denial: dict[str, Any], principal: Any, action: str,
    context: dict[str, str], resource: str, whole: bool, place: int,
) -> None:  # fmt: skip
    before = parsed(some)
    after = parsed([*some[:place], denial, *some[place:]])
    if before is None or after is None:
        return
    was = ask(principal, action, before, resource, context=context, whole=whole)
    now = ask(principal, action, after, resource, context=context, whole=whole)
    assert RANK[now] <= RANK[was]


@settings(max_examples=200, deadline=None)
@given(st.lists(statements, max_size=4), people, actions, contexts)
def test_a_job_may_do_nothing_that_one_of_its_requests_may_not(
    some: list[dict[str, Any]], principal: Any, action: str, context: dict[str, str]
) -> None:
    access = parsed(some)
    if access is None or KINDS.get(action.lower()) is None:
        return
    holds_for_requests(principal, action, access, context)


def test_what_is_done_to_an_account_is_not_asked_of_the_objects_of_a_bucket() -> None:
    """A job's question about all of a bucket is about its objects only where they are meant."""
    opened = {"Effect": "Allow", "Principal": "*", "Action": "s3:*", "Resource": f"{ARN}/*"}
    access = parsed([opened])
    assert access is not None
    for action in ("s3:ListAllMyBuckets", "s3:ListBucket", "s3:GetObject"):
        holds_for_requests(amy, action, access, {})


def holds_for_requests(
    principal: Any, action: str, access: BucketAccess, context: dict[str, str]
) -> None:
    """What is allowed to a job is allowed to each request that it stands for."""
    if ask(principal, action, access, ARN, context=context, whole=True) is Decision.ALLOW:
        object_action = KINDS[action.lower()].name == "OBJECT"
        for resource in (KEY, f"{ARN}/amy/x", f"{ARN}/z") if object_action else (ARN,):
            assert ask(principal, action, access, resource, context=context) is Decision.ALLOW


@settings(max_examples=150, deadline=None)
@given(st.lists(statements, max_size=3), st.lists(statements, min_size=1, max_size=2), actions)
def test_a_session_never_has_more_than_its_user(
    some: list[dict[str, Any]], limits: list[dict[str, Any]], action: str
) -> None:
    access = parsed(some)
    if access is None:
        return
    session = who("alice", ALICE, owner=True, session=identity_policy(*limits))
    assert RANK[ask(session, action, access)] <= RANK[ask(alice, action, access)]


# --- the table of actions ---------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(NAMES))
def test_a_name_of_an_action_is_one_in_any_case(name: str) -> None:
    assert re.fullmatch(r"s3:[A-Z][A-Za-z0-9]+", name)
    assert matching(name.lower()) == (name.lower(),)
    assert name.lower() in KINDS


def test_twenty_kilobytes_of_the_worst_are_read_and_asked() -> None:
    worst = [f"{ARN}/" + "*a" * 900 for _ in range(9)]
    text = document(statement("Deny", Resource=worst))
    policy = parse_bucket_policy(text, BUCKET)
    access = type(bucket())((BUCKET, "ais", ""), alice.canonical, policy=policy)
    assert ask(alice, "s3:GetObject", access, f"{ARN}/" + "a" * 1_000 + "b") is Decision.ALLOW
