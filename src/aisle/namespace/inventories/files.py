"""Writing one file of an inventory: records go in batch by batch, and out come bytes in a temporary
file, of CSV packed with gzip, of ORC or of Parquet (PyArrow, `aisle[inventory]`).

Writers are for a thread: nothing here touches a loop. They hold a batch of records at a time.
"""

from __future__ import annotations

import csv
import gzip
import io
import tempfile
from collections.abc import Sequence
from importlib import import_module
from typing import IO, Any, Final, Protocol

from aisle.namespace.inventories.columns import ALWAYS, Column, text

SUFFIXES: Final = {"CSV": "csv.gz", "ORC": "orc", "Parquet": "parquet"}
_LEVEL: Final = 4
_BATCH: Final = 10_000  # records of a row group or stripe are several of these
_MILLISECOND: Final = 1_000_000


class Writer(Protocol):
    """A file that is being written."""

    def add(self, records: Sequence[Sequence[Any]]) -> None: ...

    def size(self) -> int:
        """About how many bytes it has by now."""
        ...

    def finish(self) -> IO[bytes]:
        """The whole file, at its beginning. Whoever has it closes it."""
        ...

    def close(self) -> None:
        """Give up."""
        ...


class _Csv:
    def __init__(self, columns: Sequence[Column]) -> None:
        self._columns = columns
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 - closed by whoever gets it
        self._packed = gzip.GzipFile(fileobj=self._file, mode="wb", compresslevel=_LEVEL, mtime=0)

    def add(self, records: Sequence[Sequence[Any]]) -> None:
        out = io.StringIO()
        writer = csv.writer(out, quoting=csv.QUOTE_ALL, lineterminator="\n")
        columns = self._columns
        writer.writerows(
            [text(column, value) for column, value in zip(columns, record, strict=True)]
            for record in records
        )
        self._packed.write(out.getvalue().encode("utf-8", "replace"))

    def size(self) -> int:
        return self._file.tell()

    def finish(self) -> IO[bytes]:
        self._packed.close()
        self._file.seek(0)
        return self._file

    def close(self) -> None:
        self._file.close()


class _Columnar:
    def __init__(self, columns: Sequence[Column], format: str) -> None:
        arrow = import_module("pyarrow")
        types = {
            "string": arrow.string(), "boolean": arrow.bool_(), "bigint": arrow.int64(),
            "timestamp": arrow.timestamp("ms", tz="UTC" if format == "Parquet" else None),
        }  # fmt: skip
        self._arrow = arrow
        self._columns = columns
        self._schema = arrow.schema(
            [
                arrow.field(column.plain, types[column.type], nullable=column not in ALWAYS)
                for column in columns
            ]
        )
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 - closed by whoever gets it
        if format == "ORC":
            self._writer = import_module("pyarrow.orc").ORCWriter(self._file, compression="zlib")
        else:
            parquet = import_module("pyarrow.parquet")
            self._writer = parquet.ParquetWriter(self._file, self._schema, compression="snappy")
        self._records = 0

    def add(self, records: Sequence[Sequence[Any]]) -> None:
        arrays = []
        for place, column in enumerate(self._columns):
            values = [record[place] for record in records]
            if column.type == "timestamp":
                values = [None if value is None else value // _MILLISECOND for value in values]
            elif column.type == "string":
                values = [_clean(value) for value in values]
            arrays.append(self._arrow.array(values, self._schema.field(place).type))
        self._writer.write(self._arrow.Table.from_arrays(arrays, schema=self._schema))

    def size(self) -> int:
        return self._file.tell()

    def finish(self) -> IO[bytes]:
        if self._file.tell() == 0:
            self._writer.write(self._schema.empty_table())
        self._writer.close()
        self._file.seek(0)
        return self._file

    def close(self) -> None:
        self._file.close()


def _clean(value: str | None) -> str | None:
    """Text that Arrow takes: keys may have bytes that are no UTF-8."""
    return (
        None
        if value is None
        else value.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    )


def writer(format: str, columns: Sequence[Column]) -> Writer:
    """A writer of a new file. Raises `ModuleNotFoundError` without PyArrow where it is needed."""
    return _Csv(columns) if format == "CSV" else _Columnar(columns, format)
