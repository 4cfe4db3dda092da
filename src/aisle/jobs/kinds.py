"""THE table of job kinds: AIStore's names, how they end, and the work behind those that run here.

`api` shows every kind that it knows by name; only one with `work` can be submitted. The work itself
is in `aisle.jobs.work`, one module a family.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from aisle.core.jobkinds import DISPLAYED
from aisle.jobs.task import Task
from aisle.jobs.work.archive import archive_objects
from aisle.jobs.work.copy import copy_objects
from aisle.jobs.work.delete import delete_objects
from aisle.jobs.work.evict import evict_bucket, evict_objects
from aisle.jobs.work.inventory import create_inventory
from aisle.jobs.work.lifecycle import apply_lifecycle
from aisle.jobs.work.listing import write_inventory
from aisle.jobs.work.lru import evict_least_recent
from aisle.jobs.work.prefetch import download_blob, prefetch_objects
from aisle.jobs.work.promote import promoting
from aisle.jobs.work.rename import move_bucket
from aisle.jobs.work.replicate import replicate_existing
from aisle.jobs.work.rotate import rotate_keys
from aisle.jobs.work.summary import summarise
from aisle.jobs.work.upkeep import clean, nothing, warm

Work = Callable[[Task], Awaitable[object]]


@dataclass(frozen=True, slots=True)
class Kind:
    """A row. What `work` returns is kept as the job's result. Clients wait for a kind that `idles`
    until it has nothing left to do. One that `starts` is begun by its name alone, any other by a
    request of its own."""

    name: str
    work: Work | None = None
    idles: bool = False
    starts: bool = False


_ROWS: Final = (
    Kind("rebalance", nothing, starts=True),
    Kind("resilver", nothing, starts=True),
    Kind("election"),
    Kind("lru", evict_least_recent, starts=True),
    Kind("cleanup-store", clean, starts=True),
    Kind("summary-bck", summarise),
    Kind("summary-shard"),
    Kind("rechunk"),
    Kind("index-shard"),
    Kind("ec-get", idles=True),
    Kind("ec-put", idles=True),
    Kind("ec-resp", idles=True),
    Kind("ec-encode"),
    Kind("put-copies", idles=True),
    Kind("make-n-copies"),
    Kind("archive", archive_objects, idles=True),
    Kind("copy-listrange", copy_objects, idles=True),
    Kind("etl-listrange", idles=True),
    Kind("delete-listrange", delete_objects),
    Kind("evict-listrange", evict_objects),
    Kind("prefetch-listrange", prefetch_objects),
    Kind("blob-download", download_blob),
    Kind("download", idles=True),
    Kind("dsort"),
    Kind("promote", promoting(None)),
    Kind("move-bck", move_bucket),
    Kind("copy-bck", copy_objects),
    Kind("etl-bck"),
    Kind("etl-inline"),
    Kind("evict-remote-bck", evict_bucket),
    Kind("list", idles=True),
    Kind("get-batch", idles=True),
    Kind("create-inventory", create_inventory),
    Kind("write-inventory", write_inventory),
    Kind("load-lom-cache", warm, starts=True),
    Kind("rotate-keys", rotate_keys, starts=True),
    Kind("lifecycle", apply_lifecycle, starts=True),
    Kind("replicate-bck", replicate_existing, starts=True),
)
KINDS: Final[Mapping[str, Kind]] = {row.name: row for row in _ROWS}
_DISPLAYED: Final = {shown: name for name, shown in DISPLAYED.items()}


def with_promotion(root: Path | None) -> Mapping[str, Kind]:
    """The kinds of a node below whose directory `root` files may be promoted."""
    return {**KINDS, "promote": replace(KINDS["promote"], work=promoting(root))}


def find(name: str) -> Kind | None:
    """The kind of that name, or of the one that the command line shows."""
    return KINDS.get(_DISPLAYED.get(name, name))
