"""The Condition element: each operator against values, absence and lists, and variables."""

from typing import Any

import pytest

from aisle.auth.access import Decision
from aisle.auth.policy import values
from tests.auth.policies import (
    ALICE,
    ARN,
    KEY,
    alice,
    amy,
    ask,
    bucket,
    bucket_policy,
    statement,
    user_arn,
)

UA, IP, TIME, REF = "aws:UserAgent", "aws:SourceIp", "aws:CurrentTime", "aws:Referer"
PREFIX, KEYS, TAGKEYS = "s3:prefix", "s3:max-keys", "s3:RequestObjectTagKeys"
NOW = "2026-03-01T12:00:00Z"
YES, NO = True, False

CASES: list[tuple[str, str, Any, Any, bool]] = [
    # operator, key, the policy's values, the request's, whether it holds
    ("StringEquals", UA, "curl", "curl", YES),
    ("StringEquals", UA, "curl", "Curl", NO),
    ("StringEquals", UA, ["wget", "curl"], "curl", YES),
    ("StringEquals", UA, "cu*", "curl", NO),
    ("StringEquals", UA, "cu*", "cu*", YES),
    ("StringEquals", UA, "curl", None, NO),
    ("StringEquals", UA, "", "", YES),
    ("StringEquals", UA, 5, "5", YES),
    ("StringEquals", UA, True, "true", YES),
    ("StringEquals", UA, "curl", ("wget", "curl"), YES),
    ("StringEqualsIfExists", UA, "curl", None, YES),
    ("StringEqualsIfExists", UA, "curl", "curl", YES),
    ("StringEqualsIfExists", UA, "curl", "wget", NO),
    ("StringNotEquals", UA, "curl", "wget", YES),
    ("StringNotEquals", UA, "curl", "curl", NO),
    ("StringNotEquals", UA, ["curl", "wget"], "wget", NO),
    ("StringNotEquals", UA, "curl", None, YES),
    ("StringNotEquals", UA, "curl", ("wget", "curl"), NO),
    ("StringNotEqualsIfExists", UA, "curl", None, YES),
    ("StringNotEqualsIfExists", UA, "curl", "curl", NO),
    ("StringEqualsIgnoreCase", UA, "CURL", "cUrl", YES),
    ("StringEqualsIgnoreCase", UA, "curl", "curls", NO),
    ("StringNotEqualsIgnoreCase", UA, "CURL", "cUrl", NO),
    ("StringNotEqualsIgnoreCase", UA, "CURL", "wget", YES),
    ("StringLike", UA, "aws-*/1.?", "aws-cli/1.9", YES),
    ("StringLike", UA, "aws-*/1.?", "aws-cli/1.10", NO),
    ("StringLike", UA, "*", "", YES),
    ("StringLike", UA, "*", None, NO),
    ("StringLike", UA, "a*a", "a", NO),
    ("StringLike", UA, "a*a", "aa", YES),
    ("StringLike", UA, "*b*", "abc", YES),
    ("StringLike", UA, "a.c", "abc", NO),
    ("StringLike", UA, "a\nb*", "a\nb\nc", YES),
    ("StringLike", UA, "A*", "abc", NO),
    ("StringLike", UA, ["x*", "a*"], "abc", YES),
    ("StringLikeIfExists", UA, "a*", None, YES),
    ("StringNotLike", UA, "aws-*", "curl", YES),
    ("StringNotLike", UA, "aws-*", "aws-cli", NO),
    ("StringNotLike", UA, "aws-*", None, YES),
    ("NumericEquals", KEYS, "10", "10", YES),
    ("NumericEquals", KEYS, 10, "10.0", YES),
    ("NumericEquals", KEYS, 10, "11", NO),
    ("NumericEquals", KEYS, 10, "ten", NO),
    ("NumericEquals", KEYS, 10, "", NO),
    ("NumericEquals", KEYS, 10, "1e1", NO),
    ("NumericEquals", KEYS, 10, "٣", NO),
    ("NumericEquals", KEYS, 9007199254740993, "9007199254740992", NO),
    ("NumericNotEquals", KEYS, 10, "11", YES),
    ("NumericNotEquals", KEYS, 10, "10", NO),
    ("NumericNotEquals", KEYS, 10, None, YES),
    ("NumericLessThan", KEYS, 10, "9", YES),
    ("NumericLessThan", KEYS, 10, "10", NO),
    ("NumericLessThan", KEYS, 10, "-3", YES),
    ("NumericLessThan", KEYS, [5, 10], "9", YES),
    ("NumericLessThanEquals", KEYS, 10, "10", YES),
    ("NumericLessThanEquals", KEYS, 10, "10.5", NO),
    ("NumericLessThanEquals", KEYS, 10, None, NO),
    ("NumericLessThanEqualsIfExists", KEYS, 10, None, YES),
    ("NumericGreaterThan", KEYS, 10, "11", YES),
    ("NumericGreaterThan", KEYS, "10.5", "10", NO),
    ("NumericGreaterThanEquals", KEYS, 10, "10", YES),
    ("NumericGreaterThanEquals", KEYS, 10, "9", NO),
    ("DateEquals", TIME, "2026-03-01T12:00:00Z", NOW, YES),
    ("DateEquals", TIME, "2026-03-01T13:00:00+01:00", NOW, YES),
    ("DateEquals", TIME, "2026-03-01", NOW, NO),
    ("DateEquals", "aws:EpochTime", 1772366400, "1772366400", YES),
    ("DateEquals", "aws:EpochTime", NOW, "1772366400", YES),
    ("DateNotEquals", TIME, "2026-03-01T12:00:00Z", NOW, NO),
    ("DateNotEquals", TIME, "2026-03-02", NOW, YES),
    ("DateLessThan", TIME, "2026-03-02", NOW, YES),
    ("DateLessThan", TIME, "2026-03-01", NOW, NO),
    ("DateLessThan", TIME, "2027", NOW, YES),
    ("DateLessThan", TIME, "2026-04", NOW, YES),
    ("DateLessThanEquals", TIME, NOW, NOW, YES),
    ("DateGreaterThan", TIME, "2026-02-28T23:59:59.5Z", NOW, YES),
    ("DateGreaterThan", TIME, NOW, NOW, NO),
    ("DateGreaterThanEquals", TIME, NOW, NOW, YES),
    ("DateGreaterThan", TIME, "2026-01-01", "yesterday", NO),
    ("DateGreaterThan", TIME, "2026-01-01", None, NO),
    ("DateGreaterThanIfExists", TIME, "2026-01-01", None, YES),
    ("Bool", "aws:SecureTransport", "true", "true", YES),
    ("Bool", "aws:SecureTransport", True, "true", YES),
    ("Bool", "aws:SecureTransport", "True", "true", YES),
    ("Bool", "aws:SecureTransport", "true", "false", NO),
    ("Bool", "aws:SecureTransport", "false", "false", YES),
    ("Bool", "aws:SecureTransport", "false", None, NO),
    ("BoolIfExists", "aws:SecureTransport", "false", None, YES),
    ("Bool", "aws:SecureTransport", "true", "yes", NO),
    ("BinaryEquals", UA, "YWJj", "YWJj", YES),
    ("BinaryEquals", UA, "YWJj", "YWJk", NO),
    ("BinaryEquals", UA, "YWJj", "abc", NO),
    ("BinaryEquals", UA, "YWJj", "ä", NO),
    ("IpAddress", IP, "10.0.0.0/8", "10.1.2.3", YES),
    ("IpAddress", IP, "10.0.0.0/8", "11.1.2.3", NO),
    ("IpAddress", IP, "10.1.2.3", "10.1.2.3", YES),
    ("IpAddress", IP, "10.1.2.3/32", "10.1.2.4", NO),
    ("IpAddress", IP, "10.1.2.3/8", "10.9.9.9", YES),
    ("IpAddress", IP, "0.0.0.0/0", "203.0.113.7", YES),
    ("IpAddress", IP, "0.0.0.0/0", "2001:db8::1", NO),
    ("IpAddress", IP, ["192.168.0.0/16", "10.0.0.0/8"], "10.1.2.3", YES),
    ("IpAddress", IP, "10.0.0.0/8", "::ffff:10.1.2.3", YES),
    ("IpAddress", IP, "2001:db8::/32", "2001:db8:1::5", YES),
    ("IpAddress", IP, "2001:db8::/32", "2001:db9::5", NO),
    ("IpAddress", IP, "2001:DB8:0:0::1", "2001:db8::1", YES),
    ("IpAddress", IP, "::/0", "10.1.2.3", NO),
    ("IpAddress", IP, "10.0.0.0/8", "10.1.2.3.4", NO),
    ("IpAddress", IP, "10.0.0.0/8", "010.1.2.3", NO),
    ("IpAddress", IP, "10.0.0.0/8", "fe80::1%eth0", NO),
    ("IpAddress", IP, "10.0.0.0/8", None, NO),
    ("IpAddressIfExists", IP, "10.0.0.0/8", None, YES),
    ("NotIpAddress", IP, "10.0.0.0/8", "10.1.2.3", NO),
    ("NotIpAddress", IP, "10.0.0.0/8", "11.1.2.3", YES),
    ("NotIpAddress", IP, ["10.0.0.0/8", "11.0.0.0/8"], "11.1.2.3", NO),
    ("NotIpAddress", IP, "10.0.0.0/8", None, YES),
    ("NotIpAddress", IP, "10.0.0.0/8", "nonsense", YES),
    ("ArnEquals", "aws:SourceArn", "arn:aws:s3:::in-*", "arn:aws:s3:::in-1", YES),
    ("ArnLike", "aws:SourceArn", "arn:aws:s3:::in-*", "arn:aws:s3:::in-1:x", YES),
    ("ArnLike", "aws:SourceArn", "arn:aws:*:1:a", "arn:aws:sns:us:1:a", NO),
    ("ArnLike", "aws:SourceArn", "arn:aws:*:*:1:a", "arn:aws:sns:us:1:a", YES),
    ("ArnLike", "aws:SourceArn", "arn:aws:s*s:us:?:a", "arn:aws:sns:us:1:a", YES),
    ("ArnLike", "aws:SourceArn", "arn:aws:sns:us:1:a", "not an arn", NO),
    ("ArnLike", "aws:SourceArn", "*", "arn:aws:sns:us:1:a", YES),
    ("ArnLike", "aws:SourceArn", "arn:aws:sns:us:1:a", None, NO),
    ("ArnNotEquals", "aws:SourceArn", "arn:aws:sns:us:1:a", "arn:aws:sns:us:1:a", NO),
    ("ArnNotEquals", "aws:SourceArn", "arn:aws:sns:us:1:a", "arn:aws:sns:us:1:b", YES),
    ("ArnNotLike", "aws:SourceArn", "arn:aws:sns:us:1:*", "arn:aws:sns:us:1:b", NO),
    ("ArnNotLike", "aws:SourceArn", "arn:aws:sns:us:1:*", None, YES),
    ("ArnLikeIfExists", "aws:SourceArn", "arn:aws:sns:us:1:*", None, YES),
    ("Null", UA, "true", None, YES),
    ("Null", UA, "true", "curl", NO),
    ("Null", UA, "false", "curl", YES),
    ("Null", UA, False, None, NO),
    ("Null", UA, ["true", "false"], None, YES),
    ("Null", UA, "false", "", YES),
    ("Null", UA, "true", (), YES),
    ("ForAllValues:StringEquals", TAGKEYS, ["a", "b"], ("a", "b"), YES),
    ("ForAllValues:StringEquals", TAGKEYS, ["a", "b"], ("a",), YES),
    ("ForAllValues:StringEquals", TAGKEYS, ["a", "b"], ("a", "c"), NO),
    ("ForAllValues:StringEquals", TAGKEYS, ["a", "b"], (), YES),
    ("ForAllValues:StringEquals", TAGKEYS, ["a", "b"], None, YES),
    ("ForAllValues:StringNotEquals", TAGKEYS, ["a", "b"], ("c", "d"), YES),
    ("ForAllValues:StringNotEquals", TAGKEYS, ["a", "b"], ("c", "a"), NO),
    ("ForAllValues:StringLike", TAGKEYS, "pub-*", ("pub-1", "pub-2"), YES),
    ("ForAllValues:StringLike", TAGKEYS, "pub-*", ("pub-1", "sec"), NO),
    ("ForAnyValue:StringEquals", TAGKEYS, ["a", "b"], ("c", "b"), YES),
    ("ForAnyValue:StringEquals", TAGKEYS, ["a", "b"], ("c", "d"), NO),
    ("ForAnyValue:StringEquals", TAGKEYS, ["a", "b"], (), NO),
    ("ForAnyValue:StringEquals", TAGKEYS, ["a", "b"], None, NO),
    ("ForAnyValue:StringNotEquals", TAGKEYS, ["a", "b"], ("a", "c"), YES),
    ("ForAnyValue:StringNotEquals", TAGKEYS, ["a", "b"], ("a", "b"), NO),
    ("ForAnyValue:StringEqualsIfExists", TAGKEYS, "a", None, YES),
    ("ForAnyValue:IpAddress", IP, "10.0.0.0/8", ("11.0.0.1", "10.0.0.1"), YES),
    ("ForAllValues:NumericLessThan", KEYS, 5, ("1", "4"), YES),
]


