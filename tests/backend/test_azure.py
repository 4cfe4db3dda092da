"""Provider `azure` on Azurite: blocks, access, names and pages; and its pure parts."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aisle.backend.azure import AzureProvider, blobs, metadata, upload
from aisle.backend.azure.account import account_of
from aisle.backend.azure.backend import AzureBackend
from aisle.backend.azure.client import Client
from aisle.core.dates import http_date
from aisle.core.errors import (
    AisleError,
    BackendDisabled,
    InvalidArgument,
    RemoteBroken,
    RemoteBucketNotFound,
    RemoteDenied,
    RemoteObjectNotFound,
    RemoteRefused,
    RemoteThrottled,
    RemoteUnavailable,
)
from aisle.core.ranges import Span
from aisle.outgoing.persist import Limits
from aisle.outgoing.request import Reply
from aisle.outgoing.transport import Transport
from tests.backend.cases import new_name
from tests.backend.test_contract import all_keys, all_pages, get, outgoing, put_all, some_bytes
from tests.servers import azurite
from tests.servers.faults import Fault, FaultProxy
from tests.store.conftest import Run

MIB = 1 << 20
LIMITS = Limits(backoff=0.001, attempts=3, budget=10**9)


@pytest.fixture(scope="module")
def proxy() -> Iterator[FaultProxy]:
    with FaultProxy(azurite.shared().port) as running:
        yield running


@pytest.fixture(scope="module")
def provider(proxy: FaultProxy, run: Run) -> Iterator[AzureProvider]:
    made = AzureProvider(
        {
            "AZURE_STORAGE_ACCOUNT": azurite.ACCOUNT,
            "AZURE_STORAGE_KEY": azurite.KEY,
            "AZURE_STORAGE_URL": f"http://127.0.0.1:{proxy.port}/{azurite.ACCOUNT}",
        },
        LIMITS,
    )
    yield made
    run(made.close())


@pytest.fixture
def container() -> str:
    name = new_name()
    azurite.shared().make(name)
    return name


@pytest.fixture
def backend(provider: AzureProvider, container: str, faults: FaultProxy) -> AzureBackend:
    return provider.open(container, {})


# --- uploads --------------------------------------------------------------------------------


@pytest.fixture
def small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks of 1 MiB, for bodies of more than that."""
    monkeypatch.setattr(upload, "SMALL", MIB)
    monkeypatch.setattr(upload, "BLOCK", MIB)


@pytest.mark.usefixtures("small_steps")
def test_a_large_blob_goes_in_blocks(backend: AzureBackend, faults: FaultProxy, run: Run) -> None:
    data = some_bytes(3 * MIB + 7)
    faults.add(Fault("PUT", "comp=block&", status=503))
    meta, headers = {"with-dash": "x"}, {"content-type": "text/plain"}
    put = run(backend.put("key", outgoing(data, md5="", meta=meta, headers=headers)))
    assert put == run(backend.head("key"))
    assert put.checksums == {"md5": hashlib.md5(data).hexdigest()}
    assert run(get(backend, "key")) == data
    assert faults.count("PUT", "comp=block&") == 5


@pytest.mark.usefixtures("small_steps")
def test_writers_of_one_blob_do_not_spoil_it(backend: AzureBackend, run: Run) -> None:
    bodies = [some_bytes(2 * MIB + n) for n in range(2)]

    async def both() -> list[Any]:
        puts = (backend.put("key", outgoing(body)) for body in bodies)
        return await asyncio.gather(*puts, return_exceptions=True)

    assert not [failure for failure in run(both()) if isinstance(failure, BaseException)]
    about = run(backend.head("key"))
    (winner,) = [body for body in bodies if len(body) == about.size]
    assert run(get(backend, "key")) == winner
    assert about.checksums["md5"] == hashlib.md5(winner).hexdigest()


@pytest.mark.parametrize("size", [10, 0])
def test_a_body_with_another_md5_is_not_stored(backend: AzureBackend, run: Run, size: int) -> None:
    wrong = hashlib.md5(b"another").hexdigest()
    with pytest.raises((RemoteRefused, RemoteBroken)):
        run(backend.put("key", outgoing(some_bytes(size), md5=wrong)))
    with pytest.raises(RemoteObjectNotFound):
        run(backend.head("key"))


