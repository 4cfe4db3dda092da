"""Disks that can be filled, and one that can be made to fail, under a real node."""

from __future__ import annotations

import fcntl
import os
import struct
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.crash.ledger import Ledger
from tests.harness import Node

_SHUTDOWN = 0x8004587D  # _IOR('X', 125, __u32), fs/ext4/ext4.h
_NO_LOG_FLUSH = 2


def command(*words: str) -> None:
    """Run a system command; the test fails, and says why, if the machine does not permit it."""
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.fail(
            f"this test needs root and a kernel that lets it mount: {' '.join(words)}: "
            f"{done.stderr.strip()}",
            pytrace=False,
        )


class Disk:
    """A mounted file system of its own."""

    def __init__(self, path: Path, *mount: str) -> None:
        self.path = path
        self._mount = mount
        path.mkdir()
        self.mount()

    def mount(self) -> None:
        command("mount", *self._mount, str(self.path))

    def unmount(self) -> None:
        command("umount", "--lazy", str(self.path))

    def cut_power(self) -> None:
        """Drop everything that was not synced, as a power cut does: no page that is dirty and no
        journal entry that is open is ever written (ext4's EXT4_IOC_SHUTDOWN, "nologflush")."""
        fd = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.ioctl(fd, _SHUTDOWN, struct.pack("I", _NO_LOG_FLUSH))
        finally:
            os.close(fd)

    def power_on(self) -> None:
        """Mount again, which replays the journal. Nobody may be using the disk any more."""
        command("umount", str(self.path))
        self.mount()


@pytest.fixture
def tmpfs(tmp_path: Path) -> Iterator[Disk]:
    """48 MiB of memory as a disk."""
    disk = Disk(tmp_path / "disk", "-t", "tmpfs", "-o", "size=48m", "tmpfs")
    yield disk
    disk.unmount()


@pytest.fixture
def ext4(tmp_path: Path) -> Iterator[Disk]:
    """512 MiB of ext4, which can be made to fail as it does after an I/O error."""
    image = tmp_path / "image"
    with image.open("wb") as file:
        file.truncate(512 << 20)
    command("mkfs.ext4", "-q", str(image))
    disk = Disk(tmp_path / "disk", "-o", "loop", str(image))
    yield disk
    disk.unmount()


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    """What a node acknowledged."""
    ledger = Ledger(tmp_path / "journal")
    yield ledger
    ledger.close()


@pytest.fixture
def run_node() -> Iterator[Callable[[Path], Node]]:
    """A function that starts a node over a directory; it is killed in the end."""
    running: list[Node] = []

    def start(data: Path) -> Node:
        running.append(Node(data, auth=False, workers=2))
        return running[-1].start()

    yield start
    for node in running:
        node.kill()
