"""Every public method of the SDK's `Job`, and what its `Cluster` tells of jobs."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from aistore import Client
from aistore.sdk.bucket import Bucket
from aistore.sdk.errors import AISError, JobInfoNotFound
from aistore.sdk.xact_const import IDLE_KINDS, KNOWN_KINDS

from aisle.jobs.kinds import KINDS
from tests.harness import Node, encode_key

MANY = 250
COPIES = 12
# The SDK looks the less often the longer it may wait: every second for this long.
SOON: dict[str, Any] = {"timeout": 60, "verbose": False}


@pytest.fixture(scope="module")
def many(open_node: Node) -> Iterator[Bucket]:
    """A bucket with so many objects that it takes seconds to copy it one by one."""
    client = Client(open_node.root)
    few = client.bucket("job-few").create(exist_ok=True)
    for number in range(MANY):
        name = encode_key(f"object-{number:04}")
        reply = open_node.send("PUT", f"/v1/objects/job-few/{name}", body=b"x", signed=False)
        assert reply.status == 200
    bucket = client.bucket("job-many").create(exist_ok=True)
    jobs = [few.copy(bucket, prepend=f"copy-{number:02}-") for number in range(COPIES)]
    for job in jobs:
        assert client.job(job).wait(**SOON)
    yield bucket
    bucket.delete(missing_ok=True)
    few.delete(missing_ok=True)


@pytest.fixture
def target(client: Client) -> Iterator[Bucket]:
    made = client.bucket("job-target").create(exist_ok=True)
    yield made
    made.delete(missing_ok=True)


# Work that AIStore does not have; of these the SDK shows whatever it is told.
OURS = {"lifecycle", "replicate-bck", "rotate-keys", "write-inventory"}


def test_the_kinds_are_those_that_the_sdk_knows() -> None:
    assert set(KINDS) - OURS == KNOWN_KINDS
    assert {name for name, kind in KINDS.items() if kind.idles} == IDLE_KINDS


def test_a_job_of_our_own_is_waited_for(client: Client) -> None:
    started = client.job(job_kind="lifecycle").start()
    client.job(job_id=started).wait(timeout=30)
    assert client.job(job_id=started).status().err == ""


def test_a_job_is_started_and_waited_for(client: Client) -> None:
    job = client.job(job_kind="lru")
    identity = job.start()
    begun = client.job(identity)
    result = begun.wait(**SOON)
    assert result
    assert (result.job_id, result.error or "") == (identity, "")
    assert abs(result.end_time - datetime.now(UTC)) < timedelta(minutes=10)
    assert begun.job_kind == "lru"
    assert begun.job_id == identity


def test_a_job_is_started_on_buckets_by_force(client: Client, bucket: Bucket) -> None:
    one = client.job(job_kind="lru").start(buckets=[bucket], force=True)
    two = client.job(job_kind="load-lom-cache").start(buckets=[bucket, bucket])
    for identity in (one, two):
        assert client.job(identity).wait(**SOON).success


def test_a_job_is_started_on_a_target(client: Client) -> None:
    (target,) = client.cluster().get_info().tmap
    identity = client.job(job_kind="resilver").start(daemon_id=target)
    assert client.job(identity, "resilver").wait(**SOON).success


def test_a_job_that_cannot_be_started_says_so(client: Client) -> None:
    with pytest.raises(AISError, match="cannot be started by its name"):
        client.job(job_kind="copy-bck").start()
    with pytest.raises(AISError, match="invalid job kind"):
        client.job(job_kind="nonsense").start()


def test_the_status_of_a_job(client: Client, bucket: Bucket, target: Bucket) -> None:
    job = client.job(bucket.copy(target))
    assert job.wait(**SOON)
    status = job.status()
    assert (status.uuid, status.err, status.aborted) == (job.job_id, "", False)
    assert status.end_time > 0


def test_a_job_without_an_id_has_no_status(client: Client) -> None:
    with pytest.raises(ValueError, match="without an assigned ID"):
        client.job(job_kind="lru").status()


def test_an_unknown_job(client: Client) -> None:
    job = client.job("nonesuch")
    with pytest.raises(AISError, match="does not exist"):
        job.status()
    with pytest.raises(AISError, match="does not exist"):
        job.abort()
    with pytest.raises(JobInfoNotFound):
        job.wait(**SOON)
    assert job.get_details().list_snapshots() == []
    assert job.get_total_time() is None


@pytest.mark.parametrize("method", ["wait", "wait_for_idle", "wait_single_node"])
def test_each_way_to_wait_sees_the_end(
    client: Client, bucket: Bucket, target: Bucket, method: str
) -> None:
    bucket.object("one").get_writer().put_content(b"12345")
    job = client.job(bucket.copy(target))
    result = getattr(job, method)(**SOON)
    assert (result.success, result.error or "", result.job_id) == (True, "", job.job_id)
    assert target.object("one").get_reader().read_all() == b"12345"


def test_a_job_of_a_kind_that_idles_is_waited_for(
    client: Client, bucket: Bucket, target: Bucket
) -> None:
    bucket.object("one").get_writer().put_content(b"12345")
    for identity in bucket.objects(obj_names=["one"]).copy(target):
        assert client.job(identity).wait(**SOON)
    assert target.object("one").get_reader().read_all() == b"12345"


def test_an_aborted_job_is_aborted_for_every_way_to_wait(
    client: Client, many: Bucket, target: Bucket
) -> None:
    job = client.job(many.copy(target, num_workers=-1))
    job.abort()
    for wait in (job.wait, job.wait_for_idle, job.wait_single_node):
        result = wait(**SOON)
        assert not result
        assert result.error == "stopped by a user"
    assert job.status().aborted
    assert job.status().end_time > 0


def test_jobs_of_a_kind_are_aborted_together(client: Client, many: Bucket, target: Bucket) -> None:
    jobs = [client.job(many.copy(target, prepend=name, num_workers=-1)) for name in "ab"]
    client.job(job_kind="copy-bck").abort()
    for job in jobs:
        assert not job.wait(**SOON)
    with pytest.raises(ValueError, match="without an id or kind"):
        client.job().abort()


def test_a_running_job_is_told_as_running(client: Client, many: Bucket, target: Bucket) -> None:
    job = client.job(many.copy(target, num_workers=-1))
    cluster = client.cluster()
    assert f"copy-bck[{job.job_id}]" in cluster.list_running_jobs()
    assert f"copy-bck[{job.job_id}]" in cluster.list_running_jobs(job_kind="copy-bck")
    assert cluster.list_running_jobs(job_kind="lru") == []
    assert job.get_total_time() is None
    (snap,) = job.get_details().list_snapshots()
    assert (snap.is_idle, snap.aborted) == (False, False)
    job.abort()
    assert not job.wait(**SOON)
    assert f"copy-bck[{job.job_id}]" not in cluster.list_running_jobs()


def test_the_details_of_a_job(client: Client, bucket: Bucket, target: Bucket) -> None:
    bucket.object("one").get_writer().put_content(b"12345")
    job = client.job(bucket.copy(target, num_workers=3))
    job.wait(**SOON)
    details = job.get_details()
    (snap,) = details.list_snapshots()
    assert (snap.id, snap.kind) == (job.job_id, "copy-bck")
    assert (snap.source_bck.name, snap.destination_bck.name) == (bucket.name, target.name)
    assert (snap.stats.objects, snap.stats.bytes) == (1, 5)
    assert details.get_num_workers() == 3
    assert set(details.root) <= set(client.cluster().get_info().tmap)


def test_the_time_that_a_job_took(client: Client, bucket: Bucket, target: Bucket) -> None:
    job = client.job(bucket.copy(target))
    job.wait(**SOON)
    took = job.get_total_time()
    assert took is not None
    assert timedelta(0) <= took < timedelta(minutes=1)


def test_jobs_within_a_timeframe(client: Client) -> None:
    before = datetime.now(UTC)
    job = client.job(client.job(job_kind="lru").start())
    job.wait(**SOON)
    after = datetime.now(UTC)
    kind = client.job(job_kind="lru")
    assert [snap.id for snap in job.get_within_timeframe(before)] == [job.job_id]
    assert job.job_id in [snap.id for snap in kind.get_within_timeframe(before, after)]
    with pytest.raises(JobInfoNotFound):
        job.get_within_timeframe(after)
    with pytest.raises(JobInfoNotFound):
        job.get_within_timeframe(before, before)


def test_the_status_of_all_jobs(client: Client) -> None:
    identity = client.job(job_kind="lru").start()
    client.job(identity).wait(**SOON)
    cluster = client.cluster()
    (target,) = cluster.get_info().tmap
    for found in (
        cluster.list_jobs_status(),
        cluster.list_jobs_status(job_kind="lru"),
        cluster.list_jobs_status(target_id=target),
    ):
        assert identity in [status.uuid for status in found]
    assert cluster.list_jobs_status(target_id="tnobody") == []
    assert identity not in [status.uuid for status in cluster.list_jobs_status("resilver")]
