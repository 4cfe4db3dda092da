"""promote and blob-download on the wire."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.harness import Node
from tests.native.support import act, message, names, put, wait

BUCKET = "/v1/buckets/abc"
OBJECTS = "/v1/objects/abc?provider=ais"


@pytest.fixture(scope="module")
def top(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("promote") / "in"


@pytest.fixture(scope="module")
def promoter(top: Path) -> Iterator[Node]:
    """A node whose operator allows files to be promoted."""
    (top / "sub").mkdir(parents=True)
    options = ["--promote-dir", str(top)]
    running = Node(top.parent / "data", auth=False, workers=2, options=options).start()
    assert act(running, "POST", BUCKET, "create-bck").status == 200
    yield running
    assert running.stop() == 0, running.log_tail()


@pytest.fixture
def files(promoter: Node, top: Path) -> Path:
    for name in ("a", "sub/b"):
        (top / name).write_text(name)
    act(promoter, "DELETE", BUCKET, "destroy-bck")
    assert act(promoter, "POST", BUCKET, "create-bck").status == 200
    return top


def value(src: Path | str, **more: Any) -> dict[str, Any]:
    plain = {"tid": "", "obj": "", "rcr": False, "ovw": False, "dls": False, "notshr": True}
    return {**plain, "src": str(src), **more}


def test_a_directory_is_promoted_by_either_worker(promoter: Node, files: Path) -> None:
    status = wait(promoter, act(promoter, "POST", OBJECTS, "promote", value(files, rcr=True)))
    assert not status["err"]
    assert names(promoter, "abc") == ["a", "sub/b"]
    assert promoter.send("GET", "/v1/objects/abc/sub/b").body == b"sub/b"
    asked = value(files / "a", obj="x", dls=True)
    wait(promoter, act(promoter, "POST", OBJECTS, "promote", asked))
    assert names(promoter, "abc") == ["a", "sub/b", "x"]
    assert not (files / "a").exists()


def test_the_node_may_be_named(promoter: Node, files: Path) -> None:
    smap = promoter.send("GET", "/v1/daemon?what=smap").body.decode()
    target = smap.partition('"tmap":{"')[2].partition('"')[0]
    wait(promoter, act(promoter, "POST", OBJECTS, "promote", value(files / "a", tid=target)))
    assert names(promoter, "abc") == ["a"]
    reply = act(promoter, "POST", OBJECTS, "promote", value(files / "a", tid="t-unknown"))
    assert reply.status == 404
    assert '"t-unknown" is not in the cluster' in message(reply)


@pytest.mark.parametrize(
    ("src", "obj", "status", "text"),
    [
        ("", "", 400, "needs the path"),
        ("a", "", 400, "not an absolute path"),
        ("/etc/passwd", "", 403, "this node promotes what is in"),
        ("{top}/../data", "", 403, "this node promotes what is in"),
        ("{top}/none", "", 400, "No such file"),
        ("{top}/link", "", 400, "symbolic link"),
        ("{top}/a", "x" * 1025, 400, "1025 bytes"),
    ],
)
def test_what_cannot_be_promoted_is_refused_at_once(
    promoter: Node, files: Path, src: str, obj: str, status: int, text: str
) -> None:
    link = files / "link"
    if not link.is_symlink():
        link.symlink_to("/etc/passwd")
    asked = value(src.format(top=files), obj=obj)
    reply = act(promoter, "POST", OBJECTS, "promote", asked)
    link.unlink()
    assert reply.status == status, reply.body
    assert text in message(reply)
    assert names(promoter, "abc") == []


def test_a_node_without_a_directory_promotes_nothing(node: Node, tmp_path: Path) -> None:
    assert act(node, "POST", "/v1/buckets/promote-off", "create-bck").status == 200
    target = "/v1/objects/promote-off"
    reply = act(node, "POST", target, "promote", value(tmp_path))
    assert reply.status == 403
    assert "--promote-dir" in message(reply)
    act(node, "DELETE", "/v1/buckets/promote-off", "destroy-bck")
    assert act(node, "POST", target, "promote", value(tmp_path)).status == 404


def test_a_blob_download_is_for_remote_buckets(promoter: Node, files: Path) -> None:
    assert put(promoter, "abc", "x", b"x").status == 200
    asked = {"chunk-size": 1024, "num-workers": 2, "latest-ver": False}
    reply = act(promoter, "POST", OBJECTS, "blob-download", asked)
    assert reply.status == 400
    assert "ais://abc: it is not a remote bucket" in message(reply)


@pytest.mark.parametrize(("method", "status"), [("GET", 404), ("PUT", 404), ("POST", 400)])
def test_a_bucket_is_no_object(promoter: Node, method: str, status: int) -> None:
    assert act(promoter, method, "/v1/objects/abc").status == status
    assert act(promoter, method, "/v1/objects/abc/").status == status
