"""The list of known mistakes: each test is named after what has gone wrong in other stores.

Here the ones of identity, time, scope and payload; `test_chunked` has those of the body.
"""

from __future__ import annotations

from dataclasses import replace
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aisle.auth.authenticate import authenticate
from aisle.auth.payload import HASH_HEADER, PayloadKind, unchecked_payload
from aisle.core.errors import (
    AccessDenied,
    AuthError,
    ClockSkewTooLarge,
    InvalidAccessKey,
    InvalidArgument,
    InvalidRequest,
    MalformedCredentials,
    NotSupported,
    RequestExpired,
    SignatureMismatch,
)
from aisle.core.http import RequestHead
from aisle.core.sigv4 import sign
from tests.auth.signing import (
    ALICE,
    TEMPORARY,
    URL,
    by_header,
    by_query,
    changed,
    head_of,
    lookup,
    now,
    user_of,
    with_headers,
)

# --- known mistakes: time and scope ---------------------------------------------------------


def test_clock_skew_is_fifteen_minutes_either_way() -> None:
    head = by_header("GET", URL)
    moment = now()
    for drift in (-890, 890):
        authenticate(head, lookup, now=moment + drift)
    for drift in (-910, 910):
        with pytest.raises(ClockSkewTooLarge):
            authenticate(head, lookup, now=moment + drift)


def test_presigned_request_expires_and_is_not_valid_before_its_date() -> None:
    head = by_query("GET", URL, expires=60)
    moment = now()
    authenticate(head, lookup, now=moment + 50)
    authenticate(head, lookup, now=moment - 890)
    for drift in (62, -910, 10**8):
        with pytest.raises(RequestExpired):
            authenticate(head, lookup, now=moment + drift)


@pytest.mark.parametrize("value", ["0", "-1", "604801", "1.5", "", "1e3", "٣", "9" * 400, "+60"])
def test_expires_is_an_integer_of_at_most_seven_days(value: str) -> None:
    head = by_query("GET", URL)
    query = head.query.replace(b"Expires=3600", b"Expires=" + quote(value).encode())
    with pytest.raises(MalformedCredentials) as caught:
        user_of(changed(head, query=query))
    assert caught.value.query


def scoped(**changes: str) -> RequestHead:
    head = by_header("GET", URL)
    text = head.headers["authorization"]
    for old, new in changes.items():
        assert old in text
        text = text.replace(old, new)
    return with_headers(head, authorization=text)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("/s3/", "/ec2/"),
        ("aws4_request", "aws5_request"),
        ("/us-east-1/", "/"),
        ("/us-east-1/", f"/{'x' * 65}/"),
        ("Credential=", "Credential=é"),
        ("SignedHeaders=", "SignedHeaders=€;".encode().decode("latin-1")),
        ("Signature=", "Signature=\x01"),
        ("Signature=", "Other="),
        ("Signature=", "Signature=a, Signature="),
        (" SignedHeaders", " Credential=a, SignedHeaders"),
    ],
)
def test_credential_is_checked_in_every_part(old: str, new: str) -> None:
    with pytest.raises(MalformedCredentials):
        user_of(scoped(**{old: new}))


def test_credential_date_is_the_date_of_the_request() -> None:
    head = by_header("GET", URL)
    day = head.headers["x-amz-date"][:8]
    with pytest.raises(MalformedCredentials):
        user_of(scoped(**{f"/{day}/": "/20200101/"}))
    query = by_query("GET", URL).query.replace(b"%2F" + day.encode(), b"%2F20200101")
    with pytest.raises(MalformedCredentials):
        user_of(changed(by_query("GET", URL), query=query))


def test_region_enters_the_key_only() -> None:
    assert user_of(by_header("GET", URL, region="evil.example.com@x")) == "alice"
    assert user_of(by_query("GET", URL, region="mars-1")) == "alice"


def test_unknown_access_key_is_told() -> None:
    for make in (by_header, by_query):
        with pytest.raises(InvalidAccessKey):
            user_of(make("GET", URL, user=replace(ALICE, access_key="nobody")))


def test_secret_of_another_user_does_not_fit() -> None:
    with pytest.raises(SignatureMismatch):
        user_of(by_header("GET", URL, user=replace(ALICE, secret_key=TEMPORARY.secret_key)))


# --- known mistakes: what must be signed ----------------------------------------------------


