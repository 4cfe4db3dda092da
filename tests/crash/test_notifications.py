"""A node that is killed between writes and their telling: every acknowledged write is told of, at
least once, in the order of its key."""

from __future__ import annotations

import json
import random
import threading
import time
from pathlib import Path

from tests.crash.client import Client, Lost, NotSent, target
from tests.harness import Node
from tests.servers.hook import Heard, Hook

BUCKET = "told"
KEYS = 6
KILLS = 4
WRITERS = 3
CONFIGURATION = (
    "<NotificationConfiguration><QueueConfiguration><Queue>arn:aisle:sqs::hook:webhook</Queue>"
    "<Event>s3:ObjectCreated:*</Event></QueueConfiguration></NotificationConfiguration>"
)


class Writer(threading.Thread):
    """Writes its own keys, each body larger than the one before, until it is told to end."""

    def __init__(self, port: int, name: str) -> None:
        super().__init__()
        self.port = port
        self.keys = [f"{name}/{number}" for number in range(KEYS)]
        self.acknowledged: dict[str, list[int]] = {key: [] for key in self.keys}
        self.sent: dict[str, int] = dict.fromkeys(self.keys, 0)
        self.over = threading.Event()

    def run(self) -> None:
        with Client(self.port) as client:
            while not self.over.is_set():
                key = random.choice(self.keys)
                self.sent[key] += 1
                size = self.sent[key]
                try:
                    answer = client.call("PUT", target(BUCKET, key), b"x" * size)
                except (Lost, NotSent):
                    time.sleep(0.05)
                    continue
                if answer.status == 200:
                    self.acknowledged[key].append(size)
                time.sleep(0.002)


def told_of(hook: Hook) -> dict[str, list[tuple[int, str]]]:
    """Size and sequencer of everything that was heard of each key."""
    found: dict[str, list[tuple[int, str]]] = {}
    for heard in hook.events:
        thing = heard.event["s3"]["object"]
        found.setdefault(thing["key"], []).append((thing["size"], thing["sequencer"]))
    return found


def test_every_acknowledged_write_is_told_of_in_its_order(tmp_path: Path) -> None:
    failing = threading.Event()

    def answer(heard: Heard) -> int:
        if failing.is_set() and random.random() < 0.5:
            return random.choice((0, 500, 503))
        time.sleep(random.random() * 0.01)
        return 200

    with Hook(answer) as hook:
        file = tmp_path / "targets.toml"
        file.write_text(f'[hook]\nkind = "webhook"\nurl = "{hook.url}"\n')
        options = ("--event-targets", str(file))
        node = Node(tmp_path / "data", auth=False, workers=2, options=options).start()
        try:
            assert node.send("PUT", f"/{BUCKET}", signed=False).status == 200
            path = f"/{BUCKET}?notification"
            reply = node.send("PUT", path, body=CONFIGURATION.encode(), signed=False)
            assert reply.status == 200, reply.body
            failing.set()
            writers = [Writer(node.port, f"w{number}") for number in range(WRITERS)]
            for writer in writers:
                writer.start()
            for _ in range(KILLS):
                time.sleep(random.uniform(0.3, 1.2))
                node.kill()
                node.start()
            for writer in writers:
                writer.over.set()
                writer.join()
            failing.clear()
            written = sum(len(done) for one in writers for done in one.acknowledged.values())
            assert written > 50
            wait_for_all(hook, writers)
            queued = metric(node)
            assert queued == 0
        finally:
            node.kill()
        told = told_of(hook)
        for writer in writers:
            for key, acknowledged in writer.acknowledged.items():
                check(told.get(key, []), acknowledged, writer.sent[key])


def wait_for_all(hook: Hook, writers: list[Writer]) -> None:
    deadline = time.monotonic() + 90
    while True:
        told = {key: {size for size, _ in found} for key, found in told_of(hook).items()}
        missing = [
            (key, size)
            for writer in writers
            for key, done in writer.acknowledged.items()
            for size in done
            if size not in told.get(key, ())
        ]
        if not missing:
            return
        assert time.monotonic() < deadline, f"{len(missing)} were never told: {missing[:5]}"
        time.sleep(1)


def check(told: list[tuple[int, str]], acknowledged: list[int], sent: int) -> None:
    """What was told of a key: nothing is missing, nothing made up, and first tellings in order."""
    sizes = [size for size, _ in told]
    assert set(acknowledged) <= set(sizes) <= set(range(1, sent + 1))
    first = list(dict.fromkeys(sizes))
    assert first == sorted(first)
    sequencers = dict(told)
    in_order = [sequencers[size] for size in first]
    assert in_order == sorted(set(in_order))


def metric(node: Node) -> int:
    """How many wait, as the node tells it a moment after the last."""
    deadline = time.monotonic() + 90
    while True:
        reply = node.send("GET", "/metrics", headers={"accept": "text/plain"}, signed=False)
        lines = reply.body.decode().splitlines()
        name = 'ais_cluster_notifications_queued{target="hook"} '
        (line,) = [line for line in lines if line.startswith(name)]
        count = json.loads(line[len(name) :])
        if not count or time.monotonic() > deadline:
            return int(count)
        time.sleep(0.2)
