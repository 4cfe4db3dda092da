"""Certificates in use: read anew while the node serves, asked of clients, and made by the node."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import signal
import socket
import ssl
import stat
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes

from aisle.core.errors import ConfigError
from aisle.node import selfsigned, tls
from aisle.node.certificate import describe
from aisle.node.options import NodeOptions, load
from tests.harness import Node, children
from tests.node.process import eventually, refuse
from tests.servers.certificates import Certificates, make

SETTINGS = "/v1/cluster/set-config"


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """Of another authority than any node here."""
    return make(tmp_path_factory.mktemp("other"))


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    """A node that serves HTTPS; tests change its files."""
    directory = tmp_path_factory.mktemp("renewal")
    running = Node(directory / "data", auth=False, workers=2, tls=make(directory / "tls")).start()
    yield running
    assert running.stop() == 0, running.log_tail()


def shown(node: Node) -> str:
    """The fingerprint of the certificate that a new connection is shown, `""` if it fell to a
    worker that stopped accepting before it got to it."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with socket.create_connection(("127.0.0.1", node.port), timeout=20) as plain:
        try:
            secure = context.wrap_socket(plain)
        except (ssl.SSLEOFError, ConnectionResetError):
            return ""
        with secure:
            data = secure.getpeercert(binary_form=True)
        cert = x509.load_der_x509_certificate(data or b"")
        return cert.fingerprint(hashes.SHA256()).hex(":").upper()


def of(made: Certificates) -> str:
    cert = x509.load_pem_x509_certificate(made.cert.read_bytes())
    return cert.fingerprint(hashes.SHA256()).hex(":").upper()


def install(made: Certificates, node: Node) -> None:
    """Copy a certificate over that of a node, as an administrator or a renewing program does."""
    assert node.tls is not None
    for source, target in ((made.ca, node.tls.ca), (made.cert, node.tls.cert)):
        shutil.copy(source, target)
    shutil.copy(made.key, node.tls.key)


def test_a_new_certificate_in_the_files_comes_into_service_by_itself(
    node: Node, tmp_path: Path
) -> None:
    assert node.tls is not None
    before = children(node.pid)
    assert node.send("PUT", "/s3/renewal").status == 200
    upload = http.client.HTTPSConnection("127.0.0.1", node.port, context=node.tls.context)
    upload.putrequest("PUT", "/s3/renewal/slow")
    upload.putheader("Content-Length", "2000")
    upload.putheader("Expect", "100-continue")
    upload.endheaders()
    assert upload.sock.recv(1000).startswith(b"HTTP/1.1 100")  # it is being served
    refused: list[str] = []
    served = threading.Event()

    def knock() -> None:
        """Whether the port is ever closed: what it says is another matter."""
        while not served.is_set():
            try:
                socket.create_connection(("127.0.0.1", node.port), timeout=20).close()
            except OSError as error:
                refused.append(str(error))

    knocking = threading.Thread(target=knock)
    knocking.start()
    try:
        install(make(tmp_path / "fresh"), node)
        fresh = of(node.tls)
        assert eventually(60, lambda: {shown(node) for _ in range(6)} == {fresh})
        assert node.send("GET", "/v1/health").status == 200  # trusting the new authority
        # One of the two old ones stays for the sake of the upload.
        assert eventually(60, lambda: len(children(node.pid)) == 3)
        assert len(set(children(node.pid)) & set(before)) == 1
        upload.send(b"x" * 2000)
        assert upload.sock.recv(1000).startswith(b"HTTP/1.1 200")
        upload.close()
        assert eventually(60, lambda: not set(children(node.pid)) & set(before))
    finally:
        served.set()
        knocking.join()
    assert refused == []
    assert node.send("GET", "/s3/renewal/slow").body == b"x" * 2000
    assert len(children(node.pid)) == 2
    assert "has been read anew" in node.log_tail()


def test_files_that_cannot_serve_change_nothing(node: Node, other: Certificates) -> None:
    assert node.tls is not None
    kept = {path: path.read_bytes() for path in (node.tls.cert, node.tls.key)}
    serving, workers = shown(node), children(node.pid)
    shutil.copy(other.key, node.tls.key)  # of another certificate
    told = (
        f"the certificate stays as it was: the key {node.tls.key} does not belong to the"
        f" certificate {node.tls.cert}"
    )
    assert eventually(60, lambda: told in node.log_tail())
    assert (shown(node), children(node.pid)) == (serving, workers)
    reply = node.send("PUT", "/v1/cluster/load-x509")
    assert reply.status == 400
    assert "does not belong to the certificate" in json.loads(reply.body)["message"]
    # A worker that dies now comes back with the certificate that serves, not with what lies there.
    os.kill(workers[0], signal.SIGKILL)
    assert eventually(60, lambda: len(set(children(node.pid)) - set(workers)) == 1)
    assert eventually(60, lambda: node.send("GET", "/v1/health").status == 200)
    assert {shown(node) for _ in range(6)} == {serving}
    for path, data in kept.items():
        path.write_bytes(data)


