"""Files of HTTP servers through a node: by their address, by a name, and who may have them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest

from aisle.core.features import BY_NAME
from aisle.core.origins import ORIGINAL_URL, locate
from tests.harness import Node, Reply
from tests.servers.nginx import Nginx

DATA = bytes(range(256)) * 1000


@pytest.fixture(scope="module")
def nginx(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nginx]:
    server = Nginx(tmp_path_factory.mktemp("nginx")).start()
    (server.files / "dir").mkdir()
    (server.files / "dir" / "file.bin").write_bytes(DATA)
    yield server
    server.stop()


def ask(node: Node, method: str, url: str, **more: Any) -> Reply:
    """A request for the object that an address stands for."""
    found = locate(url)
    path = f"/v1/objects/{found.bucket}/{quote(found.key)}"
    query = f"provider=ht&original_url={quote(url, safe='')}"
    return node.send(method, f"{path}?{query}", **more)


def test_a_file_is_read_by_its_address_once(cache: Node, nginx: Nginx) -> None:
    url = f"{nginx.root}/files/dir/file.bin"
    head = ask(cache, "HEAD", url)
    assert head.status == 200, head.body
    assert head.headers["content-length"] == str(len(DATA))
    assert ask(cache, "GET", url).body == DATA
    assert ask(cache, "GET", url).body == DATA
    part = ask(cache, "GET", url, headers={"range": "bytes=5-9"})
    assert (part.status, part.body) == (206, DATA[5:10])
    assert nginx.requests().count("GET /files/dir/file.bin") == 1
    bucket = locate(url).bucket
    # The bucket is there now, for S3 clients as well.
    assert cache.send("GET", f"/s3/{bucket}/file.bin").body == DATA
    assert cache.send("GET", f"/v1/objects/{bucket}/file.bin?provider=ht").body == DATA
    assert cache.send("PUT", f"/s3/{bucket}/other", body=b"x").status in (405, 501)
    assert cache.send("DELETE", f"/s3/{bucket}/file.bin").status in (405, 501)
    assert ask(cache, "GET", url).body == DATA


@pytest.mark.parametrize(
    ("method", "place"),
    [
        ("GET", "?versioning"),
        ("GET", "?policy"),
        ("GET", "?acl"),
        ("GET", "?location"),
        ("GET", "?versions"),
        ("PUT", "?versioning"),
        ("PUT", "?tagging"),
        ("GET", "/file.bin?tagging"),
        ("GET", "/file.bin?acl"),
        ("GET", "/file.bin?versionId=1"),
    ],
)
def test_what_only_s3_has_is_refused(cache: Node, nginx: Nginx, method: str, place: str) -> None:
    url = f"{nginx.root}/files/dir/file.bin"
    assert ask(cache, "HEAD", url).status == 200  # the bucket is there
    asked = len(nginx.requests())
    body = b"<Document/>" if method == "PUT" else b""
    reply = cache.send(method, f"/s3/{locate(url).bucket}{place}", body=body)
    assert (reply.status, reply.code) == (501, "NotImplemented")
    assert "does not speak S3" in (reply.xml.findtext("Message") or "")
    assert len(nginx.requests()) == asked


def test_an_absent_file_is_not_found(cache: Node, nginx: Nginx) -> None:
    reply = ask(cache, "GET", f"{nginx.root}/files/dir/absent")
    assert reply.status == 404
    assert b"absent" in reply.body


def test_a_hash_alone_is_no_bucket(cache: Node) -> None:
    reply = cache.send("GET", "/v1/objects/MTIzNDU2Nzg5MGFiY2RlZg/x?provider=ht")
    assert reply.status == 404
    assert b"does not exist" in reply.body


@pytest.mark.parametrize(
    "url",
    [
        "http://user:hush@host/file.bin",
        "http://host/file.bin?sig=x",
        "ftp://host/file.bin",
        "http://host/other.bin",
        "http://other/file.bin",
        "http://host/../file.bin",
    ],
)
def test_an_address_that_does_not_fit_is_refused(cache: Node, url: str) -> None:
    bucket = locate("http://host/file.bin").bucket
    query = f"provider=ht&original_url={quote(url, safe='')}"
    reply = cache.send("GET", f"/v1/objects/{bucket}/file.bin?{query}")
    assert reply.status == 400, reply.body
    assert b"hush" not in reply.body
    assert cache.send("GET", f"/v1/objects/{bucket}/file.bin?provider=ht").status == 404


def test_a_bucket_stands_for_one_scheme(cache: Node, nginx: Nginx) -> None:
    url = f"{nginx.root}/files/dir/file.bin"
    assert ask(cache, "GET", url).status == 200
    reply = ask(cache, "GET", url.replace("http://", "https://"))
    assert reply.status == 400
    assert f"stands for {nginx.root}/files/dir/".encode() in reply.body


def test_a_server_that_is_not_there_leaves_no_bucket(cache: Node) -> None:
    url = "http://169.254.169.254/latest/meta-data"
    reply = ask(cache, "GET", url)
    assert reply.status == 403, reply.body
    assert b"not a public one" in reply.body
    bucket = locate(url).bucket
    assert cache.send("GET", f"/v1/objects/{bucket}/meta-data?provider=ht").status == 404


def test_the_feature_is_the_clusters(cache: Node, nginx: Nginx) -> None:
    url = f"{nginx.root}/named/file"  # redirects to localhost
    assert ask(cache, "GET", url).status == 403
    mask = BY_NAME["Dload-Allow-Private-Egress"].mask | BY_NAME["S3-API-via-Root"].mask
    (nginx.files / "key").write_bytes(b"found")
    assert _set(cache, mask).status == 200
    try:
        assert ask(cache, "GET", url).body == b"found"
    finally:
        assert _set(cache, BY_NAME["S3-API-via-Root"].mask).status == 200


def _set(node: Node, mask: int) -> Reply:
    return node.send("PUT", f"/v1/cluster/set-config?features={mask}")


def test_only_administrators_name_addresses(origin: Node, nginx: Nginx) -> None:
    url = f"{nginx.root}/files/dir/file.bin"
    seen = len(nginx.requests())
    assert ask(origin, "GET", url, signed=False).status in (401, 403)
    assert len(nginx.requests()) == seen
    assert ask(origin, "GET", url).body == DATA
    bucket = locate(url).bucket
    props = origin.send("HEAD", f"/v1/buckets/{bucket}?provider=ht").headers["ais-bucket-props"]
    assert ORIGINAL_URL.rpartition(".")[2] in props
    body = b'{"action": "evict-remote-bck"}'
    gone = origin.send("DELETE", f"/v1/buckets/{bucket}?provider=ht", body=body)
    assert gone.status == 200, gone.body
