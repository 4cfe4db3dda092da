"""Uploads from forms: who may, what the policy says, and what becomes of the fields.

https://docs.aws.amazon.com/AmazonS3/latest/API/RESTObjectPOST.html
"""

from __future__ import annotations

import base64
import urllib.parse
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests

from tests.harness import Node
from tests.wire.forms import BOUNDARY, Field, body_of, encoded, send, signed_v2, signed_v4
from tests.wire.support import (
    MIB,
    ago,
    bucket_target,
    checksum,
    content_md5,
    etag_of,
    exists,
    expect_error,
    pattern,
    read,
)

ANY = [["starts-with", "$key", ""]]


def fields_of(key: str, *conditions: Any) -> dict[str, str]:
    """Fields with a signed policy that allows them, and holds `conditions` beside."""
    return {"key": key, **signed_v4([*ANY, *conditions])}


@pytest.mark.parametrize("style", ["path", "virtual"])
@pytest.mark.parametrize("version", ["s3", "s3v4"])
def test_generate_presigned_post_works_unmodified(
    node: Node, s3: Any, bucket: str, style: str, version: str
) -> None:
    endpoint = node.endpoint if style == "path" else node.root
    client = node.client(
        endpoint=endpoint, s3={"addressing_style": style}, signature_version=version
    )
    post = client.generate_presigned_post(
        bucket,
        "up/${filename}",
        Fields={"Content-Type": "text/css", "acl": "public-read", "x-amz-meta-who": "me"},
        Conditions=[
            ["starts-with", "$Content-Type", "text/"],
            {"acl": "public-read"},
            {"x-amz-meta-who": "me"},
            ["content-length-range", 1, 100],
        ],
        ExpiresIn=60,
    )
    url = post["url"].replace(f"{bucket}.localhost", "127.0.0.1")
    headers = {"Host": urllib.parse.urlsplit(post["url"]).netloc}
    files = {"file": ("a b.css", b"body {}")}
    reply = requests.post(url, data=post["fields"], files=files, headers=headers, timeout=30)
    assert (reply.status_code, reply.text) == (204, "")
    assert reply.headers["ETag"] == etag_of(b"body {}")
    assert reply.headers["Location"] == f"{post['url'].rstrip('/')}/up/a%20b.css"
    found = s3.get_object(Bucket=bucket, Key="up/a b.css")
    assert found["Body"].read() == b"body {}"
    assert (found["ContentType"], found["Metadata"]) == ("text/css", {"who": "me"})
    assert requests.get(f"{node.endpoint}/{bucket}/up/a%20b.css", timeout=30).status_code == 200


@pytest.mark.parametrize("sign", [signed_v4, signed_v2])
def test_a_signed_policy_lets_a_file_in(node: Node, s3: Any, bucket: str, sign: Any) -> None:
    reply = send(node, bucket, {"key": "k", **sign(ANY)}, b"data")
    assert (reply.status, reply.body) == (204, b"")
    found = s3.get_object(Bucket=bucket, Key="k")
    assert found["Body"].read() == b"data"
    # The type of the file is what the field says, never what its part says.
    assert found["ContentType"] == "binary/octet-stream"


@pytest.mark.parametrize("size", [0, 1, 65_536, 65_537, 3 * MIB])
def test_files_of_any_size_come_in_whole(node: Node, s3: Any, bucket: str, size: int) -> None:
    data = pattern(size)
    assert send(node, bucket, fields_of("k"), data).status == 204
    assert read(s3, bucket, "k") == data


def test_a_form_may_come_in_chunks_and_drops(node: Node, s3: Any, bucket: str) -> None:
    body = body_of(list(fields_of("k").items()), b"\r\n--" * 5000)
    pieces = [f"{len(piece):x}\r\n".encode() + piece + b"\r\n" for piece in _cut(body, 1777)]
    headers = {"Transfer-Encoding": "chunked"}
    assert send(node, bucket, {}, body=[*pieces, b"0\r\n\r\n"], headers=headers).status == 204
    assert read(s3, bucket, "k") == b"\r\n--" * 5000


