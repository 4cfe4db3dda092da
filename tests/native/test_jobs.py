"""Jobs over the native API: what is told of them, in AIStore's JSON, and starting and stopping."""

import json
import time
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest

from tests.harness import Node, Reply
from tests.native.support import act, ended, message, put

ZERO = "0001-01-01T00:00:00Z"
KINDS = ("status_all", "running_all", "qryxstats", "status")


def ask(node: Node, what: str, /, **query: Any) -> Reply:
    body = json.dumps(query).encode()
    size = {"Content-Length": str(len(body))}
    target = f"/v1/cluster?what={what}"
    return node.send("GET", target, body=body, unsigned_headers=size)


def told(node: Node, what: str, /, **query: Any) -> Any:
    reply = ask(node, what, **query)
    assert reply.status == 200, reply.body
    assert reply.headers["content-type"] == "application/json"
    return json.loads(reply.body)


def start(node: Node, kind: str, **more: Any) -> str:
    reply = act(node, "PUT", "/v1/cluster", "start", {"Kind": kind, **more})
    assert reply.status == 200, reply.body
    assert reply.headers["content-type"].startswith("text/plain")
    return reply.body.decode()


def snap_of(node: Node, job: str) -> dict[str, Any]:
    ((found,),) = told(node, "qryxstats", ID=job).values()
    assert isinstance(found, dict)
    return found


@pytest.fixture(scope="module")
def done(node: Node) -> str:
    """A job that is over."""
    job = start(node, "lru")
    ended(node, job)
    return job


@pytest.fixture
def filled(node: Node, bucket: str) -> Iterator[str]:
    """A bucket with three objects, and a second one that a job copies it to."""
    for name in ("a", "b", "c"):
        assert put(node, bucket, name, b"12345").status == 200
    yield bucket
    act(node, "DELETE", f"/v1/buckets/{bucket}-2", "destroy-bck")


def test_the_status_of_a_job(node: Node, done: str) -> None:
    status = told(node, "status", ID=done, Kind="", DaemonID="", Bck=None, Buckets=None)
    assert abs(status.pop("end_time") / 1e9 - time.time()) < 600
    expected = {"kind": "lru", "uuid": done, "err": "", "aborted": False, "is_idle": True}
    assert status == expected


def test_the_status_of_the_latest_of_a_kind_by_either_name(node: Node, done: str) -> None:
    for name in ("lru", "lru-eviction"):
        assert told(node, "status", Kind=name)["uuid"] == done


def test_every_job_is_listed_the_latest_first(node: Node, done: str) -> None:
    later = start(node, "resilver")
    ended(node, later)
    listed = [status["uuid"] for status in told(node, "status_all", kind="", node="")]
    assert listed.index(later) < listed.index(done)
    only = told(node, "status_all", kind="lru", node="", show_active=False)
    assert done in [status["uuid"] for status in only]
    assert later not in [status["uuid"] for status in only]
    assert {status["kind"] for status in only} == {"lru"}


def test_what_is_over_does_not_run(node: Node, done: str) -> None:
    running = told(node, "running_all", kind="", node="", show_active=True)
    assert f"lru[{done}]" not in running
    assert told(node, "running_all", kind="lru") == []
    active = told(node, "status_all", kind="", show_active=True)
    assert done not in [status["uuid"] for status in active]


def test_a_snapshot_is_told_under_a_target_of_the_map(node: Node, done: str) -> None:
    smap = json.loads(node.send("GET", "/v1/daemon?what=smap").body)
    found = told(node, "qryxstats", ID=done)
    (target,) = found
    assert target in smap["tmap"]
    assert told(node, "qryxstats", ID=done, DaemonID=target) == found
    assert told(node, "qryxstats", ID=done, DaemonID="tnobody") == {}


