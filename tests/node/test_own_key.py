"""The key that a node makes for itself: made once, kept for its owner, left when a ring comes."""

from __future__ import annotations

import base64
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from aisle.core.errors import KeyNotFound
from aisle.namespace.sealing.ring import Ring
from aisle.node import ownkey
from aisle.node.options import load
from tests.harness import BIN, Node
from tests.wire.sealed import RING, b64

MARK = b"the quick brown fox jumps over the lazy dog "
SIZES = (len(MARK), 500_000)
ASKED = {"ServerSideEncryption": "AES256"}


def body(size: int) -> bytes:
    return (MARK * 12_000)[:size]


def write(s3: Any, bucket: str) -> None:
    s3.create_bucket(Bucket=bucket)
    for size in SIZES:
        s3.put_object(Bucket=bucket, Key=str(size), Body=body(size), **ASKED)


def read(s3: Any, bucket: str) -> None:
    for size in SIZES:
        found = s3.get_object(Bucket=bucket, Key=str(size))
        assert found["Body"].read() == body(size)
        assert found["ServerSideEncryption"] == "AES256"


def mentions(directory: Path, text: bytes) -> list[str]:
    """The files that have `text` in them."""
    files = (path for path in directory.rglob("*") if path.is_file())
    return sorted(path.name for path in files if text in path.read_bytes())


def test_what_asks_for_encryption_is_encrypted_and_nothing_else(tmp_path: Path) -> None:
    data = tmp_path / "data"
    node = Node(data, workers=2, auth=False, options=["--log-level", "debug"]).start()
    s3 = node.client()
    write(s3, "vault")
    assert mentions(data, MARK[:20]) == []
    node.kill()
    file = data / "own.key"
    assert file.stat().st_mode & 0o777 == 0o600
    secret = file.read_bytes().strip()
    assert len(base64.b64decode(secret)) == 32
    assert mentions(data, secret) == ["own.key"]
    assert secret not in node.log.read_bytes()
    node.start()
    s3 = node.client()
    read(s3, "vault")
    assert file.read_bytes().strip() == secret
    assert "ServerSideEncryption" not in s3.put_object(Bucket="vault", Key="k", Body=body(200_000))
    assert mentions(data, MARK[:20])
    assert node.stop() == 0


def test_a_ring_that_comes_later_takes_its_place(tmp_path: Path) -> None:
    node = Node(tmp_path / "data", workers=1, auth=False).start()
    write(node.client(), "vault")
    assert node.stop() == 0
    keys = tmp_path / "keys"
    keys.write_text(RING.replace(",", "\n"))
    ring = ["--key-ring-file", str(keys)]
    node = Node(tmp_path / "data", workers=1, auth=False, options=ring).start()
    s3 = node.client()
    read(s3, "vault")
    assert s3.put_object(Bucket="vault", Key="new", Body=b"x").items() >= ASKED.items()
    for command in (("start", "rotate-keys"), ("wait", "rotate-keys")):
        subprocess.run(
            [str(BIN / "ais"), *command],
            env=os.environ | {"AIS_ENDPOINT": node.root},
            check=True,
            capture_output=True,
            timeout=60,
        )
    assert node.stop() == 0
    (tmp_path / "data" / "own.key").unlink()
    node.start()
    read(node.client(), "vault")
    assert not (tmp_path / "data" / "own.key").exists()  # whoever gives a ring needs no other key
    assert node.stop() == 0


def test_without_the_key_nothing_opens(tmp_path: Path) -> None:
    node = Node(tmp_path / "data", workers=1, auth=False).start()
    write(node.client(), "vault")
    assert node.stop() == 0
    file = tmp_path / "data" / "own.key"
    kept = file.read_bytes()
    file.unlink()
    node.start()
    for size in SIZES:
        reply = node.send("GET", f"/s3/vault/{size}", signed=False)
        assert (reply.status, reply.code) == (400, "KMS.KMSInvalidStateException")
    assert node.stop() == 0
    file.write_bytes(kept)
    node.start()
    read(node.client(), "vault")
    assert node.stop() == 0


@pytest.mark.parametrize("text", ["", "secret", "c2VjcmV0", "\xff"])
def test_what_is_no_key_is_not_started_with(tmp_path: Path, text: str) -> None:
    (tmp_path / "own.key").write_text(text, encoding="latin-1")
    command = [str(BIN / "aisnode"), "--data", str(tmp_path), "--port", "1"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith(f"aisnode: error: {tmp_path / 'own.key'}: expected ")
    assert "c2Vj" not in done.stderr
    assert (tmp_path / "own.key").read_text(encoding="latin-1") == text


def test_nodes_that_share_an_index_make_none(tmp_path: Path) -> None:
    given = ["--data", str(tmp_path), "--index", "postgresql://h/d", "--blobs", "s3://h/b"]
    options = load(given, {})
    assert ownkey.settle(options) is options
    assert list(tmp_path.iterdir()) == []


def test_a_ring_opens_with_the_own_key_and_wraps_with_its_own() -> None:
    secret, own = b"s" * 32, b"o" * 32
    alone = Ring({}, own)
    assert not alone.by_default
    assert alone.newest("aisle") == "@own/1"
    with pytest.raises(KeyNotFound):
        alone.newest("reports")
    together = Ring.parse(f"aisle/1:{b64(secret)}").with_own(own)
    assert together.by_default
    assert together.newest("aisle") == "aisle/1"
    assert alone.missing_in(together) == frozenset()
    assert repr(together) == "Ring(aisle/1, @own/1)"
    with pytest.raises(ValueError, match="entry 1"):
        Ring.parse(f"@own/1:{b64(secret)}")
