"""Presigned URLs: the same signature in the query, for up to seven days.

https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html
"""

from __future__ import annotations

import datetime as dt
import re
import urllib.parse
from typing import Any

import pytest

from tests.harness import Node, presign
from tests.wire.support import (
    ago,
    begin,
    checksum,
    content_md5,
    exists,
    expect_error,
    object_target,
    read,
)


@pytest.fixture
def filled(s3: Any, bucket: str) -> str:
    s3.put_object(Bucket=bucket, Key="k", Body=b"secret")
    return bucket


@pytest.mark.parametrize("expires", [1, 60, 604_800])
def test_a_presigned_read_needs_nothing_else(node: Node, filled: str, expires: int) -> None:
    # By a clock that is ahead, as clients' may be: the second is not over before it is used.
    soon = ago(minutes=-5)
    target = presign("GET", object_target(filled, "k"), host=node.host, expires=expires, at=soon)
    assert node.send("GET", target, signed=False).body == b"secret"


def test_boto3_presigns_get_put_head_and_delete(node: Node, s3: Any, bucket: str) -> None:
    client = node.client(signature_version="s3v4")

    def url(operation: str) -> str:
        made = client.generate_presigned_url(
            operation, Params={"Bucket": bucket, "Key": "a b/ü"}, ExpiresIn=60
        )
        return "/" + str(made).removeprefix("http://").partition("/")[2]

    assert node.send("PUT", url("put_object"), body=b"hello", signed=False).status == 200
    assert node.send("GET", url("get_object"), signed=False).body == b"hello"
    assert node.send("HEAD", url("head_object"), signed=False).status == 200
    assert node.send("DELETE", url("delete_object"), signed=False).status == 204
    assert not exists(s3, bucket, "a b/ü")


def test_a_presigned_url_is_for_one_method_and_one_key(node: Node, s3: Any, filled: str) -> None:
    target = presign("GET", object_target(filled, "k"), host=node.host)
    for method, changed in (
        ("DELETE", target),
        ("PUT", target),
        ("HEAD", target),
        ("GET", target.replace("/k?", "/other?")),
        ("GET", target + "&versionId=null"),
    ):
        reply = node.send(method, changed, body=b"x" if method == "PUT" else b"", signed=False)
        assert reply.status == 403, (method, reply.status)
    assert read(s3, filled, "k") == b"secret"


def test_an_expired_url_is_refused(node: Node, filled: str) -> None:
    target = presign(
        "GET", object_target(filled, "k"), host=node.host, expires=60, at=ago(minutes=2)
    )
    reply = node.send("GET", target, signed=False)
    expect_error(reply, 403, "AccessDenied")
    assert reply.xml.findtext("Message") == "Request has expired"
    expires, now = reply.xml.findtext("Expires"), reply.xml.findtext("ServerTime")
    assert expires is not None
    assert now is not None
    passed = dt.datetime.fromisoformat(now) - dt.datetime.fromisoformat(expires)
    assert passed >= dt.timedelta(minutes=1)


def test_a_long_url_is_good_to_the_end_of_its_time(node: Node, filled: str) -> None:
    target = object_target(filled, "k")
    day7 = presign("GET", target, host=node.host, expires=604_800, at=ago(days=6, hours=23))
    assert node.send("GET", day7, signed=False).body == b"secret"
    day8 = presign("GET", target, host=node.host, expires=604_800, at=ago(days=7, minutes=1))
    expect_error(node.send("GET", day8, signed=False), 403, "AccessDenied")


def test_a_url_from_the_future_is_refused(node: Node, filled: str) -> None:
    target = presign("GET", object_target(filled, "k"), host=node.host, at=ago(minutes=-20))
    expect_error(
        node.send("GET", target, signed=False), 403, ("AccessDenied", "RequestTimeTooSkewed")
    )


@pytest.mark.parametrize("expires", [604_801, -1, "x", "", "1.5"])
def test_a_time_to_live_that_cannot_be_is_refused(
    node: Node, filled: str, expires: int | str
) -> None:
    """S3: "X-Amz-Expires must be less than a week (in seconds)", "... must be non-negative"."""
    target = presign("GET", object_target(filled, "k"), host=node.host, expires=expires)
    expect_error(node.send("GET", target, signed=False), 400, "AuthorizationQueryParametersError")


