"""Windows on another cluster's buckets, end to end."""

from __future__ import annotations

import json
import os
import uuid
from urllib.parse import quote

from aistore import Client
from aistore.sdk.namespace import Namespace

from tests.harness import Node
from tests.remote.clusters.requests import Space, act, attach, detach, message
from tests.servers.clusters import uuid_of
from tests.servers.faults import FaultProxy


def test_a_window_is_one_by_alias_and_by_uuid(west: Node, east: Node, bucket: str) -> None:
    east.client().put_object(Bucket=bucket, Key="dir/a b", Body=b"body", Metadata={"m": "v"})
    by_alias, by_uuid = Space(west, bucket), Space(west, bucket, uuid_of(east))
    reply = by_alias.object("GET", "dir/a b")
    assert (reply.status, reply.body) == (200, b"body")
    assert "m=v" in reply.headers["ais-custom-md"].split(", ")
    assert by_uuid.cached() == by_alias.cached() == ["dir/a b"]
    rows = json.loads(west.send("GET", "/v1/buckets?provider=ais&presence=2").body)
    space = {"uuid": uuid_of(east), "name": ""}
    assert {"name": bucket, "provider": "ais", "namespace": space} in rows
    props = json.loads(by_uuid.bucket("HEAD").headers["ais-bucket-props"])
    assert props["provider"] == "ais"


def test_a_cached_object_needs_no_request(
    west: Node, east: Node, bucket: str, proxy: FaultProxy
) -> None:
    data = os.urandom(300_000)
    east.client().put_object(Bucket=bucket, Key="key", Body=data)
    window = Space(west, bucket)
    assert window.object("GET", "key").body == data
    asked = proxy.count(text="/objects/")
    assert window.object("GET", "key").body == data
    assert window.object("GET", "key", Range="bytes=5-9").body == data[5:10]
    assert proxy.count(text="/objects/") == asked


def test_a_write_goes_through(west: Node, east: Node, bucket: str) -> None:
    window, there = Space(west, bucket), east.client()
    reply = window.object("PUT", "key", b"first")
    assert reply.status == 200, reply.body
    head = there.head_object(Bucket=bucket, Key="key")
    assert there.get_object(Bucket=bucket, Key="key")["Body"].read() == b"first"
    assert reply.headers["etag"] == head["ETag"]
    assert window.object("GET", "key").body == b"first"
    assert window.object("DELETE", "key").status == 200
    assert there.list_objects_v2(Bucket=bucket)["KeyCount"] == 0
    assert window.object("GET", "key").status == 404


def test_a_listing_has_what_is_there_and_what_is_cached(
    west: Node, east: Node, bucket: str
) -> None:
    there = east.client()
    for key in ("a", "b/1", "b/2", "c"):
        there.put_object(Bucket=bucket, Key=key, Body=b"x")
    window = Space(west, bucket)
    window.object("GET", "b/1")
    assert window.names() == ["a", "b/1", "b/2", "c"]
    assert window.cached() == ["b/1"]
    assert window.names(prefix="b/", pagesize=1) == ["b/1"]


def test_s3_clients_reach_it_through_a_bucket_in_front(west: Node, east: Node, bucket: str) -> None:
    here, there, front = west.client(), east.client(), f"front-{uuid.uuid4().hex[:8]}"
    here.create_bucket(Bucket=front)
    value = {"backend_bck": {"name": bucket, "provider": "ais", "namespace": {"uuid": "east"}}}
    reply = act(west, "PATCH", f"/v1/buckets/{front}", "set-bprops", value)
    assert reply.status == 200, reply.body
    about = {
        "ContentType": "text/plain",
        "CacheControl": "no-store",
        "ContentDisposition": 'attachment; filename="a b"',
        "Metadata": {"colour": "blue, and green", "empty": ""},
    }
    put = here.put_object(Bucket=front, Key="key", Body=b"body", **about)
    for client, name in ((there, bucket), (here, front)):
        head = client.head_object(Bucket=name, Key="key")
        assert {field: head[field] for field in about} == about
        assert head["ETag"] == put["ETag"]
    other = there.put_object(Bucket=bucket, Key="other", Body=b"x" * 100, **about)
    found = here.get_object(Bucket=front, Key="other")
    assert found["Body"].read() == b"x" * 100
    assert {field: found[field] for field in about} == about
    listed = {
        row["Key"]: (row["ETag"], row["LastModified"])
        for row in here.list_objects_v2(Bucket=front)["Contents"]
    }
    assert listed == {
        row["Key"]: (row["ETag"], row["LastModified"])
        for row in there.list_objects_v2(Bucket=bucket)["Contents"]
    }
    assert listed["other"][0] == other["ETag"]
    act(west, "DELETE", f"/v1/buckets/{front}", "destroy-bck")
    assert there.head_object(Bucket=bucket, Key="key")["ETag"] == put["ETag"]


