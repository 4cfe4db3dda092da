"""HTTP clients of S3 side by side: Aisle's own, obstore and aiobotocore, against one Aisle node.

`python -m bench.s3clients` starts a node, fills a bucket, and runs each measure of each client in a
process of its own, whose CPU time and peak memory are then that client's. A client that is not
installed says so; `--python aiobotocore=/path/to/python` runs one with another interpreter, since
aiobotocore wants a botocore of its own. The numbers of docs/decisions/011 come from here.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, Protocol

MIB = 1 << 20
LARGE, SMALL = 64 * MIB, 4096
BUCKET = "clients"
NAMES = 10_000
# Measure -> how often, how many at a time, bytes that one moves.
MEASURES = {
    "nothing": (0, 1, 0),
    "GET 64 MiB": (24, 2, LARGE),
    "GET 4 KiB": (4000, 32, SMALL),
    "PUT 64 MiB": (8, 2, LARGE),
    "PUT 4 KiB": (2000, 32, SMALL),
    "LIST 10,000": (4, 1, 0),
}
CLIENTS = ("aisle", "obstore", "aiobotocore")


class Client(Protocol):
    """What is measured: bodies are read piece by piece, and sent from pieces."""

    async def get(self, key: str) -> int: ...

    async def put(self, key: str, size: int) -> None: ...

    async def list(self, prefix: str) -> int: ...


# --- the clients ----------------------------------------------------------------------------


@contextlib.asynccontextmanager
async def _aisle(endpoint: str) -> AsyncIterator[Client]:
    from aisle.backend.aws import AwsProvider
    from aisle.backend.base import Outgoing

    provider = AwsProvider({})
    # In one piece, as the others do it here.
    settings = {"extra.aws.endpoint": endpoint, "extra.aws.multipart_size": "-1"}
    bucket = provider.open(BUCKET, settings)

    class Own:
        async def get(self, key: str) -> int:
            body = await bucket.get(key)
            size = 0
            while piece := await body.read():
                size += len(piece)
            await body.close()
            return size

        async def put(self, key: str, size: int) -> None:
            async def pour(start: int, length: int) -> AsyncIterator[bytes]:
                for place in range(start, start + length, MIB):
                    yield b"x" * min(MIB, start + length - place)

            await bucket.put(key, Outgoing(size, pour))

        async def list(self, prefix: str) -> int:
            count, token = 0, ""
            while True:
                page = await bucket.list(prefix=prefix, token=token)
                count += len(page.entries)
                token = page.token
                if not token:
                    return count

    yield Own()
    await provider.close()


@contextlib.asynccontextmanager
async def _obstore(endpoint: str) -> AsyncIterator[Client]:
    import obstore
    from obstore.store import S3Store

    store = S3Store(
        BUCKET,
        config={
            "endpoint": endpoint,
            "region": "us-east-1",
            "access_key_id": os.environ["AWS_ACCESS_KEY_ID"],
            "secret_access_key": os.environ["AWS_SECRET_ACCESS_KEY"],
        },
        client_options={"allow_http": True},
    )

    class Obstore:
        async def get(self, key: str) -> int:
            found = await obstore.get_async(store, key)
            return sum([len(piece) async for piece in found.stream(min_chunk_size=128 << 10)])

        async def put(self, key: str, size: int) -> None:
            async def pour() -> AsyncIterator[bytes]:
                for place in range(0, size, MIB):
                    yield b"x" * min(MIB, size - place)

            if size <= MIB:
                await obstore.put_async(store, key, b"x" * size, use_multipart=False)
            else:  # a body in pieces goes in parts, which it holds
                await obstore.put_async(store, key, pour(), chunk_size=8 * MIB)

        async def list(self, prefix: str) -> int:
            return sum([len(page) async for page in obstore.list(store, prefix, chunk_size=1000)])

    yield Obstore()


@contextlib.asynccontextmanager
async def _aiobotocore(endpoint: str) -> AsyncIterator[Client]:
    import io

    from aiobotocore.config import AioConfig
    from aiobotocore.session import get_session

    config = AioConfig(max_pool_connections=64, s3={"addressing_style": "path"})
    made = get_session().create_client(
        "s3", endpoint_url=endpoint, region_name="us-east-1", config=config
    )
    async with made as client:

        class Aiobotocore:
            async def get(self, key: str) -> int:
                found = await client.get_object(Bucket=BUCKET, Key=key)
                size = 0
                async with found["Body"] as body:
                    while piece := await body.read(128 << 10):
                        size += len(piece)
                return size

            async def put(self, key: str, size: int) -> None:
                # It takes bytes or a file that can be sought in: nothing that comes in pieces.
                await client.put_object(Bucket=BUCKET, Key=key, Body=io.BytesIO(b"x" * size))

            async def list(self, prefix: str) -> int:
                pages = client.get_paginator("list_objects_v2").paginate(
                    Bucket=BUCKET, Prefix=prefix
                )
                return sum([len(page.get("Contents", ())) async for page in pages])

        yield Aiobotocore()


OPEN: dict[str, Callable[[str], contextlib.AbstractAsyncContextManager[Client]]] = {
    "aisle": _aisle,
    "obstore": _obstore,
    "aiobotocore": _aiobotocore,
}


# --- one measure, in its own process --------------------------------------------------------


async def measure(name: str, what: str, endpoint: str) -> dict[str, float]:
    """Seconds, CPU seconds and peak memory of one client doing one thing."""
    times, at_once, size = MEASURES[what]
    async with OPEN[name](endpoint) as client:
        await client.get("small")  # connections, credentials, imports
        numbers = iter(range(times))

        async def work() -> None:
            for number in numbers:
                await _once(client, what, size, number)

        before, began = os.times(), time.perf_counter()
        await asyncio.gather(*[work() for _ in range(at_once)])
        seconds, after = time.perf_counter() - began, os.times()
    cpu = after.user + after.system - before.user - before.system
    status = Path("/proc/self/status").read_text()
    peak = int(status.partition("VmHWM:")[2].split()[0]) << 10
    return {"seconds": seconds, "cpu": cpu, "peak": peak}


async def _once(client: Client, what: str, size: int, number: int) -> None:
    if what.startswith("GET"):
        found = await client.get("large" if size == LARGE else "small")
        assert found == size
    elif what.startswith("PUT"):
        await client.put(f"put/{number}", size)
    else:
        assert await client.list("names/") == NAMES


# --- all of them ----------------------------------------------------------------------------


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.s3clients", description=__doc__)
    parser.add_argument("--python", action="append", default=[], metavar="CLIENT=PATH")
    parser.add_argument("--one", nargs=3, metavar=("CLIENT", "MEASURE", "ENDPOINT"))
    options = parser.parse_args()
    if options.one:
        print(json.dumps(asyncio.run(measure(*options.one))))
        return 0
    pythons = dict(pair.split("=", 1) for pair in options.python)
    print(f"{'client':12} {'measure':12} {'per second':>14} {'CPU':>22} {'peak MiB':>9}")
    with tempfile.TemporaryDirectory() as directory, _filled(Path(directory)) as (root, keys):
        for what in MEASURES:
            for name in CLIENTS:
                print(_run(name, what, root, keys, pythons.get(name, sys.executable)), flush=True)
    return 0


def _run(name: str, what: str, root: str, keys: dict[str, str], python: str) -> str:
    command = [python, "-m", "bench.s3clients", "--one", name, what, root]
    path = os.pathsep.join([str(Path.cwd()), str(Path.cwd() / "src")])
    environment = {**os.environ, **keys, "PYTHONPATH": path}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["nothing was said"])[-1]
        return f"{name:12} {what:12} {reason}"
    found = json.loads(done.stdout)
    times, _, size = MEASURES[what]
    seconds, cpu, peak = found["seconds"], found["cpu"], found["peak"] / MIB
    if size == LARGE:
        rate = f"{times * size / seconds / MIB:.0f} MiB/s"
        cost = f"{cpu / (times * size / (1 << 30)):.2f} s/GiB"
    elif times:
        count = times * (NAMES if what.startswith("LIST") else 1)
        rate = f"{count / seconds:.0f} /s"
        cost = f"{cpu / count * 1000:.3f} s/1000"
    else:
        rate = cost = ""
    return f"{name:12} {what:12} {rate:>14} {cost:>22} {peak:9.0f}"


@contextlib.contextmanager
def _filled(directory: Path) -> Any:
    """A node with the objects that are read, its address, and its keys."""
    from tests.harness import ACCESS_KEY, SECRET_KEY, Node

    node = Node(directory / "data").start()
    try:
        client = node.client()
        client.create_bucket(Bucket=BUCKET)
        client.put_object(Bucket=BUCKET, Key="large", Body=bytes(LARGE))
        client.put_object(Bucket=BUCKET, Key="small", Body=bytes(SMALL))
        for number in range(NAMES):
            client.put_object(Bucket=BUCKET, Key=f"names/{number:06}", Body=b"")
        keys = {"AWS_ACCESS_KEY_ID": ACCESS_KEY, "AWS_SECRET_ACCESS_KEY": SECRET_KEY}
        yield node.root, {**keys, "AWS_REGION": "us-east-1"}
    finally:
        node.stop()


if __name__ == "__main__":
    sys.exit(main())
