"""The query protocol over the wire: what is taken for it, what is refused, and how it is told."""

from __future__ import annotations

import contextlib
import http.client
import time
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aisle.api.iam import query
from aisle.api.iam.errors import IamError
from aisle.api.iam.operations import OPERATIONS
from aisle.api.iam.xml import document, element
from aisle.core.xmltree import parse_tree
from tests.harness import Node, Reply
from tests.iam.forms import FORM, error_of, post
from tests.people import Person

WHOAMI = b"Action=GetCallerIdentity&Version=2011-06-15"
TAG = b"Action=TagUser&Version=2010-05-08&UserName=bob&"


def plain(node: Node, body: bytes = WHOAMI, target: str = "/", kind: str = FORM) -> Reply:
    """A form that nobody has signed."""
    return node.send("POST", target, headers={"Content-Type": kind}, body=body, signed=False)


def test_a_reply_has_its_namespace_and_its_request_id(alice: Person) -> None:
    reply = post(alice, "sts", WHOAMI)
    assert reply.status == 200
    assert b'xmlns="https://sts.amazonaws.com/doc/2011-06-15/"' in reply.body
    number = reply.xml.findtext("ResponseMetadata/RequestId")
    assert number == reply.headers["x-amzn-requestid"] == reply.headers["x-amz-request-id"]
    assert reply.headers["content-type"] == "text/xml"
    assert reply.headers["cache-control"] == "no-store"
    assert reply.headers["x-content-type-options"] == "nosniff"


def test_an_error_is_told_in_the_namespace_of_its_service(alice: Person) -> None:
    reply = post(alice, "iam", {"Action": "GetUser", "UserName": "a b"})
    assert b'xmlns="https://iam.amazonaws.com/doc/2010-05-08/"' in reply.body
    assert (reply.status, error_of(reply)) == (400, "ValidationError")
    assert reply.xml.findtext("RequestId") == reply.headers["x-amz-request-id"]


@pytest.mark.parametrize("target", ["/", "/s3", "/s3/"])
def test_nobody_is_anonymous_here(node: Node, target: str) -> None:
    reply = plain(node, target=target)
    assert (reply.status, error_of(reply)) == (403, "MissingAuthenticationToken")


def test_an_unsigned_form_is_refused_where_authentication_is_off(open_node: Node) -> None:
    """A page in a browser can post a form to a node on the same machine, but it cannot sign it."""
    for body in (WHOAMI, b"Action=CreateUser&Version=2010-05-08&UserName=made-by-a-page"):
        reply = plain(open_node, body)
        assert (reply.status, error_of(reply)) == (403, "MissingAuthenticationToken")
    anybody = Person(open_node, "anybody", "FAKEKEY", "FAKESECRET")
    assert anybody.sts.get_caller_identity()["Arn"] == "arn:aws:iam::000000000000:root"
    assert anybody.iam.get_user()["User"]["Arn"] == "arn:aws:iam::000000000000:root"


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"", 400, "MissingAction"),
        (b"Version=2010-05-08", 400, "MissingAction"),
        (b"Action=&Version=2010-05-08", 400, "MissingAction"),
        (b"Action=DoAnything&Version=2010-05-08", 400, "InvalidAction"),
        (b"Action=GetUser", 400, "InvalidAction"),
        (b"Action=GetUser&Version=2011-06-15", 400, "InvalidAction"),
        (b"Action=GetUser&Action=ListUsers&Version=2010-05-08", 400, "MalformedQueryString"),
        (b"Action=GetUser&Version=2010-05-08&UserName=a&UserName=b", 400, "MalformedQueryString"),
        (b"&".join(b"p%d=" % number for number in range(400)), 400, "MalformedQueryString"),
        (b"Action=GetUser&Version=2010-05-08&UserName=%FF%FE", 400, "ValidationError"),
        (b"Action=GetUser&Version=2010-05-08&UserName=a%00b", 400, "ValidationError"),
        (b"Action=GetUser&Version=2010-05-08&UserName=", 400, "ValidationError"),
        (b"Action=GetUser&Version=2010-05-08&<script>=1", 400, "ValidationError"),
        (b"Action=CreateUser&Version=2010-05-08", 400, "ValidationError"),
        (b"Action=ListUsers&Version=2010-05-08&MaxItems=0", 400, "ValidationError"),
        (b"Action=ListUsers&Version=2010-05-08&MaxItems=1001", 400, "ValidationError"),
        (b"Action=ListUsers&Version=2010-05-08&MaxItems=-1", 400, "ValidationError"),
        (TAG, 400, "ValidationError"),
        (TAG + b"Tags=text", 400, "ValidationError"),
        (TAG + b"Tags.member.0.Key=a&Tags.member.0.Value=b", 400, "ValidationError"),
        (TAG + b"Tags.member.1.Key=a", 400, "ValidationError"),
        (TAG + b"Tags.member.1=a", 400, "ValidationError"),
        (TAG + b"Tags.member.1.Key.Key=a", 400, "ValidationError"),
        (TAG + b"Tags.member.1.Key=a&Tags.member.1.Value=b&Tags.member.1.X=c", 400,
         "ValidationError"),
        (TAG + b"&".join(b"Tags.member.%d.Key=k%d&Tags.member.%d.Value=" % (n, n, n)
                         for n in range(1, 52)), 400, "ValidationError"),
        (b"x" * (64 << 10) + b"x", 413, "RequestEntityTooLarge"),
    ],
    ids=lambda value: value[:70].decode() if isinstance(value, bytes) else str(value),
)  # fmt: skip
def test_a_form_that_makes_no_sense_is_refused(
    root: Person, body: bytes, status: int, code: str
) -> None:
    reply = post(root, "iam", body)
    assert (reply.status, error_of(reply)) == (status, code)
    assert b"script" not in reply.body


