"""Export and import of a store whose objects are encrypted: they are read with the ring of the
source and encrypted anew with that of the target."""

from __future__ import annotations

import base64
import os
import subprocess
from pathlib import Path

from tests.harness import BIN, Node
from tests.wire.sealed import customer

DATA = b"the quick brown fox jumps over the lazy dog " * 8_000
KINDS = {
    "default": {},
    "kms": {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": "reports"},
    "dsse": {"ServerSideEncryption": "aws:kms:dsse"},
}


def ring(file: Path, *names: str) -> list[str]:
    lines = [f"{name}/1:{base64.b64encode(os.urandom(32)).decode()}" for name in names]
    file.write_text("\n".join(lines))
    return ["--key-ring-file", str(file)]


def aisnode(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [str(BIN / "aisnode"), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


def test_objects_move_to_another_ring_and_keep_their_kind(tmp_path: Path) -> None:
    here = ring(tmp_path / "here", "aisle", "reports")
    there = ring(tmp_path / "there", "aisle", "reports")
    source = Node(tmp_path / "source", auth=False, workers=1, options=here).start()
    s3 = source.client()
    s3.create_bucket(Bucket="vault")
    before = {}
    for kind, parameters in KINDS.items():
        for size in (100, len(DATA)):
            key = f"{kind}-{size}"
            s3.put_object(Bucket="vault", Key=key, Body=DATA[:size], **parameters)
            before[key] = s3.head_object(Bucket="vault", Key=key)
    s3.put_object(Bucket="vault", Key="theirs", Body=DATA, **customer())
    assert source.stop() == 0
    file = tmp_path / "export"
    done = aisnode("export", file, "--data", tmp_path / "source", *here)
    assert "vault/theirs" in done.stderr + done.stdout
    assert DATA[:40] in file.read_bytes()  # as docs/moving.md says
    taken = aisnode("import", file, "--data", tmp_path / "target", *there)
    assert taken.returncode == 0, taken.stderr + taken.stdout
    assert "6 objects" in taken.stdout
    again = aisnode("import", file, "--data", tmp_path / "target", *there)
    assert "skipped 7 " in again.stdout, again.stdout
    disk = (tmp_path / "target").rglob("*")
    assert not any(DATA[:40] in path.read_bytes() for path in disk if path.is_file())
    target = Node(tmp_path / "target", auth=False, workers=1, options=there).start()
    s3 = target.client()
    for key, old in before.items():
        new = s3.get_object(Bucket="vault", Key=key)
        assert new["Body"].read() == DATA[: old["ContentLength"]]
        for name in ("ETag", "LastModified", "ServerSideEncryption"):
            assert new[name] == old[name]
    assert target.stop() == 0


def test_without_a_ring_encrypted_objects_are_not_stored_plain(tmp_path: Path) -> None:
    here = ring(tmp_path / "here", "aisle")
    source = Node(tmp_path / "source", auth=False, workers=1, options=here).start()
    s3 = source.client()
    s3.create_bucket(Bucket="vault")
    s3.put_object(Bucket="vault", Key="k", Body=DATA)
    assert source.stop() == 0
    file = tmp_path / "export"
    blind = aisnode("export", file, "--data", tmp_path / "source")
    assert "vault/k" in blind.stderr + blind.stdout
    assert "aisle/1" in blind.stderr + blind.stdout
    file.unlink(missing_ok=True)
    assert aisnode("export", file, "--data", tmp_path / "source", *here).returncode == 0
    taken = aisnode("import", file, "--data", tmp_path / "target")
    assert "1 object," in taken.stdout, taken.stdout
    disk = [path for path in (tmp_path / "target").rglob("*") if path.is_file()]
    assert not any(DATA[:40] in path.read_bytes() for path in disk)
    target = Node(tmp_path / "target", auth=False, workers=1).start()
    found = target.client().get_object(Bucket="vault", Key="k")
    assert found["ServerSideEncryption"] == "AES256"
    assert found["Body"].read() == DATA
    assert target.stop() == 0
