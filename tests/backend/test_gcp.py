"""Provider `gcp` on fake-gcs-server: sessions, generations, pages; and its pure parts."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aisle.backend.base import Outgoing, RemoteEntry
from aisle.backend.gcp import GcpProvider, upload
from aisle.backend.gcp.backend import GcpBackend
from aisle.backend.gcp.objects import Resource, entry_of, error_of, nanoseconds
from aisle.backend.gcp.paging import Place, assemble, beyond
from aisle.core.errors import (
    AisleError,
    InvalidArgument,
    NotSupported,
    RemoteBroken,
    RemoteDenied,
    RemoteObjectNotFound,
    RemoteRefused,
    RemoteThrottled,
    RemoteUnavailable,
)
from aisle.outgoing.persist import Limits
from tests.backend.cases import new_name
from tests.backend.test_contract import all_pages, get, outgoing, put_all, some_bytes
from tests.servers import gcs
from tests.servers.faults import Fault, FaultProxy
from tests.store.conftest import Run

MIB = 1 << 20
LIMITS = Limits(backoff=0.001, attempts=3, budget=10**9)
JSON = {"content-type": "application/json"}


@pytest.fixture(scope="module")
def proxy() -> Iterator[FaultProxy]:
    with FaultProxy(gcs.shared().port) as running:
        yield running


@pytest.fixture(scope="module")
def provider(proxy: FaultProxy, run: Run) -> Iterator[GcpProvider]:
    # With and without a scheme are the same.
    made = GcpProvider({"STORAGE_EMULATOR_HOST": f"127.0.0.1:{proxy.port}"}, LIMITS)
    yield made
    run(made.close())


@pytest.fixture
def backend(provider: GcpProvider, faults: FaultProxy) -> GcpBackend:
    name = new_name()
    gcs.shared().make(name)
    return provider.open(name, {})


# --- uploads --------------------------------------------------------------------------------


@pytest.fixture
def small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sessions for bodies of more than 1 MiB, which goes in a request each."""
    monkeypatch.setattr(upload, "SMALL", MIB)
    monkeypatch.setattr(upload, "CHUNK", MIB)


@pytest.mark.usefixtures("small_steps")
def test_a_large_object_goes_in_a_session(
    backend: GcpBackend, faults: FaultProxy, run: Run
) -> None:
    data = some_bytes(3 * MIB + 7)
    told: list[str] = []

    async def started(upload: str) -> None:
        told.append(upload)

    # Nobody has said what its MD5 is: it is computed on the way, and held against the service's.
    put = run(backend.put("key", outgoing(data, md5="", started=started)))
    assert put.checksums["md5"] == hashlib.md5(data).hexdigest()
    assert len(told) == 1
    assert faults.count("PUT", "upload_id=") == 4
    assert run(get(backend, "key")) == data


@pytest.mark.usefixtures("small_steps")
def test_a_session_goes_on_after_failures(
    backend: GcpBackend, faults: FaultProxy, run: Run
) -> None:
    data = some_bytes(2 * MIB)
    # The service is asked how far it has come; the proxy says for it that it has nothing.
    for status in (503, 308, 429, 308):
        faults.add(Fault("PUT", "upload_id=", status=status))
    put = run(backend.put("key", outgoing(data)))
    assert put.size == len(data)
    asked = [one.headers["content-range"] for one in faults.requests if one.method == "PUT"]
    first, query = f"bytes 0-{MIB - 1}/{2 * MIB}", f"bytes */{2 * MIB}"
    assert asked == [first, query, first, query, first, f"bytes {MIB}-{2 * MIB - 1}/{2 * MIB}"]
    assert run(get(backend, "key")) == data


def test_a_session_whose_last_reply_is_lost_is_asked_about(
    backend: GcpBackend, faults: FaultProxy, run: Run
) -> None:
    data = some_bytes(2 * MIB)
    faults.add(Fault("PUT", "upload_id=", lose=True))
    try:
        assert run(backend.put("key", outgoing(data, parts=(MIB, MIB)))).size == len(data)
    except RemoteUnavailable:  # a service that forgets its sessions at once cannot say
        assert run(backend.head("key")).size == len(data)


