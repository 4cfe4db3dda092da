"""summary-bck and a bucket's info: 202 and a job's id, then what was counted."""

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.harness import Node, Reply
from tests.native.support import act, message, put

SIZES = {"a/1": 10, "a/2": 20, "b": 300}


@pytest.fixture
def filled(node: Node, bucket: str) -> str:
    for key, size in SIZES.items():
        assert put(node, bucket, key, b"x" * size).status == 200
    return bucket


def counted(node: Node, target: str, **value: Any) -> list[dict[str, Any]]:
    """Have it counted, and ask until it is."""
    reply = act(node, "GET", target, "summary-bck", value)
    assert reply.status == 202
    uuid = reply.body.decode()
    for _ in tries():
        reply = act(node, "GET", target, "summary-bck", {**value, "uuid": uuid})
        if reply.status == 200:
            found: list[dict[str, Any]] = json.loads(reply.body)
            return found
        assert reply.status in (202, 206)
    raise AssertionError("the summary did not end")


def info(node: Node, target: str, query: str, *, path: str = "") -> tuple[Reply, Reply]:
    """The first and the last reply to HEAD; only the first names the prefix, as the SDK does."""
    first = act(node, "HEAD", f"{target}{path}?{query}")
    assert first.status == 202
    uuid = first.headers["ais-xaction-id"]
    for _ in tries():
        last = act(node, "HEAD", f"{target}?{query}&uuid={uuid}")
        if last.status == 200:
            return first, last
        assert last.status in (202, 206)
    raise AssertionError("the summary did not end")


def tries() -> Iterator[None]:
    end = time.monotonic() + 90
    while time.monotonic() < end:
        yield
        time.sleep(0.02)


def test_a_bucket_is_counted(node: Node, filled: str) -> None:
    (found,) = counted(node, f"/v1/buckets/{filled}")
    disks = found["TotalSize"].pop("total_disks_size")
    assert int(disks) > 0
    assert found == {
        "name": filled,
        "provider": "ais",
        "namespace": {"uuid": "", "name": ""},
        "ObjCount": {"obj_count_present": "3", "obj_count_remote": "0"},
        "ObjSize": {"obj_min_size": 10, "obj_avg_size": 110, "obj_max_size": 300},
        "TotalSize": {
            "size_on_disk": "330",
            "size_all_present_objs": "330",
            "size_all_remote_objs": "0",
        },
        "used_pct": 0,
        "is_present": True,
    }


def test_a_prefix_is_counted(node: Node, filled: str) -> None:
    (found,) = counted(node, f"/v1/buckets/{filled}", prefix="a/", cached=True, present=True)
    assert found["ObjCount"]["obj_count_present"] == "2"
    assert found["ObjSize"] == {"obj_min_size": 10, "obj_avg_size": 15, "obj_max_size": 20}
    (found,) = counted(node, f"/v1/buckets/{filled}", prefix="none")
    assert found["ObjCount"]["obj_count_present"] == "0"
    assert found["ObjSize"]["obj_avg_size"] == 0


def test_all_buckets_are_counted_at_once(node: Node, filled: str) -> None:
    found = {row["name"]: row for row in counted(node, "/v1/buckets?provider=ais")}
    assert found[filled]["TotalSize"]["size_all_present_objs"] == "330"
    assert filled in [row["name"] for row in counted(node, "/v1/buckets")]
    assert counted(node, "/v1/buckets?provider=aws") == []
    assert counted(node, "/v1/buckets?namespace=%23none") == []
    assert counted(node, "/v1/buckets?namespace=%40") == []


def test_info_tells_props_first_and_the_summary_in_the_end(node: Node, filled: str) -> None:
    first, last = info(node, f"/v1/buckets/{filled}", "presence=0&bsumm_remote=True")
    assert json.loads(first.headers["ais-bucket-props"])["provider"] == "ais"
    assert "ais-bucket-summ" not in first.headers
    found = json.loads(last.headers["ais-bucket-summ"])
    assert (found["name"], found["ObjCount"]["obj_count_present"]) == (filled, "3")


def test_info_of_a_prefix(node: Node, filled: str) -> None:
    _, last = info(node, f"/v1/buckets/{filled}", "bsumm_remote=False", path="/a/")
    assert json.loads(last.headers["ais-bucket-summ"])["ObjCount"]["obj_count_present"] == "2"


def test_info_without_a_summary_and_of_what_is_outside(node: Node, filled: str) -> None:
    for presence in (1, 3):
        query = f"presence={presence}&bsumm_remote=True"
        assert "ais-bucket-summ" not in info(node, f"/v1/buckets/{filled}", query)[1].headers
    query = "presence=5&bsumm_remote=True"
    found = info(node, f"/v1/buckets/{filled}", query)[1].headers["ais-bucket-summ"]
    assert json.loads(found)["ObjCount"]["obj_count_present"] == "0"


def test_a_prefix_in_a_path_belongs_to_head_alone(node: Node, filled: str) -> None:
    assert act(node, "HEAD", f"/v1/buckets/{filled}/a/").status == 200
    reply = act(node, "DELETE", f"/v1/buckets/{filled}/a/", "destroy-bck")
    assert (reply.status, reply.headers["allow"]) == (405, "HEAD")
    assert act(node, "HEAD", f"/v1/buckets/{filled}").status == 200


def test_a_job_answers_for_what_it_counted_alone(node: Node, filled: str, s3: Any) -> None:
    uuid = act(node, "GET", f"/v1/buckets/{filled}", "summary-bck").body.decode()
    other = f"{filled}-other"
    s3.create_bucket(Bucket=other)
    asked = {"uuid": uuid}
    reply = act(node, "GET", f"/v1/buckets/{other}", "summary-bck", asked)
    assert (reply.status, message(reply)) == (400, f'job "{uuid}" is no summary of this')
    asked["prefix"] = "a/"
    assert act(node, "GET", f"/v1/buckets/{filled}", "summary-bck", asked).status == 400
    s3.delete_bucket(Bucket=other)


@pytest.mark.parametrize(
    ("value", "status", "text"),
    [
        ({"uuid": "nonesuch"}, 404, "nonesuch"),
        ({"uuid": 1}, 400, "summary-bck"),
        ({"prefix": ["a"]}, 400, "summary-bck"),
        ([], 400, "must be an object"),
    ],
)
def test_what_makes_no_sense_is_refused(
    node: Node, bucket: str, value: Any, status: int, text: str
) -> None:
    reply = act(node, "GET", f"/v1/buckets/{bucket}", "summary-bck", value)
    assert (reply.status, text in message(reply)) == (status, True)


def test_a_prefix_that_no_name_has_is_refused(node: Node, bucket: str) -> None:
    reply = act(node, "HEAD", f"/v1/buckets/{bucket}/%FF?bsumm_remote=True")
    assert (reply.status, message(reply)) == (400, "a prefix must be valid UTF-8")
    reply = act(node, "HEAD", f"/v1/buckets/{bucket}?bsumm_remote=True&uuid=%FF")
    assert reply.status == 404
    assert act(node, "HEAD", f"/v1/buckets/{bucket}?bsumm_remote=True&presence=x").status == 400


def test_a_bucket_that_is_not_there_has_no_summary(node: Node) -> None:
    reply = act(node, "GET", "/v1/buckets/nonesuch", "summary-bck")
    assert (reply.status, message(reply)) == (404, 'bucket "ais://nonesuch" does not exist')
    assert act(node, "HEAD", "/v1/buckets/nonesuch?bsumm_remote=True").status == 404
    assert act(node, "HEAD", "/v1/buckets/nonesuch?bsumm_remote=True&presence=x").status == 404
