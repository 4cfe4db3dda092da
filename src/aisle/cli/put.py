"""`ais put`: files, directories, patterns, lists, templates and stdin into a bucket.

Files are found as threads come for them, sent in pieces, and stored whole or not at all. One file
is put in silence (unless `-v`); of many there is a line that sums up.
"""

from __future__ import annotations

import argparse
import glob
import mimetypes
import os
import stat
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final, NamedTuple

from aisle.cli import uri as uris
from aisle.cli.failure import Failure, printable
from aisle.cli.flags import idle_flag, progress_flag, units_flag, workers, workers_flag
from aisle.cli.notes import note
from aisle.cli.progress import Progress, is_much, wanted
from aisle.cli.tables import size_text
from aisle.cli.transfer import DEFAULT_WORKERS, Crew
from aisle.cli.uri import Uri
from aisle.client.bodies import PIECE, FileBody, Watch, new_hasher, pieces_of
from aisle.core.errors import InvalidArgument
from aisle.core.templates import parse as parse_template
from aisle.core.units import parse_size

if TYPE_CHECKING:
    from aisle.client.client import Client

CHECKSUMS: Final = ("crc32c", "md5", "sha256", "sha512", "xxhash", "xxhash2")


class File(NamedTuple):
    """A file to put, and the name of the object that it becomes."""

    path: str
    key: str
    size: int


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "source",
        metavar="FILE",
        nargs="*",
        help='files, directories (with -r), patterns such as "images/*.png", or - for stdin',
    )
    parser.add_argument(
        "uri",
        metavar="URI",
        help="ais://bucket/name, or ais://bucket or ais://bucket/dir/ to keep the files' names",
    )
    parser.add_argument(
        "--recursive", "-r", action="store_true", help="put all files below a directory"
    )
    parser.add_argument(
        "--list", metavar="NAMES", help="names of files, comma-separated, below FILE if it is given"
    )
    parser.add_argument(
        "--template", metavar="TEMPLATE", help='names of files, such as "shard-{000..999}.tar"'
    )
    parser.add_argument("--prefix", default="", help="what every object's name is to begin with")
    parser.add_argument(
        "--include-src-dir",
        action="store_true",
        help="names of objects begin with that of the directory",
    )
    workers_flag(parser, DEFAULT_WORKERS)
    parser.add_argument("--dry-run", action="store_true", help="tell what would be put")
    parser.add_argument(
        "--cont-on-err", action="store_true", help="put the others even if one cannot be"
    )
    parser.add_argument(
        "--skip-vc", action="store_true", help="do not look at what is there under that name"
    )
    parser.add_argument(
        "--compute-checksum",
        action="store_true",
        help="send the checksum of the bucket's kind along (each file is read twice)",
    )
    for kind in CHECKSUMS:
        parser.add_argument(f"--{kind}", metavar="HEX", help=f"the file's {kind}, to be held to")
    parser.add_argument(
        "--chunk-size", metavar="SIZE", default="", help="read stdin in pieces of that size (1MiB)"
    )
    progress_flag(parser)
    units_flag(parser)
    parser.add_argument("--verbose", "-v", action="store_true", help="print each name")
    idle_flag(parser, "--yes", "-y")


def run(client: Client, options: argparse.Namespace) -> None:
    many = options.list is not None or options.template is not None
    if not options.source and not many:
        raise Failure("name what to put and where to (see 'ais put --help')")
    uri = uris.parse(options.uri)
    if not uri.bucket:
        raise Failure(f'"{options.uri}" names no bucket')
    if options.source == ["-"] and not many:
        _put_stdin(client, uri, options)
    elif not many and len(options.source) == 1 and os.path.lexists(options.source[0]):
        _put_one(client, options.source[0], uri, options)
    else:
        _put_many(client, uri, options)


def _put_stdin(client: Client, uri: Uri, options: argparse.Namespace) -> None:
    if not uri.key or uri.key.endswith("/"):
        raise Failure("what comes from stdin needs a name: ais put - ais://bucket/name")
    if options.compute_checksum:
        raise Failure("stdin can be read only once: --compute-checksum needs a file")
    try:
        piece = parse_size(options.chunk_size) if options.chunk_size else PIECE
    except ValueError as error:
        raise Failure(f"--chunk-size: {error}") from None
    if not 1 <= piece <= 1 << 30:
        raise Failure("--chunk-size is between 1 and 1GiB")
    uri = uri._replace(key=options.prefix + uri.key)
    if options.dry_run:
        print(f"[DRY RUN] PUT (stdin) => {printable(str(uri))}")
        return
    shown = wanted(options.progress) is True
    with Progress("PUT", 1, None, shown=shown, refresh=options.refresh) as progress:
        pieces = pieces_of(sys.stdin.buffer, progress.moved, piece)
        headers = {**_kind_of(uri.key), **_claimed(options)}
        client.upload(uri.path, _query(uri, options), headers, pieces, None)
    if options.verbose:
        print(f"PUT (stdin) => {printable(str(uri))}")


