"""`ais object ...`: put, get, show and remove objects, streaming, with bounded memory.

A get that fails leaves no file behind and what was there before as it was: bytes go to a temporary
file beside the target, are held to the object's checksum, and only then take its name.
"""

from __future__ import annotations

import argparse
import mimetypes
import os
import posixpath
import re
import stat
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from email.header import decode_header, make_header
from http.client import HTTPMessage, HTTPResponse
from typing import BinaryIO, Final

from aisle.cli import uri as uris
from aisle.cli.client import PIECE, Client
from aisle.cli.failure import Failure, printable
from aisle.cli.notes import note
from aisle.cli.tables import date_text, properties, size_text
from aisle.cli.uri import Uri
from aisle.core.checksums import AIS_TYPES
from aisle.core.units import parse_size

_WORD: Final = re.compile(r"=\?UTF-8\?B\?[A-Za-z0-9+/=]*\?=")


# --- put ------------------------------------------------------------------------------------


def put_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("source", metavar="FILE", help="a file, - for stdin, or a directory (-r)")
    parser.add_argument(
        "uri",
        metavar="URI",
        help="ais://bucket/name, or ais://bucket or ais://bucket/dir/ to keep the file's name",
    )
    parser.add_argument(
        "--recursive", "-r", action="store_true", help="put all files below a directory"
    )
    parser.add_argument("--verbose", "-v", action="store_true", help="print each name")


def put(client: Client, options: argparse.Namespace) -> None:
    uri = uris.parse(options.uri)
    if not uri.bucket:
        raise Failure(f'"{options.uri}" names no bucket')
    if options.source == "-":
        if not uri.key or uri.key.endswith("/"):
            raise Failure("what comes from stdin needs a name: ais put - ais://bucket/name")
        _send(client, sys.stdin.buffer, uri, None)
        return
    if os.path.isdir(options.source):
        if not options.recursive:
            raise Failure(f"{options.source} is a directory: --recursive puts what is in it")
        _put_tree(client, options.source, uri, verbose=options.verbose)
        return
    if not uri.key or uri.key.endswith("/"):
        uri = uri._replace(key=uri.key + os.path.basename(options.source))
    _put_file(client, options.source, uri, verbose=options.verbose)


def _put_tree(client: Client, top: str, uri: Uri, *, verbose: bool) -> None:
    """Every regular file below `top`, named by its path from there."""
    prefix = uri.key if not uri.key or uri.key.endswith("/") else uri.key + "/"
    files = total = 0
    for path in _walk(top):
        name = os.path.relpath(path, top).replace(os.sep, "/")
        try:
            name.encode("utf-8")
        except UnicodeEncodeError:
            raise Failure(f"{path}: the name is not UTF-8, so it cannot name an object") from None
        total += _put_file(client, path, uri._replace(key=prefix + name), verbose=verbose)
        files += 1
    print(
        f"PUT {files} file{'' if files == 1 else 's'} ({size_text(total)}) => {printable(str(uri))}"
    )


def _walk(top: str) -> Iterator[str]:
    def raise_(error: OSError) -> None:
        raise error

    for directory, below, files in os.walk(top, onerror=raise_):
        below.sort()
        for name in sorted(files):
            path = os.path.join(directory, name)
            if stat.S_ISREG(os.stat(path).st_mode):
                yield path
            else:
                note(f"{printable(path)} is not a regular file, it was left out")


def _put_file(client: Client, path: str, uri: Uri, *, verbose: bool) -> int:
    """Returns how many bytes a regular file had, 0 for a pipe or device."""
    with open(path, "rb") as file:
        status = os.fstat(file.fileno())
        size = status.st_size if stat.S_ISREG(status.st_mode) else None
        _send(client, file, uri, size)
    if verbose:
        print(f'PUT "{printable(path)}" => {printable(str(uri))}')
    return size or 0


def _send(client: Client, file: BinaryIO, uri: Uri, size: int | None) -> None:
    headers = {}
    kind, encoding = mimetypes.guess_type(uri.key)
    if kind is not None and encoding is None:
        headers["content-type"] = kind
    client.upload(uri.path, uri.query, headers, _pieces(file, size), size)


def _pieces(file: BinaryIO, size: int | None) -> Iterator[bytes]:
    """A file's bytes: as many as were announced, even if it grows meanwhile."""
    if size is None:
        while data := file.read(PIECE):
            yield data
        return
    left = size
    while left > 0:
        data = file.read(min(left, PIECE))
        if not data:
            raise Failure(f"{file.name} became shorter while it was read; nothing was stored")
        left -= len(data)
        yield data


# --- get ------------------------------------------------------------------------------------


def get_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("uri", metavar="URI", help="such as ais://bucket/name")
    parser.add_argument(
        "target",
        metavar="FILE",
        nargs="?",
        default="",
        help="a file, a directory, or - for stdout (default: the last part of the name)",
    )
    parser.add_argument("--offset", metavar="SIZE", help="begin there, such as 100 or 4MiB")
    parser.add_argument("--length", metavar="SIZE", help="get that many bytes")


