"""Provider `aws` beside the port: what settings say, whose credentials sign, what is passed on."""

from __future__ import annotations

import asyncio
import itertools
import json
import stat
import sys
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import pytest

from aisle.backend.aws import AwsProvider, addresses
from aisle.backend.aws.addresses import PATH, VIRTUAL, address, default_style
from aisle.backend.aws.backend import AwsBackend
from aisle.backend.aws.credentials import Chain, Keys
from aisle.backend.aws.options import Account, read_options
from aisle.backend.aws.replies import describe, read_page
from aisle.backend.aws.uploads import plan
from aisle.backend.base import Forwarded, RawRequest
from aisle.core.errors import AisleError, ConfigError, InvalidArgument, RemoteDenied
from aisle.core.features import BY_NAME
from aisle.outgoing.persist import Limits
from tests.backend.cases import new_name, write_profile
from tests.backend.test_contract import get, outgoing
from tests.harness import ACCESS_KEY, SECRET_KEY, presign
from tests.outgoing.server import reply, serving
from tests.servers import moto, s3
from tests.servers.faults import FaultProxy
from tests.store.conftest import Run

MIB = 1 << 20
GIB = 1 << 30
AWS_NAMES = ("AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY",
             "AWS_SESSION_TOKEN", "AWS_REGION", "AWS_DEFAULT_REGION")  # fmt: skip


@pytest.fixture(autouse=True)
def own_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """botocore's chain sees nothing of whoever runs the tests."""
    for name in AWS_NAMES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent/config")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent/credentials")
    monkeypatch.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", "http://127.0.0.1:9")


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """AWS's files, with a profile of the node that `origin` is."""
    write_profile(tmp_path, profile="origin", access=ACCESS_KEY, secret=SECRET_KEY)
    return tmp_path


# --- settings -------------------------------------------------------------------------------


def options(settings: Mapping[str, Any], environment: Mapping[str, str] | None = None) -> Any:
    return read_options("bucket", settings, environment or {})


def test_what_nobody_has_set_is_amazons() -> None:
    found = options({})
    assert (found.endpoint, found.region, found.page, found.part) == ("", "", 1000, 128 * MIB)
    assert found.account == Account("", "", metadata=False)
    assert not found.path_style


def test_props_win_over_the_environment() -> None:
    environment = {
        "S3_ENDPOINT": "http://env:1/", "AWS_REGION": "eu-west-1", "AWS_PROFILE": "env",
        "AWS_DEFAULT_REGION": "eu-west-2", "AIS_S3_CONFIG_DIR": "/etc/aws",
    }  # fmt: skip
    found = options({}, environment)
    assert (found.endpoint, found.region) == ("http://env:1", "eu-west-1")
    assert found.account == Account("env", "/etc/aws", metadata=False)
    props = {
        "extra.aws.endpoint": "https://Mine.example/s3/", "extra.aws.cloud_region": "ap-south-1",
        "extra.aws.profile": "mine", "extra.aws.max_pagesize": 50,
        "extra.aws.multipart_size": "8MiB", "features": BY_NAME["S3-Use-Path-Style"].mask,
        "backend.aws": "enabled",
    }  # fmt: skip
    found = options(props, environment)
    assert (found.endpoint, found.region) == ("https://mine.example/s3", "ap-south-1")
    assert found.account == Account("mine", "/etc/aws", metadata=True)
    assert (found.page, found.part, found.path_style) == (50, 8 * MIB, True)


@pytest.mark.parametrize(
    "endpoint",
    ["ftp://a", "http://", "http://user:secret@host", "http://h:0", "http://h:99999", "http://h?q",
     "http://h#f", "http://bücher.example"],
)  # fmt: skip
def test_an_endpoint_that_is_none_is_refused(endpoint: str) -> None:
    with pytest.raises(InvalidArgument) as failure:
        options({"extra.aws.endpoint": endpoint})
    assert "secret" not in str(failure.value)


@pytest.mark.parametrize(
    "props",
    [
        {"extra.aws.cloud_region": "evil.example/"},
        {"extra.aws.cloud_region": "EU"},
        {"extra.aws.multipart_size": "1MiB"},
        {"extra.aws.multipart_size": "6GiB"},
        {"extra.aws.multipart_size": "many"},
    ],
)
def test_settings_that_make_no_sense_are_refused(props: Mapping[str, Any]) -> None:
    with pytest.raises(InvalidArgument):
        options(props)