def test_what_the_service_has_no_word_for_is_kept(backend: AzureBackend, run: Run) -> None:
    headers = {"expires": "Thu, 01 Jan 2099 00:00:00 GMT", "content-encoding": "gzip"}
    meta = {"ключ": "значение", "a_x": " spaces ", "1st": "", "x": "=?UTF-8?B?eA==?="}
    run(backend.put("key", outgoing(b"body", headers=headers, meta=meta)))
    about = run(backend.head("key"))
    assert headers.items() <= about.headers.items()
    assert about.meta == meta
    assert run(get(backend, "key")) == b"body"


def test_an_etag_is_shown_as_it_is(backend: AzureBackend, run: Run) -> None:
    put = run(backend.put("key", outgoing(b"body")))
    assert put.etag.startswith("0x")
    assert run(backend.list()).entries[0].etag == put.etag
    assert run(get(backend, "key", span=Span(1, 2), etag=put.etag)) == b"od"


def test_a_storage_class_that_there_is_not_is_refused(backend: AzureBackend, run: Run) -> None:
    with pytest.raises(RemoteRefused):
        run(backend.put("key", outgoing(b"body", storage_class="GLACIER")))
    run(backend.put("key", outgoing(b"body", storage_class="COOL")))
    assert run(backend.head("key")).storage_class == "COOL"


def test_a_blob_that_is_archived_is_told_as_s3_would(
    backend: AzureBackend, faults: FaultProxy, run: Run
) -> None:
    faults.add(failing(409, "BlobArchived"))
    with pytest.raises(RemoteRefused) as refused:
        run(backend.get("key"))
    assert (refused.value.status, refused.value.code) == (403, "InvalidObjectState")


@pytest.mark.parametrize("key", [".", "..", "a/../b", "./a", "a/.", "a\\b"])
def test_a_name_that_means_another_blob_is_refused(
    backend: AzureBackend, faults: FaultProxy, run: Run, key: str
) -> None:
    for doing in (backend.head(key), backend.get(key), backend.put(key, outgoing(b"x"))):
        with pytest.raises(InvalidArgument, match="cannot hold a name"):
            run(doing)
    assert faults.count() == 0


# --- access ---------------------------------------------------------------------------------


def _provider(**environment: str) -> AzureProvider:
    url = {"AZURE_STORAGE_URL": azurite.shared().endpoint, "AZURE_STORAGE_ACCOUNT": azurite.ACCOUNT}
    return AzureProvider({**url, **environment}, LIMITS)


def test_another_key_is_denied(container: str, run: Run) -> None:
    secret = base64.b64encode(b"not the key").decode()
    provider = _provider(AZURE_STORAGE_KEY=secret)
    with pytest.raises(RemoteDenied) as denied:
        run(provider.open(container, {}).head("key"))
    assert secret not in str(denied.value)
    with pytest.raises(RemoteDenied):
        run(provider.buckets({}))
    run(provider.close())


def test_a_public_container_is_read_without_credentials(run: Run) -> None:
    name = new_name()
    azurite.shared().make(name, access="container")
    ours = AzureProvider(azurite.shared().environment)
    run(ours.open(name, {}).put("key", outgoing(b"body")))
    provider = _provider()
    backend = provider.open(name, {})
    assert run(get(backend, "key")) == b"body"
    assert run(all_keys(backend)) == ["key"]
    run(backend.facts())
    with pytest.raises(RemoteDenied):
        run(backend.put("key", outgoing(b"other")))
    run(ours.close())
    run(provider.close())


def test_a_shared_access_signature_is_used(container: str, run: Run) -> None:
    signature = _signature("rl")
    provider = _provider(AZURE_STORAGE_SAS_TOKEN="?" + signature)
    backend = provider.open(container, {})
    run(backend.facts())
    assert run(all_keys(backend)) == []
    with pytest.raises(RemoteDenied) as denied:
        run(backend.put("key", outgoing(b"body")))
    assert "sig" not in str(denied.value)
    assert signature not in repr(account_of({"AZURE_STORAGE_SAS_TOKEN": signature, **NAMED}))
    run(provider.close())


NAMED = {"AZURE_STORAGE_ACCOUNT": "name"}


def _signature(permissions: str) -> str:
    """An account SAS for blobs, as Azure's documentation makes one."""
    until = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 3600))
    version = "2021-12-02"
    parts = [azurite.ACCOUNT, permissions, "b", "co", "", until, "", "", version, "", ""]
    text = "\n".join(parts).encode()
    made = hmac.digest(base64.b64decode(azurite.KEY), text, hashlib.sha256)
    query = {"sv": version, "ss": "b", "srt": "co", "sp": permissions, "se": until}
    query["sig"] = base64.b64encode(made).decode()
    return "&".join(f"{name}={quote(value, safe='')}" for name, value in query.items())