def _put_one(client: Client, source: str, uri: Uri, options: argparse.Namespace) -> None:
    if os.path.isdir(source):
        if not options.recursive:
            raise Failure(f"{source} is a directory: --recursive puts what is in it")
        _put_many(client, uri, options)
        return
    key = uri.key
    if not key or key.endswith("/"):
        key += os.path.basename(source)
    status = os.stat(source)
    file = File(source, options.prefix + key, status.st_size)
    if options.dry_run:
        print(_line(file, uri, "[DRY RUN] "))
        return
    asked = wanted(options.progress)
    shown = is_much(1, file.size) if asked is None else asked
    size = file.size if stat.S_ISREG(status.st_mode) else None
    with Progress("PUT", 1, size, shown=shown, refresh=options.refresh) as progress:
        _send(client, file, uri, _Way(client, uri, options), progress.moved)
    if options.verbose:
        print(_line(file, uri))


def _put_many(client: Client, uri: Uri, options: argparse.Namespace) -> None:
    if any(getattr(options, kind) is not None for kind in CHECKSUMS):
        raise Failure("a checksum is that of one file; --compute-checksum is for many")
    number = workers(options)
    if options.dry_run:
        files = total = 0
        for file in files_of(uri, options):
            print(_line(file, uri, "[DRY RUN] "))
            files, total = files + 1, total + file.size
        print(f"[DRY RUN] {_sum(files, total, uri, options)}")
        return
    shown = wanted(options.progress)
    files = total = 0
    if shown is not False:  # a bar tells how much is left, so all files are looked at first
        for file in files_of(uri, options):
            files, total = files + 1, total + file.size
        shown = is_much(files, total) if shown is None else shown
    way = _Way(client, uri, options)
    with Progress("PUT", files, total, shown=bool(shown), refresh=options.refresh) as progress:

        def put(file: File) -> None:
            def watch(count: int) -> None:
                crew.check()
                progress.moved(count)

            _send(client, file, uri, way, watch)
            progress.done()
            if options.verbose:
                progress.say(_line(file, uri))

        crew = Crew(
            put,
            workers=number,
            keep_going=options.cont_on_err,
            name=lambda file: printable(file.path),
            abort=client.close,
        )
        crew.run(files_of(uri, options, notes=True))
    if progress.files or not crew.failed:
        print(_sum(progress.files, progress.size, uri, options))
    crew.summary(progress.files, "files")


def _sum(files: int, size: int, uri: Uri, options: argparse.Namespace) -> str:
    what = f"{files} file{'' if files == 1 else 's'} ({size_text(size, options.units)})"
    return f"PUT {what} => {printable(str(uri))}"


def _line(file: File, uri: Uri, before: str = "") -> str:
    target = printable(str(uri._replace(key=file.key)))
    return f'{before}PUT "{printable(file.path)}" => {target}'


# --- what to put ----------------------------------------------------------------------------


def files_of(uri: Uri, options: argparse.Namespace, *, notes: bool = False) -> Iterator[File]:
    """Every file that the command line names, found as it is asked for. Raises `Failure`."""
    prefix = uri.key if not uri.key or uri.key.endswith("/") else uri.key + "/"
    prefix = options.prefix + prefix
    for path, name in _named(options, notes=notes):
        try:
            name.encode("utf-8")
        except UnicodeEncodeError:
            raise Failure(f"{path}: the name is not UTF-8, so it cannot name an object") from None
        try:
            size = os.stat(path).st_size
        except OSError:
            size = 0  # told when it is opened, as a failure of this file alone
        yield File(path, prefix + name, size)


def _named(options: argparse.Namespace, *, notes: bool) -> Iterator[tuple[str, str]]:
    """Paths, and what each is called below where the user pointed."""
    if options.list is not None or options.template is not None:
        if len(options.source) > 1:
            raise Failure("--list and --template take one directory at most")
        base = options.source[0] if options.source else ""
        top = _top_name(base, options)
        fixed = _directory_of(options.template) if options.template is not None else ""
        for name in _listed(options):
            yield os.path.join(base, name), top + _object_name(name.removeprefix(fixed))
        return
    for source in options.source:
        if os.path.lexists(source) or not glob.has_magic(source):
            yield from _walk_any(source, options, notes=notes)
        else:
            yield from _matching(source, options, notes=notes)


def _listed(options: argparse.Namespace) -> Iterator[str]:
    if options.list is not None:
        yield from (name.strip() for name in options.list.split(",") if name.strip())
    if options.template is not None:
        try:
            yield from parse_template(options.template).names()
        except InvalidArgument as error:
            raise Failure(f"--template: {error}") from None