def test_the_directory_of_awss_files_is_absolute() -> None:
    with pytest.raises(ConfigError):
        options({}, {"AIS_S3_CONFIG_DIR": "etc"})


@pytest.mark.parametrize("name", ["a", "../up", "a/b", "a b", "a\r\nb", "x" * 300])
def test_a_name_that_no_bucket_has_is_refused(name: str) -> None:
    with pytest.raises(InvalidArgument):
        read_options(name, {}, {})


@pytest.mark.parametrize(
    ("value", "part"),
    [("", 128 * MIB), ("0", 128 * MIB), (0, 128 * MIB), ("-1", 0), (-1, 0), ("5MiB", 5 * MIB)],
)
def test_the_size_of_parts(value: object, part: int) -> None:
    assert options({"extra.aws.multipart_size": value}).part == part


# --- addresses and parts --------------------------------------------------------------------


def test_a_request_goes_to_the_endpoint_in_either_style() -> None:
    amazon = address("", "eu-west-1", "my-bucket", VIRTUAL)
    assert amazon.url("a%20b", "x=1") == "https://s3.eu-west-1.amazonaws.com/a%20b?x=1"
    assert amazon.host == "my-bucket.s3.eu-west-1.amazonaws.com"
    path = address("", "cn-north-1", "my-bucket", PATH)
    assert path.url("key") == "https://s3.cn-north-1.amazonaws.com.cn/my-bucket/key"
    own = address("http://h:9000/s3", "us-east-1", "b", PATH)
    assert (own.url("k"), own.url(), own.host) == (
        "http://h:9000/s3/b/k", "http://h:9000/s3/b", "h:9000",
    )  # fmt: skip
    assert address("http://h", "r", "b", VIRTUAL).url("", "list-type=2") == "http://h/?list-type=2"
    assert address("http://h", "r", "", PATH).url() == "http://h/"


def test_amazons_first_region_has_a_host_without_a_region_too() -> None:
    path, virtual = addresses.PATH + addresses.GLOBAL, addresses.VIRTUAL + addresses.GLOBAL
    assert addresses.other_style("", "us-east-1", addresses.PATH) == path
    assert addresses.other_style("", "us-east-1", path) == ""
    assert addresses.other_style("", "eu-west-1", addresses.PATH) == ""
    assert addresses.other_style("https://s3.example", "us-east-1", addresses.PATH) == ""
    place = addresses.address("", "us-east-1", "b", path)
    assert place == ("https://s3.us-east-1.amazonaws.com/b", "s3.amazonaws.com")
    place = addresses.address("", "us-east-1", "b", virtual)
    assert place == ("https://s3.us-east-1.amazonaws.com", "b.s3.amazonaws.com")


def test_the_style_is_amazons_unless_there_is_a_reason() -> None:
    assert default_style("", "my-bucket", path_style=False) == VIRTUAL
    assert default_style("", "my-bucket", path_style=True) == PATH
    assert default_style("", "Old_Bucket", path_style=False) == PATH
    assert default_style("http://host", "my-bucket", path_style=False) == PATH


def test_parts_are_the_clients_where_s3_allows_them() -> None:
    def sizes(*args: Any) -> list[int]:
        parts = plan(*args)
        assert [part.number for part in parts] == list(range(1, len(parts) + 1))
        ends = list(itertools.accumulate(part.size for part in parts))
        assert [part.start for part in parts] == [0, *ends][: len(parts)]
        return [part.size for part in parts]

    assert sizes(10 * MIB, (), 128 * MIB) == []
    assert sizes(0, (), 128 * MIB) == []
    assert sizes(128 * MIB + 1, (), 128 * MIB) == [128 * MIB, 1]
    assert sizes(20 * MIB, (7 * MIB, 7 * MIB, 6 * MIB), 128 * MIB) == [7 * MIB, 7 * MIB, 6 * MIB]
    assert sizes(3, (3,), 128 * MIB) == [3]
    assert sizes(8 * MIB, (4 * MIB, 4 * MIB), 128 * MIB) == []  # too small for S3
    assert sizes(8 * MIB, (5 * MIB, 5 * MIB), 128 * MIB) == []  # not the whole
    assert sizes(20 * MIB, (10 * MIB, 10 * MIB), 0) == []  # never in parts
    assert len(sizes(6 * GIB, (), 0)) > 1  # S3 takes no more in one piece
    assert len(sizes(5 * GIB << 10, (), 128 * MIB)) == 10_000


