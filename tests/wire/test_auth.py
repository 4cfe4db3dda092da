"""Who may do what: SigV4 in header and query, and nothing at all for anybody else.

https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-authenticating-requests.html
"""

from __future__ import annotations

import datetime as dt
import hashlib
from typing import Any

import pytest

from tests.harness import ACCESS_KEY, Node, presign, sign
from tests.wire.support import (
    XMLNS,
    ago,
    content_md5,
    exists,
    expect_error,
    get,
    object_target,
    read,
    refused,
)


@pytest.fixture
def filled(s3: Any, bucket: str) -> str:
    s3.put_object(Bucket=bucket, Key="k", Body=b"secret")
    return bucket


# --- signed in the header -------------------------------------------------------------------


@pytest.mark.parametrize("payload", ["UNSIGNED-PAYLOAD", hashlib.sha256(b"hello").hexdigest()])
def test_both_payload_modes_are_accepted(node: Node, s3: Any, bucket: str, payload: str) -> None:
    reply = node.send("PUT", object_target(bucket, "k"), body=b"hello", payload=payload)
    assert reply.status == 200, reply.body
    assert read(s3, bucket, "k") == b"hello"


def test_a_wrong_secret_is_told_as_such(node: Node, filled: str) -> None:
    reply = node.send("GET", object_target(filled, "k"), secret_key="wrong")
    expect_error(reply, 403, "SignatureDoesNotMatch")
    assert reply.xml.findtext("AWSAccessKeyId") == ACCESS_KEY
    with refused(403, "SignatureDoesNotMatch"):
        node.client(secret_key="wrong").get_object(Bucket=filled, Key="k")


def test_an_unknown_key_is_told_as_such(node: Node, filled: str) -> None:
    reply = node.send("GET", object_target(filled, "k"), access_key="NOBODYKNOWSTHIS")
    expect_error(reply, 403, "InvalidAccessKeyId")
    assert reply.xml.findtext("AWSAccessKeyId") == "NOBODYKNOWSTHIS"


@pytest.mark.parametrize("region", ["us-east-1", "eu-west-1", "ais", "US"])
def test_any_region_may_be_signed_for(node: Node, filled: str, region: str) -> None:
    """The seeds: "Any valid region will work"."""
    assert node.send("GET", object_target(filled, "k"), region=region).body == b"secret"


def test_another_service_may_not_be_signed_for(node: Node, filled: str) -> None:
    reply = node.send("GET", object_target(filled, "k"), service="ec2")
    expect_error(reply, reply.status, ("AuthorizationHeaderMalformed", "SignatureDoesNotMatch"))
    assert reply.status in (400, 403)


@pytest.mark.parametrize("minutes", [14, -14])
def test_a_clock_within_15_minutes_is_fine(node: Node, filled: str, minutes: int) -> None:
    reply = node.send("GET", object_target(filled, "k"), at=ago(minutes=minutes))
    assert reply.status == 200, reply.body


@pytest.mark.parametrize("minutes", [16, -16, 60 * 24 * 3])
def test_a_clock_beyond_15_minutes_is_not(node: Node, filled: str, minutes: int) -> None:
    reply = node.send("GET", object_target(filled, "k"), at=ago(minutes=minutes))
    expect_error(reply, 403, "RequestTimeTooSkewed")
    assert reply.xml.findtext("RequestTime")
    assert reply.xml.findtext("ServerTime")


def test_the_date_header_may_stand_in_for_x_amz_date(node: Node, filled: str) -> None:
    """s3cmd and others sign `Date`; the signer uses it where X-Amz-Date is absent."""
    now = dt.datetime.now(dt.UTC)
    target = object_target(filled, "k")
    headers = {"Date": now.strftime("%a, %d %b %Y %H:%M:%S GMT")}
    fields = sign(
        "GET", target, host=node.host, headers=headers, at=now.strftime("%Y%m%dT%H%M%SZ")
    ).headers
    assert "X-Amz-Date" not in fields
    assert node.send("GET", target, headers=fields, signed=False).body == b"secret"


@pytest.mark.parametrize(
    ("authorization", "message"),
    [
        ("Basic dXNlcjpwYXNz", "Unsupported Authorization Type"),
        ("nonsense", "Unsupported Authorization Type"),
        ("AWS nonsense", "AWS authorization header is invalid.  Expected AwsAccessKeyId:signature"),
    ],
)
def test_a_header_of_another_kind_than_version_4_is_an_argument_that_is_invalid(
    node: Node, filled: str, authorization: str, message: str
) -> None:
    """Amazon's words and code; the value may be a password of somewhere else, and stays unsaid."""
    headers = {"Authorization": authorization, "x-amz-date": ago()}
    reply = node.send("GET", object_target(filled, "k"), headers=headers, signed=False)
    expect_error(reply, 400, "InvalidArgument")
    assert reply.xml.findtext("Message") == message
    assert reply.xml.findtext("ArgumentName") == "Authorization"
    assert authorization.encode() not in reply.body


