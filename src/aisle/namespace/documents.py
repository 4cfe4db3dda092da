"""What a bucket has beside its row: documents by kind (its policy, its ACL, and so on).

They are kept under the bucket's id, apart from its row, which every write to the bucket compares;
they go with the bucket, and a change of one is a commit that checks that the bucket is there. What
they say of access is compiled once and cached, with the bucket's row, until the index's epoch
changes.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Final, NamedTuple

import msgspec

from aisle.auth.access import BucketAccess, PublicAccessBlock
from aisle.auth.acl import Grant
from aisle.auth.policy.document import Policy, parse_bucket_policy
from aisle.core.errors import MalformedPolicy, RowChanged, WriteConflict
from aisle.core.permissions import ACCESS_ALL
from aisle.namespace import buckets
from aisle.namespace.records import Bucket, encode
from aisle.namespace.records.encoding import reader
from aisle.namespace.store import RETRIES, BucketRow, Store
from aisle.store.base import ABSENT, Change, Check, Delete, Put

_log = logging.getLogger("aisle.documents")

POLICY: Final = b"policy"  # its JSON text
ACL: Final = b"acl"  # MessagePack of a list of grants
BLOCK: Final = b"block"  # MessagePack of the four switches
OWNERSHIP: Final = b"ownership"  # ObjectOwnership, one word
SHARED: Final = b"shared"  # there if other accounts may own objects in the bucket
LOCK: Final = b"object-lock"
ENCRYPTION: Final = b"encryption"
LIFECYCLE: Final = b"lifecycle"
NOTIFICATION: Final = b"notification"
REPLICATION: Final = b"replication"
LOGGING: Final = b"logging"
CORS: Final = b"cors"
WEBSITE: Final = b"website"
PAYMENT: Final = b"requestPayment"
TAGGING: Final = b"tagging"  # MessagePack of a map
ABAC: Final = b"abac"
ACCELERATE: Final = b"accelerate"
MFA_DELETE: Final = b"mfa-delete"  # there if somebody has said that it is disabled
# Who reads or writes an object must know of these: `Bucket.has` tells without a look at them.
BITS: Final[Mapping[bytes, int]] = {
    kind: 1 << place
    for place, kind in enumerate(
        (LOCK, ENCRYPTION, LIFECYCLE, NOTIFICATION, REPLICATION, LOGGING, CORS, WEBSITE, PAYMENT,
         ABAC)
    )
}  # fmt: skip
# Of these, the writes that are told of to others.
TOLD: Final = BITS[NOTIFICATION] | BITS[REPLICATION]

# More than all kinds have, of which some may be there a thousand times, each with an id.
_LIMIT: Final = 10_000
_CACHED: Final = 10_000
_tags: Final = reader(dict[str, str], "a bucket's tags")
_grants: Final = reader(list[Grant], "a bucket's ACL")
_switches: Final = reader(PublicAccessBlock, "a bucket's public access block")


class Documents(NamedTuple):
    """A bucket's documents by kind, and what they say of access."""

    raw: Mapping[bytes, bytes]
    access: BucketAccess


_NONE: Final[Mapping[bytes, bytes]] = {}
_NOTHING: Final = (
    '{"Statement":{"Effect":"Deny","Principal":"*","Action":"s3:*",'
    '"Resource":["arn:aws:s3:::%s","arn:aws:s3:::%s/*"]}}'
)


async def of(store: Store, row: BucketRow, *, recent: bool = False) -> Documents:
    """The documents of a bucket. With `recent` they may be what they were up to `index.lag` seconds
    ago: enough to decide what somebody may do, not to tell them or to change one for another."""
    epoch = store.index.epoch()
    cached = store.documents.get(row.record.id)
    if cached is not None and cached[0] == epoch and cached[1] == row.raw:
        found: Documents = cached[2]
        if recent or not store.index.lag:
            return found
    prefix = row.record.id
    rows = await store.index.scan("document", prefix=prefix, limit=_LIMIT)
    raw = {key[len(prefix) :]: value for key, value in rows} if rows else _NONE
    found = Documents(raw, _access(row.record, raw))
    if len(store.documents) > _CACHED:
        store.documents.clear()
    store.documents[prefix] = (epoch, row.raw, found)
    return found


