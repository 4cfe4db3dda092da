"""Requests that were signed for the remote bucket, sent to a node that has no keys of its own."""

from __future__ import annotations

import hashlib
import json
import shutil
import urllib.parse
import uuid
from collections.abc import Callable, Iterator, Mapping
from email.utils import parsedate_to_datetime
from typing import Any

import pytest

from tests.conftest import empty_and_remove
from tests.harness import ACCESS_KEY, SECRET_KEY, Node, Reply, sign
from tests.remote.windows import Remote, make_window
from tests.servers.faults import Fault, FaultProxy
from tests.wire import sealed

STYLE = "ais-s3-signed-request-style"
DATA = bytes(range(256)) * 400


class Signer:
    """Presigned URLs for the origin's address, as boto3 makes them, sent to the node instead."""

    def __init__(
        self, node: Node, endpoint: str, keys: tuple[str, str], style: str = "path"
    ) -> None:
        self.node = node
        self.style = style
        self.client = node.client(
            endpoint=endpoint,
            access_key=keys[0],
            secret_key=keys[1],
            s3={"addressing_style": "path" if style == "path" else "virtual"},
            signature_version="s3v4",
        )

    def send(
        self,
        operation: str,
        remote: Remote,
        key: str,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
        spoil: Callable[[str], str] = lambda query: query,
        style: str | None = None,
        **params: Any,
    ) -> Reply:
        named = {"Bucket": remote.name, "Key": key, **params}
        url = urllib.parse.urlsplit(self.client.generate_presigned_url(operation, named))
        # What the node is asked: its own address, the path of its own S3 API.
        path = url.path if self.style == "path" else f"/{remote.name}{url.path}"
        method = {
            "get": "GET", "head": "HEAD", "put": "PUT", "create": "POST", "upload": "PUT",
            "complete": "POST", "abort": "DELETE", "delete": "DELETE",
        }[operation.partition("_")[0]]  # fmt: skip
        fields = {STYLE: self.style if style is None else style, **(headers or {})}
        return self.node.send(
            method,
            f"/s3{path}?{spoil(url.query)}",
            headers={name: value for name, value in fields.items() if value},
            body=body,
            signed=False,
        )


@pytest.fixture(scope="module", params=[False, True], ids=["open", "auth"])
def keyless(
    request: pytest.FixtureRequest,
    faults_of_package: FaultProxy,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Node]:
    """A node that reaches the origin but has no keys for it, with the feature on."""
    data = tmp_path_factory.mktemp("keyless") / "data"
    environment = {"S3_ENDPOINT": faults_of_package.endpoint}
    node = Node(data, auth=request.param, environment=environment).start()
    reply = node.send(
        "PUT", "/v1/cluster/set-config?features=S3-API-via-Root%2CS3-Presigned-Request"
    )
    assert reply.status == 200, reply.body
    yield node
    assert node.stop() == 0, node.log_tail()
    shutil.rmtree(node.data)


@pytest.fixture
def remote(keyless: Node, there: Any, faults: FaultProxy) -> Iterator[Remote]:
    """A bucket at the origin, and a window that was made without a look at it."""
    name = f"signed-{uuid.uuid4().hex[:12]}"
    there.create_bucket(Bucket=name)
    made = Remote(keyless, there, name)
    reply = made.native(
        "POST", action={"action": "create-bck", "value": None}, dont_head_remote_bck="true"
    )
    assert reply.status == 200, reply.body
    faults.reset()
    yield made
    faults.reset()
    made.remove()
    empty_and_remove(there, name)


@pytest.fixture(scope="module")
def keys(origin: Node) -> Iterator[tuple[str, str]]:
    """Keys of a user of the origin, whom the node does not know."""
    iam = origin.client(service="iam", endpoint=origin.root)
    iam.create_user(UserName="signer")
    allow = {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [allow]})
    iam.put_user_policy(UserName="signer", PolicyName="all", PolicyDocument=policy)
    made = iam.create_access_key(UserName="signer")["AccessKey"]
    yield made["AccessKeyId"], made["SecretAccessKey"]
    iam.delete_access_key(UserName="signer", AccessKeyId=made["AccessKeyId"])
    iam.delete_user_policy(UserName="signer", PolicyName="all")
    iam.delete_user(UserName="signer")


@pytest.fixture
def signer(keyless: Node, faults: FaultProxy, keys: tuple[str, str]) -> Signer:
    return Signer(keyless, faults.endpoint, keys)


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