def _directory_of(template: str) -> str:
    """The directories that all names of a template begin with, up to the last slash."""
    fixed: str = template.partition("{")[0]
    return fixed[: fixed.rfind("/") + 1]


def _object_name(path: str) -> str:
    """What a path given in words is called in the bucket: itself, without detours."""
    if os.path.isabs(path):
        return os.path.basename(path)
    return "/".join(part for part in path.split("/") if part not in ("", ".", ".."))


def _walk_any(
    source: str, options: argparse.Namespace, *, notes: bool
) -> Iterator[tuple[str, str]]:
    if not os.path.isdir(source):
        yield source, os.path.basename(source)
        return
    if not options.recursive:
        raise Failure(f"{source} is a directory: --recursive puts what is in it")
    top = _top_name(source, options)
    for path in _walk(source, notes=notes):
        yield path, top + os.path.relpath(path, source).replace(os.sep, "/")


def _matching(
    pattern: str, options: argparse.Namespace, *, notes: bool
) -> Iterator[tuple[str, str]]:
    """Files that match, named from the directory on in which the pattern begins."""
    fixed = pattern
    while glob.has_magic(fixed):
        fixed = os.path.dirname(fixed)
    top = _top_name(fixed, options)
    found = False
    for match in sorted(glob.iglob(pattern, recursive=True)):
        if os.path.isdir(match) and not options.recursive:
            continue
        paths = _walk(match, notes=notes) if os.path.isdir(match) else iter([match])
        for path in paths:
            found = True
            yield path, top + os.path.relpath(path, fixed or ".").replace(os.sep, "/")
    if not found:
        raise Failure(f'no file matches "{pattern}"')


def _top_name(source: str, options: argparse.Namespace) -> str:
    """The directory's own name with a slash, if names are to begin with it."""
    name = os.path.basename(os.path.abspath(source)) if options.include_src_dir else ""
    return f"{name}/" if name else ""


def _walk(top: str, *, notes: bool) -> Iterator[str]:
    """Every regular file below a directory, by name."""

    def raise_(error: OSError) -> None:
        raise error

    for directory, below, files in os.walk(top, onerror=raise_):
        below.sort()
        for name in sorted(files):
            path = os.path.join(directory, name)
            try:
                regular = stat.S_ISREG(os.stat(path).st_mode)
            except FileNotFoundError:  # a link to nothing, or gone meanwhile
                regular = False
            if regular:
                yield path
            elif notes:
                note(f"{printable(path)} is not a regular file, it was left out")


# --- how to put it --------------------------------------------------------------------------


class _Way:
    """What goes along with every file: query, headers, and the checksum to compute."""

    def __init__(self, client: Client, uri: Uri, options: argparse.Namespace) -> None:
        self.query = _query(uri, options)
        self._claimed = _claimed(options)
        self._kind = ""
        if options.compute_checksum:
            bucket = client.bucket(uri.bucket, provider=uri.provider, namespace=uri.namespace)
            self._kind = str(bucket.props().get("checksum", {}).get("type", "none"))

    def headers(self, file: File) -> dict[str, str]:
        headers = {**_kind_of(file.key), **self._claimed}
        hasher = new_hasher(self._kind) if self._kind not in ("", "none") else None
        if hasher is not None:
            with open(file.path, "rb") as body:
                for piece in pieces_of(body):
                    hasher.update(piece)
            headers["ais-checksum-type"] = self._kind
            headers["ais-checksum-value"] = hasher.digest().hex()
        return headers


def _query(uri: Uri, options: argparse.Namespace) -> dict[str, str]:
    return {**uri.query, "skip_vc": "true"} if options.skip_vc else uri.query


def _claimed(options: argparse.Namespace) -> dict[str, str]:
    """The headers of the one checksum that was given."""
    given = [kind for kind in CHECKSUMS if getattr(options, kind) is not None]
    if not given:
        return {}
    if len(given) > 1 or options.compute_checksum:
        raise Failure("give one checksum, or have it computed")
    return {
        "ais-checksum-type": given[0],
        "ais-checksum-value": getattr(options, given[0]).strip().lower(),
    }


def _kind_of(key: str) -> dict[str, str]:
    kind, encoding = mimetypes.guess_type(key)
    return {"content-type": kind} if kind is not None and encoding is None else {}


def _send(client: Client, file: File, uri: Uri, way: _Way, watch: Watch) -> None:
    headers = way.headers(file)
    with open(file.path, "rb") as source:
        body = FileBody(source, watch)
        target = uri._replace(key=file.key)
        client.upload(target.path, way.query, headers, body.pieces, body.size)
