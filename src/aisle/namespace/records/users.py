"""Rows of who may do what: `account`, `user`, `accesskey`, `session`, `role`, `cluster`, and the
keys that the store has made for itself (under `config`).
"""

from __future__ import annotations

from aisle.namespace.records.base import Record


class Account(Record, frozen=True, array_like=True):
    """A tenant: what users make belongs to their account. `id` is 12 digits; `canonical` the 64 hex
    digits that S3 shows as an owner; `owner` the name of the user that has everything in it, empty
    if that one is gone; `members` is how many users it has."""

    id: str
    canonical: str
    display: str
    email: str
    owner: str
    created: int
    members: int = 0


class User(Record, frozen=True, array_like=True):
    """A user. `password` is argon2's encoding, empty if there is none to log in with; `policies`
    are documents by name; tokens and sessions made before `tokens_after` (ns) are void; `id` tells
    a user from a later one of the same name; `keys` are its access keys."""

    name: str
    account: str
    created: int
    password: str = ""
    roles: list[str] = []
    policies: dict[str, str] = {}
    tokens_after: int = 0
    path: str = "/"
    id: str = ""
    tags: dict[str, str] = {}
    keys: list[str] = []


class AccessKey(Record, frozen=True, array_like=True):
    """An access key of a user."""

    access_key: str
    secret_key: str
    user: str
    created: int
    active: bool = True


class KeyPair(Record, frozen=True, array_like=True):
    """Keys that the store has made for itself."""

    access_key: str
    secret_key: str


class Session(Record, frozen=True, array_like=True):
    """Temporary credentials of a user until `expires` (ns): all the user may do, but only what
    `policy` allows, if there is one, and only with `role`'s permissions, if one was assumed.
    `source` is the access key it was made with, and ends with."""

    access_key: str
    secret_key: str
    token: str
    user: str
    created: int
    expires: int
    name: str = ""
    policy: str = ""
    role: str = ""
    user_id: str = ""
    source: str = ""


class Role(Record, frozen=True, array_like=True):
    """AIStore's role: permission bits by cluster id, and by bucket (cluster id, provider,
    namespace, name)."""

    name: str
    description: str = ""
    clusters: dict[str, int] = {}
    buckets: list[tuple[str, str, str, str, int]] = []
    admin: bool = False


class Registered(Record, frozen=True, array_like=True):
    """A cluster that roles may name."""

    id: str
    alias: str
    urls: list[str]


class TokenKey(Record, frozen=True, array_like=True):
    """What tokens are signed with (`aisle.auth.tokens.Key`). One that has been replaced verifies
    until `ends` (ns)."""

    id: str
    method: str
    secret: bytes
    created: int
    ends: int = 0


class TokenKeys(Record, frozen=True, array_like=True):
    """All keys of tokens; the one without an end signs."""

    keys: list[TokenKey]
