"""What a server's whole process tree costs, read from /proc (Linux only).

CPU is `utime + stime` of every live process of the tree plus what their reaped children used, so
a worker that is replaced is not lost. Memory is each process's own high-water mark, which the
kernel lets its owner reset (`clear_refs`, proc(5)): exact, where sampling would miss a spike.
"""

from __future__ import annotations

import os
import resource
import time
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

_TICK = os.sysconf("SC_CLK_TCK")
_MIB = 1 << 20
_RESET_HIGH_WATER_MARK = "5"


def tree(root: int) -> list[int]:
    """The live processes below and including `root`."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            fields = _stat(int(entry.name))
            if fields:
                children.setdefault(int(fields[1]), []).append(int(entry.name))
    found, queue = [], [root]
    while queue:
        pid = queue.pop()
        if _stat(pid):
            found.append(pid)
        queue.extend(children.get(pid, ()))
    return found


def _stat(pid: int) -> list[str]:
    """The fields of /proc/pid/stat from `state` on; empty if the process is gone."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return []
    return text.rpartition(")")[2].split()


def cpu_seconds(pids: list[int]) -> float:
    """CPU used so far by `pids` and the children that they have reaped."""
    ticks = 0
    for pid in pids:
        fields = _stat(pid)
        if fields:
            ticks += sum(int(field) for field in fields[11:15])
    return ticks / _TICK


def reset_peak(pids: list[int]) -> None:
    """Let the high-water marks start again from what is resident now."""
    for pid in pids:
        try:
            Path(f"/proc/{pid}/clear_refs").write_text(_RESET_HIGH_WATER_MARK)
        except (FileNotFoundError, ProcessLookupError):
            continue


def peak_mib(pids: list[int]) -> list[float]:
    """Each process's peak resident memory in MiB since `reset_peak`."""
    peaks = []
    for pid in pids:
        try:
            status = Path(f"/proc/{pid}/status").read_text()
        except (FileNotFoundError, ProcessLookupError):
            continue
        peaks += [
            int(line.split()[1]) * 1024 / _MIB
            for line in status.splitlines()
            if line.startswith("VmHWM:")
        ]
    return peaks


@dataclass(slots=True)
class Meter:
    """`with Meter(server.pid) as used:` what the server and our own child clients used inside."""

    root: int
    seconds: float = 0.0
    cpu: float = 0.0
    client_cpu: float = 0.0
    peak_total: float = 0.0
    peak_process: float = 0.0

    def __enter__(self) -> Self:
        pids = tree(self.root)
        reset_peak(pids)
        self.client_cpu = -_children()
        self.cpu = -cpu_seconds(pids)
        self.seconds = -time.perf_counter()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        pids = tree(self.root)
        self.seconds += time.perf_counter()
        self.cpu += cpu_seconds(pids)
        self.client_cpu += _children()
        peaks = peak_mib(pids)
        self.peak_total, self.peak_process = sum(peaks), max(peaks, default=0.0)


def _children() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime
