"""A node that is killed while it writes through to a remote bucket: what it serves afterwards is
what the remote has, what it acknowledged is there, and after housekeeping nothing is left over.

The remote is a second node behind a proxy that takes its time, so that kills hit requests on their
way. `AISLE_CRASH_SEED` sets the choices of the writers.
"""

from __future__ import annotations

import asyncio
import os
import random
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import BotoCoreError, ClientError

from aisle.namespace import housekeeping
from aisle.namespace.store import Store, store_id
from aisle.namespace.window import reaping
from aisle.node.providers import open_remotes
from aisle.store.files import FileBlobs
from aisle.store.sqlite import SqliteIndex
from tests.crash.site import seed_of_today
from tests.crash.test_kills import DAY, referred
from tests.harness import ACCESS_KEY, SECRET_KEY, Node
from tests.remote.windows import Remote, make_window
from tests.servers.faults import Fault, FaultProxy

KILLS = 4
WRITERS = 4
BUCKET = "written"
MIB = 1 << 20
SIZES = (0, 500, 500, 100_000, 100_000, 6 * MIB)
SHARED = ("shared-1", "shared-2")
Outcome = bytes | None  # of a key: its bytes, or that there is no object


class Writer:
    """Works on keys of its own, and now and then on those of everybody."""

    def __init__(self, number: int, choose: random.Random) -> None:
        self.choose = choose
        self.done = 0
        # What each key may hold: what was acknowledged last, and what was not answered since.
        self.allowed: dict[str, list[Outcome]] = {f"own-{number}-{n}": [None] for n in range(3)}

    def work(self, client: Any, stop: threading.Event) -> None:
        while not stop.is_set():
            own = self.choose.random() < 0.8
            key = self.choose.choice(list(self.allowed) if own else SHARED)
            wanted = None if self.choose.random() < 0.25 else self.body()
            if own:
                self.allowed[key].append(wanted)
            try:
                self.perform(client, key, wanted)
            except (ClientError, BotoCoreError):
                continue  # whether it was done is not known
            self.done += 1
            if own:
                self.allowed[key] = [wanted]

    def body(self) -> bytes:
        return self.choose.randbytes(64) * (self.choose.choice(SIZES) // 64)

    def perform(self, client: Any, key: str, body: Outcome) -> None:
        at = {"Bucket": BUCKET, "Key": key}
        if body is None:
            client.delete_object(**at)
        elif len(body) < 5 * MIB or self.choose.random() < 0.5:
            client.put_object(**at, Body=body)
        else:
            upload = client.create_multipart_upload(**at)["UploadId"]
            parts = []
            for number, part in enumerate((body[: 5 * MIB], body[5 * MIB :]), 1):
                told = client.upload_part(**at, UploadId=upload, PartNumber=number, Body=part)
                parts.append({"PartNumber": number, "ETag": told["ETag"]})
            client.complete_multipart_upload(
                **at, UploadId=upload, MultipartUpload={"Parts": parts}
            )


class Site:
    """The two nodes and the proxy between them."""

    def __init__(self, directory: Path) -> None:
        self.origin = Node(directory / "origin" / "data", workers=1)
        self.directory = directory
        (directory / "origin").mkdir()

    def start(self) -> None:
        self.origin.start()
        self.there = self.origin.client()
        self.there.create_bucket(Bucket=BUCKET)
        self.proxy = FaultProxy(self.origin.port)
        self.proxy.__enter__()
        self.proxy.add(Fault(delay=0.01, times=10**9))
        self.environment = {
            "AWS_ACCESS_KEY_ID": ACCESS_KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
            "S3_ENDPOINT": self.proxy.endpoint,
        }
        self.node = Node(
            self.directory / "data", auth=False, workers=2, environment=self.environment
        ).start()
        props = {"extra.aws.multipart_size": "5MiB"}
        self.remote: Remote = make_window(self.node, self.there, BUCKET, props)

    def close(self) -> None:
        self.node.kill()
        self.proxy.__exit__(None, None, None)
        self.origin.kill()

    def write_until_killed(self, writers: list[Writer], seconds: float) -> None:
        stop = threading.Event()
        client = self.node.client(retries={"max_attempts": 0}, max_pool_connections=WRITERS)
        with ThreadPoolExecutor(WRITERS) as pool:
            running = [pool.submit(writer.work, client, stop) for writer in writers]
            try:
                time.sleep(seconds)  # a moment at random: whatever is under way then
                self.node.kill()
            finally:
                stop.set()
        for one in running:
            one.result()

    def at_the_remote(self, key: str) -> Outcome:
        return body_of(self.there, key)


def body_of(client: Any, key: str) -> Outcome:
    try:
        return bytes(client.get_object(Bucket=BUCKET, Key=key)["Body"].read())
    except client.exceptions.NoSuchKey:
        return None


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    made = Site(tmp_path)
    made.start()
    yield made
    made.close()


def test_what_a_window_serves_after_kills_is_what_the_remote_has(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    choose = random.Random(seed_of_today())
    writers = [Writer(number, random.Random(choose.random())) for number in range(WRITERS)]
    for _ in range(KILLS):
        site.write_until_killed(writers, choose.uniform(0.2, 1.0))
        site.node.start()
        check(site, writers)
    assert sum(writer.done for writer in writers) > 3 * KILLS
    assert site.node.stop() == 0
    for name, value in site.environment.items():
        monkeypatch.setenv(name, value)
    asyncio.run(nothing_is_left(site.node.data))
    # A kill may come between the remote's answer and the note of it: such an upload is empty.
    for upload in site.there.list_multipart_uploads(Bucket=BUCKET).get("Uploads", []):
        named = {"Key": upload["Key"], "UploadId": upload["UploadId"]}
        assert "Parts" not in site.there.list_parts(Bucket=BUCKET, **named)
    site.node.start()
    check(site, writers)


def check(site: Site, writers: list[Writer]) -> None:
    """Every key, from the window and from the remote."""
    here = site.node.client()
    for writer in writers:
        for key, allowed in writer.allowed.items():
            found = same(site, here, key)
            assert found in allowed, f"{key}: an acknowledged write is lost"
            writer.allowed[key] = [found]
    for key in SHARED:
        same(site, here, key)
    cached = site.remote.cached()
    etags = {key: site.there.head_object(Bucket=BUCKET, Key=key)["ETag"] for key in cached}
    assert {key: here.head_object(Bucket=BUCKET, Key=key)["ETag"] for key in cached} == etags


def same(site: Site, here: Any, key: str) -> Outcome:
    """What both say of a key. What the remote had been sent before the kill may still arrive."""
    deadline = time.monotonic() + 90
    while True:
        found = site.at_the_remote(key)
        served = body_of(here, key)
        if served == found:
            return found
        assert site.at_the_remote(key) != found, f"{key}: what is served is not what there is"
        assert time.monotonic() < deadline


async def nothing_is_left(data: Path) -> None:
    """Keep house two days on, with the remote in reach: what is left is what rows name."""
    index = SqliteIndex.open(data / "index.db", durability="relaxed")
    blobs = FileBlobs.mount([data / "disk"], store=await store_id(index), durability="relaxed")
    remotes = open_remotes(os.environ)
    try:
        store = Store(index, blobs, now=lambda: time.time_ns() + 2 * DAY)
        store.remotes = remotes
        await reaping.tidy(store)
        for table in ("claim", "chunk"):
            assert await index.scan(table, limit=10) == [], table
        await housekeeping.tidy(store)
        await housekeeping.collect_garbage(store, grace=0)
        report = housekeeping.Report()
        await housekeeping.sweep_blobs(store, report, min_age=0)
        await housekeeping.find_missing(store, report)
        assert report.missing == []
        named_blobs, named_rows = await referred(index)
        assert {info.blob async for info in blobs.scan()} == named_blobs
        assert {key for key, _ in await index.scan("body", limit=10**6)} == named_rows
    finally:
        await remotes.close()
        await blobs.close()
        await index.close()
