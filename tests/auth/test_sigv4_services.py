"""Version 4 signatures for other services than S3: what was signed for one says nothing to another.

The literal is from AWS's "Create a signed AWS API request" (General Reference), a GET of IAM's
ListUsers; the others are signed by botocore.
"""

from __future__ import annotations

import datetime
import hashlib

import pytest
from botocore.auth import S3SigV4Auth, SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from aisle.auth.authenticate import authenticate
from aisle.auth.credentials import Credential
from aisle.core.errors import (
    InvalidAccessKey,
    InvalidRequest,
    MalformedCredentials,
    NotSupported,
    RequestExpired,
    SignatureMismatch,
)
from aisle.core.http import RequestHead
from tests.auth.signing import ALICE, TEMPORARY, by_header, changed, head_of, lookup, now, someone

URL = "http://localhost:8080/"
FORM = b"Action=ListUsers&Version=2010-05-08"
KIND = "application/x-www-form-urlencoded; charset=utf-8"
EXAMPLE = Credential("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", someone("example"))


def digest(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


def posted(
    service: str = "iam", body: bytes = FORM, *, user: Credential = ALICE, url: str = URL
) -> RequestHead:
    """The head of a form that botocore has signed for `service`."""
    request = AWSRequest("POST", url, headers={"Content-Type": KIND}, data=body)
    keys = Credentials(user.access_key, user.secret_key, user.session_token or None)
    SigV4Auth(keys, service, "us-east-1").add_auth(request)
    return head_of("POST", request.url, dict(request.headers.items()))


def name_of(head: RequestHead, body: bytes = FORM, service: str = "iam") -> str:
    """Who `service` takes the sender of a request for."""
    known = authenticate(head, lookup, now=now(), service=service, digest=digest(body))
    return known.principal.name


def test_the_example_of_the_general_reference_is_good() -> None:
    head = RequestHead(
        "GET",
        b"/",
        b"Action=ListUsers&Version=2010-05-08",
        {
            "host": "iam.amazonaws.com",
            "content-type": "application/x-www-form-urlencoded; charset=utf-8",
            "x-amz-date": "20150830T123600Z",
            "authorization": "AWS4-HMAC-SHA256 "
            "Credential=AKIDEXAMPLE/20150830/us-east-1/iam/aws4_request, "
            "SignedHeaders=content-type;host;x-amz-date, Signature="
            "5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7",
        },
    )
    moment = datetime.datetime(2015, 8, 30, 12, 36, tzinfo=datetime.UTC).timestamp()
    keys = {EXAMPLE.access_key: EXAMPLE}.get
    known = authenticate(head, keys, now=moment, service="iam", digest=digest(b""))
    assert known.principal.name == "example"


@pytest.mark.parametrize("service", ["iam", "sts"])
@pytest.mark.parametrize("url", [URL, "http://localhost:8080/s3/", "http://localhost:8080/s3"])
def test_a_form_that_botocore_signed_is_good(service: str, url: str) -> None:
    assert name_of(posted(service, url=url), service=service) == "alice"


def test_a_session_token_has_to_come_along() -> None:
    assert name_of(posted(user=TEMPORARY)) == "bob"
    without = Credential(TEMPORARY.access_key, TEMPORARY.secret_key, TEMPORARY.principal)
    with pytest.raises(InvalidAccessKey):
        name_of(posted(user=without))


@pytest.mark.parametrize(
    ("signed", "asked"), [("s3", "iam"), ("sts", "iam"), ("iam", "sts"), ("s3", "sts")]
)
def test_a_request_signed_for_another_service_is_refused(signed: str, asked: str) -> None:
    with pytest.raises(MalformedCredentials, match=f"/{asked}/aws4_request"):
        name_of(posted(signed), service=asked)


@pytest.mark.parametrize("service", ["iam", "sts"])
def test_s3_refuses_what_was_signed_for_another_service(service: str) -> None:
    request = AWSRequest("GET", "http://localhost:8080/demo/key")
    keys = Credentials(ALICE.access_key, ALICE.secret_key)
    S3SigV4Auth(keys, service, "us-east-1").add_auth(request)
    head = head_of("GET", request.url, dict(request.headers.items()))
    with pytest.raises(MalformedCredentials, match="/s3/aws4_request"):
        authenticate(head, lookup, now=now())


def test_the_scope_cannot_be_renamed() -> None:
    """The name of the service is in the key, not only in the text."""
    head = posted("sts")
    fields = dict(head.headers)
    fields["authorization"] = fields["authorization"].replace("/sts/", "/iam/")
    with pytest.raises(SignatureMismatch):
        name_of(changed(head, headers=fields))


def test_another_body_is_refused() -> None:
    with pytest.raises(SignatureMismatch):
        name_of(posted(), FORM + b"&UserName=bob")


@pytest.mark.parametrize("told", ["UNSIGNED-PAYLOAD", digest(b"Action=DeleteUser")])
def test_the_header_of_s3_does_not_stand_for_the_body(told: str) -> None:
    """CVE-2025-31489 and its kin: what the client says of its body is not what is checked."""
    request = AWSRequest(
        "POST", URL, headers={"Content-Type": KIND, "X-Amz-Content-SHA256": told}, data=FORM
    )
    S3SigV4Auth(Credentials(ALICE.access_key, ALICE.secret_key), "iam", "us-east-1").add_auth(
        request
    )
    fields = dict(request.headers.items())
    fields["X-Amz-Content-SHA256"] = told
    head = head_of("POST", request.url, fields)
    with pytest.raises(SignatureMismatch):
        name_of(head, b"Action=DeleteUser&Version=2010-05-08")


def presigned(url: str, *, expires: int = 60) -> RequestHead:
    request = AWSRequest("GET", url)
    keys = Credentials(ALICE.access_key, ALICE.secret_key)
    SigV4QueryAuth(keys, "sts", "us-east-1", expires=expires).add_auth(request)
    return head_of("GET", request.url, dict(request.headers.items()))


def test_a_presigned_request_is_good_for_its_service_and_time() -> None:
    head = presigned(f"{URL}?Action=GetCallerIdentity&Version=2011-06-15")
    assert name_of(head, b"", "sts") == "alice"
    with pytest.raises(MalformedCredentials, match="/s3/aws4_request"):
        authenticate(head, lookup, now=now())
    with pytest.raises(SignatureMismatch):
        name_of(head, b"a body", "sts")
    late = now() + 61
    with pytest.raises(RequestExpired):
        authenticate(head, lookup, now=late, service="sts", digest=digest(b""))


def test_version_2_is_not_spoken_there() -> None:
    fields = {"host": "localhost:8080", "authorization": "AWS AKIA:c2lnbmF0dXJl"}
    with pytest.raises(NotSupported):
        name_of(RequestHead("POST", b"/", b"", fields))


def test_s3_still_wants_its_header() -> None:
    head = by_header("GET", "http://localhost:8080/demo/key")
    fields = {name: text for name, text in head.headers.items() if name != "x-amz-content-sha256"}
    with pytest.raises(InvalidRequest, match="x-amz-content-sha256"):
        authenticate(changed(head, headers=fields), lookup, now=now())
