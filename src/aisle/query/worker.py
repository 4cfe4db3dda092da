"""The process of one query: `python -I -m aisle.query.worker`.

From its standard input it reads an `Order` (a length and MessagePack) and then the object's bytes,
as many as it needs; to its standard output it writes frames: a letter, a length and data. R are
records, P what it has read so far (`PROGRESS`), E the end (the same numbers), X an error (code and
message, MessagePack). Of a Parquet object it is given a file that is open.

It holds itself to limits before it does anything (`sandbox`); DuckDB has no files, no extensions
and no settings that a query could reach, and its tables are this process's own pipe.
"""

from __future__ import annotations

import contextlib
import os
import struct
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from importlib import import_module
from typing import Any, Final

import msgspec

from aisle.query import duck, sandbox
from aisle.query.errors import QueryError
from aisle.query.packing import unpacked
from aisle.query.records import LONGEST, Lines, Sample, Trim, sample
from aisle.query.shapes import ANY, BOOL, NUMBER, TEXT, TIME, Column, Order, Range
from aisle.query.sql import ROW, Source, quoted
from aisle.query.syntax import parse

HEAD: Final = struct.Struct(">cI")
LENGTH: Final = struct.Struct(">I")
PROGRESS: Final = struct.Struct(">QQQ")
LACKING: Final = 4  # the status without DuckDB
_PIECE: Final = 1 << 18
_FRAME: Final = 256 << 10
_SAMPLE: Final = 64 << 10
_ROWS: Final = 2048
_TELL_SECONDS: Final = 0.5
_SPARE: Final = 8  # columns for records with more fields than any of the first
_NO_TEXT: Final = "\x01\x03null\x03\x01"  # what no field is, for what stands for NULL
_MEGABYTE: Final = 1 << 20
_STANDARD: Final = frozenset({"\n", "\r\n"})


class _Counts:
    """Bytes of the object that were read, that were unpacked, and that were answered."""

    scanned = 0
    processed = 0
    returned = 0

    def packed(self) -> bytes:
        return PROGRESS.pack(self.scanned, self.processed, self.returned)


class _Out:
    """Frames to the standard output, from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()

    def frame(self, letter: bytes, data: bytes) -> None:
        whole = memoryview(HEAD.pack(letter, len(data)) + data)
        with self._lock:
            while whole:
                whole = whole[os.write(1, whole) :]


class _Feed:
    """The object's bytes on their way into DuckDB: unpacked, cut to the range, with lines."""

    def __init__(self, order: Order, counts: _Counts) -> None:
        self._order = order
        self._counts = counts
        self._pieces = self._trimmed()
        self.error: BaseException | None = None

    def begin(self) -> tuple[bytes, bool]:
        """The first bytes, enough for a look at them, and whether these are all."""
        data, wanted = b"", _SAMPLE
        while len(data) < wanted:
            piece = next(self._pieces, None)
            if piece is None:
                return data, True
            data += piece
            if len(data) >= wanted and b"\n" not in data and len(data) <= LONGEST:
                wanted = min(len(data) * 2, LONGEST + 1)
        return data, False

    def run(self, first: bytes, to: int) -> None:
        """Write `first` and all that follows to a pipe, in a thread of its own."""
        try:
            with open(to, "wb", buffering=0) as pipe:
                pipe.write(first)
                for piece in self._pieces:
                    view = memoryview(piece)
                    while view:
                        view = view[pipe.write(view) :]
        except BrokenPipeError:
            pass  # no more is needed
        except BaseException as error:  # told by the thread that waits for it
            self.error = error

    def _read(self) -> Iterator[bytes]:
        while data := os.read(0, _PIECE):
            self._counts.scanned += len(data)
            yield data

    def _counted(self) -> Iterator[bytes]:
        for piece in unpacked(self._read(), self._order.input.compression):
            self._counts.processed += len(piece)
            yield piece

    def _trimmed(self) -> Iterator[bytes]:
        order = self._order
        record = order.input.record.encode()
        trim = Trim(order.range, order.at, record)
        lines = Lines(record) if order.input.record not in _STANDARD else None
        for piece in self._counted():
            data = trim.feed(piece)
            if lines is not None:
                data = lines.feed(data)
            if data:
                yield data
            if trim.done:
                break
        rest = trim.finish()
        if lines is not None:
            rest = lines.feed(rest) + lines.finish()
        if rest:
            yield rest