@pytest.mark.parametrize("effect", ["Allow", "Deny"])
@pytest.mark.parametrize(("operator", "key", "given", "value", "expected"), CASES)
def test_an_operator_compares(
    operator: str, key: str, given: object, value: Any, expected: bool, effect: str
) -> None:
    action = {
        PREFIX: "s3:ListBucket",
        KEYS: "s3:ListBucket",
        TAGKEYS: "s3:PutObject",
    }.get(key, "s3:GetObject")
    resource = ARN if action == "s3:ListBucket" else KEY
    access = bucket(statement(effect, Action=action, Condition={operator: {key: given}}))
    context = {} if value is None else {key: value}
    decision = ask(amy if effect == "Allow" else alice, action, access, resource, context=context)
    assert (decision is Decision.ALLOW) == (expected if effect == "Allow" else not expected)


TOGETHER = [
    # conditions, who holds: all operators and all keys must, any of the values may
    ({"StringEquals": {UA: "a", REF: "b"}}, {UA: "a", REF: "b"}, YES),
    ({"StringEquals": {UA: "a", REF: "b"}}, {UA: "a", REF: "x"}, NO),
    ({"StringEquals": {UA: "a", REF: "b"}}, {UA: "a"}, NO),
    ({"StringEquals": {UA: "a"}, "IpAddress": {IP: "10.0.0.0/8"}}, {UA: "a", IP: "10.1.1.1"}, YES),
    ({"StringEquals": {UA: "a"}, "IpAddress": {IP: "10.0.0.0/8"}}, {UA: "a", IP: "11.1.1.1"}, NO),
    ({"StringLike": {UA: "a*"}, "StringNotLike": {UA: "*z"}}, {UA: "abc"}, YES),
    ({"StringLike": {UA: "a*"}, "StringNotLike": {UA: "*z"}}, {UA: "abz"}, NO),
    ({"StringEquals": {"AWS:useragent": "a"}}, {UA: "a"}, YES),
    ({}, {}, YES),
]