@pytest.mark.usefixtures("small_steps")
def test_a_session_that_fails_for_good_is_given_up(
    backend: GcpBackend, faults: FaultProxy, run: Run
) -> None:
    faults.add(Fault("PUT", "upload_id=", status=400, times=100))
    with pytest.raises(RemoteRefused):
        run(backend.put("key", outgoing(some_bytes(2 * MIB))))
    assert faults.count("DELETE", "upload_id=") == 1
    with pytest.raises(RemoteObjectNotFound):
        run(backend.head("key"))
    run(backend.give_up("key", "no-such-upload"))


@pytest.mark.usefixtures("small_steps")
def test_a_session_is_never_sent_elsewhere(
    backend: GcpBackend, faults: FaultProxy, run: Run
) -> None:
    there = {"location": "http://192.0.2.1/upload?upload_id=nowhere"}
    faults.add(Fault("POST", "uploadType=resumable", status=200, headers=there))
    with pytest.raises(AisleError):
        run(backend.put("key", outgoing(some_bytes(2 * MIB))))
    assert faults.count("PUT", "upload_id=nowhere") >= 1
    faults.add(Fault("POST", "uploadType=resumable", status=200))
    with pytest.raises(RemoteBroken, match="began no upload"):
        run(backend.put("key", outgoing(some_bytes(2 * MIB))))


@pytest.mark.usefixtures("small_steps")
@pytest.mark.parametrize("size", [10, 2 * MIB])
def test_a_body_with_another_md5_is_not_stored(backend: GcpBackend, run: Run, size: int) -> None:
    wrong = hashlib.md5(b"another").hexdigest()
    with pytest.raises((RemoteRefused, RemoteBroken)):
        run(backend.put("key", outgoing(some_bytes(size), md5=wrong)))
    with pytest.raises(RemoteObjectNotFound):
        run(backend.head("key"))


def test_what_the_service_has_no_word_for_is_kept(backend: GcpBackend, run: Run) -> None:
    headers = {"expires": "Thu, 01 Jan 2099 00:00:00 GMT", "content-type": "text/plain"}
    meta = {"ключ": "значение", "plain": "x"}
    run(backend.put("key", outgoing(b"body", headers=headers, meta=meta)))
    about = run(backend.head("key"))
    assert headers.items() <= about.headers.items()
    assert about.meta == meta


def test_a_body_is_read_again_for_another_attempt(
    backend: GcpBackend, faults: FaultProxy, run: Run
) -> None:
    data = some_bytes(MIB)
    opened = 0

    async def pour(start: int, length: int) -> AsyncIterator[bytes]:
        nonlocal opened
        opened += 1
        yield data[start : start + length]

    faults.add(Fault("POST", "uploadType=multipart", status=503))
    put = run(backend.put("key", Outgoing(len(data), pour)))
    assert opened == 2
    assert put.etag == hashlib.md5(data).hexdigest()


# --- downloads ------------------------------------------------------------------------------


def test_an_object_that_is_replaced_while_it_is_asked_for_is_one_of_the_two(
    backend: GcpBackend, faults: FaultProxy, run: Run
) -> None:
    run(backend.put("key", outgoing(b"first version")))
    other = {"x-goog-generation": "1"}
    faults.add(Fault("GET", "alt=media", status=200, headers=other, body=b"first version"))
    assert run(get(backend, "key")) == b"first version"
    assert faults.count("GET", "alt=media") == 2


def test_a_body_that_ends_early_is_told(backend: GcpBackend, faults: FaultProxy, run: Run) -> None:
    run(backend.put("key", outgoing(some_bytes(MIB))))
    faults.add(Fault("GET", "alt=media", cut=1000))
    with pytest.raises((RemoteBroken, RemoteUnavailable)):
        run(get(backend, "key"))


def test_what_is_stored_compressed_is_read_as_it_is(
    backend: GcpBackend, faults: FaultProxy, run: Run
) -> None:
    run(backend.put("key", outgoing(b"no gzip", headers={"content-encoding": "gzip"})))
    faults.reset()
    assert run(get(backend, "key")) == b"no gzip"
    (seen,) = [one for one in faults.requests if "alt=media" in one.target]
    assert seen.headers["accept-encoding"] == "gzip"


