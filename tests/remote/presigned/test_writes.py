"""Writes that were signed for the remote bucket: objects and uploads in parts."""

from __future__ import annotations

import hashlib
from email.utils import parsedate_to_datetime
from typing import Any

import pytest

from tests.remote.presigned.signer import DATA, Signer
from tests.remote.windows import Remote
from tests.servers.faults import FaultProxy
from tests.wire import sealed


@pytest.mark.parametrize("size", [0, 11, 300_000])
def test_a_signed_put_goes_through_and_is_kept(
    remote: Remote, signer: Signer, faults: FaultProxy, size: int
) -> None:
    data = DATA[:size] if size <= len(DATA) else (DATA * 4)[:size]
    reply = signer.send("put_object", remote, "dir/new", data)
    assert reply.status == 200, reply.body
    assert reply.headers["etag"] == f'"{hashlib.md5(data).hexdigest()}"'
    assert remote.get_there("dir/new") == data
    assert remote.cached() == ["dir/new"]
    before = faults.count("GET", "dir/new")
    got = signer.send("get_object", remote, "dir/new")
    assert got.body == data
    there = remote.there.head_object(Bucket=remote.name, Key="dir/new")["LastModified"]
    told = parsedate_to_datetime(got.headers["last-modified"])
    assert abs((told - there).total_seconds()) <= 1
    # Asking for the first byte takes two requests where there is none.
    asked = (1 if size else 2) if signer.node.auth else 0
    assert faults.count("GET", "dir/new") - before == asked


def test_signed_metadata_arrives(remote: Remote, signer: Signer, there: Any) -> None:
    reply = signer.send(
        "put_object",
        remote,
        "k",
        b"data",
        headers={"Content-Type": "a/b", "x-amz-meta-tone": "c"},
        ContentType="a/b",
        Metadata={"tone": "c"},
    )
    assert reply.status == 200, reply.body
    head = there.head_object(Bucket=remote.name, Key="k")
    assert (head["ContentType"], head["Metadata"]) == ("a/b", {"tone": "c"})
    got = signer.send("get_object", remote, "k")
    assert (got.headers["content-type"], got.headers["x-amz-meta-tone"]) == ("a/b", "c")


def test_a_signed_multipart_upload_is_the_remotes_and_is_kept(
    remote: Remote, signer: Signer, faults: FaultProxy
) -> None:
    key, parts = "large", [DATA * 60, b"tail"]
    created = signer.send("create_multipart_upload", remote, key)
    assert created.status == 200, created.body
    upload = created.xml.findtext("UploadId") or ""
    etags = []
    for number, part in enumerate(parts, 1):
        reply = signer.send("upload_part", remote, key, part, UploadId=upload, PartNumber=number)
        assert reply.status == 200, reply.body
        etags.append(reply.headers["etag"])
    named = "".join(
        f"<Part><PartNumber>{number}</PartNumber><ETag>{etag}</ETag></Part>"
        for number, etag in enumerate(etags, 1)
    )
    document = f"<CompleteMultipartUpload>{named}</CompleteMultipartUpload>".encode()
    done = signer.send("complete_multipart_upload", remote, key, document, UploadId=upload)
    assert done.status == 200, done.body
    head = remote.there.head_object(Bucket=remote.name, Key=key)
    assert done.xml.findtext("ETag") == head["ETag"]
    assert head["ETag"].endswith('-2"')
    assert remote.get_there(key) == b"".join(parts)
    assert remote.cached() == [key]
    before = faults.sent
    assert signer.send("get_object", remote, key).body == b"".join(parts)
    assert faults.sent - before <= 1


def test_an_upload_with_a_clients_key_is_the_remotes_alone(remote: Remote, signer: Signer) -> None:
    """A copy of it here could be read without the key."""
    asked: dict[str, Any] = {"headers": sealed.headers(), **sealed.customer()}
    created = signer.send("create_multipart_upload", remote, "k", **asked)
    assert created.status == 200, created.body
    upload = created.xml.findtext("UploadId") or ""
    part = signer.send("upload_part", remote, "k", b"part", UploadId=upload, PartNumber=1, **asked)
    assert part.status == 200, part.body
    document = (
        "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber>"
        f"<ETag>{part.headers['etag']}</ETag></Part></CompleteMultipartUpload>"
    ).encode()
    done = signer.send("complete_multipart_upload", remote, "k", document, UploadId=upload)
    assert done.status == 200, done.body
    assert remote.cached() == []
    got = signer.send("get_object", remote, "k", **asked)
    assert (got.status, got.body) == (200, b"part")
    assert signer.send("get_object", remote, "k").status == 400
    assert remote.cached() == []


def test_a_signed_abort_leaves_nothing(remote: Remote, signer: Signer) -> None:
    created = signer.send("create_multipart_upload", remote, "k")
    upload = created.xml.findtext("UploadId") or ""
    assert signer.send(
        "upload_part", remote, "k", b"part", UploadId=upload, PartNumber=1
    ).status == 200  # fmt: skip
    assert signer.send("abort_multipart_upload", remote, "k", UploadId=upload).status == 204
    uploads = remote.there.list_multipart_uploads(Bucket=remote.name)
    assert "Uploads" not in uploads
    again = signer.send("abort_multipart_upload", remote, "k", UploadId=upload)
    assert again.status in (204, 404)