# --- replies --------------------------------------------------------------------------------


MD5 = "0cc175b9c0f1b6a831c399e269772661"


@pytest.mark.parametrize(
    ("headers", "checksums"),
    [
        ({}, {"md5": MD5}),
        ({"etag": f'"{MD5}-3"'}, {}),
        ({"x-amz-server-side-encryption": "AES256"}, {"md5": MD5}),
        ({"x-amz-server-side-encryption": "aws:kms"}, {}),
        ({"x-amz-server-side-encryption-customer-algorithm": "AES256"}, {}),
        ({"x-amz-checksum-crc32c": "AAAAAQ=="}, {"md5": MD5, "crc32c": "00000001"}),
        ({"x-amz-checksum-crc32c": "AAAAAQ==-2", "etag": '"x-2"'}, {}),
        ({"x-amz-checksum-crc32c": "AAAAAQ==", "x-amz-checksum-type": "COMPOSITE",
          "etag": '"x"'}, {}),
        ({"x-amz-checksum-crc32c": "nonsense", "etag": '"x"'}, {}),
        ({"x-amz-meta-ais-cksum-type": "md5", "x-amz-meta-ais-cksum-val": MD5.upper(),
          "etag": '"x-2"'}, {"md5": MD5}),
        ({"x-amz-meta-ais-cksum-type": "xxhash", "x-amz-meta-ais-cksum-val": "0" * 16,
          "etag": '"x-2"'}, {"xxhash": "0" * 16}),
        ({"x-amz-meta-ais-cksum-type": "md5", "x-amz-meta-ais-cksum-val": "no",
          "etag": '"x-2"'}, {}),
        ({"x-amz-meta-ais-cksum-type": "md5", "x-amz-meta-ais-cksum-val": "0" * 32}, {"md5": MD5}),
    ],
)  # fmt: skip
def test_a_checksum_is_taken_from_who_vouches_for_the_whole(
    headers: dict[str, str], checksums: dict[str, str]
) -> None:
    about = describe("aws://b", "key", {"etag": f'"{MD5}"', "content-length": "1", **headers})
    assert about.checksums == checksums
    assert about.meta == {}


def test_metadata_that_is_not_ascii_is_latin_1_text_here() -> None:
    about = describe("aws://b", "k", {"content-length": "1", "x-amz-meta-name": "grün"})
    assert about.meta["name"].encode("latin-1").decode() == "grün"


def test_a_page_is_read_as_it_was_encoded() -> None:
    plain = b"<ListBucketResult><Contents><Key>a%20b</Key><Size>x</Size></Contents>"
    page = read_page("aws://b", plain + b"</ListBucketResult>")
    assert (page.entries[0].key, page.entries[0].size) == ("a%20b", 0)
    page = read_page("aws://b", plain + b"<EncodingType>url</EncodingType></ListBucketResult>")
    assert page.entries[0].key == "a b"


# --- credentials ----------------------------------------------------------------------------


def keys_of(account: Account) -> Keys | None:
    return asyncio.run(Chain(account).keys("aws://b"))


def test_the_environments_keys_sign(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "ENVKEY")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "env-secret")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "env-token")
    found = keys_of(Account("", "", metadata=False))
    assert found == Keys("ENVKEY", "env-secret", "env-token")
    assert "secret" not in repr(found)
    assert "token" not in repr(found)


def test_a_profile_has_keys_and_a_region(files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "ENVKEY")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "env-secret")
    with (files / "config").open("a") as config:
        config.write("[profile far]\nregion = ap-east-1\n")
    account = Account("origin", str(files), metadata=False)
    assert keys_of(account) == Keys(ACCESS_KEY, SECRET_KEY, "")
    assert asyncio.run(Chain(account).region("aws://b")) == "us-east-1"
    far = Account("far", str(files), metadata=False)
    assert asyncio.run(Chain(far).region("aws://b")) == "ap-east-1"
    assert keys_of(far) is None


