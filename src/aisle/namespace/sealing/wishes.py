"""How a new object is encrypted, and the key of one that is there.

What a client asks for comes before what its bucket says (document `encryption`), and that before
the default: where the node was given a key ring every object of a bucket of our own is encrypted
with it (`AES256`), else none is. Objects of remote buckets are never encrypted here: their bytes
are to go there as they are.
"""

from __future__ import annotations

import hmac
import secrets
from dataclasses import dataclass, field, replace
from typing import Final

import msgspec
from cryptography.exceptions import InvalidTag

from aisle.core.errors import (
    CustomerKeyNeeded,
    CustomerKeyUnused,
    CustomerKeyWrong,
    EncryptionBlocked,
    EncryptionDiffers,
    KeyRingMissing,
    NotSupported,
)
from aisle.namespace import documents
from aisle.namespace.records import Extent, Object, Sealed
from aisle.namespace.records.encoding import reader
from aisle.namespace.sealing.frames import KEY, DataKey, Opened
from aisle.namespace.sealing.ring import DEFAULT, key_name, name_of, unwrap, wrap
from aisle.namespace.store import BucketRow, Store

AES256: Final = "AES256"
KMS: Final = "aws:kms"
DSSE: Final = "aws:kms:dsse"
MODES: Final = (AES256, KMS, DSSE)
CUSTOMER: Final = "customer"
# As BlockedEncryptionTypes calls what is encrypted with keys of clients.
SSE_C: Final = "SSE-C"
_LAYERS: Final = {DSSE: 2}
_CUSTOMERS: Final = b"aisle customer 1"


@dataclass(frozen=True, slots=True)
class Wish:
    """How a client wants an object to be encrypted: by `mode` (none: as it would be by default), a
    key of the ring by `key`, or with its own (`customer`)."""

    mode: str = ""
    key: str = ""
    context: str = ""
    bucket_key: bool | None = None
    customer: bytes = field(default=b"", repr=False)


class Rule(msgspec.Struct, frozen=True, array_like=True):
    """What a bucket says: the default (no `mode`: the store's own), and what it does not take.
    `key` is as the client wrote it."""

    mode: str = ""
    key: str = ""
    bucket_key: bool | None = None
    blocked: tuple[str, ...] = ()


_rule: Final = reader(Rule, "a bucket's default encryption")


async def rule_of(store: Store, row: BucketRow) -> Rule:
    """What a bucket says of encryption."""
    if not row.record.has & documents.BITS[documents.ENCRYPTION]:
        return Rule()
    raw = (await documents.of(store, row)).raw.get(documents.ENCRYPTION)
    return _rule(raw) if raw is not None else Rule()


def wanted(raw: bytes) -> str:
    """The name of the key of the ring that a bucket's rule asks for, empty for the default one."""
    rule = _rule(raw)
    return key_name(rule.key) if rule.key else ""


def encode_rule(rule: Rule) -> bytes:
    return msgspec.msgpack.encode(rule)


async def settle(store: Store, row: BucketRow, wish: Wish | None) -> Wish | None:
    """The wish with what it leaves open; `None` where nothing is to be encrypted. Raises
    `EncryptionBlocked`, `KeyRingMissing` and `KeyNotFound`."""
    ring = store.ring
    by_default = ring is not None and ring.by_default
    if wish is None and not by_default and not row.record.has:
        return None
    if row.record.behind is not None:
        if wish is not None:
            raise NotSupported("Objects of remote buckets are encrypted there, not here.")
        return None
    rule = await rule_of(store, row)
    if wish is not None and wish.customer:
        if SSE_C in rule.blocked:
            raise EncryptionBlocked(SSE_C)
        return wish
    if wish is None or not wish.mode:
        mode = rule.mode or (AES256 if by_default else "")
        if not mode:
            return None
        asked = rule.bucket_key if wish is None or wish.bucket_key is None else wish.bucket_key
        wish = Wish(mode, key_name(rule.key), bucket_key=asked)
    elif wish.bucket_key is None:
        wish = replace(wish, bucket_key=rule.bucket_key)
    if ring is None:
        raise KeyRingMissing
    if wish.mode == AES256:
        return Wish(AES256, DEFAULT)
    ring.newest(wish.key or DEFAULT)
    # The two layers of DSSE have no bucket keys at Amazon's either.
    return replace(wish, key=wish.key or DEFAULT, bucket_key=wish.mode == KMS and wish.bucket_key)


