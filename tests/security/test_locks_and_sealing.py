"""What went wrong elsewhere with object lock, server-side encryption and Select.

Named by the advisories that tell of it; those of policies alone are in `tests.auth`.
"""

from __future__ import annotations

import gzip
import re
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from aisle.core.errors import ObjectLocked, StoreUnavailable
from aisle.namespace import destroy, documents, locks
from aisle.namespace.records import Object
from aisle.namespace.records.encoding import decode, encode
from aisle.namespace.store import BucketRow, Store
from aisle.namespace.versions import removal
from aisle.store.base import Put
from tests.harness import Node, children
from tests.namespace.locked import COMPLIANT, GOVERNED, lock_bucket, put
from tests.namespace.support import memory_store, run
from tests.people import Person, deny, fresh, policy, refused
from tests.security.test_crossing import send
from tests.wire.locks import governed, remove, retain, soon
from tests.wire.sealed import customer, headers

Attempt = Callable[[Store, BucketRow, str], Awaitable[object]]


async def _delete(store: Store, bucket: BucketRow, version: str) -> object:
    return await removal.remove(store, bucket, b"k", version)


async def _delete_bypassing(store: Store, bucket: BucketRow, version: str) -> object:
    return await removal.remove(store, bucket, b"k", version, bypass=True)


async def _empty(store: Store, bucket: BucketRow, version: str) -> object:
    return await destroy.empty(store, bucket)


async def _destroy(store: Store, bucket: BucketRow, version: str) -> object:
    return await destroy.destroy(store, bucket.name)


ATTEMPTS: dict[str, Attempt] = {
    "delete": _delete,
    "bypass": _delete_bypassing,
    "empty": _empty,
    "destroy": _destroy,
}


# --- locks ----------------------------------------------------------------------------------


@pytest.fixture
def guarded(alice: Person) -> Iterator[str]:
    """A bucket of alice's with a version `k` that governance keeps."""
    name = fresh("guarded")
    alice.s3.create_bucket(Bucket=name, ObjectLockEnabledForBucket=True)
    alice.s3.put_object(Bucket=name, Key="k", Body=b"kept", **governed())
    yield name
    alice.s3.delete_bucket_policy(Bucket=name)
    remove(alice.s3, name)


def test_cve_2023_25812_an_owner_who_is_denied_the_bypass_has_none(
    alice: Person, guarded: str
) -> None:
    s3, objects_of = alice.s3, f"arn:aws:s3:::{guarded}/*"
    denial = {"Principal": "*", **deny("s3:BypassGovernanceRetention", objects_of)}
    s3.put_bucket_policy(Bucket=guarded, Policy=policy(denial))
    version = s3.head_object(Bucket=guarded, Key="k")["VersionId"]
    named = {"Key": "k", "VersionId": version}
    with refused("AccessDenied", 403):
        s3.delete_object(Bucket=guarded, BypassGovernanceRetention=True, **named)
    with refused("AccessDenied", 403):
        retain(s3, guarded, "GOVERNANCE", soon(0.5), BypassGovernanceRetention=True)
    told = s3.delete_objects(
        Bucket=guarded, Delete={"Objects": [named]}, BypassGovernanceRetention=True
    )
    assert [error["Code"] for error in told["Errors"]] == ["AccessDenied"]
    assert s3.get_object(Bucket=guarded, Key="k")["Body"].read() == b"kept"


@pytest.mark.parametrize("name", ATTEMPTS)
def test_rustfs_a_version_whose_lock_cannot_be_read_is_not_removed(name: str) -> None:
    async def main() -> None:
        store = memory_store()
        bucket = await lock_bucket(store)
        it = await put(store, bucket, COMPLIANT)
        key = bucket.record.id + b"k"
        row = encode(it)
        fields = msgspec.msgpack.decode(row[1:])
        place = Object.__struct_fields__.index("lock")
        fields[place] = "COMPLIANCE"  # not what a lock is
        broken = row[:1] + msgspec.msgpack.encode(fields)
        await store.index.commit(Put("object", key, broken))
        with pytest.raises(StoreUnavailable, match="cannot be read"):
            await ATTEMPTS[name](store, bucket, it.version)
        assert await store.index.get("object", key) == broken

    run(main())


