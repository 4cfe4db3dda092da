"""Writes to windows through real clients: what the remote has afterwards, and what is left here."""

from __future__ import annotations

import hashlib
import io
import os
import tarfile
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from boto3.s3.transfer import TransferConfig
from botocore.exceptions import ClientError

from tests.cli.consoles import DOCS, replay, write_samples
from tests.conftest import empty_and_remove
from tests.harness import Node
from tests.native.support import wait
from tests.remote.windows import Remote, make_window
from tests.servers.faults import Fault, FaultProxy
from tests.servers.moto import KEYS, MotoServer

Window = Callable[..., Remote]
MIB = 1 << 20
SMALL, LARGE = b"small", os.urandom(300_000)
ODD = ["a b+c", "dir/", "x//y", "ü/日本", "%2F%25", "q?x=1&y#z", "'\"<>&", "k" * 1024]


def code(raised: pytest.ExceptionInfo[ClientError]) -> str:
    return str(raised.value.response["Error"]["Code"])


def same_there(remote: Remote, key: str, body: bytes) -> dict[str, Any]:
    """What the origin says of an object that has these bytes."""
    found: dict[str, Any] = remote.there.get_object(Bucket=remote.name, Key=key)
    assert found["Body"].read() == body
    return found


@pytest.mark.parametrize("foreign", [False, True], ids=["aisle", "moto"])
def test_text_that_is_not_ascii_is_what_a_bucket_of_our_own_would_tell(
    window: Window, cache: Node, moto: MotoServer, foreign: bool
) -> None:
    if foreign:
        name = f"text-{uuid.uuid4().hex[:12]}"
        there = moto.client(
            access_key=KEYS["AWS_ACCESS_KEY_ID"], secret_key=KEYS["AWS_SECRET_ACCESS_KEY"]
        )
        there.create_bucket(Bucket=name)
        remote = make_window(cache, there, name, {"extra": {"aws": {"endpoint": moto.endpoint}}})
    else:
        remote = window()
    said = {
        "x-amz-meta-word": "=?UTF-8?B?w7zigqw=?=",
        "x-amz-meta-bytes": "\u00fc",
        "content-disposition": 'attachment; filename="\u00fc.txt"',
    }
    path = f"/s3/{remote.name}/key"
    assert cache.send("PUT", path, body=SMALL, headers=said).status == 200  # as UTF-8
    for _ in range(2):
        told = cache.send("HEAD", path).headers
        assert told["x-amz-meta-word"] == "=?UTF-8?B?w7zigqw=?="
        assert told["x-amz-meta-bytes"] == "=?UTF-8?B?w4PCvA==?="  # S3 takes bytes for Latin-1
        assert told["content-disposition"].encode("latin-1").decode() == said["content-disposition"]
        remote.native("DELETE", action={"action": "evict-remote-bck"}, keep_bck_md="true")
        assert remote.cached() == []
    if foreign:
        remote.remove()


@pytest.mark.parametrize("body", [b"", SMALL, LARGE], ids=["empty", "small", "large"])
def test_what_is_said_of_an_object_reaches_the_remote(
    window: Window, here: Any, faults: FaultProxy, body: bytes
) -> None:
    remote = window()
    said: dict[str, Any] = {
        "ContentType": "image/png",
        "CacheControl": "no-store",
        "ContentDisposition": "attachment",
        "ContentEncoding": "identity",
        "ContentLanguage": "de",
        "Metadata": {"colour": "red", "name": "a b"},
        "StorageClass": "STANDARD_IA",
    }
    put = here.put_object(Bucket=remote.name, Key="k", Body=body, **said)
    found = same_there(remote, "k", body)
    assert put["ETag"] == found["ETag"]
    assert {name: found[name] for name in said} == said
    assert remote.cached() == ["k"]
    faults.reset()
    got = here.get_object(Bucket=remote.name, Key="k")
    assert got["Body"].read() == body
    assert {name: got[name] for name in said} == said
    assert (got["ETag"], got["LastModified"]) == (found["ETag"], found["LastModified"])
    assert faults.requests == []  # the copy is what the remote has