def test_a_clock_that_is_wrong_is_noticed() -> None:
    transport = Transport()
    client = Client(
        transport, "azure://b", account_of({**NAMED, "AZURE_STORAGE_KEY": "eA=="}), None
    )
    headers = {"x-ms-error-code": "AuthenticationFailed"}
    for ahead, skewed in ((0, False), (3600, True), (-3600, True)):
        date = http_date(int(time.time()) + ahead).decode()
        refusal = client.judge(Reply(403, {**headers, "date": date}))
        assert refusal is not None
        assert (refusal.skewed, refusal.passing) == (skewed, skewed)


CONNECTED = "AccountName=name;AccountKey=eA==;"


@pytest.mark.parametrize(
    ("environment", "endpoint"),
    [
        (NAMED, "https://name.blob.core.windows.net"),
        ({"AZURE_STORAGE_URL": "https://name.blob.example.com/"}, "https://name.blob.example.com"),
        ({**NAMED, "AIS_AZURE_URL": "http://host:1/name"}, "http://host:1/name"),
        (
            {"AZURE_STORAGE_CONNECTION_STRING": CONNECTED},
            "https://name.blob.core.windows.net",
        ),
        (
            {"AZURE_STORAGE_CONNECTION_STRING": CONNECTED + "EndpointSuffix=core.chinacloudapi.cn"},
            "https://name.blob.core.chinacloudapi.cn",
        ),
        (
            {"AZURE_STORAGE_CONNECTION_STRING": CONNECTED + "BlobEndpoint=http://host/name/"},
            "http://host/name",
        ),
        (
            {"AZURE_STORAGE_CONNECTION_STRING": "UseDevelopmentStorage=true"},
            "http://127.0.0.1:10000/devstoreaccount1",
        ),
    ],
)
def test_accounts_are_found_in_the_environment(environment: dict[str, str], endpoint: str) -> None:
    account = account_of(environment)
    assert account.endpoint == endpoint
    assert account.name in ("name", azurite.ACCOUNT)
    assert "eA==" not in repr(account)
    assert "x'" not in repr(account)


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"AZURE_STORAGE_CONNECTION_STRING": "AccountKey=eA=="},
        {"AZURE_STORAGE_KEY": "eA=="},
        {**NAMED, "AZURE_STORAGE_KEY": "hush!"},
        {**NAMED, "AZURE_STORAGE_SAS_TOKEN": "sig=hush hush"},
        {**NAMED, "AZURE_STORAGE_URL": "ftp://hush@host"},
        {**NAMED, "AZURE_STORAGE_URL": "http://hush@host"},
    ],
)
def test_an_account_that_cannot_be_used_is_refused(environment: dict[str, str]) -> None:
    with pytest.raises(BackendDisabled) as refused:
        AzureProvider(environment).open("container", {})
    assert "hush" not in str(refused.value)


def test_an_identity_is_looked_for_if_there_is_no_key() -> None:
    assert account_of({**NAMED, "AZURE_STORAGE_AUTH_MODE": "login"}).login
    assert account_of({**NAMED, "AZURE_TENANT_ID": "x", "AZURE_CLIENT_ID": "y"}).login
    assert not account_of(NAMED).login
    assert not account_of({**NAMED, "AZURE_STORAGE_KEY": "eA==", "AZURE_TENANT_ID": "x"}).login


@pytest.fixture
def identity(monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultProxy]:
    """A managed identity's endpoint, and nothing else that a token could come from."""
    with FaultProxy(1) as endpoint:
        monkeypatch.setenv("AZURE_TOKEN_CREDENTIALS", "ManagedIdentityCredential")
        monkeypatch.setenv("IDENTITY_ENDPOINT", f"http://127.0.0.1:{endpoint.port}/token")
        monkeypatch.setenv("IDENTITY_HEADER", "header")
        yield endpoint


