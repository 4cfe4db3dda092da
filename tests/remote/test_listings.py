"""Listings of windows through S3 clients, the native API, the SDK and the command line."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from aistore import Client
from aistore.sdk.list_object_flag import ListObjectFlag
from botocore.exceptions import ClientError

from tests.cli.conftest import environment
from tests.clients.tools import Shell, aws_environment
from tests.harness import Node
from tests.native.support import act, wait
from tests.remote.windows import Remote, make_window
from tests.servers.faults import FaultProxy

FEW = [f"{'dir/' if number % 5 == 0 else ''}k{number:02}" for number in range(20)]
DOUBLED = 7
MANY = [f"{number:07b}-{key}" for number in range(1 << DOUBLED) for key in FEW]  # 2,560
DIRECTORIES = sorted({key.partition("/")[0] + "/" for key in MANY if "/" in key})


@pytest.fixture(scope="module")
def many(cache: Node, origin: Node, there: Any) -> Iterator[Remote]:
    """A window on 2,560 objects, a fifth of them in directories. The origin makes them itself:
    copies of what it has get a 0 in front of their names, and then a 1."""
    made = ["many-0", "many-1", "many"]
    for name in made:
        there.create_bucket(Bucket=name)
    for key in FEW:
        there.put_object(Bucket="many-0", Key=f"-{key}", Body=b"x")
    for step in range(DOUBLED):
        source = f"many-{step % 2}"
        target = "many" if step == DOUBLED - 1 else f"many-{1 - step % 2}"
        empty(origin, target)
        for digit in "01":
            place = f"/v1/buckets/{source}?bck_to={quote(f'ais/@#/{target}/', safe='')}"
            assert not wait(origin, act(origin, "POST", place, "copy-bck", {"prepend": digit}))[
                "err"
            ]
    yield (remote := make_window(cache, there, "many"))
    remote.remove()
    for name in made:
        assert act(origin, "DELETE", f"/v1/buckets/{name}", "destroy-bck").status == 200


def empty(node: Node, bucket: str) -> None:
    for method, action in (("DELETE", "destroy-bck"), ("POST", "create-bck")):
        assert act(node, method, f"/v1/buckets/{bucket}", action).status == 200


def entries(remote: Remote, flags: int = 0, **value: object) -> list[dict[str, Any]]:
    """All entries of the native listing, page by page."""
    found: list[dict[str, Any]] = []
    token = ""
    while True:
        asked = {"flags": str(flags), "continuation_token": token, **value}
        reply = remote.native("GET", action={"action": "list", "value": asked})
        assert reply.status == 200, reply.body
        page = json.loads(reply.body)
        found += page["entries"] or []
        token = page["continuation_token"]
        if not token:
            return found


def names(found: list[dict[str, Any]]) -> list[str]:
    return [entry["name"] for entry in found]


# --- S3 clients -----------------------------------------------------------------------------


def test_boto3_pages_through_a_window(many: Remote, here: Any, faults: FaultProxy) -> None:
    faults.reset()
    for operation in ("list_objects_v2", "list_objects"):
        pages = list(here.get_paginator(operation).paginate(Bucket="many"))
        assert [len(page["Contents"]) for page in pages] == [1000, 1000, 560]
        assert [one["Key"] for page in pages for one in page["Contents"]] == sorted(MANY)
    small = here.get_paginator("list_objects_v2").paginate(
        Bucket="many", Prefix="0101010", PaginationConfig={"PageSize": 3}
    )
    assert [one["Key"] for page in small for one in page["Contents"]] == sorted(
        key for key in MANY if key.startswith("0101010")
    )


def test_directories_of_a_window_are_common_prefixes(many: Remote, here: Any) -> None:
    for operation in ("list_objects_v2", "list_objects"):
        pages = list(
            here.get_paginator(operation).paginate(
                Bucket="many", Delimiter="/", PaginationConfig={"PageSize": 700}
            )
        )
        prefixes = [one["Prefix"] for page in pages for one in page.get("CommonPrefixes", [])]
        keys = [one["Key"] for page in pages for one in page.get("Contents", [])]
        assert prefixes == DIRECTORIES
        assert keys == sorted(key for key in MANY if "/" not in key)
    found = here.list_objects_v2(Bucket="many", StartAfter="1111111-k17")
    assert [one["Key"] for one in found["Contents"]] == ["1111111-k18", "1111111-k19"]
    one = here.list_objects_v2(Bucket="many", Prefix=DIRECTORIES[0], MaxKeys=1)
    assert (one["KeyCount"], one["IsTruncated"]) == (1, True)
    assert here.list_objects_v2(Bucket="many", MaxKeys=0)["KeyCount"] == 0


def test_bad_tokens_are_bad_requests(many: Remote, here: Any) -> None:
    for token in ("w.AAAA", "nonsense", "w."):
        with pytest.raises(ClientError) as refused:
            here.list_objects_v2(Bucket="many", ContinuationToken=token)
        assert refused.value.response["Error"]["Code"] == "InvalidArgument"


def test_s3cmd_and_the_aws_cli_list_a_window(many: Remote, cache: Node, tmp_path: Path) -> None:
    shell = Shell(tmp_path, aws_environment(cache))
    config = shell.file(".s3cfg", b"[default]\naccess_key = a\nsecret_key = b\nuse_https = False\n")
    host = (f"--host={cache.host}/s3", f"--host-bucket={cache.host}/s3")
    listed = shell.run("s3cmd", "-c", config, *host, "ls", "s3://many").stdout.splitlines()
    assert len(listed) == len(DIRECTORIES) + 2048
    assert listed[0].split() == ["DIR", f"s3://many/{DIRECTORIES[0]}"]
    assert listed[-1].split()[2:] == ["1", "s3://many/1111111-k19"]
    aws = ("aws", "--endpoint-url", cache.endpoint, "s3", "ls", "s3://many/", "--recursive")
    assert [line.split()[-1] for line in shell.run(*aws).stdout.splitlines()] == sorted(MANY)


# --- the native API -------------------------------------------------------------------------


def test_entries_tell_what_the_cluster_has(window: Callable[..., Remote]) -> None:
    remote = window()
    for key in ("cold", "copy", "changed", "gone"):
        remote.put_there(key, key.encode())
    for key in ("copy", "changed", "gone"):
        assert remote.get(key).status == 200
    remote.put_there("changed", b"another body")
    remote.there.delete_object(Bucket=remote.name, Key="gone")

    plain = {entry["name"]: entry for entry in entries(remote)}
    assert list(plain) == ["changed", "cold", "copy"]
    assert plain["cold"] == {"name": "cold", "size": 4}
    assert plain["copy"] == {"name": "copy", "size": 4, "flags": 1 << 6}
    assert plain["changed"]["size"] == 12
    every = "name,size,cached,status,version,custom,checksum,copies,atime,location"
    told = {entry["name"]: entry for entry in entries(remote, 1 << 12, props=every)}
    assert {name: entry.get("flags", 0) for name, entry in told.items()} == {
        "changed": 1 << 6 | 1 << 10,
        "cold": 0,
        "copy": 1 << 6,
        "gone": 1 << 6 | 1 << 11,
    }
    assert "source:aws" in told["cold"]["custom-md"]
    assert not {"atime", "copies", "location"} & set(told["cold"])
    assert {"atime", "copies", "location"} <= set(told["copy"])
    for flags, expected in (
        (1 << 0, ["changed", "copy", "gone"]),  # cached: nobody else is asked
        (1 << 0 | 1 << 12, ["changed", "copy", "gone"]),
        (1 << 9, ["cold"]),
        (1 << 1, ["changed", "cold", "copy", "gone"]),
        (1 << 2, ["changed", "cold", "copy", "gone"]),
        (1 << 4, ["changed", "cold", "copy"]),
        (1 << 10, ["changed", "cold", "copy"]),
    ):
        assert names(entries(remote, flags)) == expected, flags
    assert entries(remote, 1 << 4)[1] == {"name": "cold"}
    assert all("flags" not in entry for entry in entries(remote, 1 << 10))


def test_a_cached_listing_does_not_ask_the_remote(
    window: Callable[..., Remote], faults: FaultProxy
) -> None:
    remote = window()
    remote.put_there("a", b"x")
    assert remote.get("a").status == 200
    faults.reset()
    assert names(entries(remote, 1)) == ["a"]
    assert faults.count() == 0


def test_directories_and_pages_natively(many: Remote) -> None:
    found = entries(many, 1 << 11, pagesize=600)
    assert found[0] == {"name": DIRECTORIES[0], "flags": 1 << 8}
    flat = sorted(key for key in MANY if "/" not in key)
    assert names(found) == sorted([*flat, *DIRECTORIES])
    assert names(entries(many, 1 << 11 | 1 << 13)) == flat
    reply = many.native("GET", action={"action": "list", "value": {"pagesize": 5000}})
    assert len(json.loads(reply.body)["entries"]) == 1000
    found = entries(many, start_after="1111111-k18", prefix="1111111-k")
    assert names(found) == ["1111111-k19"]


def test_a_page_size_of_the_bucket_s_own_is_kept_to(
    window: Callable[..., Remote], faults: FaultProxy
) -> None:
    remote = window(**{"extra.aws.max_pagesize": "4"})
    keys = [f"k{number:02}" for number in range(12)]
    for key in keys:
        remote.put_there(key, b"")
    faults.reset()
    assert names(entries(remote)) == keys
    assert faults.count("GET") >= 3


def test_archives_of_a_window_are_listed_as_far_as_they_are_here(
    window: Callable[..., Remote],
) -> None:
    remote = window()
    remote.put_there("a.tar", b"no archive")
    assert names(entries(remote, 1 << 3)) == []
    assert remote.get("a.tar").status == 200
    assert names(entries(remote, 1 << 3)) == ["a.tar"]


def test_a_remote_that_fails_is_told(window: Callable[..., Remote], here: Any) -> None:
    remote = window()
    remote.there.delete_bucket(Bucket=remote.name)
    with pytest.raises(ClientError) as missing:
        here.list_objects_v2(Bucket=remote.name)
    assert missing.value.response["Error"]["Code"] == "NoSuchBucket"
    reply = remote.native("GET", action={"action": "list"})
    assert reply.status == 404
    assert f"aws://{remote.name}" in json.loads(reply.body)["message"]
    assert remote.native("GET", action={"action": "list", "value": {"flags": "1"}}).status == 200
    remote.there.create_bucket(Bucket=remote.name)


# --- summaries ------------------------------------------------------------------------------


def test_a_window_is_summed_up_here_and_there(window: Callable[..., Remote], cache: Node) -> None:
    remote = window()
    for size in (10, 20, 30):
        remote.put_there(f"d/{size}", b"x" * size)
    remote.put_there("else", b"x")
    assert remote.get("d/20").status == 200
    client = Client(cache.root)
    bucket = client.bucket(remote.name, provider="aws")
    _, told = bucket.info(bsumm_remote=True)
    assert (told["ObjCount"]["obj_count_present"], told["ObjCount"]["obj_count_remote"]) == (
        "1",
        "4",
    )
    assert told["TotalSize"]["size_all_remote_objs"] == "61"
    _, told = bucket.info(bsumm_remote=False)
    assert told["ObjCount"]["obj_count_remote"] == "0"
    shown = ais(cache, "bucket", "summary", f"s3://{remote.name}", "--prefix", "d/", "-H")
    assert shown.split()[:3] == [f"aws://{remote.name}", "1", "3"]
    shown = ais(cache, "bucket", "summary", f"s3://{remote.name}", "--cached", "-H")
    assert shown.split()[:3] == [f"aws://{remote.name}", "1", "0"]
    remote.there.delete_object(Bucket=remote.name, Key="else")


# --- the SDK and the command line -----------------------------------------------------------


def ais(node: Node, *words: str, code: int = 0) -> str:
    """What the `ais` command prints."""
    done = subprocess.run(
        ["ais", *words],
        env=environment(node),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        cwd=os.sep,
    )
    assert "Traceback" not in done.stderr
    assert done.returncode == code, done.stderr
    return done.stdout if code == 0 else done.stderr


def test_the_sdk_lists_a_window(many: Remote, cache: Node) -> None:
    bucket = Client(cache.root).bucket("many", provider="aws")
    assert [entry.name for entry in bucket.list_all_objects()] == sorted(MANY)
    page = bucket.list_objects(page_size=10, props="name,size,cached")
    assert [entry.name for entry in page.entries] == sorted(MANY)[:10]
    assert not any(entry.is_cached() for entry in page.entries)
    assert list(bucket.list_all_objects(flags=[ListObjectFlag.CACHED])) == []


def test_the_command_line_shows_columns_of_a_window(
    window: Callable[..., Remote], cache: Node
) -> None:
    remote = window()
    uri = f"s3://{remote.name}"
    for key in ("a", "b", "c"):
        remote.put_there(key, b"body")
    for key in ("b", "c"):
        assert remote.get(key).status == 200
    remote.there.delete_object(Bucket=remote.name, Key="c")
    assert [line.split() for line in ais(cache, "ls", uri).splitlines()] == [
        ["NAME", "SIZE", "CACHED", "STATUS"],
        ["a", "4B", "no", "ok"],
        ["b", "4B", "yes", "ok"],
    ]
    assert [line.split() for line in ais(cache, "ls", uri, "--diff", "-H").splitlines()] == [
        ["a", "4B", "no", "ok"],
        ["b", "4B", "yes", "ok"],
        ["c", "4B", "yes", "deleted"],
    ]
    shown = ais(cache, "ls", uri, "--all", "--name-only", "-H")
    assert shown == "a\nb\nc\n"
    remote.put_there("b", b"another")
    shown = ais(cache, "ls", uri, "--cached", "--diff", "-H")
    assert [line.split()[::3] for line in shown.splitlines()] == [
        ["b", "version-changed"],
        ["c", "deleted"],
    ]
    assert ais(cache, "ls", uri, "--name-only", "-H") == "a\nb\n"
    assert ais(cache, "ls", uri, "--not-cached", "-H").split()[0] == "a"
    assert ais(cache, "ls", uri, "--limit", "1", "--paged", "-H").split()[0] == "a"
    assert ais(cache, "ls", uri, "--count-only").startswith("Listed 2 names")


def test_the_footer_counts_what_is_in_the_cluster(many: Remote, cache: Node) -> None:
    lines = ais(cache, "ls", "s3://many", "--prefix", "0000000").splitlines()
    assert lines[-1] == "Listed 20 names (in-cluster: 0)"
    brief = ais(cache, "ls", "s3://many", "--summary", "-H", "-F").split()
    assert brief[:4] == ["aws://many", "yes", "0", "2560"]
