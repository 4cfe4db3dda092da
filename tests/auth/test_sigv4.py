"""Signature checks against botocore as the client: what it signs passes, what is changed fails."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable
from dataclasses import replace
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aisle.auth.authenticate import authenticate
from aisle.auth.payload import PayloadKind
from aisle.core.errors import (
    AccessDenied,
    InvalidAccessKey,
    InvalidToken,
    MalformedCredentials,
    SignatureMismatch,
)
from aisle.core.http import RequestHead
from aisle.core.sigv4 import (
    EMPTY_SHA256,
    canonical_path,
    canonical_query,
    sign,
    signature,
    signing_key,
)
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

BASE = "http://localhost:8080"

KEYS = st.one_of(
    st.text(min_size=1, max_size=40),
    st.lists(
        st.sampled_from(
            ["/", "//", ".", "..", "+", "%", "%2F", " ", "a", "é", "e\u0301", "😀", "~"]
        ),
        min_size=1,
        max_size=8,
    ).map("".join),
).filter(lambda key: key.encode("utf-8", "ignore").decode() == key)
QUERIES = st.lists(st.tuples(KEYS, KEYS), max_size=4)
METADATA = st.text("abc XYZ019,;=+%/~\"'", max_size=20)


def url_of(key: str, query: list[tuple[str, str]]) -> str:
    text = "&".join(f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in query)
    # `q-` keeps generated names apart from those that mean something.
    return f"{BASE}/demo/{quote(key, safe='/~')}?" + "&".join(
        "q-" + part for part in text.split("&") if part
    )


# --- what botocore signs is accepted --------------------------------------------------------


@given(KEYS, QUERIES, METADATA, st.sampled_from(["GET", "PUT", "DELETE", "HEAD", "POST"]))
def test_header_signature_of_botocore_is_accepted(
    key: str, query: list[tuple[str, str]], metadata: str, method: str
) -> None:
    headers = {"x-amz-meta-a": metadata, "Content-Type": "text/plain"}
    assert user_of(by_header(method, url_of(key, query), headers, body=b"data")) == "alice"


@given(KEYS, QUERIES, METADATA, st.integers(60, 604800))
def test_presigned_request_of_botocore_is_accepted(
    key: str, query: list[tuple[str, str]], metadata: str, expires: int
) -> None:
    url = url_of(key, query)
    assert user_of(by_query("PUT", url, {"x-amz-meta-a": metadata}, expires=expires)) == "alice"


@given(KEYS, QUERIES, METADATA)
def test_our_own_client_is_accepted(key: str, query: list[tuple[str, str]], metadata: str) -> None:
    url = url_of(key, query)
    headers = sign(
        "PUT",
        url,
        headers={"x-amz-meta-a": metadata},
        payload_hash=EMPTY_SHA256,
        access_key=TEMPORARY.access_key,
        secret_key=TEMPORARY.secret_key,
        session_token=TEMPORARY.session_token,
        region="eu-west-1",
        time=now(),
    )
    assert user_of(head_of("PUT", url, headers)) == "bob"


@pytest.mark.parametrize("place", ["header", "query"])
def test_session_token_is_accepted_with_its_key_only(place: str) -> None:
    make = by_header if place == "header" else by_query
    assert user_of(make("GET", URL, user=TEMPORARY)) == "bob"
    with pytest.raises(InvalidAccessKey):
        user_of(make("GET", URL, user=replace(TEMPORARY, session_token="")))
    for user in (TEMPORARY, ALICE):
        with pytest.raises(InvalidToken):
            user_of(make("GET", URL, user=replace(user, session_token="other")))


def test_date_header_stands_in_for_x_amz_date() -> None:
    head = by_header("GET", URL, {"Date": "set by botocore, which then leaves x-amz-date out"})
    assert "x-amz-date" not in head.headers
    assert user_of(head) == "alice"
    with pytest.raises(MalformedCredentials):
        user_of(with_headers(head, date="yesterday"))
    with pytest.raises(AccessDenied):
        user_of(with_headers(head, date=None))


def test_request_without_credentials_is_anonymous() -> None:
    result = authenticate(head_of("GET", URL + "?list-type=2", {}), lookup, now=now())
    assert result.principal.anonymous
    assert result.payload.kind is PayloadKind.UNSIGNED


# --- tampering ------------------------------------------------------------------------------

CHANGES: dict[str, Callable[[RequestHead], RequestHead]] = {
    "method": lambda head: changed(head, method="DELETE"),
    "path": lambda head: changed(head, path=b"/demo/other"),
    "path by a slash": lambda head: changed(head, path=b"/demo//key"),
    "path by a dot": lambda head: changed(head, path=b"/demo/./key"),
    "query value": lambda head: changed(head, query=head.query.replace(b"x=1", b"x=2")),
    "query name": lambda head: changed(head, query=head.query.replace(b"x=1", b"y=1")),
    "query added": lambda head: changed(head, query=head.query + b"&acl"),
    "host": lambda head: with_headers(head, host="localhost:8081"),
    "signed header": lambda head: with_headers(head, x_amz_meta_a="other"),
    "signed header removed": lambda head: with_headers(head, x_amz_meta_a=None),
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("place", ["header", "query"])
def test_tampering_is_noticed(change: str, place: str) -> None:
    make = by_header if place == "header" else by_query
    head = make("PUT", URL + "?x=1", {"x-amz-meta-a": "one"})
    assert user_of(head) == "alice"
    with pytest.raises(SignatureMismatch):
        user_of(CHANGES[change](head))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("us-east-1", "us-east-2"),
        ("SignedHeaders=host;", "SignedHeaders=host;accept;"),
        ("Signature=", "Signature=0"),
    ],
)
def test_tampering_with_the_authorization_is_noticed(old: str, new: str) -> None:
    head = by_header("PUT", URL)
    text = head.headers["authorization"].replace(old, new)
    with pytest.raises(SignatureMismatch):
        user_of(with_headers(head, authorization=text))


@pytest.mark.parametrize("name", [b"Expires=3600", b"SignedHeaders=host", b"us-east-1"])
def test_tampering_with_presigned_parameters_is_noticed(name: bytes) -> None:
    head = by_query("PUT", URL)
    other = {
        b"Expires=3600": b"Expires=3601",
        b"SignedHeaders=host": b"SignedHeaders=host%3Bdate",
        b"us-east-1": b"us-west-1",
    }
    with pytest.raises(SignatureMismatch):
        user_of(changed(head, query=head.query.replace(name, other[name])))


def test_tampering_with_the_payload_hash_is_noticed() -> None:
    head = by_header("PUT", URL, body=b"data")
    for value in ("0" * 64, "UNSIGNED-PAYLOAD", "STREAMING-UNSIGNED-PAYLOAD-TRAILER"):
        with pytest.raises(SignatureMismatch):
            user_of(with_headers(head, x_amz_content_sha256=value))


def test_a_mismatch_tells_what_was_computed() -> None:
    head = changed(by_header("PUT", URL), path=b"/demo/other%20key")
    with pytest.raises(SignatureMismatch) as caught:
        user_of(head)
    assert caught.value.canonical_request.startswith("PUT\n/demo/other%20key\n\nhost:")
    assert caught.value.string_to_sign.startswith("AWS4-HMAC-SHA256\n")


# --- encoding ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "canonical"),
    [
        (b"", "/"),
        (b"/", "/"),
        (b"/a//b/../c/./d/", "/a//b/../c/./d/"),
        (b"/a%2Fb", "/a/b"),
        (b"/a%252Fb", "/a%252Fb"),
        (b"/a+b%2Bc%2bd e", "/a%2Bb%2Bc%2Bd%20e"),
        (b"/%41%7e~%5F", "/A~~_"),
        (b"/e\xcc\x81", "/e%CC%81"),
        (b"/\xc3\xa9", "/%C3%A9"),
        (b"/%ff%00", "/%FF%00"),
        (b"/100%", "/100%25"),
        (b"/%zz", "/%25zz"),
        (b"/(x)", "/%28x%29"),
    ],
)
def test_path_is_decoded_and_encoded_once_and_never_normalised(path: bytes, canonical: str) -> None:
    assert canonical_path(path) == canonical
    assert canonical_path(canonical.encode()) == canonical


@pytest.mark.parametrize(
    ("query", "canonical"),
    [
        (b"", ""),
        (b"acl", "acl="),
        (b"acl=", "acl="),
        (b"b=2&a=1", "a=1&b=2"),
        (b"a=2&a=1", "a=1&a=2"),
        (b"a-b=1&a=2", "a=2&a-b=1"),
        (b"a=b=c", "a=b%3Dc"),
        (b"&&a=1&", "a=1"),
        (b"a=b+c", "a=b%20c"),
        (b"a=b%2Bc", "a=b%2Bc"),
        (b"a=b%2bc%2f/", "a=b%2Bc%2F%2F"),
        (b"a=\xff%fe", "a=%FF%FE"),
        (b"%61=%7E", "a=~"),
        (b"X-Amz-Signature=1&a=1", "a=1"),
        (b"X%2DAmz-Signature=1&a=1", "a=1"),
    ],
)
def test_query_is_decoded_encoded_and_sorted(query: bytes, canonical: str) -> None:
    assert canonical_query(query, without="X-Amz-Signature") == canonical


def test_header_values_are_trimmed_and_runs_of_spaces_are_one() -> None:
    head = by_header("PUT", URL, {"x-amz-meta-a": "one two"})
    assert user_of(with_headers(head, x_amz_meta_a=" \t one    two  ")) == "alice"


def test_header_bytes_beyond_ascii_are_signed_as_they_are() -> None:
    value = "naïve".encode().decode("latin-1")
    headers = sign(
        "PUT",
        URL,
        headers={"x-amz-meta-a": value},
        payload_hash=EMPTY_SHA256,
        access_key=ALICE.access_key,
        secret_key=ALICE.secret_key,
        time=now(),
    )
    assert user_of(head_of("PUT", URL, headers)) == "alice"


@given(st.text(min_size=1, max_size=100), st.binary(max_size=300))
def test_a_signature_is_the_hmac_of_rfc_2104(secret: str, data: bytes) -> None:
    key = signing_key(secret, "20260101", "eu-central-1")
    expected = hmac.new(key, data, hashlib.sha256).hexdigest()
    assert signature(key, data.decode("latin-1")) == expected