@pytest.mark.parametrize("how", ["signal", "order"])
def test_the_certificate_is_read_anew_when_that_is_asked_for(node: Node, how: str) -> None:
    workers = set(children(node.pid))
    if how == "signal":
        os.kill(node.pid, signal.SIGUSR1)
    else:
        assert node.send("PUT", "/v1/cluster/load-x509").status == 200
    assert eventually(
        20, lambda: len(children(node.pid)) == 2 and not set(children(node.pid)) & workers
    )
    assert node.send("GET", "/v1/health").status == 200


def test_a_node_tells_of_its_certificate(node: Node) -> None:
    assert node.tls is not None
    told = json.loads(node.send("GET", "/v1/daemon?what=certificate").body)
    assert told["fingerprint (SHA-256)"] == shown(node)
    assert told["issued by (CN)"] == "authority of a test"
    assert told["subject"] == "CN=localhost"
    assert told["names"] == "localhost, *.localhost, 127.0.0.1, ::1"
    assert told["public key algorithm"] == "ECDSA secp256r1"
    assert told["signature algorithm"] == "SHA256"
    assert told["valid"].startswith("from 20")


def test_a_node_without_a_certificate_says_so(tmp_path: Path) -> None:
    plain = Node(tmp_path / "data", auth=False, workers=1).start()
    for method, target in (
        ("GET", "/v1/daemon?what=certificate"),
        ("PUT", "/v1/cluster/load-x509"),
        ("PUT", "/v1/daemon/load-x509"),
    ):
        reply = plain.send(method, target)
        assert reply.status == 501
        assert "this node serves HTTP" in json.loads(reply.body)["message"]
    os.kill(plain.pid, signal.SIGUSR1)
    assert eventually(60, lambda: "no certificate to be read anew" in plain.log_tail())
    assert plain.stop() == 0


# --- certificates of clients ----------------------------------------------------------------


def health(node: Node, client: Certificates | None, ca: Path) -> int:
    """The status that a client with this certificate gets, -1 if it is not let in."""
    context = ssl.create_default_context(cafile=str(ca))
    if client is not None:
        context.load_cert_chain(client.cert, client.key)
    connection = http.client.HTTPSConnection("127.0.0.1", node.port, timeout=20, context=context)
    try:
        connection.request("GET", "/v1/health")
        return connection.getresponse().status
    except (ssl.SSLError, ConnectionError, http.client.BadStatusLine):
        return -1
    finally:
        connection.close()


class Guarded(Node):
    """A node that only clients with a certificate of `known` can ask."""

    def __init__(self, data: Path, tls: Certificates, known: Certificates, *options: str) -> None:
        super().__init__(data, auth=False, workers=1, tls=tls, options=options)
        self._known = known

    @property
    def root(self) -> str:
        return f"https://{self.host}"

    def send(self, method: str, target: str, **given: object) -> object:  # type: ignore[override]
        assert self.tls is not None
        context = self.tls.context
        context.load_cert_chain(self._known.cert, self._known.key)
        connection = http.client.HTTPSConnection("127.0.0.1", self.port, timeout=5, context=context)
        try:
            connection.request(method, target)
            return connection.getresponse()
        finally:
            connection.close()


@pytest.mark.parametrize(("how", "nobody"), [("required", -1), ("optional", 200)])
def test_clients_show_a_certificate_of_the_authority(
    tmp_path: Path, other: Certificates, how: str, nobody: int
) -> None:
    server = make(tmp_path / "server")
    known = make(tmp_path / "client", client=True)
    options = ("--tls-client-ca", str(known.ca), "--tls-client-auth", how)
    node = Guarded(tmp_path / "data", server, known, *options, "--tls-min", "1.3").start()
    assert health(node, known, server.ca) == 200
    old = server.context
    old.maximum_version = ssl.TLSVersion.TLSv1_2
    with (
        socket.create_connection(("127.0.0.1", node.port), timeout=20) as plain,
        pytest.raises(ssl.SSLError, match="PROTOCOL_VERSION"),
    ):
        old.wrap_socket(plain, server_hostname="localhost")
    assert health(node, None, server.ca) == nobody
    assert health(node, make(tmp_path / "stranger", client=True), server.ca) == -1
    assert node.stop() == 0


def test_the_settings_ask_for_certificates_of_clients(node: Node) -> None:
    assert node.tls is not None
    files = ["--tls-cert", str(node.tls.cert), "--tls-key", str(node.tls.key)]
    told = load(["--data", str(node.data), *files], {})

    def settled(**values: object) -> NodeOptions:
        query = "&".join(f"net.http.{name}={value}" for name, value in values.items())
        assert node.send("PUT", f"{SETTINGS}?{query}").status == 200
        return tls.settle(told)

    found = settled(client_ca_tls=node.tls.ca, client_auth_tls=4)
    assert (found.tls_client_ca, found.tls_client_auth) == (node.tls.ca, "required")
    found = settled(client_ca_tls="clients.crt", client_auth_tls=3)
    assert (found.tls_client_ca, found.tls_client_auth) == (node.data / "clients.crt", "optional")
    for number, name in ((1, "RequestClientCert"), (2, "RequireAnyClientCert")):
        with pytest.raises(ConfigError) as refused:
            settled(client_auth_tls=number)
        assert str(refused.value) == (
            f"net.http.client_auth_tls is {number} ({name}): certificates that nobody verifies are"
            " not offered, only 0 (none), 3 (verified if given) and 4 (required and verified) (to"
            " serve HTTP and change the setting, start with --tls off)"
        )
    with pytest.raises(ConfigError, match=r"4, and net\.http\.client_ca_tls names no authority"):
        settled(client_ca_tls="", client_auth_tls=4)
    assert settled(client_auth_tls=0).tls_client_ca is None
    alone = load(["--data", str(node.data), "--tls-client-ca", str(node.tls.ca)], {})
    with pytest.raises(ConfigError, match="tls_client_ca is given, and the node has no certif"):
        tls.settle(alone)


