"""What a query is about and how its result is written: the serializations as values.

They are what a request says, checked and with S3's defaults filled in, and they go to the worker as
MessagePack. `Column`s are what the worker finds in the object before it runs anything.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import msgspec

# What becomes of a column or an attribute: text, number, bool, time, or any (JSON's values).
TEXT: Final = "text"
NUMBER: Final = "number"
BOOL: Final = "bool"
TIME: Final = "time"
ANY: Final = "any"
NOTHING: Final = "null"


class Column(NamedTuple):
    """A column of a table: its name, the SQL that reads it, and its kind."""

    name: str
    sql: str
    kind: str = TEXT


class Input(msgspec.Struct, frozen=True):
    """How the object is to be read. `format` is CSV, JSON or Parquet; `document` tells that JSON's
    values need not be lines."""

    format: str
    compression: str = "NONE"
    document: bool = False
    header: str = "NONE"
    field: str = ","
    record: str = "\n"
    quote: str = '"'
    escape: str = '"'
    comment: str = ""
    quoted_records: bool = False


class Output(msgspec.Struct, frozen=True):
    """How records are written: CSV or JSON."""

    format: str
    record: str = "\n"
    field: str = ","
    quote: str = '"'
    escape: str = '"'
    always: bool = False


class Range(msgspec.Struct, frozen=True):
    """The bytes in which records have to begin: from `start` to before `stop`, or to the end."""

    start: int = 0
    stop: int | None = None


class Limits(msgspec.Struct, frozen=True):
    """What one query may take: bytes of memory, seconds of its processors and of the clock, and
    bytes of a Parquet object."""

    memory: int = 512 << 20
    seconds: int = 300
    parquet: int = 8 << 30
    threads: int = 2


class Order(msgspec.Struct, frozen=True):
    """What the worker is told: the query, and what its input begins with. `at` is where in the
    object the first byte is that it gets; `head` are the object's first bytes, if it needs them
    though it gets others. `path` is the file with a Parquet object."""

    expression: str
    input: Input
    output: Output
    limits: Limits
    range: Range = Range()
    at: int = 0
    head: bytes = b""
    path: str = ""
