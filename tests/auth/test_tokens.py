"""Tokens as pure functions: what was issued is good, and nothing else is.

Forged ones are put together by hand, part by part, so that no library refuses to make them.
"""

from __future__ import annotations

import base64
import hmac
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aisle.auth import tokens
from aisle.auth.tokens import Claims, Key
from aisle.core import settings
from aisle.core.errors import AuthError, ExpiredToken, InvalidToken

SECOND = 1_000_000_000
NOW = 1_800_000_000 * SECOND
ISSUER = "urn:aisle:here"
METHODS = settings.SETTINGS["auth.signature.method"].choices
KEYS = {method: tokens.make_key(method) for method in METHODS}
HS256, RS256 = KEYS["HS256"], KEYS["RS256"]


def claims(**more: Any) -> dict[str, Any]:
    told = {
        "sub": "alice",
        "iss": ISSUER,
        "aud": ["here"],
        "exp": NOW // SECOND + 60,
        "iat": NOW // SECOND,
        "jti": tokens.new_id(NOW),
        **more,
    }
    return {name: value for name, value in told.items() if value is not None}


def verify(token: str, key: Key = HS256, now: int = NOW, audience: str = "here") -> Claims:
    return tokens.verify(token, key, now=now, issuer=ISSUER, audiences=[audience])


def part(value: object) -> str:
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def forged(header: dict[str, Any], secret: bytes, **more: Any) -> str:
    """A token of any header, signed with HMAC and SHA-256."""
    text = f"{part(header)}.{part(claims(**more))}"
    return f"{text}.{part(hmac.digest(secret, text.encode(), 'sha256'))}"


@pytest.mark.parametrize("method", METHODS)
def test_a_token_says_what_it_was_issued_with(method: str) -> None:
    key = KEYS[method]
    token = tokens.issue(key, claims(mark="m"))
    assert tokens.key_id(token) == key.id
    found = verify(token, key)
    assert (found.subject, found.issued, found.mark) == ("alice", NOW, "m")
    assert found.expires == NOW + 60 * SECOND


def test_a_token_is_over_at_its_time_and_not_before() -> None:
    token = tokens.issue(HS256, claims())
    verify(token, now=NOW + 60 * SECOND - 1)
    with pytest.raises(ExpiredToken):
        verify(token, now=NOW + 60 * SECOND)


@pytest.mark.parametrize(
    "more",
    [
        {"iss": "urn:aisle:there"},
        {"aud": ["there"]},
        {"aud": []},
        {"iat": NOW // SECOND + 3600},
        {"nbf": NOW // SECOND + 3600},
        {"exp": "tomorrow"},
        {"exp": True},
        {"exp": -1},
        {"exp": 1e300},
        {"exp": float("nan")},
        {"sub": ""},
        {"sub": 7},
        {"jti": "short"},
        {"jti": "zz" * 16},
        {"mark": 1},
    ],
    ids=repr,
)
def test_a_claim_that_is_not_ours_is_refused(more: dict[str, Any]) -> None:
    token = forged({"alg": "HS256", "typ": "JWT", "kid": HS256.id}, HS256.secret, **more)
    with pytest.raises(InvalidToken):
        verify(token)


@pytest.mark.parametrize("name", ["sub", "iss", "aud", "exp", "iat", "jti"])
def test_a_token_without_a_claim_that_all_have_is_refused(name: str) -> None:
    token = forged({"alg": "HS256", "kid": HS256.id}, HS256.secret, **{name: None})
    with pytest.raises(InvalidToken):
        verify(token)


def test_a_token_for_another_audience_is_refused() -> None:
    with pytest.raises(InvalidToken, match="audience"):
        verify(tokens.issue(HS256, claims()), audience="there")


@pytest.mark.parametrize(
    "algorithm", ["none", "None", "NONE", "nOnE", "", "HS384", "RS256", "ES256"]
)
def test_only_the_key_s_own_algorithm_counts(algorithm: str) -> None:
    header = {"alg": algorithm, "typ": "JWT", "kid": HS256.id}
    for token in (
        forged(header, HS256.secret),
        f"{part(header)}.{part(claims())}.",
        f"{part(header)}.{part(claims())}",
    ):
        with pytest.raises(InvalidToken):
            verify(token)


def test_a_public_key_is_no_secret_cve_2026_33322() -> None:
    """Algorithm confusion: the RSA public key, which everybody knows, as a key of HMAC."""
    public = tokens.public_pem(RS256).encode()
    for secret in (public, public.strip(), RS256.secret):
        with pytest.raises(InvalidToken):
            verify(forged({"alg": "HS256", "kid": RS256.id}, secret), RS256)


@pytest.mark.parametrize("method", METHODS)
def test_a_token_of_another_key_is_refused(method: str) -> None:
    token = tokens.issue(KEYS[method], claims())
    with pytest.raises(InvalidToken):
        verify(token, tokens.make_key(method))


def test_a_changed_token_is_refused() -> None:
    head, _, rest = tokens.issue(HS256, claims()).partition(".")
    _, _, signature = rest.partition(".")
    with pytest.raises(InvalidToken):
        verify(f"{head}.{part(claims(sub='root'))}.{signature}")


@pytest.mark.parametrize(
    "more",
    [
        {"jwk": {"kty": "oct", "k": "AAAA"}},
        {"jku": "http://localhost:1/keys"},
        {"x5u": "http://localhost:1/keys"},
        {"crit": ["exp"]},
        {"b64": False},
        {"zip": "DEF"},
        {"typ": "JOSE"},
        {"kid": None},
        {"kid": ""},
        {"kid": 7},
        {"kid": ["a"]},
    ],
    ids=repr,
)
def test_a_header_may_name_the_key_and_nothing_else(more: dict[str, Any]) -> None:
    header = {"alg": "HS256", "typ": "JWT", "kid": HS256.id, **more}
    with pytest.raises(InvalidToken):
        tokens.key_id(forged(header, HS256.secret))


def test_a_token_of_any_length_is_not_even_read() -> None:
    tokens.key_id(tokens.issue(HS256, claims(fill="x" * 4000)))
    with pytest.raises(InvalidToken, match="8192"):
        tokens.key_id(tokens.issue(HS256, claims(fill="x" * 8000)))


@given(st.one_of(st.text(), st.builds(".".join, st.lists(st.text(), min_size=2, max_size=4))))
def test_what_is_no_token_is_refused_as_such(text: str) -> None:
    with pytest.raises(InvalidToken):
        tokens.key_id(text)


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_claims_of_any_shape_are_told_or_refused(value: object) -> None:
    text = f"{part({'alg': 'HS256', 'kid': HS256.id})}.{part(value)}"
    signature = part(hmac.digest(HS256.secret, text.encode(), "sha256"))
    with pytest.raises(AuthError):
        verify(f"{text}.{signature}")


def test_a_jwk_is_the_public_half_alone() -> None:
    told = tokens.jwk(RS256)
    assert set(told) == {"kty", "kid", "use", "alg", "n", "e"}
    assert (told["alg"], told["kid"]) == ("RS256", RS256.id)


def test_a_key_does_not_show_its_secret() -> None:
    for key in KEYS.values():
        assert repr(key.secret)[2:20] not in repr(key)


def test_ids_tell_when_and_differ() -> None:
    first, second = tokens.new_id(NOW), tokens.new_id(NOW)
    assert first != second
    assert int(first[:16], 16) == NOW
