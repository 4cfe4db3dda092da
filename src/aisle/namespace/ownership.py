"""Whose an object is: its writer's, or its bucket's owner's where ownership controls say so.

Every new object goes through `settle` before it is written. Where an account other than the
bucket's comes to own something in it, the bucket is marked `shared` before that can be seen.

Spec: "Controlling ownership of objects and disabling ACLs for your bucket", S3 user guide.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from aisle.auth.access import ENFORCED as ENFORCED
from aisle.auth.acl import Grant, canned, kept
from aisle.namespace import documents
from aisle.namespace.store import BucketRow, Store

PREFERRED: Final = "BucketOwnerPreferred"
WRITER: Final = "ObjectWriter"
MODES: Final = (PREFERRED, WRITER, ENFORCED)


async def settle(
    store: Store, bucket: BucketRow, owner: str, acl: Sequence[Grant] | None
) -> tuple[str, list[Grant] | None]:
    """The owner and ACL of an object that `owner` writes into a bucket and wants to have `acl`."""
    bucket_owner = bucket.record.owner
    foreign = owner not in ("", bucket_owner)
    if acl is None and not foreign:
        return owner, None
    access = (await documents.of(store, bucket)).access
    given_up = access.ownership == PREFERRED and hands_over(
        acl, owner=owner, bucket_owner=bucket_owner
    )
    if access.ownership == ENFORCED or given_up:
        return bucket_owner, None
    await note(store, bucket, owner)
    return owner, kept(acl, owner) if acl is not None else None


async def note(store: Store, bucket: BucketRow, owner: str) -> None:
    """Have the bucket marked before something in it is `owner`'s."""
    if owner in ("", bucket.record.owner):
        return
    if not (await documents.of(store, bucket)).access.shared:
        await documents.change(store, bucket, {documents.SHARED: b"1"})


def hands_over(acl: Sequence[Grant] | None, *, owner: str, bucket_owner: str) -> bool:
    """Whether an ACL is `bucket-owner-full-control`, however it was said."""
    full = canned("bucket-owner-full-control", owner=owner, bucket_owner=bucket_owner)
    return acl is not None and set(acl) == set(full)
