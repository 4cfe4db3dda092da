"""What the contract does not say of other clusters: gateways, redirects, tokens, odd replies."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from aisle.backend.ais import AisProvider
from aisle.backend.ais import replies as said
from aisle.backend.ais.refusals import Judgement
from aisle.backend.base import Backend
from aisle.core.clusters import VIA
from aisle.core.errors import (
    AisleError,
    ClusterNotAttached,
    InvalidArgument,
    NotSupported,
    RemoteBroken,
    RemoteBucketNotFound,
    RemoteDenied,
    RemoteLoop,
    RemoteObjectNotFound,
    RemoteRefused,
    RemoteThrottled,
    RemoteUnavailable,
)
from aisle.outgoing.request import Reply
from tests.backend.cases import new_name
from tests.backend.test_contract import get, outgoing
from tests.harness import Node, free_port
from tests.servers import s3
from tests.servers.clusters import token_of, uuid_of
from tests.servers.faults import Fault, FaultProxy
from tests.servers.gateway import Gateway
from tests.store.conftest import Run


@pytest.fixture(scope="module")
def server() -> Node:
    return s3.shared()


@pytest.fixture(scope="module")
def token(server: Node) -> str:
    return token_of(server)


@pytest.fixture
def name(server: Node) -> str:
    made = new_name()
    server.client().create_bucket(Bucket=made)
    return made


@pytest.fixture
def gateway(server: Node) -> Iterator[Gateway]:
    with Gateway(server.port, uuid_of(server)) as running:
        yield running


class Opened:
    """A provider and a bucket of the cluster at some addresses."""

    def __init__(self, server: Node, bucket: str, *urls: str, **environment: str) -> None:
        self.provider = AisProvider(environment)
        self.settings = {"backend.ais.east": f"{uuid_of(server)} {' '.join(urls)}", "uuid": "own"}
        self.backend: Backend = self.provider.open(bucket, self.settings, namespace="@east")


@pytest.fixture
def opened(server: Node, token: str, name: str, run: Run) -> Iterator[Any]:
    made: list[Opened] = []

    def make(*urls: str, **environment: str) -> Opened:
        environment = environment or {"AIS_REMOTE_TOKEN_EAST": token}
        made.append(Opened(server, name, *urls, **environment))
        return made[-1]

    yield make
    for one in made:
        run(one.provider.close())


# --- gateways -------------------------------------------------------------------------------


def test_the_next_gateway_is_asked_when_one_does_not_answer(
    opened: Any, server: Node, run: Run
) -> None:
    dead = f"http://127.0.0.1:{free_port()}"
    backend = opened(dead, server.root).backend
    run(backend.put("key", outgoing(b"body")))
    assert run(get(backend, "key")) == b"body"
    assert [entry.key for entry in run(backend.list()).entries] == ["key"]


def test_gateways_of_the_map_are_asked_when_no_address_answers(
    opened: Any, server: Node, run: Run
) -> None:
    with FaultProxy(server.port) as proxy:
        backend = opened(proxy.endpoint, f"http://127.0.0.1:{server.port}").backend
        run(backend.put("key", outgoing(b"body")))
    assert run(get(backend, "key")) == b"body"


def test_a_cluster_that_does_not_answer_is_told(opened: Any, run: Run) -> None:
    with pytest.raises(RemoteUnavailable, match=r"^ais://@east/remote-"):
        run(opened(f"http://127.0.0.1:{free_port()}").backend.head("key"))


def test_another_cluster_at_the_address_is_not_used(
    opened: Any, gateway: Gateway, run: Run
) -> None:
    backend = opened(gateway.url).backend
    run(backend.put("key", outgoing(b"body")))
    gateway.uuid = "another"
    fresh = opened(gateway.url).backend
    with pytest.raises(RemoteUnavailable, match="another cluster by now"):
        run(fresh.head("key"))
    with pytest.raises(RemoteUnavailable, match="another cluster by now"):
        run(fresh.put("key", outgoing(b"other")))


def test_one_map_is_enough_for_many_requests(opened: Any, gateway: Gateway, run: Run) -> None:
    backend = opened(gateway.url).backend

    async def many() -> None:
        await backend.put("key", outgoing(b"body"))
        await asyncio.gather(*[backend.head("key") for _ in range(20)])

    run(many())
    maps = [path for _, path, _ in gateway.seen if "what=smap" in path]
    assert len(maps) == 1


# --- redirects ------------------------------------------------------------------------------


def test_a_body_is_sent_once_and_to_the_target(opened: Any, gateway: Gateway, run: Run) -> None:
    backend = opened(gateway.url).backend
    data = os.urandom(5 << 20)
    assert run(backend.put("dir/key", outgoing(data))).size == len(data)
    assert run(get(backend, "dir/key")) == data
    (put,) = [headers for method, _, headers in gateway.seen if method == "PUT"]
    assert put["content-length"] == str(len(data))
    assert put["connection"] == "close"


@pytest.mark.parametrize(
    "target", ["http://127.0.0.1:1", "http://evil.invalid", "ftp://x", "//x", "", "http://a@b"]
)
def test_no_redirect_leads_out_of_the_cluster(
    opened: Any, gateway: Gateway, run: Run, target: str
) -> None:
    backend = opened(gateway.url).backend
    gateway.target = target
    with pytest.raises(RemoteRefused, match=r"not in its map|in a circle") as refused:
        run(backend.head("key"))
    assert not isinstance(refused.value, RemoteLoop)
    with pytest.raises(RemoteRefused):
        run(backend.put("key", outgoing(b"body")))


def test_a_cluster_that_redirects_to_itself_forever_is_given_up(
    opened: Any, gateway: Gateway, run: Run
) -> None:
    backend = opened(gateway.url).backend
    gateway.target = gateway.url
    with pytest.raises(RemoteRefused, match="in a circle"):
        run(backend.head("key"))
    assert len([one for one in gateway.seen if one[0] == "HEAD"]) == 4


def test_metadata_reaches_a_cluster_that_takes_no_headers(
    opened: Any, gateway: Gateway, server: Node, name: str, run: Run
) -> None:
    backend = opened(gateway.url).backend
    meta = {"colour": "blue, and green", "ключ-".encode().hex(): "значение"}
    about = run(backend.put("key", outgoing(b"body", meta=meta)))
    assert about.meta == meta
    assert run(backend.head("key")).meta == meta
    assert [method for method, _, _ in gateway.seen if method == "PATCH"] == ["PATCH"]
    assert server.client().head_object(Bucket=name, Key="key")["Metadata"].keys() == meta.keys()


def test_conditions_are_refused_where_nothing_can_hold_them(
    opened: Any, gateway: Gateway, run: Run
) -> None:
    backend = opened(gateway.url).backend
    for more in ({"if_none_match": True}, {"if_match": "abc"}):
        with pytest.raises(NotSupported, match="cannot hold the condition"):
            run(backend.put("key", outgoing(b"body", **more)))
    with pytest.raises(RemoteObjectNotFound):
        run(backend.head("key"))


# --- what goes wrong ------------------------------------------------------------------------


def test_a_body_that_is_cut_off_is_broken(opened: Any, server: Node, run: Run) -> None:
    with FaultProxy(server.port) as proxy:
        backend = opened(proxy.endpoint).backend
        run(backend.put("key", outgoing(os.urandom(100_000))))
        proxy.add(Fault("GET", "/objects/", times=9, cut=50_000))
        with pytest.raises(RemoteBroken):
            run(get(backend, "key"))


def test_a_busy_cluster_is_asked_again(opened: Any, server: Node, run: Run) -> None:
    with FaultProxy(server.port) as proxy:
        backend = opened(proxy.endpoint).backend
        run(backend.put("key", outgoing(b"body")))
        proxy.add(Fault("GET", "/objects/", times=2, status=503))
        proxy.add(Fault("HEAD", "/objects/", times=2, status=429))
        assert run(get(backend, "key")) == b"body"
        assert run(backend.head("key")).size == 4


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ({"content-range": "bytes 0-3/4"}, b"body"),
        ({}, b"{"),
    ],
)
def test_a_reply_that_is_not_what_was_asked_for_is_broken(
    opened: Any, server: Node, run: Run, headers: dict[str, str], body: bytes
) -> None:
    with FaultProxy(server.port) as proxy:
        backend = opened(proxy.endpoint).backend
        run(backend.put("key", outgoing(b"0123456789")))
        proxy.add(Fault("GET", "/objects/", status=206, headers=headers, body=body))
        with pytest.raises(RemoteBroken):
            run(get(backend, "key"))


@pytest.mark.parametrize("body", [b"", b"{}", b"\xc1", b"[" * 100_000, b"\x81\xa7Entries\x01"])
def test_a_listing_that_makes_no_sense_is_refused(
    opened: Any, server: Node, run: Run, body: bytes
) -> None:
    with FaultProxy(server.port) as proxy:
        backend = opened(proxy.endpoint).backend
        run(backend.facts())
        proxy.add(Fault("GET", "/buckets/", status=200, body=body))
        with pytest.raises(RemoteRefused, match="makes no sense"):
            run(backend.list())


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b'{"uuid": "u"}', b"[" * 100_000, b'{"\\ud800": 1}']
)
def test_what_is_no_map_is_refused(opened: Any, server: Node, run: Run, body: bytes) -> None:
    with FaultProxy(server.port) as proxy:
        proxy.add(Fault("GET", "what=smap", status=200, body=body))
        with pytest.raises(RemoteRefused, match="does not answer as a cluster does"):
            run(opened(proxy.endpoint).backend.facts())


@pytest.mark.parametrize(
    "body", [b"", b"{}", b"[1]", b'[{"name": 7}]', b"[" * 100_000, b'[{"name": "\\ud800"}]']
)
def test_a_list_of_buckets_that_makes_no_sense_is_refused(
    opened: Any, server: Node, run: Run, body: bytes
) -> None:
    with FaultProxy(server.port) as proxy:
        one = opened(proxy.endpoint)
        run(one.backend.facts())
        proxy.add(Fault("GET", "/v1/buckets?", status=200, body=body))
        with pytest.raises(RemoteRefused, match="makes no sense"):
            run(one.provider.buckets(one.settings, namespace="@east"))


def test_buckets_that_could_not_be_called_so_here_are_left_out() -> None:
    rows = [
        {"name": name, "provider": "ais", "namespace": space}
        for name, space in (
            ("ok", None),
            ("a/b", None),
            ("\n", None),
            ("other", {"uuid": "u", "name": ""}),
            ("spaced", {"uuid": "", "name": "ns"}),
        )
    ]
    rows.append({"name": "cloud", "provider": "aws", "namespace": None})
    raw = json.dumps(rows).encode()
    assert said.bucket_names(raw, "") == ["ok"]
    assert said.bucket_names(raw, "ns") == ["spaced"]
    assert said.bucket_names(b"null", "") == []


@pytest.mark.parametrize(
    "token", ["x", "[]", '["page"]', '["group","a","b"]', '["page",1,2]', "[" * 9999]
)
def test_a_token_of_another_listing_is_refused(
    opened: Any, server: Node, run: Run, token: str
) -> None:
    with pytest.raises(InvalidArgument, match="continuation token"):
        run(opened(server.root).backend.list(token=token))


def test_any_delimiter_gathers_prefixes(opened: Any, server: Node, run: Run) -> None:
    backend = opened(server.root).backend
    keys = ["a", "b--1", "b--2", "c", "d--x--1", "d--y", "e"]
    for key in keys:
        run(backend.put(key, outgoing(b"x")))

    async def pages(limit: int, **more: str) -> tuple[list[str], list[str]]:
        entries: list[str] = []
        prefixes: list[str] = []
        token = ""
        while True:
            page = await backend.list(delimiter="--", limit=limit, token=token, **more)
            assert len(page.entries) + len(page.prefixes) <= limit
            entries += [entry.key for entry in page.entries]
            prefixes += page.prefixes
            token = page.token
            if not token:
                return entries, prefixes

    for limit in (1, 2, 3, 1000):
        assert run(pages(limit)) == (["a", "c", "e"], ["b--", "d--"])
    assert run(pages(10, prefix="d--")) == (["d--y"], ["d--x--"])
    assert run(pages(10, after="c")) == (["e"], ["d--"])


# --- clusters and tokens --------------------------------------------------------------------


def test_a_cluster_that_is_not_attached_has_no_buckets(opened: Any, server: Node, run: Run) -> None:
    one = opened(server.root)
    for space in ("@west", "@"):
        with pytest.raises((ClusterNotAttached, InvalidArgument)):
            one.provider.open("b", one.settings, namespace=space)
    with pytest.raises(InvalidArgument, match="ais://@CLUSTER/BUCKET"):
        one.provider.open("b", one.settings)


def test_without_a_token_the_cluster_denies_and_says_so(
    opened: Any, server: Node, run: Run
) -> None:
    backend = opened(server.root, AIS_REMOTE_TOKEN_WEST="another").backend
    with pytest.raises(RemoteDenied, match="denied"):
        run(backend.facts())


def test_a_token_file_is_read_anew_when_it_changes(
    opened: Any, server: Node, token: str, tmp_path: Path, run: Run, monkeypatch: Any
) -> None:
    monkeypatch.setattr("aisle.backend.ais.tokens._SECONDS", 0.0)
    path = tmp_path / "token"
    path.write_text("secret-that-is-wrong\n")
    backend = opened(server.root, AIS_REMOTE_TOKEN_FILE_EAST=str(path)).backend
    with pytest.raises(RemoteDenied) as denied:
        run(backend.facts())
    assert "secret" not in str(denied.value)
    path.write_text(json.dumps({"token": token}))
    run(backend.facts())
    path.unlink()
    with pytest.raises(RemoteDenied, match="cannot be read"):
        run(backend.facts())
    for text in ("", "{}", '{"token": 7}', "two words", "x" * 70_000, "ключ"):
        path.write_text(text)
        with pytest.raises(RemoteDenied) as denied:
            run(backend.facts())
        assert "words" not in str(denied.value)


def test_a_token_is_in_no_representation(opened: Any, server: Node, token: str, run: Run) -> None:
    one = opened(server.root)
    run(one.backend.facts())
    for value in (one.provider, one.backend, one.settings, *vars(one.backend).values()):
        assert token not in repr(value)


def test_a_request_that_has_been_here_is_not_sent_on(
    opened: Any, gateway: Gateway, run: Run
) -> None:
    backend = opened(gateway.url).backend

    async def circle(*way: str) -> None:
        VIA.set(way)
        await backend.head("key")

    with pytest.raises(RemoteLoop):
        run(circle("other", "own"))
    with pytest.raises(RemoteRefused, match="8 clusters already"):
        run(circle(*"abcdefgh"))
    assert gateway.seen == []
    with pytest.raises(RemoteObjectNotFound):
        run(circle("other"))
    assert gateway.seen[-1][2]["ais-via"] == "other,own"


def test_addresses_of_two_clusters_are_not_one(
    opened: Any, gateway: Gateway, server: Node, run: Run
) -> None:
    one = opened(server.root)
    gateway.uuid = "another"
    with pytest.raises(InvalidArgument, match="are two clusters"):
        run(one.provider.look("east", [server.root, gateway.url], one.settings))


# --- replies --------------------------------------------------------------------------------


def test_what_aistore_notes_of_a_remote_object_is_no_metadata() -> None:
    headers = {
        "ais-custom-md": "source=aws",
        "ais-checksum-type": "xxhash2",
        "ais-checksum-value": "44bc2cf5ad770999",
        "ais-version": "3",
    }
    about = said.described("key", headers, 3)
    assert (about.etag, about.version, about.meta) == ("44bc2cf5ad770999", "3", {})
    assert about.checksums == {"xxhash2": "44bc2cf5ad770999"}
    mine = said.described("key", {"ais-custom-md": "md5=mine"}, 3)
    assert (mine.meta, mine.checksums) == ({"md5": "mine"}, {})


@pytest.mark.parametrize(
    ("kind", "value"),
    [("md5", "zz"), ("md5", "ab"), ("none", ""), ("odd", "00"), ("xxhash", "x" * 16)],
)
def test_a_checksum_that_is_none_is_not_believed(kind: str, value: str) -> None:
    headers = {"ais-checksum-type": kind, "ais-checksum-value": value}
    assert said.described("key", headers, 0).checksums == {}


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"last-modified": "Tue, 01 Jan 2030 00:00:00 GMT"}, 1893456000),
        ({"last-modified": "nonsense", "ais-atime": "5000000000"}, 5),
        ({"ais-atime": "nonsense"}, 0),
        ({"ais-atime": "9" * 30}, 0),
    ],
)
def test_when_an_object_was_changed_is_read_from_what_is_told(
    headers: dict[str, str], seconds: int
) -> None:
    assert said.described("key", headers, 0).mtime == seconds * 10**9


def test_a_listed_entry_tells_what_its_custom_metadata_does() -> None:
    text = "map[ETag:abc LastModified:2030-01-01T00:00:00.123456789Z x:ETag:y]"
    entry = said.listed(said.Entry(n="key", cs="0" * 32, m=text, s=-5, v="2"))
    assert (entry.etag, entry.size, entry.version) == ("abc", 0, "2")
    assert entry.mtime // 10**9 == 1893456000
    assert entry.checksums == {"md5": "0" * 32}


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, RemoteRefused), (401, RemoteDenied), (403, RemoteDenied), (404, RemoteObjectNotFound),
        (409, RemoteRefused), (412, RemoteRefused), (416, RemoteRefused), (429, RemoteThrottled),
        (500, RemoteUnavailable), (501, RemoteRefused), (503, RemoteUnavailable),
        (507, RemoteRefused), (508, RemoteRefused),
    ],
)  # fmt: skip
def test_every_status_has_its_error(status: int, error: type[AisleError]) -> None:
    judge = Judgement("ais://@east/b", "key")
    for body in (b"", b"nonsense", b"[1]", b"[" * 99_999, b'{"message": 7, "tcode": []}'):
        refusal = judge(Reply(status, {}, body))
        assert refusal is not None
        assert isinstance(refusal.error, error)
        assert "ais://@east/b" in str(refusal.error)
        assert refusal.passing == (status in (429, 500, 503))


def test_a_text_from_elsewhere_is_short_and_has_no_secret() -> None:
    said_there = json.dumps({"message": "no\nway " + "Bearer eyJhbGciOiJIUzI1.eyJ4.y " + "x" * 999})
    refusal = Judgement("b", "key")(Reply(400, {}, said_there.encode()))
    assert refusal is not None
    text = str(refusal.error)
    assert "eyJ" not in text
    assert "\n" not in text
    assert len(text) < 400


@pytest.mark.parametrize(
    "body",
    [
        b'{"tcode": "ErrBucketNotFound", "message": "x"}',
        b'{"tcode": "ErrBckNotFound"}',
        b'{"message": "bucket \\"ais://b\\" does not exist"}',
    ],
)
def test_an_absent_bucket_is_told_from_an_absent_object(body: bytes) -> None:
    for reply in (Reply(404, {}, body), Reply(404, {"hdr-error": body.decode()}, b"")):
        refusal = Judgement("b", "key")(reply)
        assert refusal is not None
        assert isinstance(refusal.error, RemoteBucketNotFound)
