"""A bucket's inventory configurations as values, and when the next inventory of each is due.

A configuration is a document of the bucket (`inventory/` and its id): S3's XML, as it is given
back, and beside it what the job needs. Its row of `scheduled` is committed with it, so that who
keeps house finds all of them without a look at every bucket.
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import Final

import msgspec

from aisle.namespace.records import Scheduled, encode
from aisle.namespace.records.encoding import reader
from aisle.namespace.store import BucketRow, Store
from aisle.store.base import Change, Delete, Put

KIND: Final = b"inventory/"
TABLE: Final = "scheduled"
DAY: Final = "inventory.day"
_DAYS: Final = {"Daily": 1, "Weekly": 7}


class Configuration(msgspec.Struct, frozen=True, array_like=True):
    """What one says. `destination` is a bucket's name; `fields` are the optional ones; `mode` and
    `key` are how what is written is to be encrypted, if they say."""

    xml: str
    id: str
    enabled: bool
    destination: str
    format: str
    prefix: str = ""
    only: str = ""
    versions: bool = False
    frequency: str = "Daily"
    fields: tuple[str, ...] = ()
    mode: str = ""
    key: str = ""


def pack(configuration: Configuration) -> bytes:
    return msgspec.msgpack.encode(configuration)


unpack: Final = reader(Configuration, "a configuration of inventories")


def document(identity: str) -> bytes:
    """The kind of the document of a configuration."""
    return KIND + identity.encode()


def row_key(bucket: BucketRow, identity: str) -> bytes:
    return bucket.record.id + identity.encode()


def scheduled(bucket: BucketRow, identity: str, now: int) -> Change:
    """The change by which the first inventory of a configuration is due."""
    name = bucket.record
    row = Scheduled([name.name, name.provider, name.namespace], now)
    return Put(TABLE, row_key(bucket, identity), encode(row))


def dropped(bucket: BucketRow, identity: str) -> Change:
    return Delete(TABLE, row_key(bucket, identity))


async def period(store: Store, configuration: Configuration) -> int:
    """How long after an inventory the next one is due, in ns."""
    return _DAYS[configuration.frequency] * await store.duration(DAY)


def writes(format: str) -> bool:
    """Whether this node can write files of that format."""
    return format == "CSV" or find_spec("pyarrow") is not None
