"""`ais remote-cluster`, and `ais://@alias/bucket` wherever a bucket is named."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.conftest import Ais
from tests.cli.test_completion import offered
from tests.harness import Node
from tests.servers.clusters import uuid_of


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    """Another cluster, which knows nobody and lets everybody in."""
    running = Node(tmp_path_factory.mktemp("other") / "data", workers=1, auth=False).start()
    yield running
    assert running.stop() == 0, running.log_tail()


@pytest.fixture
def far(ais: Ais, other: Node) -> Iterator[str]:
    """A bucket of the other cluster, which is attached as `east`."""
    client = other.client()
    client.create_bucket(Bucket="far")
    for key in ("dir/a", "dir/b", "dog"):
        client.put_object(Bucket="far", Key=key, Body=key.encode())
    ais("cluster", "remote-attach", f"east={other.root}")
    yield "ais://@east/far"
    ais("ls", "ais://@east/far")  # which makes a window, unless there is one
    ais("evict", "ais://@east/far", "--wait")
    ais("cluster", "remote-detach", "east")
    for key in client.list_objects_v2(Bucket="far").get("Contents", []):
        client.delete_object(Bucket="far", Key=key["Key"])
    client.delete_bucket(Bucket="far")


def test_a_cluster_is_attached_shown_and_detached(ais: Ais, other: Node) -> None:
    done = ais("cluster", "remote-attach", f"east={other.root}")
    assert done.stdout == f"Remote cluster (east={other.root}) successfully attached\n"
    header, row = ais("show", "remote-cluster").stdout.splitlines()
    assert header.split() == ["UUID", "URL", "Alias", "Primary", "Smap", "Targets", "Online"]
    uuid, url, alias, primary, smap, targets, online = row.split()
    assert (uuid, url, alias) == (uuid_of(other), other.root, "east")
    assert (primary[0], smap, targets, online) == ("p", "v1", "1", "yes")
    (told,) = json.loads(ais("remote-cluster", "show", "--json").stdout)
    assert told["smap"]["uuid"] == uuid
    assert ais("show", "remote-cluster", "-H").stdout.split() == row.split()
    config = json.loads(ais("config", "cluster", "backend", "--json").stdout)
    assert config["ais"] == {"east": [other.root]}
    assert offered(ais, "cluster", "remote-detach", "") == ["east"]
    done = ais("remote-cluster", "detach", "east")
    assert done.stdout == "Remote cluster east successfully detached\n"
    assert "ais" not in json.loads(ais("config", "cluster", "backend", "--json").stdout)


def test_buckets_of_other_clusters_are_listed(ais: Ais, other: Node, far: str) -> None:
    assert ais("ls", "ais://@east").stdout == "AIS Buckets (1)\n  ais://@east/far\n"
    assert ais("ls", "ais://@", "-H").stdout == f"  ais://@{uuid_of(other)}/far\n"
    assert ais("ls", "ais://").stdout == "AIS Buckets (0)\n"
    rows = json.loads(ais("ls", "ais://@east", "--json").stdout)
    assert rows == [
        {"name": "far", "provider": "ais", "namespace": {"uuid": uuid_of(other), "name": ""}}
    ]


def test_objects_of_another_cluster_are_listed_and_read(ais: Ais, far: str, tmp_path: Path) -> None:
    assert ais("ls", far, "--name-only").stdout == "dir/a\ndir/b\ndog\n"
    assert ais("ls", f"{far}/dir/", "--name-only").stdout == "dir/a\ndir/b\n"
    assert ais("get", f"{far}/dog", "-").stdout == "dog"
    assert ais("ls", far, "--cached", "--name-only").stdout == "dog\n"
    ais("get", f"{far}/dir/a", str(tmp_path / "file"))
    assert (tmp_path / "file").read_text() == "dir/a"
    shown = ais("object", "show", f"{far}/dog", "-H").stdout
    assert "3B" in shown
    assert offered(ais, "get", f"{far}/d") == [f"{far}/dir/", f"{far}/dog"]


def test_objects_of_another_cluster_are_written_copied_and_removed(
    ais: Ais, other: Node, far: str
) -> None:
    ais("put", "-", f"{far}/new", input="fresh")
    there = other.client()
    assert there.get_object(Bucket="far", Key="new")["Body"].read() == b"fresh"
    ais("create", "ais://near")
    ais("cp", f"{far}/dog", "ais://near/dog")
    assert ais("get", "ais://near/dog", "-").stdout == "dog"
    ais("cp", "ais://near/dog", f"{far}/cat")
    assert there.get_object(Bucket="far", Key="cat")["Body"].read() == b"dog"
    ais("rmo", f"{far}/new", f"{far}/cat")
    keys = [row["Key"] for row in there.list_objects_v2(Bucket="far")["Contents"]]
    assert keys == ["dir/a", "dir/b", "dog"]


def test_objects_of_another_cluster_are_prefetched_and_evicted(ais: Ais, far: str) -> None:
    ais("prefetch", far, "--prefix", "dir/", "--wait")
    assert ais("ls", far, "--cached", "--name-only").stdout == "dir/a\ndir/b\n"
    ais("evict", f"{far}/dir/a")
    assert ais("ls", far, "--cached", "--name-only").stdout == "dir/b\n"
    assert ais("ls", far, "--name-only").stdout == "dir/a\ndir/b\ndog\n"


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["cluster", "remote-attach", "a b=http://x"], "an alias has"),
        (["cluster", "remote-attach", "a=x"], "is http://HOST:PORT"),
        (["cluster", "remote-attach", "a=http://127.0.0.1:1"], 'cluster "a" cannot be attached'),
        (["cluster", "remote-detach", "a"], 'remote cluster "a" is not attached'),
        (["ls", "ais://@a"], 'remote cluster "a" is not attached'),
        (["get", "ais://@a/b/c", "-"], 'remote cluster "a" is not attached'),
        (["put", "-", "ais://@a/b/c"], 'remote cluster "a" is not attached'),
    ],
)
def test_what_is_not_there_is_refused_in_a_line(ais: Ais, words: list[str], text: str) -> None:
    assert text in ais(*words, code=1).stderr


def test_nobody_looks_for_what_is_to_be_archived_if_that_is_said(ais: Ais, far: str) -> None:
    ais("create", "ais://near")
    words = ("archive", "bucket", "ais://@east/none", "ais://near/x.tar", "--list", "a")
    assert "there is no such bucket" in ais(*words, code=1).stderr
    done = ais(*words, "--skip-lookup", "--wait", code=1)
    assert done.stdout.startswith("archive[")
    assert done.stderr.startswith("Error: job ")  # it is the job that looks
    ais("evict", "ais://@east/none", "--wait")
