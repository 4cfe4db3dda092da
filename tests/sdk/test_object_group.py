"""`ObjectGroup`: names, ranges and templates, and work over the objects that they mean."""

from __future__ import annotations

import pytest
import requests
from aistore import Client
from aistore.sdk.bucket import Bucket
from aistore.sdk.errors import AISError, InvalidBckProvider, InvalidObjectRangeIndex
from aistore.sdk.multiobj import ObjectGroup, ObjectRange

from tests.sdk.support import fill, finish, names

SHARDS = [f"shard-{number:02d}.tar" for number in range(12)]
OTHERS = ["a", "b/c"]


@pytest.fixture
def full(bucket: Bucket) -> Bucket:
    return fill(bucket, SHARDS + OTHERS)


def groups(bucket: Bucket) -> list[tuple[ObjectGroup, list[str]]]:
    """Groups of every making, and the names that are in each."""
    ranged = ObjectRange("shard-", 2, 6, pad_width=2, step=2, suffix=".tar")
    return [
        (bucket.objects(obj_names=["a", "shard-07.tar"]), ["a", "shard-07.tar"]),
        (bucket.objects(obj_range=ranged), ["shard-02.tar", "shard-04.tar", "shard-06.tar"]),
        (bucket.objects(obj_template="shard-{00..01}.tar"), ["shard-00.tar", "shard-01.tar"]),
        (bucket.objects(obj_template="shard-1{0..1}.{tar,tgz}"), ["shard-10.tar", "shard-11.tar"]),
    ]


def test_objects_are_deleted_by_names_ranges_and_templates(client: Client, full: Bucket) -> None:
    left = set(SHARDS + OTHERS)
    for group, meant in groups(full):
        job = group.delete()
        finish(client, job)
        left -= set(meant)
        assert names(full) == sorted(left)
        assert client.job(job_id=job).status().err == ""


def test_objects_are_copied_by_names_ranges_and_templates(client: Client, full: Bucket) -> None:
    to = client.bucket(f"{full.name}-to")
    expected: set[str] = set()
    try:
        for group, meant in groups(full):
            for job in group.copy(to):
                finish(client, job)
            expected |= set(meant)
            assert names(to) == sorted(expected)
        assert to.object("a").get_reader().read_all() == b"a"
    finally:
        to.delete(missing_ok=True)


def test_a_copy_takes_every_option(client: Client, full: Bucket) -> None:
    to = client.bucket(f"{full.name}-to").create()
    try:
        group = full.objects(obj_names=["a", "none", "b/c"])
        jobs = group.copy(
            to, prepend="x/", continue_on_error=True, force=True, latest=True, num_workers=2
        )
        assert len(jobs) == 1
        client.job(job_id=jobs[0]).wait(timeout=30, verbose=False)
        assert names(to) == ["x/a", "x/b/c"]
        (job,) = full.objects(obj_template="shard-{00..99}.tar").copy(to, dry_run=True)
        finish(client, job)
        assert names(to) == ["x/a", "x/b/c"]
        to.object("shard-99.tar").get_writer().put_content(b"")
        (job,) = full.objects(obj_template="shard-{98..99}.tar").copy(to, sync=True)
        finish(client, job)
        assert names(to) == ["x/a", "x/b/c"]
    finally:
        to.delete(missing_ok=True)


def test_a_missing_name_fails_a_copy_that_may_not_go_on(client: Client, full: Bucket) -> None:
    to = client.bucket(f"{full.name}-to").create()
    try:
        (job,) = full.objects(obj_names=["a", "none"]).copy(to)
        client.job(job_id=job).wait(timeout=30, verbose=False)
        assert "none" in client.job(job_id=job).status().err
    finally:
        to.delete(missing_ok=True)


def test_a_prefix_is_a_range_without_indices(client: Client, full: Bucket) -> None:
    finish(client, full.objects(obj_range=ObjectRange("shard-")).delete())
    assert names(full) == OTHERS
    finish(client, full.objects(obj_template="*").delete())
    assert names(full) == []


def test_groups_tell_their_names_urls_and_objects(full: Bucket) -> None:
    for group, meant in groups(full)[:3]:
        assert group.list_names() == meant
        for url, name in zip(group.list_urls(), meant, strict=True):
            assert requests.get(url, timeout=10).content == name.encode()
        found = list(group.list_all_objects_iter())
        assert [entry.name for entry in found] == meant
        assert [entry.props_cached.size for entry in found] == [len(name) for name in meant]
        some = list(group.list_all_objects_iter(prefix=meant[1], props=None))
        assert [entry.name for entry in some] == meant[1:2]
    assert full.objects(obj_range=ObjectRange.from_string("s-{08..10..1}")).list_names() == [
        "s-08",
        "s-09",
        "s-10",
    ]


def test_what_is_for_remote_buckets_is_refused_by_the_sdk(full: Bucket) -> None:
    group = full.objects(obj_names=["a"])
    with pytest.raises(InvalidBckProvider):
        group.evict()
    with pytest.raises(InvalidBckProvider):
        group.prefetch()
    with pytest.raises(InvalidBckProvider):
        full.evict()


def test_mistakes_are_told(full: Bucket) -> None:
    with pytest.raises(AISError, match="bad template"):
        full.objects(obj_template="{1..2").delete()
    with pytest.raises(AISError, match="the limit is"):
        full.objects(obj_template="{0..99999999}").delete()
    with pytest.raises(InvalidObjectRangeIndex):
        ObjectRange("a", 3, 1)
    assert len(names(full)) == len(SHARDS + OTHERS)