@pytest.mark.parametrize("name", ATTEMPTS)
def test_rustfs_a_mode_that_nobody_knows_is_not_passed_over(name: str) -> None:
    async def main() -> None:
        store = memory_store()
        bucket = await lock_bucket(store)
        it = await put(store, bucket, GOVERNED)
        key = bucket.record.id + b"k"
        assert it.lock is not None
        odd = msgspec.structs.replace(it, lock=msgspec.structs.replace(it.lock, mode="FROZEN"))
        await store.index.commit(Put("object", key, encode(odd)))
        with pytest.raises(ObjectLocked):
            await ATTEMPTS[name](store, bucket, it.version)
        kept = await store.index.get("object", key)
        assert kept is not None
        assert decode(Object, kept) == odd

    run(main())


def test_rustfs_nothing_is_written_where_the_default_lock_cannot_be_read() -> None:
    """What would be written without the retention that its bucket gives could be removed."""

    async def main() -> None:
        store = memory_store()
        bucket = await lock_bucket(store, locks.Rule(locks.COMPLIANCE, days=1))
        document = Put("document", bucket.record.id + documents.LOCK, b"\xc1")
        await store.index.commit(document)
        store.documents.clear()  # as a start of the node
        with pytest.raises(StoreUnavailable, match="cannot be read"):
            await put(store, bucket)
        assert await store.index.scan("object", prefix=bucket.record.id, limit=1) == []

    run(main())


# --- encryption -----------------------------------------------------------------------------

# What other stores write beside an object, and took from clients: how it is sealed, and with what.
FOREIGN = {
    "x-minio-internal-server-side-encryption-iv": "AAAA",
    "x-minio-internal-server-side-encryption-seal-algorithm": "DAREv2-HMAC-SHA256",
    "x-minio-internal-server-side-encryption-s3-sealed-key": "AAAA",
    "x-minio-replication-server-side-encryption-sealed-key": "AAAA",
    "x-minio-source-replication-request": "true",
    "x-minio-replication-actual-object-size": "1",
    "ais-sealed": "true",
    "ais-transfer-object": "AAAA",
}


@pytest.mark.parametrize("mode", ["none", "customer"])
def test_cve_2026_34204_no_header_says_how_bytes_are_sealed(
    alice: Person, vault: str, mode: str
) -> None:
    given = headers() if mode == "customer" else {}
    sent = send(alice, "PUT", f"/{vault}/odd", body=b"plain", headers={**FOREIGN, **given})
    assert sent.status == 200, sent.body
    read = customer() if mode == "customer" else {}
    told = alice.s3.get_object(Bucket=vault, Key="odd", **read)
    assert told["Body"].read() == b"plain"
    assert told["ContentLength"] == 5
    assert told["Metadata"] == {}
    assert "ReplicationStatus" not in told
    assert ("SSECustomerAlgorithm" in told) is (mode == "customer")
    alice.s3.delete_object(Bucket=vault, Key="odd")


# --- Select ---------------------------------------------------------------------------------


def test_cve_2026_39414_a_record_without_an_end_is_refused_within_a_bound(
    node: Node, alice: Person, vault: str
) -> None:
    """A megabyte that unpacks to a gigabyte with no line in it."""
    packed = gzip.compress(b"x" * (16 << 20)) * 64  # members follow each other
    alice.s3.put_object(Bucket=vault, Key="bomb", Body=packed)
    query: dict[str, Any] = {
        "Bucket": vault, "Key": "bomb", "Expression": "SELECT * FROM S3Object",
        "ExpressionType": "SQL", "OutputSerialization": {"CSV": {}},
    }  # fmt: skip
    shapes: list[dict[str, Any]] = [
        {"CSV": {}},
        {"JSON": {"Type": "LINES"}},
        {"JSON": {"Type": "DOCUMENT"}},
    ]
    for shape in shapes:
        with refused("OverMaxRecordSize", 400):
            told = alice.s3.select_object_content(
                **query, InputSerialization={**shape, "CompressionType": "GZIP"}
            )
            list(told["Payload"])
    for worker in children(node.pid):
        (peak,) = re.findall(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{worker}/status").read_text())
        assert int(peak) < 300 << 10
    alice.s3.delete_object(Bucket=vault, Key="bomb")
