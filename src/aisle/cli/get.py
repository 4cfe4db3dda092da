"""`ais get`: an object, a part of one, members of an archive, or all objects below a prefix.

A get that fails leaves no file behind and what was there before as it was. Objects of a prefix are
written below a directory, by what follows the prefix's last slash in their names; a name that would
lead elsewhere is refused.
"""

from __future__ import annotations

import argparse
import os
import posixpath
import sys
from collections.abc import Iterator
from importlib import import_module
from typing import TYPE_CHECKING, BinaryIO, Final

from aisle.cli import uri as uris
from aisle.cli.failure import Failure, printable
from aisle.cli.flags import limit_flag, progress_flag, units_flag, workers, workers_flag, yes_flag
from aisle.cli.progress import Progress, is_much, wanted
from aisle.cli.prompt import can_ask, confirmed
from aisle.cli.tables import size_text
from aisle.cli.transfer import DEFAULT_WORKERS, Crew, below, stem
from aisle.cli.uri import Uri
from aisle.client.bodies import Watch, checked, write_file
from aisle.client.objects import range_header
from aisle.core.units import parse_size

if TYPE_CHECKING:
    from http.client import HTTPResponse
    from types import ModuleType

    from aisle.client.buckets import Entry
    from aisle.client.client import Client

_MODES: Final = ("regexp", "prefix", "suffix", "substr", "wdskey")


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "uri", metavar="URI", help="such as ais://bucket/name; a bucket with --prefix or --all"
    )
    parser.add_argument(
        "target",
        metavar="FILE",
        nargs="?",
        default="",
        help="a file, a directory, or - for stdout (default: the last part of the name)",
    )
    parser.add_argument("--offset", metavar="SIZE", help="begin there, such as 100 or 4MiB")
    parser.add_argument("--length", metavar="SIZE", help="get that many bytes")
    parser.add_argument("--prefix", metavar="PREFIX", help="all objects whose names begin so")
    parser.add_argument("--all", "-a", action="store_true", help="all objects of the bucket")
    limit_flag(parser, "objects of a prefix")
    workers_flag(parser, DEFAULT_WORKERS)
    parser.add_argument(
        "--cont-on-err", action="store_true", help="get the others even if one cannot be"
    )
    parser.add_argument(
        "--checksum",
        action="store_true",
        help="fail if there is no checksum to hold the bytes to (they are held to one anyway)",
    )
    parser.add_argument(
        "--cached", action="store_true", help="only what the cluster has, not what is remote"
    )
    parser.add_argument(
        "--check-cached",
        "--headobj",
        action="store_true",
        help="do not get the object, tell whether the cluster has it",
    )
    parser.add_argument(
        "--latest", action="store_true", help="see if a remote bucket has a newer version"
    )
    parser.add_argument(
        "--blob-download", action="store_true", help="have a remote object fetched in chunks"
    )
    parser.add_argument("--chunk-size", metavar="SIZE", default="", help="the size of those chunks")
    archive = parser.add_argument_group("archives")
    archive.add_argument("--archpath", metavar="NAME", default="", help="get that member")
    archive.add_argument(
        "--archregx", metavar="TEXT", default="", help="get a TAR of the members that match"
    )
    archive.add_argument(
        "--archmode", choices=_MODES, default="", help="how they match (default: regexp)"
    )
    archive.add_argument(
        "--archmime", metavar="TYPE", default="", help="the archive's kind, such as .tar.gz"
    )
    archive.add_argument(
        "--extract",
        "-x",
        action="store_true",
        help="write the members of archives below a directory instead of the archives",
    )
    progress_flag(parser)
    units_flag(parser)
    parser.add_argument("--silent", action="store_true", help="print nothing but failures")
    parser.add_argument("--verbose", "-v", action="store_true", help="print each name")
    yes_flag(parser)


def run(client: Client, options: argparse.Namespace) -> None:
    if options.archmode and not options.archregx:
        raise Failure("--archmode needs --archregx")
    if options.archpath and options.archregx:
        raise Failure("--archpath and --archregx are two ways to say which members")
    if options.prefix is None and not options.all:
        uri = uris.parse(options.uri)
        if uri.bucket and not uri.key:
            raise Failure(f"{uri} is a bucket: --all gets all that is in it, --prefix a part")
        _get_one(client, uris.object_(options.uri), options)
        return
    uri = uris.parse(options.uri)
    if not uri.bucket:
        raise Failure(f'"{options.uri}" names no bucket')
    if uri.key and options.prefix is not None:
        raise Failure(f"both {uri} and --prefix name a prefix")
    _get_many(client, uri._replace(key=options.prefix or uri.key), options)


