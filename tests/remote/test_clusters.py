"""Another cluster's buckets, end to end: two real nodes, and what may happen between them.

`east` has the buckets, with authorisation on; `west` is attached to it, has a token of its own in a
file, and has windows on them.
"""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from aistore import Client
from aistore.sdk.namespace import Namespace

from tests.conftest import empty_and_remove
from tests.harness import SECRET_KEY, Node, Reply, free_port
from tests.servers.certificates import make
from tests.servers.faults import Fault, FaultProxy

JSON = {"content-type": "application/json"}


def act(node: Node, method: str, target: str, action: str, value: object = None) -> Reply:
    body = json.dumps({"action": action, "value": value}).encode()
    return node.send(method, target, body=body, headers=JSON)


def attach(node: Node, alias: str, url: str) -> Reply:
    return node.send("PUT", f"/v1/cluster/attach?what=remote&{alias}={quote(url, safe='')}")


def detach(node: Node, alias: str) -> None:
    reply = node.send("PUT", f"/v1/cluster/detach?what=remote&{alias}=")
    assert reply.status == 200, reply.body


def message(reply: Reply) -> str:
    return str(json.loads(reply.body)["message"])


def uuid_of(node: Node) -> str:
    return str(json.loads(node.send("GET", "/v1/daemon?what=smap").body)["uuid"])


def token_of(node: Node) -> str:
    body = json.dumps({"password": SECRET_KEY}).encode()
    return str(json.loads(node.send("POST", "/v1/users/root", body=body).body)["token"])


class Space:
    """The bucket `name` of a cluster as `node` sees it, by an alias or the uuid."""

    def __init__(self, node: Node, name: str, cluster: str = "east") -> None:
        self.node = node
        self.name = name
        self.query = urlencode({"provider": "ais", "namespace": f"@{cluster}"})

    def bucket(self, method: str, action: str = "", value: object = None) -> Reply:
        return act(self.node, method, f"/v1/buckets/{self.name}?{self.query}", action, value)

    def object(self, method: str, key: str, body: bytes = b"", **headers: str) -> Reply:
        target = f"/v1/objects/{self.name}/{quote(key)}?{self.query}"
        fields = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.node.send(method, target, body=body, headers=fields)

    def names(self, **value: Any) -> list[str]:
        reply = self.bucket("GET", "list", {"props": "name,size,cached", **value})
        assert reply.status == 200, reply.body
        return [entry["name"] for entry in json.loads(reply.body)["entries"] or ()]

    def cached(self) -> list[str]:
        return self.names(flags="1")


