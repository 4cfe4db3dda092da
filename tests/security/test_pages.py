"""What browsers may do here that they must not do elsewhere: forms, other origins, hosted pages."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from tests.harness import Node
from tests.people import Person
from tests.wire.forms import send, signed_v2, signed_v4

EVIL = "https://evil.example"
ANY = [["starts-with", "$key", ""]]


def kept(alice: Person, vault: str) -> None:
    """Alice's object is what it was, and alone."""
    assert alice.s3.get_object(Bucket=vault, Key="secret")["Body"].read() == b"alice's secret"
    assert alice.s3.list_objects_v2(Bucket=vault)["KeyCount"] == 1


Sign = Callable[..., dict[str, str]]


def signed(who: Person, conditions: Sequence[Any], sign: Sign = signed_v4) -> dict[str, str]:
    return sign(conditions, access_key=who.access_key, secret_key=who.secret_key)


@pytest.mark.parametrize("sign", [signed_v4, signed_v2])
def test_cve_2023_28434_a_form_writes_only_where_its_signer_may(
    alice: Person, mallory: Person, vault: str, sign: Sign
) -> None:
    """Whoever has keys can sign a policy for any bucket: it is the signer who is authorised."""
    for conditions in (ANY, [*ANY, {"bucket": vault}]):
        reply = send(alice.node, vault, {"key": "new", **signed(mallory, conditions, sign)}, b"x")
        assert (reply.status, reply.code) == (403, "AccessDenied")
    kept(alice, vault)


def test_cve_2023_28434_a_policy_for_one_bucket_is_none_for_another(
    alice: Person, vault: str
) -> None:
    """Nor is what the form says of the bucket the bucket that it is sent to."""
    policy = signed(alice, [*ANY, {"bucket": "another"}])
    for fields in ({"key": "new"}, {"key": "new", "bucket": "another"}):
        reply = send(alice.node, vault, {**fields, **policy}, b"x")
        assert (reply.status, reply.code) == (403, "AccessDenied")
    kept(alice, vault)


@pytest.mark.parametrize(
    "more",
    [
        {"acl": "public-read"},
        {"x-amz-meta-a": "b"},
        {"success_action_redirect": EVIL},
        {"x-amz-website-redirect-location": EVIL},
        {"Content-Type": "text/html"},
        {"tagging": "<Tagging><TagSet/></Tagging>"},
    ],
)
def test_cve_2021_21362_a_form_says_no_more_than_its_policy(
    alice: Person, vault: str, more: dict[str, str]
) -> None:
    reply = send(alice.node, vault, {"key": "new", **signed(alice, ANY), **more}, b"x")
    assert (reply.status, reply.code) == (403, "AccessDenied")
    assert "Extra input fields" in (reply.xml.findtext("Message") or "")
    kept(alice, vault)


def test_rustfs_no_origin_is_let_in_with_credentials_that_no_rule_names(
    alice: Person, vault: str
) -> None:
    for pattern in ("*", "https://*", "*://evil.example", "https://evil.*"):
        rule = {"AllowedMethods": ["GET"], "AllowedOrigins": [pattern], "AllowedHeaders": ["*"]}
        alice.s3.put_bucket_cors(Bucket=vault, CORSConfiguration={"CORSRules": [rule]})
        asked = {"Origin": EVIL, "Access-Control-Request-Method": "GET"}
        for method in ("OPTIONS", "GET"):
            target = f"/{vault}/secret"
            reply = alice.node.send(method, target, headers=asked, signed=False)
            assert "access-control-allow-credentials" not in reply.headers
            told = reply.headers["access-control-allow-origin"]
            assert told == ("*" if pattern == "*" else EVIL)
    # Nor did any rule open what is closed.
    assert reply.status == 403


def test_rustfs_a_bucket_without_rules_reflects_no_origin(node: Node, vault: str) -> None:
    asked = {"Origin": EVIL, "Access-Control-Request-Method": "GET"}
    for target in ("/", f"/{vault}", f"/{vault}/secret", "/v1/health", "/v1/buckets"):
        for method in ("OPTIONS", "GET"):
            reply = node.send(method, target, headers=asked, signed=False)
            assert not [name for name in reply.headers if name.startswith("access-control-")]


def test_a_site_runs_nothing_that_its_address_says(node: Node, alice: Person, vault: str) -> None:
    index = {"IndexDocument": {"Suffix": "index.html"}}
    alice.s3.put_bucket_website(Bucket=vault, WebsiteConfiguration=index)
    statement = {
        "Effect": "Allow",
        "Principal": "*",
        "Action": ["s3:GetObject", "s3:ListBucket"],
        "Resource": [f"arn:aws:s3:::{vault}", f"arn:aws:s3:::{vault}/*"],
    }
    alice.s3.put_bucket_policy(Bucket=vault, Policy=json.dumps({"Statement": [statement]}))
    name = uuid.uuid4().hex
    host = f"{vault}.s3-website.localhost:{node.port}"
    for text in (f"<script>{name}</script>", f"\"'><{name}>", f"&lt;{name}&gt;"):
        encoded = "".join(f"%{byte:02x}" for byte in text.encode())
        reply = node.send("GET", f"/{encoded}?{encoded}", signed=False, host=host)
        assert reply.status == 404
        assert name.encode() in reply.body
        assert text.encode() not in reply.body
        assert reply.headers["x-content-type-options"] == "nosniff"
    # A key that looks like a host leads nowhere else.
    alice.s3.put_object(Bucket=vault, Key="/evil.example/index.html", Body=b"x")
    reply = node.send("GET", "//evil.example", signed=False, host=host)
    assert (reply.status, reply.headers["location"]) == (302, "/%2Fevil.example/")