def write_process(files: Path, calls: Path, *, seconds: float, pause: float = 0.0) -> Account:
    """A profile whose credentials come from a program, and expire."""
    until = (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat()
    answer = {
        "Version": 1, "AccessKeyId": "PROCESS", "SecretAccessKey": "s", "SessionToken": "t",
        "Expiration": until,
    }  # fmt: skip
    program = files / "program"
    program.write_text(
        f"#!{sys.executable}\nimport time\nopen({str(calls)!r}, 'a').write('x')\n"
        f"time.sleep({pause})\nprint({json.dumps(json.dumps(answer))})\n"
    )
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    (files / "config").write_text(f"[profile process]\ncredential_process = {program}\n")
    return Account("process", str(files), metadata=False)


def test_a_program_is_asked_once_and_off_the_loop(files: Path, tmp_path: Path) -> None:
    calls = tmp_path / "calls"
    account = write_process(files, calls, seconds=3600, pause=0.3)

    async def work() -> int:
        chain = Chain(account)
        asking = asyncio.gather(*[chain.keys("aws://b") for _ in range(10)])
        turns = 0
        while not asking.done():
            await asyncio.sleep(0.005)
            turns += 1
        assert await asking == [Keys("PROCESS", "s", "t")] * 10
        assert await chain.keys("aws://b") == Keys("PROCESS", "s", "t")
        return turns

    assert asyncio.run(work()) >= 5
    assert calls.read_text() == "x"


def test_credentials_that_expire_are_renewed(files: Path, tmp_path: Path) -> None:
    calls = tmp_path / "calls"
    account = write_process(files, calls, seconds=60)

    async def work() -> None:
        chain = Chain(account)
        await chain.keys("aws://b")
        before = len(calls.read_text())
        await chain.keys("aws://b")  # not again at once, however soon they expire
        assert len(calls.read_text()) == before
        chain._again_from = 0.0
        write_process(files, calls, seconds=7200)
        await chain.keys("aws://b")
        assert len(calls.read_text()) > before

    asyncio.run(work())


def test_credentials_that_cannot_be_had_are_denied_without_a_word_of_them(files: Path) -> None:
    with (files / "config").open("a") as config:
        config.write("[profile broken]\ncredential_process = /bin/echo very-secret-thing\n")
    with pytest.raises(RemoteDenied) as failure:
        keys_of(Account("broken", str(files), metadata=False))
    assert "very-secret-thing" not in str(failure.value)


def test_credentials_that_are_not_taken_are_looked_up_again(files: Path) -> None:
    account = Account("origin", str(files), metadata=False)

    async def work() -> None:
        chain = Chain(account)
        first = await chain.keys("aws://b")
        (files / "credentials").write_text(
            "[origin]\naws_access_key_id = NEW\naws_secret_access_key = new\n"
        )
        chain.forget()  # too soon after they were looked up
        assert await chain.keys("aws://b") == first
        chain._again_from = 0.0
        chain.forget()
        assert await chain.keys("aws://b") == Keys("NEW", "new", "")

    asyncio.run(work())


@pytest.mark.parametrize("allowed", [False, True])
def test_the_machines_metadata_is_asked_only_if_that_is_set(
    allowed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def work() -> int:
        async with serving(reply(404)) as server:
            monkeypatch.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", server.url)
            assert await Chain(Account("", "", metadata=allowed)).keys("aws://b") is None
            return len(server.seen)

    assert (asyncio.run(work()) > 0) == allowed


def test_without_credentials_requests_are_not_signed(run: Run) -> None:
    server = moto.shared()
    bucket = new_name()
    server.client(endpoint=server.root).create_bucket(Bucket=bucket)
    with FaultProxy(server.port) as proxy:
        provider = AwsProvider({"S3_ENDPOINT": proxy.endpoint})
        backend = provider.open(bucket, {})
        run(backend.facts())
        assert run(backend.list()).entries == []
        assert proxy.requests
        assert not any("authorization" in seen.headers for seen in proxy.requests)
        run(provider.close())


def test_several_endpoints_and_profiles_are_used_at_once(files: Path, run: Run) -> None:
    write_profile(files, profile="moto", access="testing", secret="testing")
    provider = AwsProvider({"AIS_S3_CONFIG_DIR": str(files)})
    sites = []
    for server, profile in ((s3.shared(), "origin"), (moto.shared(), "moto")):
        bucket = new_name()
        server.client(endpoint=server.root).create_bucket(Bucket=bucket)
        settings = {"extra.aws.endpoint": server.root, "extra.aws.profile": profile}
        sites.append((bucket, provider.open(bucket, settings), settings))

    async def work() -> None:
        await asyncio.gather(
            *[backend.put("key", outgoing(name.encode())) for name, backend, _ in sites]
        )
        for name, backend, settings in sites:
            assert await get(backend, "key") == name.encode()
            names = await provider.buckets(settings)
            assert [other for other, _, _ in sites if other in names] == [name]

    run(work())
    run(provider.close())


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
