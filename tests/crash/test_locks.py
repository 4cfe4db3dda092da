"""SIGKILL in the middle of locked writes and removals: what was locked is there, whole and locked.

Every version that a keeper was told of is held to what it was told last: its bytes, its retention
and its legal hold. What is locked was never removed, whichever moment the kills came at and however
often it was tried, by permanent deletes and by the end of the whole bucket; what was removed stays
away. A version of which nobody was told may be there, but then whole, and with its lock.

`AISLE_CRASH_LOCK_KILLS` sets the number of kills, `AISLE_CRASH_SEED` the choices of the keepers.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import random
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError

from tests.crash.site import seed_of_today
from tests.harness import Node
from tests.wire.support import outcome

KILLS = int(os.environ.get("AISLE_CRASH_LOCK_KILLS", "10"))
BUCKET, KEEPERS = "vault", 4
SIZES = (0, 300, 9_000, 200_000)
LATER = dt.datetime(2090, 1, 1, tzinfo=dt.UTC)
LOCKED = "AccessDenied"


@dataclass
class Version:
    """What is known of a version; sets are what it may be since an answer was lost."""

    key: str
    body: bytes
    governed: set[bool]
    held: set[bool]
    gone: set[bool] = field(default_factory=lambda: {False})

    @property
    def must_stay(self) -> bool:
        return self.governed == {True} or self.held == {True}


def body_of(seed: int, size: int) -> bytes:
    return random.Random(seed).randbytes(size)


class Keeper:
    """Owns the keys that begin with its name. All of its versions are governed when they are made,
    and each one's body is told by its metadata."""

    def __init__(self, node: Node, name: str, seed: int) -> None:
        self.name = name
        self.versions: dict[str, Version] = {}
        self.refused = self.done = 0
        self._node = node
        self._random = random.Random(f"{seed}/{name}")

    def work(self, stop: threading.Event) -> None:
        s3 = client_of(self._node)
        steps = (self.put, self.put, self.remove, self.remove, self.hold, self.free, self.pass_over)
        while not stop.is_set():
            try:
                self._random.choice(steps)(s3)
                self.done += 1
            except BotoCoreError:
                stop.wait(0.01)

    def put(self, s3: Any) -> None:
        seed, size = self._random.getrandbits(32), self._random.choice(SIZES)
        key, held = f"{self.name}/{self._random.randrange(4)}", self._random.random() < 0.3
        reply = s3.put_object(
            Bucket=BUCKET,
            Key=key,
            Body=body_of(seed, size),
            Metadata={"seed": str(seed), "size": str(size)},
            ObjectLockMode="GOVERNANCE",
            ObjectLockRetainUntilDate=LATER,
            **({"ObjectLockLegalHoldStatus": "ON"} if held else {}),
        )
        found = Version(key, body_of(seed, size), {True}, {held})
        self.versions[reply["VersionId"]] = found

    def _any(self) -> tuple[str, Version] | None:
        there = [pair for pair in self.versions.items() if pair[1].gone == {False}]
        return self._random.choice(there) if there else None

    def remove(self, s3: Any) -> None:
        self._remove(s3)

    def pass_over(self, s3: Any) -> None:
        self._remove(s3, BypassGovernanceRetention=True)

    def _remove(self, s3: Any, **more: Any) -> None:
        chosen = self._any()
        if chosen is None:
            return
        version, known = chosen
        stays = known.held == {True} if more else known.must_stay
        free = known.held == {False} and (bool(more) or known.governed == {False})
        if not stays:
            known.gone = {False, True}
        told = outcome(
            partial(s3.delete_object, Bucket=BUCKET, Key=known.key, VersionId=version, **more)
        )
        if told:
            assert (told, free) == (LOCKED, False), "an unlocked version was refused"
            known.gone = {False}
            self.refused += 1
            return
        assert not stays, "a locked version was removed"
        known.gone = {True}

    def hold(self, s3: Any) -> None:
        chosen = self._any()
        if chosen is None:
            return
        version, known = chosen
        on = self._random.random() < 0.5
        known.held = known.held | {on}
        s3.put_object_legal_hold(
            Bucket=BUCKET,
            Key=known.key,
            VersionId=version,
            LegalHold={"Status": "ON" if on else "OFF"},
        )
        known.held = {on}

    def free(self, s3: Any) -> None:
        chosen = self._any()
        if chosen is None:
            return
        version, known = chosen
        known.governed = known.governed | {False}
        s3.put_object_retention(
            Bucket=BUCKET,
            Key=known.key,
            VersionId=version,
            Retention={},
            BypassGovernanceRetention=True,
        )
        known.governed = {False}

    def check(self, s3: Any) -> None:
        """Hold what is there to what is known, and know it for certain then."""
        there: dict[str, str] = {}
        pages = s3.get_paginator("list_object_versions").paginate(
            Bucket=BUCKET, Prefix=f"{self.name}/"
        )
        for page in pages:
            there |= {row["VersionId"]: row["Key"] for row in page.get("Versions", [])}
        for version, known in self.versions.items():
            gone = version not in there
            assert gone in known.gone, f"{known.key} {version} is {'gone' if gone else 'there'}"
            known.gone = {gone}
        for version, key in there.items():
            reply = s3.get_object(Bucket=BUCKET, Key=key, VersionId=version)
            told = reply["Metadata"]
            body = body_of(int(told["seed"]), int(told["size"]))
            assert reply["Body"].read() == body
            governed = reply.get("ObjectLockMode") == "GOVERNANCE"
            held = reply.get("ObjectLockLegalHoldStatus") == "ON"
            if governed:
                assert reply["ObjectLockRetainUntilDate"] == LATER
            known = self.versions.get(version) or Version(key, body, {True}, {True, False})
            assert governed in known.governed, (key, version)
            assert held in known.held, (key, version)
            assert known.body == body
            known.governed, known.held = {governed}, {held}
            self.versions[version] = known


