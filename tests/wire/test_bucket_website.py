"""Websites: Get/Put/DeleteBucketWebsite, and the buckets as visitors see them.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/WebsiteHosting.html
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.harness import Node, Reply
from tests.wire.support import MIB, bucket_target, content_md5, expect_error, refused

NONE = (404, "NoSuchWebsiteConfiguration")
PLAIN: dict[str, Any] = {
    "IndexDocument": {"Suffix": "index.html"},
    "ErrorDocument": {"Key": "errors/error.html"},
}
RULES: list[dict[str, Any]] = [
    {
        "Condition": {"KeyPrefixEquals": "docs/"},
        "Redirect": {"ReplaceKeyPrefixWith": "documents/"},
    },
    {
        "Condition": {"KeyPrefixEquals": "img/", "HttpErrorCodeReturnedEquals": "404"},
        "Redirect": {
            "HostName": "img.example",
            "Protocol": "https",
            "HttpRedirectCode": "307",
            "ReplaceKeyWith": "none.png",
        },
    },
]
PAGES = {
    "index.html": b"<h1>home</h1>",
    "dir/index.html": b"<h1>dir</h1>",
    "a b.html": b"<h1>a b</h1>",
    "errors/error.html": b"<h1>sorry</h1>",
    "large.bin": b"0123456789" * (MIB // 8),
}


def publish(s3: Any, bucket: str, *, listed: bool = True) -> None:
    """Fill a bucket with `PAGES`, which everybody may read, and its list too if `listed`."""
    statements = [_allow("s3:GetObject", f"{bucket}/*")]
    if listed:
        statements.append(_allow("s3:ListBucket", bucket))
    policy = {"Version": "2012-10-17", "Statement": statements}
    s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps(policy))
    for key, body in PAGES.items():
        s3.put_object(Bucket=bucket, Key=key, Body=body, ContentType="text/html")


def _allow(action: str, resource: str) -> dict[str, str]:
    arn = f"arn:aws:s3:::{resource}"
    return {"Effect": "Allow", "Principal": "*", "Action": action, "Resource": arn}


def configure(s3: Any, bucket: str, **configuration: Any) -> None:
    s3.put_bucket_website(Bucket=bucket, WebsiteConfiguration=configuration)


@pytest.fixture
def site(s3: Any, bucket: str) -> str:
    """A published bucket with an index and an error document."""
    configure(s3, bucket, **PLAIN)
    publish(s3, bucket)
    return bucket


def visit(node: Node, bucket: str, target: str, method: str = "GET", **headers: str) -> Reply:
    host = f"{bucket}.s3-website.localhost:{node.port}"
    fields = {name.replace("_", "-"): value for name, value in headers.items()}
    return node.send(method, target, headers=fields, signed=False, host=host)


def seen(reply: Reply) -> tuple[int, str]:
    """The status of an error page, and its code."""
    assert reply.headers["content-type"].startswith("text/html")
    code = reply.headers["x-amz-error-code"]
    assert f"<li>Code: {code}</li>".encode() in reply.body
    assert f"<li>RequestId: {reply.headers['x-amz-request-id']}</li>".encode() in reply.body
    assert reply.body.startswith(f"<html>\n<head><title>{reply.status} ".encode())
    return reply.status, code


# --- the configuration ----------------------------------------------------------------------


@pytest.mark.parametrize(
    "configuration",
    [
        PLAIN,
        {**PLAIN, "RoutingRules": RULES},
        {"RedirectAllRequestsTo": {"HostName": "other.example"}},
        {"RedirectAllRequestsTo": {"HostName": "other.example", "Protocol": "https"}},
    ],
)
def test_a_configuration_is_kept(s3: Any, bucket: str, configuration: dict[str, Any]) -> None:
    configure(s3, bucket, **configuration)
    reply = s3.get_bucket_website(Bucket=bucket)
    del reply["ResponseMetadata"]
    assert reply == configuration


def test_a_configuration_is_deleted(node: Node, s3: Any, bucket: str) -> None:
    with refused(*NONE):
        s3.get_bucket_website(Bucket=bucket)
    configure(s3, bucket, **PLAIN)
    for _ in range(2):
        reply = s3.delete_bucket_website(Bucket=bucket)
        assert reply["ResponseMetadata"]["HTTPStatusCode"] == 204
    with refused(*NONE):
        s3.get_bucket_website(Bucket=bucket)


@pytest.mark.parametrize(
    ("configuration", "code"),
    [
        ({}, "InvalidArgument"),
        ({"IndexDocument": {"Suffix": "a/b"}}, "InvalidArgument"),
        (PLAIN | {"RedirectAllRequestsTo": {"HostName": "a"}}, "InvalidArgument"),
        (PLAIN | {"RoutingRules": [{"Redirect": {"Protocol": "ftp"}}]}, "InvalidRequest"),
        (PLAIN | {"RoutingRules": [{"Redirect": {"HttpRedirectCode": "200"}}]}, "InvalidRequest"),
        (PLAIN | {"RoutingRules": [{"Redirect": {"HostName": "a"}}] * 51}, "InvalidRequest"),
        (PLAIN | {"RoutingRules": [{"Redirect": {}}]}, "MalformedXML"),
    ],
)
def test_a_bad_configuration_is_refused(
    s3: Any, bucket: str, configuration: dict[str, Any], code: str
) -> None:
    with refused(400, code):
        configure(s3, bucket, **configuration)
    with refused(*NONE):
        s3.get_bucket_website(Bucket=bucket)


def test_a_document_is_held_to_its_limits(node: Node, bucket: str) -> None:
    target = bucket_target(bucket, "website")
    long = b"<WebsiteConfiguration>" + b" " * (129 << 10) + b"</WebsiteConfiguration>"
    expect_error(node.send("PUT", target, body=long), 400, "MaxMessageLengthExceeded")
    headers = {"Content-MD5": content_md5(b"other")}
    expect_error(node.send("PUT", target, headers=headers, body=b"<a/>"), 400, "BadDigest")
    for method in ("GET", "PUT", "DELETE"):
        expect_error(node.send(method, target, signed=False), 403, "AccessDenied")


# --- pages ----------------------------------------------------------------------------------


def test_pages_and_indexes_are_served(node: Node, site: str) -> None:
    for target, key in (
        ("/", "index.html"),
        ("/index.html", "index.html"),
        ("/?any=query&versionId=nonsense&partNumber=x", "index.html"),
        ("/dir/", "dir/index.html"),
        ("/a%20b.html", "a b.html"),
    ):
        reply = visit(node, site, target)
        assert (reply.status, reply.body) == (200, PAGES[key])
        assert reply.headers["content-type"] == "text/html"
        # A site is an origin of its own: its scripts may run.
        assert "content-security-policy" not in reply.headers


def test_a_directory_leads_to_its_index(node: Node, site: str) -> None:
    reply = visit(node, site, "/dir")
    assert (reply.status, reply.headers["location"]) == (302, "/dir/")
    assert visit(node, site, "/errors").status == 404
    # The REST API knows nothing of it.
    expect_error(node.send("GET", bucket_target(site) + "/dir"), 404, "NoSuchKey")


def test_ranges_and_conditions_are_those_of_objects(node: Node, site: str) -> None:
    reply = visit(node, site, "/large.bin", Range="bytes=5-14")
    assert (reply.status, reply.body) == (206, b"5678901234")
    assert reply.headers["content-range"] == f"bytes 5-14/{len(PAGES['large.bin'])}"
    etag = reply.headers["etag"]
    assert visit(node, site, "/large.bin", If_None_Match=etag).status == 304
    reply = visit(node, site, "/large.bin", If_Match='"other"')
    assert (reply.status, reply.body) == (412, PAGES["errors/error.html"])
    assert visit(node, site, "/large.bin").body == PAGES["large.bin"]


def test_head_is_get_without_a_body(node: Node, site: str) -> None:
    for target in ("/", "/dir", "/large.bin", "/missing"):
        with_body, without = visit(node, site, target), visit(node, site, target, "HEAD")
        assert without.body == b""
        own = {"x-amz-request-id", "date"}
        assert {name: value for name, value in without.headers.items() if name not in own} == {
            name: value for name, value in with_body.headers.items() if name not in own
        }
        assert without.status == with_body.status


@pytest.mark.parametrize("method", ["PUT", "POST", "DELETE", "PATCH"])
def test_visitors_only_read(node: Node, site: str, method: str) -> None:
    reply = visit(node, site, "/index.html", method)
    assert seen(reply) == (405, "MethodNotAllowed")
    assert reply.headers["allow"] == "GET, HEAD"


def test_a_signature_makes_nobody_more_than_a_visitor(node: Node, s3: Any, bucket: str) -> None:
    configure(s3, bucket, IndexDocument={"Suffix": "index.html"})
    s3.put_object(Bucket=bucket, Key="index.html", Body=b"private")
    host = f"{bucket}.s3-website.localhost:{node.port}"
    assert node.send("GET", "/", host=host).status == 403


# --- errors ---------------------------------------------------------------------------------


def test_the_bucket_s_own_page_has_the_error_s_status(node: Node, site: str) -> None:
    reply = visit(node, site, "/missing", Range="bytes=0-3")
    assert (reply.status, reply.body) == (404, PAGES["errors/error.html"])
    assert reply.headers["x-amz-error-code"] == "NoSuchKey"
    assert reply.headers["content-type"] == "text/html"


def test_without_a_page_of_its_own_s3_s_is_shown(node: Node, s3: Any, bucket: str) -> None:
    configure(s3, bucket, IndexDocument={"Suffix": "index.html"})
    publish(s3, bucket)
    reply = visit(node, bucket, "/missing/%3Cscript%3Ealert(1)%3C/script%3E")
    assert seen(reply) == (404, "NoSuchKey")
    assert b"<script" not in reply.body
    assert b"<li>Key: missing/&lt;script&gt;alert(1)&lt;/script&gt;</li>" in reply.body


def test_a_page_that_is_missing_too_is_told_of(node: Node, s3: Any, bucket: str) -> None:
    configure(s3, bucket, **PLAIN)
    publish(s3, bucket)
    s3.delete_object(Bucket=bucket, Key="errors/error.html")
    reply = visit(node, bucket, "/missing")
    assert seen(reply) == (404, "NoSuchKey")
    assert b"An Error Occurred While Attempting to Retrieve a Custom Error Document" in reply.body
    assert b"<li>Key: errors/error.html</li>" in reply.body


def test_who_may_not_list_hears_of_no_missing_key(node: Node, s3: Any, bucket: str) -> None:
    configure(s3, bucket, IndexDocument={"Suffix": "index.html"})
    publish(s3, bucket, listed=False)
    assert seen(visit(node, bucket, "/missing")) == (403, "AccessDenied")
    assert visit(node, bucket, "/dir").headers["location"] == "/dir/"
    assert visit(node, bucket, "/").status == 200


def test_private_pages_are_forbidden_one_by_one(node: Node, s3: Any, bucket: str) -> None:
    configure(s3, bucket, IndexDocument={"Suffix": "index.html"})
    s3.put_object(Bucket=bucket, Key="index.html", Body=b"home", ACL="public-read")
    s3.put_object(Bucket=bucket, Key="private", Body=b"secret")
    assert visit(node, bucket, "/").body == b"home"
    for target in ("/private", "/missing"):
        reply = visit(node, bucket, target)
        assert seen(reply) == (403, "AccessDenied")
        assert b"secret" not in reply.body


def test_what_is_no_site_is_told_so(node: Node, bucket: str) -> None:
    assert seen(visit(node, bucket, "/")) == (404, "NoSuchWebsiteConfiguration")
    assert seen(visit(node, "no-such-bucket-of-pages", "/")) == (404, "NoSuchBucket")


def test_without_authentication_sites_are_open(
    open_node: Node, open_s3: Any, open_bucket: str
) -> None:
    configure(open_s3, open_bucket, IndexDocument={"Suffix": "index.html"})
    open_s3.put_object(Bucket=open_bucket, Key="index.html", Body=b"home")
    assert visit(open_node, open_bucket, "/").body == b"home"
    assert seen(visit(open_node, open_bucket, "/missing")) == (404, "NoSuchKey")


# --- redirects ------------------------------------------------------------------------------


def test_everything_may_lead_elsewhere(node: Node, s3: Any, bucket: str) -> None:
    target = {"HostName": "other.example", "Protocol": "https"}
    configure(s3, bucket, RedirectAllRequestsTo=target)
    for method in ("GET", "HEAD"):
        reply = visit(node, bucket, "/a%20b/?x=1", method)
        assert reply.status == 301
        assert reply.headers["location"] == "https://other.example/a%20b/?x=1"
        assert reply.body == b""


def test_rules_lead_before_and_after_errors(node: Node, s3: Any, bucket: str) -> None:
    configure(s3, bucket, **PLAIN, RoutingRules=RULES)
    publish(s3, bucket)
    s3.put_object(Bucket=bucket, Key="img/there.png", Body=b"png")
    host = f"http://{bucket}.s3-website.localhost:{node.port}"
    reply = visit(node, bucket, "/docs/a%20b")
    assert (reply.status, reply.headers["location"]) == (301, f"{host}/documents/a%20b")
    reply = visit(node, bucket, "/img/missing.png")
    assert (reply.status, reply.headers["location"]) == (307, "https://img.example/none.png")
    assert visit(node, bucket, "/img/there.png").body == b"png"
    assert visit(node, bucket, "/missing").status == 404


def test_an_object_may_lead_elsewhere(node: Node, s3: Any, site: str) -> None:
    for key, location in (("old", "/index.html"), ("out", "https://other.example/a?b#c")):
        s3.put_object(Bucket=site, Key=key, Body=b"x" * MIB, WebsiteRedirectLocation=location)
        reply = visit(node, site, f"/{key}")
        assert (reply.status, reply.headers["location"], reply.body) == (301, location, b"")
        # The REST API shows where it leads, and gives the object.
        found = s3.get_object(Bucket=site, Key=key)
        assert found["WebsiteRedirectLocation"] == location
        assert len(found["Body"].read()) == MIB
        assert s3.head_object(Bucket=site, Key=key)["WebsiteRedirectLocation"] == location


def test_copies_and_uploads_say_where_they_lead(s3: Any, site: str) -> None:
    def leads(key: str) -> str | None:
        location: str | None = s3.head_object(Bucket=site, Key=key).get("WebsiteRedirectLocation")
        return location

    s3.put_object(Bucket=site, Key="old", Body=b"x", WebsiteRedirectLocation="/a")
    source = {"Bucket": site, "Key": "old"}
    s3.copy_object(Bucket=site, Key="copy", CopySource=source)
    assert leads("copy") is None
    s3.copy_object(Bucket=site, Key="copy", CopySource=source, WebsiteRedirectLocation="/b")
    assert leads("copy") == "/b"
    # It is a change that lets an object be copied to itself.
    s3.copy_object(Bucket=site, Key="old", CopySource=source, WebsiteRedirectLocation="/c")
    assert leads("old") == "/c"
    upload = s3.create_multipart_upload(Bucket=site, Key="parts", WebsiteRedirectLocation="/d")
    named = {"Bucket": site, "Key": "parts", "UploadId": upload["UploadId"]}
    part = s3.upload_part(**named, PartNumber=1, Body=b"x")
    parts = [{"PartNumber": 1, "ETag": part["ETag"]}]
    s3.complete_multipart_upload(**named, MultipartUpload={"Parts": parts})
    assert leads("parts") == "/d"
    with refused(400, "InvalidRedirectLocation"):
        s3.put_object(Bucket=site, Key="bad", Body=b"", WebsiteRedirectLocation="bad")


# --- browsers -------------------------------------------------------------------------------


def test_a_site_speaks_to_other_pages_as_its_rules_say(node: Node, s3: Any, site: str) -> None:
    page = "https://page.example"
    rule = {"AllowedMethods": ["GET"], "AllowedOrigins": [page]}
    s3.put_bucket_cors(Bucket=site, CORSConfiguration={"CORSRules": [rule]})
    for target, status in (("/", 200), ("/missing", 404)):
        reply = visit(node, site, target, Origin=page)
        assert reply.status == status
        assert reply.headers["access-control-allow-origin"] == page
    asked = {"Origin": page, "Access_Control_Request_Method": "GET"}
    reply = visit(node, site, "/", "OPTIONS", **asked)
    assert (reply.status, reply.headers["access-control-allow-origin"]) == (200, page)
    asked["Origin"] = "https://evil.example"
    assert seen(visit(node, site, "/", "OPTIONS", **asked)) == (403, "AccessForbidden")
