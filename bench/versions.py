"""What versions cost: PUT and GET in a versioned bucket beside one that is not, and listing them.

Two buckets of one node serve the same requests in turn. For the listings rows are put into the
index while the node is down, as so many PUTs would have left them: the plain bucket has as many
objects as the versioned one has versions, ten of a key; a third bucket has one version of each key.
"""

from __future__ import annotations

import asyncio
import hashlib
import random
from collections.abc import Generator, Iterator
from dataclasses import replace
from typing import Final

import msgspec

from aisle.core.names import BucketName
from aisle.namespace.records import Bucket, Object, bucket_key, decode, encode
from aisle.namespace.versions.ids import mint, row_key
from aisle.store.base import Change, Put
from aisle.store.sqlite import SqliteIndex
from bench import load
from bench.measures import Plan, Sample, name_of, replay
from bench.servers import Aisle, Server

_PLAIN, _VERSIONED, _SINGLE = "bench-plain", "bench-versioned", "bench-single"
_SMALL: Final = 4_096
_ROUNDS: Final = 3
_OF_A_KEY: Final = 10
_PAGE: Final = 1000
_PAGES: Final = 1000
_BATCH: Final = 5_000
_ETAG: Final = hashlib.md5(b"", usedforsecurity=False).hexdigest()
_TIME: Final = 1_790_000_000 * 10**9

GET, PUT, OVER = "GET 4 KiB", "PUT 4 KiB", "PUT 4 KiB over another"
LISTED: Final = "page of ListObjectsV2"
TEN: Final = "page of ListObjectVersions, 10 versions a key"
ONE: Final = "page of ListObjectVersions, 1 version a key"
IN_PLAIN, IN_VERSIONED = ", unversioned", ", versioned"


def versions(server: Server, plan: Plan) -> Generator[Sample]:
    """Of each operation the round that cost least, beside the same without versions."""
    if not isinstance(server, Aisle):
        return
    with server:
        _make(server)
    asyncio.run(_fill(server, plan.keys))
    short = replace(plan, seconds=max(1.0, plan.seconds / _ROUNDS))
    rounds: dict[str, list[Sample]] = {}
    with server:
        keys = [name_of(number) for number in range(plan.small_keys)]
        for bucket in (_PLAIN, _VERSIONED):
            load.fill(server, bucket, (f"get/{key}" for key in keys), _SMALL)
        for turn in range(_ROUNDS):
            for bucket, suffix in ((_PLAIN, IN_PLAIN), (_VERSIONED, IN_VERSIONED)):
                for sample in _once(server, short, bucket, keys, turn):
                    sample.operation += suffix
                    rounds.setdefault(sample.operation, []).append(sample)
            for sample in _listings(server, short, plan.keys):
                rounds.setdefault(sample.operation, []).append(sample)
    for same in rounds.values():
        best = min(same, key=lambda sample: sample.cpu)
        best.errors = sum(sample.errors for sample in same)
        best.rate = max(sample.rate for sample in same)
        yield best


def _make(server: Server) -> None:
    for bucket in (_PLAIN, _VERSIONED, _SINGLE):
        load.make_bucket(server, bucket)
    status = b"<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>"
    for bucket in (_VERSIONED, _SINGLE):
        target = server.signer().target("PUT", bucket, "", {"versioning": ""})
        load.must(server, "PUT", target, status)


def _once(server: Server, plan: Plan, bucket: str, keys: list[str], turn: int) -> Generator[Sample]:
    signer = server.signer()
    got = load.shuffled(signer.target("GET", bucket, f"get/{key}") for key in keys)
    yield replay(server, plan, GET, "op", "GET", got, 32)[0]
    count = int(plan.seconds * 20_000)
    new = [signer.target("PUT", bucket, f"new{turn}/{name_of(n)}") for n in range(count)]
    yield replay(server, plan, PUT, "op", "PUT", load.shuffled(new), 32, _SMALL, True)[0]
    over = load.shuffled(signer.target("PUT", bucket, f"get/{key}") for key in keys)
    yield replay(server, plan, OVER, "op", "PUT", over, 32, _SMALL)[0]


def _listings(server: Server, plan: Plan, keys: int) -> Generator[Sample]:
    signer, pick = server.signer(), random.Random(3)
    for operation, bucket, of_a_key in (
        (LISTED, _PLAIN, 1),
        (TEN, _VERSIONED, _OF_A_KEY),
        (ONE, _SINGLE, 1),
    ):
        last = max(1, keys // of_a_key - _PAGE // of_a_key - 1)
        starts = ["list/" + name_of(pick.randrange(last)) for _ in range(_PAGES)]
        plain = {"list-type": "2", "max-keys": str(_PAGE), "prefix": "list/"}
        listed = {"versions": "", "max-keys": str(_PAGE), "prefix": "list/"}
        queries = [
            {**plain, "start-after": start} if bucket == _PLAIN else {**listed, "key-marker": start}
            for start in starts
        ]
        targets = [signer.target("GET", bucket, "", query) for query in queries]
        page = load.must(server, "GET", targets[0])
        entries = page.count(b"<Contents>") + page.count(b"<Version>")
        sample, _ = replay(server, plan, operation, "page", "GET", targets, 4)
        sample.note = f"{entries:,} entries a page, {keys:,} in all"
        yield sample


async def _fill(server: Server, count: int) -> None:
    index = SqliteIndex.open(server.directory / "index.db", durability="relaxed")
    try:
        for bucket, of_a_key in ((_PLAIN, 0), (_VERSIONED, _OF_A_KEY), (_SINGLE, 1)):
            raw = await index.get("bucket", bucket_key(*BucketName(bucket)))
            assert raw is not None
            changes: list[Change] = []
            for change in _rows(decode(Bucket, raw), count, of_a_key):
                changes.append(change)
                if len(changes) == _BATCH:
                    await index.commit(*changes)
                    changes = []
            await index.commit(*changes)
    finally:
        await index.close()


def _rows(bucket: Bucket, count: int, of_a_key: int) -> Iterator[Change]:
    """Rows of `count` versions, `of_a_key` of each key; of as many objects, if that is 0."""
    blank = Object(
        0, _TIME, _ETAG, "STANDARD", {"CRC64NVME": "AAAAAAAAAAA="}, "FULL_OBJECT", bucket.owner,
        [], b"", {}, {}, ("md5", _ETAG), [], 0, 1,
    )  # fmt: skip
    if not of_a_key:
        row = encode(blank)
        for number in range(count):
            yield Put("object", bucket.id + f"list/{name_of(number)}".encode(), row)
        return
    for number in range(count // of_a_key):
        key = f"list/{name_of(number)}".encode()
        for seq in range(1, of_a_key + 1):
            row = encode(msgspec.structs.replace(blank, seq=seq, version=mint(seq)))
            if seq == of_a_key:
                yield Put("object", bucket.id + key, row)
            else:
                yield Put("version", row_key(bucket.id, key, seq), row)
