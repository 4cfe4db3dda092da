"""Cold GETs through a real node, of buckets at another one, with a proxy in between that counts
requests and goes wrong."""

from __future__ import annotations

import hashlib
import http.client
import io
import json
import os
import tarfile
import time
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from typing import Any

import pytest

from tests.conftest import empty_and_remove
from tests.harness import Node, Reply
from tests.remote.windows import Remote
from tests.servers.faults import Fault, FaultProxy

MiB = 1 << 20
LARGE = os.urandom(20 * MiB + 12345)


def cached_soon(remote: Remote, key: str) -> None:
    deadline = time.monotonic() + 60
    while not remote.is_cached(key):
        assert time.monotonic() < deadline, f"{key} is not cached"
        time.sleep(0.02)


@contextmanager
def open_get(node: Node, remote: Remote, key: str) -> Iterator[http.client.HTTPResponse]:
    """A GET whose body is not read yet."""
    connection = http.client.HTTPConnection("127.0.0.1", node.port, timeout=30)
    with closing(connection):
        connection.request("GET", f"/s3/{remote.name}/{key}")
        with connection.getresponse() as reply:
            yield reply


@pytest.fixture
def remote(window: Callable[..., Remote]) -> Remote:
    return window()


def test_an_object_is_fetched_once_and_keeps_all_that_the_remote_says(
    remote: Remote, here: Any, faults: FaultProxy
) -> None:
    etag = remote.put_there(
        "dir/k", LARGE, ContentType="text/x-new", CacheControl="max-age=5", Metadata={"a": "b c"}
    )
    modified = remote.there.head_object(Bucket=remote.name, Key="dir/k")["LastModified"]
    for _ in range(2):
        reply = here.get_object(Bucket=remote.name, Key="dir/k")
        assert reply["Body"].read() == LARGE
        assert reply["ETag"].strip('"') == etag
        assert reply["LastModified"] == modified
        assert (reply["ContentType"], reply["CacheControl"]) == ("text/x-new", "max-age=5")
        assert reply["Metadata"] == {"a": "b c"}
        assert remote.is_cached("dir/k")
    assert (faults.count("GET"), faults.count("HEAD")) == (1, 0)


def test_a_thousand_gets_of_one_object_cause_one_download(
    remote: Remote, cache: Node, faults: FaultProxy
) -> None:
    data = LARGE[: 2 * MiB]
    remote.put_there("k", data)
    expected = hashlib.sha256(data).digest()

    def get(_: int) -> bool:
        with open_get(cache, remote, "k") as reply:
            return hashlib.sha256(reply.read()).digest() == expected

    with ThreadPoolExecutor(100) as pool:
        assert all(pool.map(get, range(1000)))
    assert faults.count("GET", remote.name) == 1


