"""HTTPS: who can speak to a node that serves it, where its certificate comes from, and what the
node says when that is no good."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from tests.harness import Node, children, is_gone
from tests.node.process import attempt, eventually, refuse
from tests.servers.certificates import Certificates, make

SETTINGS = "/v1/cluster/set-config"


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return make(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module")
def secure(tmp_path_factory: pytest.TempPathFactory, certificates: Certificates) -> Iterator[Node]:
    """A node that serves HTTPS."""
    node = Node(tmp_path_factory.mktemp("tls") / "data", auth=False, workers=1, tls=certificates)
    node.start()
    yield node
    assert node.stop() == 0, node.log_tail()


def test_the_banner_and_the_map_say_https(secure: Node) -> None:
    assert secure.root.startswith("https://")
    assert eventually(60, lambda: "s3cmd" in secure.log_tail())
    assert f"  endpoint         {secure.root}   (S3 here" in secure.log_tail()
    assert f"AIS_ENDPOINT={secure.root} ais create ais://demo" in secure.log_tail()
    assert "--no-ssl" not in secure.log_tail()
    smap = json.loads(secure.send("GET", "/v1/daemon?what=smap").body)
    (target,) = smap["tmap"].values()
    for net in ("public_net", "intra_control_net", "intra_data_net"):
        assert target[net]["direct_url"] == secure.root


def test_addresses_in_replies_are_https(secure: Node) -> None:
    client = secure.client()
    client.create_bucket(Bucket="locations")
    named = {"Bucket": "locations", "Key": "a"}
    upload = {**named, "UploadId": client.create_multipart_upload(**named)["UploadId"]}
    part = client.upload_part(**upload, PartNumber=1, Body=b"x")
    done = client.complete_multipart_upload(
        **upload, MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}
    )
    assert done["Location"] == f"{secure.endpoint}/locations/a"


def test_a_client_that_does_not_know_the_authority_refuses(secure: Node) -> None:
    done = curl(secure, check=False)
    assert done.returncode == 60  # the certificate cannot be verified
    assert curl(secure, "--insecure").stdout == "200"
    assert secure.tls is not None
    assert curl(secure, "--cacert", str(secure.tls.ca)).stdout == "200"


@pytest.mark.parametrize(("version", "accepted"), [("1.1", False), ("1.2", True), ("1.3", True)])
def test_tls_begins_at_1_2(secure: Node, version: str, accepted: bool) -> None:
    done = curl(secure, "--insecure", f"--tlsv{version}", "--tls-max", version, check=False)
    assert (done.returncode == 0) == accepted, done.stderr


def test_plain_http_fails_and_the_node_goes_on(secure: Node) -> None:
    for _ in range(3):
        plain = http.client.HTTPConnection("127.0.0.1", secure.port, timeout=10)
        plain.request("GET", "/v1/health")
        with pytest.raises((http.client.HTTPException, ConnectionError)):
            plain.getresponse()
        plain.close()
    assert secure.send("GET", "/v1/health", signed=False).status == 200
    assert "panicked" not in secure.log_tail()
    assert "Traceback" not in secure.log_tail()


def test_an_upload_in_flight_finishes_when_the_node_stops(
    tmp_path: Path, certificates: Certificates
) -> None:
    node = Node(tmp_path / "data", auth=False, workers=1, tls=certificates).start()
    assert node.send("PUT", "/s3/bucket").status == 200
    upload = connect(node)
    upload.putrequest("PUT", "/s3/bucket/key")
    upload.putheader("Content-Length", "2000")
    upload.putheader("Expect", "100-continue")
    upload.endheaders()
    assert upload.sock.recv(1000).startswith(b"HTTP/1.1 100")  # it is being served
    (worker,) = children(node.pid)
    assert eventually(60, lambda: "is ready" in node.log_tail())
    os.kill(node.pid, signal.SIGTERM)
    assert eventually(60, lambda: refuses(node))
    assert not is_gone(worker)
    upload.send(b"x" * 2000)
    assert upload.sock.recv(1000).startswith(b"HTTP/1.1 200")
    upload.close()
    assert node.wait() == 0
    node.start()
    assert node.send("GET", "/s3/bucket/key").body == b"x" * 2000
    assert node.stop() == 0


def test_the_settings_take_effect_at_the_next_start(
    tmp_path: Path, certificates: Certificates
) -> None:
    node = Node(tmp_path / "data", auth=False, workers=2).start()
    shutil.copy(certificates.cert, node.data / "server.crt")
    shutil.copy(certificates.key, node.data / "server.key")
    assert node.send("PUT", f"{SETTINGS}?net.http.use_https=true").status == 200
    assert node.send("GET", "/v1/health").status == 200  # not before
    assert node.stop() == 0
    node.tls = certificates
    node.start()
    assert eventually(60, lambda: f"endpoint         {node.root}   (" in node.log_tail())
    other = {"net.http.server_crt": certificates.cert, "net.http.server_key": certificates.key}
    query = "&".join(f"{name}={value}" for name, value in other.items())
    assert node.send("PUT", f"{SETTINGS}?{query}").status == 200
    node.restart()
    shown = f"  certificate      {certificates.cert}   ("
    assert eventually(60, lambda: shown in node.log_tail())
    assert node.send("PUT", f"{SETTINGS}?net.http.use_https=false").status == 200
    assert node.stop() == 0
    node.tls = None
    assert node.start().stop() == 0


def test_a_setting_that_cannot_be_followed_is_told_and_there_is_a_way_back(tmp_path: Path) -> None:
    node = Node(tmp_path / "data", auth=False, workers=1).start()
    assert node.send("PUT", f"{SETTINGS}?net.http.use_https=true").status == 200
    assert node.stop() == 0
    with pytest.raises(AssertionError, match="did not come up"):
        node.start()
    assert node.log_tail(1) == (
        "aisnode: error: net.http.use_https is set, and the certificate"
        f" {node.data / 'server.crt'} cannot be read: No such file or directory (to serve HTTP and"
        " change the setting, start with --tls off)"
    )
    repair = Node(node.data, auth=False, workers=1, options=("--tls", "off")).start()
    assert repair.send("PUT", f"{SETTINGS}?net.http.use_https=false").status == 200
    assert repair.stop() == 0
    assert node.start().stop() == 0


def spoil(made: Certificates, kind: str) -> None:
    """Make the certificate or the key unusable."""
    match kind:
        case "no certificate":
            made.cert.unlink()
        case "no key":
            made.key.unlink()
        case "a directory":
            made.key.unlink()
            made.key.mkdir()
        case "text for a certificate":
            made.cert.write_text("no certificate\n")
        case "text for a key":
            made.key.write_text("no key\n")
        case "another's key":
            replace_key(made, ec.generate_private_key(ec.SECP256R1()))
        case "a key of another kind":
            replace_key(made, rsa.generate_private_key(65537, 2048))
        case "an encrypted key":
            make(made.cert.parent, password=b"secret words")


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        ("no certificate", "the certificate {cert} cannot be read: No such file or directory"),
        ("no key", "the key {key} cannot be read: No such file or directory"),
        ("a directory", "the key {key} cannot be read: Is a directory"),
        ("text for a certificate", "{cert} holds no certificate in PEM form"),
        ("text for a key", "{cert} and {key} cannot serve: not a key in PEM form"),
        ("another's key", "the key {key} does not belong to the certificate {cert}"),
        ("a key of another kind", "the key {key} does not belong to the certificate {cert}"),
        (
            "an encrypted key",
            "the key {key} is encrypted: keep a decrypted one (openssl pkey -in server.key -out"
            " FILE) where only this user reads it",
        ),
    ],
)
def test_what_cannot_serve_is_told_in_one_line(tmp_path: Path, kind: str, told: str) -> None:
    made = make(tmp_path / "certificates")
    spoil(made, kind)
    line = refuse(tmp_path / "data", "--tls-cert", str(made.cert), "--tls-key", str(made.key))
    assert line == told.format(cert=made.cert, key=made.key)


def test_a_key_that_only_openssl_takes_ends_the_start(tmp_path: Path) -> None:
    made = make(tmp_path / "certificates", curve=ec.SECP521R1())
    files = ("--tls-cert", str(made.cert), "--tls-key", str(made.key))
    code, lines = attempt(tmp_path / "data", *files)
    assert code == 1
    assert lines[-1] == (
        "aisnode: error: the workers ended while starting, see the log (a key has to be RSA,"
        " Ed25519, or ECDSA on P-256 or P-384)"
    )


def test_one_file_of_the_two_and_contradictions_are_refused(
    tmp_path: Path, certificates: Certificates
) -> None:
    cert, key = ("--tls-cert", str(certificates.cert)), ("--tls-key", str(certificates.key))
    data = tmp_path / "data"
    for one in (cert, key):
        assert refuse(data, *one) == (
            "of tls_cert and tls_key only one is given: give both, or none"
        )
    assert refuse(data, *cert, *key, "--tls", "off") == (
        "tls is off, and tls_cert is given: give one or the other"
    )
    assert refuse(data, *cert, *key, "--advertise", "http://gateway:80") == (
        "advertise: the node serves HTTPS, and tells others to come to http://gateway:80"
    )


def replace_key(made: Certificates, key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> None:
    made.key.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )


def curl(node: Node, *options: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    """The status of a request by curl, or its own way to fail."""
    command = ("curl", "-sS", "-o", os.devnull, "-w", "%{http_code}", *options)
    return subprocess.run(
        [*command, f"{node.root}/v1/health"],
        check=check,
        capture_output=True,
        text=True,
        timeout=30,
    )


def connect(node: Node) -> http.client.HTTPSConnection:
    assert node.tls is not None
    context = node.tls.context
    return http.client.HTTPSConnection("127.0.0.1", node.port, timeout=20, context=context)


def refuses(node: Node) -> bool:
    connection = connect(node)
    try:
        connection.connect()
    except ConnectionRefusedError:
        return True
    except OSError:
        return False
    finally:
        connection.close()
    return False
