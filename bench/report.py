"""Tables out of samples: results beside rclone, the targets, and what peers were said to cost.

Ratios are only formed between samples of one run: the machine, its disk and its other work differ
from run to run. A rate ratio above 1 is faster than rclone; a CPU ratio below 1 is cheaper.
"""

from __future__ import annotations

import dataclasses
import json
import os
import platform
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NamedTuple

from bench import scale, versions
from bench.inventory import LISTED, NEAR
from bench.measures import (
    FEW,
    MANY,
    MULTIPART,
    NATIVE_GET,
    NATIVE_PUT,
    ONE_STREAM,
    PAGE,
    PAGE_DELIMITER,
    SLOW,
    Sample,
)
from bench.policy import ALLOWED, DECIDE, OPEN
from bench.remote import (
    COLD,
    DIRECT,
    LINK_COLD,
    LINK_DIRECT,
    NATIVE,
    SMALL_COLD,
    SMALL_DIRECT,
    WARM,
)
from bench.scale import Row

PEER: Final = "rclone"
PRODUCT: Final = "aisle"
PRODUCTS: Final = (PRODUCT, "ais")
_TOLERATED: Final = 0.01
_BEGIN, _END = "<!-- results: begin -->", "<!-- results: end -->"


@dataclass(slots=True)
class Results:
    """Everything of one run."""

    began: str
    options: dict[str, object]
    disk: float = 0.0
    load_average: float = field(default_factory=lambda: os.getloadavg()[0])
    samples: list[Sample] = field(default_factory=list)
    """Every sample of every round."""
    scale: list[Row] = field(default_factory=list)
    """Several gateways over shared engines."""
    complete: bool = False

    def find(self, operation: str, server: str) -> Sample | None:
        """The sample, unless too much of it failed for its numbers to mean anything."""
        for sample in self.medians():
            if (sample.operation, sample.server) == (operation, server):
                usable = sample.operations and sample.errors <= sample.operations * _TOLERATED
                return sample if usable else None
        return None

    def medians(self) -> list[Sample]:
        """Of each operation on each server the round of median rate (the lower of two)."""
        rounds: dict[tuple[str, str], list[Sample]] = {}
        for sample in self.samples:
            rounds.setdefault((sample.operation, sample.server), []).append(sample)
        for same in rounds.values():
            same.sort(key=lambda sample: sample.rate)
        return [same[(len(same) - 1) // 2] for same in rounds.values()]


class Scale(NamedTuple):
    """How a unit is told: factors and words for its rate and its CPU."""

    rate: float
    rate_word: str
    cpu: float
    cpu_word: str


SCALES: Final = {
    "op": Scale(1, "/s", 1e6, "us"),
    "page": Scale(1, "pages/s", 1e3, "ms/page"),
    "GiB": Scale(1024, "MiB/s", 1, "s/GiB"),
}

Value = Callable[[Results], float | None]


def _against_peer(operation: str) -> Value:
    def value(results: Results) -> float | None:
        ours, peer = results.find(operation, PRODUCT), results.find(operation, PEER)
        return ours.rate / peer.rate if ours and peer and peer.rate else None

    return value


def _cpu(operation: str) -> Value:
    def value(results: Results) -> float | None:
        ours = results.find(operation, PRODUCT)
        return ours.cpu if ours else None

    return value


def _growth(percentile: str) -> Value:
    def value(results: Results) -> float | None:
        few, many = results.find(FEW, PRODUCT), results.find(MANY, PRODUCT)
        if not few or not many or not getattr(few, percentile):
            return None
        ratio: float = getattr(many, percentile) / getattr(few, percentile)
        return ratio

    return value


def _cost_of_rules(results: Results) -> float | None:
    ruled, free = results.find(ALLOWED, PRODUCT), results.find(OPEN, PRODUCT)
    return (ruled.cpu - free.cpu) * 1e6 if ruled and free else None


def _side_by_side(operation: str, other: str) -> Value:
    def value(results: Results) -> float | None:
        ours, peer = results.find(operation, PRODUCT), results.find(other, PRODUCT)
        return ours.rate / peer.rate if ours and peer and peer.rate else None

    return value


def _worker_memory(results: Results) -> float | None:
    ours = results.find(SLOW, PRODUCT)
    return ours.peak_process if ours else None


class Target(NamedTuple):
    """A number to reach: at least `limit`, or at most if `limit` is an upper bound."""

    text: str
    value: Value
    limit: float
    upper: bool = False

    def reached(self, value: float) -> bool:
        return value <= self.limit if self.upper else value >= self.limit


TARGETS: Final = (
    Target("4 KiB GET, rate / rclone", _against_peer("GET 4 KiB"), 1.0),
    Target("4 KiB durable PUT, rate / rclone (not durable)", _against_peer("PUT 4 KiB"), 1.5),
    Target("a page of 1,000 keys, rate / rclone", _against_peer(PAGE), 3.0),
    Target("1 MiB GET, rate / rclone", _against_peer("GET 1 MiB"), 1.5),
    Target("1 MiB PUT, rate / rclone", _against_peer("PUT 1 MiB"), 1.5),
    Target("one 64 MiB GET stream, CPU s/GiB", _cpu(ONE_STREAM), 1.3, upper=True),
    Target("GET latency p50, many keys / few keys", _growth("p50"), 1.2, upper=True),
    Target("GET latency p99, many keys / few keys", _growth("p99"), 1.2, upper=True),
    Target("signature and 20 statements, CPU us more a GET", _cost_of_rules, 60, upper=True),
    Target("4 KiB GET of a window, warm, rate / own bucket", _side_by_side(WARM, NATIVE), 1.0),
    Target("64 MiB GET of a window, cold, rate / direct", _side_by_side(COLD, DIRECT), 0.8),
    Target(
        "the same over a link of 1 Gbit/s, rate / direct",
        _side_by_side(LINK_COLD, LINK_DIRECT),
        0.8,
    ),
    Target("names of a bucket by inventory, rate / remote", _side_by_side(LISTED, NEAR), 10.0),
    *(
        Target(
            f"{operation} in a versioned bucket, rate / unversioned",
            _side_by_side(operation + versions.IN_VERSIONED, operation + versions.IN_PLAIN),
            1 / 1.3,
        )
        for operation in (versions.GET, versions.PUT, versions.OVER)
    ),
    Target("a page of versions, rate / plain", _side_by_side(versions.TEN, versions.LISTED), 0.5),
    Target("MiB in the largest worker, slow clients", _worker_memory, 200, upper=True),
)

# What `rclone serve s3` cost when the targets were set, in seconds of CPU: to tell how the machine
# at hand differs from that one.
QUOTED: Final = (
    ("GET 4 KiB", 130e-6),
    ("PUT 4 KiB", 427e-6),
    (PAGE, 9.9e-3),
    ("GET 1 MiB", 2.3),
    ("PUT 1 MiB", 6.7),
)

ORDER: Final = (
    *("GET 4 KiB", NATIVE_GET, "PUT 4 KiB", NATIVE_PUT, "DELETE 4 KiB"),
    *(OPEN, ALLOWED, DECIDE),
    *(NATIVE, WARM, SMALL_DIRECT, SMALL_COLD, DIRECT, COLD, LINK_DIRECT, LINK_COLD),
    *(FEW, MANY, PAGE, PAGE_DELIMITER),
    *("GET 1 MiB", "PUT 1 MiB", "GET 64 MiB", ONE_STREAM, "PUT 64 MiB", MULTIPART, SLOW),
)


def markdown(results: Results) -> str:
    """The whole report."""
    parts = [_context(results)]
    if results.samples:
        parts += [
            _results_table(results),
            "Targets (only this run counts):",
            _targets_table(results),
            "What rclone costs here, beside what it cost when the targets were set:",
            _quoted_table(results),
        ]
    if results.scale:
        parts += ["Gateways over PostgreSQL and Ceph:", scale.markdown(results.scale).rstrip()]
    return "\n\n".join(parts) + "\n"


def one_line(sample: Sample) -> str:
    """A sample as it arrives."""
    cells = _cells(sample, None)
    text = f"{sample.server:7} {sample.operation:24} {cells[2]:>16} {cells[4]:>16}"
    return f"{text}  p99 {cells[7]:>8} ms  {cells[8]:>6} MiB  {cells[10]} {cells[11]}".rstrip()


def save(results: Results, directory: Path) -> Path:
    """Write the JSON and the Markdown; the path of the Markdown."""
    directory.mkdir(parents=True, exist_ok=True)
    stem = directory / results.began.replace(":", "").replace(" ", "-")
    stem.with_suffix(".json").write_text(json.dumps(dataclasses.asdict(results), indent=1))
    path = stem.with_suffix(".md")
    path.write_text(markdown(results))
    return path


def fill_document(results: Results, document: Path) -> None:
    """Replace the results in a page of the documentation by this run's."""
    text = document.read_text()
    pattern = re.compile(re.escape(_BEGIN) + ".*?" + re.escape(_END), re.DOTALL)
    if not pattern.search(text):
        raise ValueError(f"{document} has no place for results")
    block = f"{_BEGIN}\n\n{markdown(results)}\n{_END}"
    document.write_text(pattern.sub(lambda _: block, text))


def _context(results: Results) -> str:
    options = ", ".join(f"{key} {value}" for key, value in results.options.items())
    return (
        f"{results.began} UTC; {os.cpu_count()} CPUs, {platform.system()} {platform.release()}, "
        f"Python {platform.python_version()}; load average at the start "
        f"{results.load_average:.1f}; {options}.\n"
        f"Disk: {results.disk:,.0f} appends of 4 KiB with fsync a second, one at a time."
        + ("" if results.complete else "\n**Interrupted: this run is not complete.**")
    )


def _results_table(results: Results) -> str:
    header = (
        "operation", "server", "rate", f"/ {PEER}", "CPU", f"/ {PEER}", "p50 ms", "p99 ms",
        "peak MiB", "largest process MiB", "errors", "note",
    )  # fmt: skip
    order = {operation: number for number, operation in enumerate(ORDER)}
    samples = sorted(results.medians(), key=lambda s: order.get(s.operation, len(order)))
    rows = [_cells(sample, results.find(sample.operation, PEER)) for sample in samples]
    return _table(header, rows)


def _cells(sample: Sample, peer: Sample | None) -> list[str]:
    scale = SCALES.get(sample.unit)
    worked = bool(sample.operations)
    cells = [sample.operation, sample.server]
    if scale and worked:
        cells += [
            f"{sample.rate * scale.rate:,.0f} {scale.rate_word}",
            f"{sample.rate / peer.rate:.2f}" if peer and peer.rate else "-",
            f"{sample.cpu * scale.cpu:,.3g} {scale.cpu_word}"
            if sample.cpu * scale.cpu < 100
            else f"{sample.cpu * scale.cpu:,.0f} {scale.cpu_word}",
            f"{sample.cpu / peer.cpu:.2f}" if peer and peer.cpu else "-",
            *(f"{value:,.2f}" if value else "-" for value in (sample.p50, sample.p99)),
        ]
    else:
        cells += ["-"] * 6 if worked else ["failed", *["-"] * 5]
    cells += [f"{sample.peak_total:,.0f}", f"{sample.peak_process:,.0f}"] if worked else ["-", "-"]
    note = " ".join(sample.note.split()).replace("|", "/")
    errors = f"{sample.errors:,} of {sample.errors + sample.operations:,}" if sample.errors else ""
    return [*cells, errors, note]


def _targets_table(results: Results) -> str:
    rows = []
    for target in TARGETS:
        value = target.value(results)
        bound = f"{'<=' if target.upper else '>='} {target.limit:g}"
        if value is None:
            rows.append([target.text, bound, "-", "not measured"])
        else:
            rows.append([target.text, bound, f"{value:.2f}", _yes(target.reached(value))])
    return _table(("target", "to reach", "measured", "reached"), rows)


def _quoted_table(results: Results) -> str:
    rows = []
    for operation, cost in QUOTED:
        peer = results.find(operation, PEER)
        if peer:
            scale = SCALES[peer.unit]
            there, here = cost * scale.cpu, peer.cpu * scale.cpu
            rows.append(
                [operation, f"{there:g} {scale.cpu_word}", f"{here:.3g}", f"{here / there:.2f}"]
            )
    return _table(("operation", "then", "here", "here / then"), rows)


def _yes(reached: bool) -> str:
    return "yes" if reached else "**no**"


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
