"""Other clusters are attached and detached: every form of the request, and what is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote, urlencode

import pytest

from tests.harness import Node, Reply, free_port
from tests.remote.clusters.requests import Space, act, attach, detach, headers_form, message
from tests.servers.clusters import uuid_of
from tests.servers.faults import Fault, FaultProxy


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


def named_form(node: Node, alias: str, url: str) -> Reply:
    return node.send("PUT", f"/v1/cluster/attach?{urlencode({'alias': alias, 'url': url})}")


def body_form(node: Node, alias: str, url: str) -> Reply:
    return node.send("PUT", "/v1/cluster/attach", body=json.dumps({alias: [url]}).encode())


def message_form(node: Node, alias: str, url: str) -> Reply:
    value = {"action": "attach", "value": {alias: url}}
    return node.send("PUT", "/v1/cluster/attach", body=json.dumps(value).encode())


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