def _access(record: Bucket, raw: Mapping[bytes, bytes]) -> BucketAccess:
    policy, acl, block = raw.get(POLICY), raw.get(ACL), raw.get(BLOCK)
    return BucketAccess(
        id=(record.name, record.provider, record.namespace),
        owner=record.owner,
        bits=int(record.props.get("access", ACCESS_ALL)),
        policy=_policy(policy, record.name) if policy is not None else None,
        acl=_grants(acl) if acl is not None else None,
        ownership=raw.get(OWNERSHIP, b"").decode(),
        block=_switches(block) if block is not None else PublicAccessBlock(),
        shared=SHARED in raw,
    )


def _policy(raw: bytes, bucket: str) -> Policy:
    """A policy as it was taken; one that this release cannot read forbids everything until it is
    replaced, since what it forbids is not known."""
    try:
        return parse_bucket_policy(raw.decode(), bucket)
    except MalformedPolicy as error:
        _log.error('the policy of bucket "%s" cannot be read: %s', bucket, error)
        return parse_bucket_policy(_NOTHING % (bucket, bucket), bucket)


async def change(
    store: Store,
    row: BucketRow,
    documents: Mapping[bytes, bytes | None],
    *,
    allow: Callable[[Bucket], None] | None = None,
    along: Sequence[Change] = (),
) -> BucketRow:
    """Set documents of a bucket, or with `None` remove them, in one commit with what goes `along`.
    The bucket's row may change meanwhile, but not which bucket it is. Raises `BucketNotFound`, and
    what `allow` does, which is asked about the very row that the commit stands on."""
    for _ in range(RETRIES):
        if allow is not None:
            allow(row.record)
        changes: list[Change] = [
            Delete("document", row.record.id + kind)
            if value is None
            else Put("document", row.record.id + kind, value)
            for kind, value in documents.items()
        ]
        changes += along
        has = bits(documents, row.record.has)
        after = row
        if has != row.record.has:
            record = msgspec.structs.replace(row.record, has=has, mark=b"")
            after = BucketRow(row.key, encode(record), record)
            changes += [row.check, Put("bucket", row.key, after.raw)]
        else:
            changes += buckets.guard(row)
        try:
            await store.index.commit(*changes)
        except RowChanged:
            row = await buckets.refresh(store, row)
            continue
        store.documents.pop(row.record.id, None)
        return after
    raise WriteConflict(f'bucket "{row.record.name}" is being changed by too many writers')


def bits(documents: Mapping[bytes, bytes | None], before: int = 0) -> int:
    """`Bucket.has` once these documents are set, or with `None` removed."""
    for kind, value in documents.items():
        bit = BITS.get(kind, 0)
        before = before & ~bit if value is None else before | bit
    return before


async def tags_of(store: Store, row: BucketRow) -> dict[str, str]:
    """The tags of a bucket."""
    raw = (await of(store, row)).raw.get(TAGGING)
    return {} if raw is None else _tags(raw)


async def change_tags(
    store: Store, row: BucketRow, edit: Callable[[Mapping[str, str]], Mapping[str, str]]
) -> None:
    """Give a bucket the tags that `edit` makes of those it has, in one commit that stands on them:
    of two who add tags at once neither loses its own. Raises `BucketNotFound`, and what `edit`
    does."""
    key = row.record.id + TAGGING
    for _ in range(RETRIES):
        raw = (await of(store, row)).raw.get(TAGGING)
        tags = edit({} if raw is None else _tags(raw))
        try:
            await store.index.commit(
                Check("document", key, ABSENT if raw is None else raw),
                Put("document", key, encode_tags(tags)) if tags else Delete("document", key),
                *buckets.guard(row),
            )
        except RowChanged:
            store.documents.pop(row.record.id, None)
            row = await buckets.refresh(store, row)
            continue
        store.documents.pop(row.record.id, None)
        return
    raise WriteConflict(f'bucket "{row.record.name}" is being changed by too many writers')


def encode_tags(tags: Mapping[str, str]) -> bytes:
    return msgspec.msgpack.encode(dict(tags))


def encode_acl(grants: list[Grant]) -> bytes:
    return msgspec.msgpack.encode(grants)


def encode_block(block: PublicAccessBlock) -> bytes:
    return msgspec.msgpack.encode(block)
