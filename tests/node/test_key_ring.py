"""A node with a key ring in a file: it is made, kept secret, rotated; what is on disk is sealed,
and is read again after a crash."""

from __future__ import annotations

import base64
import json
import os
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.harness import BIN, Node, children
from tests.node.process import eventually
from tests.servers import certificates
from tests.wire.sealed import KEY, b64, customer, headers

MARK = b"the quick brown fox jumps over the lazy dog "
BIG = MARK * 40_000


def aisnode(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [str(BIN / "aisnode"), *arguments]
    environment = {k: v for k, v in os.environ.items() if not k.startswith("AISLE_")}
    return subprocess.run(command, capture_output=True, text=True, timeout=30, env=environment)


def new_key(file: Path, *name: str) -> str:
    done = aisnode("new-key", str(file), *name)
    assert done.returncode == 0, done.stderr
    return done.stdout


def secrets_of(file: Path) -> list[str]:
    return [line.partition(":")[2] for line in file.read_text().splitlines() if ":" in line]


def on_disk(directory: Path) -> bytes:
    return b"".join(path.read_bytes() for path in directory.rglob("*") if path.is_file())


def ais(node: Node, *arguments: str) -> str:
    done = subprocess.run(
        [str(BIN / "ais"), *arguments],
        env=os.environ | {"AIS_ENDPOINT": node.root},
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    )
    return done.stdout


def test_a_key_is_made_for_its_owner_alone_and_never_shown(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    assert new_key(file) == f"added aisle/1 to {file}\n"
    assert file.stat().st_mode & 0o777 == 0o600
    file.chmod(0o644)
    assert new_key(file, "reports") == f"added reports/1 to {file}\n"
    assert new_key(file) == f"added aisle/2 to {file}\n"
    assert file.stat().st_mode & 0o777 == 0o600
    names = [line.partition(":")[0] for line in file.read_text().splitlines()]
    assert names == ["aisle/1", "reports/1", "aisle/2"]
    assert len({*secrets_of(file)}) == 3
    assert all(len(base64.b64decode(text)) == 32 for text in secrets_of(file))
    assert [path.name for path in tmp_path.iterdir()] == ["keys"]


def test_what_is_no_ring_is_neither_added_to_nor_started_with(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    file.write_text("aisle/1:c2VjcmV0\n")
    for done in (
        aisnode("new-key", str(file)),
        aisnode("--key-ring-file", str(file), "--data", str(tmp_path / "data")),
    ):
        assert done.returncode == 1
        assert "entry 1" in done.stderr
        assert "c2VjcmV0" not in done.stderr + done.stdout
    assert file.read_text() == "aisle/1:c2VjcmV0\n"
    absent = aisnode("--key-ring-file", str(tmp_path / "none"), "--data", str(tmp_path / "data"))
    assert absent.returncode == 1
    assert "No such file" in absent.stderr
    bad = aisnode("new-key", str(tmp_path / "keys2"), "a/b")
    assert bad.returncode == 1
    assert not (tmp_path / "keys2").exists()


def fresh(*identities: str) -> list[str]:
    """Lines of new keys."""
    return [f"{identity}:{b64(os.urandom(32))}" for identity in identities]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "keys"
    path.write_text("\n".join(fresh("aisle/1", "reports/1")))
    return path


def started(tmp_path: Path, file: Path, *options: str) -> Node:
    given = ["--key-ring-file", str(file), *options]
    return Node(tmp_path / "data", workers=1, auth=False, options=given).start()


def write_all(s3: Any) -> dict[str, tuple[bytes, dict[str, Any]]]:
    """Objects of every kind; their bytes, and what reading them takes."""
    s3.create_bucket(Bucket="vault")
    kinds: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
        "default": ({}, {}),
        "kms": ({"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": "reports"}, {}),
        "dsse": ({"ServerSideEncryption": "aws:kms:dsse"}, {}),
        "customer": (customer(), customer()),
    }
    written = {}
    for name, (write, read) in kinds.items():
        for size in (len(MARK), len(BIG)):
            key = f"{name}-{size}"
            s3.put_object(Bucket="vault", Key=key, Body=BIG[:size], **write)
            written[key] = BIG[:size], read
        upload = s3.create_multipart_upload(Bucket="vault", Key=f"{name}-parts", **write)
        part = {"Bucket": "vault", "Key": f"{name}-parts", "UploadId": upload["UploadId"]}
        etag = s3.upload_part(**part, PartNumber=1, Body=BIG, **read)["ETag"]
        s3.complete_multipart_upload(
            **part, MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": etag}]}
        )
        written[f"{name}-parts"] = BIG, read
    return written


def read_all(s3: Any, written: dict[str, tuple[bytes, dict[str, Any]]]) -> None:
    for key, (data, read) in written.items():
        assert s3.get_object(Bucket="vault", Key=key, **read)["Body"].read() == data, key


def test_nothing_plain_is_on_disk_and_all_is_read_after_a_crash(tmp_path: Path, file: Path) -> None:
    node = started(tmp_path, file, "--access-log", "--log-level", "debug")
    s3 = node.client()
    written = write_all(s3)
    # What is never finished is sealed too, and what is on its way to an archive.
    upload = s3.create_multipart_upload(Bucket="vault", Key="open")["UploadId"]
    s3.upload_part(Bucket="vault", Key="open", UploadId=upload, PartNumber=1, Body=BIG)
    target = "/v1/objects/vault/a.tar?provider=ais&archpath=one&archmime=.tar"
    assert node.send("PUT", target, body=BIG).status == 200
    node.kill()
    kept = on_disk(tmp_path / "data")
    logs = node.log.read_bytes()
    assert MARK[:20] not in kept
    for secret in (*map(base64.b64decode, secrets_of(file)), KEY):
        assert secret not in kept
        for text in (logs, kept):
            assert b64(secret).encode() not in text
            assert secret.hex().encode() not in text
    node.start()
    read_all(node.client(), written)
    assert node.stop() == 0


def test_without_its_key_nothing_opens_and_nothing_is_lost(tmp_path: Path, file: Path) -> None:
    node = started(tmp_path, file)
    written = write_all(node.client())
    assert node.stop() == 0
    other = tmp_path / "other"
    other.write_text("\n".join(fresh("aisle/1")))
    wrong = started(tmp_path, other)
    for key, (_, read) in written.items():
        reply = wrong.send(
            "GET", f"/s3/vault/{key}", headers=headers() if read else {}, signed=False
        )
        if read:
            assert reply.status == 200  # its client has the key
        else:
            assert (reply.status, reply.code) == (400, "KMS.KMSInvalidStateException")
    assert wrong.stop() == 0
    node.start()
    read_all(node.client(), written)
    assert node.stop() == 0


def blobs_of(directory: Path) -> dict[Path, int]:
    """The files with bytes of objects, and when each was last written."""
    files = (directory / "data" / "disk").rglob("*")
    return {path: path.stat().st_mtime_ns for path in files if path.is_file()}


def test_keys_are_rotated_and_the_old_one_may_go(tmp_path: Path, file: Path) -> None:
    node = started(tmp_path, file)
    s3 = node.client()
    s3.create_bucket(Bucket="versions")
    s3.put_bucket_versioning(Bucket="versions", VersioningConfiguration={"Status": "Enabled"})
    former = s3.put_object(Bucket="versions", Key="k", Body=b"former")["VersionId"]
    s3.put_object(Bucket="versions", Key="k", Body=b"current")
    written = write_all(s3)
    before = blobs_of(tmp_path)
    assert node.stop() == 0
    file.write_text("\n".join([file.read_text(), *fresh("aisle/2", "reports/2")]))
    node.start()
    s3 = node.client()
    read_all(s3, written)  # old keys still open
    upload = s3.create_multipart_upload(Bucket="vault", Key="late")["UploadId"]
    ais(node, "start", "rotate-keys")
    ais(node, "wait", "rotate-keys")
    shown = ais(node, "show", "job", "rotate-keys", "--all", "--json")
    assert "11 rotated, 0 unusable, 0 uploads" in shown
    read_all(s3, written)
    assert blobs_of(tmp_path) == before
    assert node.stop() == 0
    kept = [
        line for line in file.read_text().splitlines() if not line.partition(":")[0].endswith("/1")
    ]
    file.write_text("\n".join(kept))
    node.start()
    s3 = node.client()
    read_all(s3, written)
    assert s3.get_object(Bucket="versions", Key="k", VersionId=former)["Body"].read() == b"former"
    part = {"Bucket": "vault", "Key": "late", "UploadId": upload, "PartNumber": 1}
    assert s3.upload_part(**part, Body=b"x")["ServerSideEncryption"] == "AES256"
    assert node.stop() == 0


def test_a_client_s_key_over_plain_http_is_a_setting(tmp_path: Path, file: Path) -> None:
    node = started(tmp_path, file)
    sent = headers()
    assert node.send("PUT", "/s3/vault", signed=False).status == 200
    assert node.send("PUT", "/s3/vault/k", headers=sent, body=b"x", signed=False).status == 200
    ais(node, "config", "cluster", "encryption.customer_keys_over_http=never")
    for method in ("PUT", "GET"):
        reply = node.send(method, "/s3/vault/k", headers=sent, body=b"", signed=False)
        assert (reply.status, reply.code) == (400, "InvalidRequest")
        assert b"secure connection" in reply.body
    ais(node, "config", "cluster", "encryption.customer_keys_over_http=always")
    assert node.send("GET", "/s3/vault/k", headers=sent, signed=False).body == b"x"
    config = json.loads(ais(node, "config", "cluster", "--json"))
    assert secrets_of(file)[0] not in json.dumps(config)
    assert node.stop() == 0


# --- while the node runs --------------------------------------------------------------------


def told(node: Node, text: str) -> bool:
    """Whether the log comes to have a text."""
    return eventually(60, lambda: text in node.log.read_text(errors="replace"))


def replace(file: Path, lines: list[str]) -> None:
    beside = file.with_suffix(".new")
    beside.write_text("\n".join(lines) + "\n")
    beside.replace(file)


def test_a_running_node_takes_new_keys_and_drops_old_ones(tmp_path: Path, file: Path) -> None:
    given = ["--key-ring-file", str(file)]
    node = Node(tmp_path / "data", workers=2, auth=False, options=given).start()
    workers = children(node.pid)
    s3 = node.client()
    written = write_all(s3)
    new_key(file)
    new_key(file, "reports")
    new_key(file, "fresh")
    assert told(node, "has been read anew: aisle/1, aisle/2, reports/1, reports/2, fresh/1")
    read_all(s3, written)
    # Whichever worker writes or reads it: all of them have the new keys from the same moment on.
    for number in range(12):
        key = f"new-{number}"
        more = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": "fresh"} if number % 2 else {}
        node.client().put_object(Bucket="vault", Key=key, Body=MARK, **more)
        written[key] = MARK, {}
    for _ in range(2):
        read_all(node.client(), written)
    lines = file.read_text().splitlines()
    kept = [line for line in lines if not line.startswith(("aisle/1", "reports/1"))]
    replace(file, kept)
    assert told(node, "stays as it was")
    assert "which an object is encrypted with" in node.log_tail()
    read_all(s3, written)
    ais(node, "start", "rotate-keys")
    ais(node, "wait", "rotate-keys")
    os.kill(node.pid, signal.SIGUSR1)  # the file is as it was: the node has to be asked
    assert told(node, "has been read anew: aisle/2, reports/2, fresh/1")
    read_all(node.client(), written)
    assert children(node.pid) == workers
    # A worker that replaces a dead one has the ring in force, not that of the node's start.
    os.kill(workers[0], signal.SIGKILL)
    assert eventually(60, lambda: len(set(children(node.pid)) - set(workers)) == 1)
    assert eventually(60, lambda: node.send("GET", "/v1/health").status == 200)
    for _ in range(4):
        read_all(node.client(), written)
    log = node.log.read_text(errors="replace")
    assert not any(secret in log for secret in secrets_of(file))
    assert node.stop() == 0
    node.start()
    read_all(node.client(), written)
    assert node.stop() == 0


def test_a_file_that_is_no_ring_changes_nothing(tmp_path: Path, file: Path) -> None:
    node = started(tmp_path, file)
    s3 = node.client()
    written = write_all(s3)
    good = file.read_text().splitlines()
    for lines, why in (
        ([*good, "aisle/2:c2VjcmV0"], "entry 3"),
        (fresh("other/1"), "there is no key aisle/1"),
        (fresh("aisle/1", "reports/1"), "lacks"),  # other secrets under the same names
    ):
        replace(file, lines)
        assert told(node, f"stays as it was: {file}")
        assert told(node, why)
        assert "c2VjcmV0" not in node.log_tail()
        s3.put_object(Bucket="vault", Key="more", Body=MARK)
        written["more"] = MARK, {}
        read_all(s3, written)
    file.unlink()
    assert told(node, "No such file")
    read_all(s3, written)
    replace(file, [*good, *fresh("aisle/2")])
    assert told(node, "has been read anew: aisle/1, aisle/2, reports/1")
    read_all(s3, written)
    assert node.stop() == 0


def test_workers_with_a_new_certificate_have_the_ring_in_force(tmp_path: Path, file: Path) -> None:
    (tmp_path / "tls").mkdir()
    made = certificates.make(tmp_path / "tls")
    given = ["--key-ring-file", str(file)]
    node = Node(tmp_path / "data", workers=1, auth=False, options=given, tls=made).start()
    new_key(file)
    assert told(node, "has been read anew: aisle/1, aisle/2, reports/1")
    written = write_all(node.client())
    before = children(node.pid)
    os.kill(node.pid, signal.SIGUSR1)
    assert eventually(60, lambda: not set(children(node.pid)) & set(before))
    read_all(node.client(), written)
    assert node.stop() == 0
