"""Reading inventories of format ORC and Parquet, with PyArrow (`aisle[inventory]`).

Only the columns that entries are made of are read, a batch (Parquet) or a stripe (ORC) at a time.
What cannot be read is an `InventoryDamaged`. The libraries below are not made for hostile files:
this runs in the process of `child`, never in one that serves.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import IO, Any, Final

from aisle.core.errors import InventoryDamaged
from aisle.namespace.window.inventory import entries
from aisle.namespace.window.inventory.manifest import plain
from aisle.store.base import Row

# The columns that entries are made of.
_WANTED: Final = frozenset(
    {"bucket", "key", "versionid", "islatest", "isdeletemarker"}
    | {"size", "lastmodifieddate", "etag", "storageclass"}
)
_MILLISECONDS: Final = 1_000_000  # a column of plain numbers counts them, in nanoseconds


def read(file: IO[bytes], kind: str, bucket: str, *, batch: int) -> Iterator[list[Row]]:
    """The rows of a file of this format, up to `batch` records at a time."""
    arrow = import_module("pyarrow")
    try:
        for table in _READERS[kind](file, batch):
            yield from _rows(arrow, table, bucket, batch)
    except (arrow.ArrowException, OSError, ValueError) as error:
        text = str(error).partition("\n")[0][:300]
        raise InventoryDamaged(f"it is no whole {kind} file: {text}") from None


def _parquet(file: IO[bytes], batch: int) -> Iterator[Any]:
    source = import_module("pyarrow.parquet").ParquetFile(file, pre_buffer=False)
    names = _columns(source.schema_arrow.names)
    yield from source.iter_batches(batch_size=batch, columns=names, use_threads=False)


def _orc(file: IO[bytes], batch: int) -> Iterator[Any]:
    source = import_module("pyarrow.orc").ORCFile(file)
    names = _columns(source.schema.names)
    for stripe in range(source.nstripes):
        yield source.read_stripe(stripe, columns=names)


_READERS: Final[Mapping[str, Any]] = {"Parquet": _parquet, "ORC": _orc}


def _columns(names: list[str]) -> list[str]:
    return [name for name in names if plain(name) in _WANTED]


def _rows(arrow: Any, table: Any, bucket: str, batch: int) -> Iterator[list[Row]]:
    names = [plain(name) for name in table.schema.names]
    make = entries.maker(names, bucket, key_of=_text)
    for start in range(0, table.num_rows, batch):
        part = table.slice(start, batch)
        columns = [
            _values(arrow, part.column(at), is_time=name == "lastmodifieddate")
            for at, name in enumerate(names)
        ]
        found = map(make, zip(*columns, strict=True))
        yield [row for row in found if row is not None]


def _values(arrow: Any, column: Any, *, is_time: bool) -> list[Any]:
    """The values of a column as `entries` takes them: times in nanoseconds, the rest as it is."""
    if not is_time or arrow.types.is_string(column.type):
        values: list[Any] = column.to_pylist()
        return values
    if arrow.types.is_timestamp(column.type):
        return _numbers(arrow, column.cast(arrow.timestamp("ns", column.type.tz)), 1)
    return _numbers(arrow, column, _MILLISECONDS)


def _numbers(arrow: Any, column: Any, unit: int) -> list[Any]:
    return [value and value * unit for value in column.cast(arrow.int64()).to_pylist()]


def _text(key: Any) -> str:
    if not isinstance(key, str):
        raise InventoryDamaged("its column of keys is no text")
    return key
