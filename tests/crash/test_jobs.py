"""A long job whose worker is killed, or whose whole node, goes on elsewhere and comes out right.

The job copies a bucket of many small objects, one at a time. The node's log tells which process
does it; that is the one to kill.
"""

from __future__ import annotations

import json
import os
import re
import signal
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.harness import Node, Reply, children, is_gone

FEW = 250
COPIES = 16
PATIENCE = 60.0


class Site:
    """A node, the action messages that it is sent, and what its log says of a job."""

    def __init__(self, node: Node) -> None:
        self.node = node

    def act(self, method: str, target: str, action: str = "", value: object = None) -> Reply:
        """Send an action message, or what is no action but has a body of its own."""
        body = json.dumps({"action": action, "value": value} if action else value).encode()
        size = {"Content-Length": str(len(body))}
        reply = self.node.send(method, target, headers=size, body=body, signed=False)
        assert reply.status == 200, reply.body
        return reply

    def copy(self, source: str, to: str, **value: object) -> str:
        target = f"/v1/buckets/{source}?bck_to=ais%2F%40%23%2F{to}%2F"
        return self.act("POST", target, "copy-bck", value).body.decode()

    def snap(self, job: str) -> dict[str, Any]:
        reply = self.act("GET", "/v1/cluster?what=qryxstats", value={"ID": job})
        ((found,),) = json.loads(reply.body).values()
        assert isinstance(found, dict)
        return found

    def is_over(self, job: str) -> bool:
        return not self.snap(job)["end-time"].startswith("0001-")

    def processes(self, job: str) -> list[int]:
        """Those that have worked on a job, in their order."""
        log = self.node.log.read_text(errors="replace")
        return [int(pid) for pid in re.findall(rf"job {job} .* in process (\d+)", log)]

    def sizes(self, bucket: str) -> dict[str, str]:
        """What a bucket holds."""
        found: dict[str, str] = {}
        token = ""
        while True:
            value = {"props": "name,size", "continuation_token": token}
            page = json.loads(self.act("GET", f"/v1/buckets/{bucket}", "list", value).body)
            found |= {entry["name"]: entry["size"] for entry in page["entries"]}
            token = page["continuation_token"]
            if not token:
                return found


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A node with a bucket `many` that takes seconds to copy."""
    node = Node(tmp_path_factory.mktemp("jobs") / "data", auth=False, workers=2).start()
    made = Site(node)
    for name in ("few", "many"):
        made.act("POST", f"/v1/buckets/{name}", "create-bck")
    for number in range(FEW):
        target = f"/v1/objects/few/{number:04}"
        assert made.node.send("PUT", target, body=b"x" * (number + 1), signed=False).status == 200
    jobs = [made.copy("few", "many", prepend=f"{number:02}-") for number in range(COPIES)]
    for job in jobs:
        until(lambda job=job: made.is_over(job))  # type: ignore[misc]
    assert len(made.sizes("many")) == FEW * COPIES
    yield made
    node.kill()


def begin(site: Site, to: str) -> str:
    """A copy that has come some way."""
    job = site.copy("many", to, **{"num-workers": -1})
    until(lambda: int(site.snap(job)["stats"]["loc-objs"]) > 0)
    return job


def check(site: Site, job: str, to: str) -> None:
    """The job has come to its end, and every object is there."""
    until(lambda: site.is_over(job))
    snap = site.snap(job)
    assert (snap["aborted"], snap["abort-err"]) == (False, "")
    assert int(snap["stats"]["loc-objs"]) == FEW * COPIES
    assert site.sizes(to) == site.sizes("many")


def test_another_worker_goes_on_with_the_job_of_one_that_was_killed(site: Site) -> None:
    job = begin(site, "killed-worker")
    (first,) = site.processes(job)
    assert first in children(site.node.pid)
    os.kill(first, signal.SIGKILL)
    until(lambda: is_gone(first))  # or its socket would still take requests
    assert not site.is_over(job)
    check(site, job, "killed-worker")
    _, second = site.processes(job)
    assert second != first


def test_a_node_that_was_killed_goes_on_with_its_jobs_when_it_is_back(site: Site) -> None:
    job = begin(site, "killed-node")
    site.node.kill()
    site.node.start()
    assert not site.is_over(job)
    check(site, job, "killed-node")
    first, second = site.processes(job)
    assert second in children(site.node.pid)
    assert second != first


def test_a_node_that_was_stopped_goes_on_with_its_jobs_when_it_is_back(site: Site) -> None:
    job = begin(site, "stopped-node")
    site.node.stop()
    site.node.start()
    check(site, job, "stopped-node")
    first, second = site.processes(job)
    assert second in children(site.node.pid)
    assert second != first
