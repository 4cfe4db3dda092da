"""Policies that are refused, with S3's reasons; and those that look odd and are not."""

import json
from typing import Any

import pytest

from aisle.auth.policy.document import (
    MAX_SIZE,
    Policy,
    parse_bucket_policy,
    parse_identity_policy,
)
from aisle.auth.policy.principals import Named
from aisle.core.errors import MalformedPolicy
from tests.auth.policies import ALICE, ARN, BUCKET, canonical, document, statement, user_arn

NO_JSON = "Policies must be valid JSON and the first byte must be '{'"
SYNTAX = "Invalid policy syntax."
RESOURCE = "Policy has invalid resource"
ACTION = "Policy has invalid action"
PRINCIPAL = "Invalid principal in policy"
FIT = "Action does not apply to any resource(s) in statement"
COMBINATION = "Conditions do not apply to combination of actions and resources in statement"
KEY = "Policy has an invalid condition key"
TYPE = "Invalid Condition type"
DUPLICATE = "Duplicate elements are not allowed in a policy"
VERSION = "The policy must contain a valid version string"


def without(name: str) -> dict[str, Any]:
    return {key: value for key, value in statement().items() if key != name}


def only(**elements: Any) -> str:
    return document(statement(**elements))


def condition(operator: str, key: str, value: object, action: str = "s3:GetObject") -> str:
    return only(Action=action, Condition={operator: {key: value}})


def raw(text: str) -> str:
    """A statement with this instead of its action."""
    return document(statement(Action="@")).replace('"@"', text)


TEXTS = [
    ("", NO_JSON),
    ("[]", NO_JSON),
    ("null", NO_JSON),
    ('"x"', NO_JSON),
    ("{", NO_JSON),
    ("\ufeff{}", NO_JSON),
    ("{} x", NO_JSON),
    ('{"Version": NaN}', NO_JSON),
    ("[" * 9_000, NO_JSON),
    ('{"a":' * 3_000, NO_JSON),
    ('{"Id": ' + "1" * 5_000 + "}", NO_JSON),
    ("{}", "Missing required field Statement"),
    ('{"Statement": []}', "Could not parse the policy: Statement is empty!"),
    ('{"Statement": {}}', "Missing required field Effect"),
    ('{"Statement": "x"}', SYNTAX),
    ('{"Statement": [[]]}', SYNTAX),
    ('{"Statement": null}', SYNTAX),
    ('{"Statement": [], "statement": []}', "Unknown field statement"),
    ('{"Statement": [], "Extra": 1}', "Unknown field Extra"),
    ('{"Statement": [], "Statement": []}', DUPLICATE),
    ('{"Version": "2012-10-18", "Statement": []}', VERSION),
    ('{"Version": 2012, "Statement": []}', VERSION),
    ('{"Version": null, "Statement": []}', VERSION),
    ('{"Version": ["2012-10-17"], "Statement": []}', VERSION),
    ('{"Id": 5, "Statement": []}', SYNTAX),
    ('{"Id": "\\ud800", "Statement": []}', SYNTAX),
    ('{"Id": "\\u0000", "Statement": []}', SYNTAX),
    (" " * MAX_SIZE + "{}", f"Policies must not be larger than {MAX_SIZE} bytes"),
    (json.dumps({"Id": "ä" * MAX_SIZE}, ensure_ascii=False),
     f"Policies must not be larger than {MAX_SIZE} bytes"),
]  # fmt: skip

