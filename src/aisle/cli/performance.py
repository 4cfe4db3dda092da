"""`ais performance show`: what the nodes have counted, and how fast they are."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Mapping, Sequence
from typing import Any, Final

from aisle.cli.daemons import Daemon, counter, targets
from aisle.cli.failure import Failure
from aisle.cli.flags import headers_flag, json_flag, units_flag
from aisle.cli.tables import Columns, size_text
from aisle.client import Client

_COLUMNS: Final = ("counters", "throughput", "latency", "capacity")
_TIMED: Final = (
    ("GET", "get"),
    ("PUT", "put"),
    ("HEAD", "head"),
    ("DELETE", "del"),
    ("LIST", "lst"),
)
_SECOND: Final = 1_000_000_000


def show_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "columns",
        metavar="|".join(_COLUMNS),
        nargs="?",
        choices=_COLUMNS,
        default="counters",
        help="totals since the node's start (the default), bytes a second, milliseconds a request,"
        " or room for objects",
    )
    parser.add_argument("node", metavar="TARGET", nargs="?", default="", help="one target alone")
    parser.add_argument(
        "--refresh",
        metavar="DURATION",
        default="",
        help="the time over which throughput is taken (1s)",
    )
    json_flag(parser)
    headers_flag(parser)
    units_flag(parser)


def show(client: Client, options: argparse.Namespace) -> None:
    """A table of targets."""
    rows = targets(client, options.node)
    if options.json:
        print(json.dumps({row.id: row.told["tracker"] for row in rows}, indent=4))
        return
    match options.columns:
        case "throughput":
            header, cells = _throughput(client, rows, options)
        case "latency":
            header, cells = _latency(rows)
        case "capacity":
            header, cells = _capacity(rows, options.units)
        case _:
            header, cells = _counters(rows, options.units)
    table = Columns(header)
    for line in table.lines(cells if options.no_headers else [table.heading, *cells]):
        print(line)


_Table = tuple[Sequence[str], Sequence[Sequence[str]]]


def _counters(rows: list[Daemon], units: str) -> _Table:
    header = (
        "TARGET", "GET", "GET(size)", "PUT", "PUT(size)", "APPEND", "HEAD", "DELETE", "RENAME",
        "LIST", "OTHER", "ERRORS",
    )  # fmt: skip
    return header, [
        (
            row.id,
            str(counter(row.told, "get.n")),
            size_text(counter(row.told, "get.size"), units),
            str(counter(row.told, "put.n")),
            size_text(counter(row.told, "put.size"), units),
            *(
                str(counter(row.told, f"{name}.n"))
                for name in ("append", "head", "del", "ren", "lst", "other")
            ),
            str(_errors(row.told)),
        )
        for row in rows
    ]


def _errors(told: Mapping[str, Any]) -> int:
    return sum(counter(told, name) for name in told["tracker"] if name.startswith("err."))


def _throughput(client: Client, rows: list[Daemon], options: argparse.Namespace) -> _Table:
    seconds = _seconds(options.refresh)
    time.sleep(seconds)
    later = {row.id: row.told for row in targets(client, options.node)}
    header = ("TARGET", "GET(bw)", "GET(req/s)", "PUT(bw)", "PUT(req/s)", "ERRORS")
    cells = []
    for row in rows:
        if row.id not in later:
            continue
        now, past = later[row.id], row.told
        # By the node's own clock: the questions themselves take time.
        passed = max(counter(now, "up.ns.time") - counter(past, "up.ns.time"), 1) / _SECOND
        rates = [
            max(0, counter(now, name) - counter(past, name)) / passed
            for name in ("get.size", "get.n", "put.size", "put.n")
        ]
        cells.append(
            (
                row.id,
                f"{size_text(round(rates[0]), options.units)}/s",
                f"{rates[1]:.1f}",
                f"{size_text(round(rates[2]), options.units)}/s",
                f"{rates[3]:.1f}",
                str(max(0, _errors(now) - _errors(past))),
            )
        )
    return header, cells


def _seconds(text: str) -> float:
    number, unit = (text[:-2], 1000) if text.endswith("ms") else (text.removesuffix("s"), 1)
    try:
        seconds = float(number or "1") / unit
    except ValueError:
        seconds = 0.0
    if not 0.01 <= seconds <= 3600:
        raise Failure(f'--refresh is a duration such as 500ms or 10s, not "{text}"')
    return seconds


def _latency(rows: list[Daemon]) -> _Table:
    header = ("TARGET", *(f"{shown}(latency)" for shown, _ in _TIMED))
    return header, [(row.id, *(_mean(row.told, name) for _, name in _TIMED)) for row in rows]


def _mean(told: Mapping[str, Any], name: str) -> str:
    count = counter(told, f"{name}.n")
    return f"{counter(told, f'{name}.ns.total') / count / 1e6:.2f}ms" if count else "-"


def _capacity(rows: list[Daemon], units: str) -> _Table:
    header = ("TARGET", "USED", "AVAIL", "USED(%, max)", "ALERT")
    return header, [
        (
            row.id,
            size_text(int(row.told["capacity"]["total_used"]), units),
            size_text(int(row.told["capacity"]["total_avail"]), units),
            f"{row.told['capacity']['pct_max']}%",
            row.told["capacity"]["cs_err"] or "-",
        )
        for row in rows
    ]