def _cut(data: bytes, size: int) -> Iterator[bytes]:
    for at in range(0, len(data), size):
        yield data[at : at + size]


# --- what is answered -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "status"), [("200", 200), ("201", 201), ("204", 204), ("302", 204), ("x", 204)]
)
def test_the_status_is_what_was_asked_for(node: Node, bucket: str, asked: str, status: int) -> None:
    fields = {"key": "a/b&c", "success_action_status": asked}
    fields |= signed_v4([*ANY, {"success_action_status": asked}])
    reply = send(node, bucket, fields, b"data")
    assert reply.status == status
    location = f"{node.endpoint}/{bucket}/a/b%26c"
    assert reply.headers["location"] == location
    assert reply.headers["etag"] == etag_of(b"data")
    if status != 201:
        assert reply.body == b""
        return
    assert reply.headers["content-type"] == "application/xml"
    told = {child.tag: child.text for child in reply.xml}
    assert reply.xml.tag == "PostResponse"
    assert told == {
        "Location": location,
        "Bucket": bucket,
        "Key": "a/b&c",
        "ETag": etag_of(b"data"),
    }


@pytest.mark.parametrize("field", ["success_action_redirect", "redirect"])
def test_a_browser_is_sent_back(node: Node, s3: Any, bucket: str, field: str) -> None:
    back = "https://page.example/done?step=2"
    fields = {"key": "a b", field: back, **signed_v4([*ANY, {field: back}])}
    reply = send(node, bucket, fields, b"data")
    assert reply.status == 303
    url, _, query = reply.headers["location"].partition("?")
    assert url == "https://page.example/done"
    told = {"step": "2", "bucket": bucket, "key": "a b", "etag": etag_of(b"data")}
    assert dict(urllib.parse.parse_qsl(query)) == told
    assert read(s3, bucket, "a b") == b"data"


@pytest.mark.parametrize("back", ["javascript:alert(1)", "/path", "http://", "http://[", ""])
def test_what_is_no_url_sends_nobody_anywhere(node: Node, bucket: str, back: str) -> None:
    field = "success_action_redirect"
    fields = {"key": "k", field: back, **signed_v4([*ANY, {field: back}])}
    assert send(node, bucket, fields, b"data").status == 204


def test_a_location_never_ends_its_header(node: Node, bucket: str) -> None:
    back = "https://page.example/\r\nset-cookie: a=b"
    field = "success_action_redirect"
    fields = {"key": "k", field: back, **signed_v4([*ANY, {field: back}])}
    reply = send(node, bucket, fields, b"data")
    assert "set-cookie" not in reply.headers
    assert reply.status == 303


# --- what the fields become -----------------------------------------------------------------


def test_fields_are_the_headers_of_a_put(node: Node, s3: Any, bucket: str) -> None:
    headers = {
        "Cache-Control": "no-store",
        "Content-Disposition": "attachment",
        "Content-Encoding": "gzip",
        "Content-Language": "de",
        "Content-Type": "text/plain",
        "Expires": "Thu, 01 Dec 2094 16:00:00 GMT",
        "x-amz-storage-class": "STANDARD_IA",
        "x-amz-website-redirect-location": "/there",
        "x-amz-meta-ascii": "a b",
        "x-amz-meta-other": "\u20ac",
        "acl": "public-read",
    }
    fields = {"key": "k", **headers}
    fields |= signed_v4([*ANY, *({name: value} for name, value in headers.items())])
    assert send(node, bucket, fields, b"data").status == 204
    found = s3.head_object(Bucket=bucket, Key="k")
    assert found["CacheControl"] == "no-store"
    assert found["ContentDisposition"] == "attachment"
    assert found["ContentEncoding"] == "gzip"
    assert found["ContentLanguage"] == "de"
    assert found["ContentType"] == "text/plain"
    assert found["ResponseMetadata"]["HTTPHeaders"]["expires"] == headers["Expires"]
    assert found["StorageClass"] == "STANDARD_IA"
    assert found["WebsiteRedirectLocation"] == "/there"
    assert found["Metadata"]["ascii"] == "a b"
    assert found["Metadata"]["other"] == "=?UTF-8?B?4oKs?="
    grants = s3.get_object_acl(Bucket=bucket, Key="k")["Grants"]
    assert any(grant["Permission"] == "READ" for grant in grants)


