"""Listings by inventory, end to end: a node in front of another Aisle node and of moto's server, to
which the tests write inventories as Amazon's S3 does.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.harness import Node
from tests.inventories import entries, written
from tests.people import as_root, fresh, new_user
from tests.remote.windows import Remote
from tests.servers.faults import FaultProxy

SECONDS = 60.0
LATER = "2026-11-23T01-00Z"
Window = Callable[..., Remote]


def listed(here: Any, bucket: str, **query: Any) -> list[dict[str, Any]]:
    """All objects of a bucket by its inventory, through the S3 API."""
    headers = query.pop("headers", {"Ais-Bucket-Inventory": "true"})
    found: list[dict[str, Any]] = []
    while True:
        reply = with_headers(here, headers).list_objects_v2(Bucket=bucket, **query)
        found += reply.get("Contents", [])
        if not reply["IsTruncated"]:
            return found
        query["ContinuationToken"] = reply["NextContinuationToken"]


class _Adding:
    """Calls of a client with headers of their own."""

    def __init__(self, client: Any, headers: Mapping[str, str]) -> None:
        self._client = client
        self._headers = headers

    def list_objects_v2(self, **query: Any) -> Any:
        def add(request: Any, **more: Any) -> None:
            for name, value in self._headers.items():
                request.headers[name] = value

        events = self._client.meta.events
        events.register("before-sign.s3.ListObjectsV2", add)
        try:
            return self._client.list_objects_v2(**query)
        finally:
            events.unregister("before-sign.s3.ListObjectsV2", add)


def with_headers(client: Any, headers: Mapping[str, str]) -> _Adding:
    return _Adding(client, headers)


def keys(found: list[dict[str, Any]]) -> list[str]:
    return [one["Key"] for one in found]


def deliver(remote: Remote, files: Mapping[str, bytes], bucket: str = "") -> None:
    for key, data in files.items():
        remote.there.put_object(Bucket=bucket or remote.name, Key=key, Body=data)


@pytest.mark.parametrize("format", ["CSV", "ORC", "Parquet"])
def test_an_inventory_is_listed_through_the_s3_api(window: Window, here: Any, format: str) -> None:
    remote = window()
    told = entries(2500)
    deliver(remote, written(remote.name, [told[1::2], told[::2]], format=format))
    found = listed(here, remote.name)
    assert keys(found) == [entry.key for entry in told]
    assert found[7]["Size"] == told[7].size
    assert found[7]["ETag"] == f'"{told[7].etag}"'
    assert found[7]["LastModified"].timestamp() == told[7].mtime // 10**9
    assert found[7]["StorageClass"] == "STANDARD"


def test_pages_of_an_inventory_ask_nothing_of_the_remote(
    window: Window, here: Any, faults: FaultProxy
) -> None:
    remote = window()
    told = entries(30, folder="a/") + entries(30, folder="b/")
    deliver(remote, written(remote.name, [told]))
    listed(here, remote.name)
    before = faults.count()
    assert keys(listed(here, remote.name, MaxKeys=7)) == [entry.key for entry in told]
    assert keys(listed(here, remote.name, Prefix="b/")) == [entry.key for entry in told[30:]]
    headers = {"Ais-Bucket-Inventory": "true"}
    reply = with_headers(here, headers).list_objects_v2(Bucket=remote.name, Delimiter="/")
    assert [one["Prefix"] for one in reply["CommonPrefixes"]] == ["a/", "b/"]
    assert faults.count() == before
    # An inventory does not tell what is restored.
    rows = listed(here, remote.name, OptionalObjectAttributes=["RestoreStatus"])
    assert not any("RestoreStatus" in row for row in rows)
    assert len(rows) == 60


def test_it_is_looked_for_by_name_and_id(window: Window, here: Any) -> None:
    remote = window()
    deliver(remote, written(remote.name, [entries(1)]))
    deliver(remote, written(remote.name, [entries(2)], prefix="inv", id="weekly"))
    assert len(listed(here, remote.name)) == 1
    named = {"Ais-Inv-Name": "inv", "Ais-Inv-Id": "weekly"}
    for headers in (
        {"Ais-Bucket-Inventory": "true", **named},
        named,
        {"Ais-Inv-Name": "inv"},
    ):
        assert len(listed(here, remote.name, headers=headers)) == 2
    with pytest.raises(ClientError) as caught:
        listed(here, remote.name, headers={"Ais-Inv-Name": "elsewhere"})
    error = caught.value.response["Error"]
    assert error["Code"] == "NoSuchConfiguration"
    assert f"s3://{remote.name}/elsewhere/{remote.name}/" in error["Message"]


def test_a_listing_says_what_is_wrong_with_an_inventory(window: Window, here: Any) -> None:
    remote = window()
    files = written(remote.name, [entries(3)])
    data = next(key for key in files if key.endswith(".csv.gz"))
    deliver(remote, {**files, data: files[data][:-1] + b"x"})
    with pytest.raises(ClientError) as caught:
        listed(here, remote.name)
    error = caught.value.response["Error"]
    assert error["Code"] == "InvalidRequest"
    assert f"{data} has not the MD5" in error["Message"]
    for wrong in ({"Ais-Bucket-Inventory": "perhaps"}, {"Ais-Inv-Id": "a/b"}):
        with pytest.raises(ClientError) as caught:
            listed(here, remote.name, headers=wrong)
        assert caught.value.response["Error"]["Code"] == "InvalidArgument"


def test_a_bucket_of_our_own_has_no_inventory(here: Any, cache: Node) -> None:
    here.create_bucket(Bucket="no-window")
    with pytest.raises(ClientError) as caught:
        listed(here, "no-window")
    assert caught.value.response["Error"]["Code"] == "NotImplemented"
    here.delete_bucket(Bucket="no-window")


def test_only_administrators_name_another_bucket(origin: Node) -> None:
    """The cluster's credentials for remote buckets are not lent to whoever may list one."""
    somebody = new_user(origin, fresh("somebody"))
    own = somebody.client("s3")
    own.create_bucket(Bucket="not-a-window")
    for caller, code in ((own, "AccessDenied"), (origin.client(), "NotImplemented")):
        with pytest.raises(ClientError) as caught:
            listed(caller, "not-a-window", headers={"Ais-Inv-Name": "s3://elsewhere"})
        assert caught.value.response["Error"]["Code"] == code
    own.delete_bucket(Bucket="not-a-window")
    as_root(origin, "DELETE", f"/v1/users/{somebody.name}")


