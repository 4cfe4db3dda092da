"""The error document of S3, and bodies of XML that must not be trusted.

https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
"""

from __future__ import annotations

import time
from typing import Any

import pytest

from tests.harness import Node
from tests.wire.support import (
    begin,
    bucket_target,
    content_md5,
    expect_error,
    get,
    object_target,
    put_part,
    refused,
)


@pytest.mark.parametrize(
    ("target", "code", "resource"),
    [
        ("/s3/no-such-bucket-here", "NoSuchBucket", "/no-such-bucket-here"),
        ("/s3/no-such-bucket-here/a/b", "NoSuchBucket", "/no-such-bucket-here/a/b"),
        ("/no-such-bucket-here/a", "NoSuchBucket", "/no-such-bucket-here/a"),
        ("/s3/{}/missing", "NoSuchKey", "/{}/missing"),
        ("/s3/{}/a%20b%26%3Cc%3E", "NoSuchKey", "/{}/a b&<c>"),
        ("/s3/{}/k?uploadId=none", "NoSuchUpload", "/{}/k"),
    ],
)
def test_an_error_names_its_resource(
    node: Node, bucket: str, target: str, code: str, resource: str
) -> None:
    reply = node.send("GET", target.format(bucket))
    expect_error(reply, 404, code)
    assert reply.xml.findtext("Resource") == resource.format(bucket)


def test_an_error_starts_with_the_xml_declaration_and_has_no_namespace(
    node: Node, bucket: str
) -> None:
    reply = get(node, bucket, "missing")
    assert reply.body.startswith(b"<?xml version=")
    assert b"xmlns" not in reply.body
    assert reply.headers["content-length"] == str(len(reply.body))


def test_request_ids_differ_and_are_told_on_success_too(node: Node, bucket: str) -> None:
    replies = [node.send("GET", bucket_target(bucket)) for _ in range(3)]
    replies += [get(node, bucket, "missing") for _ in range(3)]
    assert len({reply.headers["x-amz-request-id"] for reply in replies}) == 6
    assert all(reply.headers["x-amz-id-2"] for reply in replies)


def test_a_key_that_xml_cannot_carry_still_gives_a_document(node: Node, bucket: str) -> None:
    reply = node.send("GET", f"/s3/{bucket}/a%01%0Bb")
    expect_error(reply, 404, "NoSuchKey")


@pytest.mark.parametrize(
    "target", ["/s3/{}/missing", "/s3/no-such-bucket-here", "/s3/no-such-bucket-here/k"]
)
def test_errors_of_head_have_no_body(node: Node, bucket: str, target: str) -> None:
    reply = node.send("HEAD", target.format(bucket))
    assert (reply.status, reply.body) == (404, b"")
    assert reply.headers["x-amz-request-id"]
    assert reply.headers["x-amz-id-2"]


@pytest.mark.parametrize("method", ["PATCH", "TRACE", "FOO", "CONNECTX"])
@pytest.mark.parametrize("target", ["/s3/{}", "/s3/{}/k", "/s3"])
def test_a_method_that_s3_lacks_is_405(
    node: Node, s3: Any, bucket: str, method: str, target: str
) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    reply = node.send(method, target.format(bucket))
    # A server below S3 may already refuse a method that is none of HTTP's.
    assert reply.status in (400, 405, 501)
    if reply.status == 405:
        expect_error(reply, 405, "MethodNotAllowed")
    assert s3.head_object(Bucket=bucket, Key="k")["ContentLength"] == 1


@pytest.mark.parametrize(
    ("method", "target"), [("POST", "/s3/{}/k"), ("PUT", "/s3"), ("DELETE", "/s3"), ("POST", "/s3")]
)
def test_a_verb_that_a_resource_lacks_is_405(
    node: Node, s3: Any, bucket: str, method: str, target: str
) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    reply = node.send(method, target.format(bucket))
    expect_error(reply, 405, "MethodNotAllowed")


@pytest.mark.parametrize(
    ("method", "target", "allowed", "kind"),
    [
        ("POST", "/s3", "GET", "SERVICE"),
        ("PATCH", "/s3/{}", "DELETE, GET, HEAD, POST, PUT", "BUCKET"),
        ("PUT", "/s3/{}?uploads", "GET", "UPLOADS"),
        ("DELETE", "/s3/{}?location", "GET", "LOCATION"),
        ("POST", "/s3/{}/k", "DELETE, GET, HEAD, PUT", "OBJECT"),
        ("GET", "/s3/{}/k?uploads", "POST", "UPLOADS"),
        ("GET", "/s3/{}/k?versioning", "", "VERSIONING"),
    ],
)
def test_a_405_names_the_methods_that_there_are(
    node: Node, bucket: str, method: str, target: str, allowed: str, kind: str
) -> None:
    """RFC 9110, 15.5.6; `Method` and `ResourceType` are in Amazon's documents."""
    reply = node.send(method, target.format(bucket))
    expect_error(reply, 405, "MethodNotAllowed")
    assert reply.headers["allow"] == allowed
    assert reply.xml.findtext("Method") == method
    assert reply.xml.findtext("ResourceType") == kind