def test_the_file_s_name_is_known_in_all_fields(node: Node, s3: Any, bucket: str) -> None:
    fields = {"key": "up/${filename}", "x-amz-meta-name": "<${filename}>"}
    fields |= signed_v4([["starts-with", "$key", "up/a"], ["starts-with", "$x-amz-meta-name", ""]])
    assert send(node, bucket, fields, b"1", filename="C:\\dir\\a \u20ac.txt").status == 204
    assert exists(s3, bucket, "up/a \u20ac.txt")
    # The policy is held against the key that is made, not the one that was written.
    reply = send(node, bucket, fields, b"1", filename="b.txt")
    expect_error(reply, 403, "AccessDenied")
    assert not exists(s3, bucket, "up/b.txt")


@pytest.mark.parametrize("algorithm", ["CRC32", "SHA256", "CRC64NVME"])
def test_a_checksum_is_kept_and_held_to(node: Node, s3: Any, bucket: str, algorithm: str) -> None:
    name = f"x-amz-checksum-{algorithm.lower()}"
    for data, value, status in (
        (b"data", checksum(algorithm, b"data"), 204),
        (b"other", checksum(algorithm, b"data"), 400),
    ):
        fields = {"key": f"k{status}", name: value, **signed_v4([*ANY, {name: value}])}
        reply = send(node, bucket, fields, data)
        assert reply.status == status
        assert reply.code == ("" if status == 204 else "BadDigest")
    found = s3.head_object(Bucket=bucket, Key="k204", ChecksumMode="ENABLED")
    assert found[f"Checksum{algorithm}"] == checksum(algorithm, b"data")
    assert not exists(s3, bucket, "k400")


def test_an_md5_is_held_to(node: Node, s3: Any, bucket: str) -> None:
    value = content_md5(b"data")
    fields = {"key": "k", "Content-MD5": value, **signed_v4([*ANY, {"Content-MD5": value}])}
    expect_error(send(node, bucket, fields, b"other"), 400, "BadDigest")
    assert not exists(s3, bucket, "k")
    assert send(node, bucket, fields, b"data").status == 204


def test_tags_are_kept(node: Node, s3: Any, bucket: str) -> None:
    tags = (
        "<Tagging><TagSet><Tag><Key>a b</Key><Value>1=2+3</Value></Tag>"
        "<Tag><Key>c</Key><Value></Value></Tag></TagSet></Tagging>"
    )
    fields = {"key": "k", "tagging": tags, **signed_v4([*ANY, {"tagging": tags}])}
    assert send(node, bucket, fields, b"data").status == 204
    assert s3.get_object_tagging(Bucket=bucket, Key="k")["TagSet"] == [
        {"Key": "a b", "Value": "1=2+3"},
        {"Key": "c", "Value": ""},
    ]


def test_an_encryption_and_a_lock_are_those_of_a_put(
    node: Node, s3: Any, make_bucket: Callable[..., str]
) -> None:
    """A form asks for them by the headers of a PUT, and is answered like one."""
    bucket = make_bucket(ObjectLockEnabledForBucket=True)
    key = b"0123456789abcdef" * 2
    asked = {
        "x-amz-server-side-encryption-customer-algorithm": "AES256",
        "x-amz-server-side-encryption-customer-key": base64.b64encode(key).decode(),
        "x-amz-server-side-encryption-customer-key-MD5": content_md5(key),
        "x-amz-object-lock-legal-hold": "ON",
    }
    fields = {"key": "k", **asked}
    fields |= signed_v4([*ANY, *({name: value} for name, value in asked.items())])
    reply = send(node, bucket, fields, b"data")
    assert reply.status == 204
    assert reply.headers["x-amz-server-side-encryption-customer-algorithm"] == "AES256"
    version = reply.headers["x-amz-version-id"]
    with_key = {"SSECustomerAlgorithm": "AES256", "SSECustomerKey": key}
    assert read(s3, bucket, "k", **with_key) == b"data"
    held = {"Bucket": bucket, "Key": "k", "VersionId": version}
    assert s3.get_object_legal_hold(**held)["LegalHold"] == {"Status": "ON"}
    s3.put_object_legal_hold(**held, LegalHold={"Status": "OFF"})
    s3.delete_object(**held)


