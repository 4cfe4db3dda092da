"""`python -m bench`: measure by measure, server after server, then a report.

Everything that was started is stopped and every directory removed at the end, also after Ctrl-C or
SIGTERM. A server that fails is a row of the report; the exit status is 1 if the product itself
failed at anything, so that a broken build does not pass for a slow one.
"""

from __future__ import annotations

import argparse
import http.client
import shutil
import signal
import sys
import tempfile
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from tests.servers.ceph import CephError

from bench import cli, encryption, inventory, policy, remote, report, scale, versions
from bench.load import LoadFailed
from bench.measures import FULL, MEASURES, QUICK, Plan, Sample, disk
from bench.servers import SERVERS, ServerFailed
from bench.wire import WireError

_HERE = Path(__file__).parent
_DOCUMENT = _HERE.parent / "docs" / "benchmarks.md"
SCALE = "scale"
_SCALE_DOCUMENT = _DOCUMENT.with_name("scale-out.md")
# What is measured in which order, by the name that `--only` knows.
ALL = {
    **MEASURES,
    "policy": policy.policy,
    "encryption": encryption.encryption,
    "remote": remote.remote,
    "inventory": inventory.inventory,
    "versions": versions.versions,
    "cli": cli.cli,
}
_FAILURES = (
    ServerFailed, LoadFailed, cli.ToolFailed, WireError, CephError, OSError,
    http.client.HTTPException,
)  # fmt: skip


def main() -> int:
    options = _options()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    plan = _plan(options)
    results = report.Results(
        began=f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S}",
        options={"mode": "quick" if options.quick else "full", "seconds": plan.seconds,
                 "keys": plan.keys, "rounds": options.rounds},
    )  # fmt: skip
    output: Path = options.results
    output.mkdir(parents=True, exist_ok=True)
    # Beside the results and not under /tmp, which may be memory: PUTs have to reach a disk.
    scratch = Path(tempfile.mkdtemp(prefix="data-", dir=options.directory or output))
    try:
        results.disk = disk(scratch, min(plan.seconds, 2.0))
        for measure in options.only or [*ALL, SCALE]:
            if measure == SCALE:
                _scale(plan, scratch, results)
                continue
            for server in options.servers * options.rounds:
                _run(measure, server, plan, scratch, results)
        results.complete = True
    except KeyboardInterrupt:
        return 130
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
        path = report.save(results, output)
        print(report.markdown(results))
        print(f"written to {path} and {path.with_suffix('.json').name}", file=sys.stderr)
    if options.document:
        report.fill_document(results, _DOCUMENT if results.samples else _SCALE_DOCUMENT)
    return int(any(s.errors for s in results.samples if s.server in report.PRODUCTS))


def _run(measure: str, name: str, plan: Plan, scratch: Path, results: report.Results) -> None:
    """One measure on one server, in a directory that is gone afterwards with those beside it of
    the nodes that the measure needed more."""
    directory = scratch / f"{measure}-{name}"
    try:
        with closing(ALL[measure](SERVERS[name](directory), plan)) as samples:
            for sample in samples:
                results.samples.append(sample)
                print(report.one_line(sample), file=sys.stderr, flush=True)
    except _FAILURES as error:
        failed = Sample(measure, name, "", errors=1, note=f"{type(error).__name__}: {error}"[:400])
        results.samples.append(failed)
        print(report.one_line(failed), file=sys.stderr, flush=True)
    finally:
        for made in scratch.glob(f"{directory.name}*"):
            shutil.rmtree(made, ignore_errors=True)


def _scale(plan: Plan, scratch: Path, results: report.Results) -> None:
    """Several gateways over shared engines: a table of its own, without a peer."""
    try:
        for row in scale.run(plan, scratch / SCALE):
            results.scale.append(row)
            print(scale.one_line(row), file=sys.stderr, flush=True)
    except _FAILURES as error:
        failed = Sample(SCALE, report.PRODUCT, "", errors=1, note=f"{error}"[:400])
        results.samples.append(failed)
        print(report.one_line(failed), file=sys.stderr, flush=True)


def _plan(options: argparse.Namespace) -> Plan:
    plan = QUICK if options.quick else FULL
    if options.seconds:
        plan = replace(plan, seconds=options.seconds)
    if options.keys:
        plan = replace(plan, keys=options.keys, few_keys=min(plan.few_keys, options.keys))
    if options.files:
        plan = replace(plan, files=options.files)
    return plan


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m bench", description="Measure Aisle beside other S3 servers, in one run."
    )
    parser.add_argument("--quick", action="store_true", help="small counts, about three minutes")
    parser.add_argument(
        "--only", action="append", choices=[*ALL, SCALE], help="this measure only (repeatable)"
    )
    parser.add_argument(
        "--servers",
        type=_servers,
        default=list(SERVERS),
        help=f"comma-separated, of {','.join(SERVERS)} (default: all)",
    )
    parser.add_argument("--seconds", type=float, help="of each operation on each server")
    parser.add_argument(
        "--rounds", type=int, default=1, help="repeat each measure, in turn; medians are reported"
    )
    parser.add_argument("--keys", type=int, help="keys that are listed (listing and cli)")
    parser.add_argument("--files", type=int, help="files that the command lines transfer (cli)")
    parser.add_argument(
        "--directory", type=Path, help="where servers keep their data (default: the results')"
    )
    parser.add_argument("--results", type=Path, default=_HERE / "results", help="where reports go")
    parser.add_argument(
        "--document", action="store_true", help="also put the report into docs/benchmarks.md"
    )
    return parser.parse_args()


def _servers(text: str) -> list[str]:
    names = text.split(",")
    unknown = [name for name in names if name not in SERVERS]
    if unknown:
        raise argparse.ArgumentTypeError(f"unknown: {', '.join(unknown)}")
    return names


if __name__ == "__main__":
    sys.exit(main())
