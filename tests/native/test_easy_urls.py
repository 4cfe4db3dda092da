"""Easy URLs: objects at `/ais/BUCKET/OBJECT`, never in the place of an S3 bucket."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.harness import Node
from tests.native.people import make_user
from tests.native.support import act, message


@pytest.fixture(scope="module")
def easy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    """A node of our own, without authentication: what its root means changes here."""
    running = Node(tmp_path_factory.mktemp("easy") / "data", auth=False, workers=1).start()
    assert act(running, "POST", "/v1/buckets/abc", "create-bck").status == 200
    yield running
    assert running.stop() == 0, running.log_tail()


def test_an_object_makes_the_round(easy: Node) -> None:
    assert easy.send("PUT", "/ais/abc/dir/a%20b", body=b"12345").status == 200
    assert easy.send("GET", "/ais/abc/dir/a%20b").body == b"12345"
    part = easy.send("GET", "/ais/abc/dir/a%20b", headers={"Range": "bytes=1-2"})
    assert (part.status, part.body) == (206, b"23")
    told = easy.send("HEAD", "/ais/abc/dir/a%20b?props=name,size").headers
    assert (told["ais-name"], told["content-length"]) == ("dir/a b", "5")
    assert easy.send("GET", "/v1/objects/abc/dir/a%20b").body == b"12345"


def test_a_bucket_is_a_list(easy: Node) -> None:
    easy.send("PUT", "/ais/abc/listed", body=b"")
    reply = easy.send("GET", "/ais/abc")
    assert "listed" in [entry["name"] for entry in json.loads(reply.body)["entries"]]
    assert "ais-bucket-props" in easy.send("HEAD", "/ais/abc").headers


def test_errors_are_those_of_the_native_api(easy: Node) -> None:
    reply = easy.send("GET", "/ais/abc/absent")
    assert (reply.status, message(reply)) == (404, 'object "ais://abc/absent" does not exist')
    for path, bucket in (("/gs/abc/x", "gcp://abc"), ("/az/abc/x", "azure://abc")):
        reply = easy.send("GET", path)
        assert (reply.status, message(reply)) == (404, f'bucket "{bucket}" does not exist')


@pytest.mark.parametrize(
    ("method", "target"),
    [("DELETE", "/ais/abc/x"), ("PUT", "/ais/abc"), ("POST", "/ais/abc/x"), ("GET", "/ais/")],
)
def test_other_requests_are_for_s3(easy: Node, method: str, target: str) -> None:
    assert easy.send(method, target).body.startswith(b"<?xml")


def test_an_s3_bucket_of_that_name_is_not_hidden(easy: Node) -> None:
    s3: Any = easy.client(endpoint=easy.root, s3={"addressing_style": "path"})
    s3.create_bucket(Bucket="ais")
    try:
        s3.put_object(Bucket="ais", Key="abc/x", Body=b"of S3")
        assert easy.send("GET", "/ais/abc/x").body == b"of S3"
        s3.delete_object(Bucket="ais", Key="abc/x")
    finally:
        s3.delete_bucket(Bucket="ais")
    assert "ais://abc/x" in message(easy.send("GET", "/ais/abc/x"))


def test_with_authentication_the_root_is_for_s3_alone(node: Node, bucket: str) -> None:
    for signed in (True, False):
        reply = node.send("GET", f"/ais/{bucket}", signed=signed)
        assert reply.body.startswith(b"<?xml")


def test_with_authentication_easy_urls_are_signed_or_have_a_token(tmp_path: Path) -> None:
    own = Node(tmp_path / "data", workers=1).start()
    try:
        features = {"value": {"features": "none"}, "action": "set-config"}
        body = json.dumps(features).encode()
        size = {"Content-Length": str(len(body))}
        done = own.send("PUT", "/v1/cluster", body=body, unsigned_headers=size)
        assert done.status == 200, done.body
        own.restart()
        assert act(own, "POST", "/v1/buckets/abc", "create-bck").status == 200
        assert own.send("PUT", "/ais/abc/x", body=b"12345").status == 200
        assert own.send("GET", "/ais/abc/x").body == b"12345"
        assert own.send("GET", "/ais/abc/x", signed=False).status == 401
        stranger = make_user(own)
        assert stranger.send("GET", "/ais/abc/x").status == 403
        assert stranger.send("PUT", "/ais/abc/x", b"6").status == 403
        assert make_user(own, ["Admin"]).send("GET", "/ais/abc/x").body == b"12345"
    finally:
        assert own.stop() == 0
