"""Policies of forms: which documents are read, and what they allow."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aisle.api.s3 import postpolicy
from aisle.api.s3.errors import S3Error
from aisle.api.s3.postpolicy import Policy

NOON = 1_800_000_000  # 2027-01-15T08:00:00Z
EXPIRES = "2027-01-15T08:00:00.000Z"


def encode(document: object) -> str:
    return base64.b64encode(json.dumps(document).encode()).decode()


def policy(*conditions: Any) -> Policy:
    return postpolicy.parse(encode({"expiration": EXPIRES, "conditions": list(conditions)}))


FIELDS = {"bucket": "b", "key": "user/eric/a.txt"}
KEY = ["starts-with", "$key", "user/"]


def refusal(found: Policy, fields: dict[str, str], now: float = NOON - 1) -> str:
    """The message of the refusal, `""` if it allows."""
    try:
        found.check(fields, now)
    except S3Error as error:
        return str(error) if error.code == "AccessDenied" else error.code
    return ""


@pytest.mark.parametrize(
    ("conditions", "fields", "expected"),
    [
        ([KEY, {"bucket": "b"}], {}, ""),
        ([KEY, ["eq", "$bucket", "b"]], {}, ""),
        ([KEY, {"bucket": "other"}], {}, 'Policy Condition failed: ["eq", "$bucket", "other"]'),
        ([["eq", "$key", "user/eric/a.txt"]], {}, ""),
        ([["eq", "$key", "user/"]], {}, 'Policy Condition failed: ["eq", "$key", "user/"]'),
        ([["EQ", "$KEY", "user/eric/a.txt"]], {}, ""),
        ([["starts-with", "$key", "USER/"]], {}, "Policy Condition failed"),
        ([KEY, {"acl": "public-read"}], {"acl": "public-read"}, ""),
        ([KEY, {"acl": "public-read"}], {"acl": "private"}, "Policy Condition failed"),
        ([KEY, {"acl": "public-read"}], {}, "Policy Condition failed"),
        ([KEY, ["starts-with", "$x-amz-meta-tag", ""]], {}, ""),
        ([KEY, ["starts-with", "$x-amz-meta-tag", ""]], {"x-amz-meta-tag": "any"}, ""),
        ([KEY], {"x-amz-meta-tag": "any"}, "Extra input fields: x-amz-meta-tag"),
        ([KEY], {"x-ignore-me": "any"}, ""),
        ([KEY], {"policy": "p", "signature": "s", "awsaccesskeyid": "a"}, ""),
        ([KEY], {"x-amz-signature": "s", "x-amz-security-token": "t"}, ""),
        # Which keys signed it, when, and how, is to be under the signature too.
        ([KEY], {"x-amz-credential": "c"}, "Extra input fields: x-amz-credential"),
        ([KEY, ["starts-with", "$Content-Type", "image/"]], {"content-type": "image/png"}, ""),
        (
            [KEY, ["starts-with", "$Content-Type", "image/"]],
            {"content-type": "image/png, image/jpg"},
            "",
        ),
        (
            [KEY, ["starts-with", "$Content-Type", "image/"]],
            {"content-type": "image/png,text/html"},
            "Policy Condition failed",
        ),
        # All conditions on one field hold, not just one of them.
        ([KEY, ["starts-with", "$key", "user/bob/"]], {}, "Policy Condition failed"),
    ],
)
def test_a_policy_allows(conditions: list[Any], fields: dict[str, str], expected: str) -> None:
    message = refusal(policy(*conditions), FIELDS | fields)
    assert bool(message) is bool(expected)
    assert expected in message
    assert not message or message.startswith("Invalid according to Policy: ")


def test_a_policy_expires() -> None:
    found = policy(KEY)
    assert refusal(found, FIELDS, NOON - 0.001) == ""
    assert refusal(found, FIELDS, NOON) == "Invalid according to Policy: Policy expired."


def test_sizes_are_the_narrowest_that_were_said() -> None:
    found = policy(["content-length-range", 1, 100], ["content-length-range", "5", 200])
    assert (found.least, found.most) == (5, 100)
    assert policy(KEY).least == 0


@pytest.mark.parametrize(
    "document",
    [
        [],
        "text",
        {},
        {"expiration": EXPIRES},
        {"conditions": []},
        {"expiration": "soon", "conditions": []},
        {"expiration": 5, "conditions": []},
        {"expiration": None, "conditions": []},
        {"expiration": EXPIRES, "conditions": {}},
        {"expiration": EXPIRES, "conditions": [], "more": 1},
        *(
            {"expiration": EXPIRES, "conditions": [condition]}
            for condition in (
                "eq",
                5,
                [],
                {},
                {"a": "b", "c": "d"},
                {"a": None},
                {"a": ["b"]},
                {"a": True},
                ["eq", "$key"],
                ["eq", "key", "a"],
                ["eq", "$", "a"],
                ["eq", 5, "a"],
                ["eq", "$key", None],
                ["ends-with", "$key", "a"],
                ["content-length-range", 1],
                ["content-length-range", -1, 5],
                ["content-length-range", 5, 1],
                ["content-length-range", 1.5, 5],
                ["content-length-range", "a", 5],
            )
        ),
    ],
)
def test_what_is_no_policy_is_refused(document: object) -> None:
    with pytest.raises(S3Error) as caught:
        postpolicy.parse(encode(document))
    assert caught.value.code == "InvalidPolicyDocument"
    assert str(caught.value).startswith("Invalid Policy: ")


@pytest.mark.parametrize("text", ["", "%", "e30", "\u20ac", base64.b64encode(b"[" * 9999).decode()])
def test_what_is_no_document_is_refused(text: str) -> None:
    with pytest.raises(S3Error) as caught:
        postpolicy.parse(text)
    assert caught.value.code == "InvalidPolicyDocument"


def test_line_ends_in_base64_do_no_harm() -> None:
    text = encode({"expiration": EXPIRES, "conditions": [KEY]})
    broken = "\r\n".join(text[at : at + 20] for at in range(0, len(text), 20))
    assert postpolicy.parse(broken) == policy(KEY)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=9,
)


@given(VALUES, VALUES)
def test_no_policy_is_a_bug(expiration: Any, conditions: Any) -> None:
    for document in (expiration, {"expiration": expiration, "conditions": conditions}):
        code = "InvalidPolicyDocument"
        try:
            refusal(postpolicy.parse(encode(document)), FIELDS)
        except S3Error as error:
            code = error.code
        assert code == "InvalidPolicyDocument"