def test_the_snapshot_of_a_copy_names_both_buckets(node: Node, filled: str) -> None:
    target = f"/v1/buckets/{filled}?bck_to=ais%2F%40%23%2F{filled}-2%2F&provider=ais"
    reply = act(node, "POST", target, "copy-bck", {"num-workers": 3})
    assert reply.status == 200, reply.body
    job = reply.body.decode()
    assert not ended(node, job)["err"]
    snap = snap_of(node, job)
    source = {"name": filled, "provider": "ais", "namespace": {"uuid": "", "name": ""}}
    assert snap["bck"] == snap["src-bck"] == source
    assert snap["dst-bck"] == {**source, "name": f"{filled}-2"}
    assert (snap["stats"]["loc-objs"], snap["stats"]["loc-bytes"]) == ("3", "15")
    assert snap["glob.id"] == str(3 << 10)
    first, last = (datetime.fromisoformat(snap[name]) for name in ("start-time", "end-time"))
    assert first <= last
    for name in (filled, f"{filled}-2"):
        asked = {"name": name, "provider": "ais"}
        assert list(told(node, "qryxstats", ID=job, Bck=asked).values()) == [[snap]]
        assert list(told(node, "qryxstats", id=job, buckets=[asked]).values()) == [[snap]]
    assert told(node, "qryxstats", ID=job, Bck={"name": "another"}) == {}


def test_copies_have_the_metadata_and_the_tags_of_what_was_copied(node: Node, filled: str) -> None:
    s3, to = node.client(), f"{filled}-2"
    s3.put_object(Bucket=filled, Key="said", Body=b"x", Metadata={"a": "b"}, Tagging="c=d")
    target = f"/v1/buckets/{filled}?bck_to=ais%2F%40%23%2F{to}%2F&provider=ais"
    reply = act(node, "POST", target, "copy-bck", {})
    assert not ended(node, reply.body.decode())["err"]
    assert s3.head_object(Bucket=to, Key="said")["Metadata"] == {"a": "b"}
    tags = s3.get_object_tagging(Bucket=to, Key="said")["TagSet"]
    assert tags == [{"Key": "c", "Value": "d"}]


def test_a_snapshot_has_all_fields_of_aistore(node: Node, done: str) -> None:
    snap = snap_of(node, done)
    nowhere = {"name": "", "provider": "", "namespace": {"uuid": "", "name": ""}}
    assert snap["bck"] == snap["src-bck"] == snap["dst-bck"] == nowhere
    assert snap["stats"] == dict.fromkeys(
        ("loc-objs", "loc-bytes", "out-objs", "out-bytes", "in-objs", "in-bytes"), "0"
    )
    assert (snap["id"], snap["kind"], snap["aborted"], snap["is_idle"]) == (
        done,
        "lru",
        False,
        True,
    )
    assert snap["glob.id"] == "0"
    assert ZERO not in (snap["start-time"], snap["end-time"])
    assert "evicted" in snap["ctlmsg"]
    assert {"abort-err", "err", "ext"} < set(snap)


@pytest.mark.parametrize(
    "kind", ["lru", "rebalance", "resilver", "cleanup", "cleanup-store", "warm-up-metadata"]
)
def test_what_can_be_started_by_name_finishes(node: Node, kind: str) -> None:
    status = ended(node, start(node, kind))
    assert (status["err"], status["aborted"]) == ("", False)


def test_a_job_is_started_on_buckets(node: Node, filled: str) -> None:
    job = start(node, "load-lom-cache", Bck={"name": filled, "provider": "ais"})
    ended(node, job)
    snap = snap_of(node, job)
    assert snap["bck"]["name"] == filled
    assert snap["stats"]["loc-objs"] == "3"
    twice = [{"name": filled}, {"name": filled}]
    assert not ended(node, start(node, "load-lom-cache", Buckets=twice))["err"]


def test_a_job_is_started_on_a_target(node: Node) -> None:
    smap = json.loads(node.send("GET", "/v1/daemon?what=smap").body)
    job = start(node, "resilver", DaemonID=next(iter(smap["tmap"])))
    assert not ended(node, job)["err"]