@pytest.mark.parametrize(
    "authorization",
    [
        "AWS4-HMAC-SHA256",
        "AWS4-HMAC-SHA256 Credential=x",
        "AWS4-HMAC-SHA256 Credential=a/b/c, SignedHeaders=host, Signature=x",
        "AWS4-HMAC-SHA256 nonsense",
        "AWS4-HMAC-SHA512 Credential=AISLEROOTACCESSKEY00/20260101/us-east-1/s3/aws4_request, "
        "SignedHeaders=host, Signature=00",
        "Basic dXNlcjpwYXNz",
        "nonsense",
    ],
)
def test_an_authorization_that_cannot_be_read_lets_nobody_in(
    node: Node, filled: str, authorization: str
) -> None:
    reply = node.send(
        "GET",
        object_target(filled, "k"),
        headers={"Authorization": authorization, "x-amz-date": ago()},
        signed=False,
    )
    assert reply.status in (400, 403)
    expect_error(
        reply,
        reply.status,
        (
            "AuthorizationHeaderMalformed",
            "InvalidArgument",
            "AccessDenied",
            "InvalidRequest",
            "InvalidAccessKeyId",
            "SignatureDoesNotMatch",
        ),
    )


def test_a_request_changed_on_its_way_is_refused(node: Node, s3: Any, filled: str) -> None:
    target = object_target(filled, "k")
    signed = sign("PUT", target, host=node.host, headers={"x-amz-meta-a": "1"}).headers
    changes: list[tuple[str, str, dict[str, str]]] = [
        ("DELETE", target, {}),
        ("PUT", object_target(filled, "other"), {}),
        ("PUT", target + "?x-id=x", {}),
        ("PUT", target, {"x-amz-meta-a": "2"}),
        ("PUT", target, {"Host": f"127.0.0.1:{node.port}"}),
        ("PUT", target, {"x-amz-date": ago(minutes=1)}),
    ]
    for method, changed, headers in changes:
        fields = {
            name: value
            for name, value in signed.items()
            if name.lower() not in {header.lower() for header in headers}
        }
        reply = node.send(method, changed, headers=fields | headers, body=b"x", signed=False)
        expect_error(reply, 403, "SignatureDoesNotMatch")
    assert read(s3, filled, "k") == b"secret"
    assert not exists(s3, filled, "other")


@pytest.mark.parametrize(
    "header",
    [
        {"x-amz-copy-source": "{}/k"},
        {"x-amz-meta-added": "1"},
        {"x-amz-acl": "public-read"},
        {"x-amz-metadata-directive": "REPLACE"},
        {"x-amz-storage-class": "STANDARD_IA"},
    ],
)
def test_an_amz_header_must_be_signed_if_it_is_there(
    node: Node, s3: Any, filled: str, header: dict[str, str]
) -> None:
    """CVE-2026-71191: a presigned PUT with a copy source that its maker never signed."""
    header = {name: value.format(filled) for name, value in header.items()}
    target = object_target(filled, "to")
    reply = node.send("PUT", target, unsigned_headers=header, body=b"x")
    expect_error(reply, 403, ("AccessDenied", "SignatureDoesNotMatch"))
    reply = node.send(
        "PUT", presign("PUT", target, host=node.host), headers=header, body=b"x", signed=False
    )
    expect_error(reply, 403, ("AccessDenied", "SignatureDoesNotMatch"))
    assert not exists(s3, filled, "to")


def test_header_values_are_folded_before_they_are_signed(node: Node, filled: str) -> None:
    """Signing trims values and folds inner spaces, for both sides alike."""
    reply = node.send(
        "PUT",
        object_target(filled, "folded"),
        headers={"x-amz-meta-a": "  one   two  "},
        body=b"x",
    )
    assert reply.status == 200, reply.body


@pytest.mark.parametrize(
    "query", ["prefix=a%20b&x-id=1", "delimiter=%2F&prefix=%C3%BC%2B%26", "list-type=2&prefix="]
)
def test_the_query_is_signed_in_canonical_order(node: Node, filled: str, query: str) -> None:
    assert node.send("GET", f"/s3/{filled}?{query}").status == 200


def test_a_session_token_that_nobody_gave_is_refused(node: Node, filled: str) -> None:
    reply = node.send(
        "GET", object_target(filled, "k"), headers={"x-amz-security-token": "made-up"}
    )
    expect_error(reply, reply.status, ("InvalidToken", "AccessDenied", "InvalidAccessKeyId"))
    assert reply.status in (400, 403)


# --- anonymous ------------------------------------------------------------------------------