def test_host_must_be_signed() -> None:
    head = by_header("GET", URL)
    text = head.headers["authorization"].replace("SignedHeaders=host;", "SignedHeaders=")
    with pytest.raises(AccessDenied, match="host"):
        user_of(with_headers(head, authorization=text))
    presigned = by_query("GET", URL)
    query = presigned.query.replace(b"SignedHeaders=host", b"SignedHeaders=range")
    with pytest.raises(AccessDenied, match="host"):
        user_of(changed(presigned, query=query))


@pytest.mark.parametrize(
    "name",
    [
        "x_amz_acl",
        "x_amz_copy_source",
        "x_amz_grant_read",
        "x_amz_meta_owner",
        "x_amz_security_token",
        "x_amz_website_redirect_location",
    ],
)
@pytest.mark.parametrize("place", ["header", "query"])
def test_unsigned_semantic_header_is_refused(name: str, place: str) -> None:
    make = by_header if place == "header" else by_query
    with pytest.raises(AccessDenied, match="not signed"):
        user_of(with_headers(make("PUT", URL), **{name: "value"}))


def test_cve_2026_71191_presigned_put_with_an_unsigned_copy_source() -> None:
    head = with_headers(by_query("PUT", URL), x_amz_copy_source="/victim/secret")
    with pytest.raises(AccessDenied):
        user_of(head)


def test_headers_that_hops_add_or_sdks_leave_out_need_no_signature() -> None:
    head = with_headers(
        by_header("PUT", URL),
        user_agent="x",
        content_type="text/plain",
        range="bytes=0-1",
        x_amzn_trace_id="Root=1",
        x_amz_user_agent="x",
        amz_sdk_request="attempt=1",
        expect="100-continue",
    )
    assert user_of(head) == "alice"


# --- known mistakes: two ways in, or half of one --------------------------------------------


def test_duplicate_authorization_is_refused() -> None:
    head = by_header("GET", URL)
    with pytest.raises(InvalidArgument):
        user_of(changed(head, repeated=frozenset({"authorization"})))


@pytest.mark.parametrize("query", [b"X-Amz-Signature=a", b"X-Amz-Algorithm=", b"AWSAccessKeyId=a"])
def test_header_and_query_authentication_together_are_refused(query: bytes) -> None:
    with pytest.raises(InvalidArgument):
        user_of(changed(by_header("GET", URL), query=query))


@pytest.mark.parametrize("name", ["Credential", "Date", "Expires", "SignedHeaders", "Signature"])
def test_presigned_request_with_a_parameter_missing_or_repeated_is_refused(name: str) -> None:
    head = by_query("GET", URL)
    parts = head.query.split(b"&")
    prefix = f"X-Amz-{name}=".encode()
    missing = b"&".join(part for part in parts if not part.startswith(prefix))
    repeated = head.query + b"&" + prefix + b"other"
    for query in (missing, repeated):
        with pytest.raises(MalformedCredentials):
            user_of(changed(head, query=query))


def test_percent_encoded_parameter_name_does_not_hide_credentials() -> None:
    with pytest.raises(MalformedCredentials):
        user_of(head_of("GET", URL + "?X%2DAmz%2DCredential=a", {}))


def test_other_algorithm_is_refused() -> None:
    with pytest.raises(MalformedCredentials, match="AWS4-HMAC-SHA256"):
        user_of(head_of("GET", URL, {"authorization": "AWS4-ECDSA-P256-SHA256 Credential=a"}))


def test_version_2_needs_to_know_what_is_asked_for() -> None:
    with pytest.raises(NotSupported):
        user_of(head_of("GET", URL, {"authorization": "AWS AKID:sig"}))
    with pytest.raises(NotSupported):
        user_of(head_of("GET", URL + "?AWSAccessKeyId=a&Expires=1&Signature=b", {}))


@pytest.mark.parametrize(
    "text", ["", "Basic c2VjcmV0", "AWS4-HMAC-SHA256", "AWS4-HMAC-SHA256 ,,", "Bearer secret"]
)
def test_unreadable_authorization_is_refused_and_not_repeated(text: str) -> None:
    with pytest.raises(MalformedCredentials) as caught:
        user_of(head_of("GET", URL, {"authorization": text}))
    assert "c2VjcmV0" not in str(caught.value)


@given(st.text(st.characters(max_codepoint=255), max_size=60))
def test_no_authorization_text_breaks_the_check(text: str) -> None:
    for value in (text, "AWS4-HMAC-SHA256 " + text, f"AWS4-HMAC-SHA256 Credential={text}"):
        with pytest.raises((AuthError, NotSupported)):
            user_of(head_of("GET", URL, {"authorization": value}))