@pytest.fixture(scope="module")
def east(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    running = Node(tmp_path_factory.mktemp("east") / "data", workers=1).start()
    yield running
    assert running.stop() == 0, running.log_tail()


@pytest.fixture(scope="module")
def proxy(east: Node) -> Iterator[FaultProxy]:
    with FaultProxy(east.port) as running:
        yield running


@pytest.fixture(scope="module")
def token_file(east: Node, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("token") / "auth.token"
    path.write_text(json.dumps({"token": token_of(east)}))
    return path


@pytest.fixture(scope="module")
def attached_west(
    proxy: FaultProxy, token_file: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Node]:
    environment = {"AIS_REMOTE_TOKEN_FILE_EAST": str(token_file)}
    data = tmp_path_factory.mktemp("west") / "data"
    running = Node(data, auth=False, environment=environment).start()
    reply = attach(running, "east", proxy.endpoint)
    assert reply.status == 200, reply.body
    yield running
    assert running.stop() == 0, running.log_tail()


@pytest.fixture
def west(attached_west: Node, proxy: FaultProxy) -> Iterator[Node]:
    proxy.reset()
    yield attached_west
    proxy.reset()


@pytest.fixture
def bucket(east: Node, west: Node) -> Iterator[str]:
    """A bucket of the east; a window on it comes with its first use."""
    name = f"far-{uuid.uuid4().hex[:12]}"
    client = east.client()
    client.create_bucket(Bucket=name)
    yield name
    Space(west, name).bucket("DELETE", "evict-remote-bck")
    empty_and_remove(client, name)


# --- attaching ------------------------------------------------------------------------------


def test_what_is_attached_is_told(west: Node, east: Node, proxy: FaultProxy) -> None:
    told = json.loads(west.send("GET", "/v1/cluster?what=remote").body)
    (one,) = told["a"]
    assert int(told["ver"]) > 0
    assert (one["alias"], one["uuid"], one["url"]) == ("east", uuid_of(east), proxy.endpoint)
    assert (one["online"], one["smap"]["uuid"], len(one["smap"]["tmap"])) == (
        True, uuid_of(east), 1,
    )  # fmt: skip
    config = json.loads(west.send("GET", "/v1/cluster?what=cluster_config").body)
    assert config["backend"] == {"ais": {"east": [proxy.endpoint]}}


def headers_form(node: Node, alias: str, url: str) -> Reply:
    headers = {"Ais-Remote-Ais-Alias": alias, "Ais-Remote-Ais-Url": url}
    return node.send("PUT", "/v1/cluster/attach?what=remote", headers=headers)


def named_form(node: Node, alias: str, url: str) -> Reply:
    return node.send("PUT", f"/v1/cluster/attach?{urlencode({'alias': alias, 'url': url})}")


def body_form(node: Node, alias: str, url: str) -> Reply:
    return node.send("PUT", "/v1/cluster/attach", body=json.dumps({alias: [url]}).encode())


def message_form(node: Node, alias: str, url: str) -> Reply:
    value = {"action": "attach", "value": {alias: url}}
    return node.send("PUT", "/v1/cluster/attach", body=json.dumps(value).encode())


@pytest.fixture(scope="module")
def third(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    running = Node(tmp_path_factory.mktemp("third") / "data", workers=1, auth=False).start()
    yield running
    assert running.stop() == 0, running.log_tail()


@pytest.mark.parametrize("form", [attach, headers_form, named_form, body_form, message_form])
def test_a_cluster_is_attached_in_every_form_and_detached(
    west: Node, third: Node, form: Callable[[Node, str, str], Reply]
) -> None:
    assert form(west, "third", third.root).status == 200
    known = json.loads(west.send("GET", "/v1/cluster?what=remote").body)["a"]
    assert {one["alias"]: one["uuid"] for one in known}["third"] == uuid_of(third)
    if form is attach:
        detach(west, "third")
    elif form is headers_form:
        headers = {"Ais-Remote-Ais-Alias": "third"}
        assert west.send("PUT", "/v1/cluster/detach?what=remote", headers=headers).status == 200
    elif form is body_form:
        body = json.dumps({"third": []}).encode()
        assert west.send("PUT", "/v1/cluster/detach", body=body).status == 200
    else:
        target = f"/v1/cluster/detach?alias={uuid_of(third)}"  # its uuid will do
        assert west.send("PUT", target).status == 200
    known = json.loads(west.send("GET", "/v1/cluster?what=remote").body)["a"]
    assert [one["alias"] for one in known] == ["east"]


def test_a_cluster_gets_another_url_or_alias(west: Node, third: Node) -> None:
    other = f"http://127.0.0.1:{third.port}"
    for alias, url in (("third", third.root), ("third", other), ("tertium", third.root)):
        assert attach(west, alias, url).status == 200
    config = json.loads(west.send("GET", "/v1/cluster?what=cluster_config").body)["backend"]["ais"]
    assert config.keys() == {"east", "tertium"}
    assert sorted(config["tertium"]) == sorted([third.root, other])
    detach(west, "tertium")


def test_what_cannot_be_attached_is_refused(
    west: Node, east: Node, third: Node, proxy: FaultProxy
) -> None:
    dead = f"http://127.0.0.1:{free_port()}"
    for alias, url, text in (
        ("a b", third.root, "an alias has"),
        ("", third.root, "name what to attach"),
        ("x", "", "address of a cluster is missing"),
        ("x", "third:8080", "is http://HOST:PORT"),
        ("x", "http://u:hidden@h", "is http://HOST:PORT"),
        ("x", dead, 'cluster "x" cannot be attached'),
        ("x", proxy.endpoint, "denied"),  # the token is the alias east's
        ("x", f"{third.root}, {dead}", 'cluster "x" cannot be attached'),
        ("self", west.root, "cannot be attached to itself"),
        ("east", third.root, 'cluster "east" is already registered'),
        ("EAST", third.root, "too much like"),
        (uuid_of(east), third.root, "looks like the uuid"),
    ):
        reply = headers_form(west, alias, url)
        assert reply.status in (400, 409), (alias, url, reply.body)
        assert text in message(reply), (alias, url)
        assert "hidden" not in message(reply)
    for body in (b"[]", b"nonsense", b'{"x": 7}', b'{"x": [7]}', b"[" * 9999):
        assert west.send("PUT", "/v1/cluster/attach", body=body).status == 400
    reply = west.send("PUT", "/v1/cluster/detach?what=remote&nobody=")
    assert (reply.status, message(reply)) == (404, 'remote cluster "nobody" is not attached')
    known = json.loads(west.send("GET", "/v1/cluster?what=remote").body)["a"]
    assert [one["alias"] for one in known] == ["east"]


def test_a_server_that_is_no_cluster_is_refused(west: Node, third: Node) -> None:
    with FaultProxy(third.port) as proxy:
        for status, body in ((200, b"<html>"), (404, b""), (302, b""), (200, b'{"pmap": {}}')):
            proxy.add(Fault("GET", "what=smap", status=status, body=body))
            reply = attach(west, "x", proxy.endpoint)
            assert (reply.status, "cannot be attached" in message(reply)) == (400, True)


def test_only_administrators_attach(east: Node, third: Node) -> None:
    target = f"/v1/cluster/attach?third={quote(third.root, safe='')}"
    assert east.send("PUT", target, signed=False).status == 401
    assert east.send("PUT", "/v1/cluster/detach?third=", signed=False).status == 401


def test_a_reset_of_the_configuration_detaches_nothing(west: Node) -> None:
    assert act(west, "PUT", "/v1/cluster", "reset-config").status == 200
    known = json.loads(west.send("GET", "/v1/cluster?what=remote").body)["a"]
    assert [one["alias"] for one in known] == ["east"]


def test_no_token_is_told_or_logged(west: Node, token_file: Path, bucket: str) -> None:
    token = json.loads(token_file.read_text())["token"]
    Space(west, bucket).object("GET", "absent")
    for target in ("/v1/cluster?what=remote", "/v1/cluster?what=cluster_config"):
        assert token not in west.send("GET", target).body.decode()
    assert token not in west.log.read_text()


# --- windows --------------------------------------------------------------------------------


def test_a_window_is_one_by_alias_and_by_uuid(west: Node, east: Node, bucket: str) -> None:
    east.client().put_object(Bucket=bucket, Key="dir/a b", Body=b"body", Metadata={"m": "v"})
    by_alias, by_uuid = Space(west, bucket), Space(west, bucket, uuid_of(east))
    reply = by_alias.object("GET", "dir/a b")
    assert (reply.status, reply.body) == (200, b"body")
    assert "m=v" in reply.headers["ais-custom-md"].split(", ")
    assert by_uuid.cached() == by_alias.cached() == ["dir/a b"]
    rows = json.loads(west.send("GET", "/v1/buckets?provider=ais&presence=2").body)
    space = {"uuid": uuid_of(east), "name": ""}
    assert {"name": bucket, "provider": "ais", "namespace": space} in rows
    props = json.loads(by_uuid.bucket("HEAD").headers["ais-bucket-props"])
    assert props["provider"] == "ais"


def test_a_cached_object_needs_no_request(
    west: Node, east: Node, bucket: str, proxy: FaultProxy
) -> None:
    data = os.urandom(300_000)
    east.client().put_object(Bucket=bucket, Key="key", Body=data)
    window = Space(west, bucket)
    assert window.object("GET", "key").body == data
    asked = proxy.count(text="/objects/")
    assert window.object("GET", "key").body == data
    assert window.object("GET", "key", Range="bytes=5-9").body == data[5:10]
    assert proxy.count(text="/objects/") == asked


def test_a_write_goes_through(west: Node, east: Node, bucket: str) -> None:
    window, there = Space(west, bucket), east.client()
    reply = window.object("PUT", "key", b"first")
    assert reply.status == 200, reply.body
    head = there.head_object(Bucket=bucket, Key="key")
    assert there.get_object(Bucket=bucket, Key="key")["Body"].read() == b"first"
    assert reply.headers["etag"] == head["ETag"]
    assert window.object("GET", "key").body == b"first"
    assert window.object("DELETE", "key").status == 200
    assert there.list_objects_v2(Bucket=bucket)["KeyCount"] == 0
    assert window.object("GET", "key").status == 404


def test_a_listing_has_what_is_there_and_what_is_cached(
    west: Node, east: Node, bucket: str
) -> None:
    there = east.client()
    for key in ("a", "b/1", "b/2", "c"):
        there.put_object(Bucket=bucket, Key=key, Body=b"x")
    window = Space(west, bucket)
    window.object("GET", "b/1")
    assert window.names() == ["a", "b/1", "b/2", "c"]
    assert window.cached() == ["b/1"]
    assert window.names(prefix="b/", pagesize=1) == ["b/1"]


def test_s3_clients_reach_it_through_a_bucket_in_front(west: Node, east: Node, bucket: str) -> None:
    here, there, front = west.client(), east.client(), f"front-{uuid.uuid4().hex[:8]}"
    here.create_bucket(Bucket=front)
    value = {"backend_bck": {"name": bucket, "provider": "ais", "namespace": {"uuid": "east"}}}
    reply = act(west, "PATCH", f"/v1/buckets/{front}", "set-bprops", value)
    assert reply.status == 200, reply.body
    about = {
        "ContentType": "text/plain",
        "CacheControl": "no-store",
        "ContentDisposition": 'attachment; filename="a b"',
        "Metadata": {"colour": "blue, and green", "empty": ""},
    }
    put = here.put_object(Bucket=front, Key="key", Body=b"body", **about)
    for client, name in ((there, bucket), (here, front)):
        head = client.head_object(Bucket=name, Key="key")
        assert {field: head[field] for field in about} == about
        assert head["ETag"] == put["ETag"]
    other = there.put_object(Bucket=bucket, Key="other", Body=b"x" * 100, **about)
    found = here.get_object(Bucket=front, Key="other")
    assert found["Body"].read() == b"x" * 100
    assert {field: found[field] for field in about} == about
    listed = {
        row["Key"]: (row["ETag"], row["LastModified"])
        for row in here.list_objects_v2(Bucket=front)["Contents"]
    }
    assert listed == {
        row["Key"]: (row["ETag"], row["LastModified"])
        for row in there.list_objects_v2(Bucket=bucket)["Contents"]
    }
    assert listed["other"][0] == other["ETag"]
    act(west, "DELETE", f"/v1/buckets/{front}", "destroy-bck")
    assert there.head_object(Bucket=bucket, Key="key")["ETag"] == put["ETag"]


def test_conditions_of_writes_hold(west: Node, east: Node, bucket: str) -> None:
    window = Space(west, bucket)
    window.object("PUT", "key", b"first")
    etag = east.client().put_object(Bucket=bucket, Key="key", Body=b"behind")["ETag"]
    refused = window.object("PUT", "key", b"second", If_None_Match="*")
    assert refused.status == 412
    assert window.object("PUT", "key", b"second", If_Match='"0"').status == 412
    assert window.object("PUT", "key", b"second", If_None_Match='"0"').status == 501
    assert window.object("PUT", "key", b"third", If_Match=etag).status == 200
    assert window.object("GET", "key").body == b"third"


def test_all_buckets_of_other_clusters_are_listed(
    west: Node, east: Node, third: Node, bucket: str
) -> None:
    assert attach(west, "third", third.root).status == 200
    third.client().create_bucket(Bucket="of-the-third")
    act(third, "POST", "/v1/buckets/spaced?namespace=%23ns", "create-bck")

    def names(space: str) -> list[str]:
        reply = west.send("GET", f"/v1/buckets?provider=ais&namespace={quote(space, safe='')}")
        assert reply.status == 200, reply.body
        return [row["name"] for row in json.loads(reply.body)]

    assert {bucket, "of-the-third"} <= set(names("@"))
    assert names("@third") == ["of-the-third"]
    assert names("@third#ns") == ["spaced"]
    assert bucket in names("@east")
    assert Space(west, "spaced", "third#ns").object("PUT", "key", b"x").status == 200
    key = third.send("GET", "/v1/objects/spaced/key?namespace=%23ns")
    assert (key.status, key.body) == (200, b"x")
    for name, cluster in (("of-the-third", "third"), ("spaced", "third#ns")):
        Space(west, name, cluster).bucket("DELETE", "evict-remote-bck")
    detach(west, "third")


def test_an_absent_bucket_or_object_is_told(west: Node, bucket: str) -> None:
    window = Space(west, bucket)
    assert window.object("GET", "absent").status == 404
    assert window.object("HEAD", "absent").status == 404
    reply = Space(west, "absent-bucket-9").object("GET", "key")
    assert reply.status == 404
    assert "ais://" in message(reply)
    reply = Space(west, bucket, "nobody").object("GET", "key")
    assert (reply.status, message(reply)) == (404, 'remote cluster "nobody" is not attached')


def test_nvidias_sdk_reaches_it(west: Node, east: Node, bucket: str) -> None:
    east.client().put_object(Bucket=bucket, Key="there", Body=b"from the east")
    for cluster in ("east", uuid_of(east)):
        window = Client(west.root).bucket(bucket, namespace=Namespace(uuid=cluster))
        assert window.object("there").get_reader().read_all() == b"from the east"
        window.object("here").get_writer().put_content(b"from the west")
        assert [entry.name for entry in window.list_all_objects()] == ["here", "there"]
        assert window.object("here").head().size == 13
    body = east.client().get_object(Bucket=bucket, Key="here")["Body"].read()
    assert body == b"from the west"
    found = Client(west.root).cluster().list_buckets(provider="ais")
    assert (bucket, uuid_of(east)) in {(one.name, one.namespace.uuid) for one in found}


# --- when it does not answer ----------------------------------------------------------------


def test_a_dead_cluster_is_told_and_what_is_cached_is_served(west: Node, tmp_path: Path) -> None:
    far = Node(tmp_path / "far", workers=1, auth=False).start()
    try:
        client = far.client()
        client.create_bucket(Bucket="far")
        for key in ("warm", "cold"):
            client.put_object(Bucket="far", Key=key, Body=key.encode())
        assert attach(west, "far", far.root).status == 200
        window = Space(west, "far", "far")
        assert window.object("GET", "warm").body == b"warm"
        far.kill()
        assert window.object("GET", "warm").body == b"warm"
        assert window.cached() == ["warm"]
        for reply in (window.object("GET", "cold"), window.object("PUT", "new", b"x")):
            assert reply.status == 503, reply.body
            assert "ais://@far" in message(reply)
        told = json.loads(west.send("GET", "/v1/cluster?what=remote").body)["a"]
        (one,) = [one for one in told if one["alias"] == "far"]
        assert (one["online"], one["smap"]) == (False, None)
        far.start()
        assert window.object("GET", "cold").body == b"cold"
        assert window.object("GET", "new").status == 404
        detach(west, "far")
        reply = window.object("GET", "cold")
        assert (reply.status, message(reply)) == (404, 'remote cluster "far" is not attached')
        by_uuid = Space(west, "far", uuid_of(far))
        assert by_uuid.object("GET", "warm").body == b"warm"
        reply = by_uuid.object("GET", "absent")
        assert (reply.status, "is not attached" in message(reply)) == (404, True)
        assert by_uuid.bucket("DELETE", "evict-remote-bck").status == 200
    finally:
        far.kill()


def test_another_gateway_serves_when_one_has_gone(
    west: Node, east: Node, third: Node, bucket: str
) -> None:
    third.client().create_bucket(Bucket="two-ways")
    third.client().put_object(Bucket="two-ways", Key="key", Body=b"body")
    with FaultProxy(third.port) as other:
        assert attach(west, "third", other.endpoint).status == 200
        assert attach(west, "third", third.root).status == 200
    window = Space(west, "two-ways", "third")
    assert window.object("GET", "key").body == b"body"
    assert window.object("PUT", "new", b"x").status == 200
    assert window.names() == ["key", "new"]
    window.bucket("DELETE", "evict-remote-bck")
    detach(west, "third")


def test_a_cluster_is_reached_by_https_if_its_certificate_is_good(tmp_path: Path) -> None:
    tls = make(tmp_path / "certificates")
    far = Node(tmp_path / "far", workers=1, auth=False, tls=tls).start()
    near = Node(
        tmp_path / "near", workers=1, auth=False, environment={"SSL_CERT_FILE": str(tls.ca)}
    ).start()
    try:
        far.client().create_bucket(Bucket="far")
        assert attach(near, "far", far.root).status == 200
        window = Space(near, "far", "far")
        assert window.object("PUT", "key", b"x" * 100_000).status == 200
        assert far.client().head_object(Bucket="far", Key="key")["ContentLength"] == 100_000
        window.bucket("DELETE", "evict-remote-bck", {})
        assert window.object("GET", "key").body == b"x" * 100_000
        reply = attach(far, "near", far.root)  # which trusts nobody, not even itself
        assert (reply.status, "no secure connection" in message(reply)) == (400, True)
    finally:
        for node in (near, far):
            assert node.stop() == 0, node.log_tail()


# --- circles --------------------------------------------------------------------------------


def test_windows_that_form_a_circle_are_found_out(west: Node, third: Node, tmp_path: Path) -> None:
    """A bucket of the one has the other's behind it, and that the first one's."""
    assert attach(west, "third", third.root).status == 200
    assert attach(third, "west", west.root).status == 200
    for node in (west, third):
        node.client().create_bucket(Bucket="circle")
    for node, other in ((west, "third"), (third, "west")):
        value = {"backend_bck": {"name": "circle", "provider": "ais", "namespace": {"uuid": other}}}
        reply = act(node, "PATCH", "/v1/buckets/circle", "set-bprops", value)
        assert reply.status == 200, reply.body
    for node in (west, third):
        for method, body in (("GET", b""), ("PUT", b"body"), ("DELETE", b"")):
            reply = node.send(method, "/v1/objects/circle/key", body=body)
            assert reply.status in (400, 508), (method, reply.body)
            assert "form a circle" in message(reply)
        reply = act(node, "GET", "/v1/buckets/circle", "list", {})
        assert reply.status in (400, 508), reply.body
    # A request that names this cluster on its way has nothing to do with those that come after it.
    assert west.send("GET", "/v1/buckets", headers={"Ais-Via": uuid_of(west)}).status == 200
    for node in (west, third):
        assert act(node, "DELETE", "/v1/buckets/circle", "destroy-bck").status == 200
    detach(west, "third")
    detach(third, "west")


def test_a_way_that_makes_no_sense_is_refused(west: Node) -> None:
    reply = west.send("GET", "/v1/buckets", headers={"Ais-Via": "a b c"})
    assert (reply.status, "ais-via" in message(reply)) == (400, True)


def test_requests_of_others_say_nothing_of_ours(
    west: Node, east: Node, bucket: str, proxy: FaultProxy
) -> None:
    """The way of one request is not that of another on the same worker."""
    east.client().put_object(Bucket=bucket, Key="key", Body=b"body")
    own = uuid_of(west)
    window = Space(west, bucket)
    for number in range(20):
        looped = window.object("HEAD", f"absent-{number}", Ais_Via=own)
        assert looped.status in (400, 508)
        assert window.object("HEAD", f"absent-{number}").status == 404
    assert all(seen.headers.get("ais-via", own) == own for seen in proxy.requests)
