"""What must not pass with signature version 2: each way to bend a signed request to another one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from email.utils import formatdate
from urllib.parse import quote

import pytest
from botocore.auth import HmacV1Auth
from hypothesis import given
from hypothesis import strategies as st

from aisle.auth.authenticate import authenticate
from aisle.auth.sigv2 import SIGNED, UNSIGNED
from aisle.core.errors import (
    AccessDenied,
    AuthError,
    ClockSkewTooLarge,
    InvalidAccessKey,
    InvalidArgument,
    InvalidRequest,
    MalformedCredentials,
    NotSupported,
    SignatureMismatch,
)
from aisle.core.http import RequestHead
from tests.auth.signing import ALICE, changed, head_of, lookup, now, with_headers
from tests.auth.signing_v2 import BASE, PLACES, Make, by_header, by_query, check, user_of

CHANGES: dict[str, Callable[[RequestHead], RequestHead]] = {
    "method": lambda head: changed(head, method="DELETE"),
    "sub-resource added": lambda head: changed(head, query=head.query + b"&acl"),
    "sub-resource removed": lambda head: changed(
        head, query=head.query.replace(b"versionId=1", b"x-a=1")
    ),
    "sub-resource changed": lambda head: changed(
        head, query=head.query.replace(b"versionId=1", b"versionId=2")
    ),
    "response header added": lambda head: changed(
        head, query=head.query + b"&response-content-type=text/html"
    ),
    "copy source": lambda head: with_headers(head, x_amz_copy_source="/victim/secret"),
    "acl": lambda head: with_headers(head, x_amz_acl="public-read"),
    "metadata": lambda head: with_headers(head, x_amz_meta_b="1"),
    "x-amz-date": lambda head: with_headers(head, x_amz_date=formatdate(now(), usegmt=True)),
    "content-type": lambda head: with_headers(head, content_type="text/html"),
    "content-md5": lambda head: with_headers(head, content_md5="4gJE4saaMU4BqNR0kLY+lw=="),
}


@PLACES
@pytest.mark.parametrize("change", CHANGES)
def test_tampering_is_noticed(make: Make, change: str) -> None:
    head = make("PUT", "/demo/key?versionId=1", {"x-amz-meta-a": "one"})
    assert user_of(head) == "alice"
    with pytest.raises(SignatureMismatch):
        user_of(CHANGES[change](head))


@PLACES
def test_another_bucket_or_key_is_noticed(make: Make) -> None:
    head = make("GET", "/demo/key")
    for target in (("demo", "other"), ("other", "key"), ("demo", "/key"), ("demo", "ke%79")):
        with pytest.raises(SignatureMismatch):
            user_of(head, target)


def test_virtual_host_of_another_bucket_does_not_take_a_path_style_signature() -> None:
    """The host is not signed, so `/demo/key` of no bucket is `/demo/key` of any."""
    with pytest.raises(SignatureMismatch):
        user_of(by_query("GET", "/demo/key"), ("victim", "demo/key"))


@PLACES
def test_without_a_target_nothing_is_accepted(make: Make) -> None:
    with pytest.raises(NotSupported):
        authenticate(make("GET", "/demo/key"), lookup, now=now())


@PLACES
@pytest.mark.parametrize(
    "name",
    ["attributes", "retention", "legal-hold", "encryption", "publicAccessBlock", "id", "Acl"],
)
def test_parameter_that_is_not_signed_cannot_be_added(make: Make, name: str) -> None:
    head = make("PUT", "/demo/key")
    with pytest.raises(NotSupported, match=name):
        user_of(changed(head, query=head.query + b"&" + name.encode()))


@PLACES
def test_list_type_cannot_change_what_was_signed(make: Make) -> None:
    head = make("GET", "/demo/?acl", resource="/demo/")
    assert user_of(head, ("demo", "")) == "alice"
    with pytest.raises(NotSupported):
        user_of(changed(head, query=b"list-type=2&" + head.query), ("demo", ""))
    listing = make("GET", "/demo/?list-type=2&prefix=a", resource="/demo/")
    assert user_of(listing, ("demo", "")) == "alice"


@PLACES
def test_value_with_an_ampersand_cannot_swallow_a_parameter(make: Make) -> None:
    head = make("GET", "/demo/key?response-expires=1&versionId=1")
    assert user_of(head) == "alice"
    query = head.query.replace(b"1&versionId=1", b"1%26versionId%3D1")
    with pytest.raises(NotSupported):
        user_of(changed(head, query=query))
    harmless = f"/demo/key?response-content-disposition={quote('attachment; filename=a&b')}"
    assert user_of(make("GET", harmless)) == "alice"


@pytest.mark.parametrize(
    "parameter",
    [
        b"x-amz-acl=private%0Ax-amz-meta-a%3Aone",
        b"x-amz-meta-a=one%0D",
        b"content-type=a%0A",
    ],
)
def test_header_in_the_query_cannot_hold_a_line_end(parameter: bytes) -> None:
    head = by_query("PUT", "/demo/key", {"x-amz-acl": "private", "x-amz-meta-b": "one"})
    query = head.query.replace(b"x-amz-acl=private&x-amz-meta-b=one", parameter)
    assert query != head.query
    with pytest.raises(InvalidRequest):
        user_of(changed(head, query=query))


def test_header_in_the_query_cannot_move_its_colon() -> None:
    head = by_query("PUT", "/demo/key", {"x-amz-meta-a": "b:c"})
    query = head.query.replace(b"x-amz-meta-a=b%3Ac", b"x-amz-meta-a%3Ab=c")
    assert query != head.query
    with pytest.raises(NotSupported):
        user_of(changed(head, query=query))


def test_x_amz_parameter_beside_a_header_signature_is_refused() -> None:
    head = by_header("PUT", "/demo/key")
    with pytest.raises(NotSupported):
        user_of(changed(head, query=b"x-amz-acl=public-read"))


@PLACES
def test_unknown_key_and_wrong_secret_are_told_apart(make: Make) -> None:
    with pytest.raises(InvalidAccessKey):
        user_of(make("GET", "/demo/key", user=replace(ALICE, access_key="nobody")))
    with pytest.raises(SignatureMismatch) as caught:
        user_of(make("GET", "/demo/key", user=replace(ALICE, secret_key="wrong")))
    assert caught.value.access_key == ALICE.access_key
    assert caught.value.string_to_sign.startswith("GET\n\n\n")
    assert caught.value.string_to_sign.endswith("\n/demo/key")


def test_clock_skew_is_fifteen_minutes_either_way() -> None:
    head = by_header("GET", "/demo/key")
    moment = now()
    for drift in (-890, 890):
        check(head, at=moment + drift)
    for drift in (-910, 910):
        with pytest.raises(ClockSkewTooLarge):
            check(head, at=moment + drift)


def test_x_amz_date_stands_in_for_date_and_is_what_counts() -> None:
    def dated(date: str, amz: str) -> RequestHead:
        head = by_header("GET", "/demo/key", {"x-amz-date": amz}, date=" ")
        return with_headers(head, date=date)

    recent, old = formatdate(now()), formatdate(now() - 1000)
    assert user_of(dated(old, recent)) == "alice"
    assert user_of(with_headers(dated(old, recent), date=None)) == "alice"
    with pytest.raises(ClockSkewTooLarge):
        user_of(dated(recent, old))


@pytest.mark.parametrize("date", ["yesterday", "1175139620", "Tue, 99 Mar 2007 19:36:42 +0000"])
def test_unreadable_date_is_refused(date: str) -> None:
    with pytest.raises(MalformedCredentials):
        user_of(by_header("GET", "/demo/key", date=date))


def test_missing_date_is_refused() -> None:
    with pytest.raises(AccessDenied):
        user_of(with_headers(by_header("GET", "/demo/key"), date=None))


def test_signature_of_one_place_does_not_fit_the_other() -> None:
    head = by_query("GET", "/demo/key")
    fields = {"authorization": f"AWS {ALICE.access_key}:{head.params['Signature']}"}
    fields["date"] = head.params["Expires"]
    with pytest.raises(MalformedCredentials):
        user_of(head_of("GET", BASE + "/demo/key", fields))
    signed = by_header("GET", "/demo/key")
    _, _, proof = signed.headers["authorization"].rpartition(":")
    query = f"AWSAccessKeyId={ALICE.access_key}&Signature={quote(proof, safe='')}&Expires="
    for expires in (quote(signed.headers["date"]), "9999999999"):
        with pytest.raises((MalformedCredentials, SignatureMismatch)):
            user_of(head_of("GET", f"{BASE}/demo/key?{query}{expires}", {}))


def test_expires_has_no_upper_bound_and_cannot_be_changed() -> None:
    head = by_query("GET", "/demo/key", expires=100 * 365 * 86400)
    assert user_of(head) == "alice"
    expires = head.params["Expires"].encode()
    for other in (str(int(expires) + 1).encode(), b"0" + expires):
        with pytest.raises(SignatureMismatch):
            user_of(changed(head, query=head.query.replace(expires, other)))


@pytest.mark.parametrize("value", ["-1", "1.5", "1e9", "+9999999999", "٣", "9" * 400, "x"])
def test_expires_is_a_number_of_seconds(value: str) -> None:
    head = by_query("GET", "/demo/key")
    old = f"Expires={head.params['Expires']}".encode()
    with pytest.raises(MalformedCredentials) as caught:
        user_of(changed(head, query=head.query.replace(old, b"Expires=" + quote(value).encode())))
    assert caught.value.query


@pytest.mark.parametrize("name", ["AWSAccessKeyId", "Expires", "Signature"])
def test_presigned_request_with_a_parameter_missing_or_repeated_is_refused(name: str) -> None:
    head = by_query("GET", "/demo/key")
    prefix = name.encode() + b"="
    kept = [part for part in head.query.split(b"&") if not part.startswith(prefix)]
    for parts in (kept, [*kept, prefix], [head.query, prefix + b"x"]):
        with pytest.raises(MalformedCredentials):
            user_of(changed(head, query=b"&".join(parts)))


@pytest.mark.parametrize("query", [b"X-Amz-Signature=a", b"AWSAccessKeyId=a", b"Signature=b"])
def test_credentials_in_two_places_are_refused(query: bytes) -> None:
    with pytest.raises(InvalidArgument):
        user_of(changed(by_header("GET", "/demo/key"), query=query))


def test_two_kinds_of_credentials_are_refused() -> None:
    head = by_query("GET", "/demo/key")
    with pytest.raises(InvalidArgument):
        user_of(changed(head, query=head.query + b"&X-Amz-Signature=a"))
    with pytest.raises(InvalidArgument):
        user_of(changed(by_header("GET", "/demo/key"), repeated=frozenset({"authorization"})))


@pytest.mark.parametrize(
    "text", ["AWS", "AWS ", "AWS x", "AWS :x", "AWS x:", "AWS x:é", "AWS a\x01:b"]
)
def test_unreadable_authorization_is_refused(text: str) -> None:
    head = with_headers(by_header("GET", "/demo/key"), authorization=text)
    with pytest.raises(MalformedCredentials):
        user_of(head)


@given(st.text(st.characters(max_codepoint=255), max_size=60))
def test_no_authorization_text_breaks_the_check(text: str) -> None:
    head = by_header("GET", "/demo/key")
    for value in (f"AWS {text}", f"AWS {ALICE.access_key}:{text}"):
        with pytest.raises(AuthError):
            user_of(with_headers(head, authorization=value))


@given(st.binary(max_size=40), st.sampled_from([b"AWSAccessKeyId", b"Expires", b"Signature"]))
def test_no_presigned_parameter_breaks_the_check(value: bytes, name: bytes) -> None:
    head = by_query("GET", "/demo/key")
    parts = [part for part in head.query.split(b"&") if not part.startswith(name)]
    query = b"&".join([*parts, name + b"=" + quote(value).encode()])
    with pytest.raises(AuthError):
        user_of(changed(head, query=query))


def test_botocore_signs_no_parameter_that_is_not_signed_here() -> None:
    assert set(HmacV1Auth.QSAOfInterest) <= SIGNED
    assert not SIGNED & UNSIGNED
