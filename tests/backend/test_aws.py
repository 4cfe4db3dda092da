"""Provider `aws` beside the port: listings that tell versions, and raw requests passed on."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import pytest

from aisle.backend.aws import AwsProvider
from aisle.backend.aws.addresses import PATH, VIRTUAL
from aisle.backend.aws.backend import AwsBackend
from aisle.backend.base import Forwarded, RawRequest, RemotePage
from aisle.core.errors import AisleError
from aisle.core.features import BY_NAME
from aisle.outgoing.persist import Limits
from tests.backend.cases import new_name, write_profile
from tests.backend.test_contract import get, outgoing
from tests.harness import presign
from tests.outgoing.server import reply, serving
from tests.servers import moto, s3
from tests.servers.faults import FaultProxy
from tests.store.conftest import Run

pytestmark = pytest.mark.usefixtures("no_aws_environment")


def test_listings_tell_versions_if_that_is_set(files: Path, run: Run) -> None:
    server, bucket = moto.shared(), new_name()
    client = server.client(endpoint=server.root)
    client.create_bucket(Bucket=bucket)
    client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    write_profile(files, profile="moto", access="testing", secret="testing")
    provider = AwsProvider({"AIS_S3_CONFIG_DIR": str(files)})
    settings = {
        "extra.aws.endpoint": server.root, "extra.aws.profile": "moto",
        "features": BY_NAME["S3-ListObjectVersions"].mask,
    }  # fmt: skip
    backend = provider.open(bucket, settings)

    async def work() -> None:
        assert (await backend.facts()).versioned
        newest: dict[str, str] = {}
        for key in ("a", "b", "c", "d/e", "d/f"):
            await backend.put(key, outgoing(b"first"))
            newest[key] = (await backend.put(key, outgoing(b"second"))).version
        await backend.put("gone", outgoing(b"first"))
        await backend.delete("gone")
        assert all(newest.values())
        found: dict[str, str] = {}
        token = ""
        while True:
            page = await backend.list(token=token, limit=3)
            found |= {entry.key: entry.version for entry in page.entries}
            token = page.token
            if not token:
                break
        assert found == newest
        page = await backend.list(delimiter="/", after="a")
        assert [entry.key for entry in page.entries] == ["b", "c"]
        assert page.prefixes == ["d/"]
        assert await get(backend, "a", version=newest["a"]) == b"second"

    run(work())
    run(provider.close())


def test_a_page_of_deletion_markers_is_asked_for_once_and_goes_on(files: Path, run: Run) -> None:
    document = (
        b"<ListVersionsResult><IsTruncated>%s</IsTruncated><NextKeyMarker>k</NextKeyMarker>"
        b"<NextVersionIdMarker>v</NextVersionIdMarker><DeleteMarker><Key>k</Key>"
        b"<VersionId>v</VersionId><IsLatest>true</IsLatest></DeleteMarker></ListVersionsResult>"
    )
    write_profile(files, profile="raw", access="testing", secret="testing")
    provider = AwsProvider({"AIS_S3_CONFIG_DIR": str(files)})

    async def work() -> None:
        pages = [reply(200, document % word) for word in (b"true", b"false")]
        async with serving(*pages) as server:
            settings = {
                "extra.aws.endpoint": server.url, "extra.aws.profile": "raw",
                "features": BY_NAME["S3-ListObjectVersions"].mask,
            }  # fmt: skip
            backend = provider.open(new_name(), settings)
            assert await backend.list() == RemotePage([], [], "k")
            assert len(server.seen) == 1
            assert await backend.list(token="k") == RemotePage([], [], "")

    run(work())
    run(provider.close())


# --- raw requests ---------------------------------------------------------------------------


@pytest.fixture
def proxy() -> Iterator[FaultProxy]:
    with FaultProxy(s3.shared().port) as running:
        yield running


@pytest.fixture
def backend(files: Path, proxy: FaultProxy, run: Run) -> Iterator[AwsBackend]:
    bucket = new_name()
    s3.shared().client().create_bucket(Bucket=bucket)
    provider = AwsProvider({"AIS_S3_CONFIG_DIR": str(files)}, Limits(backoff=0.001))
    settings = {"extra.aws.endpoint": proxy.endpoint, "extra.aws.profile": "origin"}
    yield provider.open(bucket, settings)
    run(provider.close())


async def whole_of(found: Forwarded) -> bytes:
    pieces = []
    while piece := await found.read():
        pieces.append(piece)
    await found.close()
    return b"".join(pieces)


def test_a_raw_request_is_signed_with_the_clusters_credentials(
    backend: AwsBackend, run: Run
) -> None:
    key = "a b+c/ключ"
    run(backend.put(key, outgoing(b"body")))
    found = run(backend.forward(RawRequest("GET", quote(key), "acl")))
    assert found.status == 200
    assert b"FULL_CONTROL" in run(whole_of(found))
    bucket = backend.name.removeprefix("aws://")
    statement = {
        "Effect": "Allow", "Principal": "*", "Action": "s3:GetObject",
        "Resource": f"arn:aws:s3:::{bucket}/*",
    }  # fmt: skip
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]}).encode()
    put = RawRequest("PUT", query="policy", body=policy, size=len(policy))
    assert run(backend.forward(put)).status == 204
    found = run(backend.forward(RawRequest("GET", query="policy")))
    assert json.loads(run(whole_of(found))) == json.loads(policy)


def test_the_answer_is_the_callers_whatever_its_status(
    backend: AwsBackend, proxy: FaultProxy, run: Run
) -> None:
    found = run(backend.forward(RawRequest("GET", query="policy")))
    assert found.status == 404
    assert b"NoSuchBucketPolicy" in run(whole_of(found))
    assert len(proxy.requests) == 1
    assert "connection" not in found.headers


def test_a_streamed_body_is_passed_on(backend: AwsBackend, run: Run) -> None:
    async def work() -> None:
        async def pour() -> Any:
            for _ in range(100):
                yield bytes(10_000)

        request = RawRequest("PUT", "key", body=pour(), size=1_000_000)
        found = await backend.forward(request)
        assert found.status == 200
        await found.close()
        found = await backend.forward(RawRequest("GET", "key", headers={"range": "bytes=5-9"}))
        assert (found.status, found.size, await whole_of(found)) == (206, 5, bytes(5))
        assert backend.described("key", found.headers).size == 1_000_000

    run(work())


@pytest.mark.parametrize("style", [PATH, VIRTUAL])
def test_a_presigned_request_goes_out_as_it_was_signed(
    backend: AwsBackend, proxy: FaultProxy, run: Run, style: str
) -> None:
    run(backend.put("a b", outgoing(b"body")))
    bucket = backend.name.removeprefix("aws://")
    host = urlsplit(proxy.endpoint).netloc
    if style == PATH:
        target = presign("GET", f"/{bucket}/a%20b", host=host)
    else:
        target = presign("GET", "/a%20b", host=f"{bucket}.{host}")
    proxy.reset()
    query = target.partition("?")[2]
    found = run(backend.forward(RawRequest("GET", "a%20b", query, style=style)))
    run(whole_of(found))
    (seen,) = proxy.requests
    assert seen.target == target
    assert seen.headers["host"] == (host if style == PATH else f"{bucket}.{host}")
    assert "authorization" not in seen.headers
    if style == PATH:  # the node does not take 127.0.0.1 for a domain
        assert found.status == 200


def test_a_raw_request_to_nobody_is_told(files: Path, run: Run) -> None:
    with FaultProxy(s3.shared().port) as gone:
        pass
    provider = AwsProvider({"AIS_S3_CONFIG_DIR": str(files)})
    settings = {"extra.aws.endpoint": gone.endpoint, "extra.aws.profile": "origin"}
    with pytest.raises(AisleError):
        run(provider.open("bucket", settings).forward(RawRequest("GET", "key")))
    run(provider.close())
