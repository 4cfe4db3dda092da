"""`ais object concat`: files one after the other into one object, which grows if it is there.

The files go in pieces, and nothing of them is seen before the last one has arrived.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator
from typing import BinaryIO, Final

from aisle.cli import uri as uris
from aisle.cli.failure import Failure, printable
from aisle.cli.flags import progress_flag, units_flag
from aisle.cli.progress import Progress, is_much, wanted
from aisle.cli.tables import size_text
from aisle.cli.uri import Uri
from aisle.client.client import Client

PIECE: Final = 8 << 20


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "source",
        metavar="FILE",
        nargs="+",
        help="files and directories (of these the files, by name), or - for stdin",
    )
    parser.add_argument("uri", metavar="URI", help="such as ais://bucket/name")
    parser.add_argument(
        "--recursive", "-r", action="store_true", help="take directories in directories too"
    )
    progress_flag(parser)
    units_flag(parser)


def run(client: Client, options: argparse.Namespace) -> None:
    uri = uris.object_(options.uri)
    paths = [path for source in options.source for path in _files(source, options.recursive)]
    if not paths:
        raise Failure("there is no file to concatenate")
    total = None if "-" in paths else sum(os.path.getsize(path) for path in paths)
    asked = wanted(options.progress)
    shown = is_much(len(paths), total or 0) if asked is None else asked
    with Progress("PUT", len(paths), total, shown=shown, refresh=options.refresh) as progress:
        session = Session(client, uri)
        for path in paths:
            for piece in _pieces(path):
                session.append(piece)
                progress.moved(len(piece))
            progress.done()
        session.flush()
    size = size_text(session.size, options.units)
    print(f"Created {printable(str(uri))} (size {size})")


def _files(source: str, recursive: bool) -> Iterator[str]:
    """The files that a name on the command line stands for, in order. Raises `Failure`."""
    if source == "-" or not os.path.isdir(source):
        yield source
        return
    for entry in sorted(os.scandir(source), key=lambda entry: entry.name):
        if entry.is_file():
            yield entry.path
        elif entry.is_dir() and recursive:
            yield from _files(entry.path, recursive)


def _pieces(path: str) -> Iterator[bytes]:
    if path == "-":
        yield from _read(sys.stdin.buffer)
        return
    with open(path, "rb") as file:
        yield from _read(file)


def _read(file: BinaryIO) -> Iterator[bytes]:
    while data := file.read(PIECE):
        yield data


class Session:
    """Pieces on their way to the end of an object; `size` is how many bytes have gone."""

    def __init__(self, client: Client, uri: Uri) -> None:
        self._client, self._uri = client, uri
        self._handle = ""
        self.size = 0

    def append(self, piece: bytes) -> None:
        self._send("append", piece)
        self.size += len(piece)

    def flush(self) -> None:
        """Make all of it visible."""
        if not self._handle:
            self._send("append", b"")
        self._send("flush", b"")

    def _send(self, kind: str, piece: bytes) -> None:
        query = {**self._uri.query, "append_type": kind, "append_handle": self._handle}
        reply = self._client.upload(self._uri.path, query, {}, [piece], len(piece))
        self._handle = reply.headers.get("ais-append-handle", "")
