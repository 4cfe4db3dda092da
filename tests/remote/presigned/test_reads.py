"""Reads that were signed for the remote bucket: what is told, what is kept, and for whom."""

from __future__ import annotations

import hashlib

from tests.harness import Node
from tests.remote.presigned.signer import DATA, Signer
from tests.remote.windows import Remote
from tests.servers.faults import Fault, FaultProxy


def test_a_signed_get_is_carried_out_and_kept(
    remote: Remote, signer: Signer, faults: FaultProxy
) -> None:
    etag = remote.put_there("dir/k ü", DATA, ContentType="a/b", Metadata={"tone": "c"})
    reply = signer.send("get_object", remote, "dir/k ü")
    assert (reply.status, reply.body) == (200, DATA)
    assert reply.headers["etag"] == f'"{etag}"'
    assert reply.headers["content-type"] == "a/b"
    assert reply.headers["x-amz-meta-tone"] == "c"
    # With users, the remote is asked first whether the signature is good.
    assert faults.count("GET", "dir/k") == (2 if signer.node.auth else 1)
    assert remote.cached() == ["dir/k ü"]
    before = faults.sent
    again = signer.send("get_object", remote, "dir/k ü")
    assert (again.status, again.body) == (200, DATA)
    assert faults.sent - before <= (1 if signer.node.auth else 0)


def test_a_forged_signature_gets_nothing_and_leaves_nothing(remote: Remote, signer: Signer) -> None:
    remote.put_there("k", DATA)

    def forged(query: str) -> str:
        return query[:-4] + ("0000" if not query.endswith("0000") else "1111")

    reply = signer.send("get_object", remote, "k", spoil=forged)
    assert (reply.status, reply.code) == (403, "AccessDenied")
    assert remote.cached() == []
    put = signer.send("put_object", remote, "k", b"theirs", spoil=forged)
    assert put.status == 403
    assert remote.get_there("k") == DATA
    assert remote.cached() == []


def test_a_copy_is_not_given_to_a_forger_where_there_are_users(
    remote: Remote, signer: Signer
) -> None:
    remote.put_there("k", DATA)
    assert signer.send("get_object", remote, "k").status == 200
    assert remote.cached() == ["k"]
    reply = signer.send("get_object", remote, "k", spoil=lambda query: query[:-4] + "0000")
    if signer.node.auth:
        assert reply.status == 403
        assert DATA not in reply.body


def test_a_copy_that_is_old_is_not_given_where_the_remote_is_asked(
    remote: Remote, signer: Signer
) -> None:
    remote.put_there("k", DATA)
    assert signer.send("get_object", remote, "k").body == DATA
    remote.put_there("k", b"newer")
    assert signer.send("get_object", remote, "k").body == (b"newer" if signer.node.auth else DATA)


def test_a_signed_range_and_a_range_of_a_signed_get(
    remote: Remote, signer: Signer, faults: FaultProxy
) -> None:
    remote.put_there("k", DATA)
    reply = signer.send("get_object", remote, "k", headers={"Range": "bytes=5-9"})
    assert (reply.status, reply.body) == (206, DATA[5:10])
    assert reply.headers["content-range"] == f"bytes 5-9/{len(DATA)}"
    signed = signer.send(
        "get_object", remote, "k", headers={"Range": "bytes=7-8"}, Range="bytes=7-8"
    )
    assert (signed.status, signed.body) == (206, DATA[7:9])


def test_a_signed_head_tells_the_remotes_headers(remote: Remote, signer: Signer) -> None:
    etag = remote.put_there("k", DATA)
    reply = signer.send("head_object", remote, "k")
    assert reply.status == 200
    assert reply.headers["etag"] == f'"{etag}"'
    assert reply.headers["content-length"] == str(len(DATA))
    assert signer.send("head_object", remote, "absent").status == 404


def test_an_absent_object_is_told_as_absent(remote: Remote, signer: Signer) -> None:
    reply = signer.send("get_object", remote, "absent")
    assert (reply.status, reply.code) == (404, "NoSuchKey")


def test_headers_that_the_url_replaces_are_not_kept(remote: Remote, signer: Signer) -> None:
    remote.put_there("k", DATA, ContentType="a/b")
    reply = signer.send("get_object", remote, "k", ResponseContentType="x/y")
    assert (reply.status, reply.headers["content-type"]) == (200, "x/y")
    assert reply.body == DATA
    assert remote.cached() == []
    assert signer.send("get_object", remote, "k").headers["content-type"] == "a/b"


def test_what_may_be_another_reply_than_the_object_is_not_kept(
    remote: Remote, signer: Signer, faults: FaultProxy
) -> None:
    """A parameter that nobody here knows, and a key of the client's own to decrypt it with."""
    said = {"ETag": f'"{hashlib.md5(DATA).hexdigest()}"'}
    faults.add(Fault("GET", remote.name, times=9, status=200, headers=said, body=DATA))
    reply = signer.send("get_object", remote, "k", spoil=lambda query: f"{query}&transform=x")
    assert reply.body == DATA
    assert remote.cached() == []
    customer = {"x-amz-server-side-encryption-customer-algorithm": "AES256"}
    reply = signer.send("get_object", remote, "k", headers=customer)
    assert reply.status == (403 if signer.node.auth else 200)  # nobody has signed that header
    assert remote.cached() == []


def test_a_range_that_the_remote_refuses_is_told(
    remote: Remote, signer: Signer, faults: FaultProxy
) -> None:
    said = b"<Error><Code>InvalidRange</Code></Error>"
    faults.add(Fault("GET", "versionId", status=416, body=said))
    reply = signer.send("get_object", remote, "k", VersionId="v1")
    assert (reply.status, reply.code) == (416, "InvalidRange")


def test_a_token_beside_a_signed_url_is_not_sent_on(
    remote: Remote, signer: Signer, faults: FaultProxy
) -> None:
    remote.put_there("k", DATA)
    faults.reset()
    fields = {"authorization": "Negotiate c2VjcmV0"}
    signer.send("head_object", remote, "k", headers=fields)
    assert bool(faults.requests) is not signer.node.auth  # where it is refused at once
    assert not any("authorization" in seen.headers for seen in faults.requests)


def test_a_bucket_that_is_nowhere_is_not_looked_for_by_strangers(
    keyless: Node, remote: Remote, signer: Signer, faults: FaultProxy
) -> None:
    reply = signer.send("get_object", Remote(keyless, remote.there, "nowhere-at-all"), "k")
    if keyless.auth:
        assert (reply.status, reply.code) == (403, "InvalidAccessKeyId")
        assert faults.requests == []
    else:
        assert reply.status in (403, 404)
