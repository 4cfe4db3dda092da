"""Decisions beside those of an evaluator that is as plain as the rules: no compiling, no caches, no
shortcuts, straight from the JSON."""

import ipaddress
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from aisle.auth.access import Decision
from aisle.auth.principal import ANONYMOUS, Principal
from tests.auth.policies import (
    ALICE,
    ARN,
    BOB,
    KEY,
    alice,
    amy,
    ask,
    ben,
    bob,
    bucket,
    identity_policy,
    root,
    statement,
    user_arn,
    who,
)

Statement = dict[str, Any]


def glob(pattern: str, text: str) -> bool:
    if not pattern:
        return not text
    if pattern[0] == "*":
        return any(glob(pattern[1:], text[place:]) for place in range(len(text) + 1))
    return bool(text) and pattern[0] in ("?", text[0]) and glob(pattern[1:], text[1:])


def listed(value: Any) -> list[str]:
    return value if isinstance(value, list) else [value]


def applies(
    one: Statement, principal: Principal, name: str, arn: str, context: dict[str, str]
) -> bool:
    if "Principal" in one or "NotPrincipal" in one:
        named: Any = one.get("Principal", one.get("NotPrincipal"))
        meant = named == "*" or any(text in principal.names for text in listed(named["AWS"]))
        if meant == ("NotPrincipal" in one):
            return False
    for element, text in (("Action", name.lower()), ("Resource", arn)):
        fold = str.lower if element == "Action" else str
        patterns = listed(one.get(element, one.get(f"Not{element}")))
        filled = [each.replace("${aws:username}", principal.name or "\0") for each in patterns]
        meant = any(glob(fold(pattern), text) for pattern in filled)
        if meant == (f"Not{element}" in one):
            return False
    return all(
        holds(operator, context.get(key), value)
        for operator, keys in one.get("Condition", {}).items()
        for key, value in keys.items()
    )


def holds(operator: str, given: str | None, value: str) -> bool:
    if operator == "Null":
        return (given is None) == (value == "true")
    negative = "Not" in operator
    if given is None:
        return negative or operator.endswith("IfExists")
    name = operator.removesuffix("IfExists")
    if name in ("StringEquals", "StringNotEquals"):
        fits = given == value
    elif name in ("StringLike", "StringNotLike"):
        fits = glob(value, given)
    else:
        assert name in ("IpAddress", "NotIpAddress")
        fits = ipaddress.ip_address(given) in ipaddress.ip_network(value)
    return fits != negative


def allowed(
    principal: Principal, own: list[Statement], bucket: list[Statement], name: str, arn: str,
    context: dict[str, str],
) -> bool:  # fmt: skip
    def any_of(statements: list[Statement], effect: str) -> bool:
        return any(
            one["Effect"] == effect and applies(one, principal, name, arn, context)
            for one in statements
        )

    mine = principal.canonical == alice.canonical
    way_out = "BucketPolicy" in name and (principal.admin or (mine and principal.owner))
    if any_of(own, "Deny") or (any_of(bucket, "Deny") and not way_out):
        return False
    if principal.admin:
        return True
    side = principal.owner or any_of(own, "Allow")
    there = any_of(bucket, "Allow") and name.startswith("s3:")
    if principal.anonymous:
        return there
    return side or there if mine else side and there