def test_a_versioned_bucket_tells_the_version(node: Node, s3: Any, bucket: str) -> None:
    status = {"Status": "Enabled"}
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration=status)
    versions = [
        send(node, bucket, fields_of("k"), data).headers["x-amz-version-id"]
        for data in (b"1", b"2")
    ]
    for version, data in zip(versions, (b"1", b"2"), strict=True):
        assert read(s3, bucket, "k", VersionId=version) == data
        s3.delete_object(Bucket=bucket, Key="k", VersionId=version)


# --- what is refused ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("conditions", "extra", "size", "status", "code", "said"),
    [
        ([], {}, 4, 403, "AccessDenied", "Extra input fields: key"),
        ([{"key": "other"}], {}, 4, 403, "AccessDenied", 'failed: ["eq", "$key", "other"]'),
        ([*ANY, {"bucket": "other"}], {}, 4, 403, "AccessDenied", '["eq", "$bucket", "other"]'),
        ([*ANY, {"acl": "private"}], {"acl": "public-read"}, 4, 403, "AccessDenied", "$acl"),
        (ANY, {"acl": "public-read"}, 4, 403, "AccessDenied", "Extra input fields: acl"),
        ([*ANY, ["content-length-range", 5, 9]], {}, 4, 400, "EntityTooSmall", ""),
        ([*ANY, ["content-length-range", 5, 9]], {}, 10, 400, "EntityTooLarge", ""),
        ([*ANY, ["content-length-range", 0, MIB]], {}, 3 * MIB, 400, "EntityTooLarge", ""),
        ([["between", "$key", "a"]], {}, 4, 400, "InvalidPolicyDocument", "between"),
    ],
)
def test_what_the_policy_does_not_allow_is_refused(
    node: Node,
    s3: Any,
    bucket: str,
    conditions: list[Any],
    extra: dict[str, str],
    size: int,
    status: int,
    code: str,
    said: str,
) -> None:
    reply = send(node, bucket, {"key": "k", **extra, **signed_v4(conditions)}, pattern(size))
    expect_error(reply, status, code)
    assert said in (reply.xml.findtext("Message") or "")
    assert not exists(s3, bucket, "k")


def test_metadata_of_several_fields_is_one_with_commas(node: Node, s3: Any, bucket: str) -> None:
    """Fields of the same name are compared as one, whose values are separated by commas."""
    fields: list[Field] = [("x-amz-meta-tag", "Ninja"), ("X-Amz-Meta-Tag", "Stallman")]
    fields += fields_of("k", {"x-amz-meta-tag": "Ninja,Stallman"}).items()
    assert send(node, bucket, fields, b"").status == 204
    assert s3.head_object(Bucket=bucket, Key="k")["Metadata"] == {"tag": "Ninja,Stallman"}


def test_a_policy_may_escape_what_json_does_not(
    open_node: Node, open_s3: Any, open_bucket: str
) -> None:
    r"""The table of escapes has `\$` and `\v` beside those of JSON."""
    told = r"""{"expiration": "2999-01-01T00:00:00Z", "conditions": [
        ["starts-with", "\$key", "a\\\$\u0062"], {"x-amz-meta-v": "\v"}]}"""
    text = base64.b64encode(told.encode()).decode()
    fields = {"policy": text, "key": "a\\$bc"}
    expect_error(send(open_node, open_bucket, fields), 403, "AccessDenied")
    fields = {"policy": text.replace(" ", ""), "key": "a\\$bc", "x-amz-meta-v": "\v"}
    reply = send(open_node, open_bucket, fields)
    assert reply.status == 204, reply.body
    assert exists(open_s3, open_bucket, "a\\$bc")


def test_sizes_at_both_ends_of_the_range_are_taken(node: Node, bucket: str) -> None:
    for size in (5, 9):
        fields = fields_of("k", ["content-length-range", 5, 9])
        assert send(node, bucket, fields, pattern(size)).status == 204