def test_a_thousand_gets_at_the_same_moment_cause_one_download(
    remote: Remote, cache: Node, faults: FaultProxy
) -> None:
    data = LARGE[:MiB]
    remote.put_there("k", data)
    faults.add(Fault("GET", "/k", hold=MiB // 2))
    with ExitStack() as stack:
        connections = [
            stack.enter_context(
                closing(http.client.HTTPConnection("127.0.0.1", cache.port, timeout=60))
            )
            for _ in range(1000)
        ]
        for connection in connections:
            connection.request("GET", f"/s3/{remote.name}/k")
        assert not remote.is_cached("k")  # all are there before it is
        time.sleep(4)  # a remote that is slow is not asked all the more
        faults.release()
        for connection in connections:
            assert connection.getresponse().read() == data
            connection.close()
    assert faults.count("GET", "/k") == 1


def test_the_first_bytes_come_while_the_remote_still_sends(
    remote: Remote, cache: Node, faults: FaultProxy
) -> None:
    remote.put_there("k", LARGE)
    faults.add(Fault("GET", "/k", hold=4 * MiB))
    with ExitStack() as stack:
        replies = [stack.enter_context(open_get(cache, remote, "k")) for _ in range(3)]
        for reply in replies:
            assert reply.read(MiB) == LARGE[:MiB]
        assert not remote.is_cached("k")
        faults.release()
        for reply in replies:
            assert reply.read() == LARGE[MiB:]
    assert faults.count("GET", "/k") == 1
    assert remote.is_cached("k")


def test_a_download_goes_on_when_its_client_leaves(
    remote: Remote, cache: Node, faults: FaultProxy
) -> None:
    remote.put_there("k", LARGE)
    with open_get(cache, remote, "k") as reply:
        reply.read(1000)
    cached_soon(remote, "k")
    assert remote.get("k").body == LARGE
    assert faults.count("GET", "/k") == 1


def test_a_range_comes_first_and_the_whole_behind_it(
    remote: Remote, cache: Node, faults: FaultProxy
) -> None:
    remote.put_there("k", LARGE)
    faults.add(Fault("GET", "/k", hold=4 * MiB, times=99))
    for header, start, end in (
        ("bytes=-5", len(LARGE) - 5, len(LARGE)),
        (f"bytes={17 * MiB}-{17 * MiB + 99}", 17 * MiB, 17 * MiB + 100),
        ("bytes=0-9", 0, 10),
    ):
        reply = remote.get("k", range=header)
        assert (reply.status, reply.body) == (206, LARGE[start:end])
        assert reply.headers["content-range"] == f"bytes {start}-{end - 1}/{len(LARGE)}"
    assert not remote.is_cached("k")
    faults.release()
    cached_soon(remote, "k")
    asked = faults.count()
    assert remote.get("k", range="bytes=5-6").body == LARGE[5:7]
    assert faults.count() == asked


def test_a_cut_body_is_continued(remote: Remote, faults: FaultProxy) -> None:
    remote.put_there("k", LARGE)
    faults.add(Fault("GET", "/k", cut=9 * MiB))
    assert remote.get("k").body == LARGE
    assert faults.count("GET", "/k") == 2
    assert remote.is_cached("k")


@pytest.mark.parametrize("more", [10, -10])
def test_a_body_of_another_length_is_never_whole_nor_kept(
    remote: Remote, cache: Node, faults: FaultProxy, more: int
) -> None:
    remote.put_there("k", LARGE)
    faults.add(Fault("GET", "/k", longer=more, times=99))
    with open_get(cache, remote, "k") as reply:
        try:
            assert reply.read() != LARGE
            assert reply.status >= 500
        except http.client.IncompleteRead:
            pass
    assert not remote.is_cached("k")
    faults.reset()
    assert remote.get("k").body == LARGE
    assert remote.is_cached("k")


def test_a_wrong_body_is_never_whole_nor_kept(
    remote: Remote, cache: Node, faults: FaultProxy
) -> None:
    remote.put_there("k", LARGE)
    faults.add(Fault("GET", "/k", corrupt=13 * MiB, times=1))
    with open_get(cache, remote, "k") as reply, pytest.raises(http.client.IncompleteRead):
        reply.read()
    assert not remote.is_cached("k")
    assert remote.get("k").body == LARGE


def test_a_change_in_the_middle_is_noticed(remote: Remote, cache: Node, faults: FaultProxy) -> None:
    remote.put_there("k", LARGE)
    faults.add(Fault("GET", "/k", hold=4 * MiB, cut=9 * MiB))
    with open_get(cache, remote, "k") as reply:
        assert reply.read(MiB) == LARGE[:MiB]
        remote.put_there("k", LARGE[::-1])
        faults.release()
        with pytest.raises(http.client.IncompleteRead):
            reply.read()
    assert not remote.is_cached("k")
    assert remote.get("k").body == LARGE[::-1]


def test_absent_objects_are_asked_for_again(remote: Remote, here: Any) -> None:
    for _ in range(2):
        reply = remote.get("later")
        assert (reply.status, reply.code) == (404, "NoSuchKey")
    remote.put_there("later", b"now")
    assert remote.get("later").body == b"now"


@pytest.mark.parametrize(
    ("status", "said", "told", "native"),
    [
        (403, "AccessDenied", (403, "AccessDenied"), 403),
        (503, "SlowDown", (503, "SlowDown"), 429),
        (500, "InternalError", (503, "ServiceUnavailable"), 503),
        (404, "NoSuchBucket", (404, "NoSuchBucket"), 404),
        (400, "ExpiredToken", (403, "AccessDenied"), 403),
    ],
)
def test_errors_of_the_remote_are_told_by_their_kind(
    remote: Remote,
    faults: FaultProxy,
    status: int,
    said: str,
    told: tuple[int, str],
    native: int,
) -> None:
    remote.put_there("k", LARGE)
    body = f"<Error><Code>{said}</Code><Message>no</Message></Error>".encode()
    faults.add(Fault("GET", "/k", status=status, times=99, body=body))
    for headers in ({}, {"range": "bytes=5-9"}):
        reply = remote.get("k", **headers)
        assert (reply.status, reply.code) == told
        told_natively = remote.native("GET", "k", headers=headers)
        assert told_natively.status == native
        assert f"aws://{remote.name}" in json.loads(told_natively.body)["message"]
    assert f"aws://{remote.name}" in (reply.xml.findtext("Message") or "")
    assert not remote.is_cached("k")
    faults.reset()
    assert remote.get("k").body == LARGE


def test_a_storm_of_503_passes(remote: Remote, faults: FaultProxy) -> None:
    remote.put_there("k", LARGE)
    faults.add(Fault("GET", "/k", status=503, times=2, headers={"Retry-After": "0"}))
    assert remote.get("k").body == LARGE
    assert faults.count("GET", "/k") == 3
    assert remote.is_cached("k")


def latest(remote: Remote, text: str) -> Reply:
    params: dict[str, Any] = {"latest-ver": text}
    return remote.native("GET", "k", **params)


def test_latest_compares_with_the_remote(remote: Remote) -> None:
    remote.put_there("k", b"old")
    assert remote.get("k").body == b"old"
    remote.put_there("k", b"new!")
    assert remote.get("k").body == b"old"
    assert remote.native("GET", "k").body == b"old"
    assert latest(remote, "true").body == b"new!"
    assert remote.get("k").body == b"new!"
    remote.there.delete_object(Bucket=remote.name, Key="k")
    assert latest(remote, "true").status == 404
    assert latest(remote, "what").status == 400
    assert remote.get("k").body == b"new!"


def test_a_window_that_synchronizes_drops_what_the_remote_has_lost(
    window: Callable[..., Remote],
) -> None:
    remote = window(versioning={"validate_warm_get": True, "synchronize": True})
    remote.put_there("k", b"old")
    assert remote.get("k").body == b"old"
    remote.put_there("k", b"new!")
    assert remote.get("k").body == b"new!"
    remote.there.delete_object(Bucket=remote.name, Key="k")
    assert remote.get("k").status == 404
    assert not remote.is_cached("k")


def test_cold_gets_may_be_disabled(window: Callable[..., Remote]) -> None:
    remote = window(features="Disable-Cold-GET")
    remote.put_there("k", b"data")
    assert remote.native("HEAD", "k").status == 200
    assert 400 <= remote.get("k").status < 500
    assert 400 <= remote.native("GET", "k").status < 500
    remote.set_props(features="none")
    assert remote.get("k").body == b"data"


def test_head_tells_what_is_in_the_cluster(remote: Remote) -> None:
    remote.put_there("k", b"data")
    reply = remote.native("HEAD", "k")
    assert (reply.headers["ais-present"], reply.headers["content-length"]) == ("false", "4")
    assert remote.native("HEAD", "k", presence="2").status == 404
    assert remote.native("HEAD", "k", presence="5").status == 200
    remote.get("k")
    assert remote.native("HEAD", "k").headers["ais-present"] == "true"
    assert remote.native("HEAD", "k", presence="2").status == 200
    assert remote.native("HEAD", "k", presence="5").status == 404


def test_a_condition_that_fails_brings_nothing(remote: Remote, faults: FaultProxy) -> None:
    etag = remote.put_there("k", LARGE)
    assert remote.get("k", if_none_match=f'"{etag}"').status == 304
    assert remote.get("k", if_match='"other"').status == 412
    assert faults.count("GET") == 0
    assert not remote.is_cached("k")


def test_members_of_an_archive_are_read_while_it_is_cold(
    remote: Remote, faults: FaultProxy
) -> None:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for name, data in (("a", LARGE[: 9 * MiB]), ("b/c", b"inner")):
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    remote.put_there("shard.tar", packed.getvalue())
    with zipfile.ZipFile(zipped := io.BytesIO(), "w") as archive:
        archive.writestr("a", LARGE[: 9 * MiB])
        archive.writestr("b/c", b"inner")
    remote.put_there("shard.zip", zipped.getvalue())
    for key in ("shard.tar", "shard.zip"):
        reply = remote.native("GET", key, archpath="b/c")
        assert (reply.status, reply.body) == (200, b"inner")
        cached_soon(remote, key)
        assert remote.native("GET", key, archpath="a").body == LARGE[: 9 * MiB]
        assert sum(seen.method == "GET" for seen in faults.requests if key in seen.target) <= 9


def test_a_cold_object_is_copied(remote: Remote, cache: Node, here: Any) -> None:
    etag = remote.put_there("k", LARGE)
    here.create_bucket(Bucket=f"{remote.name}-own")
    source = {"Bucket": remote.name, "Key": "k"}
    try:
        here.copy_object(Bucket=f"{remote.name}-own", Key="k", CopySource=source)
        reply = here.get_object(Bucket=f"{remote.name}-own", Key="k")
        assert (reply["ETag"].strip('"'), reply["Body"].read()) == (etag, LARGE)
    finally:
        empty_and_remove(here, f"{remote.name}-own")


def test_verified_gets_answer_with_an_error_instead_of_a_short_body(
    window: Callable[..., Remote], faults: FaultProxy
) -> None:
    remote = window(cold_get={"verify_first": True})
    remote.put_there("k", LARGE)
    faults.add(Fault("GET", "/k", corrupt=13 * MiB))
    reply = remote.get("k")
    assert (reply.status, reply.code != "") == (reply.status, True)
    assert reply.status >= 500
    assert not remote.is_cached("k")
    assert remote.get("k").body == LARGE
