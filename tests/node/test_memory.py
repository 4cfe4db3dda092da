"""A worker keeps what bodies have freed."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.harness import Node

BODY = bytes(1 << 20)
COUNT = 400
AT_ONCE = 4


def faults(worker: int) -> int:
    """How many pages a process has been given so far."""
    return int(Path(f"/proc/{worker}/stat").read_text().rpartition(")")[2].split()[7])


def children(process: int) -> list[int]:
    found = Path(f"/proc/{process}/task/{process}/children").read_text()
    return [int(child) for child in found.split()]


def test_bodies_lie_where_others_lay_before(tmp_path: Path) -> None:
    node = Node(tmp_path / "data", auth=False, workers=1).start()

    def put(number: int) -> None:
        assert node.send("PUT", f"/s3/bodies/{number}", body=BODY).status == 200

    try:
        node.client().create_bucket(Bucket="bodies")
        (worker,) = children(node.pid)
        with ThreadPoolExecutor(AT_ONCE) as clients:
            list(clients.map(put, range(COUNT // 4)))  # to begin with there is nothing to reuse
            before = faults(worker)
            list(clients.map(put, range(COUNT)))
            spent = faults(worker) - before
        # With new pages for all of a body it is more than 256 of each; half as much is usual.
        assert spent / COUNT < 32
        assert node.stop() == 0
    finally:
        if node.running:
            node.kill()
