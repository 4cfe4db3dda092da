"""A node with everybody who writes to it, and the ways in which it ends without warning."""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.crash.checks import check_objects, settle_uploads
from tests.crash.client import Client, target
from tests.crash.writers import BUCKET, BucketMaker, Contender, Races, Writer, expect
from tests.harness import Node

WRITERS = 5


class Site:
    """See the module. The journals go to `directory`, the data may be elsewhere."""

    def __init__(self, directory: Path, seed: int, node: Node) -> None:
        self.node = node
        self.random = random.Random(seed)
        self.writers = [Writer(f"w{number}", directory, seed) for number in range(WRITERS)]
        self.races = Races(directory)
        self.buckets = BucketMaker(directory, seed)
        self.contenders = [Contender(self.races, size) for size in (100, 20_000, 80_000)]
        self.everybody: list[Writer | Contender | BucketMaker] = [
            *self.writers,
            *self.contenders,
            self.buckets,
        ]

    @property
    def done(self) -> int:
        return sum(each.done for each in self.everybody)

    def start(self) -> None:
        """Start the node for the first time."""
        self.node.start()
        with Client(self.node.port) as client:
            expect(client.call("PUT", target(BUCKET)), 200)

    def write_until(self, end: Callable[[], None]) -> None:
        """Let everybody write, and call `end` at a random moment."""
        stop = threading.Event()
        with ThreadPoolExecutor(len(self.everybody)) as pool:
            running = [pool.submit(each.work, self.node.port, stop) for each in self.everybody]
            try:
                time.sleep(self.random.uniform(0.02, 0.5))
                end()
            finally:
                stop.set()
        for each in running:
            each.result()

    def kill_supervisor(self) -> None:
        os.kill(self.node.pid, signal.SIGKILL)
        time.sleep(0.05)  # its workers end by themselves

    def kill_a_worker(self) -> None:
        pid = self.node.pid
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        os.kill(int(self.random.choice(children)), signal.SIGKILL)
        time.sleep(0.3)  # everybody goes on with the other one, and a new one joins it

    def check(self, *, final: bool = False) -> None:
        """The store holds what the ledgers allow."""
        ledgers = [writer.ledger for writer in self.writers]
        with Client(self.node.port) as client:
            self.races.settle(client, final=final)
            check_objects(client, BUCKET, [*ledgers, self.races.ledger])
            settle_uploads(client, BUCKET, ledgers)
            self.buckets.settle(client)

    def close(self) -> None:
        self.node.kill()
        ledgers = [writer.ledger for writer in self.writers]
        for ledger in (*ledgers, self.races.ledger, self.buckets.ledger):
            ledger.close()


def seed_of_today() -> int:
    """The seed of the writers' choices: `AISLE_CRASH_SEED`, or a new one, which is printed."""
    seed = int(os.environ.get("AISLE_CRASH_SEED", str(time.time_ns())))
    print(f"AISLE_CRASH_SEED={seed}")
    return seed
