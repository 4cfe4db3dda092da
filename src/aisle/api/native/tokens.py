"""Handlers of tokens: login, revocation, and the keys that tokens are signed with.

The documents for OpenID Connect are those that other services need to check tokens of this store
on their own, which they can if `auth.signature.method` is one of RSA.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from aisle.api.base import Context, Headers, Response, Service
from aisle.api.native import roles
from aisle.api.native.message import JSON, Message, Secretive, read_struct
from aisle.api.native.route import Route
from aisle.auth import tokens
from aisle.core.errors import InvalidRequest, InvalidToken, NotSupported
from aisle.namespace.users import roles as stored
from aisle.namespace.users.principals import Known

_PEM: Final[Headers] = [(b"content-type", b"application/x-pem-file")]
_JWKS: Final = "/.well-known/jwks.json"


class Login(Secretive, frozen=True):
    """A password, and for how many nanoseconds the token is to be good: 0 for as long as may be,
    as long as the cluster says where nothing is said."""

    password: str
    expires_in: int | None = None


class Token(Secretive, frozen=True):
    """A token."""

    token: str


async def login(svc: Service, ctx: Context, message: Message) -> Response:
    """A token for who knows a user's password."""
    given = await read_struct(ctx, Login)
    issuer = svc.principals.tokens
    lifetime = await issuer.lifetime(given.expires_in)
    user = await svc.principals.passwords.check(
        svc.store, ctx.key, given.password, address=ctx.head.client
    )
    known = await svc.principals.user(user.name)
    token = await issuer.issue(
        user.name,
        lifetime=lifetime,
        after=user.tokens_after,
        mark=await svc.principals.mark(user.name),
        grants=await _grants(svc, known) if known is not None else None,
    )
    told = msgspec.json.encode(Token(token))
    return Response(200, [*JSON, (b"cache-control", b"no-store")], told)


async def _grants(svc: Service, known: Known) -> dict[str, Any]:
    """What a user's roles give at present, as AIStore's tokens tell it."""
    held = [role for role in await stored.list_all(svc.store) if role.name in known.user.roles]
    shown = [roles.shown(role) for role in held]
    return {
        "clusters": [entry for role in shown for entry in role["clusters"]],
        "buckets": [entry for role in shown for entry in role["buckets"]],
        "admin": known.principal.admin,
    }


async def revoke_token(svc: Service, ctx: Context, message: Message) -> Response:
    """End a token before its time; whoever has it may do so."""
    given = await read_struct(ctx, Token)
    try:
        await svc.principals.tokens.revoke(given.token)
    except InvalidToken as error:
        raise InvalidRequest(str(error)) from None
    return Response(200)


async def rotate_key(svc: Service, ctx: Context, message: Message) -> Response:
    """Sign tokens with a fresh key from now on; those there are stay good."""
    await svc.principals.tokens.rotate()
    return Response(200)


async def public_key(svc: Service, ctx: Context, message: Message) -> Response:
    """The public half of the RSA key that tokens are signed with, as PEM."""
    found = await svc.principals.tokens.public()
    method = await svc.store.text("auth.signature.method")
    if not found or not method.startswith("RS"):
        raise NotSupported(f"tokens are signed with a secret ({method}): there is no public key")
    return Response(200, _PEM, tokens.public_pem(found[-1]).encode())


async def openid_configuration(svc: Service, ctx: Context, message: Message) -> Response:
    """Where the keys of tokens are, for clients of OpenID Connect."""
    here = svc.advertise or f"{ctx.head.scheme}://{ctx.head.header('host')}"
    told = {
        "issuer": await svc.principals.tokens.issuer(),
        "jwks_uri": f"{here}{_JWKS}",
        "id_token_signing_alg_values_supported": [await svc.store.text("auth.signature.method")],
        "subject_types_supported": ["public"],
        "response_types_supported": ["token"],
        "claims_supported": ["sub", "iss", "aud", "exp", "iat", "jti", "admin"],
    }
    return Response(200, JSON, msgspec.json.encode(told))


async def jwks(svc: Service, ctx: Context, message: Message) -> Response:
    """The public halves of all RSA keys that tokens may be signed with, as a JSON Web Key Set."""
    found = [tokens.jwk(key) for key in await svc.principals.tokens.public()]
    return Response(200, JSON, msgspec.json.encode({"keys": found}))


ROUTES: Final = (
    Route("POST", "users/N", "", (), "login", login),
    Route("DELETE", "tokens", "", (), "revoke-token", revoke_token),
    Route("POST", "rotate-key", "", (), "rotate-key", rotate_key),
    Route("GET", "public-key", "", (), "public-key", public_key),
    Route("GET", ".well-known/openid-configuration", "", (), "openid-configuration",
          openid_configuration),
    Route("GET", ".well-known/jwks.json", "", (), "jwks", jwks),
)  # fmt: skip