# --- failures -------------------------------------------------------------------------------


def failing(code: int, reason: str) -> Fault:
    text = f'{{"error": {{"code": {code}, "message": "no", "errors": [{{"reason": "{reason}"}}]}}}}'
    return Fault(status=code, headers=JSON, body=text.encode(), times=3)


@pytest.mark.parametrize(
    ("fault", "error", "requests"),
    [
        (failing(403, "forbidden"), RemoteDenied, 1),
        (failing(401, "required"), RemoteDenied, 1),
        (failing(403, "rateLimitExceeded"), RemoteThrottled, 3),
        (failing(429, "rateLimitExceeded"), RemoteThrottled, 3),
        (failing(400, "invalid"), RemoteRefused, 1),
        (failing(503, "backendError"), RemoteUnavailable, 3),
        (failing(501, "notImplemented"), RemoteUnavailable, 1),
        (Fault(status=200, body=b"<html>", times=3), RemoteBroken, 1),
        (Fault(status=200, body=b'{"name": 7}', times=3), RemoteBroken, 1),
        (Fault(status=200, body=b'{"name": "key", "size": "-1"}', times=3), RemoteBroken, 1),
        (Fault(status=302, headers={"location": "http://192.0.2.1/"}), RemoteRefused, 1),
    ],
)
def test_failures_are_told_by_their_kind(
    backend: GcpBackend,
    faults: FaultProxy,
    run: Run,
    fault: Fault,
    error: type[AisleError],
    requests: int,
) -> None:
    if fault.status in (403, 429, 503):
        fault.headers = {**fault.headers, "retry-after": "0"}
    fault.times = 3
    faults.add(fault)
    with pytest.raises(error) as failure:
        run(backend.head("key"))
    assert str(failure.value).startswith(backend.name)
    assert faults.count("GET", "/o/key") == requests


def test_who_may_not_look_at_a_bucket_may_list_it(
    backend: GcpBackend, faults: FaultProxy, run: Run
) -> None:
    denied = failing(403, "forbidden")
    denied.times = 1
    faults.add(denied)
    assert run(backend.facts()).region == ""
    denied.times = 2
    with pytest.raises(RemoteDenied):
        run(backend.facts())


def test_buckets_need_a_project(provider: GcpProvider, run: Run) -> None:
    with pytest.raises(NotSupported, match="GOOGLE_CLOUD_PROJECT"):
        run(provider.buckets({}))


@pytest.mark.parametrize("host", ["ftp://host", "ho st", "http://hö.st"])
def test_an_emulator_that_is_no_address_is_refused(host: str) -> None:
    with pytest.raises(InvalidArgument, match="STORAGE_EMULATOR_HOST"):
        GcpProvider({"STORAGE_EMULATOR_HOST": host}).open("b", {})


# --- listings -------------------------------------------------------------------------------


def test_no_more_is_asked_for_than_a_page_holds(
    backend: GcpBackend, faults: FaultProxy, run: Run
) -> None:
    assert run(backend.list(limit=50_000)).entries == []
    (seen,) = faults.requests
    assert "maxResults=1000" in seen.target


def test_a_listing_with_many_prefixes_is_in_order(backend: GcpBackend, run: Run) -> None:
    keys = [f"{n % 7}/{n}" if n % 2 else f"{n % 7}-{n}" for n in range(40)]
    run(put_all(backend, keys))
    pages = run(all_pages(backend, delimiter="/", limit=3))
    shown = [
        sorted([*(entry.key for entry in page.entries), *page.prefixes], key=str.encode)
        for page in pages
    ]
    flat = [name for names in shown for name in names]
    expected = {key if "-" in key else key[:2] for key in keys}
    assert flat == sorted(expected, key=str.encode)


