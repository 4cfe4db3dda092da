"""Get/PutBucketLogging, and the log objects that follow.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/LogFormat.html
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.cluster.cluster import Cluster
from tests.harness import ACCESS_KEY, Node
from tests.wire.people import People
from tests.wire.support import bucket_target, expect_error, object_target, refused

BAD = (400, "InvalidTargetBucketForLogging")
# As Amazon's guide reads a line: quoted strings, a time in brackets, and words.
FIELD = re.compile(r'"[^"]*"|\[[^]]*\]|\S+')
NAMES = (
    "owner", "bucket", "time", "remote", "requester", "request", "operation", "key", "uri",
    "status", "error", "sent", "size", "total", "turnaround", "referer", "agent", "version",
    "host_id", "signature", "cipher", "authentication", "host", "tls", "access_point", "acl",
    "region",
)  # fmt: skip


@pytest.fixture(scope="module")
def quick(node: Node | Cluster) -> Iterator[None]:
    """Logs are delivered every second."""
    target = "/v1/cluster/set-config?access_logs.interval={}"
    assert node.send("PUT", target.format("1s")).status == 200
    yield
    assert node.send("PUT", target.format("5m")).status == 200


def enabled(target: str, prefix: str = "log/", **more: Any) -> dict[str, Any]:
    return {"LoggingEnabled": {"TargetBucket": target, "TargetPrefix": prefix, **more}}


def records(s3: Any, bucket: str, prefix: str = "log/") -> list[dict[str, str]]:
    """All lines of the log objects in a bucket, by field."""
    found = []
    for entry in s3.list_objects_v2(Bucket=bucket, Prefix=prefix).get("Contents", []):
        text = s3.get_object(Bucket=bucket, Key=entry["Key"])["Body"].read().decode()
        assert text.endswith("\n")
        for line in text.splitlines():
            fields = FIELD.findall(line)
            assert len(fields) == len(NAMES), line
            found.append(dict(zip(NAMES, fields, strict=True)))
    return found


def awaited(s3: Any, bucket: str, wanted: Callable[[dict[str, str]], bool]) -> dict[str, str]:
    """The line that is wanted, as soon as it is delivered."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        for record in records(s3, bucket):
            if wanted(record):
                return record
        time.sleep(0.2)
    raise AssertionError(records(s3, bucket))


def test_a_new_bucket_is_not_logged(s3: Any, bucket: str) -> None:
    assert "LoggingEnabled" not in s3.get_bucket_logging(Bucket=bucket)


def test_what_is_set_is_told_and_taken_back(s3: Any, make_bucket: Callable[..., str]) -> None:
    source, target = make_bucket(), make_bucket()
    simple: dict[str, Any] = {"TargetObjectKeyFormat": {"SimplePrefix": {}}}
    by_day = {"PartitionedPrefix": {"PartitionDateSource": "EventTime"}}
    for more in ({}, simple, {"TargetObjectKeyFormat": by_day}):
        status = enabled(target, "", **more)
        s3.put_bucket_logging(Bucket=source, BucketLoggingStatus=status)
        told = s3.get_bucket_logging(Bucket=source)
        assert told["LoggingEnabled"] == status["LoggingEnabled"]
    s3.put_bucket_logging(Bucket=source, BucketLoggingStatus={})
    assert "LoggingEnabled" not in s3.get_bucket_logging(Bucket=source)


def test_grants_need_a_bucket_with_acls(s3: Any, make_bucket: Callable[..., str]) -> None:
    source = make_bucket()
    group = "http://acs.amazonaws.com/groups/global/AuthenticatedUsers"
    grant = {"Grantee": {"Type": "Group", "URI": group}, "Permission": "READ"}
    enforced = make_bucket(ObjectOwnership="BucketOwnerEnforced")
    with refused(400, "AccessControlListNotSupported"):
        s3.put_bucket_logging(
            Bucket=source, BucketLoggingStatus=enabled(enforced, TargetGrants=[grant])
        )
    free = make_bucket(ObjectOwnership="ObjectWriter")
    s3.put_bucket_logging(Bucket=source, BucketLoggingStatus=enabled(free, TargetGrants=[grant]))
    told = s3.get_bucket_logging(Bucket=source)["LoggingEnabled"]
    assert told["TargetGrants"] == [grant]