def test_keys_arrive_as_they_are(window: Window, here: Any, there: Any) -> None:
    remote = window()
    for number, key in enumerate(ODD):
        here.put_object(Bucket=remote.name, Key=key, Body=b"%d" % number)
    listed = there.list_objects_v2(Bucket=remote.name)["Contents"]
    assert sorted(entry["Key"] for entry in listed) == sorted(ODD)
    for number, key in enumerate(ODD):
        same_there(remote, key, b"%d" % number)
    errors = here.delete_objects(
        Bucket=remote.name, Delete={"Objects": [{"Key": key} for key in ODD]}
    ).get("Errors")
    assert not errors
    assert "Contents" not in there.list_objects_v2(Bucket=remote.name)
    assert remote.cached() == []


def test_parts_stay_as_they_were_uploaded(window: Window, here: Any) -> None:
    remote = window()
    body = os.urandom(22 * MIB)
    config = TransferConfig(multipart_threshold=7 * MIB, multipart_chunksize=7 * MIB)
    more = {"Metadata": {"colour": "red"}, "ContentType": "text/x"}
    here.upload_fileobj(io.BytesIO(body), remote.name, "k", ExtraArgs=more, Config=config)
    found = same_there(remote, "k", body)
    assert found["ETag"].endswith('-4"')
    assert (found["ContentType"], found["Metadata"]) == ("text/x", {"colour": "red"})
    assert here.head_object(Bucket=remote.name, Key="k")["ETag"] == found["ETag"]
    part = here.get_object(Bucket=remote.name, Key="k", PartNumber=4)
    assert part["Body"].read() == body[21 * MIB :]
    assert remote.cached() == ["k"]


def test_copies_and_parts_that_are_copied_reach_the_remote(window: Window, here: Any) -> None:
    remote, other = window(), window()
    body = os.urandom(6 * MIB)
    other.put_there("source", body, Metadata={"colour": "red"})
    source = {"Bucket": other.name, "Key": "source"}
    copied = here.copy_object(Bucket=remote.name, Key="copy", CopySource=source)
    found = same_there(remote, "copy", body)
    assert found["Metadata"] == {"colour": "red"}
    assert copied["CopyObjectResult"]["ETag"] == found["ETag"]
    upload = here.create_multipart_upload(Bucket=remote.name, Key="joined")["UploadId"]
    at = {"Bucket": remote.name, "Key": "joined", "UploadId": upload}
    one = here.upload_part_copy(PartNumber=1, CopySource=source, **at)["CopyPartResult"]["ETag"]
    two = here.upload_part(PartNumber=2, Body=b"end", **at)["ETag"]
    parts = [{"PartNumber": 1, "ETag": one}, {"PartNumber": 2, "ETag": two}]
    here.complete_multipart_upload(MultipartUpload={"Parts": parts}, **at)
    same_there(remote, "joined", body + b"end")
    # Onto itself: the remote hears of the new metadata.
    here.copy_object(
        Bucket=remote.name, Key="copy", CopySource={"Bucket": remote.name, "Key": "copy"},
        Metadata={"colour": "blue"}, MetadataDirective="REPLACE",
    )  # fmt: skip
    assert same_there(remote, "copy", body)["Metadata"] == {"colour": "blue"}


def test_the_remote_decides_about_conditions(window: Window, here: Any) -> None:
    remote = window()
    old = here.put_object(Bucket=remote.name, Key="k", Body=b"one")["ETag"]
    new = remote.put_there("k", b"two")
    with pytest.raises(ClientError) as refused:
        here.put_object(Bucket=remote.name, Key="k", Body=b"three", IfMatch=old)
    assert code(refused) == "PreconditionFailed"
    same_there(remote, "k", b"two")
    here.put_object(Bucket=remote.name, Key="k", Body=b"three", IfMatch=new)
    with pytest.raises(ClientError) as refused:
        here.put_object(Bucket=remote.name, Key="k", Body=LARGE, IfNoneMatch="*")
    assert code(refused) == "PreconditionFailed"
    with pytest.raises(ClientError) as absent:
        here.put_object(Bucket=remote.name, Key="absent", Body=b"x", IfMatch=new)
    assert code(absent) == "NoSuchKey"
    same_there(remote, "k", b"three")
    here.put_object(Bucket=remote.name, Key="new", Body=b"x", IfNoneMatch="*")
    assert here.get_object(Bucket=remote.name, Key="k")["Body"].read() == b"three"


