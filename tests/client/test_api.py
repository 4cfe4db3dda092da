"""Buckets, objects, jobs and the cluster, as programs have them."""

from __future__ import annotations

import hashlib
import io
import os
from pathlib import Path

import pytest

from aisle.client import Bucket, Client, ClientError, Conflict, NotFound


def test_a_bucket_comes_and_goes(client: Client) -> None:
    bucket = client.bucket("ais://coming")
    assert not bucket.exists()
    bucket.create({"checksum.type": "md5"})
    assert bucket.exists()
    assert bucket.props()["checksum"]["type"] == "md5"
    assert "ais://coming" in [str(one) for one in client.buckets(provider="ais")]
    with pytest.raises(Conflict):
        bucket.create()
    bucket.create(exist_ok=True)
    bucket.destroy()
    with pytest.raises(NotFound):
        bucket.destroy()
    bucket.destroy(missing_ok=True)
    with pytest.raises(NotFound):
        bucket.props()


def test_props_change_and_come_back(bucket: Bucket) -> None:
    bucket.set_props({"mirror": {"enabled": True}})
    assert bucket.props()["mirror"]["enabled"] is True
    bucket.reset_props()
    assert bucket.props()["mirror"]["enabled"] is False
    with pytest.raises(ClientError, match="nonsense"):
        bucket.set_props({"nonsense": 1})


def test_a_bucket_takes_another_name(client: Client, bucket: Bucket) -> None:
    bucket.object("a").put(b"1")
    job = bucket.rename("client-renamed")
    done = job.wait(timeout=30)
    assert (done.kind, done.finished, done.error) == ("move-bck", True, "")
    assert bucket.object("a").get() == b"1"
    assert [one.id for one in client.jobs(kind="move-bck")].count(job.id) == 1
    job.stop()
    assert job.status().aborted is False


def test_a_bucket_is_counted(bucket: Bucket) -> None:
    for name in ("a/1", "a/2", "b"):
        bucket.object(name).put(b"12345")
    assert bucket.summary()[:2] == (3, 15)
    assert bucket.summary(prefix="a/")[:2] == (2, 10)


def test_a_listing_comes_as_it_is_asked_for(bucket: Bucket) -> None:
    for name in ("a/1", "a/2", "b", "c"):
        bucket.object(name).put(name.encode())
    assert [entry.name for entry in bucket.objects()] == ["a/1", "a/2", "b", "c"]
    assert [entry.name for entry in bucket.objects("a/")] == ["a/1", "a/2"]
    assert [entry.name for entry in bucket.objects(start_after="a/2")] == ["b", "c"]
    assert [entry.name for entry in bucket.objects(limit=3)] == ["a/1", "a/2", "b"]
    flat = list(bucket.objects(flat=True))
    assert [(entry.name.rstrip("/"), entry.directory) for entry in flat] == [
        ("a", True), ("b", False), ("c", False),
    ]  # fmt: skip
    first = next(iter(bucket.objects()))
    assert (first.size, first.version) == (3, "1")


def test_bytes_files_and_pieces_are_put(bucket: Bucket, tmp_path: Path) -> None:
    item = bucket.object("dir/ü x")
    done = item.put(b"hello", content_type="text/plain")
    assert done.etag == hashlib.md5(b"hello").hexdigest()
    assert item.get() == b"hello"
    known = item.head()
    assert (known.size, known.content_type) == (5, "text/plain")
    body = os.urandom(3_000_000)
    (tmp_path / "file").write_bytes(body)
    item.put(tmp_path / "file")
    assert item.head().size == len(body)
    assert item.get(offset=10, length=20) == body[10:30]
    assert item.get(offset=len(body) - 5) == body[-5:]
    item.put(iter([b"a", b"", b"bc"]))
    assert item.get() == b"abc"
    item.put(io.BytesIO(b"line\nline\n"))
    assert item.get() == b"line\nline\n"
    item.put(b"")
    assert item.get() == b""


def test_an_object_is_streamed_and_downloaded(bucket: Bucket, tmp_path: Path) -> None:
    body = os.urandom(3_000_000)
    item = bucket.object("large")
    item.put(body)
    with item.stream() as pieces:
        assert b"".join(pieces) == body
    with item.stream() as pieces:
        next(pieces)  # the rest is left: the connection is not used again
    assert item.download(tmp_path / "copy") == len(body)
    assert (tmp_path / "copy").read_bytes() == body
    assert item.download(tmp_path / "copy", offset=1, length=3) == 3
    assert (tmp_path / "copy").read_bytes() == body[1:4]
    with pytest.raises(NotFound):
        bucket.object("none").download(tmp_path / "copy")
    assert (tmp_path / "copy").read_bytes() == body[1:4]
    assert os.listdir(tmp_path) == ["copy"]


def test_a_part_that_is_none_is_a_mistake(bucket: Bucket) -> None:
    for offset, length in ((-1, None), (0, 0)):
        with pytest.raises(ValueError, match="part"):
            bucket.object("x").get(offset=offset, length=length)


def test_pieces_that_fail_store_nothing(bucket: Bucket) -> None:
    def pieces() -> object:
        yield b"abc"
        raise RuntimeError("the source failed")

    with pytest.raises(RuntimeError, match="the source failed"):
        bucket.object("x").put(pieces())  # type: ignore[arg-type]
    assert list(bucket.objects()) == []


def test_an_object_is_copied_and_removed(bucket: Bucket) -> None:
    bucket.object("a").put(b"abc")
    bucket.object("a").copy(bucket.object("b/c"))
    assert bucket.object("b/c").get() == b"abc"
    bucket.object("a").delete()
    with pytest.raises(NotFound) as told:
        bucket.object("a").head()
    assert str(bucket.object("a")) in str(told.value)
    with pytest.raises(NotFound):
        bucket.object("a").delete()


def test_the_cluster_tells_of_itself(client: Client) -> None:
    assert client.is_ready()
    assert len(client.cluster_map()["pmap"]) == 1
    assert client.cluster_config()["checksum"]["type"] == "xxhash"
    with pytest.raises(NotFound):
        client.job("none").status()


def test_names_that_are_none(client: Client) -> None:
    for name in ("", "a/b", "ais://", "ais://a/b"):
        with pytest.raises(ClientError):
            client.bucket(name)
    assert str(client.bucket("ais://@#space/name")) == "ais://@#space/name"