def test_parameters_of_a_post_are_in_its_body(root: Person) -> None:
    reply = post(root, "sts", b"", target=f"/?{WHOAMI.decode()}")
    assert (reply.status, error_of(reply)) == (400, "MalformedQueryString")


def test_a_body_that_comes_in_chunks_is_read_up_to_the_limit(node: Node) -> None:
    headers = {"Content-Type": FORM, "Transfer-Encoding": "chunked"}
    pieces = [b"8000\r\n" + b"x" * 0x8000 + b"\r\n"] * 3 + [b"0\r\n\r\n"]
    reply = node.send("POST", "/", headers=headers, body=b"".join(pieces), signed=False)
    assert (reply.status, error_of(reply)) == (413, "RequestEntityTooLarge")


@pytest.mark.parametrize(("signed", "told"), [("s3", "iam"), ("sts", "iam"), ("iam", "sts")])
def test_a_form_signed_for_another_service_is_refused(root: Person, signed: str, told: str) -> None:
    body = {"iam": b"Action=ListUsers&Version=2010-05-08", "sts": WHOAMI}[told]
    reply = post(root, signed, body)
    assert (reply.status, error_of(reply)) == (400, "IncompleteSignature")


@pytest.mark.parametrize("service", ["iam", "sts"])
def test_s3_refuses_a_request_signed_for_these(node: Node, service: str) -> None:
    reply = node.send("GET", "/s3/", service=service)
    assert (reply.status, reply.code) == (400, "AuthorizationHeaderMalformed")


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({"Authorization": "Basic cm9vdDpyb290"}, "IncompleteSignature"),
        ({"Authorization": "AWS4-HMAC-SHA256 nothing"}, "IncompleteSignature"),
        ({"Authorization": "AWS AKIA:c2lnbmF0dXJl"}, "NotImplemented"),
        ({"Authorization": "Bearer eyJhbGciOiJub25lIn0.e30."}, "InvalidClientTokenId"),
    ],
    ids=str,
)
def test_credentials_of_another_kind_are_refused(
    node: Node, headers: dict[str, str], code: str
) -> None:
    fields = {"Content-Type": FORM, **headers}
    reply = node.send("POST", "/", headers=fields, body=WHOAMI, signed=False)
    assert error_of(reply) == code
    assert reply.status in (400, 403, 501)


def test_a_form_of_an_hour_ago_is_refused(node: Node) -> None:
    at = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(time.time() - 3600))
    url = f"/?{WHOAMI.decode()}"
    reply = node.send("GET", url, service="sts", payload=EMPTY, at=at)
    assert (reply.status, error_of(reply)) == (403, "SignatureDoesNotMatch")
    assert node.send("GET", url, service="sts", payload=EMPTY).status == 200


EMPTY = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


@pytest.mark.parametrize("kind", ["application/json", "multipart/form-data; boundary=x", ""])
def test_what_is_no_form_stays_s3s(node: Node, kind: str) -> None:
    reply = plain(node, kind=kind) if kind else node.send("POST", "/", body=WHOAMI, signed=False)
    assert reply.xml.tag == "Error", "S3 tells its errors so"
    assert reply.status in (403, 405)


@pytest.mark.parametrize("target", ["/bucket", "/s3/bucket", "/bucket/key", "//", "/s3//"])
def test_a_form_that_is_posted_to_a_bucket_stays_s3s(node: Node, target: str) -> None:
    assert plain(node, target=target).xml.tag == "Error"


def test_a_form_that_is_posted_to_a_virtual_bucket_stays_s3s(node: Node) -> None:
    reply = node.send(
        "POST",
        "/",
        headers={"Content-Type": FORM},
        body=WHOAMI,
        host=f"bucket.{node.host}",
        signed=False,
    )
    assert reply.xml.tag == "Error"


def test_list_buckets_is_still_s3s(node: Node) -> None:
    for target in ("/", "/s3", "/s3/", "/?x-id=ListBuckets"):
        assert node.send("GET", target).xml.tag == "ListAllMyBucketsResult"


def test_a_connection_goes_on_after_a_reply(node: Node) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", node.port, timeout=10)
    for _ in range(2):
        connection.request("POST", "/", WHOAMI, {"Content-Type": FORM})
        reply = connection.getresponse()
        assert reply.status == 403
        reply.read()
    connection.close()


@given(st.binary(max_size=400) | st.dictionaries(st.text(), st.text()).map(lambda d: urlencode(
    d, errors="surrogatepass").encode()))  # fmt: skip
def test_any_form_is_read_or_refused(body: bytes) -> None:
    for operation in (OPERATIONS["TagUser"], OPERATIONS["CreateUser"], OPERATIONS["AssumeRole"]):
        with contextlib.suppress(IamError):
            form = query.check(query.read(body), operation)
            assert operation.needs <= form.values.keys() | form.lists.keys()


@given(st.text(st.characters(), max_size=60))
def test_any_text_fits_into_xml(text: str) -> None:
    made = document("Reply", "urn:x", element("Text", text), "id")
    found = parse_tree(made).value("Text")
    assert len(found) == len(text)
    if text.isascii() and text.isprintable():
        assert found == text