def test_a_bucket_in_front_of_a_remote_one_is_listed_by_its_inventory(
    window: Window, here: Any, cache: Node
) -> None:
    remote = window()
    deliver(remote, written(remote.name, [entries(4)]))
    front = Remote(cache, remote.there, f"front-{remote.name}"[:60], "ais")
    value = {"backend_bck": {"name": remote.name, "provider": "aws"}}
    reply = front.native("POST", action={"action": "create-bck", "value": value})
    assert reply.status == 200, reply.body
    assert len(listed(here, front.name)) == 4
    assert len(native_list(front, {"flags": str(1 << 15)})) == 4
    assert front.native("DELETE", action={"action": "destroy-bck"}).status == 200


def test_what_is_cached_is_told_with_an_inventory(window: Window, here: Any) -> None:
    remote = window()
    told = [replace(entry, size=4) for entry in entries(5)]
    deliver(remote, {entry.key: b"data" for entry in told})
    deliver(remote, written(remote.name, [told]))
    here.get_object(Bucket=remote.name, Key=told[2].key)["Body"].read()
    value = {"props": "name,size,cached,checksum,version,custom", "flags": str(1 << 15)}
    reply = native_list(remote, value)
    assert [entry["name"] for entry in reply] == [entry.key for entry in told]
    assert [bool(entry.get("flags", 0) & 1 << 6) for entry in reply] == [
        *(False, False, True, False, False),
    ]
    assert told[1].etag in reply[1]["custom-md"]
    assert reply[2]["size"] == 4
    assert "8d777f385d3dfec8815d20f7496026dc" in reply[2]["custom-md"]  # of "data"


def native_list(remote: Remote, value: dict[str, Any]) -> list[dict[str, Any]]:
    reply = remote.native("GET", action={"action": "list", "value": value})
    assert reply.status == 200, reply.body
    return list(json.loads(reply.body)["entries"])


@pytest.mark.parametrize("bit", [0, 3, 9, 12])
def test_what_an_inventory_cannot_tell_is_refused(window: Window, bit: int) -> None:
    remote = window()
    value = {"flags": str(1 << 15 | 1 << bit)}
    reply = remote.native("GET", action={"action": "list", "value": value})
    assert reply.status == 400
    assert b"a listing by inventory cannot be" in reply.body


def test_a_newer_inventory_is_listed_once_it_lands(window: Window, here: Any) -> None:
    remote = window()
    deliver(remote, written(remote.name, [entries(3)]))
    assert len(listed(here, remote.name)) == 3
    deliver(remote, written(remote.name, [entries(7)], date=LATER))
    deadline = time.monotonic() + SECONDS
    while len(listed(here, remote.name)) != 7:
        assert time.monotonic() < deadline
        time.sleep(0.1)


@pytest.mark.parametrize("format", ["CSV", "ORC", "Parquet"])
def test_a_remote_aisle_is_listed_by_the_inventory_that_it_writes(
    window: Window, here: Any, format: str
) -> None:
    """Both ends are Aisle: one writes an inventory of its bucket, the other lists by it."""
    remote = window()
    names = sorted(["a b", "c+d", "dir/e%f", "x" * 200, 'ü,"quoted"'])
    for name in names:
        remote.there.put_object(Bucket=remote.name, Key=name, Body=name.encode())
    here.put_bucket_inventory_configuration(
        Bucket=remote.name,  # passed on to the remote
        Id=remote.name,
        InventoryConfiguration={
            "Id": remote.name,
            "IsEnabled": True,
            "IncludedObjectVersions": "Current",
            "OptionalFields": ["Size", "ETag", "LastModifiedDate"],
            "Destination": {
                "S3BucketDestination": {
                    "Bucket": f"arn:aws:s3:::{remote.name}",
                    "Format": format,
                    "Prefix": ".inventory",
                }
            },
            "Schedule": {"Frequency": "Daily"},
        },
    )
    folder = f".inventory/{remote.name}/{remote.name}/"
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline:
        listing = remote.there.list_objects_v2(Bucket=remote.name, Prefix=folder)
        if any(one["Key"].endswith(".checksum") for one in listing.get("Contents", [])):
            break
        time.sleep(0.1)
    found = listed(here, remote.name)
    assert keys(found) == names
    assert [one["Size"] for one in found] == [len(name.encode()) for name in names]
    there = remote.there.head_object(Bucket=remote.name, Key="a b")
    assert next(one for one in found if one["Key"] == "a b")["ETag"] == there["ETag"]