def main() -> int:
    out, counts = _Out(), _Counts()
    order = _order()
    sandbox.limit(memory=order.limits.memory, seconds=order.limits.seconds)
    sys.setrecursionlimit(10_000)
    try:
        duckdb = import_module("duckdb")
    except ModuleNotFoundError:
        return LACKING
    try:
        _perform(duckdb, order, out, counts)
    except QueryError as error:
        _tell(out, error.code, str(error))
    except (MemoryError, duckdb.OutOfMemoryException):
        _tell(out, *_MEMORY)
    except duckdb.Error as error:
        _tell(out, *_told(duckdb, order, error))
    else:
        out.frame(b"E", counts.packed())
    return 0


_MEMORY: Final = (
    "ExternalEvalException",
    "The query can't be evaluated: it takes more memory than a query may have.",
)


def _tell(out: _Out, code: str, message: str) -> None:
    out.frame(b"X", msgspec.msgpack.encode((code, message)))


def _order() -> Order:
    with open(0, "rb", buffering=0, closefd=False) as pipe:
        size = LENGTH.unpack(_exactly(pipe, LENGTH.size))[0]
        return msgspec.msgpack.decode(_exactly(pipe, size), type=Order)


def _exactly(pipe: Any, size: int) -> bytes:
    data = b""
    while len(data) < size:
        piece = pipe.read(size - len(data))
        if not piece:
            raise EOFError
        data += piece
    return data


def _perform(duckdb: Any, order: Order, out: _Out, counts: _Counts) -> None:
    query = parse(order.expression)
    feed = None
    if order.input.format == "Parquet":
        link = _open(duckdb, order, order.path)
        size = os.stat(order.path).st_size
        counts.scanned = counts.processed = size
        source = _parquet(link, order.path, order.range)
        close = None
    else:
        feed = _Feed(order, counts)
        first, whole = feed.begin()
        reading, writing = os.pipe()
        link = _open(duckdb, order, f"/dev/fd/{reading}")
        if order.input.format == "CSV":
            source, skipped = _csv(order, f"/dev/fd/{reading}", first, whole)
            first = first[skipped:]
        else:
            source = _json(order, f"/dev/fd/{reading}")
        close = (feed, first, writing)
    sql = duck.statement(query, source, order.output)
    sandbox.close()
    threading.Thread(target=_tick, args=(out, counts), daemon=True).start()
    feeder = None
    if close is not None:
        feed, first, writing = close
        feeder = threading.Thread(target=feed.run, args=(first, writing), daemon=True)
        feeder.start()
    try:
        if query.limit != 0:
            _answer(link, sql, order, out, counts)
    except duckdb.Error:
        _raise_first(feed, feeder, wait=True)
        raise
    _raise_first(feed, feeder, wait=False)


def _raise_first(feed: _Feed | None, feeder: threading.Thread | None, *, wait: bool) -> None:
    """What went wrong before it reached DuckDB is what went wrong."""
    if feed is None or feeder is None:
        return
    feeder.join(_TELL_SECONDS if wait else 0.05)
    if feed.error is not None:
        raise feed.error


def _tick(out: _Out, counts: _Counts) -> None:
    while True:
        time.sleep(_TELL_SECONDS)
        with contextlib.suppress(OSError):
            out.frame(b"P", counts.packed())


def _answer(link: Any, sql: str, order: Order, out: _Out, counts: _Counts) -> None:
    end = order.output.record
    result = link.execute(sql)
    held: list[bytes] = []
    size = 0
    while rows := result.fetchmany(_ROWS):
        data = "".join([f"{row[0]}{end}" for row in rows]).encode()
        held.append(data)
        size += len(data)
        if size >= _FRAME:
            counts.returned += size
            out.frame(b"R", b"".join(held))
            held, size = [], 0
    if size:
        counts.returned += size
        out.frame(b"R", b"".join(held))


# --- DuckDB -----------------------------------------------------------------------------------


