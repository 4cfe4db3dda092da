"""Work over many objects on the wire: copy-bck, and the actions that end in -listrange."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest

from tests.harness import Node, Reply
from tests.native.support import act, message, names, props, put, wait


@pytest.fixture
def pair(node: Node) -> Iterator[tuple[str, str]]:
    """A bucket with four objects, and the name of another that is not there."""
    source, to = "multi-src", "multi-dst"
    value = {"checksum": {"type": "md5"}}
    assert act(node, "POST", f"/v1/buckets/{source}", "create-bck", value).status == 200
    for key in ("a", "b/1", "b/2", "c.jpg"):
        assert put(node, source, key, key.encode()).status == 200
    yield source, to
    for bucket in (source, to):
        act(node, "DELETE", f"/v1/buckets/{bucket}", "destroy-bck")


def copy(node: Node, source: str, to: str, **value: Any) -> Reply:
    target = f"/v1/buckets/{source}?provider=ais&bck_to=ais%2F%40%23%2F{to}%2F"
    return act(node, "POST", target, "copy-bck", value)


def test_a_bucket_is_copied_into_one_that_is_made_like_it(
    node: Node, pair: tuple[str, str]
) -> None:
    source, to = pair
    status = wait(node, copy(node, source, to))
    assert not status["err"]
    assert names(node, to) == names(node, source)
    assert props(node, to)["checksum"] == props(node, source)["checksum"]
    assert node.send("GET", f"/v1/objects/{to}/b/1").body == b"b/1"


def test_a_copy_takes_every_option(node: Node, pair: tuple[str, str]) -> None:
    source, to = pair
    value = {
        "prefix": "c", "prepend": "x/", "ext": {"jpg": "txt"}, "dry_run": False, "force": True,
        "latest-ver": True, "synchronize": True, "num-workers": "2", "coer": True,
    }  # fmt: skip
    wait(node, copy(node, source, to, **value))
    assert names(node, to) == ["x/c.txt"]


def test_a_dry_run_makes_no_bucket(node: Node, pair: tuple[str, str]) -> None:
    source, to = pair
    wait(node, copy(node, source, to, dry_run=True))
    assert act(node, "HEAD", f"/v1/buckets/{to}").status == 404


def test_named_objects_are_copied(node: Node, pair: tuple[str, str]) -> None:
    source, to = pair
    tobck = {"name": to, "provider": "ais", "namespace": None}
    selections: list[tuple[dict[str, Any], list[str]]] = [
        ({"objnames": ["a", "c.jpg"]}, ["a", "c.jpg"]),
        ({"template": "b/{1..3}", "objnames": None}, ["a", "b/1", "b/2", "c.jpg"]),
        ({"template": "b/", "prepend": "p-"}, ["a", "b/1", "b/2", "c.jpg", "p-b/1", "p-b/2"]),
    ]
    for chosen, expected in selections:
        value = {**chosen, "tobck": tobck, "coer": False}
        wait(node, act(node, "POST", f"/v1/buckets/{source}", "copy-listrange", value))
        assert names(node, to) == expected


def test_named_objects_are_deleted(node: Node, pair: tuple[str, str]) -> None:
    source, _ = pair
    for value, left in (
        ({"objnames": ["a", "none"]}, ["b/1", "b/2", "c.jpg"]),
        ({"template": "b/{2..9}"}, ["b/1", "c.jpg"]),
        ({"template": ""}, []),
    ):
        wait(node, act(node, "DELETE", f"/v1/buckets/{source}", "delete-listrange", value))
        assert names(node, source) == left


def test_a_list_with_a_name_that_is_missing_fails_unless_told_to_go_on(
    node: Node, pair: tuple[str, str]
) -> None:
    source, to = pair
    value: dict[str, Any] = {"objnames": ["a", "none", "c.jpg"], "tobck": {"name": to}}
    target = f"/v1/buckets/{source}"
    status = wait(node, act(node, "POST", target, "copy-listrange", value))
    assert "ais://multi-src/none" in status["err"]
    wait(node, act(node, "POST", target, "copy-listrange", {**value, "coer": True}))
    assert names(node, to) == ["a", "c.jpg"]


@pytest.mark.parametrize(
    ("method", "action", "value", "text"),
    [
        ("DELETE", "delete-listrange", None, "objnames or template is needed"),
        ("DELETE", "delete-listrange", {"objnames": []}, "objnames or template is needed"),
        ("DELETE", "delete-listrange", {"objnames": ["a"], "template": "b"}, "not both"),
        ("DELETE", "delete-listrange", {"objnames": "a"}, "the value of the message"),
        ("DELETE", "delete-listrange", {"objnames": [""]}, "cannot be empty"),
        ("DELETE", "delete-listrange", {"template": "{1..2"}, "bad template"),
        ("DELETE", "delete-listrange", {"template": "{0..99999999}"}, "the limit is"),
        ("DELETE", "delete-listrange", [], "must be an object"),
        ("POST", "copy-listrange", {"objnames": ["a"]}, "tobck does not name a bucket"),
        ("POST", "copy-listrange", {"objnames": ["a"], "tobck": {"name": "a/b"}}, '"a/b"'),
        ("POST", "copy-bck", {}, "bck_to"),
        ("DELETE", "evict-remote-bck", None, "evict ais://multi-src: it is not a remote bucket"),
        ("DELETE", "evict-listrange", {"objnames": ["a"]}, "ais://multi-src: it is not"),
        ("POST", "prefetch-listrange", {"template": "a"}, "ais://multi-src: it is not"),
    ],
)
def test_what_makes_no_sense_is_a_bad_request(
    node: Node, pair: tuple[str, str], method: str, action: str, value: Any, text: str
) -> None:
    reply = act(node, method, f"/v1/buckets/{pair[0]}", action, value)
    assert reply.status == 400, reply.body
    assert text in message(reply)
    assert len(names(node, pair[0])) == 4


@pytest.mark.parametrize(
    ("to", "value", "status", "text"),
    [
        ("multi-src", {}, 400, "cannot copy ais://multi-src onto itself"),
        ("multi-src", {"prepend": "x", "synchronize": True}, 400, "synchronized with itself"),
        ("multi-dst", {"num-workers": -2}, 400, "num-workers"),
        ("multi-dst", {"num-workers": "many"}, 400, "num-workers"),
        ("multi-dst", {"prepend": "x" * 1025}, 400, "1025 bytes"),
        ("multi-dst", {"ext": ["a"]}, 400, "the value of the message"),
        ("multi-dst", {"id": "my-etl"}, 501, "ETL is not supported"),
        ("multi-dst", {"pipeline": ["my-etl"]}, 501, "ETL is not supported"),
        ("a..b", {}, 400, '"a..b"'),
    ],
)
def test_a_copy_that_cannot_be_is_refused_and_makes_no_bucket(
    node: Node, pair: tuple[str, str], to: str, value: dict[str, Any], status: int, text: str
) -> None:
    reply = copy(node, pair[0], to, **value)
    assert reply.status == status, reply.body
    assert text in message(reply)
    assert act(node, "HEAD", "/v1/buckets/multi-dst").status == 404


@pytest.mark.parametrize("to", ["", "abc", "ais/abc", "ais/@#/", "what/@#/abc/", "/@#/abc/"])
def test_a_destination_that_is_no_bucket_is_refused(
    node: Node, pair: tuple[str, str], to: str
) -> None:
    target = f"/v1/buckets/{pair[0]}?provider=ais&bck_to={quote(to, safe='')}"
    assert act(node, "POST", target, "copy-bck", {}).status == 400


def test_a_remote_destination_needs_its_backend(node: Node, pair: tuple[str, str]) -> None:
    target = f"/v1/buckets/{pair[0]}?bck_to=oci%2F%40%23%2Fabc%2F"
    reply = act(node, "POST", target, "copy-bck", {})
    assert (reply.status, message(reply)) == (400, 'there is no backend "oci" here')


def test_a_field_that_is_null_is_as_good_as_absent(node: Node, pair: tuple[str, str]) -> None:
    source, to = pair
    fields = dict.fromkeys(("prefix", "prepend", "ext", "dry_run", "num-workers"))
    assert not wait(node, copy(node, source, to, **fields))["err"]
    assert names(node, to) == names(node, source)
    value = {"objnames": ["a"], "template": None, "archname": "all.tar", "mime": None}
    archive = act(node, "PUT", f"/v1/buckets/{source}", "archive", value)
    assert not wait(node, archive)["err"]
    assert "all.tar" in names(node, source)
    value = {"prefix": None, "uuid": None, "cached": None}
    assert act(node, "GET", f"/v1/buckets/{source}", "summary-bck", value).status == 202


@pytest.mark.parametrize(
    ("method", "action"),
    [
        ("POST", "copy-bck"),
        ("POST", "copy-listrange"),
        ("POST", "prefetch-listrange"),
        ("DELETE", "delete-listrange"),
        ("DELETE", "evict-listrange"),
        ("DELETE", "evict-remote-bck"),
    ],
)
def test_a_source_that_is_not_there_is_named(node: Node, method: str, action: str) -> None:
    value = {"objnames": ["a"], "tobck": {"name": "b"}}
    reply = act(node, method, "/v1/buckets/nothing?bck_to=ais%2F%40%23%2Fb%2F", action, value)
    assert reply.status == 404
    assert '"ais://nothing"' in message(reply)
    reply = act(node, method, "/v1/buckets/nothing?provider=oc", action, value)
    if action.startswith("evict"):  # what is not in the cluster is not added for that
        assert (reply.status, '"oci://nothing"' in message(reply)) == (404, True)
    else:
        assert (reply.status, message(reply)) == (400, 'there is no backend "oci" here')