STATEMENTS = [
    (document(without("Effect")), "Missing required field Effect"),
    (document(without("Principal")), "Missing required field Principal"),
    (document(without("Action")), "Missing required field Action"),
    (document(without("Resource")), "Missing required field Resource"),
    (only(effect="Permit"), "Invalid effect in policy: it must be Allow or Deny"),
    (only(effect="allow"), "Invalid effect in policy: it must be Allow or Deny"),
    (only(Sid=5), SYNTAX),
    (only(Extra="x"), "Unknown field Extra"),
    (only(NotAction="s3:GetObject", Action="s3:PutObject"), SYNTAX),
    (only(NotResource=ARN, Resource=ARN), SYNTAX),
    (only(effect="Deny", NotPrincipal={"AWS": ALICE}, Principal="*"), SYNTAX),
    (only(NotPrincipal={"AWS": ALICE}), "Allow with NotPrincipal is not allowed."),
    (document(statement(Sid="a"), statement(Sid="a")),
     "Statement IDs (SID) in a single policy must be unique."),
    (raw('{"a": 1, "a": 2}'), DUPLICATE),
    # principals
    (only(Principal="everyone"), PRINCIPAL),
    (only(Principal=None), PRINCIPAL),
    (only(Principal=[]), PRINCIPAL),
    (only(Principal=["*"]), PRINCIPAL),
    (only(Principal={}), PRINCIPAL),
    (only(Principal={"AWS": []}), PRINCIPAL),
    (only(Principal={"AWS": None}), PRINCIPAL),
    (only(Principal={"AWS": [["*"]]}), PRINCIPAL),
    (only(Principal={"AWS": ""}), PRINCIPAL),
    (only(Principal={"AWS": "alice"}), PRINCIPAL),
    (only(Principal={"AWS": "12345"}), PRINCIPAL),
    (only(Principal={"AWS": 111111111111}), PRINCIPAL),
    (only(Principal={"AWS": "arn:aws:iam::111111111111:user/*"}), PRINCIPAL),
    (only(Principal={"AWS": "arn:aws:iam::*:root"}), PRINCIPAL),
    (only(Principal={"AWS": "arn:aws:iam::1:user/alice"}), PRINCIPAL),
    (only(Principal={"AWS": "arn:aws:iam::111111111111:user/"}), PRINCIPAL),
    (only(Principal={"AWS": "arn:aws:iam::111111111111:group/staff"}), PRINCIPAL),
    (only(Principal={"AWS": "arn:aws:iam:::role/reader"}), PRINCIPAL),
    (only(Principal={"AWS": "arn:aws:s3:::photos"}), PRINCIPAL),
    (only(Principal={"AWS": "arn:aws:iam::111111111111:root\n"}), PRINCIPAL),
    (only(Principal={"aws": "*"}), PRINCIPAL),
    (only(Principal={"AWS": "*", "Group": "x"}), PRINCIPAL),
    (only(Principal={"CanonicalUser": "*"}), PRINCIPAL),
    (only(Principal={"CanonicalUser": ALICE}), PRINCIPAL),
    (only(Principal={"CanonicalUser": "f" * 63}), PRINCIPAL),
    (only(Principal={"Service": "*"}), PRINCIPAL),
    (only(Principal={"Federated": ""}), PRINCIPAL),
    (only(effect="Deny", NotPrincipal="*"), PRINCIPAL),
    # actions
    (only(Action=[]), ACTION),
    (only(Action=None), ACTION),
    (only(Action={"s3": "*"}), ACTION),
    (only(Action=["s3:GetObject", 5]), ACTION),
    (only(Action=""), ACTION),
    (only(Action="GetObject"), ACTION),
    (only(Action="s3:"), ACTION),
    (only(Action="s3:ReadObject"), ACTION),
    (only(Action=["s3:GetObject", "s3:GetObjects"]), ACTION),
    (only(Action="s3:Fetch*"), ACTION),
    (only(Action="ec2:*"), ACTION),
    (only(Action="iam:CreateUser"), ACTION),
    (only(Action="ais:MoveBucket"), ACTION),
    (only(Action="*:GetObject"), ACTION),
    (only(Action="s3: GetObject"), ACTION),
    (only(Action="s3:GetObject\n"), ACTION),
    (only(NotAction="s3:Nothing"), ACTION),
    # resources
    (only(Resource=[]), RESOURCE),
    (only(Resource=None), RESOURCE),
    (only(Resource=5), RESOURCE),
    (only(Resource=""), RESOURCE),
    (only(Resource=BUCKET), RESOURCE),
    (only(Resource=f"{BUCKET}/*"), RESOURCE),
    (only(Resource="arn:aws:s3:::other"), RESOURCE),
    (only(Resource="arn:aws:s3:::other/*"), RESOURCE),
    (only(Resource=[f"{ARN}/*", "arn:aws:s3:::other/*"]), RESOURCE),
    (only(Resource=f"{ARN}x/*"), RESOURCE),
    (only(Resource="arn:aws:s3:::phot"), RESOURCE),
    (only(Resource="arn:aws:s3:::PHOTOS/*"), RESOURCE),
    (only(Resource="arn:aws:sqs:::photos/*"), RESOURCE),
    (only(Resource=f"arn:aws:s3:eu-west-1:{ALICE}:photos/*"), RESOURCE),
    (only(Resource=f"{ARN}/" + "x" * 4_000), RESOURCE),
    (only(NotResource="arn:aws:s3:::other/*"), RESOURCE),
    # actions against resources
    (only(Action="s3:GetObject", Resource=ARN), FIT),
    (only(Action="s3:ListBucket", Resource=f"{ARN}/*"), FIT),
    (only(Action=["s3:GetObject", "s3:ListBucket"], Resource=f"{ARN}/*"), FIT),
    (only(Action="s3:GetObject*", Resource=ARN), FIT),
    (only(Action="s3:ListAllMyBuckets"), FIT),
    (only(Action="s3:CreateJob"), FIT),
    (only(effect="Deny", Action="s3:PutBucketPolicy", Resource=f"{ARN}/*"), FIT),
    # conditions
    (only(Condition=None), SYNTAX),
    (only(Condition=[]), SYNTAX),
    (only(Condition={"StringEquals": {}}), SYNTAX),
    (only(Condition={"StringEquals": "x"}), SYNTAX),
    (only(Condition={"StringEquals": None}), SYNTAX),
    (condition("Equals", "aws:Referer", "x"), TYPE),
    (condition("stringequals", "aws:Referer", "x"), TYPE),
    (condition("StringEqualsIfExistsIfExists", "aws:Referer", "x"), TYPE),
    (condition("ForSomeValues:StringEquals", "aws:Referer", "x"), TYPE),
    (condition("ForAllValues:ForAnyValue:StringEquals", "aws:Referer", "x"), TYPE),
    (condition("StringNotEqualsNot", "aws:Referer", "x"), TYPE),
    (condition("NotBool", "aws:SecureTransport", "true"), TYPE),
    (condition("NullIfExists", "aws:Referer", "true"), TYPE),
    (condition("ForAnyValue:Null", "aws:Referer", "true"), TYPE),
    (condition("", "aws:Referer", "true"), TYPE),
    (condition("StringEquals", "aws:Nothing", "x"), KEY),
    (condition("StringEquals", "s3:nothing", "x"), KEY),
    (condition("StringEquals", "ec2:Region", "x"), KEY),
    (condition("StringEquals", "Referer", "x"), KEY),
    (condition("StringEquals", "", "x"), KEY),
    (condition("StringEquals", "s3:ExistingObjectTag", "x"), KEY),
    (condition("StringEquals", "s3:ExistingObjectTag/", "x"), KEY),
    (condition("StringEquals", "s3:prefix/x", "x"), KEY),
    (condition("StringEquals", "s3:prefix", "x"), COMBINATION),
    (condition("StringEquals", "s3:ExistingObjectTag/a", "x", "s3:PutObject"), COMBINATION),
    (condition("StringEquals", "s3:x-amz-acl", "x", "s3:DeleteObject"), COMBINATION),
    (condition("StringEquals", "s3:VersionId", "x"), COMBINATION),
    (only(Action=["s3:GetObject", "s3:ListBucket"], Condition={"StringLike": {"s3:prefix": "x"}}),
     COMBINATION),
    (condition("StringEquals", "aws:Referer", []), SYNTAX),
    (condition("StringEquals", "aws:Referer", None), SYNTAX),
    (condition("StringEquals", "aws:Referer", {"a": 1}), SYNTAX),
    (condition("StringEquals", "aws:Referer", [["a"]]), SYNTAX),
    (condition("StringLike", "aws:Referer", "x" * 3_000), SYNTAX),
    (condition("NumericEquals", "aws:MultiFactorAuthAge", "ten"),
     "Invalid value for condition type NumericEquals"),
    (condition("NumericEquals", "aws:MultiFactorAuthAge", True),
     "Invalid value for condition type NumericEquals"),
    (condition("DateLessThan", "aws:CurrentTime", "tomorrow"),
     "Invalid value for condition type DateLessThan"),
    (condition("Bool", "aws:SecureTransport", "yes"), "Invalid value for condition type Bool"),
    (condition("Bool", "aws:SecureTransport", 1), "Invalid value for condition type Bool"),
    (condition("Null", "aws:Referer", "maybe"), "Invalid value for condition type Null"),
    (condition("IpAddress", "aws:SourceIp", "10.0.0"),
     "Invalid value for condition type IpAddress"),
    (condition("IpAddress", "aws:SourceIp", ["10.0.0.1", "10.0.0.0/40"]),
     "Invalid value for condition type IpAddress"),
    (condition("NotIpAddress", "aws:SourceIp", "localhost"),
     "Invalid value for condition type NotIpAddress"),
    (condition("BinaryEquals", "aws:Referer", "???"),
     "Invalid value for condition type BinaryEquals"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "reason"), [*TEXTS, *STATEMENTS])