@pytest.mark.parametrize(("conditions", "context", "expected"), TOGETHER)
def test_all_conditions_of_a_statement_must_hold(
    conditions: object, context: dict[str, str], expected: bool
) -> None:
    access = bucket(statement(Action="s3:GetObject", Condition=conditions))
    assert (ask(amy, "s3:GetObject", access, context=context) is Decision.ALLOW) == expected


@pytest.mark.parametrize("operator", ["IpAddress", "NotIpAddress"])
def test_one_policy_asked_again_and_again_answers_each_request_for_itself(operator: str) -> None:
    condition = {operator: {IP: "10.0.0.0/28"}}
    access = bucket(statement(Action="s3:GetObject", Condition=condition))
    for number in [*range(40), *range(40), *reversed(range(40))]:
        answer = ask(amy, "s3:GetObject", access, context={IP: f"10.0.0.{number}"})
        within = number < 16
        assert (answer is Decision.ALLOW) == (within == (operator == "IpAddress"))


S3_KEYS = [
    # what S3's users write most often
    ("s3:ListBucket", ARN, {"StringLike": {PREFIX: "home/*"}}, {PREFIX: "home/amy"}, YES),
    ("s3:ListBucket", ARN, {"StringLike": {PREFIX: "home/*"}}, {PREFIX: "etc/"}, NO),
    ("s3:ListBucket", ARN, {"StringLike": {PREFIX: "home/*"}}, {}, NO),
    ("s3:ListBucket", ARN, {"StringEquals": {PREFIX: "", "s3:delimiter": "/"}},
     {PREFIX: "", "s3:delimiter": "/"}, YES),
    ("s3:PutObject", KEY, {"StringEquals": {"s3:x-amz-acl": "public-read"}},
     {"s3:x-amz-acl": "public-read"}, YES),
    ("s3:PutObject", KEY, {"StringEquals": {"s3:x-amz-server-side-encryption": "AES256"}}, {}, NO),
    ("s3:PutObject", KEY, {"Null": {"s3:if-none-match": "false"}}, {"s3:if-none-match": "*"}, YES),
    ("s3:GetObject", KEY, {"StringEquals": {"s3:ExistingObjectTag/kind": "open"}},
     {"s3:ExistingObjectTag/kind": "open"}, YES),
    ("s3:GetObject", KEY, {"StringEquals": {"s3:ExistingObjectTag/kind": "open"}},
     {"s3:ExistingObjectTag/other": "open"}, NO),
    ("s3:GetObjectVersion", KEY, {"StringEquals": {"s3:VersionId": "v1"}}, {"s3:VersionId": "v1"},
     YES),
    ("s3:PutObject", KEY, {"StringEquals": {"s3:RequestObjectTag/a": "1"}},
     {"s3:RequestObjectTag/a": "1"}, YES),
]  # fmt: skip


