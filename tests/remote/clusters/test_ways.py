"""The way to another cluster: when it does not answer, over https, and ways that form a circle."""

from __future__ import annotations

import json
from pathlib import Path

from tests.harness import Node
from tests.remote.clusters.requests import Space, act, attach, detach, message
from tests.servers.certificates import make
from tests.servers.clusters import uuid_of
from tests.servers.faults import FaultProxy

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


def test_another_gateway_serves_when_one_has_gone(west: Node, third: Node) -> None:
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


def test_windows_that_form_a_circle_are_found_out(west: Node, third: Node) -> None:
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