@pytest.mark.parametrize(
    "missing",
    ["X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Date", "X-Amz-Expires", "X-Amz-SignedHeaders"],
)
def test_an_incomplete_url_is_refused(node: Node, filled: str, missing: str) -> None:
    target = presign("GET", object_target(filled, "k"), host=node.host)
    target = re.sub(f"{missing}=[^&]*&", "", target)
    reply = node.send("GET", target, signed=False)
    assert reply.status in (400, 403)
    expect_error(reply, reply.status, ("AuthorizationQueryParametersError", "AccessDenied"))


def test_a_url_that_does_not_sign_the_host_is_refused(node: Node, filled: str) -> None:
    target = presign("GET", object_target(filled, "k"), host=node.host)
    target = target.replace("SignedHeaders=host", "SignedHeaders=x-amz-date")
    assert node.send("GET", target, signed=False).status in (400, 403)


def test_two_kinds_of_credentials_at_once_are_refused(node: Node, filled: str) -> None:
    """S3: "Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter ..."."""
    target = presign("GET", object_target(filled, "k"), host=node.host)
    reply = node.send("GET", target)
    expect_error(reply, 400, "InvalidArgument")


def test_a_presigned_put_stores_what_is_sent_with_the_headers_it_signed(
    node: Node, s3: Any, bucket: str
) -> None:
    headers = {"Content-Type": "text/csv", "x-amz-meta-a": "1", "Content-MD5": content_md5(b"x")}
    target = presign("PUT", object_target(bucket, "k"), host=node.host, headers=headers)
    reply = node.send("PUT", target, headers=headers, body=b"x", signed=False)
    assert reply.status == 200, reply.body
    got = s3.head_object(Bucket=bucket, Key="k")
    assert (got["ContentType"], got["Metadata"]) == ("text/csv", {"a": "1"})
    changed = headers | {"Content-Type": "text/html"}
    reply = node.send("PUT", target, headers=changed, body=b"x", signed=False)
    expect_error(reply, 403, "SignatureDoesNotMatch")


NOTHING = {"x-amz-checksum-crc32": "AAAAAA==", "x-amz-sdk-checksum-algorithm": "CRC32"}


@pytest.mark.parametrize("name", ["x-amz-checksum-crc32", "X-Amz-Checksum-Crc32"])
def test_a_checksum_in_the_query_is_signed_and_not_acted_on(
    node: Node, s3: Any, bucket: str, name: str
) -> None:
    """The JavaScript SDK signs the checksum of no body: it does not know what will be sent."""
    moved = {name: NOTHING["x-amz-checksum-crc32"], "x-amz-sdk-checksum-algorithm": "CRC32"}
    base = f"{object_target(bucket, 'k')}?{urllib.parse.urlencode(moved)}"
    target = presign("PUT", base, host=node.host)
    reply = node.send("PUT", target, body=b"hello", signed=False)
    assert reply.status == 200, reply.body
    assert "x-amz-checksum-crc32" not in reply.headers
    assert read(s3, bucket, "k") == b"hello"
    other = target.replace("AAAAAA", "AAAAAB")
    reply = node.send("PUT", other, body=b"hello", signed=False)
    expect_error(reply, 403, "SignatureDoesNotMatch")


def test_a_part_is_sent_by_a_url_with_a_checksum_in_the_query(
    node: Node, s3: Any, bucket: str
) -> None:
    upload = begin(s3, bucket, "k")
    moved = NOTHING | {"partNumber": "1", "uploadId": upload}
    base = f"{object_target(bucket, 'k')}?{urllib.parse.urlencode(moved)}"
    target = presign("PUT", base, host=node.host)
    reply = node.send("PUT", target, body=b"hello", signed=False)
    assert reply.status == 200, reply.body


def test_a_checksum_among_the_signed_headers_holds_the_body_to_it(
    node: Node, s3: Any, bucket: str
) -> None:
    headers = {"x-amz-checksum-sha256": checksum("SHA256", b"hello")}
    target = presign("PUT", object_target(bucket, "k"), host=node.host, headers=headers)
    reply = node.send("PUT", target, headers=headers, body=b"other", signed=False)
    expect_error(reply, 400, "BadDigest")
    reply = node.send("PUT", target, body=b"hello", signed=False)
    expect_error(reply, 403, "SignatureDoesNotMatch")
    reply = node.send("PUT", target, headers=headers, body=b"hello", signed=False)
    assert reply.status == 200, reply.body


