"""S3 over HTTPS: every client makes a round with a file, trusting the authority or nobody.

Over HTTPS the SDKs leave bodies unsigned (`UNSIGNED-PAYLOAD`, or a trailer with a checksum): both
have to be taken as the signed ones are. Authorisation is on, so that signatures count.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import SSLError

from aisle.node import selfsigned
from aisle.node.options import load
from tests.clients.test_quickstart import blocks, commands
from tests.clients.tools import MIB, Shell, aws_environment, rclone_environment
from tests.conftest import empty_and_remove
from tests.harness import ACCESS_KEY, REGION, SECRET_KEY, Node, presign
from tests.servers.certificates import Certificates, make
from tests.wire.support import object_target


@pytest.fixture(scope="module")
def secure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    """A node with authorisation on that serves HTTPS."""
    certificates = make(tmp_path_factory.mktemp("certificates"))
    running = Node(tmp_path_factory.mktemp("https") / "data", tls=certificates).start()
    yield running
    assert running.stop() == 0, running.log_tail()


@pytest.fixture
def ca(secure: Node) -> Path:
    assert secure.tls is not None
    return secure.tls.ca


@pytest.fixture
def name(secure: Node) -> Iterator[str]:
    """A bucket name that nobody has; what a test leaves under it is removed."""
    chosen = f"https-{uuid.uuid4().hex[:12]}"
    yield chosen
    empty_and_remove(secure.client(), chosen)


def payloads(client: Any) -> list[str]:
    """What the client says of its bodies, filled as it sends."""
    told: list[str] = []

    def note(request: Any, **_: Any) -> None:
        told.append(request.headers["X-Amz-Content-SHA256"].decode())

    client.meta.events.register("before-send.s3", note)
    return told


@pytest.mark.parametrize(
    ("config", "told"),
    [
        ({}, "STREAMING-UNSIGNED-PAYLOAD-TRAILER"),
        (
            {
                "request_checksum_calculation": "when_required",
                "s3": {"payload_signing_enabled": False},
            },
            "UNSIGNED-PAYLOAD",
        ),
        ({"request_checksum_calculation": "when_required"}, "[0-9a-f]{64}"),
    ],
)
def test_boto3_with_bodies_signed_and_unsigned(
    secure: Node, name: str, config: dict[str, Any], told: str
) -> None:
    client = secure.client(**config)
    client.create_bucket(Bucket=name)
    said, data = payloads(client), os.urandom(3 * MIB)
    client.put_object(Bucket=name, Key="a b/ü", Body=data)
    assert len(said) == 1
    assert re.fullmatch(told, said[0])
    assert client.get_object(Bucket=name, Key="a b/ü")["Body"].read() == data
    upload = client.create_multipart_upload(Bucket=name, Key="parts")["UploadId"]
    part = {"Bucket": name, "Key": "parts", "UploadId": upload}
    etag = client.upload_part(**part, PartNumber=1, Body=data)["ETag"]
    assert re.fullmatch(told, said[-1])
    client.complete_multipart_upload(
        **part, MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": etag}]}
    )
    client.copy_object(Bucket=name, Key="copy", CopySource={"Bucket": name, "Key": "parts"})
    assert client.head_object(Bucket=name, Key="copy")["ContentLength"] == len(data)


def test_boto3_refuses_whom_it_does_not_know(secure: Node) -> None:
    client = secure.client()
    client._endpoint.http_session._verify = True  # the usual authorities
    with pytest.raises(SSLError, match="CERTIFICATE_VERIFY_FAILED"):
        client.list_buckets()


def test_an_unsigned_body_does_not_save_a_wrong_signature(secure: Node) -> None:
    reply = secure.send("PUT", "/s3/bucket", payload="UNSIGNED-PAYLOAD", secret_key="no/such/key")
    assert (reply.status, reply.code) == (403, "SignatureDoesNotMatch")


def test_the_aws_command_line(secure: Node, ca: Path, name: str, tmp_path: Path) -> None:
    shell = Shell(tmp_path, aws_environment(secure))
    at = ("aws", "--endpoint-url", secure.endpoint)
    aws = (*at, "--ca-bundle", ca, "s3")
    data = os.urandom(9 * MIB)  # two parts
    shell.file("large.bin", data)
    assert shell.run(*aws, "mb", f"s3://{name}").stdout.strip() == f"make_bucket: {name}"
    shell.run(*aws, "cp", "large.bin", f"s3://{name}/")
    shell.run(*aws, "cp", f"s3://{name}/large.bin", "back.bin")
    assert (shell.home / "back.bin").read_bytes() == data
    assert " large.bin" in shell.run(*at, "--no-verify-ssl", "s3", "ls", f"s3://{name}").stdout
    refused = shell.run(*at, "s3", "ls", check=False)
    assert "SSL validation failed" in refused.stderr


def test_s3cmd(secure: Node, ca: Path, name: str, tmp_path: Path) -> None:
    shell = Shell(tmp_path)
    where = (f"--host={secure.host}/s3", f"--host-bucket={secure.host}/s3/%(bucket)")
    at = ("s3cmd", f"--access_key={ACCESS_KEY}", f"--secret_key={SECRET_KEY}", *where)
    s3cmd = (*at, f"--ca-certs={ca}")
    data = os.urandom(6 * MIB)
    shell.file("large.bin", data)
    shell.run(*s3cmd, "mb", f"s3://{name}")
    shell.run(*s3cmd, "put", "large.bin", f"s3://{name}", "--multipart-chunk-size-mb=5")
    shell.run(*s3cmd, "get", f"s3://{name}/large.bin", "back.bin")
    assert (shell.home / "back.bin").read_bytes() == data
    listed = shell.run(*at, "--no-check-certificate", "ls", f"s3://{name}").stdout
    assert f"s3://{name}/large.bin" in listed
    refused = shell.run(*at, "ls", check=False)
    assert refused.returncode != 0
    assert "certificate verify failed" in refused.stdout + refused.stderr
    assert shell.run(*at, "--no-ssl", "--max-retries=0", "ls", check=False).returncode != 0


def test_rclone(secure: Node, ca: Path, name: str, tmp_path: Path) -> None:
    shell = Shell(tmp_path, rclone_environment(secure))
    shell.file("tree/d/file", b"hello")
    rclone = ("rclone", "--ca-cert", str(ca))
    shell.run(*rclone, "copy", "tree", f"ais:{name}")
    assert shell.run(*rclone, "cat", f"ais:{name}/d/file").stdout == "hello"


def test_curl_signs_and_follows_presigned_urls(
    secure: Node, ca: Path, name: str, tmp_path: Path
) -> None:
    shell = Shell(tmp_path)
    shell.file("file", b"hello" * 10_000)
    secure.client().create_bucket(Bucket=name)
    curl = ("curl", "-sSf", "--cacert", str(ca))
    sign = (
        "--aws-sigv4", f"aws:amz:{REGION}:s3", "--user", f"{ACCESS_KEY}:{SECRET_KEY}",
        "-H", "x-amz-content-sha256: UNSIGNED-PAYLOAD",
    )  # fmt: skip
    shell.run(*curl, *sign, "-T", "file", f"{secure.endpoint}/{name}/signed")
    get = secure.root + presign("GET", object_target(name, "signed"), host=secure.host)
    shell.run(*curl, "-o", "back", get)
    assert (shell.home / "back").read_bytes() == b"hello" * 10_000


def test_the_ais_command_line(secure: Node, ca: Path, name: str, tmp_path: Path) -> None:
    keys = {"AISLE_ROOT_ACCESS_KEY": ACCESS_KEY, "AISLE_ROOT_SECRET_KEY": SECRET_KEY}
    shell = Shell(tmp_path, {"AIS_ENDPOINT": secure.root, **keys})
    shell.file("file", b"hello")
    refused = shell.run("ais", "ls", check=False)
    assert refused.returncode == 1
    assert "certificate" in refused.stderr
    shell.environment["AIS_CLIENT_CA"] = str(ca)
    shell.run("ais", "create", f"ais://{name}")
    shell.run("ais", "put", "file", f"ais://{name}")
    assert shell.run("ais", "get", f"ais://{name}/file", "-").stdout == "hello"
    del shell.environment["AIS_CLIENT_CA"]
    shell.environment["AIS_SKIP_VERIFY_CRT"] = "true"
    assert shell.run("ais", "ls", f"ais://{name}", "-H").stdout.split() == ["file", "5B"]


def test_the_page_runs_as_written(tmp_path: Path) -> None:
    """With the certificate that it has its reader make."""
    (language, making), *others = blocks("docs/https.md")
    assert language == "console"
    shell = Shell(tmp_path)
    shell.run("bash", "-c", "\n".join(["set -eu", *commands(making)]))
    shell.file("README.md", b"# Read me")
    cert = tmp_path / "server.crt"
    tls = Certificates(ca=cert, cert=cert, key=tmp_path / "server.key")
    node = Node(tmp_path / "data", auth=False, workers=1, tls=tls).start()
    script = ["set -eu", "unset REQUESTS_CA_BUNDLE CURL_CA_BUNDLE"]
    for number, (language, text) in enumerate(others):
        if language == "console":
            script += commands(text)
        else:
            shell.file(f"{number}.py", text.replace(":8080", f":{node.port}").encode())
            script.append(f"{sys.executable} {number}.py")
    assert len(script) > 10
    shown = shell.run("bash", "-c", "\n".join(script).replace(":8080", f":{node.port}")).stdout
    assert shown.endswith("['README.md']\nb'hello'\n")
    assert node.stop() == 0


def test_the_seeds_notes_on_https(tmp_path: Path) -> None:
    """The setting, the restart it needs, and s3cmd with and without its options, as written."""
    certificates = make(tmp_path / "certificates")
    node = Node(tmp_path / "data", auth=False, workers=1).start()
    shell = Shell(tmp_path, {"AIS_ENDPOINT": node.root})
    shell.file("README.md", b"# Read me")
    at = (f"--host={node.host}/s3", f"--host-bucket={node.host}/s3/%(bucket)")
    keys = ("--access_key=FAKEKEY", "--secret_key=FAKESECRET")
    # HTTPS is s3cmd's default: against HTTP every command must have --no-ssl.
    assert shell.run("s3cmd", *keys, *at, "--max-retries=0", "ls", check=False).returncode != 0
    shell.run("s3cmd", *keys, *at, "mb", "s3://mmm", "--no-ssl")
    told = shell.run("ais", "config", "cluster", "net.http.use_https").stdout.split()
    assert told == ["PROPERTY", "VALUE", "net.http.use_https", "false"]
    shutil.copy(certificates.cert, node.data / "server.crt")
    shutil.copy(certificates.key, node.data / "server.key")
    shell.run("ais", "config", "cluster", "net.http.use_https=true")
    shell.run("s3cmd", *keys, *at, "ls", "--no-ssl")  # until it is restarted
    assert node.stop() == 0
    node.tls = certificates
    node.start()
    s3cmd = ("s3cmd", *keys, *at, "--no-check-certificate")
    shell.run(*s3cmd, "put", "README.md", "s3://mmm/saved-readme.md")
    assert "s3://mmm/saved-readme.md" in shell.run(*s3cmd, "ls", "s3://mmm").stdout
    # The same by its file, as `s3cmd --configure` saves it.
    lines = ("[default]", "access_key = FAKEKEY", "secret_key = FAKESECRET",
             f"host_base = {node.host}/s3", f"host_bucket = {node.host}/s3/%(bucket)",
             "use_https = True", f"ca_certs_file = {certificates.ca}")  # fmt: skip
    shell.file("saved.cfg", "\n".join(lines).encode())
    shell.run("s3cmd", "-c", "saved.cfg", "get", "s3://mmm/saved-readme.md", "copied-readme.md")
    assert (shell.home / "copied-readme.md").read_bytes() == b"# Read me"
    shell.environment |= {"AIS_ENDPOINT": node.root, "AIS_SKIP_VERIFY_CRT": "true"}
    assert "net.http.use_https" in shell.run("ais", "config", "cluster", "net.http").stdout
    assert node.stop() == 0


def test_a_certificate_that_the_node_has_made_is_used_as_its_banner_says(tmp_path: Path) -> None:
    node = Node(tmp_path / "data", auth=False, workers=1, options=("--tls-self-signed",))
    file = node.data / "tls" / "self.crt"
    # Made before, so that this node's own clients have what to trust.
    node.data.mkdir(mode=0o700)
    selfsigned.keep(load(["--data", str(node.data)], {}))
    node.tls = Certificates(ca=file, cert=file, key=file.with_suffix(".key"))
    node.start()
    shell = Shell(tmp_path, {"AWS_ACCESS_KEY_ID": "any", "AWS_SECRET_ACCESS_KEY": "any"})
    shell.file("README.md", b"# Read me")
    deadline = time.monotonic() + 60
    while "Trusting anybody" not in node.log_tail():
        assert time.monotonic() < deadline
        time.sleep(0.02)
    banner = node.log_tail()
    tried = [line.strip() for line in banner.splitlines() if str(file) in line]
    assert len(tried) == 5  # where it is, ais, aws, s3cmd, curl
    for line in tried[1:]:
        shell.run("bash", "-c", line)
    assert shell.run(
        "aws", "--no-verify-ssl", "--endpoint-url", node.root, "s3", "ls", "s3://demo"
    ).stdout.endswith("README.md\n")
    assert node.stop() == 0