def test_a_policy_expires(node: Node, bucket: str) -> None:
    reply = send(node, bucket, {"key": "k", **signed_v4(ANY, seconds=-1)}, b"data")
    expect_error(reply, 403, "AccessDenied")
    assert reply.xml.findtext("Message") == "Invalid according to Policy: Policy expired."
    old = signed_v4(ANY, at=ago(days=8))
    expect_error(send(node, bucket, {"key": "k", **old}, b"data"), 403, "AccessDenied")
    early = signed_v4(ANY, at=ago(hours=-1))
    expect_error(send(node, bucket, {"key": "k", **early}, b"data"), 403, "AccessDenied")


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"x-amz-signature": "0" * 64}, 403, "SignatureDoesNotMatch"),
        ({"policy": encoded(ANY)}, 403, "SignatureDoesNotMatch"),
        ({"x-amz-signature": "\u20ac"}, 400, "AuthorizationHeaderMalformed"),
        ({"x-amz-credential": "nobody"}, 400, "AuthorizationHeaderMalformed"),
        ({"x-amz-date": "now"}, 400, "AuthorizationHeaderMalformed"),
        ({"x-amz-algorithm": "AWS4-HMAC-SHA1"}, 501, "NotImplemented"),
        ({"x-amz-signature": ""}, 400, "InvalidArgument"),
        ({"policy": ""}, 400, "InvalidArgument"),
        ({"signature": "AAAA", "AWSAccessKeyId": "AKIA"}, 400, "InvalidArgument"),
        ({"x-amz-security-token": "guess"}, 400, "InvalidToken"),
    ],
)
def test_a_wrong_signature_is_refused(
    node: Node, s3: Any, bucket: str, change: dict[str, str], status: int, code: str
) -> None:
    fields = {"key": "k", **signed_v4(ANY), **change}
    expect_error(send(node, bucket, fields, b"data"), status, code)
    assert not exists(s3, bucket, "k")


@pytest.mark.parametrize("sign", [signed_v4, signed_v2])
def test_keys_that_nobody_has_are_refused(node: Node, bucket: str, sign: Any) -> None:
    fields = {"key": "k", **sign(ANY, access_key="AKIDOFNOBODY")}
    expect_error(send(node, bucket, fields, b"data"), 403, "InvalidAccessKeyId")
    fields = {"key": "k", **sign(ANY, secret_key="another secret")}
    expect_error(send(node, bucket, fields, b"data"), 403, "SignatureDoesNotMatch")


def test_strangers_may_what_the_bucket_lets_them(node: Node, s3: Any, bucket: str) -> None:
    expect_error(send(node, bucket, {"key": "k"}, b"data"), 403, "AccessDenied")
    fields = {"key": "k", "policy": encoded(ANY)}
    expect_error(send(node, bucket, fields, b"data"), 400, "InvalidArgument")
    s3.put_bucket_acl(Bucket=bucket, ACL="public-read-write")
    assert send(node, bucket, {"key": "k"}, b"data").status == 204
    assert read(s3, bucket, "k") == b"data"


