"""Reading inventories of format CSV: gzip, fields quoted as in RFC 4180, keys URL-encoded.

A file is read a piece at a time whatever it unpacks to, and by one generator, which a thread may
drive: nothing here touches a loop. What cannot be read is an `InventoryDamaged`.

Amazon writes a space in a key as a plus sign, and a plus sign as `%2B`.
"""

from __future__ import annotations

import csv
import gzip
import zlib
from collections.abc import Iterator
from itertools import islice
from typing import IO, Final
from urllib.parse import unquote_plus

from aisle.core.errors import InventoryDamaged
from aisle.namespace.window.inventory import entries
from aisle.store.base import Row

_PIECE: Final = 1 << 20
# A key of 1,024 bytes, each of them encoded and quoted, and generous room for other fields.
_LINE: Final = 64 << 10


def read(
    file: IO[bytes], columns: tuple[str, ...], bucket: str, *, batch: int
) -> Iterator[list[Row]]:
    """The rows of a file, up to `batch` records at a time."""
    make = entries.maker(columns, bucket, key_of=_key)
    records = csv.reader(_lines(file), strict=True)
    while True:
        try:
            some = list(islice(records, batch))
            found = [row for row in map(make, filter(None, some)) if row is not None]
        except csv.Error as error:
            raise InventoryDamaged(f"a line of it is no CSV: {error}") from None
        except UnicodeError:
            raise InventoryDamaged("a key in it is no UTF-8") from None
        if not some:
            return
        yield found


def _key(field: str) -> str:
    if "%" in field or "+" in field:
        return unquote_plus(field, errors="strict")
    return field


def _lines(file: IO[bytes]) -> Iterator[str]:
    """The lines of a packed file, with their ends: a quoted field may have such ends in it."""
    rest = b""
    with gzip.GzipFile(fileobj=file, mode="rb") as unpacked:
        while True:
            try:
                piece = unpacked.read(_PIECE)
            except (OSError, EOFError, zlib.error) as error:
                raise InventoryDamaged(f"it is no whole gzip file: {error}") from None
            if not piece:
                break
            whole, end, rest = (rest + piece).rpartition(b"\n")
            if len(rest) > _LINE:
                raise InventoryDamaged(f"a line of it has more than {_LINE >> 10} KiB")
            yield from _split(whole + end)
    if rest:
        yield from _split(rest)


def _split(data: bytes) -> Iterator[str]:
    # Line ends are bytes here: text has others, which are no ends of records.
    return map(_decoded, data.splitlines(keepends=True))


def _decoded(line: bytes) -> str:
    try:
        return line.decode()
    except UnicodeDecodeError:
        raise InventoryDamaged("a line of it is no UTF-8") from None