def get(client: Client, options: argparse.Namespace) -> None:
    uri = uris.object_(options.uri)
    headers = _range(options.offset, options.length)
    if options.target == "-":
        with client.download(uri.path, uri.query, headers) as response:
            _receive(response, sys.stdout.buffer, uri, headers)
        return
    with (
        _target(options.target, uri) as file,
        client.download(uri.path, uri.query, headers) as response,
    ):
        _receive(response, file, uri, headers)


def _range(offset: str | None, length: str | None) -> dict[str, str]:
    if offset is None and length is None:
        return {}
    try:
        first = parse_size(offset or "0")
        count = parse_size(length) if length is not None else None
    except ValueError as error:
        raise Failure(f"--offset and --length: {error}") from None
    if count == 0:
        raise Failure("--length must be at least 1")
    return {"range": f"bytes={first}-{first + count - 1 if count else ''}"}


@contextmanager
def _target(path: str, uri: Uri) -> Iterator[BinaryIO]:
    """A file to write the object into, which takes its name only if nothing went wrong."""
    if not path or os.path.isdir(path):
        name = posixpath.basename(uri.key)
        if name in ("", ".", "..") or "\0" in name:
            raise Failure(f"{uri} does not end in a name for a file: give one")
        path = os.path.join(path, name)
    path = os.path.realpath(path)
    if os.path.exists(path) and not os.path.isfile(path):  # a pipe, /dev/null
        with open(path, "wb") as device:
            yield device
        return
    fd, temporary = tempfile.mkstemp(prefix=".ais-get-", dir=os.path.dirname(path))
    try:
        with open(fd, "wb") as file:
            yield file
        os.chmod(temporary, _mode(path))
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def _mode(path: str) -> int:
    """The mode of the file that is replaced, or that of a fresh one."""
    try:
        return stat.S_IMODE(os.stat(path).st_mode)
    except FileNotFoundError:
        mask = os.umask(0)
        os.umask(mask)
        return 0o666 & ~mask


def _receive(response: HTTPResponse, file: BinaryIO, uri: Uri, headers: Mapping[str, str]) -> None:
    if headers and response.status != 206:
        raise Failure("the node does not read ranges")
    kind = response.headers.get("ais-checksum-type", "none")
    expected = response.headers.get("ais-checksum-value", "")
    known = AIS_TYPES.get(kind) if expected and not headers else None
    hasher = known.new() if known else None
    announced = response.headers.get("content-length")
    count = 0
    while data := response.read(PIECE):
        count += len(data)
        if hasher is not None:
            hasher.update(data)
        file.write(data)
    file.flush()
    if announced is not None and count != int(announced):
        raise Failure(f"{uri}: the connection broke off after {count} of {announced} bytes")
    if hasher is not None and hasher.digest().hex() != expected:
        raise Failure(f"{uri}: the bytes that came do not match the {kind} of the object")


# --- show and remove ------------------------------------------------------------------------


def show_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("uri", metavar="URI", help="such as ais://bucket/name")
    parser.add_argument("--all", "-a", action="store_true", help="every property")
    parser.add_argument("--no-headers", "-H", action="store_true", help="do not print a heading")


def show(client: Client, options: argparse.Namespace) -> None:
    uri = uris.object_(options.uri)
    rows = _rows(uri, client.act("HEAD", uri.path, uri.query).headers)
    if not options.all:
        rows = [row for row in rows if row[0] in ("atime", "checksum", "name", "size", "version")]
    for line in properties(rows, headers=not options.no_headers):
        print(line)


def _rows(uri: Uri, headers: HTTPMessage) -> list[tuple[str, str]]:
    value = headers.get("ais-checksum-value", "")
    shown = f"{value[:16]}..." if len(value) > 16 else value
    custom = [f"ETag:{headers.get('etag', '').strip(chr(34))}"]
    for pair in headers.get_all("ais-custom-md", []):
        name, _, text = _text(pair).partition("=")
        custom.append(f"{name}:{text}")
    return [
        ("atime", date_text(int(headers.get("ais-atime", "0")))),
        ("cached", "yes" if headers.get("ais-present") == "true" else "no"),
        ("checksum", f"{headers.get('ais-checksum-type', '')}[{shown}]" if value else "-"),
        ("copies", headers.get("ais-mirror-copies", "1")),
        ("custom", f"map[{' '.join(custom)}]"),
        ("ec", "-"),
        ("location", headers.get("ais-location", "-")),
        ("name", str(uri)),
        ("size", size_text(int(headers.get("content-length", "0")))),
        ("version", headers.get("ais-version", "-")),
    ]


def _text(value: str) -> str:
    """A header's value; what is not printable ASCII comes as one RFC 2047 word."""
    return str(make_header(decode_header(value))) if _WORD.fullmatch(value) else value


def remove_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("uri", metavar="URI", nargs="+", help="such as ais://bucket/name")


def remove(client: Client, options: argparse.Namespace) -> None:
    for uri in [uris.object_(text) for text in options.uri]:
        client.act("DELETE", uri.path, uri.query)
        print(f'deleted "{printable(uri.key)}" from {uri.parent}')