@pytest.mark.parametrize(("action", "resource", "conditions", "context", "expected"), S3_KEYS)
def test_the_keys_of_s3_are_asked_for_by_name(
    action: str, resource: str, conditions: object, context: dict[str, str], expected: bool
) -> None:
    access = bucket(statement(Action=action, Condition=conditions))
    assert (ask(amy, action, access, resource, context=context) is Decision.ALLOW) == expected


# --- variables --------------------------------------------------------------------------------

NAMED = [
    # resource, version, key, whether Amy reads it
    ("${aws:username}/*", "2012-10-17", "amy/x", YES),
    ("${aws:username}/*", "2012-10-17", "alice/x", NO),
    ("${AWS:UserName}/*", "2012-10-17", "amy/x", YES),
    ("${aws:username}/*", "2008-10-17", "amy/x", NO),
    ("${aws:username}/*", "2008-10-17", "${aws:username}/x", YES),
    ("${*}/${?}${$}", "2012-10-17", "*/?$", YES),
    ("${*}/${?}", "2012-10-17", "a/b", NO),
    ("${aws:PrincipalTag/team, 'none'}/*", "2012-10-17", "none/x", YES),
    ("${aws:PrincipalTag/team,'none'}/*", "2012-10-17", "none/x", YES),
    ("${aws:PrincipalTag/team}/*", "2012-10-17", "none/x", NO),
    ("${aws:PrincipalTag/team}/*", "2012-10-17", "/x", NO),
    ("${aws:username, 'x'}/*", "2012-10-17", "amy/x", YES),
    ("${aws:userid}/*", "2012-10-17", "amy/x", YES),
    ("a-${aws:username}-*", "2012-10-17", "a-amy-", YES),
    ("${aws:UserAgent}/*", "2012-10-17", "*/x", YES),
    ("${aws:UserAgent}/*", "2012-10-17", "amy/x", NO),
    ("${", "2012-10-17", "${", YES),
    ("${}", "2012-10-17", "${}", YES),
    ("${aws:username", "2012-10-17", "${aws:username", YES),
]


