"""Prefetching and evicting through the SDK, the command line and the native API, by a real node in
front of another one."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from aistore import Client
from aistore.sdk.bucket import Bucket

from tests.cli.conftest import environment
from tests.cli.consoles import DOCS, replay
from tests.conftest import empty_and_remove
from tests.harness import Node, Reply
from tests.remote.windows import Remote
from tests.servers.faults import Fault, FaultProxy

MIB = 1 << 20
SECONDS = 60
Make = Callable[..., Remote]
Ais = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def ais(cache: Node, tmp_path: Path) -> Ais:
    """Run the `ais` console script against the node under test."""

    def run(*words: str, code: int = 0) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            ["ais", *words],
            cwd=tmp_path,
            env=environment(cache),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        assert done.returncode == code, done.stdout + done.stderr
        return done

    return run


@pytest.fixture(scope="module")
def sdk(cache: Node) -> Client:
    return Client(cache.root)


def bucket_of(sdk: Client, remote: Remote) -> Bucket:
    return sdk.bucket(remote.name, provider="aws")


def fill(remote: Remote, *names: str, size: int = 10) -> None:
    for name in names:
        remote.put_there(name, name.encode().ljust(size, b"."))


def act(
    remote: Remote, method: str, action: str, value: object, *, objects: bool = False, **more: Any
) -> Reply:
    kind = "objects" if objects else "buckets"
    body = json.dumps({"action": action, "value": value, **more}).encode()
    return remote.node.send(
        method, f"/v1/{kind}/{remote.name}?provider=aws", body=body,
        headers={"content-type": "application/json"},
    )  # fmt: skip


def snap(node: Node, job: str) -> Mapping[str, Any]:
    body = json.dumps({"ID": job}).encode()
    told = json.loads(node.send("GET", "/v1/cluster?what=qryxstats", body=body).body)
    [[found]] = told.values()
    return dict(found)


def is_added(remote: Remote) -> bool:
    """Whether the node has the window."""
    reply = remote.node.send("GET", "/v1/buckets?presence=2")
    return remote.name in {row["name"] for row in json.loads(reply.body)}


# --- the SDK --------------------------------------------------------------------------------


def test_the_sdk_prefetches_a_list_a_template_and_everything(sdk: Client, window: Make) -> None:
    remote = window()
    fill(remote, "a-1", "a-2", "a-3", "b")
    bucket = bucket_of(sdk, remote)
    for group, comes in (
        (bucket.objects(obj_names=["a-1"]), ["a-1"]),
        (bucket.objects(obj_template="a-{1..2}"), ["a-1", "a-2"]),
        (bucket.objects(obj_template="*"), ["a-1", "a-2", "a-3", "b"]),
    ):
        job = sdk.job(group.prefetch())
        job.wait(timeout=SECONDS)
        assert remote.cached() == comes
    assert bucket.object("b").get_reader().read_all() == b"b........."


def test_the_sdk_gets_the_latest_and_large_objects_in_parts(
    sdk: Client, window: Make, faults: FaultProxy
) -> None:
    remote = window()
    fill(remote, "large", size=10 * MIB)
    fill(remote, "small")
    bucket = bucket_of(sdk, remote)
    group = bucket.objects(obj_names=["large", "small"])
    sdk.job(group.prefetch(blob_threshold=8 * MIB, num_workers=2)).wait(timeout=SECONDS)
    assert remote.cached() == ["large", "small"]
    remote.put_there("small", b"newer")
    sdk.job(group.prefetch(latest=True)).wait(timeout=SECONDS)
    assert bucket.object("small").get_reader().read_all() == b"newer"
    assert len(bucket.object("large").get_reader().read_all()) == 10 * MIB


def test_the_sdk_evicts_objects_and_buckets(sdk: Client, window: Make, there: Any) -> None:
    remote = window()
    fill(remote, "a-1", "a-2", "b")
    bucket = bucket_of(sdk, remote)
    sdk.job(bucket.objects(obj_template="*").prefetch()).wait(timeout=SECONDS)
    sdk.job(bucket.objects(obj_template="a-{1..9}").evict()).wait(timeout=SECONDS)
    assert remote.cached() == ["b"]
    bucket.evict(keep_md=True)
    assert remote.cached() == []
    bucket.evict()
    assert not is_added(remote)
    assert len(there.list_objects_v2(Bucket=remote.name)["Contents"]) == 3


def test_the_sdk_downloads_a_blob(sdk: Client, window: Make) -> None:
    remote = window()
    fill(remote, "large", size=10 * MIB)
    bucket = bucket_of(sdk, remote)
    job = bucket.object("large").blob_download(chunk_size=5 * MIB, num_workers=3)
    sdk.job(job).wait(timeout=SECONDS)
    assert remote.cached() == ["large"]
    assert len(bucket.object("large").get_reader().read_all()) == 10 * MIB


def test_a_job_that_fails_says_so(sdk: Client, window: Make) -> None:
    remote = window()
    fill(remote, "a")
    job = bucket_of(sdk, remote).objects(obj_names=["a", "nope"]).prefetch()
    result = sdk.job(job).wait(timeout=SECONDS)
    assert not result.success
    assert f'object "{remote.name}/nope" does not exist' in str(result.error)


# --- the command line -----------------------------------------------------------------------


def test_the_command_line_prefetches_and_evicts(ais: Ais, window: Make) -> None:
    remote = window()
    fill(remote, "a-1", "a-2", "b")
    uri = f"s3://{remote.name}"
    assert ais("prefetch", uri, "--dry-run", "--prefix", "a-").stdout == (
        f"[DRY RUN] prefetch {uri}/a-1\n[DRY RUN] prefetch {uri}/a-2\n"
    )
    text = ais("prefetch", uri, "--list", "a-1,b", "--wait").stdout
    assert text.startswith("prefetch-objects[")
    assert text.endswith(f"]: prefetch 2 objects from {uri} ...\nDone: 2 objects (20B).\n")
    assert ais("evict", uri, "--dry-run", "--template", "").stdout == (
        f"[DRY RUN] evict {uri}/a-1\n[DRY RUN] evict {uri}/b\n"
    )
    assert "Done: 1 object (10B)." in ais("prefetch", f"{uri}/a-", "--wait").stdout
    assert "Done: 1 object (10B)." in ais("object", "evict", f"{uri}/b", "--wait").stdout
    assert remote.cached() == ["a-1", "a-2"]
    begun = ais(
        "prefetch", uri, "--latest", "--num-workers", "2", "--blob-threshold", "4MiB"
    ).stdout
    job = begun.partition("[")[2].partition("]")[0]
    assert begun.endswith(f"To monitor the progress, run 'ais show job {job}'\n")
    ais("wait", job)
    shown = ais("show", "job", job).stdout
    assert "prefetch-objects" in shown
    assert uri.replace("s3", "aws") in shown or uri in shown
    assert ais("bucket", "evict", uri, "--keep-md").stdout == f"{uri} evicted\n"
    assert remote.cached() == []
    assert ais("evict", uri).stdout == f"{uri} evicted\n"
    assert not is_added(remote)


def test_the_command_line_downloads_blobs(ais: Ais, window: Make, tmp_path: Path) -> None:
    remote = window()
    fill(remote, "large", "other", size=10 * MIB)
    uri = f"s3://{remote.name}"
    text = ais("blob-download", f"{uri}/large", "--chunk-size", "5MiB", "--wait").stdout
    assert "Done: 1 object (10.00MiB)." in text
    ais("get", f"{uri}/other", str(tmp_path / "other"), "--blob-download", "--num-workers", "2")
    assert (tmp_path / "other").stat().st_size == 10 * MIB
    assert remote.cached() == ["large", "other"]


def test_the_command_line_starts_lru(ais: Ais, window: Make) -> None:
    remote = window()
    text = ais("start", "lru", f"s3://{remote.name}", "--wait").stdout
    assert text.startswith("Started lru-eviction[")
    assert text.endswith("Done.\n")


# --- the native API -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("action", "value", "text"),
    [
        ("prefetch-listrange", None, "objnames or template is needed"),
        ("prefetch-listrange", {"template": "{1..2"}, "bad template"),
        ("prefetch-listrange", {"template": "", "blob-threshold": "much"}, "blob-threshold"),
        ("prefetch-listrange", {"template": "", "blob-threshold": -1}, "blob-threshold"),
        ("prefetch-listrange", {"template": "", "num-workers": "many"}, "num-workers"),
        ("blob-download", {}, "the name of an object"),
    ],
)
def test_what_makes_no_sense_is_a_bad_request(
    window: Make, action: str, value: object, text: str
) -> None:
    remote = window()
    reply = act(remote, "POST", action, value, objects=action == "blob-download")
    assert reply.status == 400, reply.body
    assert text in json.loads(reply.body)["message"]


@pytest.mark.parametrize(
    "fields",
    [{"Ais-Blob-Chunk": "x"}, {"Ais-Blob-Workers": "x"}, {"Ais-Blob-Download": "perhaps"}],
)
def test_a_blob_get_that_makes_no_sense_is_a_bad_request(
    window: Make, fields: dict[str, str]
) -> None:
    remote = window()
    fill(remote, "a")
    reply = remote.native("GET", "a", headers={"Ais-Blob-Download": "true", **fields})
    assert reply.status == 400, reply.body
    assert remote.cached() == []


def test_evicting_needs_a_flag_that_can_be_read(window: Make) -> None:
    remote = window()
    reply = remote.native("DELETE", action={"action": "evict-remote-bck"}, keep_bck_md="perhaps")
    assert reply.status == 400, reply.body


def test_a_job_shows_how_far_it_is_and_is_stopped(
    cache: Node, window: Make, faults: FaultProxy
) -> None:
    remote = window()
    fill(remote, *(f"{number:03d}" for number in range(40)), size=MIB)
    faults.add(Fault(method="GET", times=100, rate=64 << 10))
    job = act(remote, "POST", "prefetch-listrange", {"template": ""}).body.decode()
    shown = snap(cache, job)
    assert shown["kind"] == "prefetch-listrange"
    assert shown["bck"]["name"] == remote.name
    body = json.dumps({"action": "stop", "value": {"ID": job}}).encode()
    assert cache.send("PUT", "/v1/cluster", body=body).status == 200
    while not snap(cache, job)["end-time"].startswith("2"):
        pass
    assert snap(cache, job)["aborted"]


def test_the_time_of_the_last_access_is_shown(window: Make) -> None:
    remote = window()
    fill(remote, "a")

    def accessed() -> int:
        return int(remote.native("HEAD", "a", props="atime").headers["ais-atime"])

    remote.get("a")
    first = accessed()
    modified = remote.there.head_object(Bucket=remote.name, Key="a")["LastModified"].timestamp()
    assert first / 1e9 > modified
    remote.get("a")
    assert accessed() >= first


# --- the pages ------------------------------------------------------------------------------


@pytest.mark.parametrize(("page", "commands"), [("prefetch-and-evict.md", 11), ("space.md", 3)])
def test_the_pages_show_what_happens(
    cache: Node, there: Any, tmp_path: Path, page: str, commands: int
) -> None:
    there.create_bucket(Bucket="training")
    for number in range(1, 4):
        there.put_object(Bucket="training", Key=f"images/{number}.jpg", Body=b"j" * 1024)
    there.put_object(Bucket="training", Key="README", Body=b"r")
    there.put_object(Bucket="training", Key="model.bin", Body=bytes(10 * MIB))
    assert cache.send("HEAD", "/s3/training/README").status == 200  # it is added
    try:
        assert replay(DOCS / page, cache, tmp_path) == commands
    finally:
        empty_and_remove(there, "training")
        for name, provider in (("training", "aws"), ("own", "ais")):
            action = "evict-remote-bck" if provider == "aws" else "destroy-bck"
            body = json.dumps({"action": action}).encode()
            cache.send("DELETE", f"/v1/buckets/{name}?provider={provider}", body=body)