@pytest.mark.parametrize(
    ("value", "status", "text"),
    [
        ({}, 400, "Kind"),
        ({"Kind": "nonsense"}, 400, 'invalid job kind "nonsense"'),
        ({"Kind": 7}, 400, "text"),
        ("lru", 400, "object"),
        ({"Kind": "copy-bck"}, 501, "a request of its own"),
        ({"Kind": "ec-encode"}, 501, "not offered"),
        ({"Kind": "lru", "Bck": {"name": "absent-bucket"}}, 404, "ais://absent-bucket"),
        ({"Kind": "lru", "Bck": {"name": "a", "provider": "nobody"}}, 400, "nobody"),
        ({"Kind": "lru", "Buckets": "abc"}, 400, "Buckets"),
        ({"Kind": "lru", "Buckets": ["abc"]}, 400, "Bck"),
        ({"Kind": "lru", "DaemonID": "tnobody"}, 404, "tnobody"),
    ],
)
def test_a_start_that_cannot_be_is_refused(node: Node, value: Any, status: int, text: str) -> None:
    before = len(told(node, "status_all"))
    reply = act(node, "PUT", "/v1/cluster", "start", value)
    assert reply.status == status
    assert text in message(reply)
    assert len(told(node, "status_all")) == before


def test_a_job_is_stopped_by_its_id_and_stays_so(node: Node, done: str) -> None:
    assert act(node, "PUT", "/v1/cluster", "stop", {"ID": done}).status == 200
    assert not told(node, "status", ID=done)["aborted"]
    assert act(node, "PUT", "/v1/cluster", "stop", {"Kind": "lru"}).status == 200
    assert act(node, "PUT", "/v1/cluster", "stop", {"Bck": {"name": "abc"}}).status == 200


@pytest.mark.parametrize(
    ("value", "status", "text"),
    [
        ({}, 400, "ID"),
        ({"ID": "nonesuch"}, 404, 'job "nonesuch" does not exist'),
        ({"ID": "ж" * 500}, 404, "does not exist"),
        ({"Kind": "nonsense"}, 400, "nonsense"),
    ],
)
def test_a_stop_that_cannot_be_is_refused(node: Node, value: Any, status: int, text: str) -> None:
    reply = act(node, "PUT", "/v1/cluster", "stop", value)
    assert reply.status == status
    assert text in message(reply)


def test_an_unknown_job_is_not_found_or_has_no_snapshots(node: Node) -> None:
    reply = ask(node, "status", ID="nonesuch")
    assert reply.status == 404
    assert message(reply) == 'job "nonesuch" does not exist'
    assert ask(node, "status", Kind="election").status == 404
    assert told(node, "qryxstats", ID="nonesuch") == {}
    assert told(node, "status_all", ID="nonesuch") == []


@pytest.mark.parametrize("what", KINDS)
@pytest.mark.parametrize("body", [b"{", b"[]", b"\xff", b"[" * 100_000])
def test_a_query_that_is_none_is_refused(node: Node, what: str, body: bytes) -> None:
    size = {"Content-Length": str(len(body))}
    target = f"/v1/cluster?what={what}"
    reply = node.send("GET", target, body=body, unsigned_headers=size)
    assert reply.status == 400
    assert message(reply)


@pytest.mark.parametrize("what", KINDS)
def test_a_query_of_an_unknown_kind_is_refused(node: Node, what: str) -> None:
    reply = ask(node, what, kind="nonsense")
    assert reply.status == 400
    assert "nonsense" in message(reply)


def test_no_body_asks_for_everything(node: Node, done: str) -> None:
    listed = json.loads(node.send("GET", "/v1/cluster?what=status_all").body)
    assert done in [status["uuid"] for status in listed]
    assert node.send("GET", "/v1/cluster?what=status").status == 400