def test_conditions_of_writes_hold(west: Node, east: Node, bucket: str) -> None:
    window = Space(west, bucket)
    window.object("PUT", "key", b"first")
    etag = east.client().put_object(Bucket=bucket, Key="key", Body=b"behind")["ETag"]
    refused = window.object("PUT", "key", b"second", If_None_Match="*")
    assert refused.status == 412
    assert window.object("PUT", "key", b"second", If_Match='"0"').status == 412
    assert window.object("PUT", "key", b"second", If_None_Match='"0"').status == 501
    assert window.object("PUT", "key", b"third", If_Match=etag).status == 200
    assert window.object("GET", "key").body == b"third"


def test_all_buckets_of_other_clusters_are_listed(
    west: Node, east: Node, third: Node, bucket: str
) -> None:
    assert attach(west, "third", third.root).status == 200
    third.client().create_bucket(Bucket="of-the-third")
    act(third, "POST", "/v1/buckets/spaced?namespace=%23ns", "create-bck")

    def names(space: str) -> list[str]:
        reply = west.send("GET", f"/v1/buckets?provider=ais&namespace={quote(space, safe='')}")
        assert reply.status == 200, reply.body
        return [row["name"] for row in json.loads(reply.body)]

    assert {bucket, "of-the-third"} <= set(names("@"))
    assert names("@third") == ["of-the-third"]
    assert names("@third#ns") == ["spaced"]
    assert bucket in names("@east")
    assert Space(west, "spaced", "third#ns").object("PUT", "key", b"x").status == 200
    key = third.send("GET", "/v1/objects/spaced/key?namespace=%23ns")
    assert (key.status, key.body) == (200, b"x")
    for name, cluster in (("of-the-third", "third"), ("spaced", "third#ns")):
        Space(west, name, cluster).bucket("DELETE", "evict-remote-bck")
    detach(west, "third")


def test_an_absent_bucket_or_object_is_told(west: Node, bucket: str) -> None:
    window = Space(west, bucket)
    assert window.object("GET", "absent").status == 404
    assert window.object("HEAD", "absent").status == 404
    reply = Space(west, "absent-bucket-9").object("GET", "key")
    assert reply.status == 404
    assert "ais://" in message(reply)
    reply = Space(west, bucket, "nobody").object("GET", "key")
    assert (reply.status, message(reply)) == (404, 'remote cluster "nobody" is not attached')


def test_nvidias_sdk_reaches_it(west: Node, east: Node, bucket: str) -> None:
    east.client().put_object(Bucket=bucket, Key="there", Body=b"from the east")
    for cluster in ("east", uuid_of(east)):
        window = Client(west.root).bucket(bucket, namespace=Namespace(uuid=cluster))
        assert window.object("there").get_reader().read_all() == b"from the east"
        window.object("here").get_writer().put_content(b"from the west")
        assert [entry.name for entry in window.list_all_objects()] == ["here", "there"]
        assert window.object("here").head().size == 13
    body = east.client().get_object(Bucket=bucket, Key="here")["Body"].read()
    assert body == b"from the west"
    found = Client(west.root).cluster().list_buckets(provider="ais")
    assert (bucket, uuid_of(east)) in {(one.name, one.namespace.uuid) for one in found}