def test_a_malformed_bucket_policy_is_refused_with_the_reason(text: str, reason: str) -> None:
    with pytest.raises(MalformedPolicy) as refused:
        parse_bucket_policy(text, BUCKET)
    assert str(refused.value) == reason


FINE = [
    only(),
    document(statement(), version="2008-10-17"),
    json.dumps({"Statement": statement()}),
    json.dumps({"Id": "x", "Statement": [statement(Sid="Read it, please")]}),
    document(statement(Sid=""), statement(Sid="")),
    only(Action="*"),
    only(Action=["S3:getobject", "s3:List*", "s3:?etObjectAcl"]),
    only(Action="s3:CreateBucket", Resource=ARN),
    only(Action="s3:*", Resource=f"{ARN}/*"),
    only(Action="s3:GetObject"),
    only(Resource="arn:aws:s3:::*"),
    only(Resource="*"),
    only(Resource=f"{ARN}*"),
    only(Resource=f"{ARN}/${{aws:username}}/*"),
    only(Resource="arn:aws:s3:::${aws:username}/*"),
    only(effect="Deny", NotAction="s3:GetObject"),
    only(effect="Deny", NotResource=f"{ARN}/a", Action="s3:ListBucket"),
    only(Principal={"AWS": [ALICE, user_arn("a", ALICE)], "CanonicalUser": canonical(ALICE)}),
    only(Principal={"AWS": f"arn:aws:iam::{ALICE}:user/team/sub/amy"}),
    only(Principal={"AWS": f"arn:aws:sts::{ALICE}:federated-user/x"}),
    only(Principal={"Service": ["logging.s3.amazonaws.com"], "Federated": "cognito"}),
    only(Condition={}),
    condition("StringLike", "aws:PrincipalTag/Team", "a*"),
    condition("StringEquals", "AWS:SourceIP", "x"),
    condition("ForAnyValue:StringLikeIfExists", "s3:RequestObjectTagKeys", "a*", "s3:PutObject"),
    condition("StringEquals", "s3:ExistingObjectTag/a/b c", "x"),
    condition("StringEquals", "s3:authType", "REST-HEADER", "s3:*"),
    condition("StringEquals", "s3:prefix", "x", "s3:List*"),
    condition("NumericLessThan", "s3:max-keys", [1, "2", 3.5], "s3:ListBucket"),
    document(*[statement(Sid=f"s{n}") for n in range(100)]),
]