def client_of(node: Node) -> Any:
    return node.client(retries={"max_attempts": 0}, read_timeout=20)


def destroy(node: Node, stop: threading.Event) -> int:
    """Try to end the whole bucket, again and again; returns how often that was refused."""
    refused = 0
    body = json.dumps({"action": "destroy-bck"}).encode()
    while not stop.is_set():
        try:
            reply = node.send("DELETE", f"/v1/buckets/{BUCKET}", body=body)
        except OSError:
            stop.wait(0.02)
            continue
        if reply.status < 500:
            assert reply.status in (403, 409), reply.body
            refused += 1
        stop.wait(0.01)
    return refused


def test_what_is_locked_survives_kills_and_stays_locked(tmp_path: Path) -> None:
    seed = seed_of_today()
    choose = random.Random(seed)
    node = Node(tmp_path / "data", auth=False, workers=2).start()
    keepers = [Keeper(node, f"k{number}", seed) for number in range(KEEPERS)]
    destroyed = 0
    try:
        s3 = client_of(node)
        s3.create_bucket(Bucket=BUCKET, ObjectLockEnabledForBucket=True)
        s3.put_object(Bucket=BUCKET, Key="anchor", Body=b"x", ObjectLockLegalHoldStatus="ON")
        for _ in range(KILLS):
            stop = threading.Event()
            with ThreadPoolExecutor(KEEPERS + 1) as pool:
                running = [pool.submit(keeper.work, stop) for keeper in keepers]
                ending = pool.submit(destroy, node, stop)
                try:
                    time.sleep(choose.uniform(0.05, 0.6))
                    os.kill(node.pid, signal.SIGKILL)
                finally:
                    stop.set()
            for each in running:
                each.result()
            destroyed += ending.result()
            node.kill()
            node.start()
            for keeper in keepers:
                keeper.check(client_of(node))
            assert s3.get_object(Bucket=BUCKET, Key="anchor")["Body"].read() == b"x"
        assert sum(keeper.refused for keeper in keepers) > KILLS
        assert sum(keeper.done for keeper in keepers) > 5 * KILLS
        assert destroyed > 0
        assert node.stop() == 0
    finally:
        if node.running:
            node.kill()