# --- one object -----------------------------------------------------------------------------


def _get_one(client: Client, uri: Uri, options: argparse.Namespace) -> None:
    if options.check_cached or options.cached:
        has = client.act("HEAD", uri.path, uri.query).headers.get("ais-present") == "true"
        if options.check_cached:
            print(f"Cached: {'yes' if has else 'no'}")
            return
        if not has:
            raise Failure(f"{uri} is not in the cluster")
    headers = _headers(options)
    if options.extract:
        if options.target == "-":
            raise Failure("--extract writes files: name a directory")
        directory = options.target or stem(posixpath.basename(uri.key))
        with _unpacking().temporary() as file:
            _fetch_watched(client, uri, options, headers, file)
            count = _unpacking().unpack(file, options.archmime or uri.key, directory)
        if not options.silent:
            print(f"GET {printable(str(uri))} => {count} files below {printable(directory)}")
        return
    if options.target == "-":
        _fetch_watched(client, uri, options, headers, sys.stdout.buffer)
        return
    path = _path(uri, options)
    _may_overwrite([path] if os.path.isfile(path) else [], options)
    with write_file(path) as file:
        _fetch_watched(client, uri, options, headers, file)
    if options.verbose and not options.silent:
        print(f"GET {printable(str(uri))} => {printable(path)}")


def _unpacking() -> ModuleType:
    """What reads archives, imported by those who have one to read."""
    return import_module("aisle.cli.unpack")


def _path(uri: Uri, options: argparse.Namespace) -> str:
    """The file that an object is written to. Raises `Failure`."""
    path: str = options.target
    if path and not os.path.isdir(path):
        return path
    if options.archregx:
        raise Failure("the members that match come as one TAR: name a file for it")
    name = posixpath.basename(options.archpath or uri.key)
    if name in ("", ".", "..") or "\0" in name:
        raise Failure(f"{uri} does not end in a name for a file: give one")
    return os.path.join(path, name)


def _headers(options: argparse.Namespace) -> dict[str, str]:
    try:
        first = parse_size(options.offset or "0")
        count = parse_size(options.length) if options.length is not None else None
        chunk = parse_size(options.chunk_size) if options.chunk_size else 0
    except ValueError as error:
        raise Failure(f"--offset, --length and --chunk-size: {error}") from None
    if count == 0:
        raise Failure("--length must be at least 1")
    # An offset that is given asks for a part, even where it begins at 0.
    asked = options.offset is not None or count is not None
    headers = (range_header(first, count) or {"range": "bytes=0-"}) if asked else {}
    if options.blob_download:
        headers["ais-blob-download"] = "true"
        if chunk:
            headers["ais-blob-chunk"] = str(chunk)
        headers["ais-blob-workers"] = str(workers(options))
    return headers


def _query(uri: Uri, options: argparse.Namespace) -> dict[str, str]:
    asked = {
        "latest-ver": "true" if options.latest else "",
        "archpath": options.archpath,
        "archregx": options.archregx,
        "archmode": (options.archmode or "regexp") if options.archregx else "",
        "archmime": options.archmime if options.archpath or options.archregx else "",
    }
    return {**uri.query, **{name: value for name, value in asked.items() if value}}


def _fetch_watched(
    client: Client,
    uri: Uri,
    options: argparse.Namespace,
    headers: dict[str, str],
    file: BinaryIO,
) -> None:
    """Get one object, with a bar if it is large."""
    asked = wanted(options.progress)
    with client.download(uri.path, _query(uri, options), headers) as response:
        size = response.length
        shown = is_much(1, size or 0) if asked is None else asked
        with Progress("GET", 1, size, shown=shown, refresh=options.refresh) as progress:
            _receive(response, uri, options, file, progress.moved)