BOMB = (
    '<?xml version="1.0"?><!DOCTYPE lolz [<!ENTITY a "aaaaaaaaaa">'
    + "".join(f'<!ENTITY {chr(98 + n)} "{f"&{chr(97 + n)};" * 10}">' for n in range(12))
    + "]>"
)
PROLOGUES = {
    "entity bomb": (BOMB, "&m;"),
    "external entity": (
        '<?xml version="1.0"?><!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>',
        "&e;",
    ),
    "parameter entity": (
        '<?xml version="1.0"?><!DOCTYPE x [<!ENTITY % e SYSTEM "http://127.0.0.1:1/"> %e;]>',
        "k",
    ),
    "empty dtd": ('<?xml version="1.0"?><!DOCTYPE x>', "k"),
    "external dtd": ('<?xml version="1.0"?><!DOCTYPE x SYSTEM "http://127.0.0.1:1/x.dtd">', "k"),
    "undeclared entity": ('<?xml version="1.0"?>', "&nothing;"),
}
DOCUMENTS = {
    "CreateBucket": (
        "PUT",
        "/s3/never-made-bucket",
        "<CreateBucketConfiguration><LocationConstraint>{}</LocationConstraint>"
        "</CreateBucketConfiguration>",
    ),
    "DeleteObjects": (
        "POST",
        "/s3/{bucket}?delete",
        "<Delete><Object><Key>{}</Key></Object></Delete>",
    ),
    "CompleteMultipartUpload": (
        "POST",
        "/s3/{bucket}/up?uploadId={upload}",
        "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>{}</ETag></Part>"
        "</CompleteMultipartUpload>",
    ),
}


@pytest.mark.parametrize("operation", DOCUMENTS)
@pytest.mark.parametrize("prologue", PROLOGUES)
def test_entities_and_document_types_are_malformed(
    node: Node, s3: Any, bucket: str, operation: str, prologue: str
) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    upload = begin(s3, bucket, "up")
    put_part(s3, bucket, "up", upload, 1, b"x")
    method, target, document = DOCUMENTS[operation]
    start, value = PROLOGUES[prologue]
    body = (start + document.format(value)).encode()
    started = time.monotonic()
    reply = node.send(
        method,
        target.format(bucket=bucket, upload=upload),
        headers={"Content-MD5": content_md5(body)},
        body=body,
    )
    expect_error(reply, 400, "MalformedXML")
    assert time.monotonic() - started < 20
    assert b"root:" not in reply.body
    assert s3.head_object(Bucket=bucket, Key="k")["ContentLength"] == 1
    with refused(404, "404"):
        s3.head_bucket(Bucket="never-made-bucket")


@pytest.mark.parametrize("operation", DOCUMENTS)
def test_a_document_of_many_megabytes_is_refused(
    node: Node, s3: Any, bucket: str, operation: str
) -> None:
    upload = begin(s3, bucket, "up")
    method, target, document = DOCUMENTS[operation]
    body = document.format("x" * 12_000_000).encode()
    reply = node.send(
        method,
        target.format(bucket=bucket, upload=upload),
        headers={"Content-MD5": content_md5(body)},
        body=body,
    )
    expect_error(reply, 400, ("MalformedXML", "EntityTooLarge", "MaxMessageLengthExceeded"))


@pytest.mark.parametrize("operation", DOCUMENTS)
def test_deep_nesting_is_malformed(node: Node, s3: Any, bucket: str, operation: str) -> None:
    upload = begin(s3, bucket, "up")
    method, target, document = DOCUMENTS[operation]
    body = document.format("<a>" * 50_000 + "</a>" * 50_000).encode()
    reply = node.send(
        method,
        target.format(bucket=bucket, upload=upload),
        headers={"Content-MD5": content_md5(body)},
        body=body,
    )
    assert reply.status == 400, reply.status
    assert node.send("GET", "/v1/health", signed=False).status == 200


def test_an_unknown_upload_is_the_same_error_everywhere(node: Node, bucket: str) -> None:
    body = (
        b"<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>x</ETag></Part>"
        b"</CompleteMultipartUpload>"
    )
    for method, query, sent in (
        ("PUT", "partNumber=1&uploadId=none", b"x"),
        ("GET", "uploadId=none", b""),
        ("POST", "uploadId=none", body),
        ("DELETE", "uploadId=none", b""),
    ):
        reply = node.send(method, object_target(bucket, "k", query), body=sent)
        expect_error(reply, 404, "NoSuchUpload")
        assert reply.xml.findtext("UploadId") == "none"
