"""From what a request proves to who is asking: principals, cached until any user changes.

`cached` is the hot path: no row is read and nothing awaited. What it does not have it asks for by
raising `NotLoaded`; `load` reads that, and the caller tries again. All caches are of one epoch of
the index: any change to users, keys, roles or accounts, on any node, empties them. Only what is
there is cached: whoever asks for what is not there has it looked for.
"""

from __future__ import annotations

import hmac
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final, NamedTuple

from aisle.auth.access import ROOT_ACCOUNT
from aisle.auth.credentials import Credential, NotLoaded
from aisle.auth.policy.document import Policy, parse_identity_policy
from aisle.auth.principal import BucketId, Principal
from aisle.auth.tokens import Claims
from aisle.core.errors import AccountNotFound, AisleError, RoleNotFound
from aisle.namespace.records import AccessKey, Account, Role, Session, User, decode
from aisle.namespace.store import Store, store_id
from aisle.namespace.users import accounts, keys, roles, root, sessions, users
from aisle.namespace.users.names import ROOT
from aisle.namespace.users.passwords import Passwords
from aisle.namespace.users.tokens import Tokens

_CACHED: Final = 10_000
_POLICIES: Final = 1000
_FRESH: Final = 1_000_000_000
_log: Final = logging.getLogger("aisle.users")


@dataclass(frozen=True, slots=True)
class RootKeys:
    """What the administrator signs with, and logs in with, as the node was told."""

    access_key: str = ""
    secret_key: str = field(default="", repr=False)
    password: str = field(default="", repr=False)


class Known(NamedTuple):
    """A user, and what it may do."""

    user: User
    principal: Principal


def root_principal(access_key: str = "") -> Principal:
    """The administrator, who also stands for everybody where authentication is off."""
    arn = f"arn:aws:iam::{ROOT_ACCOUNT}:root"
    names = frozenset(
        {arn, ROOT_ACCOUNT, root.CANONICAL, f"arn:aws:iam::{ROOT_ACCOUNT}:user/{ROOT}"}
    )
    return Principal(
        ROOT,
        ROOT_ACCOUNT,
        root.CANONICAL,
        ROOT,
        arn,
        names,
        access_key=access_key,
        admin=True,
        owner=True,
        id=ROOT_ACCOUNT,
    )


