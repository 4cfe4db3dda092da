"""What the `ais` command line costs beside the aws CLI and rclone, against the same node.

Here the clients are what is measured: a row's CPU and memory are those of the tool's process, and
what the node used meanwhile is in the note. Each tool transfers with its own defaults, to a bucket
and a directory of its own, and what it says it has done is counted afterwards.
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
from collections.abc import Generator, Iterable
from dataclasses import dataclass
from pathlib import Path

from bench import load
from bench.measures import Plan, Sample, name_of, percentile, settle
from bench.process import Meter
from bench.servers import Aisle, Server, program

TOOLS = ("ais", "aws", "rclone")
_STARTS = 20
_FILE_BYTES = 4_096
_TINY = 128
_SPAWN = Path(__file__).with_name("spawn.py")


class ToolFailed(Exception):
    """A tool did not do what it was told."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What one run of a command took; its output is thrown away unless it was asked for."""

    seconds: float
    cpu: float
    peak: float
    lines: int


def cli(server: Server, plan: Plan) -> Generator[Sample]:
    """Start-up of `ais`, its listing of a large bucket, and directories of small files put and
    got by it, the aws CLI and rclone."""
    if not isinstance(server, Aisle):
        return
    with server:
        load.make_bucket(server, "bench")
        for words in (["--help"], ["ls"]):
            yield _starts(server, words)
        load.fill(server, "bench", (name_of(number) for number in range(plan.keys)), _TINY)
        for tool in TOOLS:
            yield _listing(server, tool, plan.keys)
        source = server.directory.parent / "files"
        _make_files(source, plan.files)
        for tool in TOOLS:
            load.make_bucket(server, f"bench-{tool}")
            yield _transfer(server, tool, "put", source, plan.files)
        for tool in TOOLS:
            target = server.directory.parent / f"got-{tool}"
            target.mkdir()
            yield _transfer(server, tool, "get", target, plan.files)
            shutil.rmtree(target)
        shutil.rmtree(source)


def _starts(server: Server, words: list[str]) -> Sample:
    """The median of a row of runs, one after the other."""
    command = [program("ais"), *words]
    costs = [_run(server, command) for _ in range(_STARTS)]
    seconds = sorted(cost.seconds for cost in costs)
    return Sample(
        f"start of ais {words[0]}", "ais", "op",
        rate=1 / statistics.median(seconds), cpu=statistics.median(cost.cpu for cost in costs),
        p50=1000 * statistics.median(seconds), p99=1000 * percentile(seconds, 0.99),
        peak_total=max(cost.peak for cost in costs), peak_process=max(cost.peak for cost in costs),
        operations=_STARTS, note=f"{_STARTS} runs",
    )  # fmt: skip


def _listing(server: Server, tool: str, keys: int) -> Sample:
    command = {
        "ais": ["ls", "ais://bench", "-H", "-F"],
        "aws": ["--endpoint-url", _url(server), "s3", "ls", "s3://bench", "--recursive"],
        "rclone": ["lsf", "--recursive", "--files-only", "bench:bench"],
    }[tool]
    sample, cost = measured(server, tool, f"list {keys:,} objects", command, keys)
    expect(sample, cost.lines, keys, "lines")
    return sample


def _transfer(server: Server, tool: str, verb: str, directory: Path, files: int) -> Sample:
    here, bucket = str(directory), f"bench-{tool}"
    s3 = ["--endpoint-url", _url(server), "s3", "cp", "--recursive"]
    command = {
        ("ais", "put"): ["put", "--recursive", "--yes", here, f"ais://{bucket}"],
        ("ais", "get"): ["get", "--all", "--yes", f"ais://{bucket}", f"{here}/"],
        ("aws", "put"): [*s3, here, f"s3://{bucket}"],
        ("aws", "get"): [*s3, f"s3://{bucket}", here],
        ("rclone", "put"): ["copy", here, f"bench:{bucket}"],
        ("rclone", "get"): ["copy", f"bench:{bucket}", here],
    }[tool, verb]
    sample, _ = measured(server, tool, f"{verb} {files:,} files of 4 KiB", command, files)
    if verb == "put":
        listed = _run(server, [program("ais"), "ls", f"ais://{bucket}", "-H", "-F"])
        expect(sample, listed.lines, files, "objects")
    else:
        got = [path.stat().st_size for path in directory.rglob("*") if path.is_file()]
        expect(sample, got.count(_FILE_BYTES), files, "files")
    return sample


def measured(
    server: Server, tool: str, operation: str, words: list[str], count: int
) -> tuple[Sample, Cost]:
    settle()
    with Meter(server.pid) as used:
        cost = _run(server, [program(tool), *words])
    sample = Sample(
        operation, tool, "op",
        rate=count / cost.seconds, cpu=cost.cpu / count,
        peak_total=cost.peak, peak_process=cost.peak, operations=count,
        note=f"{cost.seconds:.1f} s, {cost.cpu:.1f} s of CPU, and the node's {used.cpu:.1f} s",
    )  # fmt: skip
    return sample, cost


def expect(sample: Sample, found: int, count: int, what: str) -> None:
    if found != count:
        sample.errors = abs(count - found)
        sample.note += f"; {found:,} {what} instead of {count:,}"


def _run(server: Server, command: list[str]) -> Cost:
    """Run a command and count the lines of its output."""
    log, report = (server.directory.parent / name for name in ("tool.log", "tool.cost"))
    spawn = [sys.executable, "-S", "-E", str(_SPAWN), str(report)]
    with log.open("wb") as errors:
        process = subprocess.Popen(
            [*spawn, *command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            env={**os.environ, **_environment(server)},
        )
        assert process.stdout is not None
        with process, process.stdout as output:
            lines = _count(iter(lambda: output.read(1 << 20), b""))
    seconds, cpu, peak, code = report.read_text().split()
    if code != "0":
        told = log.read_text(errors="replace").strip()[-300:]
        raise ToolFailed(f"{Path(command[0]).name}: exit {code}: {told}")
    return Cost(float(seconds), float(cpu), float(peak), lines)


def _count(pieces: Iterable[bytes]) -> int:
    return sum(piece.count(b"\n") for piece in pieces)


def _make_files(directory: Path, count: int) -> None:
    for number in range(count):
        path = directory / name_of(number)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x" * _FILE_BYTES)


def _url(server: Server) -> str:
    return f"http://{server.host}"


def _environment(server: Server) -> dict[str, str]:
    """What each of the tools has to know of the node."""
    access, secret, region = server.credentials
    remote = {
        "TYPE": "s3", "PROVIDER": "Other", "ENDPOINT": _url(server), "REGION": region,
        "ACCESS_KEY_ID": access, "SECRET_ACCESS_KEY": secret, "NO_CHECK_BUCKET": "true",
    }  # fmt: skip
    return {
        "AIS_ENDPOINT": _url(server),
        "AISLE_ROOT_ACCESS_KEY": access,
        "AISLE_ROOT_SECRET_KEY": secret,
        "AWS_ACCESS_KEY_ID": access,
        "AWS_SECRET_ACCESS_KEY": secret,
        "AWS_DEFAULT_REGION": region,
        "AWS_EC2_METADATA_DISABLED": "true",
        "RCLONE_CONFIG": os.devnull,
        **{f"RCLONE_CONFIG_BENCH_{name}": value for name, value in remote.items()},
    }
