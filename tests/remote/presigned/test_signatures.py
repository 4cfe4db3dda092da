"""Forms and places of signatures, and requests without one that counts."""

from __future__ import annotations

import hashlib
import urllib.parse
import uuid
from typing import Any

import pytest

from tests.conftest import empty_and_remove
from tests.harness import ACCESS_KEY, SECRET_KEY, Node, sign
from tests.remote.presigned.signer import DATA, STYLE, Signer
from tests.remote.windows import Remote, make_window
from tests.servers.faults import FaultProxy


def test_a_style_that_there_is_not_is_refused(remote: Remote, signer: Signer) -> None:
    reply = signer.send("get_object", remote, "k", style="vanity")
    assert (reply.status, reply.code) == (400, "InvalidArgument")


def test_another_style_than_the_signed_one_does_not_fit(remote: Remote, signer: Signer) -> None:
    remote.put_there("k", DATA)
    reply = signer.send("get_object", remote, "k", style="virtual-hosted")
    assert reply.status >= 400
    assert DATA not in reply.body


def test_a_bucket_may_be_in_the_signed_host(
    keyless: Node, remote: Remote, faults: FaultProxy, keys: tuple[str, str]
) -> None:
    """The style that counts without the header."""
    etag = remote.put_there("dir/k", DATA)
    signer = Signer(keyless, faults.endpoint, keys, "virtual")
    url = signer.client.generate_presigned_url(
        "get_object", {"Bucket": remote.name, "Key": "dir/k"}
    )
    assert urllib.parse.urlsplit(url).hostname == f"{remote.name}.localhost"
    reply = signer.send("get_object", remote, "dir/k", style="")  # no header at all
    assert (reply.status, reply.headers["etag"]) == (200, f'"{etag}"')


def test_a_request_never_says_where_it_goes(
    remote: Remote, signer: Signer, faults: FaultProxy
) -> None:
    """A region in the credential, a Host or a forwarded host: none of them is an address."""
    remote.put_there("k", DATA)
    there = urllib.parse.quote("/evil.example#/", safe="")
    for spoil in (
        lambda query: query.replace("us-east-1", "evil.example%23"),
        lambda query: query.replace("us-east-1", there),
    ):
        reply = signer.send("get_object", remote, "k", spoil=spoil)
        assert reply.status in (400, 403)
    for name in ("Host", "X-Forwarded-Host"):
        reply = signer.send("get_object", remote, "k", headers={name: "evil.example"})
        assert reply.status in (200, 403)
    assert all("evil" not in seen.headers.get("host", "") for seen in faults.requests)


@pytest.mark.parametrize("style", ["path", ""], ids=["path", "virtual"])
def test_a_signature_may_be_in_the_header(
    keyless: Node, remote: Remote, faults: FaultProxy, keys: tuple[str, str], style: str
) -> None:
    """As an SDK signs, whose transport then puts the node's address in."""
    host, there = f"localhost:{faults.port}", f"/{remote.name}/dir/k"
    if not style:
        host, there = f"{remote.name}.{host}", "/dir/k"
    here, told = f"/s3/{remote.name}/dir/k", {STYLE: style} if style else {}
    for method, body, meta in (("PUT", DATA, {"x-amz-meta-tone": "c"}), ("GET", b"", {})):
        fields = sign(
            method, there, host=host, headers=meta, access_key=keys[0], secret_key=keys[1]
        ).headers
        fields = {name: value for name, value in fields.items() if name != "Host"} | told
        reply = keyless.send(method, here, headers=fields, body=body, signed=False)
        assert reply.status == 200, reply.body
        assert remote.cached() == ["dir/k"]
        assert remote.get_there("dir/k") == DATA
    assert (reply.body, reply.headers["x-amz-meta-tone"]) == (DATA, "c")
    fields["Authorization"] = fields["Authorization"][:-4] + "0000"
    assert keyless.send("PUT", here, headers=fields, body=b"x", signed=False).status == 403
    assert remote.get_there("dir/k") == DATA


def test_a_signature_for_another_region_is_refused_here(
    remote: Remote, signer: Signer, faults: FaultProxy
) -> None:
    remote.set_props(**{"extra.aws.cloud_region": "us-east-1"})
    remote.put_there("k", DATA)
    faults.reset()
    for region in ("eu-west-1", "evil.example%23"):

        def elsewhere(query: str, region: str = region) -> str:
            return query.replace("us-east-1", region)

        reply = signer.send("get_object", remote, "k", spoil=elsewhere)
        assert (reply.status, reply.code) == (400, "AuthorizationHeaderMalformed")
    assert faults.requests == []
    assert signer.send("get_object", remote, "k").body == DATA


def test_what_aistore_puts_into_urls_is_not_sent_on(
    remote: Remote, signer: Signer, faults: FaultProxy
) -> None:
    remote.put_there("k", DATA)
    faults.reset()
    reply = signer.send("get_object", remote, "k", spoil=lambda q: f"pid=p1&{q}&utm=12&vpams=x")
    assert (reply.status, reply.body) == (200, DATA)
    assert faults.requests
    assert not any(
        name in seen.target for seen in faults.requests for name in ("pid=", "utm=", "vpams=")
    )


def test_what_is_kept_tells_where_it_is_from(remote: Remote, signer: Signer) -> None:
    remote.put_there("got", DATA)
    assert signer.send("get_object", remote, "got").status == 200
    assert signer.send("put_object", remote, "put", DATA).status == 200
    digest = hashlib.md5(DATA).hexdigest()
    for key in ("got", "put"):
        custom = remote.native("HEAD", key, presence="2").headers["ais-custom-md"]
        assert {"source=aws", f"ETag={digest}", f"md5={digest}"} <= set(custom.split(", "))


def test_without_a_signature_the_clusters_keys_count(
    cache: Node, there: Any, faults: FaultProxy
) -> None:
    name = f"unsigned-{uuid.uuid4().hex[:12]}"
    there.create_bucket(Bucket=name)
    remote = make_window(cache, there, name, {"features": "S3-Presigned-Request"})
    try:
        remote.put_there("k", DATA)
        faults.reset()
        assert cache.send("GET", f"/s3/{name}/k", signed=False).body == DATA
        assert any(ACCESS_KEY in seen.headers.get("authorization", "") for seen in faults.requests)
    finally:
        remote.remove()
        empty_and_remove(there, name)


def test_without_the_feature_a_signature_of_strangers_is_worth_nothing(
    keyless: Node, remote: Remote, signer: Signer
) -> None:
    remote.put_there("k", DATA)
    off = keyless.send("PUT", "/v1/cluster/set-config?features=S3-API-via-Root")
    assert off.status == 200, off.body
    remote.set_props(features="none")  # the bucket was made when it was on, and so has it too
    try:
        reply = signer.send("get_object", remote, "k")
        assert reply.status == 403
        assert DATA not in reply.body
        # It may be on for one bucket alone, by the name that it had before.
        remote.set_props(features="Presigned-S3-Req")
        assert signer.send("get_object", remote, "k").body == DATA
    finally:
        on = "/v1/cluster/set-config?features=S3-API-via-Root%2CS3-Presigned-Request"
        assert keyless.send("PUT", on).status == 200


def test_what_was_not_signed_for_the_remote_is_as_before(
    keyless: Node, remote: Remote, here: Any
) -> None:
    """A bucket of the node's own takes no strangers' signatures for anything."""
    own = keyless.client(access_key=ACCESS_KEY, secret_key=SECRET_KEY)
    own.create_bucket(Bucket="own-bucket")
    own.put_object(Bucket="own-bucket", Key="k", Body=b"own")
    stranger = keyless.client(access_key="STRANGER", secret_key="secret")
    if keyless.auth:
        with pytest.raises(stranger.exceptions.ClientError, match="InvalidAccessKeyId"):
            stranger.get_object(Bucket="own-bucket", Key="k")
    else:
        assert stranger.get_object(Bucket="own-bucket", Key="k")["Body"].read() == b"own"
    empty_and_remove(own, "own-bucket")