@pytest.mark.parametrize(
    ("status", "expected"),
    [(403, "AccessDenied"), (503, "SlowDown"), (400, "EntityTooLarge")],
)
def test_what_the_remote_refuses_leaves_nothing(
    window: Window, cache: Node, faults: FaultProxy, status: int, expected: str
) -> None:
    remote = window()
    body = f"<Error><Code>{expected}</Code><Message>no</Message></Error>".encode()
    faults.add(Fault("PUT", status=status, times=100, body=body))
    client = cache.client()
    for data in (SMALL, LARGE):
        with pytest.raises(ClientError) as refused:
            client.put_object(Bucket=remote.name, Key="k", Body=data)
        assert code(refused) == expected
        assert remote.cached() == []
    faults.reset()
    assert "Contents" not in remote.there.list_objects_v2(Bucket=remote.name)
    client.put_object(Bucket=remote.name, Key="k", Body=SMALL)
    assert remote.cached() == ["k"]


def test_a_storm_of_503_passes(window: Window, here: Any, faults: FaultProxy) -> None:
    remote = window()
    faults.add(Fault("PUT", status=503, times=2, headers={"Retry-After": "0"}))
    here.put_object(Bucket=remote.name, Key="k", Body=LARGE)
    same_there(remote, "k", LARGE)
    assert remote.cached() == ["k"]


def test_an_upload_that_fails_leaves_no_parts_at_the_remote(
    window: Window, cache: Node, there: Any, faults: FaultProxy
) -> None:
    remote = window(**{"extra.aws.multipart_size": "5MiB"})
    faults.add(Fault("PUT", text="partNumber=2", status=403, times=100))
    client = cache.client()
    with pytest.raises(ClientError):
        client.put_object(Bucket=remote.name, Key="k", Body=bytes(12 * MIB))
    faults.wait_for(1, "DELETE", "uploadId=")
    faults.reset()
    client.put_object(Bucket=remote.name, Key="k", Body=bytes(12 * MIB))
    assert remote.cached() == ["k"]
    assert "Uploads" not in there.list_multipart_uploads(Bucket=remote.name)


def test_a_lost_answer_is_an_error_and_no_copy(
    window: Window, cache: Node, faults: FaultProxy
) -> None:
    remote = window()
    client = cache.client()
    client.put_object(Bucket=remote.name, Key="k", Body=b"before")
    faults.add(Fault("PUT", lose=True, times=100))
    with pytest.raises(ClientError) as unknown:
        client.put_object(Bucket=remote.name, Key="k", Body=b"after", IfMatch="*")
    assert code(unknown) == "ServiceUnavailable"
    faults.reset()
    assert remote.cached() == []
    assert client.get_object(Bucket=remote.name, Key="k")["Body"].read() == b"after"


def test_deletes_reach_the_remote(window: Window, cache: Node, here: Any, there: Any) -> None:
    remote = window()
    for number in range(30):
        here.put_object(Bucket=remote.name, Key=f"k{number}", Body=b"x")
    remote.put_there("cold", b"x")
    here.delete_object(Bucket=remote.name, Key="cold")
    here.delete_object(Bucket=remote.name, Key="k0")
    assert remote.native("DELETE", "k1").status == 200
    value = {"objnames": [f"k{number}" for number in range(2, 10)]}
    reply = remote.native("DELETE", action={"action": "delete-listrange", "value": value})
    assert reply.status in (200, 202), reply.body
    wait(cache, reply)
    here.delete_objects(
        Bucket=remote.name, Delete={"Objects": [{"Key": f"k{n}"} for n in range(10, 30)]}
    )
    assert "Contents" not in there.list_objects_v2(Bucket=remote.name)
    assert remote.cached() == []
    with pytest.raises(ClientError) as gone:
        here.get_object(Bucket=remote.name, Key="k5")
    assert code(gone) == "NoSuchKey"


