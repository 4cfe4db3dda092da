"""Connections: kept, dropped, redirected, refused, over TLS, and used by many threads."""

from __future__ import annotations

import os
import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from aisle.client import Client, ClientError, Conflict, Denied, Keys, NotFound, Refused
from aisle.client.environment import surroundings
from tests.client.server import DROP, OK, scripted
from tests.harness import Node, free_port
from tests.servers.certificates import make

BUSY = b"HTTP/1.1 503 Busy\r\nRetry-After: 0\r\nContent-Length: 0\r\n\r\n"
THERE = b"HTTP/1.1 307 There\r\nLocation: ROOT/there?x=1\r\nContent-Length: 0\r\n\r\n"


def test_a_connection_is_kept() -> None:
    with scripted([OK, OK]) as server, Client(server.root) as client:
        client.act("GET", "/a", {})
        client.act("POST", "/b", {"q": "a b/ü"}, "do", {"x": 1})
    assert server.lines == ["GET /a HTTP/1.1", "POST /b?q=a%20b%2F%C3%BC HTTP/1.1"]
    assert server.bodies[1] == b'{"action": "do", "name": "", "value": {"x": 1}}'


def test_a_kept_connection_that_was_dropped_is_made_again() -> None:
    # The first closes after its answer; the second request may find that out only when it is sent.
    with scripted([OK, DROP], [OK]) as server, Client(server.root) as client:
        client.act("GET", "/a", {})
        assert client.act("GET", "/b", {}).body == b"{}"
        assert server.lines == ["GET /a HTTP/1.1", "GET /b HTTP/1.1", "GET /b HTTP/1.1"]


def test_what_may_not_come_twice_is_not_sent_twice() -> None:
    with scripted([OK, DROP], [OK]) as server, Client(server.root) as client:
        client.act("GET", "/a", {})
        with pytest.raises(ClientError, match="broke off the connection"):
            client.act("PUT", "/v1/cluster", {}, "start")
        assert len(server.heads) == 2


@pytest.mark.parametrize("size", [3, None])
def test_a_body_is_sent_again_if_it_can_be(size: int | None) -> None:
    with scripted([OK, DROP], [OK]) as server, Client(server.root) as client:
        client.act("GET", "/a", {})
        client.upload("/o", {}, {}, [b"ab", b"c"], size)
        assert server.bodies == [b"", b"abc", b"abc"]


def test_a_generator_is_sent_only_once() -> None:
    with scripted([OK, DROP], [OK]) as server, Client(server.root) as client:
        client.act("GET", "/a", {})
        with pytest.raises(ClientError):
            client.upload("/o", {}, {}, (piece for piece in (b"a", b"b")), None)


