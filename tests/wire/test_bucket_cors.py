"""Get/Put/DeleteBucketCors, preflights, and what other replies tell browsers.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/cors.html
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.harness import Node, Reply, presign
from tests.wire.support import (
    MIB,
    bucket_target,
    content_md5,
    expect_error,
    object_target,
    refused,
)

NONE = (404, "NoSuchCORSConfiguration")
PAGE = "https://page.example"
RULES = [
    {
        "ID": "page",
        "AllowedMethods": ["GET", "PUT"],
        "AllowedOrigins": [PAGE, "https://*.pages.example"],
        "AllowedHeaders": ["x-amz-*", "Content-Type"],
        "ExposeHeaders": ["ETag", "x-amz-request-id"],
        "MaxAgeSeconds": 600,
    },
    {"AllowedMethods": ["HEAD"], "AllowedOrigins": ["*"]},
]
VARY = "Origin, Access-Control-Request-Headers, Access-Control-Request-Method"


@pytest.fixture
def open_to_pages(s3: Any, bucket: str) -> str:
    """A bucket with `RULES`."""
    s3.put_bucket_cors(Bucket=bucket, CORSConfiguration={"CORSRules": RULES})
    return bucket


def told(reply: Reply) -> dict[str, str]:
    """What a reply tells a browser, without `access-control-`."""
    prefix = "access-control-"
    return {
        name.removeprefix(prefix): value
        for name, value in reply.headers.items()
        if name.startswith(prefix)
    }


def ask(
    node: Node, target: str, origin: str = PAGE, method: str = "", host: str | None = None,
    headers: str = "",
) -> Reply:  # fmt: skip
    """A preflight."""
    fields = {"Origin": origin} if origin else {}
    if method:
        fields["Access-Control-Request-Method"] = method
    if headers:
        fields["Access-Control-Request-Headers"] = headers
    return node.send("OPTIONS", target, headers=fields, signed=False, host=host)


# --- the configuration ----------------------------------------------------------------------


def test_rules_are_kept_replaced_and_deleted(s3: Any, bucket: str) -> None:
    with refused(*NONE):
        s3.get_bucket_cors(Bucket=bucket)
    for rules in (RULES, RULES[:1]):
        s3.put_bucket_cors(Bucket=bucket, CORSConfiguration={"CORSRules": rules})
        assert s3.get_bucket_cors(Bucket=bucket)["CORSRules"] == rules
    for _ in range(2):
        reply = s3.delete_bucket_cors(Bucket=bucket)
        assert reply["ResponseMetadata"]["HTTPStatusCode"] == 204
    with refused(*NONE):
        s3.get_bucket_cors(Bucket=bucket)


@pytest.mark.parametrize(
    ("rule", "code"),
    [
        ({"AllowedMethods": ["PATCH"], "AllowedOrigins": ["*"]}, "InvalidRequest"),
        ({"AllowedMethods": ["GET"], "AllowedOrigins": ["*.*"]}, "InvalidRequest"),
        ({"AllowedMethods": [], "AllowedOrigins": ["*"]}, "MalformedXML"),
        ({"AllowedMethods": ["GET"], "AllowedOrigins": []}, "MalformedXML"),
    ],
)
def test_a_rule_that_s3_refuses_is_refused(
    s3: Any, bucket: str, rule: dict[str, Any], code: str
) -> None:
    with refused(400, code):
        s3.put_bucket_cors(Bucket=bucket, CORSConfiguration={"CORSRules": [rule]})
    with refused(*NONE):
        s3.get_bucket_cors(Bucket=bucket)


def test_a_document_is_held_to_its_limits(node: Node, s3: Any, bucket: str) -> None:
    with refused(400, "InvalidRequest"):
        s3.put_bucket_cors(Bucket=bucket, CORSConfiguration={"CORSRules": RULES[1:] * 101})
    target = bucket_target(bucket, "cors")
    long = b"<CORSConfiguration>" + b" " * (65 << 10) + b"</CORSConfiguration>"
    expect_error(node.send("PUT", target, body=long), 400, "MaxMessageLengthExceeded")
    expect_error(node.send("PUT", target, body=b"<CORS"), 400, "MalformedXML")
    headers = {"Content-MD5": content_md5(b"other")}
    expect_error(node.send("PUT", target, headers=headers, body=b"<a/>"), 400, "BadDigest")


def test_strangers_may_not_see_or_change_rules(node: Node, open_to_pages: str) -> None:
    target = bucket_target(open_to_pages, "cors")
    for method in ("GET", "PUT", "DELETE"):
        expect_error(node.send(method, target, signed=False), 403, "AccessDenied")


# --- preflights -----------------------------------------------------------------------------


@pytest.mark.parametrize("style", ["mounted", "path", "virtual"])
def test_a_preflight_is_answered_without_credentials(
    node: Node, open_to_pages: str, style: str
) -> None:
    host = f"{open_to_pages}.localhost:{node.port}" if style == "virtual" else None
    start = {"mounted": f"/s3/{open_to_pages}", "path": f"/{open_to_pages}", "virtual": ""}[style]
    for key in ("", "k", "a/b%20c?x-id=PutObject"):
        reply = ask(
            node, f"{start}/{key}", method="PUT", host=host, headers="X-Amz-Date,content-type"
        )
        assert (reply.status, reply.body) == (200, b"")
        assert told(reply) == {
            "allow-origin": PAGE,
            "allow-methods": "GET, PUT",
            "allow-headers": "x-amz-date, content-type",
            "expose-headers": "ETag, x-amz-request-id",
            "max-age": "600",
            "allow-credentials": "true",
        }
        assert reply.headers["vary"] == VARY


def test_a_wildcard_lets_no_credentials_in(node: Node, open_to_pages: str) -> None:
    target = object_target(open_to_pages, "k")
    reply = ask(node, target, "https://a.pages.example", "GET")
    assert told(reply)["allow-origin"] == "https://a.pages.example"
    assert "allow-credentials" not in told(reply)
    assert told(ask(node, target, "https://evil.example", "HEAD")) == {
        "allow-origin": "*",
        "allow-methods": "HEAD",
    }


@pytest.mark.parametrize(
    ("origin", "method", "headers"),
    [
        ("https://evil.example", "GET", ""),
        ("https://page.example.evil.example", "GET", ""),
        ("null", "PUT", ""),
        (PAGE, "DELETE", ""),
        (PAGE, "PUT", "authorization"),
        (PAGE, "HEAD", "x-amz-date"),
    ],
)
def test_what_no_rule_allows_is_forbidden(
    node: Node, open_to_pages: str, origin: str, method: str, headers: str
) -> None:
    reply = ask(node, object_target(open_to_pages, "k"), origin, method, headers=headers)
    expect_error(reply, 403, "AccessForbidden")
    assert reply.xml.findtext("Method") == method
    assert reply.xml.findtext("ResourceType") == "OBJECT"
    assert told(reply) == {}
    assert reply.headers["vary"] == VARY


def test_a_preflight_says_from_where_and_what(node: Node, open_to_pages: str) -> None:
    target = object_target(open_to_pages, "k")
    expect_error(ask(node, target, "", "GET"), 400, "BadRequest")
    expect_error(ask(node, target), 400, "BadRequest")
    expect_error(ask(node, target, method="PATCH"), 400, "BadRequest")


def test_a_bucket_without_rules_is_open_to_no_page(node: Node, s3: Any, bucket: str) -> None:
    reply = ask(node, object_target(bucket, "k"), method="GET")
    expect_error(reply, 403, "AccessForbidden")
    assert "not enabled" in (reply.xml.findtext("Message") or "")
    assert "vary" not in reply.headers
    expect_error(ask(node, "/s3/", method="GET"), 403, "AccessForbidden")
    expect_error(ask(node, "/s3/no-such-bucket-of-pages/k", method="GET"), 404, "NoSuchBucket")


# --- other requests -------------------------------------------------------------------------


def test_replies_tell_the_page_that_is_allowed(node: Node, s3: Any, open_to_pages: str) -> None:
    bucket, target = open_to_pages, object_target(open_to_pages, "k")
    expected = {
        "allow-origin": PAGE,
        "allow-methods": "GET, PUT",
        "expose-headers": "ETag, x-amz-request-id",
        "max-age": "600",
        "allow-credentials": "true",
    }
    for method, status in (("PUT", 200), ("GET", 200)):
        body = b"data" if method == "PUT" else b""
        reply = node.send(method, target, headers={"Origin": PAGE}, body=body)
        assert (reply.status, told(reply)) == (status, expected)
        assert reply.headers["vary"] == VARY
    for origin, method in (("https://evil.example", "GET"), (PAGE, "DELETE")):
        reply = node.send(method, target, headers={"Origin": origin})
        assert reply.status in (200, 204)
        assert told(reply) == {}
        assert reply.headers["vary"] == VARY
    # What a cache keeps of a request without an origin is not for one that has one.
    assert node.send("GET", bucket_target(bucket)).headers["vary"] == VARY


def test_a_large_object_is_told_of_too(node: Node, s3: Any, open_to_pages: str) -> None:
    s3.put_object(Bucket=open_to_pages, Key="large", Body=b"x" * MIB)
    reply = node.send("GET", object_target(open_to_pages, "large"), headers={"Origin": PAGE})
    assert len(reply.body) == MIB
    assert told(reply)["allow-origin"] == PAGE


@pytest.mark.parametrize(
    ("target", "status"),
    [
        ("{bucket}/k", 403),
        ("{bucket}/k?X-Amz-Signature=a", 400),
        ("{bucket}/k?AWSAccessKeyId=NOBODY&Signature=a&Expires=1", 403),
    ],
)
def test_errors_tell_it_too(node: Node, open_to_pages: str, target: str, status: int) -> None:
    """A page whose link has expired is to learn that, and not of a broken network."""
    path = "/s3/" + target.format(bucket=open_to_pages)
    reply = node.send("GET", path, headers={"Origin": PAGE}, signed=False)
    assert reply.status == status
    assert told(reply)["allow-origin"] == PAGE


def test_missing_keys_and_presigned_links_tell_it(node: Node, s3: Any, open_to_pages: str) -> None:
    missing = node.send("GET", object_target(open_to_pages, "no"), headers={"Origin": PAGE})
    expect_error(missing, 404, "NoSuchKey")
    assert told(missing)["allow-origin"] == PAGE
    s3.put_object(Bucket=open_to_pages, Key="k", Body=b"data")
    link = presign("GET", object_target(open_to_pages, "k"), host=node.host)
    reply = node.send("GET", link, headers={"Origin": PAGE}, signed=False)
    assert (reply.body, told(reply)["allow-origin"]) == (b"data", PAGE)


def test_buckets_without_rules_tell_nothing(
    node: Node, s3: Any, make_bucket: Callable[..., str]
) -> None:
    bucket = make_bucket()
    reply = node.send("PUT", object_target(bucket, "k"), headers={"Origin": PAGE}, body=b"data")
    assert reply.status == 200
    assert told(reply) == {}
    assert "vary" not in reply.headers


def test_rules_that_are_deleted_do_not_count(node: Node, s3: Any, open_to_pages: str) -> None:
    s3.delete_bucket_cors(Bucket=open_to_pages)
    expect_error(ask(node, object_target(open_to_pages, "k"), method="GET"), 403, "AccessForbidden")
