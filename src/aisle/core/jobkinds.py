"""The names of AIStore's kinds of jobs: on the wire, and as its command line shows them.

Which of them this store can do, and how, is in `aisle.jobs.kinds`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

DISPLAYED: Final[Mapping[str, str]] = {
    "rebalance": "rebalance",
    "resilver": "resilver",
    "election": "election",
    "lru": "lru-eviction",
    "cleanup-store": "cleanup",
    "summary-bck": "summary",
    "summary-shard": "summary-shard",
    "rechunk": "rechunk",
    "index-shard": "index-shard",
    "ec-get": "ec-get",
    "ec-put": "ec-put",
    "ec-resp": "ec-resp",
    "ec-encode": "ec-bucket",
    "put-copies": "put-copies",
    "make-n-copies": "mirror",
    "archive": "archive",
    "copy-listrange": "copy-objects",
    "etl-listrange": "etl-objects",
    "delete-listrange": "delete-objects",
    "evict-listrange": "evict-objects",
    "prefetch-listrange": "prefetch-objects",
    "blob-download": "blob-download",
    "download": "download",
    "dsort": "dsort",
    "promote": "promote-files",
    "move-bck": "rename-bucket",
    "copy-bck": "copy-bucket",
    "etl-bck": "etl-bucket",
    "etl-inline": "etl-inline",
    "evict-remote-bck": "evict-remote-bucket",
    "list": "list",
    "get-batch": "get-batch",
    "create-inventory": "create-inventory",
    "write-inventory": "write-inventory",
    "load-lom-cache": "warm-up-metadata",
    "rotate-keys": "rotate-keys",
    "lifecycle": "lifecycle",
    "replicate-bck": "replicate-bucket",
}


def displayed(kind: str) -> str:
    """A kind as it is shown; one that is not known as it is."""
    return DISPLAYED.get(kind, kind)


def named(word: str) -> frozenset[str]:
    """The kinds that a word names: one by either name, or all of a family such as `copy`."""
    exact = {kind for kind, shown in DISPLAYED.items() if word in (kind, shown)}
    start = f"{word}-"
    family = {
        kind
        for kind, shown in DISPLAYED.items()
        if kind.startswith(start) or shown.startswith(start)
    }
    return frozenset(exact or family)
