"""The capacity model of docs/scale-out.md: from measured costs to a billion objects and a hundred
gateways.

`python scripts/capacity.py` prints the tables; with `--write` it puts them into the page. Change a
cost below when it was measured again, here or on your own machines; nothing else needs changing.
The arithmetic is all there is: no cost is assumed that is not in the first table.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

PAGE: Final = Path(__file__).parents[1] / "docs" / "scale-out.md"
BEGIN: Final = "<!-- capacity: begin -->\n"
END: Final = "<!-- capacity: end -->\n"

DAY: Final = 86_400
GIB: Final = 1 << 30

# How much of a core is planned with: above, waiting times grow steeply.
LOAD: Final = 0.7
WORKERS: Final = 8  # a gateway: one a core
CONNECTIONS: Final = 5  # a worker: lanes and readers of aisle.store.postgres.index
DATABASE_CORES: Final = 32
# Transaction ids after which PostgreSQL would have to stop: 2^31, less its margin.
WRAPAROUND: Final = 2_000_000_000


@dataclass(frozen=True, slots=True)
class Operation:
    """What one operation costs: CPU microseconds of the gateway and of PostgreSQL, transaction
    ids, bytes of write-ahead log; the latter two for operations in groups."""

    name: str
    gateway: float
    database: float
    ids: float = 0.0
    log: float = 0.0


# Measured: one worker, 32 connections of clients, 4 KiB bodies (which are rows). See the page.
GET: Final = Operation("GET 4 KiB", gateway=174, database=23)
PUT: Final = Operation("PUT 4 KiB", gateway=321, database=114, ids=0.132, log=5324)
DELETE: Final = Operation("DELETE 4 KiB", gateway=270, database=87)
PAGE_OF_KEYS: Final = Operation("list a page of 1,000", gateway=3419, database=897)
SMALL: Final = (GET, PUT, DELETE, PAGE_OF_KEYS)
# The same with 2 connections: hardly two requests at a time share a transaction.
GET_ALONE: Final = Operation("GET 4 KiB", gateway=323, database=74)
PUT_ALONE: Final = Operation("PUT 4 KiB", gateway=956, database=447, ids=0.767, log=5535)

# CPU seconds a GiB: gateway, PostgreSQL, all OSDs together. 64 MiB objects, 4 at a time.
GET_LARGE: Final = (1.79, 0.07, 1.24)
PUT_LARGE: Final = (5.24, 0.04, 4.13)

# A worker without any requests: CPU seconds of PostgreSQL a second, transactions a second.
IDLE_DATABASE: Final = 0.002
IDLE_TRANSACTIONS: Final = 12.4

# Bytes on disk for an object with a key of 60 bytes, keys in random order: its row in table and
# index; and what a body of 4 KiB adds.
ROW: Final = {"PostgreSQL": 372 + 137, "SQLite": 392}
BODY: Final = {"PostgreSQL": 5652, "SQLite": 4636}
# The part of it that has to be in memory for reads to be fast: the index of keys.
KEYS: Final = 137


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [list(head), ["---", *("---:" for _ in head[1:])], *map(list, rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def number(value: float) -> str:
    """Two or three digits that count, which is more than the measurements are good for."""
    if value >= 100:
        digits = len(str(int(value))) - 2
        return f"{round(value / 10**digits) * 10**digits:,}"
    return f"{value:.2g}"


def size(value: float) -> str:
    for unit in ("B", "KB", "MB", "GB", "TB", "PB"):
        if value < 1000 or unit == "PB":
            break
        value /= 1000
    return f"{number(value)} {unit}"


def index_size() -> str:
    rows = [
        (
            f"{count:,}",
            size(count * ROW["SQLite"]),
            size(count * ROW["PostgreSQL"]),
            size(count * KEYS),
            size(count * (ROW["PostgreSQL"] + BODY["PostgreSQL"])),
        )
        for count in (10**6, 10**8, 10**9)
    ]
    head = (
        "Objects", "SQLite, rows", "PostgreSQL, rows", "of which index of keys",
        "PostgreSQL, rows and bodies of 4 KiB",
    )  # fmt: skip
    return table(head, rows)


def gateways() -> str:
    rows = []
    for count in (1, 10, 100):
        workers = count * WORKERS
        cpu = workers * LOAD
        rows.append(
            (
                f"{count}",
                f"{workers * CONNECTIONS:,}",
                number(workers * IDLE_TRANSACTIONS),
                f"{workers * IDLE_DATABASE:.2g}",
                number(cpu / GET_LARGE[0]),
                number(cpu / PUT_LARGE[0]),
                *(_bounded(cpu, each) for each in (GET, PUT)),
            )
        )
    head = (
        "Gateways", "connections", "idle transactions/s", "idle cores of the database",
        "GET 64 MiB, GiB/s", "PUT 64 MiB, GiB/s", "GET 4 KiB/s", "PUT 4 KiB/s",
    )  # fmt: skip
    return table(head, rows)


def _bounded(cpu: float, operation: Operation) -> str:
    """The rate of gateways with so many cores, or what one database server allows."""
    rate, most = cpu / operation.gateway * 1e6, DATABASE_CORES * LOAD / operation.database * 1e6
    return number(rate) if rate < most else f"{number(most)} (database)"


def database() -> str:
    """What one database server can answer, and how many gateways it takes to ask so much."""
    cpu = DATABASE_CORES * LOAD
    alone = {GET.name: GET_ALONE, PUT.name: PUT_ALONE}
    rows = []
    for each in SMALL:
        rate = cpu / each.database * 1e6
        worst = f"{number(cpu / alone[each.name].database * 1e6)}" if each.name in alone else "-"
        rows.append(
            (
                each.name,
                number(rate),
                worst,
                number(rate * each.gateway / 1e6 / LOAD / WORKERS),
                size(rate * each.log) + "/s" if each.log else "-",
                f"{WRAPAROUND / (rate * each.ids) / 3600:.0f} h" if each.ids else "-",
            )
        )
    head = (
        f"{DATABASE_CORES} cores of PostgreSQL", "operations/s, in groups", "/s, alone",
        f"gateways of {WORKERS} cores to ask so much", "write-ahead log",
        "transaction ids used up after",
    )  # fmt: skip
    return table(head, rows)


def billion() -> str:
    """Clusters of a billion objects, by what each part has to bear."""
    cores = 100 * WORKERS * LOAD
    objects = 10**9
    rows = []
    for name, body, copies, small in (
        ("4 KiB objects", 4096, 0.0, True),
        ("4 MiB objects, 3 copies", 4 << 20, 3.0, False),
        ("4 MiB objects, 4+2 coded", 4 << 20, 1.5, False),
    ):
        rows.append(
            (
                name,
                size(objects * body),
                size(objects * (ROW["PostgreSQL"] + (BODY["PostgreSQL"] if small else 0))),
                size(objects * body * copies) if copies else "none",
                size(objects * PUT.log) if small else "not measured",
                _duration(objects * PUT.database / 1e6 / (DATABASE_CORES * LOAD)),
                _duration(
                    objects * PUT.gateway / 1e6 / cores
                    if small
                    else objects * body / GIB * PUT_LARGE[0] / cores
                ),
            )
        )
    head = (
        "A billion", "data", "database", "in Ceph",
        "log written to load it", "to load it: database alone", "100 gateways alone",
    )  # fmt: skip
    return table(head, rows)


def _duration(seconds: float) -> str:
    if seconds < 2 * DAY:
        return f"{seconds / 3600:.1f} h"
    return f"{seconds / DAY:.0f} days"


def render() -> str:
    parts = (
        ("**Index size.**", index_size()),
        (f"**Gateways** of {WORKERS} workers on {WORKERS} cores, at {LOAD:.0%} CPU.", gateways()),
        (f"**One database server** at {LOAD:.0%} CPU.", database()),
        ("**A billion objects.**", billion()),
    )
    return "\n".join(f"{title}\n\n{text}" for title, text in parts)


def main() -> None:
    if "--write" not in sys.argv[1:]:
        print(render())
        return
    page = PAGE.read_text()
    before, rest = page.split(BEGIN)
    after = rest.split(END)[1]
    PAGE.write_text(f"{before}{BEGIN}\n{render()}\n{END}{after}")


if __name__ == "__main__":
    main()