def test_a_delete_that_is_refused_is_told(window: Window, cache: Node, faults: FaultProxy) -> None:
    remote = window()
    client = cache.client()
    client.put_object(Bucket=remote.name, Key="k", Body=b"x")
    faults.add(Fault("DELETE", status=403, times=100))
    with pytest.raises(ClientError) as refused:
        client.delete_object(Bucket=remote.name, Key="k")
    assert code(refused) == "AccessDenied"
    reply = client.delete_objects(Bucket=remote.name, Delete={"Objects": [{"Key": "k"}]})
    assert [error["Code"] for error in reply["Errors"]] == ["AccessDenied"]
    assert remote.native("DELETE", "k").status == 403
    faults.reset()
    assert client.get_object(Bucket=remote.name, Key="k")["Body"].read() == b"x"


def test_the_native_api_writes_through(window: Window, cache: Node) -> None:
    remote = window()
    reply = remote.native("PUT", "n/k", body=LARGE, headers={"content-type": "image/png"})
    assert reply.status == 200, reply.body
    same_there(remote, "n/k", LARGE)
    # An append, of what the remote has and the cluster has not.
    remote.put_there("log", b"one ")
    handle = ""
    for piece in (b"two ", b"three"):
        reply = remote.native("PUT", "log", body=piece, append_type="append", append_handle=handle)
        assert reply.status == 200, reply.body
        handle = reply.headers["ais-append-handle"]
    reply = remote.native("PUT", "log", append_type="flush", append_handle=handle)
    assert reply.status == 200, reply.body
    same_there(remote, "log", b"one two three")
    # An archive of objects in the window, one of them cold.
    value = {"objnames": ["log", "n/k"], "tobck": {"name": remote.name, "provider": "aws"}}
    reply = remote.native(
        "PUT", action={"action": "archive", "value": {**value, "archname": "all.tar"}}
    )
    assert reply.status in (200, 202), reply.body
    wait(cache, reply)
    found = remote.get_there("all.tar")
    with tarfile.open(fileobj=io.BytesIO(found)) as archive:
        assert sorted(archive.getnames()) == ["log", "n/k"]


def test_a_body_that_is_the_copys_goes_to_the_remote(window: Window) -> None:
    """Somebody else may have replaced the object there: the copy's checksum proves nothing."""
    remote = window()
    assert remote.native("PUT", "k", body=SMALL).status == 200
    remote.put_there("k", b"theirs")
    claim = {
        "ais-checksum-type": "md5",
        "ais-checksum-value": hashlib.md5(SMALL).hexdigest(),
    }
    assert remote.native("PUT", "k", body=SMALL, headers=claim).status == 200
    same_there(remote, "k", SMALL)
    wrong = {**claim, "ais-checksum-value": "0" * 32}
    assert remote.native("PUT", "k", body=b"other", headers=wrong).status == 400
    same_there(remote, "k", SMALL)


def test_aistore_finds_the_checksum_of_what_went_in_parts(window: Window, here: Any) -> None:
    remote = window(**{"extra.aws.multipart_size": "5MiB"})
    body = os.urandom(6 * MIB)
    here.put_object(Bucket=remote.name, Key="k", Body=body, Metadata={"colour": "red"})
    found = same_there(remote, "k", body)
    assert found["ETag"].endswith('-2"')
    digest = hashlib.md5(body).hexdigest()
    assert found["Metadata"] == {
        "ais-cksum-type": "md5", "ais-cksum-val": digest, "colour": "red",
    }  # fmt: skip
    assert here.head_object(Bucket=remote.name, Key="k")["Metadata"] == {"colour": "red"}


def test_a_bucket_that_is_copied_into_a_window_reaches_the_remote(
    window: Window, cache: Node, here: Any, there: Any
) -> None:
    remote = window()
    here.create_bucket(Bucket="copied-from")
    bodies = {"a": b"", "b": SMALL, "c/d": LARGE}
    for key, body in bodies.items():
        here.put_object(Bucket="copied-from", Key=key, Body=body, Metadata={"colour": "red"})
    try:
        reply = cache.send(
            "POST",
            f"/v1/buckets/copied-from?bck_to=aws/@%23/{remote.name}/",
            body=b'{"action": "copy-bck", "value": {}}',
        )
        wait(cache, reply)
        listed = there.list_objects_v2(Bucket=remote.name)["Contents"]
        assert [entry["Key"] for entry in listed] == list(bodies)
        for key, body in bodies.items():
            assert same_there(remote, key, body)["Metadata"] == {"colour": "red"}
        assert remote.cached() == list(bodies)
    finally:
        empty_and_remove(here, "copied-from")


