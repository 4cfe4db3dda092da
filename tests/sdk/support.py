"""What the tests through the SDK share: filled buckets, their names, and jobs that go well."""

from __future__ import annotations

import time
from collections.abc import Iterable

from aistore import Client
from aistore.sdk.bucket import Bucket

SECONDS = 60


def fill(bucket: Bucket, names: Iterable[str]) -> Bucket:
    """Objects that hold their names."""
    for name in names:
        bucket.object(name).get_writer().put_content(name.encode())
    return bucket


def names(bucket: Bucket) -> list[str]:
    return [entry.name for entry in bucket.list_all_objects()]


def finish(client: Client, *jobs: str) -> None:
    """Return once the jobs have gone well. The SDK's own wait, which test_job is about, looks twice
    at some kinds, two seconds apart."""
    for job in jobs:
        until = time.monotonic() + SECONDS
        while not (told := client.job(job).get_details()).any_finished():
            assert time.monotonic() < until
            time.sleep(0.02)
        assert not told.any_aborted(), told