resources = st.sampled_from([
    "*", ARN, f"{ARN}/*", f"{ARN}*", f"{ARN}/2024/*", f"{ARN}/*.jpg", f"{ARN}/????/*/cat.jpg",
    f"{ARN}/${{aws:username}}/*", [ARN, f"{ARN}/*"], [f"{ARN}/amy/*", f"{ARN}/2024/jan/cat.jpg"],
])  # fmt: skip
names = st.sampled_from([
    "*", "s3:*", "s3:Get*", "s3:getobject", "s3:*Object", "s3:?etObject", "s3:ListBucket",
    ["s3:PutObject", "s3:GetObject"], "s3:*BucketPolicy",
])  # fmt: skip
conditions = st.dictionaries(
    st.sampled_from(["StringEquals", "StringNotEquals", "StringLike", "StringEqualsIfExists"]),
    st.dictionaries(
        st.sampled_from(["aws:Referer", "aws:UserAgent"]), st.sampled_from(["x", "xy", "x*"]),
        min_size=1,
    ),
    max_size=1,
) | st.sampled_from([
    {"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}},
    {"NotIpAddress": {"aws:SourceIp": "10.0.0.0/8"}},
    {"Null": {"aws:Referer": "true"}},
    {"Null": {"aws:Referer": "false"}, "StringNotLike": {"aws:UserAgent": "x*"}},
])  # fmt: skip
whom = st.sampled_from([
    "*", {"AWS": ALICE}, {"AWS": [BOB]}, {"AWS": user_arn("amy", ALICE)},
    {"AWS": [user_arn("ben", BOB), user_arn("bob", BOB)]},
])  # fmt: skip


def _made(
    effect: str, name: Any, resource: Any, condition: Any, principal: Any, but: str
) -> Statement:
    one = statement(effect, Action=name, Resource=resource, Condition=condition)
    one["Principal"] = principal
    if effect == "Deny" and but == "NotPrincipal" and principal != "*":
        one["NotPrincipal"] = one.pop("Principal")
    elif but in ("Action", "Resource"):
        one[f"Not{but}"] = one.pop(but)
    return one


statements = st.lists(
    st.builds(
        _made, st.sampled_from(["Allow", "Allow", "Deny"]), names, resources, conditions, whom,
        st.sampled_from(["", "", "", "", "NotPrincipal", "Action", "Resource"]),
    ),
    max_size=3,
)  # fmt: skip
contexts = st.fixed_dictionaries({}, optional={
    "aws:SourceIp": st.sampled_from(["10.1.1.1", "192.0.2.1"]),
    "aws:Referer": st.sampled_from(["x", "xy", "z"]),
    "aws:UserAgent": st.sampled_from(["x", "xy", "z"]),
})  # fmt: skip
people = st.sampled_from([alice, amy, bob, ben, root, ANONYMOUS])
asked = st.sampled_from([
    ("s3:GetObject", KEY), ("s3:GetObject", f"{ARN}/amy/x"), ("s3:PutObject", KEY),
    ("s3:ListBucket", ARN), ("s3:PutBucketPolicy", ARN), ("ais:MoveBucket", ARN),
    ("s3:PutObject", f"{ARN}/2024/x.jpg"),
])  # fmt: skip


def _fits(one: Statement) -> bool:
    """Whether the parser takes it: an action has to fit one of the resources."""
    if "NotAction" in one or "NotResource" in one:
        return True
    texts = listed(one["Resource"])
    in_bucket = any(glob(text, ARN) for text in texts)
    in_objects = any("/" in text or text.endswith("*") for text in texts)
    in_one = {"s3:ListBucket": in_bucket, "s3:*BucketPolicy": in_bucket}
    either = in_bucket or in_objects
    anything = {"*": either, "s3:*": either, "s3:Get*": either}
    return all((in_one | anything).get(name, in_objects) for name in listed(one["Action"]))


@settings(max_examples=250, deadline=None)
@given(people, statements, statements, asked, contexts)
def test_decisions_are_those_of_the_plain_rules(
    principal: Principal, own: list[Statement], there: list[Statement], question: tuple[str, str],
    context: dict[str, str],
) -> None:  # fmt: skip
    there = [one for one in there if _fits(one)]
    mine = [
        {key: value for key, value in one.items() if key not in ("Principal", "NotPrincipal")}
        for one in own
    ]
    if mine and not (principal.anonymous or principal.admin):
        policy = identity_policy(*mine)
        principal = who(principal.name, principal.account, policy, owner=principal.owner)
    else:
        mine = []
    name, arn = question
    decision = ask(principal, name, bucket(*there), arn, context=context)
    expected = allowed(principal, mine, there, name, arn, context)
    assert (decision is Decision.ALLOW) == expected
