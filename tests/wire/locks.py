"""What the tests of Object Lock share: buckets with it, and short ways to put and lift locks.

No tests live here. https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-lock.html
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Any

import pytest

from tests.people import fresh

BODY = b"kept"
DAY = dt.timedelta(days=1)


def soon(days: float = 1) -> dt.datetime:
    return dt.datetime.now(dt.UTC).replace(microsecond=0) + days * DAY


@pytest.fixture
def locked(s3: Any) -> Iterator[str]:
    """A bucket with Object Lock, which is removed with all that governance keeps in it."""
    name = fresh("lock")
    s3.create_bucket(Bucket=name, ObjectLockEnabledForBucket=True)
    yield name
    remove(s3, name)


def remove(s3: Any, bucket: str) -> None:
    for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket):
        for version in page.get("Versions", []) + page.get("DeleteMarkers", []):
            named = {name: version[name] for name in ("Key", "VersionId")}
            if "ETag" in version:
                lift(s3, bucket, named["Key"], named["VersionId"])
            s3.delete_object(Bucket=bucket, BypassGovernanceRetention=True, **named)
    s3.delete_bucket(Bucket=bucket)


def lift(s3: Any, bucket: str, key: str, version: str) -> None:
    s3.put_object_legal_hold(Bucket=bucket, Key=key, VersionId=version, LegalHold={"Status": "OFF"})


def put(s3: Any, bucket: str, key: str = "k", **more: Any) -> str:
    return str(s3.put_object(Bucket=bucket, Key=key, Body=BODY, **more)["VersionId"])


def governed(days: float = 1) -> dict[str, Any]:
    return {"ObjectLockMode": "GOVERNANCE", "ObjectLockRetainUntilDate": soon(days)}


def retain(s3: Any, bucket: str, mode: str, until: dt.datetime, **more: Any) -> None:
    s3.put_object_retention(
        Bucket=bucket, Key="k", Retention={"Mode": mode, "RetainUntilDate": until}, **more
    )


def default(mode: str = "GOVERNANCE", **period: int) -> dict[str, Any]:
    rule = {"DefaultRetention": {"Mode": mode, **period}}
    return {"ObjectLockEnabled": "Enabled", "Rule": rule}
