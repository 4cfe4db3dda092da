"""Tokens of users: issued, found good, revoked; and the keys that they are signed with.

The keys are one row of the store, made by the first who needs one. A key is replaced when it is
rotated or when another method of signing is set; the old one verifies until the last token signed
with it has ended. A token that was revoked has a row until its end. What was found good is cached
for an epoch of the index, which every revocation, change of a user and change of keys ends; only
the token's own time is looked at each time.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from aisle.auth import tokens
from aisle.auth.principal import Principal
from aisle.auth.tokens import Claims, Key
from aisle.core.errors import ExpiredToken, InvalidArgument, InvalidToken, RowChanged, WriteConflict
from aisle.namespace.records import TokenKey, TokenKeys, decode, encode
from aisle.namespace.store import RETRIES, Store, store_id
from aisle.store.base import ABSENT, Check, Put

KEYS: Final = b"tokens"
SECOND: Final = 1_000_000_000
MAX_LIFETIME: Final = 90 * 24 * 3600 * SECOND
# Roles may fill a token beyond what headers carry; they are read at each use in any case.
_FITTING: Final = 3072
_CACHED: Final = 10_000

# From a subject and the time its token was issued at to who it is; `None` if the token is void.
Find = Callable[[Claims], Awaitable[Principal | None]]


class Tokens:
    """The tokens of one store as one process knows them."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._epoch: int | None = None
        self._known: dict[bytes, tuple[Claims, Principal]] = {}

    # --- whose a token is ---------------------------------------------------------------------

    async def who(self, token: str, find: Find) -> Principal:
        """Whose token this is. Raises `InvalidToken` and `ExpiredToken`."""
        epoch = self._store.index.epoch()
        if epoch != self._epoch or len(self._known) >= _CACHED:
            self._known.clear()
            self._epoch = epoch
        if len(token) > tokens.MAX_SIZE:
            raise InvalidToken(f"the token has more than {tokens.MAX_SIZE} characters")
        # Not the token itself: it would be a secret in memory, and a long one.
        digest = hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest()
        known = self._known.get(digest)
        if known is not None:
            tokens.check_time(known[0], self._store.now())
            return known[1]
        claims = await self.verify(token)
        found = await find(claims)
        if found is None:
            raise InvalidToken("the token is void: log in again")
        if self._epoch == epoch:
            self._known[digest] = claims, found
        return found

    async def verify(self, token: str) -> Claims:
        """What a token says that was issued here and not revoked, whoever its subject is by now.

        Raises `InvalidToken` and `ExpiredToken`.
        """
        identity = tokens.key_id(token)
        key = next((row for row in await self._rows() if row.id == identity), None)
        if key is None or 0 < key.ends <= self._store.now():
            raise InvalidToken("the token was not issued here")
        claims = tokens.verify(
            token,
            _key(key),
            now=self._store.now(),
            issuer=await self.issuer(),
            audiences=await self._audiences(),
        )
        if await self._store.index.get("revoked", claims.id.encode()) is not None:
            raise InvalidToken("the token has been revoked")
        return claims

    # --- issuing and revoking -----------------------------------------------------------------

    async def lifetime(self, asked: int | None) -> int:
        """How long a token is to be good, in nanoseconds: as the setting says where nothing is
        asked for, as long as may be for 0. Raises `InvalidArgument`."""
        if asked is None:
            asked = await self._store.duration("auth.expiration_time")
            return min(asked, MAX_LIFETIME) or MAX_LIFETIME
        if not 0 <= asked <= MAX_LIFETIME:
            raise InvalidArgument(
                "a token is good for 90 days at most", name="expires_in", value=str(asked)
            )
        return asked or MAX_LIFETIME

    async def issue(
        self,
        subject: str,
        *,
        lifetime: int,
        after: int = 0,
        mark: str = "",
        grants: Mapping[str, Any] | None = None,
    ) -> str:
        """A token of a user, who is known to be the one. It is issued `after` what voided earlier
        ones. `grants` is what roles allow, for clients to read; it is left out if it is long."""
        now = max(self._store.now(), after + 1)
        expires = now + lifetime
        told = {
            "sub": subject,
            "iss": await self.issuer(),
            "aud": await self._audiences(),
            # To the full second, so that it does not end before it should.
            "exp": -(-expires // SECOND),
            "iat": now // SECOND,
            "jti": tokens.new_id(now),
        }
        if mark:
            told["mark"] = mark
        key = await self.signing()
        token = tokens.issue(key, {**told, **(grants or {})})
        return token if len(token) <= _FITTING else tokens.issue(key, told)

    async def revoke(self, token: str) -> None:
        """Void a token; one whose time is over needs no more. Raises `InvalidToken`."""
        try:
            claims = await self.verify(token)
        except ExpiredToken:
            return
        ends = claims.expires.to_bytes(8, "big")
        await self._store.index.commit(Put("revoked", claims.id.encode(), ends))

    async def issuer(self) -> str:
        return f"urn:aisle:{await store_id(self._store.index)}"

    async def _audiences(self) -> list[str]:
        words = await self._store.text("auth.required_claims.aud")
        return words.split(",") if words else [await store_id(self._store.index)]

    # --- keys ---------------------------------------------------------------------------------

    async def signing(self) -> Key:
        """The key that tokens are signed with from now on, of the method that is set."""
        method = await self._store.text("auth.signature.method")
        rows = await self._rows()
        found = next((row for row in rows if not row.ends and row.method == method), None)
        return _key(found) if found else await self._replace(method, force=False)

    async def rotate(self) -> None:
        """Sign with a fresh key from now on."""
        await self._replace(await self._store.text("auth.signature.method"), force=True)

    async def public(self) -> list[Key]:
        """The keys that others may verify tokens with, the signing one last: RSA keys alone."""
        await self.signing()
        now = self._store.now()
        rows = [row for row in await self._rows() if not row.ends or row.ends > now]
        return [key for key in map(_key, rows) if not key.symmetric]

    async def _replace(self, method: str, *, force: bool) -> Key:
        """Have a fresh key sign; without `force` only if there is none of that method yet."""
        made = await asyncio.to_thread(tokens.make_key, method)
        for _ in range(RETRIES):
            raw = await self._store.index.get("config", KEYS)
            rows = decode(TokenKeys, raw).keys if raw else []
            present = next((row for row in rows if not row.ends and row.method == method), None)
            if present is not None and not force:
                return _key(present)
            now = self._store.now()
            kept = [
                row if row.ends else _ending(row, now + MAX_LIFETIME)
                for row in rows
                if not row.ends or row.ends > now
            ]
            fresh = TokenKey(made.id, made.method, made.secret, now)
            try:
                await self._store.index.commit(
                    Check("config", KEYS, ABSENT if raw is None else raw),
                    Put("config", KEYS, encode(TokenKeys([*kept, fresh]))),
                )
            except RowChanged:
                continue
            return made
        raise WriteConflict("the keys of tokens are being changed by too many at once")

    async def _rows(self) -> list[TokenKey]:
        # Read each time: a token signed a moment ago by another node has to be good at once.
        raw = await self._store.index.get("config", KEYS)
        return decode(TokenKeys, raw).keys if raw else []


def _ending(row: TokenKey, ends: int) -> TokenKey:
    return TokenKey(row.id, row.method, row.secret, row.created, ends)


def _key(row: TokenKey) -> Key:
    return Key(row.id, row.method, row.secret)