def test_what_a_window_cannot_do_is_refused(window: Window) -> None:
    remote = window()
    remote.put_there("k", b"x")
    reply = remote.native("POST", "k", action={"action": "rename", "name": "other"})
    assert reply.status == 501, reply.body
    assert b"cannot be renamed" in reply.body
    reply = remote.native("PATCH", "k", action={"action": "", "value": {"a": "b"}})
    assert reply.status == 501, reply.body
    assert b"prefetch it first" in reply.body
    same_there(remote, "k", b"x")


def _upload(client: Any, remote: Remote) -> dict[str, Any]:
    """A multipart upload of a window with one part, as it is to be completed."""
    upload = client.create_multipart_upload(Bucket=remote.name, Key="k")["UploadId"]
    at = {"Bucket": remote.name, "Key": "k", "UploadId": upload}
    etag = client.upload_part(PartNumber=1, Body=LARGE, **at)["ETag"]
    return {**at, "MultipartUpload": {"Parts": [{"PartNumber": 1, "ETag": etag}]}}


def test_a_long_complete_begins_its_reply_in_time(
    window: Window, cache: Node, faults: FaultProxy
) -> None:
    remote = window()
    client = cache.client(read_timeout=10)
    asked = _upload(client, remote)
    faults.add(Fault("POST", delay=12.0))
    done = client.complete_multipart_upload(**asked)
    found = same_there(remote, "k", LARGE)
    assert done["ETag"] == found["ETag"]
    assert done["Key"] == "k"
    assert remote.cached() == ["k"]


def test_a_long_complete_that_fails_raises_in_clients(
    window: Window, cache: Node, faults: FaultProxy
) -> None:
    remote = window()
    client = cache.client()
    asked = _upload(client, remote)
    faults.add(Fault("POST", delay=4.0, status=403, times=100))
    with pytest.raises(ClientError) as refused:
        client.complete_multipart_upload(**asked)
    assert code(refused) == "AccessDenied"
    faults.reset()
    assert remote.cached() == []
    # Nothing of the upload is lost: it can be completed now.
    client.complete_multipart_upload(**asked)
    same_there(remote, "k", LARGE)


def test_versions_of_the_remote_are_told(
    cache: Node, here: Any, moto: MotoServer, faults: FaultProxy
) -> None:
    there = moto.client(
        access_key=KEYS["AWS_ACCESS_KEY_ID"], secret_key=KEYS["AWS_SECRET_ACCESS_KEY"]
    )
    name = "versioned-writes"
    there.create_bucket(Bucket=name)
    there.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    remote = Remote(cache, there, name)
    props = {"extra.aws.endpoint": moto.endpoint}
    reply = remote.native("POST", action={"action": "create-bck", "value": props})
    assert reply.status == 200, reply.body
    try:
        first = here.put_object(Bucket=name, Key="k", Body=b"one")["VersionId"]
        second = here.put_object(Bucket=name, Key="k", Body=b"two")["VersionId"]
        versions = there.list_object_versions(Bucket=name)["Versions"]
        assert {entry["VersionId"] for entry in versions} == {first, second}
        assert here.head_object(Bucket=name, Key="k")["VersionId"] == second
        assert remote.native("HEAD", "k").headers["ais-version"] == second
        copied = here.copy_object(Bucket=name, Key="c", CopySource={"Bucket": name, "Key": "k"})
        assert copied["VersionId"] == there.head_object(Bucket=name, Key="c")["VersionId"]
        here.delete_object(Bucket=name, Key="k")
        with pytest.raises(ClientError):
            here.head_object(Bucket=name, Key="k")
        old = there.get_object(Bucket=name, Key="k", VersionId=first)
        assert old["Body"].read() == b"one"
    finally:
        remote.remove()


def test_the_page_shows_what_happens(
    window: Window, cache: Node, there: Any, tmp_path: Path
) -> None:
    there.create_bucket(Bucket="training")
    make_window(cache, there, "training")
    write_samples(tmp_path)
    try:
        assert replay(DOCS / "writing-to-remote-buckets.md", cache, tmp_path) == 3
        assert "Contents" not in there.list_objects_v2(Bucket="training")
    finally:
        Remote(cache, there, "training").remove()
        empty_and_remove(there, "training")
