"""What an inventory saves: all names of a large remote bucket, from the remote and by inventory.

`origin` has the objects, whose rows are put into its index while it is down: a million PUTs are not
what is measured. Its bucket is listed through a window on it, by `ais ls`, next door and through a
proxy that holds every reply up as a service far away would; then by an inventory, which was written
to the origin as Amazon's S3 does, and is read in by the first listing that asks for it.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import time
from collections.abc import Generator, Iterator

from tests.inventories import Entry, written
from tests.servers.faults import Fault, FaultProxy

from aisle.core.names import BucketName
from aisle.namespace.records import Bucket, Object, bucket_key, decode, encode
from aisle.store.base import Put
from aisle.store.sqlite import SqliteIndex
from bench import load
from bench.cli import expect, measured
from bench.measures import Plan, Sample, name_of, settle
from bench.process import Meter
from bench.remote import Window
from bench.servers import HOST, Aisle, Server
from bench.signing import Signer
from bench.wire import Connection

NEAR, FAR = "ais ls of a window, remote next door", "ais ls of a window, remote 100 ms away"
LOAD, LISTED = "read an inventory in", "ais ls of a window, by inventory"
_REMOTE = "bench-inventory"
_DELAY = 0.1
_FILES = 10
_BY_INVENTORY = 1 << 15  # a bit of a listing's flags
_BUSY = 503
_BATCH = 10_000
_ETAG = hashlib.md5(b"", usedforsecurity=False).hexdigest()
_TIME = 1_790_000_000 * 10**9


def inventory(server: Server, plan: Plan) -> Generator[Sample]:
    """`server` is the origin."""
    if not isinstance(server, Aisle):
        return
    with server:
        load.make_bucket(server, _REMOTE)
    asyncio.run(_fill(server, plan.keys))
    with server, Window(server, server.port) as window, FaultProxy(server.port, HOST) as proxy:
        path = f"/v1/buckets/{_REMOTE}?provider=aws"
        load.must(window, "POST", path, json.dumps({"action": "create-bck"}).encode())
        yield _listing(window, NEAR, plan.keys)
        proxy.add(Fault(delay=_DELAY, times=1 << 62))
        value = {"extra.aws.endpoint": proxy.endpoint}
        message = json.dumps({"action": "set-bprops", "value": value}).encode()
        load.must(window, "PATCH", path, message)
        yield _listing(window, FAR, plan.keys)
        _deliver(server, plan.keys)
        yield _loading(window, plan.keys)
        yield _listing(window, LISTED, plan.keys, "--inventory")


async def _fill(server: Server, count: int) -> None:
    """Empty objects, as so many PUTs would have left them."""
    index = SqliteIndex.open(server.directory / "index.db", durability="relaxed")
    try:
        raw = await index.get("bucket", bucket_key(*BucketName(_REMOTE)))
        assert raw is not None
        bucket = decode(Bucket, raw)
        record = encode(
            Object(
                0, _TIME, _ETAG, "STANDARD", {}, "", bucket.owner, [], b"", {}, {},
                ("md5", _ETAG), [], 0, 1,
            )
        )  # fmt: skip
        for start in range(0, count, _BATCH):
            names = (name_of(number) for number in range(start, min(count, start + _BATCH)))
            await index.commit(
                *(Put("object", bucket.id + name.encode(), record) for name in names)
            )
    finally:
        await index.close()


def _listing(window: Server, operation: str, count: int, *words: str) -> Sample:
    command = ["ls", f"s3://{_REMOTE}", "--props", "size", "-H", "-F", *words]
    sample, cost = measured(window, "ais", operation, command, count)
    expect(sample, cost.lines, count, "lines")
    sample.server = window.name
    return sample


def _deliver(origin: Server, count: int) -> None:
    """Write an inventory of all objects, in files that are out of order among each other."""
    parts = [list(_entries(range(first, count, _FILES))) for first in range(_FILES)]
    connection = Connection(HOST, origin.port)
    for key, data in written(_REMOTE, parts).items():
        file = os.memfd_create("file")
        os.write(file, data)
        target = Signer(origin.host, origin.credentials).target("PUT", _REMOTE, key)
        connection.exchange("PUT", target, file=file, size=len(data))
        os.close(file)
    connection.close()


def _entries(numbers: range) -> Iterator[Entry]:
    return (Entry(name_of(number), mtime=_TIME, etag=_ETAG) for number in numbers)


def _loading(window: Server, count: int) -> Sample:
    """From the first listing that asks for it until there is a page."""
    settle()
    value = {"pagesize": 1, "flags": str(_BY_INVENTORY)}
    body = json.dumps({"action": "list", "value": value}).encode()
    path = f"/v1/buckets/{_REMOTE}?provider=aws"
    began = time.perf_counter()
    with Meter(window.pid) as used:
        while load.call(window, "GET", path, body)[0] == _BUSY:
            time.sleep(0.05)
    seconds = time.perf_counter() - began
    return Sample(
        LOAD, window.name, "row",
        rate=count / seconds, cpu=used.cpu / count, peak_total=used.peak_total,
        peak_process=used.peak_process, operations=count,
        note=f"{seconds:.1f} s, {_FILES} files, CSV, at a remote 100 ms away",
    )  # fmt: skip
