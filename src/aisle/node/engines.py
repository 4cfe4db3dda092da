"""Which engines serve: the table of URL schemes, and their opening.

The engines of a cluster need packages of an extra, so their modules are imported by name when an
option asks for them. Everything that keeps an engine from opening is a `ConfigError`.
"""

from __future__ import annotations

import importlib
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec

from aisle.core.errors import ConfigError, RowChanged
from aisle.namespace.store import RETRIES, store_id
from aisle.node.options import NodeOptions
from aisle.store.base import ABSENT, Blobs, Check, Index, Put
from aisle.store.epoch import Epoch
from aisle.store.files import Durability, FileBlobs
from aisle.store.sqlite import SqliteIndex, shares

# URL scheme -> module, class, and what to install for it.
ENGINES: Final = {
    "postgresql": ("aisle.store.postgres.index", "PostgresIndex", "the extra aisle[postgres]"),
    "postgres": ("aisle.store.postgres.index", "PostgresIndex", "the extra aisle[postgres]"),
    "rados": ("aisle.store.rados.blobs", "RadosBlobs", "Debian's package python3-rados"),
    "s3": ("aisle.store.s3.blobs", "S3Blobs", "the extra aisle[s3]"),
}


@dataclass(frozen=True, slots=True)
class Engines:
    """The two ports of one process."""

    index: Index
    blobs: Blobs

    async def close(self) -> None:
        await self.blobs.close()
        await self.index.close()


async def open_engines(options: NodeOptions, epoch: Epoch | None = None) -> Engines:
    """Open what the options name. Raises `ConfigError` and `StoreError`."""
    index = await open_index(options, epoch)
    try:
        return Engines(index, await _open_blobs(options, index))
    except BaseException:
        await index.close()
        raise


async def open_index(options: NodeOptions, epoch: Epoch | None = None) -> Index:
    """Open where the rows are. Raises `ConfigError` and `StoreError`."""
    if options.index:
        index: Index = await _engine(options.index).open(options.index)
        return index
    return SqliteIndex.open(
        options.data / "index.db",
        durability=_durability(options),
        epoch=epoch,
        recent=shares(options.row_cache // options.workers),
    )


async def _open_blobs(options: NodeOptions, index: Index) -> Blobs:
    store = await store_id(index)
    if not options.blobs:
        files = FileBlobs.mount(options.mountpaths, store=store, durability=_durability(options))
        await check_mountpaths(index, files, forget=options.forget_mountpath)
        return files
    engine = _engine(options.blobs)
    if urlsplit(options.blobs).scheme == "s3":
        keys = {
            "access_key": options.blobs_access_key,
            "secret_key": options.blobs_secret_key,
        }
    else:
        keys = {}
    blobs: Blobs = await engine.connect(options.blobs, store=store, **keys)
    return blobs


def _durability(options: NodeOptions) -> Durability:
    return "relaxed" if options.durability == "relaxed" else "strict"


def _engine(url: str) -> Any:
    """The class that serves URLs of this scheme."""
    scheme = urlsplit(url).scheme
    module, name, needs = ENGINES[scheme]
    try:
        return getattr(importlib.import_module(module), name)
    except ModuleNotFoundError as error:
        raise ConfigError(f"{scheme}:// needs {needs} ({error})") from None


async def check_mountpaths(index: Index, blobs: FileBlobs, *, forget: bool) -> None:
    """Refuse to start without a mountpath that held data: a disk that is not mounted looks like
    an empty directory. Raises `ConfigError`."""
    present = sorted(mountpath.ident.hex() for mountpath in blobs.mountpaths)
    for _ in range(RETRIES):
        row = await index.get("config", b"mountpaths")
        known: list[str] = msgspec.json.decode(row, type=list[str]) if row else []
        missing = sorted(set(known) - set(present))
        if missing and not forget:
            raise ConfigError(
                f"{len(missing)} of the {len(known)} mountpaths that hold this node's data are"
                " missing or empty: mount and name them, or start once with --forget-mountpath to"
                " give up what is on them"
            )
        if known == present:
            return
        with suppress(RowChanged):
            check = Check("config", b"mountpaths", ABSENT if row is None else row)
            await index.commit(check, Put("config", b"mountpaths", msgspec.json.encode(present)))