EVERYTHING = [
    ("GET", "/s3"),
    ("GET", "/"),
    ("HEAD", "/s3/{}"),
    ("PUT", "/s3/never-made-bucket"),
    ("DELETE", "/s3/{}"),
    ("GET", "/s3/{}"),
    ("GET", "/s3/{}?list-type=2"),
    ("GET", "/s3/{}?location"),
    ("GET", "/s3/{}?uploads"),
    ("GET", "/s3/{}?tagging"),
    ("GET", "/s3/{}/k"),
    ("HEAD", "/s3/{}/k"),
    ("GET", "/s3/{}/k?attributes"),
    ("GET", "/s3/{}/k?uploadId=x"),
    ("PUT", "/s3/{}/k"),
    ("PUT", "/s3/{}/k?partNumber=1&uploadId=x"),
    ("PUT", "/s3/{}/k?tagging"),
    ("POST", "/s3/{}/k?uploads"),
    ("POST", "/s3/{}/k?uploadId=x"),
    ("DELETE", "/s3/{}/k"),
    ("DELETE", "/s3/{}/k?uploadId=x"),
    ("GET", "/s3/{}/missing"),
    ("HEAD", "/s3/{}/missing"),
    ("DELETE", "/s3/{}/missing"),
]
STRANGERS: dict[str, dict[str, Any]] = {
    "anonymous": {"signed": False},
    "unknown key": {"access_key": "NOBODYKNOWSTHIS"},
    "wrong secret": {"secret_key": "wrong"},
}


@pytest.mark.parametrize("stranger", STRANGERS)
@pytest.mark.parametrize(("method", "target"), EVERYTHING)
def test_a_stranger_may_do_nothing_and_learns_nothing(
    node: Node, s3: Any, filled: str, method: str, target: str, stranger: str
) -> None:
    """The answer is the same for what exists and for what does not, conditions included. Only that
    there is no bucket of a name is told to who is nobody: some buckets are for everybody."""
    who = STRANGERS[stranger]
    body = b"overwritten" if method in ("PUT", "POST") else b""
    told = set()
    for name in (filled, "no-such-bucket-here"):
        if stranger == "anonymous" and name != filled and "{}" in target:
            assert node.send(method, target.format(name), body=body, **who).status == 404
            continue
        for headers in ({}, {"If-None-Match": "*"}, {"If-Match": '"x"'}, {"Range": "bytes=99-"}):
            reply = node.send(method, target.format(name), headers=headers, body=body, **who)
            told.add((reply.status, reply.code))
    code = {
        "anonymous": "AccessDenied",
        "unknown key": "InvalidAccessKeyId",
        "wrong secret": "SignatureDoesNotMatch",
    }[stranger]
    assert told == {(403, "" if method == "HEAD" else code)}
    assert read(s3, filled, "k") == b"secret"


def test_a_stranger_deletes_nothing_among_many(node: Node, s3: Any, filled: str) -> None:
    body = b"<Delete><Object><Key>k</Key></Object><Object><Key>missing</Key></Object></Delete>"
    headers = {"Content-MD5": content_md5(body)}
    reply = node.send("POST", f"/s3/{filled}?delete", headers=headers, body=body, signed=False)
    assert reply.status == 200
    told = [(error.findtext("Key"), error.findtext("Code")) for error in reply.xml.iter("Error")]
    assert told == [("k", "AccessDenied"), ("missing", "AccessDenied")]
    assert read(s3, filled, "k") == b"secret"


def test_a_large_upload_of_a_stranger_hears_the_error(node: Node, bucket: str) -> None:
    """Refused before the body is read, and still no broken pipe for an ordinary client."""
    reply = node.send("PUT", object_target(bucket, "k"), body=b"x" * 4_000_000, signed=False)
    expect_error(reply, 403, "AccessDenied")


def test_with_auth_off_anybody_may_do_anything(
    open_node: Node, open_s3: Any, open_bucket: str
) -> None:
    open_s3.put_object(Bucket=open_bucket, Key="k", Body=b"hello")
    assert open_node.send("GET", object_target(open_bucket, "k"), signed=False).body == b"hello"
    target = presign("GET", object_target(open_bucket, "k"), host="wrong", secret_key="wrong")
    assert open_node.send("GET", target, signed=False).body == b"hello"
    listing = open_node.send("GET", "/s3", signed=False)  # the browser example of the seeds
    assert XMLNS.encode() in listing.body
    assert open_node.send("DELETE", object_target(open_bucket, "k"), signed=False).status == 204


def test_errors_and_replies_never_tell_the_secret(node: Node, filled: str) -> None:
    for reply in (
        get(node, filled, "k"),
        node.send("GET", object_target(filled, "k"), secret_key="wrong"),
    ):
        assert b"root/Secret" not in reply.body
        assert not any("root/Secret" in value for value in reply.headers.values())
    assert "root/Secret" not in node.log_tail(100_000)