def test_what_is_asked_of_clients_must_be_possible(tmp_path: Path, other: Certificates) -> None:
    files = ("--tls-cert", str(other.cert), "--tls-key", str(other.key))
    nothing = tmp_path / "nothing"
    assert refuse(tmp_path / "data", *files, "--tls-client-ca", str(nothing)) == (
        f"the authority of clients {nothing} cannot be read: No such file or directory"
    )
    nothing.write_text("words")
    assert refuse(tmp_path / "data", *files, "--tls-client-ca", str(nothing)) == (
        f"{nothing} holds no certificate in PEM form"
    )
    assert refuse(tmp_path / "data", "--tls-client-ca", str(other.ca), "--tls", "off") == (
        "tls is off, and tls_client_ca is given: give one or the other"
    )
    assert refuse(tmp_path / "data", *files, "--tls-self-signed") == (
        "tls_self_signed and tls_cert: there is one certificate or the other"
    )


# --- certificates that the node makes -------------------------------------------------------


def test_a_certificate_to_try_out_is_made_once_and_told(tmp_path: Path) -> None:
    place = tmp_path / "data" / "tls"
    files = Certificates(place / "self.crt", place / "self.crt", place / "self.key")
    node = Node(tmp_path / "data", auth=False, workers=1, options=("--tls-self-signed",))
    node.tls = Lazy(files)  # type: ignore[assignment]
    node.start()
    assert stat.S_IMODE((place / "self.key").stat().st_mode) == 0o600
    made = files.cert.read_bytes()
    assert eventually(60, lambda: "Trusting anybody" in node.log_tail())
    for line in (
        f"  certificate      {files.cert}   (signed by itself)",
        f"  SHA-256          {of(files)}",
        f"  AIS_ENDPOINT={node.root} AIS_CLIENT_CA={files.cert} ais create ais://demo",
        f"  aws --ca-bundle {files.cert} --endpoint-url {node.root} s3 cp README.md s3://demo/",
        f"  s3cmd --ca-certs={files.cert} --host=",
        f"  curl --cacert {files.cert} {node.root}/v1/health",
    ):
        assert line in node.log_tail(), node.log_tail()
    names = json.loads(node.send("GET", "/v1/daemon?what=certificate").body)["names"].split(", ")
    assert {"localhost", "127.0.0.1", "::1", socket.gethostname().lower()} <= set(names)
    assert node.stop() == 0
    assert selfsigned.keep(load(["--data", str(node.data)], {})).cert.read_bytes() == made
    # Another name to be reached by: another certificate.
    named = ["--data", str(node.data), "--advertise", "https://gateway.test:8080"]
    again = selfsigned.keep(load(named, {})).cert.read_bytes()
    assert again != made
    assert "gateway.test" in describe(again)["names"]


@pytest.mark.parametrize("harm", ["no key", "another key", "no certificate", "words"])
def test_a_certificate_that_does_not_serve_any_more_is_made_anew(tmp_path: Path, harm: str) -> None:
    options = load(["--data", str(tmp_path)], {})
    made = selfsigned.keep(options)
    before = made.cert.read_bytes()
    match harm:
        case "no key":
            made.key.unlink()
        case "another key":
            shutil.copy(make(tmp_path / "other").key, made.key)
        case "no certificate":
            made.cert.unlink()
        case "words":
            made.cert.write_text("words")
    assert selfsigned.keep(options).cert.read_bytes() != before
    tls.check(replace(options, tls_cert=made.cert, tls_key=made.key))
    assert sorted(path.name for path in made.cert.parent.iterdir()) == ["self.crt", "self.key"]


def test_where_no_certificate_can_be_kept_the_node_does_not_start(tmp_path: Path) -> None:
    (tmp_path / "tls").write_text("in the way")
    with pytest.raises(ConfigError, match=r"tls_self_signed: .*/tls.* cannot be kept: "):
        selfsigned.keep(load(["--data", str(tmp_path)], {}))


class Lazy:
    """Certificates that are there once the node has made them."""

    def __init__(self, made: Certificates) -> None:
        self._made = made

    @property
    def ca(self) -> Path:
        return self._made.ca

    @property
    def context(self) -> ssl.SSLContext:
        if not self._made.ca.exists():
            raise ConnectionRefusedError("not yet")
        return self._made.context