@given(st.binary(max_size=40), st.sampled_from([b"Credential", b"SignedHeaders", b"Signature"]))
def test_no_presigned_parameter_breaks_the_check(value: bytes, name: bytes) -> None:
    head = by_query("GET", URL)
    prefix = b"X-Amz-" + name + b"="
    query = b"&".join(
        prefix + quote(value).encode() if part.startswith(prefix) else part
        for part in head.query.split(b"&")
    )
    with pytest.raises((AuthError, NotSupported)):
        user_of(changed(head, query=query))


# --- known mistakes: the payload ------------------------------------------------------------


def test_missing_content_sha256_is_not_unsigned_payload() -> None:
    with pytest.raises(InvalidRequest):
        user_of(with_headers(by_header("PUT", URL), x_amz_content_sha256=None))


@pytest.mark.parametrize("value", ["x", "0" * 63, "g" * 64, "STREAMING-", "STREAMING-PAYLOAD", "é"])
def test_unknown_content_sha256_is_refused(value: str) -> None:
    with pytest.raises(InvalidArgument):
        user_of(with_headers(by_header("PUT", URL), x_amz_content_sha256=value))
    with pytest.raises(InvalidArgument):
        user_of(with_headers(by_query("PUT", URL), x_amz_content_sha256=value))
    with pytest.raises(InvalidArgument):
        unchecked_payload(head_of("PUT", URL, {"x-amz-content-sha256": value}))


def test_cve_2025_31489_unsigned_trailer_body_with_a_false_signature() -> None:
    value = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
    head = scoped(**{"Signature=": "Signature=0"})
    with pytest.raises(SignatureMismatch):
        user_of(with_headers(head, x_amz_content_sha256=value))


def test_cve_2026_41145_unsigned_trailer_body_with_a_credential_in_the_query() -> None:
    fields = {HASH_HEADER: "STREAMING-UNSIGNED-PAYLOAD-TRAILER"}
    head = head_of("PUT", URL + f"?X-Amz-Credential={ALICE.access_key}", fields)
    with pytest.raises(MalformedCredentials):
        user_of(head)
    with pytest.raises(SignatureMismatch):
        user_of(with_headers(by_query("PUT", URL), x_amz_content_sha256=fields[HASH_HEADER]))


def test_cve_2021_21390_signed_chunks_without_a_signed_request() -> None:
    value = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
    with pytest.raises(InvalidRequest):
        user_of(head_of("PUT", URL, {"x-amz-content-sha256": value}))


@pytest.mark.parametrize(
    ("value", "kind", "trailer"),
    [
        ("UNSIGNED-PAYLOAD", PayloadKind.UNSIGNED, False),
        ("A" * 64, PayloadKind.DIGEST, False),
        ("STREAMING-AWS4-HMAC-SHA256-PAYLOAD", PayloadKind.CHUNKED, False),
        ("STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER", PayloadKind.CHUNKED, True),
        ("STREAMING-UNSIGNED-PAYLOAD-TRAILER", PayloadKind.CHUNKED, True),
    ],
)
def test_content_sha256_tells_how_the_body_is_guarded(
    value: str, kind: PayloadKind, trailer: bool
) -> None:
    headers = sign(
        "PUT",
        URL,
        headers={},
        payload_hash=value,
        access_key=ALICE.access_key,
        secret_key=ALICE.secret_key,
        time=now(),
    )
    payload = authenticate(head_of("PUT", URL, headers), lookup, now=now()).payload
    assert (payload.kind, payload.trailer) == (kind, trailer)
    assert (payload.signer is not None) == value.startswith("STREAMING-AWS4")
    assert payload.sha256 == (value.lower() if kind is PayloadKind.DIGEST else "")
    unchecked = unchecked_payload(head_of("PUT", URL, headers))
    assert unchecked == replace(payload, signer=None)


def test_presigned_put_may_fix_its_body_by_query() -> None:
    url = URL + "?X-Amz-Content-Sha256=UNSIGNED-PAYLOAD"
    assert user_of(by_query("PUT", url)) == "alice"
    head = by_query("PUT", url)
    with pytest.raises(InvalidRequest):
        user_of(with_headers(head, x_amz_content_sha256="0" * 64))
    assert unchecked_payload(head).kind is PayloadKind.UNSIGNED


def test_header_moved_into_the_query_takes_effect_once() -> None:
    """The JavaScript SDK presigns `x-amz-*` headers as parameters; S3 reads them as headers."""
    head = by_query("PUT", URL + "?x-amz-meta-colour=red%20one")
    known = authenticate(head, lookup, now=now())
    assert known.head.headers["x-amz-meta-colour"] == "red one"
    assert "x-amz-date" not in known.head.headers
