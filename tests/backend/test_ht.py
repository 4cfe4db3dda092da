"""HTTP servers as remote buckets, on nginx: what servers lack, and where redirects may lead."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from aisle.backend.ht import HttpProvider
from aisle.backend.ht.backend import HttpBackend
from aisle.backend.ht.replies import target
from aisle.core.errors import (
    InvalidArgument,
    NotSupported,
    RemoteBroken,
    RemoteDenied,
    RemoteObjectNotFound,
    RemoteRefused,
    RemoteUnavailable,
)
from aisle.core.features import BY_NAME
from aisle.core.origins import ORIGINAL_URL
from aisle.core.ranges import Span
from aisle.outgoing.persist import Limits
from tests.backend.test_contract import get, outgoing, some_bytes
from tests.servers.faults import Fault, FaultProxy
from tests.servers.nginx import Nginx
from tests.store.conftest import Run

PRIVATE = BY_NAME["Dload-Allow-Private-Egress"].mask
DATA = some_bytes(300_000)


@pytest.fixture(scope="module")
def nginx(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nginx]:
    server = Nginx(tmp_path_factory.mktemp("nginx")).start()
    (server.files / "key").write_bytes(DATA)
    (server.files / "text.txt").write_bytes(b"some text, which would be compressed")
    (server.files / "empty").write_bytes(b"")
    yield server
    server.stop()


@pytest.fixture(scope="module")
def provider(run: Run) -> Iterator[HttpProvider]:
    made = HttpProvider({}, Limits(backoff=0.001, attempts=3, budget=10**9))
    yield made
    run(made.close())


@pytest.fixture
def at(nginx: Nginx, provider: HttpProvider) -> Callable[..., HttpBackend]:
    """A function that opens a bucket at a location of nginx."""

    def opened(location: str, root: str = nginx.root, **settings: Any) -> HttpBackend:
        return provider.open("b", {ORIGINAL_URL: f"{root}/{location}", **settings})

    return opened


At = Callable[..., HttpBackend]


def test_what_a_server_tells_of_a_file_is_kept(at: At, run: Run) -> None:
    about = run(at("files").head("text.txt"))
    assert about.etag
    assert about.mtime
    assert about.headers["content-type"] == "text/plain"
    assert run(at("files/").head("text.txt")) == about


def test_a_server_without_etags_is_read(at: At, run: Run) -> None:
    about = run(at("no-etag").head("key"))
    assert about.etag == ""
    assert about.mtime
    assert run(get(at("no-etag"), "key")) == DATA
    assert run(get(at("no-etag"), "key", span=Span(1000, 10))) == DATA[1000:1010]


def test_a_server_without_ranges_is_read_from_its_beginning(at: At, run: Run) -> None:
    backend = at("no-range")
    assert backend.ranges_by_etag
    assert run(get(backend, "key", span=Span(200_000, 50_000))) == DATA[200_000:250_000]
    assert not backend.ranges_by_etag  # so that nobody reads it in parts
    assert run(get(backend, "key")) == DATA


def test_a_server_without_head_is_asked_for_the_first_byte(at: At, run: Run) -> None:
    assert run(at("no-head").head("key")) == run(at("files").head("key"))
    assert run(at("no-head").head("empty")).size == 0
    with pytest.raises(RemoteObjectNotFound):
        run(at("no-head").head("absent"))


def test_a_file_whose_size_nobody_tells_is_refused(at: At, run: Run) -> None:
    for looking in (at("no-size").head("key"), at("no-size").get("key")):
        with pytest.raises(RemoteRefused, match="how long the file is") as refused:
            run(looking)
        assert refused.value.status == 411


def test_nothing_is_decompressed(at: At, run: Run) -> None:
    assert run(get(at("gzip"), "text.txt")) == b"some text, which would be compressed"
    about = run(at("stored").head("text.txt"))
    assert about.headers["content-encoding"] == "gzip"
    assert run(get(at("stored"), "text.txt")) == b"some text, which would be compressed"


@pytest.mark.parametrize("location", ["near", "away"])
def test_a_redirect_on_the_same_server_is_followed(at: At, run: Run, location: str) -> None:
    assert run(at(location).head("key")) == run(at("files").head("key"))
    assert run(get(at(location), "key", span=Span(5, 5))) == DATA[5:10]


@pytest.mark.parametrize("location", ["private", "metadata", "named"])
def test_a_redirect_to_a_private_address_is_not_followed(at: At, run: Run, location: str) -> None:
    with pytest.raises(RemoteDenied, match="not a public one"):
        run(at(location).head("key"))
    with pytest.raises(RemoteDenied, match="not a public one"):
        run(at(location).get("key"))
    with pytest.raises(RemoteDenied, match="not a public one"):
        run(at(location).facts())


def test_a_redirect_to_a_private_address_is_followed_with_the_feature(at: At, run: Run) -> None:
    assert run(get(at("named", features=PRIVATE), "key")) == DATA


@pytest.mark.parametrize(
    ("location", "message"),
    [("loop", "too often"), ("file", "nobody follows"), ("secret", "nobody follows")],
)
def test_other_redirects_are_refused(at: At, run: Run, location: str, message: str) -> None:
    with pytest.raises(RemoteRefused, match=message) as refused:
        run(at(location).get("key"))
    assert "word" not in str(refused.value)


@pytest.mark.parametrize("address", ["169.254.169.254", "[fe80::1]", "[::ffff:169.254.169.254]"])
def test_a_link_local_origin_is_not_asked(provider: HttpProvider, run: Run, address: str) -> None:
    backend = provider.open("b", {ORIGINAL_URL: f"http://{address}/latest/"})
    with pytest.raises(RemoteDenied, match="not a public one"):
        run(backend.get("meta-data"))


def test_a_server_is_looked_up(at: At, run: Run, nginx: Nginx, provider: HttpProvider) -> None:
    for location in ("files", "denied", "absent"):
        assert run(at(location).facts()).extra["original_url"] == f"{nginx.root}/{location}/"


def test_a_server_that_denies_is_told(at: At, run: Run) -> None:
    for looking in (at("denied").head("key"), at("denied").get("key")):
        with pytest.raises(RemoteDenied, match="403"):
            run(looking)


def test_nothing_is_written_or_listed(at: At, run: Run, provider: HttpProvider) -> None:
    backend = at("files")
    assert not backend.lists
    assert not backend.writes
    for doing in (
        backend.put("key", outgoing(b"body")),
        backend.delete("key"),
        backend.list(),
        backend.head("key", version="1"),
        backend.get("key", version="1"),
        provider.buckets({}),
    ):
        with pytest.raises(NotSupported):
            run(doing)
    assert run(get(backend, "key")) == DATA


def test_a_name_that_leads_out_of_the_directory_is_refused(at: At, run: Run, nginx: Nginx) -> None:
    seen = len(nginx.requests())
    for key in ("../nginx.conf", "a/../../x", "./key", "a/."):
        with pytest.raises(InvalidArgument):
            run(at("files").get(key))
    assert len(nginx.requests()) == seen


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {ORIGINAL_URL: ""},
        {ORIGINAL_URL: "ftp://host/"},
        {ORIGINAL_URL: "http://user:hush@host/"},
        {ORIGINAL_URL: "http://host/?token=hush"},
        {ORIGINAL_URL: "files/"},
    ],
)
def test_an_address_that_is_none_is_refused(provider: HttpProvider, settings: Any) -> None:
    with pytest.raises(InvalidArgument) as refused:
        provider.open("b", settings)
    assert "user" not in str(refused.value).replace("with a user", "")


def test_a_body_that_ends_early_or_late_is_told(nginx: Nginx, at: At, run: Run) -> None:
    with FaultProxy(nginx.port) as faults:
        root = f"http://127.0.0.1:{faults.port}"
        for fault in (Fault(cut=1000), Fault(longer=10)):
            faults.add(fault)
            with pytest.raises((RemoteBroken, RemoteUnavailable)):
                run(get(at("files", root), "key"))
        assert run(get(at("files", root), "key")) == DATA


def test_a_busy_server_is_asked_again(nginx: Nginx, at: At, run: Run) -> None:
    with FaultProxy(nginx.port) as faults:
        root = f"http://127.0.0.1:{faults.port}"
        faults.add(Fault(status=503, times=2))
        assert run(get(at("files", root), "key")) == DATA
        faults.add(Fault(status=429, headers={"retry-after": "0"}))
        assert run(at("files", root).head("key")).size == len(DATA)
        faults.add(Fault(status=501))
        with pytest.raises(RemoteUnavailable):
            run(get(at("files", root), "key"))
        faults.add(Fault(status=418))
        with pytest.raises(RemoteRefused, match="418"):
            run(get(at("files", root), "key"))


def test_a_range_that_is_another_one_is_told(nginx: Nginx, at: At, run: Run) -> None:
    with FaultProxy(nginx.port) as faults:
        root = f"http://127.0.0.1:{faults.port}"
        for told in (f"bytes 7-9/{len(DATA)}", "bytes x", f"lines 6-8/{len(DATA)}", ""):
            faults.add(Fault(status=206, headers={"content-range": told}, body=b"abc"))
            with pytest.raises((RemoteBroken, RemoteRefused)):
                run(get(at("files", root), "key", span=Span(6, 3)))


PLAIN, SECURE = "http://host/a/b", "https://host/a/b"


@pytest.mark.parametrize(
    ("url", "location", "expected"),
    [
        (PLAIN, "/c", "http://host/c"),
        (PLAIN, "c d", "http://host/a/c%20d"),
        (PLAIN, "c?x=1#y", "http://host/a/c?x=1"),
        (PLAIN, "https://other:8443/c", "https://other:8443/c"),
        (PLAIN, "//other/c", "http://other/c"),
        (SECURE, "http://host/a/b", ""),
        (SECURE, "/c", "https://host/c"),
        (PLAIN, "ftp://host/c", ""),
        (PLAIN, "file:///etc/passwd", ""),
        (PLAIN, "http://user@host/c", ""),
        (PLAIN, "http://host:port/c", ""),
        (PLAIN, "http:///c", "http://host/c"),
        (PLAIN, "http://[::1/c", ""),
        (PLAIN, "/c\r\nx: y", ""),
        (PLAIN, "", ""),
    ],
)
def test_redirects_lead_to_http_alone(url: str, location: str, expected: str) -> None:
    assert target(url, location) == expected


def test_requests_have_no_credentials(nginx: Nginx, at: At, run: Run) -> None:
    with FaultProxy(nginx.port) as faults:
        run(get(at("files", f"http://127.0.0.1:{faults.port}"), "key"))
        (seen,) = faults.requests
    names = {name.lower() for name in seen.headers}
    assert not names & {"authorization", "cookie", "proxy-authorization"}
    assert seen.headers["accept-encoding"] == "identity"


def test_files_are_served_from_below_the_directory_alone(
    nginx: Nginx, at: At, run: Run, tmp_path: Path
) -> None:
    below = nginx.files / "below"
    below.mkdir(exist_ok=True)
    (below / "a b%20c").write_bytes(b"odd")
    assert run(get(at("files/below"), "a b%20c")) == b"odd"
    with pytest.raises(RemoteObjectNotFound):
        run(get(at("files/below"), "key"))