def _open(duckdb: Any, order: Order, path: str) -> Any:
    """A database in memory that can read the one file and nothing else, for good."""
    link = duckdb.connect(
        ":memory:",
        config={
            "autoinstall_known_extensions": "false",
            "autoload_known_extensions": "false",
            "allow_community_extensions": "false",
            "python_enable_replacements": "false",
            "memory_limit": f"{order.limits.memory * 3 // 4}B",
            "threads": str(order.limits.threads),
            "temp_directory": "",
        },
    )
    link.execute("SET TimeZone = 'UTC'")
    link.execute(f"SET allowed_paths = [{quoted(path)}]")
    link.execute("SET enable_external_access = false")
    link.execute("SET lock_configuration = true")
    return link


def _csv(order: Order, path: str, first: bytes, whole: bool) -> tuple[Source, int]:
    """The table that a CSV object is, and how many of its first bytes are no data."""
    shape = order.input
    apart = order.range.start > 0  # the header is not in what comes
    look = Sample((), 0, 0)
    if shape.header == "USE" and apart:
        data = Lines(shape.record.encode())
        head = order.head if shape.record in _STANDARD else data.feed(order.head) + data.finish()
        names = sample(head, shape, headed=True, whole=False).names
        look = sample(first, shape, headed=False, whole=whole)
    else:
        headed = shape.header != "NONE" and not apart
        look = sample(first, shape, headed=headed, whole=whole)
        names = look.names if shape.header == "USE" else ()
    count = max(len(names), look.columns)
    total = count + _SPARE
    columns = []
    for number in range(1, total + 1):
        name = names[number - 1] if number <= len(names) else f"_{number}"
        columns.append(Column(name, _field(f"c{number}", shape.record)))
    declared = ", ".join(f"'c{number}': 'VARCHAR'" for number in range(1, total + 1))
    options = [
        "auto_detect = false", "header = false", "null_padding = true", "strict_mode = false",
        "parallel = false", f"columns = {{{declared}}}", f"delim = {quoted(shape.field)}",
        f"quote = {quoted(shape.quote)}", f"escape = {quoted(shape.escape or shape.quote)}",
        f"nullstr = {quoted(_NO_TEXT)}", f"max_line_size = {2 * LONGEST}",
    ]  # fmt: skip
    if shape.comment:
        options.append(f"comment = {quoted(shape.comment)}")
    # Of a record with more fields than there are columns the rest would be lost without a word.
    text = (
        f"SELECT * FROM read_csv({quoted(path)}, {', '.join(options)})"  # noqa: S608 - quoted
        f" WHERE CASE WHEN c{total} IS NULL THEN true ELSE CAST(error('csv error') AS BOOLEAN) END"
    )
    return Source(text, tuple(columns)), look.start


def _field(column: str, record: str) -> str:
    """The field of a record as it was, if its lines were not lines."""
    if record in _STANDARD:
        return column
    ends = f"replace({column}, chr(10), {quoted(record)})"
    return f"replace(replace({ends}, chr(1), chr(10)), chr(2), chr(13))"


def _json(order: Order, path: str) -> Source:
    kind = "unstructured" if order.input.document else "newline_delimited"
    text = (
        f"SELECT CASE WHEN strlen(CAST(json AS VARCHAR)) > {LONGEST} THEN"  # noqa: S608 - quoted
        f" CAST(error('OverMaxRecordSize') AS JSON) ELSE json END AS {ROW}"
        f" FROM read_json_objects({quoted(path)}, format = '{kind}',"
        f" maximum_object_size = {16 * _MEGABYTE})"
    )
    return Source(text, None)


# The kinds of Parquet's columns by the beginning of what DuckDB calls them; other ones are JSON.
_KINDS: Final = (
    (("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "UTINYINT", "USMALLINT", "UINTEGER",
      "UBIGINT", "UHUGEINT", "FLOAT", "DOUBLE", "DECIMAL"), NUMBER),
    (("BOOLEAN",), BOOL),
    (("TIMESTAMP", "DATE"), TIME),
    (("VARCHAR", "UUID", "ENUM", "TIME", "INTERVAL", "BLOB"), TEXT),
)  # fmt: skip