@pytest.mark.parametrize(("resource", "version", "key", "expected"), NAMED)
def test_variables_in_resources(resource: str, version: str, key: str, expected: bool) -> None:
    access = bucket(statement(Action="s3:GetObject", Resource=f"{ARN}/{resource}"))
    if version != "2012-10-17":
        made = statement(Action="s3:GetObject", Resource=f"{ARN}/{resource}")
        access = type(access)(access.id, access.owner, policy=bucket_policy(made, version=version))
    decision = ask(amy, "s3:GetObject", access, f"{ARN}/{key}", context={"aws:UserAgent": "*"})
    assert (decision is Decision.ALLOW) == expected


VALUES = [
    # operator, key, value, context, whether it holds for Amy
    ("StringEquals", PREFIX, "${aws:username}", {PREFIX: "amy"}, YES),
    ("StringEquals", PREFIX, "${aws:username}", {PREFIX: "alice"}, NO),
    ("StringLike", PREFIX, "${aws:username}/*", {PREFIX: "amy/pics"}, YES),
    ("StringLike", PREFIX, "${aws:Referer}", {PREFIX: "x", REF: "*"}, NO),
    ("StringLike", PREFIX, "${aws:Referer}", {PREFIX: "x"}, NO),
    ("StringLike", PREFIX, ["${aws:Referer}", "x"], {PREFIX: "x"}, YES),
    ("StringEqualsIgnoreCase", PREFIX, "X-${aws:username}", {PREFIX: "x-AMY"}, YES),
    ("StringNotEquals", PREFIX, "${aws:username}", {PREFIX: "alice"}, YES),
    ("StringNotEquals", PREFIX, "${aws:username}", {PREFIX: "amy"}, NO),
    ("StringNotEquals", PREFIX, "${aws:Referer}", {PREFIX: "amy"}, NO),
    ("StringNotLike", PREFIX, "${aws:username}/*", {PREFIX: "amy/1"}, NO),
    ("ArnLike", "aws:PrincipalArn", "arn:aws:iam::" + ALICE + ":user/${aws:username}", {}, YES),
    ("ArnLike", "aws:PrincipalArn", "arn:aws:iam::${aws:PrincipalAccount}:user/*", {}, YES),
    ("ArnEquals", "aws:PrincipalArn", user_arn("amy", ALICE), {}, YES),
]