def test_a_presigned_read_ignores_a_body(node: Node, filled: str) -> None:
    target = presign("GET", object_target(filled, "k"), host=node.host)
    reply = node.send("GET", target, body=b"ignored", signed=False)
    assert (reply.status, reply.body) == (200, b"secret")


# --- presigned in signature version 2 ---------------------------------------------------------
# boto3 and the aws CLI still presign with it for an endpoint of one's own, unless told not to:
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/RESTAuthentication.html


def legacy_url(node: Node, operation: str, *, expires: int = 60, **parameters: Any) -> str:
    """The target of the URL that a boto3 client of default settings makes."""
    secret = parameters.pop("secret_key", None)
    client = node.client(**({"secret_key": secret} if secret else {}))
    url = client.generate_presigned_url(operation, Params=parameters, ExpiresIn=expires)
    assert "AWSAccessKeyId=" in url
    return "/" + str(url).removeprefix("http://").partition("/")[2]


def test_the_urls_that_boto3_makes_by_default_work(node: Node, s3: Any, bucket: str) -> None:
    where: dict[str, Any] = {"Bucket": bucket, "Key": "a b/ü+%"}
    put = legacy_url(node, "put_object", **where)
    assert node.send("PUT", put, body=b"hello", signed=False).status == 200
    got = node.send("GET", legacy_url(node, "get_object", **where), signed=False)
    assert got.body == b"hello"
    override = legacy_url(node, "get_object", **where, ResponseContentType="a/b")
    assert node.send("GET", override, signed=False).headers["content-type"] == "a/b"
    assert node.send("GET", legacy_url(node, "list_objects", Bucket=bucket), signed=False).xml
    delete = legacy_url(node, "delete_object", **where)
    assert node.send("DELETE", delete, signed=False).status == 204
    assert not exists(s3, bucket, where["Key"])


def test_a_legacy_url_is_held_to_its_time_its_key_and_its_secret(
    node: Node, s3: Any, filled: str
) -> None:
    where: dict[str, Any] = {"Bucket": filled, "Key": "k"}
    expired = legacy_url(node, "get_object", expires=-60, **where)
    expect_error(node.send("GET", expired, signed=False), 403, "AccessDenied")
    forged = legacy_url(node, "get_object", secret_key="wrong", **where)
    expect_error(node.send("GET", forged, signed=False), 403, "SignatureDoesNotMatch")
    good = legacy_url(node, "get_object", **where)
    for method, target in (
        ("DELETE", good),
        ("GET", good.replace("/k?", "/other?")),
        ("GET", good.replace("Expires=", "Expires=1")),
    ):
        expect_error(node.send(method, target, signed=False), 403, "SignatureDoesNotMatch")
    assert read(s3, filled, "k") == b"secret"


@pytest.mark.parametrize("version", ["4", "2"])
def test_headers_in_the_query_count_where_signatures_are_not_checked(
    open_node: Node, open_s3: Any, open_bucket: str, version: str
) -> None:
    mark = "X-Amz-Signature=00" if version == "4" else "AWSAccessKeyId=a&Signature=00&Expires=1"
    moved = "x-amz-meta-mood=calm&x-amz-tagging=colour%3Dblue"
    target = f"{object_target(open_bucket, 'k')}?{moved}&{mark}"
    assert open_node.send("PUT", target, body=b"hello", signed=False).status == 200
    head = open_s3.head_object(Bucket=open_bucket, Key="k")
    assert (head["Metadata"], head["TagCount"]) == ({"mood": "calm"}, 1)


def test_a_query_without_a_signature_moves_no_headers(
    open_node: Node, open_s3: Any, open_bucket: str
) -> None:
    target = f"{object_target(open_bucket, 'k')}?x-amz-meta-mood=calm"
    assert open_node.send("PUT", target, body=b"hello", signed=False).status == 200
    assert open_s3.head_object(Bucket=open_bucket, Key="k")["Metadata"] == {}