@pytest.mark.parametrize("text", FINE)
def test_a_bucket_policy_is_kept_as_it_was_written(text: str) -> None:
    spaced = f" {text}\n"
    assert parse_bucket_policy(spaced, BUCKET).source == spaced


def nameless(**elements: Any) -> str:
    made = statement(**elements)
    if "Principal" not in elements:
        made.pop("Principal", None)
    return document(made)


IDENTITY = [
    (nameless(Principal="*"), "Policy document should not specify a principal."),
    (document({"Effect": "Deny", "NotPrincipal": {"AWS": ALICE}, "Action": "*", "Resource": "*"}),
     "Policy document should not specify a principal."),
    (nameless(Action="GetObject"), ACTION),
    (nameless(Action="s3:Get Object"), ACTION),
    (nameless(Action="*:x"), ACTION),
    (nameless(Resource="photos"), RESOURCE),
    (nameless(Resource=""), RESOURCE),
    (nameless(Condition={"StringEquals": {"Referer": "x"}}), KEY),
    (nameless(Condition={"Equals": {"aws:Referer": "x"}}), TYPE),
    (nameless(effect="Never"), "Invalid effect in policy: it must be Allow or Deny"),
    ("{}", "Missing required field Statement"),
    ("", NO_JSON),
]  # fmt: skip