def _parquet(link: Any, path: str, part: Range) -> Source:
    """The rows of a file, or of those row groups whose first byte is in a part of it."""
    text = f"SELECT * FROM read_parquet({quoted(path)})"  # noqa: S608 - quoted
    if part != Range():
        rows = " OR ".join(
            f"file_row_number BETWEEN {first} AND {last}"
            for first, last in _rows(link.execute(_GROUPS, [path]).fetchall(), part)
        )
        text = (
            "SELECT * EXCLUDE (file_row_number) FROM"  # noqa: S608 - quoted, and numbers
            f" read_parquet({quoted(path)}, file_row_number = true) WHERE {rows or 'false'}"
        )
    found = link.execute(f"DESCRIBE {text}").fetchall()
    if len(found) > 4096:
        raise QueryError("OverMaxColumn", "The number of columns in the file is too large.")
    columns = []
    renamed = []
    for number, (name, kind, *_) in enumerate(found, 1):
        columns.append(_typed(name, f"c{number}", kind))
        renamed.append(f"c{number}")
    return Source(f"SELECT * FROM ({text}) AS p({', '.join(renamed)})", tuple(columns), True)  # noqa: S608


# How many rows each row group has, and its first byte: that of a dictionary, if there is one.
_GROUPS: Final = """
    SELECT any_value(row_group_num_rows),
        min(CASE WHEN dictionary_page_offset > 0
            THEN least(dictionary_page_offset, data_page_offset) ELSE data_page_offset END)
    FROM parquet_metadata(?) GROUP BY row_group_id ORDER BY row_group_id
"""


def _rows(groups: Iterable[tuple[int, int]], part: Range) -> list[tuple[int, int]]:
    """The first and the last row of each run of groups that begin in a part of the file."""
    runs: list[tuple[int, int]] = []
    row = 0
    for rows, begin in groups:
        if rows and part.start <= begin and (part.stop is None or begin < part.stop):
            if runs and runs[-1][1] == row - 1:
                runs[-1] = (runs[-1][0], row + rows - 1)
            else:
                runs.append((row, row + rows - 1))
        row += rows
    return runs


def _typed(name: str, sql: str, told: str) -> Column:
    if not told.endswith("]"):
        for beginnings, kind in _KINDS:
            if told.startswith(beginnings):
                if kind == TIME:
                    with_zone = told.endswith("WITH TIME ZONE")
                    moment = f"{sql} AT TIME ZONE 'UTC'" if with_zone else sql
                    return Column(name, f"CAST({moment} AS TIMESTAMP)", TIME)
                if kind == TEXT and told != "VARCHAR":
                    return Column(name, f"CAST({sql} AS VARCHAR)", TEXT)
                return Column(name, sql, kind)
    return Column(name, f"CASE WHEN {sql} IS NULL THEN NULL ELSE to_json({sql}) END", ANY)


def _told(duckdb: Any, order: Order, error: Exception) -> tuple[str, str]:
    """An error of DuckDB's by S3's code. Its own text, which has pieces of the object and of SQL
    that nobody has written in it, is not told."""
    text = str(error)
    low = text.lower()
    if "overmaxrecordsize" in low or "maximum line size" in low or "maximum_object_size" in low:
        return "OverMaxRecordSize", "The length of a record is greater than 1 MB."
    if "utf-8" in low or "unicode" in low or "utf8" in low:
        return "InvalidTextEncoding", "The encoding type is not valid: only UTF-8 is supported."
    if isinstance(error, duckdb.ConversionException):
        return "CastFailed", "An attempt to convert from one data type to another failed."
    if isinstance(error, duckdb.OutOfRangeException):
        return "IntegerOverflow", "An integer overflow or underflow occurred."
    if "csv error" in low:
        return "CSVParsingError", "Encountered an error parsing the CSV file."
    if "malformed json" in low or ("json" in low and order.input.format == "JSON"):
        return "JSONParsingError", "Encountered an error parsing the JSON file."
    if order.input.format == "Parquet" and ("parquet" in low or "magic" in low or "thrift" in low):
        return "ParquetParsingError", "Encountered an error parsing the Parquet file."
    if isinstance(error, duckdb.BinderException):
        return (
            "IncorrectSqlFunctionArgumentType",
            "An incorrect argument type was specified in a function call of the expression.",
        )
    return "EvaluatorInvalidArguments", "The expression cannot be evaluated with these values."


if __name__ == "__main__":
    status = main()
    # A thread that still reads or writes must not keep the process.
    os._exit(status)
