"""Regions: which one a bucket is in, and what becomes of requests that are signed for another.

A cluster has one region, and its buckets say it is theirs, or the one that they were made for. As
long as `auth.check_region` is off, a signature counts whatever region it names: most clients know
of one only because they have to. With it on requests have to name the region of the cluster or of
their bucket, and buckets are made in that of the cluster, as at Amazon.

Spec: API reference of CreateBucket, HeadBucket and GetBucketLocation; "Error responses".
"""

from __future__ import annotations

from typing import Final

from aisle.api.base import Context, Headers, Service
from aisle.api.s3.errors import S3Error
from aisle.auth import sigv4
from aisle.namespace.records import Bucket
from aisle.namespace.store import BucketRow

HEADER: Final = b"x-amz-bucket-region"
# The region that has no constraint of its own.
FIRST: Final = "us-east-1"


def of_bucket(svc: Service, bucket: Bucket) -> str:
    return bucket.location or svc.region


def told(svc: Service, row: BucketRow) -> Headers:
    """The header by which replies tell a bucket's region."""
    return [(HEADER, of_bucket(svc, row.record).encode())]


def location(svc: Service, bucket: Bucket) -> str:
    """What GetBucketLocation says: nothing of the first region."""
    region = of_bucket(svc, bucket)
    return "" if region == FIRST else region


async def check(svc: Service, ctx: Context, row: BucketRow | None) -> None:
    """Raise `AuthorizationHeaderMalformed`, which names the right region, for a signature that is
    for another one, where that counts."""
    if not svc.auth_enabled or not await svc.store.setting("auth.check_region"):
        return
    named = sigv4.region_of(ctx.head)
    if not named or named == svc.region:
        return
    right = svc.region if row is None else of_bucket(svc, row.record)
    if named == right:
        return
    if row is not None and (HEADER, right.encode()) not in ctx.extra:
        ctx.extra += told(svc, row)
    query = "authorization" not in ctx.head.headers
    raise S3Error(
        "AuthorizationQueryParametersError" if query else "AuthorizationHeaderMalformed",
        f"The {'authorization query parameters are' if query else 'authorization header is'}"
        f" malformed; the region '{named}' is wrong; expecting '{right}'",
        Region=right,
    )


async def settle(svc: Service, constraint: str) -> str:
    """The location of a new bucket for the constraint that its request has, `""` for none. Raises
    `S3Error` where regions count and it is not the cluster's."""
    if not svc.auth_enabled or not await svc.store.setting("auth.check_region"):
        return "" if constraint in ("", svc.region) else constraint
    if constraint == FIRST:
        raise S3Error("InvalidLocationConstraint", LocationConstraint=constraint)
    if (constraint or FIRST) != svc.region:
        raise S3Error(
            "IllegalLocationConstraintException",
            f"The {constraint or 'unspecified'} location constraint is incompatible for the region"
            " specific endpoint this request was sent to.",
        )
    return ""