def test_a_signature_elsewhere_does_not_count(node: Node, bucket: str) -> None:
    headers = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
    body = body_of([("key", "k")], b"data")
    reply = node.send("POST", bucket_target(bucket), headers=headers, body=body)
    expect_error(reply, 400, "InvalidArgument")


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "MalformedPOSTRequest"),
        (b"no form at all", "MalformedPOSTRequest"),
        (body_of([("key", "k")], b"data")[:-40], "MalformedPOSTRequest"),
        (body_of([("key", "k")], None), "IncorrectNumberOfFilesInPostRequest"),
        (
            body_of([("key", "k")], b"1", after=[("file", "2")]),
            "IncorrectNumberOfFilesInPostRequest",
        ),
        (body_of([("key", b"\xff")], b"data"), "MalformedPOSTRequest"),
        (body_of([("key", "k"), ("key", "l")], b"data"), "InvalidArgument"),
        (body_of([], b"data"), "UserKeyMustBeSpecified"),
        (body_of([("key", "")], b"data"), "UserKeyMustBeSpecified"),
        (body_of([], b"data", after=[("key", "k")]), "UserKeyMustBeSpecified"),
        (body_of([("key", "k" * 1025)], b"data"), "KeyTooLongError"),
        (
            body_of([("key", "k"), ("a", "b" * 21_000)], b"data"),
            "MaxPostPreDataLengthExceededError",
        ),
        (body_of([("key", "k")] + [("a" + "b" * 100, "")] * 200, b""), "InvalidArgument"),
        (
            body_of([("key", "k"), *((f"a{number}", "") for number in range(300))], b""),
            "MaxPostPreDataLengthExceededError",
        ),
        (b"x" * 3_000_000, "MaxPostPreDataLengthExceededError"),
        (body_of([("key", "k")], b"1", after=[("a", "b" * 30_000)]), "MalformedPOSTRequest"),
        (body_of([("key", "k"), ("Content-Type", "a\r\nb: c")], b""), "InvalidArgument"),
        (body_of([("key", "k"), ("x-amz-meta-a b", "c")], b""), "InvalidArgument"),
        (body_of([("key", "k"), ("acl", "everyone")], b""), "InvalidArgument"),
        (body_of([("key", "k"), ("x-amz-storage-class", "BEST")], b""), "InvalidStorageClass"),
        (
            body_of([("key", "k"), ("x-amz-website-redirect-location", "a")], b""),
            "InvalidRedirectLocation",
        ),
        (body_of([("key", "k"), ("tagging", "<Tagging")], b""), "MalformedXML"),
        (body_of([("key", "k"), ("tagging", "<Tagging/>")], b""), "MalformedXML"),
        *(
            (
                body_of([("key", "k"), (name, "${filename}")], b"", filename="\udcff.txt"),
                "MalformedPOSTRequest",
            )
            for name in ("x-amz-meta-a", "content-type", "tagging", "success_action_redirect")
        ),
    ],
)
def test_a_bad_form_is_refused_and_leaves_nothing(
    open_node: Node, open_s3: Any, open_bucket: str, body: bytes, code: str
) -> None:
    expect_error(send(open_node, open_bucket, {}, body=body), 400, code)
    assert open_s3.list_objects_v2(Bucket=open_bucket)["KeyCount"] == 0


def test_fields_behind_the_file_are_passed_over(
    open_node: Node, open_s3: Any, open_bucket: str
) -> None:
    after: list[Field] = [("acl", "nonsense"), ("key", "other")]
    assert send(open_node, open_bucket, {"key": "k"}, b"data", after=after).status == 204
    assert read(open_s3, open_bucket, "k") == b"data"
    assert not exists(open_s3, open_bucket, "other")


def test_a_field_that_would_be_ignored_is_refused(open_node: Node, open_bucket: str) -> None:
    reply = send(open_node, open_bucket, {"key": "k", "x-amz-copy-source": "/b/k"}, b"data")
    expect_error(reply, 501, "NotImplemented")


def test_without_authentication_a_policy_still_counts(open_node: Node, open_bucket: str) -> None:
    fields = {"key": "k", **signed_v4([{"key": "other"}], secret_key="wrong")}
    expect_error(send(open_node, open_bucket, fields, b"data"), 403, "AccessDenied")
    fields = {"key": "k", **signed_v4(ANY, secret_key="wrong")}
    assert send(open_node, open_bucket, fields, b"data").status == 204


@pytest.mark.parametrize(
    "content_type",
    ["", "text/plain", "multipart/form-data", "application/x-www-form-urlencoded"],
)
def test_a_post_that_is_no_form_is_refused(node: Node, bucket: str, content_type: str) -> None:
    headers = {"Content-Type": content_type} if content_type else {}
    reply = node.send("POST", bucket_target(bucket), headers=headers, body=b"key=k", signed=False)
    expect_error(reply, 400, "RequestIsNotMultiPartContent")


def test_a_bucket_that_is_not_there_takes_no_form(node: Node) -> None:
    expect_error(send(node, "no-such-bucket-of-forms", {"key": "k"}), 404, "NoSuchBucket")
