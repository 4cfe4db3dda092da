"""What the machine under a node tells of itself: memory, processors, load, disks.

Read from /proc, /sys and the control group of the process when asked for. Rates are those since
the process asked last. Linux only, as the node is; what cannot be read is left out or zero.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any, Final, NamedTuple

_CGROUP: Final = Path("/sys/fs/cgroup")
_SECTOR: Final = 512


class Memory(NamedTuple):
    """Bytes that the machine, or the container, has."""

    total: int
    available: int

    @property
    def used(self) -> int:
        return self.total - self.available

    @property
    def percent(self) -> float:
        return round(self.used * 100 / self.total, 2) if self.total else 0.0


class Machine:
    """The machine as one process sees it; it remembers the last counts, which rates are from."""

    def __init__(self) -> None:
        self._cpu = (0, 0)
        self._disks: dict[str, tuple[int, ...]] = {}
        self._looked = time.monotonic()

    def info(self) -> dict[str, Any]:
        """AIStore's `MemCPUInfo`."""
        found = memory()
        one, five, fifteen = os.getloadavg()
        busy = self._busy()
        return {
            "mem_used": found.used,
            "mem_avail": found.available,
            "pct_mem_used": found.percent,
            "pct_cpu_used": busy,
            "load_avg": {"One": one, "Five": five, "Fifteen": fifteen},
            "cpu_util": round(busy),
            "cpu_throttled": throttled(),
        }

    def disks(self, paths: list[str]) -> dict[str, dict[str, int]]:
        """AIStore's `DiskStats` of the block devices under `paths`."""
        devices = {device for path in paths if (device := device_of(path))}
        now = time.monotonic()
        seconds = max(now - self._looked, 0.001)
        counts = _diskstats()
        found = {}
        for device in sorted(devices & counts.keys()):
            new = counts[device]
            old = self._disks.get(device, new)
            reads, read, writes, written, busy = (a - b for a, b in zip(new, old, strict=True))
            found[device] = {
                "RBps": round(read * _SECTOR / seconds),
                "Ravg": read * _SECTOR // reads if reads else 0,
                "WBps": round(written * _SECTOR / seconds),
                "Wavg": written * _SECTOR // writes if writes else 0,
                "Util": min(100, round(busy / seconds / 10)),
            }
        self._disks, self._looked = counts, now
        return found

    def _busy(self) -> float:
        """Percent of the processors' time in use, since this was last asked."""
        try:
            fields = [int(n) for n in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
        except (OSError, ValueError):
            return 0.0
        total, idle = sum(fields), fields[3] + fields[4]
        past_total, past_idle = self._cpu
        self._cpu = (total, idle)
        passed = total - past_total
        return round((passed - (idle - past_idle)) * 100 / passed, 2) if passed > 0 else 0.0


def memory() -> Memory:
    """Memory of the machine, or what the control group grants of it."""
    fields: dict[str, int] = {}
    for line in Path("/proc/meminfo").read_text().splitlines():
        name, _, value = line.partition(":")
        fields[name] = int(value.split()[0]) << 10
    total, available = fields["MemTotal"], fields["MemAvailable"]
    limit, current = _number("memory.max"), _number("memory.current")
    if limit is not None and current is not None and limit < total:
        cached = _field("memory.stat", "inactive_file")
        return Memory(limit, min(available, max(0, limit - current + cached)))
    return Memory(total, available)


def throttled() -> int:
    """Percent of the periods in which the container was held back."""
    periods = _field("cpu.stat", "nr_periods")
    return _field("cpu.stat", "nr_throttled") * 100 // periods if periods else 0


def device_of(path: str) -> str:
    """The block device that `path` lies on; `""` for what is on none."""
    try:
        number = os.stat(path).st_dev
        link = os.readlink(f"/sys/dev/block/{os.major(number)}:{os.minor(number)}")
    except OSError:
        return ""
    return os.path.basename(link)


def file_system_of(path: str) -> str:
    """Source and kind of the file system under `path`, as AIStore shows them: `/dev/sda(ext4)`."""
    best, shown = "", ""
    real = os.path.realpath(path)
    try:
        mounts = Path("/proc/self/mounts").read_text().splitlines()
    except OSError:
        return ""
    for line in mounts:
        source, point, kind, *_ = line.split(" ")
        inside = real == point or real.startswith(point.rstrip("/") + "/")
        if inside and len(point) >= len(best):
            best, shown = point, f"{source}({kind})"
    return shown


def _number(name: str) -> int | None:
    try:
        text = (_CGROUP / name).read_text().strip()
    except OSError:
        return None
    return int(text) if text.isdecimal() else None


def _field(name: str, field: str) -> int:
    try:
        lines = (_CGROUP / name).read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.split()[0] == field), 0)


def _diskstats() -> dict[str, tuple[int, ...]]:
    """Reads, sectors read, writes, sectors written and busy milliseconds by device."""
    try:
        lines = Path("/proc/diskstats").read_text().splitlines()
    except OSError:
        return {}
    rows = (line.split() for line in lines)
    return {row[2]: tuple(int(row[i]) for i in (3, 5, 7, 9, 12)) for row in rows if len(row) > 12}
