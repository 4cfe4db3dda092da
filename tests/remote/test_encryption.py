"""How objects are encrypted behind a window: asked of S3 there, and told as S3 tells it."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import pytest

from tests.harness import Node
from tests.remote.windows import Remote
from tests.wire.sealed import customer, headers
from tests.wire.support import complete, put_part, refused

Window = Callable[..., Remote]
DATA = os.urandom(300_000)
MODES = ("AES256", "aws:kms", "aws:kms:dsse")
KEY = "arn:aws:kms:us-east-1:000000000000:key/aisle"


def told(reply: dict[str, Any]) -> dict[str, Any]:
    """What a reply says of encryption, apart from a context, which is told only of writes."""
    names = ("ServerSideEncryption", "SSEKMSKeyId", "BucketKeyEnabled")
    return {name: reply[name] for name in names if name in reply}


def evict(remote: Remote) -> None:
    remote.native("DELETE", action={"action": "evict-remote-bck"}, keep_bck_md="true")
    assert remote.cached() == []


@pytest.mark.parametrize("mode", MODES)
def test_what_is_asked_for_is_done_there_and_told_here(
    window: Window, here: Any, there: Any, mode: str
) -> None:
    remote = window()
    name, asked = remote.name, {"ServerSideEncryption": mode}
    if mode != "AES256":
        asked |= {"SSEKMSKeyId": "alias/aisle", "SSEKMSEncryptionContext": "eyJhIjoiYiJ9"}
    expected = {"ServerSideEncryption": mode} | ({} if mode == "AES256" else {"SSEKMSKeyId": KEY})
    put = here.put_object(Bucket=name, Key="whole", Body=DATA, **asked)
    begun = here.create_multipart_upload(Bucket=name, Key="parts", **asked)
    assert begun["ServerSideEncryption"] == mode
    part = put_part(here, name, "parts", begun["UploadId"], 1, DATA)
    end = complete(here, name, "parts", begun["UploadId"], [part])
    copied = here.copy_object(Bucket=name, Key="copy", CopySource=f"{name}/whole", **asked)
    moved = here.copy_object(
        Bucket=name, Key="moved", CopySource=f"{name}/whole", MetadataDirective="REPLACE", **asked
    )
    assert [told(reply) for reply in (put, end, copied, moved)] == [expected] * 4
    for warm in (True, False):
        for key in ("whole", "parts", "copy", "moved"):
            if not warm:
                evict(remote)
            assert told(there.head_object(Bucket=name, Key=key)) == expected
            assert told(here.head_object(Bucket=name, Key=key)) == expected
            found = here.get_object(Bucket=name, Key=key)
            assert told(found) == expected
            assert found["Body"].read() == DATA


def test_the_end_of_an_upload_may_say_it_again(
    window: Window, cache: Node, here: Any, there: Any
) -> None:
    remote = window()
    upload = here.create_multipart_upload(
        Bucket=remote.name, Key="k", ServerSideEncryption="AES256"
    )["UploadId"]
    etag = put_part(here, remote.name, "k", upload, 1, DATA)["ETag"]
    part = f"<Part><PartNumber>1</PartNumber><ETag>{etag}</ETag></Part>"
    body = f"<CompleteMultipartUpload>{part}</CompleteMultipartUpload>".encode()
    target = f"/s3/{remote.name}/k?uploadId={upload}"
    header = "x-amz-server-side-encryption"
    assert cache.send("POST", target, body=body, headers={header: "aws:kms"}).status == 400
    assert cache.send("POST", target, body=body, headers={header: "AES256"}).status == 200
    assert told(there.head_object(Bucket=remote.name, Key="k"))


def test_what_the_remote_does_by_itself_is_told_and_left_there(
    window: Window, here: Any, there: Any, cache: Node
) -> None:
    remote = window()
    rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}
    there.put_bucket_encryption(
        Bucket=remote.name, ServerSideEncryptionConfiguration={"Rules": [rule]}
    )
    assert here.put_object(Bucket=remote.name, Key="k", Body=DATA)["ServerSideEncryption"]
    own = f"own-{remote.name}"
    here.create_bucket(Bucket=own)
    here.copy_object(Bucket=own, Key="k", CopySource=f"{remote.name}/k")
    assert told(here.head_object(Bucket=own, Key="k")) == {}
    here.delete_object(Bucket=own, Key="k")
    here.delete_bucket(Bucket=own)


def test_what_the_remote_refuses_leaves_nothing(window: Window, here: Any) -> None:
    remote = window()
    asked = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": "nobody"}
    with refused(400, "KMS.NotFoundException"):
        here.put_object(Bucket=remote.name, Key="k", Body=DATA, **asked)
    assert remote.cached() == []
    with refused(400, "InvalidArgument"):
        here.put_object(Bucket=remote.name, Key="k", Body=DATA, ServerSideEncryption="rot13")


def test_keys_of_clients_stay_with_them(window: Window, here: Any, cache: Node) -> None:
    remote = window()
    with refused(501, "NotImplemented"):
        here.put_object(Bucket=remote.name, Key="k", Body=DATA, **customer())
    reply = cache.send("POST", f"/s3/{remote.name}/k?uploads", headers=headers())
    assert (reply.status, reply.code) == (501, "NotImplemented")