def test_the_target_is_a_bucket_of_the_same_account(people: People, alices: str) -> None:
    alice, bob = people.alice.s3, people.bob.s3
    bobs = f"bobs-{alices}"
    bob.create_bucket(Bucket=bobs)
    try:
        for name in ("no-such-bucket-here", bobs):
            with refused(*BAD):
                alice.put_bucket_logging(Bucket=alices, BucketLoggingStatus=enabled(name))
    finally:
        bob.delete_bucket(Bucket=bobs)


def test_who_may_not_write_there_cannot_have_logs_written_there(
    people: People, alices: str
) -> None:
    ann = people.ann.s3
    logging = {
        "Effect": "Allow",
        "Action": ["s3:PutBucketLogging"],
        "Resource": f"arn:aws:s3:::{alices}",
    }
    writing = {"Effect": "Allow", "Action": "s3:PutObject", "Resource": f"arn:aws:s3:::{alices}/*"}
    with people.allowed(people.ann, logging), refused(*BAD):
        ann.put_bucket_logging(Bucket=alices, BucketLoggingStatus=enabled(alices))
    with people.allowed(people.ann, logging, writing):
        ann.put_bucket_logging(Bucket=alices, BucketLoggingStatus=enabled(alices))


@pytest.mark.parametrize(
    "inner",
    [
        "<Other/>",
        "<LoggingEnabled/>",
        "<LoggingEnabled><TargetBucket>b</TargetBucket></LoggingEnabled>",
        "<LoggingEnabled><TargetBucket>b</TargetBucket><TargetPrefix/><TargetPrefix/>"
        "</LoggingEnabled>",
        "<LoggingEnabled><TargetBucket>b</TargetBucket><TargetPrefix/>"
        "<TargetObjectKeyFormat/></LoggingEnabled>",
    ],
)
def test_what_the_schema_does_not_have_is_malformed(node: Node, bucket: str, inner: str) -> None:
    body = f"<BucketLoggingStatus>{inner}</BucketLoggingStatus>".encode()
    reply = node.send("PUT", bucket_target(bucket, "logging"), body=body)
    expect_error(reply, 400, "MalformedXML")


@pytest.mark.usefixtures("quick")
def test_requests_leave_lines_in_amazons_format(
    node: Node, s3: Any, make_bucket: Callable[..., str]
) -> None:
    source, target = make_bucket(), make_bucket()
    s3.put_bucket_logging(Bucket=source, BucketLoggingStatus=enabled(target))
    time.sleep(0.6)  # another gateway of a cluster knows of it a moment later
    s3.put_object(Bucket=source, Key="a b/ä", Body=b"x" * 100)
    headers = {"Range": "bytes=0-9", "Referer": 'a "quoted" one', "User-Agent": 'evil" 200 -'}
    read = node.send("GET", object_target(source, "a b/ä"), headers=headers)
    assert read.status == 206
    assert node.send("GET", object_target(source, "none")).status == 404
    url = s3.generate_presigned_url("get_object", {"Bucket": source, "Key": "a b/ä"})
    assert node.send("GET", url[url.index("/", 8) :], signed=False).status == 200
    s3.copy_object(Bucket=target, Key="copy", CopySource={"Bucket": source, "Key": "a b/ä"})
    v4 = node.client(signature_version="s3v4")
    fresh = v4.generate_presigned_url("head_object", {"Bucket": source, "Key": "a b/ä"})
    assert node.send("HEAD", fresh[fresh.index("/", 8) :], signed=False).status == 200
    s3.delete_objects(Bucket=source, Delete={"Objects": [{"Key": "a b/ä"}]})
    owner = s3.list_buckets()["Owner"]["ID"]

    line = awaited(s3, target, lambda r: r["status"] == "206")
    assert line["owner"] == line["requester"] == owner
    assert line["bucket"] == source
    assert re.fullmatch(r"\[\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d \+0000\]", line["time"])
    assert line["remote"] == "127.0.0.1"
    assert line["operation"] == "REST.GET.OBJECT"
    assert line["key"] == "a%20b/%C3%A4"
    assert line["uri"] == f'"GET {object_target(source, "a b/ä")} HTTP/1.1"'
    assert (line["sent"], line["size"], line["error"]) == ("10", "100", "-")
    assert line["request"] == read.headers["x-amz-request-id"]
    assert line["referer"] == '"a %22quoted%22 one"'
    assert line["agent"] == '"evil%22 200 -"'
    assert (line["signature"], line["authentication"]) == ("SigV4", "AuthHeader")
    assert line["host"] == node.host

    lost = awaited(s3, target, lambda r: r["status"] == "404")
    assert (lost["error"], lost["key"]) == ("NoSuchKey", "none")
    signed = awaited(s3, target, lambda r: r["authentication"] == "QueryString")
    assert url.partition("Signature=")[2].partition("&")[0] not in signed["uri"]
    assert ACCESS_KEY not in signed["uri"]
    looked = awaited(s3, target, lambda r: r["operation"] == "REST.HEAD.OBJECT")
    assert "X-Amz" not in looked["uri"]
    assert (looked["signature"], looked["sent"], looked["size"]) == ("SigV4", "-", "100")
    made = awaited(s3, target, lambda r: r["operation"] == "REST.PUT.OBJECT")
    assert made["size"] == "100"
    awaited(s3, target, lambda r: r["operation"] == "REST.COPY.OBJECT_GET")
    gone = awaited(s3, target, lambda r: r["operation"] == "BATCH.DELETE.OBJECT")
    assert (gone["status"], gone["key"]) == ("204", "a%20b/%C3%A4")
    awaited(s3, target, lambda r: r["operation"] == "REST.POST.MULTI_OBJECT_DELETE")


