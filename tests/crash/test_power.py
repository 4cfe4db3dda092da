"""Power cuts: what was acknowledged has been synced, and not merely written.

A killed process leaves its writes in the page cache, so kills say nothing of a lost `fsync`. Here
the data lies on an ext4 of its own, which is shut down as a power cut does it: what was not synced
never reaches the disk. The node is frozen first, so that nothing is answered after the cut. That
the test would see a missing sync is shown by the relaxed mode, which does without.
"""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from tests.crash.checks import list_all
from tests.crash.client import Client
from tests.crash.conftest import Disk
from tests.crash.site import Site, seed_of_today
from tests.crash.writers import BUCKET
from tests.harness import Node

CUTS = int(os.environ.get("AISLE_CRASH_POWER_CUTS", "10"))


def cut_power(site: Site, disk: Disk) -> None:
    os.killpg(site.node.pid, signal.SIGSTOP)
    time.sleep(0.02)
    disk.cut_power()
    site.node.kill()


def live_through_a_cut(site: Site, disk: Disk, *, at_least: float = 0.0) -> None:
    def end() -> None:
        time.sleep(at_least)
        cut_power(site, disk)

    site.write_until(end)
    disk.power_on()
    site.node.start()


def test_every_acknowledged_state_survives_power_cuts(ext4: Disk, tmp_path: Path) -> None:
    site = Site(tmp_path, seed_of_today(), Node(ext4.path / "data", auth=False, workers=2))
    try:
        site.start()
        for number in range(CUTS):
            live_through_a_cut(site, ext4)
            site.check()
            print(f"power cut {number + 1}: {site.done} operations so far")
        assert site.done > 5 * CUTS, "too few operations to prove anything"
        site.check(final=True)
        assert site.node.stop() == 0
    finally:
        site.close()


def test_relaxed_durability_loses_with_the_power_and_stays_consistent(
    ext4: Disk, tmp_path: Path
) -> None:
    """What relaxed gives up, strict must be syncing: the test above can see the difference."""
    node = Node(
        ext4.path / "data", auth=False, workers=2, options=["--durability", "relaxed"]
    )  # fmt: skip
    site = Site(tmp_path, seed_of_today(), node)
    try:
        site.start()
        os.sync()  # the bucket, and the directories
        live_through_a_cut(site, ext4, at_least=0.3)
        with pytest.raises(AssertionError):
            site.check()
        with Client(node.port) as client:
            listed = list_all(client, BUCKET)
        print(f"{site.done} operations, {len(listed)} keys left")
        assert node.stop() == 0
    finally:
        site.close()
