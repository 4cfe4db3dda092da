"""JSON Web Tokens: issued and verified, as pure functions over keys, claims and a time.

A key is made for one algorithm, and a token is verified by the algorithm of the key that its `kid`
names and by no other: what the token says of its algorithm only has to agree. So neither `none`
nor a public key taken for a secret gets anywhere. A header may say nothing but `alg`, `typ` and
`kid`: nothing in it is ever fetched or executed.

Spec: RFC 7519 (JWT), RFC 7515 (JWS), RFC 8725 (best current practices), RFC 7517 (JWK).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

from aisle.core.errors import ExpiredToken, InvalidToken

MAX_SIZE: Final = 8192
# How far the clock of another node may be ahead of ours.
LEEWAY: Final = 60.0
_HEADER: Final = frozenset({"alg", "typ", "kid"})
_RSA_BITS: Final = 2048
_SECOND: Final = 1_000_000_000
_ID_BYTES: Final = 16
_REQUIRED: Final = ["sub", "iss", "aud", "exp", "iat", "jti"]


@dataclass(frozen=True, slots=True)
class Key:
    """What tokens are signed with: `secret` is random bytes, or the PEM of an RSA private key."""

    id: str
    method: str
    secret: bytes = field(repr=False)

    @property
    def symmetric(self) -> bool:
        return self.method.startswith("HS")


@dataclass(frozen=True, slots=True)
class Claims:
    """What a verified token says. Times are in nanoseconds; `issued` is exact, from its id.

    `mark` ties a token to the credentials that it was issued for, where no row tells that they
    have changed.
    """

    subject: str
    id: str
    issued: int
    expires: int
    mark: str = ""


def make_key(method: str) -> Key:
    """A fresh key for a method of the setting `auth.signature.method`. An RSA key takes a while:
    not for the event loop."""
    identity = os.urandom(8).hex()
    if method.startswith("HS"):
        return Key(identity, method, os.urandom(int(method[2:]) // 8))
    made = rsa.generate_private_key(public_exponent=65537, key_size=_RSA_BITS)
    pem = made.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return Key(identity, method, pem)


def new_id(now: int) -> str:
    """The id of a token that is issued at `now` (ns), which it holds."""
    return (now.to_bytes(8, "big") + os.urandom(_ID_BYTES - 8)).hex()


def issue(key: Key, claims: Mapping[str, Any]) -> str:
    """A token of these claims."""
    return jwt.encode(dict(claims), _signer(key), algorithm=key.method, headers={"kid": key.id})


def key_id(token: str) -> str:
    """The id of the key that a token claims to be signed with. Raises `InvalidToken`."""
    if len(token) > MAX_SIZE:
        raise InvalidToken(f"the token has more than {MAX_SIZE} characters")
    try:
        header = jwt.get_unverified_header(token)
    except (jwt.InvalidTokenError, ValueError, RecursionError):
        raise InvalidToken("the token is malformed") from None
    if not _HEADER.issuperset(header) or header.get("typ", "JWT") != "JWT":
        raise InvalidToken("the token's header says what no token issued here does")
    identity = header.get("kid", "")
    if not isinstance(identity, str) or not identity:
        raise InvalidToken("the token does not name the key it is signed with")
    return identity


def verify(token: str, key: Key, *, now: int, issuer: str, audiences: Collection[str]) -> Claims:
    """What a token signed with `key` says, at `now` (ns), if it is from `issuer` and for one of
    `audiences`. Raises `InvalidToken`, and `ExpiredToken` for one that was good once."""
    try:
        told = jwt.decode(
            token,
            _verifier(key),
            algorithms=[key.method],
            issuer=issuer,
            audience=list(audiences),
            options={
                "require": _REQUIRED,
                "verify_exp": False,
                "verify_iat": False,
                "verify_nbf": False,
            },
        )
    except (jwt.InvalidTokenError, ValueError, TypeError, RecursionError) as error:
        raise InvalidToken(_WHY.get(type(error), "the token was not issued here")) from None
    claims = _claims(told)
    seconds = now / _SECOND
    for name in ("iat", "nbf"):
        if _seconds(told.get(name, 0)) > seconds + LEEWAY:
            raise InvalidToken("the token is not valid yet")
    check_time(claims, now)
    return claims


def check_time(claims: Claims, now: int) -> None:
    """Raises `ExpiredToken` if the time of a verified token is over."""
    if now >= claims.expires:
        raise ExpiredToken("the token has expired: log in again")


_WHY: Final[Mapping[type[Exception], str]] = {
    jwt.InvalidAudienceError: "the token is for another audience",
    jwt.InvalidIssuerError: "the token is of another issuer",
    jwt.MissingRequiredClaimError: "the token lacks a claim that every token issued here has",
}


def _claims(told: Mapping[str, Any]) -> Claims:
    subject, identity, mark = told["sub"], told["jti"], told.get("mark", "")
    if not all(isinstance(text, str) for text in (subject, identity, mark)) or not subject:
        raise InvalidToken("the token is malformed")
    try:
        raw = bytes.fromhex(identity)
    except ValueError:
        raw = b""
    if len(raw) != _ID_BYTES:
        raise InvalidToken("the token is malformed")
    expires = int(_seconds(told["exp"]) * _SECOND)
    return Claims(subject, identity, int.from_bytes(raw[:8], "big"), expires, mark)


def _seconds(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e12:
        raise InvalidToken("the token has a time that is none")
    return float(value)


# --- keys as the library wants them -------------------------------------------------------------


@lru_cache(maxsize=16)
def _private(secret: bytes) -> rsa.RSAPrivateKey:
    found = serialization.load_pem_private_key(secret, None)
    assert isinstance(found, rsa.RSAPrivateKey)
    return found


def _signer(key: Key) -> Any:
    return key.secret if key.symmetric else _private(key.secret)


def _verifier(key: Key) -> Any:
    return key.secret if key.symmetric else _private(key.secret).public_key()


def public_pem(key: Key) -> str:
    """The public half of an RSA key."""
    pem = (
        _private(key.secret)
        .public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    )
    return pem.decode()


def jwk(key: Key) -> dict[str, Any]:
    """The public half of an RSA key as a JWK."""
    told: dict[str, Any] = _to_jwk(_private(key.secret).public_key(), as_dict=True)
    return {
        "kty": "RSA",
        "kid": key.id,
        "use": "sig",
        "alg": key.method,
        "n": told["n"],
        "e": told["e"],
    }


_to_jwk: Final[Callable[..., Any]] = RSAAlgorithm.to_jwk