def _receive(
    response: HTTPResponse, uri: Uri, options: argparse.Namespace, file: BinaryIO, watch: Watch
) -> None:
    """Write a body to a file, held to the checksum of all of the object."""
    inside = bool(options.archpath or options.archregx)  # its checksum is that of the archive
    partial = options.offset is not None or options.length is not None
    has = response.headers.get("ais-checksum-value")
    if options.checksum and not (partial or inside or has):
        raise Failure(f"{uri} has no checksum")
    for piece in checked(response, str(uri), partial=partial, verify=not inside):
        file.write(piece)
        watch(len(piece))
    file.flush()


def _may_overwrite(paths: list[str], options: argparse.Namespace) -> None:
    """Ask before files are replaced, if there is somebody to ask. Raises `Failure`."""
    if not paths or options.yes or not can_ask():
        return
    shown = f'"{printable(paths[0])}"' if len(paths) == 1 else f"{len(paths)} files"
    if not confirmed(f"Overwrite {shown}?"):
        raise Failure(f"{shown} {'was' if len(paths) == 1 else 'were'} left as before")


# --- many objects ---------------------------------------------------------------------------


def _get_many(client: Client, uri: Uri, options: argparse.Namespace) -> None:
    if options.offset is not None or options.length is not None:
        raise Failure("--offset and --length are of one object")
    if options.target == "-" or options.check_cached or options.archpath or options.archregx:
        raise Failure("stdout, --check-cached, --archpath and --archregx are for one object")
    number = workers(options)
    top = options.target or "."
    if os.path.isfile(top):
        raise Failure(f"{top} is a file: name a directory for what is below a prefix")
    headers = _headers(options)
    base = uri.key[: uri.key.rfind("/") + 1]
    shown = wanted(options.progress)
    files = total = 0
    ask = can_ask() and not options.yes and not options.extract
    if shown is not False or ask:  # a bar and a question tell how much there is
        existing: list[str] = []
        for entry in _entries(client, uri, options):
            files, total = files + 1, total + entry.size
            path = below(top, entry.name.removeprefix(base))
            if ask and path is not None and os.path.isfile(path):
                existing.append(path)
        _may_overwrite(existing, options)
        shown = is_much(files, total) if shown is None else shown
    with Progress("GET", files, total, shown=bool(shown), refresh=options.refresh) as progress:

        def get(entry: Entry) -> None:
            def watch(count: int) -> None:
                crew.check()
                progress.moved(count)

            one = uri._replace(key=entry.name)
            path = below(top, entry.name.removeprefix(base))
            if path is None:
                raise Failure(f"{one} cannot be a file below {top}")
            if options.extract:
                with _unpacking().temporary() as file:
                    _fetch(client, one, options, headers, file, watch)
                    _unpacking().unpack(file, options.archmime or entry.name, stem(path))
            else:
                os.makedirs(os.path.dirname(path), exist_ok=True)
                with write_file(path) as file:
                    _fetch(client, one, options, headers, file, watch)
            progress.done()
            if options.verbose and not options.silent:
                progress.say(f"GET {printable(str(one))} => {printable(path)}")

        crew = Crew(
            get,
            workers=number,
            keep_going=options.cont_on_err,
            name=lambda entry: printable(str(uri._replace(key=entry.name))),
            abort=client.close,
        )
        crew.run(_entries(client, uri, options))
    if not options.silent and (progress.files or not crew.failed):
        what = f"{progress.files} object{'' if progress.files == 1 else 's'}"
        size = size_text(progress.size, options.units)
        print(f"GET {what} ({size}) from {printable(str(uri))} => {printable(top)}")
    crew.summary(progress.files, "objects")


def _entries(client: Client, uri: Uri, options: argparse.Namespace) -> Iterator[Entry]:
    """The objects to get; names that end in a slash stand for directories alone."""
    bucket = client.bucket(uri.bucket, provider=uri.provider, namespace=uri.namespace)
    found = bucket.objects(uri.key, cached=options.cached, limit=options.limit)
    return (entry for entry in found if not (entry.directory or entry.name.endswith("/")))


def _fetch(
    client: Client,
    uri: Uri,
    options: argparse.Namespace,
    headers: dict[str, str],
    file: BinaryIO,
    watch: Watch,
) -> None:
    with client.download(uri.path, _query(uri, options), headers) as response:
        _receive(response, uri, options, file, watch)