async def begin(
    store: Store, row: BucketRow, wish: Wish | None
) -> tuple[Sealed | None, DataKey | None]:
    """The key of a new object, and how its record holds it; neither where it is not encrypted.
    Raises what `settle` does."""
    settled = await settle(store, row, wish)
    if settled is None:
        return None, None
    if settled.customer:
        key = DataKey.fresh()
        wrapped = wrap(_derived(settled.customer), key.secret, b"")
        return Sealed(CUSTOMER, "", wrapped), key
    key = DataKey.fresh(_LAYERS.get(settled.mode, 1))
    return wrapped_anew(store, key, settled), key


def wrapped_anew(store: Store, key: DataKey, settled: Wish) -> Sealed:
    """How a record holds a key under a key of the ring. Raises `KeyRingMissing`, `KeyNotFound`."""
    if store.ring is None:
        raise KeyRingMissing
    mode, context = settled.mode, settled.context
    identity, wrapped = store.ring.wrap(settled.key, key.secret, mode=mode, context=context)
    return Sealed(mode, identity, wrapped, context, bool(settled.bucket_key))


def open_key(store: Store, sealed: Sealed, customer: bytes = b"") -> DataKey:
    """The key of an object. Raises `CustomerKeyNeeded`, `CustomerKeyWrong`, `CustomerKeyUnused`,
    `KeyRingMissing` and `KeyUnusable`."""
    if sealed.mode == CUSTOMER:
        if not customer:
            raise CustomerKeyNeeded
        try:
            return DataKey(unwrap(_derived(customer), sealed.wrapped, b""))
        except InvalidTag:
            raise CustomerKeyWrong from None
    if customer:
        raise CustomerKeyUnused
    if store.ring is None:
        raise KeyRingMissing
    return DataKey(store.ring.unwrap(sealed))


def key_for(store: Store, sealed: Sealed | None, customer: bytes = b"") -> DataKey | None:
    """The same of what may not be encrypted."""
    if sealed is not None:
        return open_key(store, sealed, customer)
    if customer:
        raise CustomerKeyUnused
    return None


def opened(
    store: Store, sealed: Sealed | None, extents: list[Extent], customer: bytes = b""
) -> list[Extent]:
    """The extents of an object or part, with the key that reading them takes."""
    key = key_for(store, sealed, customer)
    return extents if key is None else Opened(extents, key)


def check_customer(sealed: Sealed | None, customer: bytes) -> None:
    """Raise unless a client that asks about an object has the key that it is encrypted with, if it
    is with a key of a client's."""
    if sealed is None or sealed.mode != CUSTOMER:
        if customer:
            raise CustomerKeyUnused
        return
    if not customer:
        raise CustomerKeyNeeded
    try:
        unwrap(_derived(customer), sealed.wrapped, b"")
    except InvalidTag:
        raise CustomerKeyWrong from None


def check_same(sealed: Sealed | None, wish: Wish | None) -> None:
    """Raise `EncryptionDiffers` if a wish names another mode or key than an object has."""
    if wish is None or not wish.mode:
        return
    same = sealed is not None and sealed.mode == wish.mode
    if not same or (wish.key and sealed is not None and wish.key != name_of(sealed.key)):
        raise EncryptionDiffers


async def stays(store: Store, row: BucketRow, wish: Wish | None, record: Object) -> bool:
    """Whether an object is encrypted already as a copy of it in this bucket would be."""
    settled, sealed = await settle(store, row, wish), record.sealed
    if settled is None or sealed is None:
        return settled is None and sealed is None
    assert store.ring is not None or settled.customer
    return not settled.customer and (
        settled.mode,
        store.ring.newest(settled.key) if store.ring is not None else "",
        settled.context,
        bool(settled.bucket_key),
    ) == (sealed.mode, sealed.key, sealed.context, sealed.bucket_key)


def wish_of(sealed: Sealed | None) -> Wish | None:
    """What to ask for so that another object is encrypted as this one. Raises `CustomerKeyNeeded`:
    nobody but the client has its key."""
    if sealed is None:
        return None
    if sealed.mode == CUSTOMER:
        raise CustomerKeyNeeded
    return Wish(sealed.mode, name_of(sealed.key), sealed.context, sealed.bucket_key)


def opaque_etag() -> str:
    """An ETag like a digest that tells nothing, as S3 has them for keys of KMS and clients."""
    return secrets.token_hex(16)


def _derived(customer: bytes) -> bytes:
    assert len(customer) == KEY
    return hmac.digest(customer, _CUSTOMERS, "sha256")