@pytest.mark.usefixtures("quick")
def test_a_bucket_that_logs_into_itself_comes_to_rest(
    s3: Any, make_bucket: Callable[..., str]
) -> None:
    bucket = make_bucket()
    s3.put_bucket_logging(Bucket=bucket, BucketLoggingStatus=enabled(bucket))
    time.sleep(0.6)
    s3.head_bucket(Bucket=bucket)
    line = awaited(s3, bucket, lambda r: r["operation"] == "REST.HEAD.BUCKET")
    assert line["key"] == "-"
    s3.put_bucket_logging(Bucket=bucket, BucketLoggingStatus={})
    # Only requests leave lines: no delivery is among them.
    assert all(
        "log/" not in record["uri"] or "GET" in record["uri"] for record in records(s3, bucket)
    )


@pytest.mark.usefixtures("quick")
def test_partitioned_keys_tell_owner_region_bucket_and_day(
    s3: Any, make_bucket: Callable[..., str]
) -> None:
    source, target = make_bucket(), make_bucket()
    by_day = {"PartitionedPrefix": {"PartitionDateSource": "EventTime"}}
    status = enabled(target, TargetObjectKeyFormat=by_day)
    s3.put_bucket_logging(Bucket=source, BucketLoggingStatus=status)
    time.sleep(0.6)
    s3.head_bucket(Bucket=source)
    awaited(s3, target, lambda r: r["operation"] == "REST.HEAD.BUCKET")
    owner = s3.list_buckets()["Owner"]["ID"]
    day = time.strftime("%Y/%m/%d", time.gmtime())
    for entry in s3.list_objects_v2(Bucket=target)["Contents"]:
        pattern = rf"log/{owner}/us-east-1/{source}/{day}/[0-9-]{{10}}-00-00-00-[0-9A-F]{{16}}"
        assert re.fullmatch(pattern, entry["Key"])


def test_lines_of_a_node_that_ends_are_not_lost(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    with Node(tmp_path_factory.mktemp("logs") / "data", workers=1) as own:
        s3 = own.client()
        s3.create_bucket(Bucket="source")
        s3.put_bucket_logging(Bucket="source", BucketLoggingStatus=enabled("source"))
        s3.head_bucket(Bucket="source")
        assert own.restart()
        found = records(own.client(), "source")
        assert "REST.HEAD.BUCKET" in {record["operation"] for record in found}