def test_an_identity_gets_a_token_once(
    identity: FaultProxy, faults: FaultProxy, proxy: FaultProxy, run: Run
) -> None:
    until = int(time.time()) + 7200
    body = f'{{"access_token": "word", "expires_on": "{until}", "resource": "r"}}'.encode()
    identity.add(Fault(status=200, headers={"content-type": "application/json"}, body=body))
    provider = AzureProvider(
        {
            **NAMED,
            "AZURE_STORAGE_URL": f"http://127.0.0.1:{proxy.port}/name",
            "AZURE_STORAGE_AUTH_MODE": "login",
        },
        LIMITS,
    )
    backend = provider.open("container", {})
    head = {"Content-Length": "5", "etag": '"0x1"'}
    faults.add(Fault("HEAD", status=200, headers={"x-ms-meta-a": "b", **head}, times=3))
    assert run(backend.head("key")).meta == {"a": "b"}
    assert run(backend.head("key")).etag == "0x1"
    assert [one.headers["authorization"] for one in faults.requests] == ["Bearer word"] * 2
    assert len(identity.requests) == 1
    run(provider.close())


def test_an_identity_that_is_none_is_told(
    identity: FaultProxy, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AZURE_TOKEN_CREDENTIALS", "EnvironmentCredential")
    provider = _provider(AZURE_STORAGE_AUTH_MODE="login")
    with pytest.raises(RemoteDenied, match="no identity"):
        run(provider.open("container", {}).head("key"))
    assert identity.requests == []
    run(provider.close())


# --- failures -------------------------------------------------------------------------------


def failing(status: int, code: str, body: bytes = b"") -> Fault:
    return Fault(status=status, headers={"x-ms-error-code": code, "retry-after": "0"}, body=body)


@pytest.mark.parametrize(
    ("fault", "error", "requests"),
    [
        (failing(403, "AuthorizationFailure"), RemoteDenied, 1),
        (failing(409, "PublicAccessNotPermitted"), RemoteDenied, 1),
        (failing(503, "ServerBusy"), RemoteThrottled, 3),
        (failing(500, "OperationTimedOut"), RemoteUnavailable, 3),
        (failing(501, "NotImplemented"), RemoteUnavailable, 1),
        (failing(400, "InvalidHeaderValue"), RemoteRefused, 1),
        (failing(404, "ContainerNotFound"), RemoteBucketNotFound, 1),
        (failing(404, ""), RemoteObjectNotFound, 1),
        (failing(409, "BlobArchived"), RemoteRefused, 1),
        (Fault(status=200, headers={"content-length": "x"}), AisleError, 1),
        (Fault(status=302, headers={"location": "http://192.0.2.1/"}), RemoteRefused, 1),
    ],
)
def test_failures_are_told_by_their_kind(
    backend: AzureBackend,
    faults: FaultProxy,
    run: Run,
    fault: Fault,
    error: type[AisleError],
    requests: int,
) -> None:
    fault.times = 3
    faults.add(fault)
    with pytest.raises(error) as failure:
        run(backend.get("key"))
    assert str(failure.value).startswith(backend.name)
    assert error is AisleError or faults.count("GET", "/key") == requests


def test_a_listing_that_is_no_xml_is_told(
    backend: AzureBackend, faults: FaultProxy, run: Run
) -> None:
    for body in (
        b"",
        b"<html",
        b'<!DOCTYPE x [<!ENTITY y "z">]><x>&y;</x>',
        b"<EnumerationResults><Blobs><Blob><Name>a</Name></Blob></Blobs></EnumerationResults>",
    ):
        faults.add(Fault(status=200, body=body))
        with pytest.raises(RemoteBroken):
            run(backend.list())


def test_a_body_that_ends_early_is_told(
    backend: AzureBackend, faults: FaultProxy, run: Run
) -> None:
    run(backend.put("key", outgoing(some_bytes(MIB))))
    faults.add(Fault("GET", cut=1000))
    with pytest.raises((RemoteBroken, RemoteUnavailable)):
        run(get(backend, "key"))


# --- listings -------------------------------------------------------------------------------


def test_no_more_is_asked_for_than_a_page_holds(
    backend: AzureBackend, faults: FaultProxy, run: Run
) -> None:
    assert run(backend.list(limit=50_000)).entries == []
    (seen,) = faults.requests
    assert "maxresults=1000" in seen.target


def test_a_listing_from_a_name_on_is_in_order(backend: AzureBackend, run: Run) -> None:
    keys = [f"{n % 4}/{n:02}" if n % 2 else f"{n % 4}-{n:02}" for n in range(24)]
    run(put_all(backend, keys))
    ordered = sorted(keys, key=str.encode)
    assert run(all_keys(backend, after=ordered[10], limit=3)) == ordered[11:]
    pages = run(all_pages(backend, after="1/05", delimiter="/", limit=2))
    shown = [
        sorted([*(entry.key for entry in page.entries), *page.prefixes], key=str.encode)
        for page in pages
    ]
    expected = {key if "-" in key else key[:2] for key in ordered if key > "1/05"}
    assert [name for names in shown for name in names] == sorted(expected, key=str.encode)


@pytest.mark.parametrize("after", ["", "n", "n\ufb01"])
@pytest.mark.parametrize("delimiter", ["", "/"])
@pytest.mark.parametrize("limit", [1, 2, 3, 1000])
def test_a_listing_in_the_order_of_utf_16_leaves_nothing_out(
    backend: AzureBackend, run: Run, after: str, delimiter: str, limit: int
) -> None:
    keys = ["n\U0001f600", "n\U0001f600/1", "n\U0001f600/2", "n\uff01", "n\ufb01/1", "n\ufb01/2"]
    run(put_all(backend, keys))
    shown = [
        name
        for page in run(all_pages(backend, after=after, delimiter=delimiter, limit=limit))
        for name in [*(entry.key for entry in page.entries), *page.prefixes]
    ]
    wanted = {
        key.partition("/")[0] + "/" if delimiter and "/" in key else key
        for key in keys
        if key.encode() > after.encode()
    }
    assert sorted(shown) == sorted(wanted)


def test_a_listing_of_empty_pages_alone_has_an_end(
    backend: AzureBackend, faults: FaultProxy, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("aisle.backend.azure.backend.EMPTY_PAGES", 5)
    page = b"<EnumerationResults><Blobs/><NextMarker>a</NextMarker></EnumerationResults>"
    faults.add(Fault("GET", "comp=list", status=200, body=page, times=50))
    for after in ("", "name"):
        with pytest.raises(RemoteBroken, match="empty pages"):
            run(backend.list(after=after))
    assert faults.count() == 10


@pytest.mark.parametrize("token", ["x", "[]", '["a"]', "[1, 2]"])
def test_a_token_that_is_none_is_refused(backend: AzureBackend, run: Run, token: str) -> None:
    with pytest.raises(InvalidArgument, match="token"):
        run(backend.list(token=token))


def test_names_that_xml_cannot_hold_are_read() -> None:
    document = (
        '\ufeff<?xml version="1.0" encoding="utf-8"?><EnumerationResults><Blobs>'
        '<Blob><Name Encoded="true">a%01%2525</Name><Properties>'
        "<Content-Length>3</Content-Length><Etag>0x1</Etag></Properties></Blob>"
        "<Blob><Name>a%25</Name><Properties><Content-Length>4</Content-Length>"
        "<Content-MD5>eA==</Content-MD5><AccessTier>Hot</AccessTier></Properties></Blob>"
        "<Blob><Name>dir</Name><Properties><ResourceType>directory</ResourceType></Properties>"
        '</Blob><BlobPrefix><Name Encoded="true">p%02/</Name></BlobPrefix></Blobs>'
        "<NextMarker>more</NextMarker></EnumerationResults>"
    )
    page = blobs.listed("azure://b", document.encode())
    assert [entry.key for entry in page.entries] == ["a\x01%25", "a%25"]
    assert page.entries[1].checksums == {"md5": "78"}
    assert page.prefixes == ["p\x02/"]
    assert page.marker == "more"


# --- metadata -------------------------------------------------------------------------------


@given(st.text(min_size=1))
def test_names_of_metadata_come_back(name: str) -> None:
    encoded = metadata.encode_name(name)
    assert encoded.isidentifier()
    assert encoded.isascii()
    assert metadata.decode_name(encoded) == name


@given(st.text(), st.text())
def test_names_of_metadata_stay_apart(one: str, other: str) -> None:
    assert (one == other) == (metadata.encode_name(one) == metadata.encode_name(other))


@given(st.text(st.characters(codec="utf-8")))
def test_values_of_metadata_come_back(value: str) -> None:
    encoded = metadata.encode_value(value)
    assert encoded.isascii()
    assert encoded.isprintable()
    assert encoded == encoded.strip() != ""
    assert metadata.decode_value(encoded) == value


def test_metadata_of_others_stays_what_it_is() -> None:
    theirs = {"Owner": "me", "a_xyz_": "=?UTF-8?B?!?=", "_x110000_": "1", "_xd800_": "2"}
    assert metadata.decode(theirs) == theirs
    assert metadata.encode({"my-key": "x", "plain_name": "y"}) == {
        "my_x2d_key": "x",
        "plain_name": "y",
    }