def test_an_empty_page_is_not_the_end(backend: GcpBackend, faults: FaultProxy, run: Run) -> None:
    run(put_all(backend, ["a"]))
    faults.add(Fault("GET", "/o?", status=200, headers=JSON, body=b'{"nextPageToken": "a"}'))
    assert [entry.key for entry in run(backend.list()).entries] == ["a"]


def test_a_listing_of_empty_pages_alone_has_an_end(
    backend: GcpBackend, faults: FaultProxy, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("aisle.backend.gcp.backend.EMPTY_PAGES", 5)
    page = b'{"nextPageToken": "a"}'
    faults.add(Fault("GET", "/o?", status=200, headers=JSON, body=page, times=50))
    with pytest.raises(RemoteBroken, match="empty pages"):
        run(backend.list())
    assert faults.count() == 5


names = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=6)


@given(st.lists(names, unique=True), names, st.integers(1, 4), st.data())
def test_pages_together_are_the_listing(
    keys: list[str], delimiter: str, limit: int, data: st.DataObject
) -> None:
    """Against a service that counts names alone, and one that counts prefixes too."""
    counts_prefixes = data.draw(st.booleans())
    ordered = sorted(keys, key=str.encode)
    whole = {_rolled(key, delimiter) for key in ordered}
    shown: list[str] = []
    token, rounds = "", 0
    while True:
        place = Place.of(token, "")
        found = [key for key in ordered if key.encode() >= place.start.encode()]
        if place.kind == "p" and not place.start:
            found = []
        entries, prefixes, more = _served(found, delimiter, limit, counts_prefixes)
        page = assemble([RemoteEntry(key) for key in entries], prefixes, place, limit, more=more)
        both = [entry.key for entry in page.entries] + page.prefixes
        shown += sorted(both, key=str.encode)
        token, rounds = page.token, rounds + 1
        if not token or rounds > 2 * len(keys) + 2:
            break
    assert shown == sorted(whole, key=str.encode)


def _rolled(key: str, delimiter: str) -> str:
    stem, found, _ = key.partition(delimiter)
    return stem + delimiter if found else key


def _served(
    keys: list[str], delimiter: str, limit: int, counts_prefixes: bool
) -> tuple[list[str], list[str], bool]:
    rolled = list(dict.fromkeys(_rolled(key, delimiter) for key in keys))
    asked = limit + 1
    if counts_prefixes:
        taken = rolled[:asked]
        return (
            [name for name in taken if not name.endswith(delimiter)],
            [name for name in taken if name.endswith(delimiter)],
            len(rolled) > asked,
        )
    plain = [name for name in rolled if not name.endswith(delimiter)]
    prefixes = [name for name in rolled if name.endswith(delimiter)]
    return plain[:asked], prefixes, len(plain) > asked


@given(names)
def test_beyond_a_prefix_is_behind_all_that_begin_with_it(prefix: str) -> None:
    following = beyond(prefix)
    if not following:
        assert set(prefix) == {"\U0010ffff"}
        return
    assert following.encode() > (prefix + "\U0010ffff" * 3).encode()
    assert following.encode() > prefix.encode()


# --- objects --------------------------------------------------------------------------------


def test_an_object_without_md5_has_its_generation_for_an_etag() -> None:
    resource = Resource("key", "10", generation="17", crc32c="AAAAAA==", component_count=3)
    entry = entry_of("gcp://b", resource)
    assert entry.etag == "17-3"
    assert entry.version == "17"
    assert entry.checksums == {"crc32c": "00000000"}


def test_times_are_in_nanoseconds() -> None:
    assert nanoseconds("2026-01-02T03:04:05.678Z") == 1767323045678000000
    assert nanoseconds("") == nanoseconds("yesterday") == 0


def test_an_error_may_be_text() -> None:
    said = error_of(b"No such object: b/key")
    assert (said.reason, said.error.message) == ("", "No such object: b/key")
    assert error_of(b'{"error": "invalid_grant"}').reason == ""


def test_many_ask_at_once(backend: GcpBackend, run: Run) -> None:
    run(backend.put("key", outgoing(b"body")))

    async def many() -> list[bytes]:
        return await asyncio.gather(*[get(backend, "key") for _ in range(20)])

    assert run(many()) == [b"body"] * 20