class Principals:
    """The users of one store as one process knows them."""

    def __init__(self, store: Store, given: RootKeys) -> None:
        self._store = store
        self.root = root_principal()
        self._password = given.password or given.secret_key
        self.passwords = Passwords(self._password)
        self.tokens = Tokens(store)
        self._credential: Credential | None = None
        if given.access_key:
            who = replace(self.root, access_key=given.access_key)
            self._credential = Credential(given.access_key, given.secret_key, who)
            store.reserved_keys |= {given.access_key}
        self._internal: Credential | None = None
        self._cluster = ""
        self._epoch: int | None = None
        self._keys: dict[str, tuple[Credential, int]] = {}  # and until when they are good
        self._users: dict[str, Known] = {}
        self._accounts: dict[str, Account] = {}
        self._fresh: tuple[str, Credential | None, int] | None = None
        self._policies: dict[str, Policy] = {}
        self._used: dict[str, int] = {}

    # --- by access key ------------------------------------------------------------------------

    def cached(self, access_key: str) -> Credential | None:
        """The credential of an access key, `None` if there is no active one. Raises `NotLoaded`
        where a row has to be read first."""
        known = self._credential
        if known is not None and access_key == known.access_key:
            return known
        if self._fresh is not None:
            # What `load` has just read, for this very request if it is the one.
            fresh, self._fresh = self._fresh, None
            if fresh[0] == access_key and self._store.now() - fresh[2] < _FRESH:
                return fresh[1]
        self._follow()
        entry = self._keys.get(access_key)
        if entry is None or 0 < entry[1] <= self._store.now():
            raise NotLoaded(access_key)
        return entry[0]

    async def load(self, access_key: str) -> None:
        """Have `cached` know what it asked for, if it is asked again before anything is awaited."""
        found = await self.by_key(access_key)
        self._fresh = (access_key, found, self._store.now())

    async def by_key(self, access_key: str) -> Credential | None:
        """The credential of an active access key."""
        if self._credential is not None and access_key == self._credential.access_key:
            return self._credential
        self._follow()
        entry = self._keys.get(access_key)
        if entry is not None and not 0 < entry[1] <= self._store.now():
            return entry[0]
        epoch = self._epoch
        found, ends = await self._read(access_key)
        if found is not None and epoch == self._epoch:
            if len(self._keys) >= _CACHED:
                self._keys.clear()
            self._keys[access_key] = found, ends
        return found

    async def _read(self, access_key: str) -> tuple[Credential | None, int]:
        """A credential, and until when it is good (ns, 0 without an end)."""
        place = access_key.encode("utf-8", "surrogateescape")
        if not 1 <= len(place) <= 128:
            return None, 0
        raw = await self._store.index.get(keys.TABLE, place)
        if raw is not None:
            key = decode(AccessKey, raw)
            known = await self._user(key.user) if key.active else None
            if known is None:
                return None, 0
            who = replace(known.principal, access_key=access_key)
            return Credential(access_key, key.secret_key, who), 0
        session = await sessions.find(self._store, access_key)
        if session is not None:
            who_else = await self._in_session(session)
            if who_else is None:
                return None, 0
            found = Credential(access_key, session.secret_key, who_else, session.token)
            return found, session.expires
        if access_key.startswith(root.INTERNAL_PREFIX):
            internal = await self.internal()
            return (internal if access_key == internal.access_key else None), 0
        return None, 0

    async def has_ended(self, access_key: str) -> bool:
        """Whether an access key that is not good was a session's whose time is over."""
        return await sessions.has_ended(self._store, access_key)

    async def internal(self) -> Credential:
        """What the nodes of the cluster ask each other with: the administrator's rights, under a
        key that the store keeps and nobody else knows."""
        if self._internal is None:
            made = await root.internal_keys(self._store.index)
            who = replace(self.root, access_key=made.access_key)
            self._internal = Credential(made.access_key, made.secret_key, who)
            self._store.reserved_keys |= {made.access_key}
        return self._internal

    # --- by token -----------------------------------------------------------------------------

    async def by_token(self, token: str) -> Principal:
        """Whose token this is. Raises `InvalidToken` and `ExpiredToken`."""
        return await self.tokens.who(token, self._subject)

    async def _subject(self, claims: Claims) -> Principal | None:
        known = await self._user(claims.subject)
        if known is None or claims.issued < known.user.tokens_after:
            return None
        if claims.mark != await self.mark(claims.subject):
            return None
        return known.principal

    async def mark(self, name: str) -> str:
        """What ties a user's tokens to its password where no row tells that it has changed: the
        administrator's is an option of the nodes."""
        if name != ROOT:
            return ""
        key = (await self.internal()).secret_key.encode()
        return hmac.digest(key, self._password.encode(), "sha256").hex()[:32]

    # --- by name and account ------------------------------------------------------------------

    async def by_name(self, name: str) -> Principal | None:
        """Who the user of this name is."""
        known = await self.user(name)
        return known.principal if known is not None else None

    async def user(self, name: str) -> Known | None:
        """The user of this name, and what it may do."""
        self._follow()
        return self._users.get(name) or await self._user(name)

    async def _user(self, name: str) -> Known | None:
        """The same, read now: what is cached may be an earlier user of the name, for as long as
        the epoch lags, and must not be taken for the one that a new key or token is of."""
        self._follow()
        epoch = self._epoch
        record = await users.find(self._store, name)
        if name == ROOT:
            known = Known(record or root.row(), self.root)
        elif record is None:
            return None
        else:
            account = await self.account_of_number(record.account)
            if account is None:  # it has just gone, and its user with it
                return None
            known = Known(record, await self._principal(record, account))
        if epoch == self._epoch:
            if len(self._users) >= _CACHED:
                self._users.clear()
            self._users[name] = known
        return known

    async def user_exists(self, name: str, account: str = "") -> bool:
        """Whether there is a user of this name, in this account if one is given."""
        known = await self.user(name)
        return known is not None and account in ("", known.user.account)

    async def account_of(self, canonical: str) -> Account | None:
        """The account with this canonical id."""
        if canonical == self.root.canonical:
            return root.account()
        self._follow()
        found = self._accounts.get(canonical)
        if found is None:
            epoch = self._epoch
            found = await accounts.by_canonical(self._store, canonical)
            if found is not None and epoch == self._epoch:
                if len(self._accounts) >= _CACHED:
                    self._accounts.clear()
                self._accounts[canonical] = found
        return found

    async def account_of_number(self, number: str) -> Account | None:
        """The account with this number of 12 digits."""
        if number == ROOT_ACCOUNT:
            return root.account()
        try:
            return await accounts.get(self._store, number)
        except AccountNotFound:
            return None

    async def canonical_of_email(self, email: str) -> str | None:
        """The canonical id of the account with this mail address."""
        found = await accounts.by_email(self._store, email)
        return found.canonical if found is not None else None

    # --- when keys were last used -------------------------------------------------------------

    def note_used(self, who: Principal, now: int) -> None:
        """An access key has just proved itself, at `now` (ns); `write_used` keeps that."""
        if who.access_key and not who.temporary:
            self._used[who.access_key] = now

    async def write_used(self) -> None:
        """Keep when the keys noted since the last time were used."""
        noted, self._used = self._used, {}
        known = self._store.reserved_keys
        users_own = {name: when for name, when in noted.items() if name not in known}
        await root.write_used(self._store.index, users_own)

    # --- building -----------------------------------------------------------------------------

    def _follow(self) -> None:
        epoch = self._store.index.epoch()
        if epoch != self._epoch:
            self._epoch = epoch
            self._keys.clear()
            self._users.clear()
            self._accounts.clear()

    async def _principal(self, user: User, account: Account) -> Principal:
        held = await self._roles(user.roles)
        bits, bucket_bits = self._bits(held, await self._own_cluster())
        owner = account.owner == user.name
        arn = f"arn:aws:iam::{account.id}:user{user.path}{user.name}"
        return Principal(
            user.name,
            account.id,
            account.canonical,
            account.display,
            arn,
            _names(account, arn) | {f"arn:aws:iam:::user/{user.name}"},
            admin=any(role.admin for role in held),
            owner=owner,
            policies=tuple(self._parsed(text) for text in user.policies.values()),
            bits=bits,
            bucket_bits=bucket_bits,
            id=user.id,
        )

    async def _in_session(self, session: Session) -> Principal | None:
        """Who a session is of, with what it may do; `None` if its user, role or key is no more."""
        known = await self._user(session.user)
        if known is None or not _lives(session, known.user):
            return None
        if session.source and not await self._is_active(session.user, session.source):
            return None
        who = replace(
            known.principal,
            access_key=session.access_key,
            session=self._parsed(session.policy) if session.policy else None,
            session_name=session.name,
            temporary=True,
        )
        return await self._in_role(session, known.user, who) if session.role else who

    async def _is_active(self, user: str, access_key: str) -> bool:
        if self._credential is not None and access_key == self._credential.access_key:
            return True
        key = await keys.find(self._store, access_key)
        return key is not None and key.active and key.user == user

    async def _in_role(self, session: Session, user: User, who: Principal) -> Principal | None:
        if not sessions.may_assume(user, session.role):
            return None
        held = await self._roles([session.role])
        bits, bucket_bits = self._bits(held, await self._own_cluster())
        account = await self.account_of_number(who.account)
        if account is None:
            return None
        arn = f"arn:aws:sts::{who.account}:assumed-role/{session.role}/{session.name}"
        role_arn = f"arn:aws:iam::{who.account}:role/{session.role}"
        return replace(
            who,
            arn=arn,
            names=_names(account, arn) | {role_arn},
            admin=any(role.admin for role in held),
            owner=False,
            # What is denied to the user stays denied in a role.
            policies=tuple(_denials(policy) for policy in who.policies),
            bits=bits,
            bucket_bits=bucket_bits,
            id=roles.role_id(session.role),
        )

    async def _roles(self, held: list[str]) -> list[Role]:
        found: list[Role] = []
        for name in held:
            try:
                found.append(await roles.get(self._store, name))
            except RoleNotFound:  # it has just been deleted
                continue
        return found

    async def _own_cluster(self) -> str:
        if not self._cluster:
            self._cluster = await store_id(self._store.index)
        return self._cluster

    @staticmethod
    def _bits(held: list[Role], cluster: str) -> tuple[int, Mapping[BucketId, int]]:
        """What roles give in this cluster, and on its buckets."""
        bits = 0
        on_buckets: dict[BucketId, int] = {}
        for role in held:
            for uuid, given in role.clusters.items():
                bits |= given if uuid in ("", cluster) else 0
            for uuid, provider, namespace, name, given in role.buckets:
                if uuid in ("", cluster):
                    bucket = (name, provider or "ais", namespace)
                    on_buckets[bucket] = on_buckets.get(bucket, 0) | given
        return bits, on_buckets

    def _parsed(self, text: str) -> Policy:
        """A stored policy. One that cannot be read any more denies everything."""
        found = self._policies.get(text)
        if found is None:
            try:
                found = parse_identity_policy(text)
            except AisleError as error:
                _log.error("a stored policy cannot be read, and denies everything: %s", error)
                found = parse_identity_policy(_DENY_ALL)
            if len(self._policies) >= _POLICIES:
                self._policies.clear()
            self._policies[text] = found
        return found


_DENY_ALL: Final = (
    '{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"*","Resource":"*"}]}'
)


def _lives(session: Session, user: User) -> bool:
    """Whether a session is still the user's: not of an earlier one of its name, and not ended."""
    return session.user_id == user.id and session.created >= user.tokens_after


def _denials(policy: Policy) -> Policy:
    """A policy without what it allows."""
    return Policy(policy.source, tuple(row for row in policy.statements if not row.allow))


def _names(account: Account, arn: str) -> frozenset[str]:
    """What a policy may call somebody in an account who goes by `arn`."""
    return frozenset(
        {
            arn,
            account.id,
            account.canonical,
            f"arn:aws:iam::{account.id}:root",
            f"arn:aws:iam:::user/{account.canonical}",
        }
    )