def test_a_pipe_is_sent_only_once(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    os.write(writing, b"abc")
    os.close(writing)
    with scripted([OK, DROP], [OK]) as server, Client(server.root) as client:
        client.act("GET", "/a", {})
        with pytest.raises(ClientError, match="broke off"):
            client.bucket("b").object("o").put(f"/dev/fd/{reading}")
        assert server.bodies == [b"", b"abc"]
    os.close(reading)


@pytest.mark.parametrize("query", [{"append_type": "append"}, {"archpath": "a"}])
def test_an_append_is_sent_only_once(query: dict[str, str]) -> None:
    with scripted([OK, DROP], [OK]) as server, Client(server.root) as client:
        client.act("GET", "/a", {})
        with pytest.raises(ClientError, match="broke off"):
            client.upload("/o", query, {}, [b"abc"], 3)
        assert len(server.heads) == 2


def test_a_fresh_connection_that_is_dropped_is_a_failure() -> None:
    with scripted([DROP], [OK]) as server, Client(server.root) as client:
        with pytest.raises(ClientError, match="broke off"):
            client.act("GET", "/a", {})
        assert len(server.heads) == 1


def test_a_busy_node_is_asked_again() -> None:
    with scripted([BUSY], [BUSY], [OK]) as server, Client(server.root) as client:
        client.act("DELETE", "/a", {}, "destroy-bck")
        assert len(server.heads) == 3


def test_a_node_that_stays_busy_is_left_alone() -> None:
    with scripted(*[[BUSY]] * 9) as server, Client(server.root) as client:
        with pytest.raises(Refused) as told:
            client.act("GET", "/a", {})
        assert told.value.status == 503
        assert len(server.heads) == 4


def test_a_redirect_is_followed_with_method_and_body() -> None:
    with scripted([THERE], [OK]) as server, Client(server.root) as client:
        client.upload("/o", {"q": "1"}, {}, [b"abc"], 3)
    assert server.lines == ["PUT /o?q=1 HTTP/1.1", "PUT /there?x=1 HTTP/1.1"]
    assert server.bodies == [b"abc", b"abc"]


def test_a_redirect_in_a_circle_comes_to_an_end() -> None:
    with scripted(*[[THERE]] * 9) as server, Client(server.root) as client:
        with pytest.raises(Refused, match="307"):
            client.act("GET", "/a", {})
        assert len(server.heads) == 6


def test_what_can_be_sent_only_once_is_not_redirected() -> None:
    with (
        scripted([THERE], [OK]) as server,
        Client(server.root) as client,
        pytest.raises(ClientError, match="only once"),
    ):
        client.upload("/o", {}, {}, (piece for piece in [b"abc"]), 3)


def test_a_token_goes_along() -> None:
    with scripted([OK]) as server, Client(server.root, token="abc") as client:
        client.act("GET", "/a", {})
    assert b"authorization: Bearer abc\r\n" in server.heads[0]


def test_keys_sign() -> None:
    with scripted([OK]) as server, Client(server.root, keys=Keys("id", "secret")) as client:
        client.act("GET", "/a", {})
    assert b"authorization: AWS4-HMAC-SHA256 Credential=id/" in server.heads[0]


@pytest.mark.parametrize(
    ("status", "kind"),
    [(400, Refused), (401, Denied), (403, Denied), (404, NotFound), (409, Conflict)],
)
def test_errors_have_kinds(status: int, kind: type[Refused]) -> None:
    text = b'{"status":0,"message":"it is so","tcode":"ErrX"}'
    answer = b"HTTP/1.1 %d X\r\nContent-Length: %d\r\n\r\n%b" % (status, len(text), text)
    with (
        scripted([answer]) as server,
        Client(server.root) as client,
        pytest.raises(Refused) as told,
    ):
        client.act("GET", "/a", {})
    assert type(told.value) is kind
    assert (told.value.status, told.value.message, told.value.code) == (status, "it is so", "ErrX")


def test_a_silent_node_is_not_waited_for_forever() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:  # connects, and says nothing
        port = silent.getsockname()[1]
        with (
            Client(f"127.0.0.1:{port}", timeout=0.05) as client,
            pytest.raises(ClientError, match=r"did not answer in 0\.05 seconds"),
        ):
            client.act("GET", "/a", {})


@pytest.mark.parametrize("url", ["ftp://x", "http://", "http://x:y", "http://x/v1", "http://x?a"])
def test_an_address_that_is_none(url: str) -> None:
    with pytest.raises(ClientError):
        Client(url)


def test_nobody_there() -> None:
    with pytest.raises(ClientError, match=r"cannot connect to http://127\.0"):
        Client(f"127.0.0.1:{free_port()}").act("GET", "/a", {})


def test_https_with_an_authority_and_without(tmp_path: Path) -> None:
    tls = make(tmp_path)
    served = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    served.load_cert_chain(tls.cert, tls.key)
    with (
        scripted([OK, OK], context=served) as server,
        Client(server.root, ca_file=str(tls.ca)) as client,
    ):
        client.act("GET", "/a", {})
        client.upload("/o", {}, {}, [b"abc"], 3)
    assert server.bodies == [b"", b"abc"]
    with scripted([OK], context=served) as server, Client(server.root, verify=False) as client:
        client.act("GET", "/a", {})
    with (
        scripted([OK], context=served) as server,
        Client(server.root) as client,
        pytest.raises(ClientError, match="AIS_CLIENT_CA"),
    ):
        client.act("GET", "/a", {})
    with pytest.raises(ClientError, match="cannot read certificates"):
        Client("https://localhost:1", ca_file=str(tmp_path / "none")).act("GET", "/a", {})


def test_https_is_not_left_for_http(tmp_path: Path) -> None:
    tls = make(tmp_path)
    served = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    served.load_cert_chain(tls.cert, tls.key)
    away = b"HTTP/1.1 301 X\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n"
    with (
        scripted([away], context=served) as server,
        Client(server.root, verify=False) as client,
        pytest.raises(ClientError, match="safe"),
    ):
        client.act("GET", "/a", {})


def test_the_environment_tells_who_and_where(tmp_path: Path) -> None:
    home = {"XDG_CONFIG_HOME": str(tmp_path)}
    aws = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "s", "AWS_REGION": "r"}
    root = {"AISLE_ROOT_ACCESS_KEY": "b", "AISLE_ROOT_SECRET_KEY": "t"}
    assert surroundings(home).endpoint == "http://localhost:8080"
    assert surroundings(home | aws).keys == Keys("a", "s", "", "r")
    (tmp_path / "ais" / "cli").mkdir(parents=True)
    (tmp_path / "ais" / "cli" / "auth.token").write_text('{"token": "of a file"}')
    told = surroundings(home | aws)
    assert (told.token, told.keys) == ("of a file", None)
    told = surroundings(home | aws | root)
    assert (told.token, told.keys) == ("", Keys("b", "t", "", "r"))
    told = surroundings(home | aws | root | {"AIS_AUTHN_TOKEN": "x"}, "http://other")
    assert (told.token, told.keys, told.endpoint) == ("x", None, "http://other")
    told = surroundings(
        {"AIS_SKIP_VERIFY_CRT": "true", "AIS_CLIENT_CA": "f", "AIS_CRT": "c"} | home
    )
    assert (told.verify, told.ca_file, told.client_cert) == (False, "f", ("c", ""))


def test_threads_share_a_client(own: Node, client: Client) -> None:
    bucket = client.bucket("threads").create()
    errors: list[Exception] = []

    def work(number: int) -> None:
        body = bytes([number]) * (number * 10_000)
        try:
            for turn in range(5):
                item = bucket.object(f"{number}/{turn}")
                item.put(body)
                if item.get() != body:
                    raise AssertionError("somebody else's bytes")
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert sum(1 for _ in bucket.objects()) == 60
    bucket.destroy()


def test_closing_breaks_off_what_other_threads_do(client: Client) -> None:
    bucket = client.bucket("closing").create()
    begun = threading.Event()
    caught: list[Exception] = []

    def pieces() -> Iterator[bytes]:
        while True:
            begun.set()
            yield bytes(1 << 16)

    def put() -> None:
        try:
            bucket.object("endless").put(pieces())
        except Exception as error:
            caught.append(error)

    thread = threading.Thread(target=put)
    thread.start()
    assert begun.wait(20)
    client.close()
    thread.join(20)
    assert not thread.is_alive()
    assert isinstance(caught[0], ClientError)
    assert list(bucket.objects()) == []
    bucket.destroy()