@pytest.mark.parametrize(("text", "reason"), IDENTITY)
def test_a_malformed_policy_of_a_user_is_refused_with_the_reason(text: str, reason: str) -> None:
    with pytest.raises(MalformedPolicy) as refused:
        parse_identity_policy(text)
    assert str(refused.value) == reason


@pytest.mark.parametrize(
    "text",
    [
        nameless(),
        nameless(Action=["iam:*", "sts:AssumeRole", "ais:ShowCluster", "ec2:Run*"], Resource="*"),
        nameless(Action="s3:NotYetInvented", Resource="arn:aws:s3:::any/thing"),
        nameless(Action="s3:GetObject", Resource=ARN),
        nameless(Resource=f"arn:aws:iam::{ALICE}:user/${{aws:username}}"),
        nameless(Condition={"StringEquals": {"jwt:sub": "x"}}),
    ],
)
def test_a_policy_of_a_user_may_be_about_anything(text: str) -> None:
    assert parse_identity_policy(text).source == text


def test_a_policy_tells_whom_it_names() -> None:
    policy = parse_bucket_policy(
        document(
            statement(Principal={"AWS": [ALICE, user_arn("amy", ALICE), "*"]}),
            statement(Principal={"CanonicalUser": canonical(ALICE)}),
            statement("Deny", NotPrincipal={"AWS": "arn:aws:iam:::user/ben"}),
            statement(Principal={"AWS": f"arn:aws:iam::{ALICE}:role/team/reader"}),
            statement(Principal={"AWS": f"arn:aws:iam::{ALICE}:root"}),
            statement(Principal={"Service": "logging.s3.amazonaws.com"}),
            statement(Principal={"AWS": ALICE}),
        ),
        BUCKET,
    )
    assert policy.named == (
        Named(ALICE, "account", ALICE),
        Named(user_arn("amy", ALICE), "user", ALICE, "amy"),
        Named(canonical(ALICE), "canonical", name=canonical(ALICE)),
        Named("arn:aws:iam:::user/ben", "user", "", "ben"),
        Named(f"arn:aws:iam::{ALICE}:role/team/reader", "role", ALICE, "reader"),
        Named(f"arn:aws:iam::{ALICE}:root", "account", ALICE),
        Named("logging.s3.amazonaws.com", "other"),
    )


def test_the_same_text_is_parsed_once() -> None:
    assert parse_bucket_policy(only(), BUCKET) is parse_bucket_policy(only(), BUCKET)
    assert parse_identity_policy(nameless()) is parse_identity_policy(nameless())


def test_the_same_text_is_another_policy_for_another_bucket() -> None:
    with pytest.raises(MalformedPolicy):
        parse_bucket_policy(only(), "other")


def test_what_a_policy_remembers_has_an_end() -> None:
    policy: Policy = parse_bucket_policy(only(), BUCKET)
    for number in range(1_000):
        policy.relevant("s3:GetObject", frozenset({f"arn:aws:iam::{number:012}:user/u"}))
    assert len(policy._relevant) <= 128
