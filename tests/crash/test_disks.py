"""A node on a full or read-only disk: clear answers, reads go on, nothing is lost."""

from __future__ import annotations

import os
import zlib
from collections.abc import Callable
from pathlib import Path

from tests.crash.checks import check_objects
from tests.crash.client import Answer, Client, target
from tests.crash.conftest import Disk, command
from tests.crash.ledger import Ledger, Piece, bytes_of, plain
from tests.crash.writers import expect
from tests.harness import Node

MIB = 1 << 20
RunNode = Callable[[Path], Node]


def put(client: Client, ledger: Ledger, key: str, size: int) -> Answer:
    """Store `size` bytes; what is acknowledged goes into the ledger."""
    piece = Piece(zlib.crc32(key.encode()), size)
    answer = client.call("PUT", target("full", key), bytes_of(piece))
    if answer.status == 200:
        ledger.acknowledge(key, plain(piece))
    return answer


def put_until_refused(client: Client, ledger: Ledger, prefix: str, size: int) -> int:
    """Store until the node says that it is full; how many objects it took."""
    for number in range(10_000):
        answer = put(client, ledger, f"{prefix}{number:04}", size)
        if answer.status != 200:
            assert answer.status == 507, answer.body
            assert answer.xml.findtext("Code") == "InsufficientStorage"
            assert answer.xml.findtext("Resource") == f"/full/{prefix}{number:04}"
            return number
    raise AssertionError("a disk of 48 MiB took 10,000 objects")


def test_a_full_disk_refuses_writes_serves_reads_and_recovers(
    tmpfs: Disk, run_node: RunNode, ledger: Ledger
) -> None:
    filler = tmpfs.path / "filler"
    filler.write_bytes(bytes(16 * MIB))
    node = run_node(tmpfs.path / "data")
    with Client(node.port) as client:
        expect(client.call("PUT", target("full")), 200)
        assert put_until_refused(client, ledger, "large/", 2 * MIB) > 5
        assert put_until_refused(client, ledger, "file/", 100_000) >= 0
        assert put_until_refused(client, ledger, "row/", 60_000) >= 0
        begun = client.call("POST", target("full", "upload", uploads=None))
        if begun.status == 200:
            upload = begun.xml.findtext("UploadId")
            part = target("full", "upload", partNumber=1, uploadId=upload)
            expect(client.call("PUT", part, bytes(MIB)), 507)
        else:
            expect(begun, 507)
        # An overwrite that does not fit leaves the object as it was.
        expect(client.call("PUT", target("full", "large/0000"), bytes(8 * MIB)), 507)
        # Reading goes on.
        check_objects(client, "full", [ledger])
        assert client.call("GET", "/").status == 200
        # Room for deletions is kept.
        for key in ("large/0001", "large/0002", "row/0000"):
            if key in ledger.allowed:
                expect(client.call("DELETE", target("full", key)), 204)
                ledger.acknowledge(key, None)
        check_objects(client, "full", [ledger])
    # A node that starts on a full disk serves what is there.
    node.kill()
    node.start()
    with Client(node.port) as client:
        check_objects(client, "full", [ledger])
        expect(put(client, ledger, "again", 2 * MIB), 507)
        filler.unlink()
        expect(put(client, ledger, "again", 2 * MIB), 200)
        expect(put(client, ledger, "small", 300), 200)
        expect(put(client, ledger, "large/0000", MIB), 200)
        check_objects(client, "full", [ledger])
    node.restart()
    with Client(node.port) as client:
        check_objects(client, "full", [ledger])
    assert node.stop() == 0


def test_a_disk_filled_by_somebody_else_to_the_last_byte(
    tmpfs: Disk, run_node: RunNode, ledger: Ledger
) -> None:
    node = run_node(tmpfs.path / "data")
    with Client(node.port) as client:
        expect(client.call("PUT", target("full")), 200)
        for number in range(5):
            expect(put(client, ledger, f"row/{number}", 5_000), 200)
            expect(put(client, ledger, f"file/{number}", 200_000), 200)
        filler = tmpfs.path / "filler"
        fill(filler)
        for size in (1, 5_000, 200_000):
            expect(put(client, ledger, f"new/{size}", size), 507)
        check_objects(client, "full", [ledger])
        # With not one byte left even a deletion may be refused; then it has not happened.
        for key in ("row/0", "file/0"):
            if expect(client.call("DELETE", target("full", key)), 204, 507).status == 204:
                ledger.acknowledge(key, None)
        check_objects(client, "full", [ledger])
        filler.unlink()
        for key in ("row/1", "file/1"):
            expect(client.call("DELETE", target("full", key)), 204)
            ledger.acknowledge(key, None)
        for size in (1, 5_000, 200_000):
            expect(put(client, ledger, f"new/{size}", size), 200)
        check_objects(client, "full", [ledger])
    node.kill()
    node.start()
    with Client(node.port) as client:
        check_objects(client, "full", [ledger])
    assert node.stop() == 0


def fill(path: Path) -> None:
    """Take every byte that is left."""
    fd = os.open(path, os.O_WRONLY | os.O_CREAT)
    try:
        for size in (MIB, 4096):
            try:
                while True:
                    os.write(fd, bytes(size))
            except OSError:
                continue
    finally:
        os.close(fd)


def test_a_disk_that_turns_read_only_is_told_and_still_read(
    ext4: Disk, run_node: RunNode, ledger: Ledger
) -> None:
    node = run_node(ext4.path / "data")
    with Client(node.port) as client:
        expect(client.call("PUT", target("full")), 200)
        for number in range(5):
            expect(put(client, ledger, f"row/{number}", 5_000), 200)
            expect(put(client, ledger, f"file/{number}", 200_000), 200)
        command("mount", "-o", "remount,abort", str(ext4.path))
        for size in (300, 200_000):
            refused = expect(put(client, ledger, "new", size), 507)
            assert refused.xml.findtext("Code") == "InsufficientStorage"
        expect(client.call("DELETE", target("full", "row/0")), 507)
        expect(client.call("DELETE", target("full")), 507)
        check_objects(client, "full", [ledger])
    # The machine is started again, the file system repaired from its journal.
    node.kill()
    ext4.power_on()
    node.start()
    with Client(node.port) as client:
        check_objects(client, "full", [ledger])
        expect(put(client, ledger, "new", 200_000), 200)
        check_objects(client, "full", [ledger])
    assert node.stop() == 0