@pytest.mark.parametrize(("operator", "key", "value", "context", "expected"), VALUES)
def test_variables_in_conditions(
    operator: str, key: str, value: object, context: dict[str, str], expected: bool
) -> None:
    access = bucket(statement(Action="s3:ListBucket", Condition={operator: {key: value}}))
    decision = ask(amy, "s3:ListBucket", access, ARN, context=context)
    assert (decision is Decision.ALLOW) == expected


def test_a_denial_stands_if_its_variable_has_no_value() -> None:
    condition = {"StringNotEquals": {PREFIX: "${aws:Referer}"}}
    access = bucket(statement("Deny", Action="s3:ListBucket", Condition=condition))
    assert ask(alice, "s3:ListBucket", access, ARN, context={PREFIX: "x"}) is Decision.DENY
    spared = {"NotResource": f"{ARN}/${{aws:Referer}}/*"}
    access = bucket(statement("Deny", Action="s3:GetObject", **spared))
    assert ask(alice, "s3:GetObject", access) is Decision.DENY
    access = bucket(statement(Action="s3:GetObject", **spared))
    assert ask(amy, "s3:GetObject", access) is not Decision.ALLOW


# --- the types of values ----------------------------------------------------------------------

WORTHLESS = ["", " ", "x", "1" * 10_000, "٣", "1_000", "nan", "inf", "0x10", "\0", "1/2", "::" * 99]


@pytest.mark.parametrize("text", WORTHLESS)
def test_text_that_is_no_value_is_none(text: str) -> None:
    readers = (values.number, values.date, values.boolean, values.address, values.network)
    assert [reader(text) for reader in readers] == [None] * len(readers)


@pytest.mark.parametrize(
    "text", ["10.0.0.0/33", "10.0.0.0/", "10.0.0.0/255.0.0.0", "10.0.0.0/8/8", "::/129", "a/8"]
)
def test_text_that_is_no_network_is_none(text: str) -> None:
    assert values.network(text) is None


@pytest.mark.parametrize(
    "text", ["9999-12-31T23:59:59-23:59", "0001-01-01T00:00:00+23:59", "2026-02-30", "20260230T"]
)
def test_dates_at_the_end_of_time_do_no_harm(text: str) -> None:
    values.date(text)
