"""`ais archive`: objects that are archives, made of files or of other objects, and what is in them.

A new archive is made here and sent as it is made; to append to one that is there is the node's
work, a file at a time.
"""

from __future__ import annotations

import argparse
import os
import posixpath
import stat
import sys
from collections.abc import Iterator
from typing import Any, Final

from aisle.cli import get as getting
from aisle.cli import listing
from aisle.cli import uri as uris
from aisle.cli.failure import Failure, printable
from aisle.cli.flags import idle_flag, progress_flag, units_flag
from aisle.cli.follow import follow, follow_flags
from aisle.cli.packing import Packed, kind_of, pack
from aisle.cli.progress import Progress, is_much, wanted
from aisle.cli.put import File, files_of
from aisle.cli.selecting import Chosen, by_prefix, chosen, everything, selection_flags
from aisle.cli.tables import size_text
from aisle.cli.transfer import ARCHIVES, reason, stem
from aisle.cli.uri import Uri
from aisle.client import Client
from aisle.client.bodies import FileBody, pieces_of
from aisle.client.errors import NotFound

_APPEND: Final = "1"
_APPEND_OR_PUT: Final = "2"


# --- ls and get -----------------------------------------------------------------------------


def list_arguments(parser: argparse.ArgumentParser) -> None:
    listing.arguments(parser)


def list_(client: Client, options: argparse.Namespace) -> None:
    """As `ais ls --archive`."""
    options.archive = True
    listing.run(client, options)


def get_arguments(parser: argparse.ArgumentParser) -> None:
    getting.arguments(parser)


def get(client: Client, options: argparse.Namespace) -> None:
    """As `ais get`, but what is in an archive is extracted unless something else is asked for, and
    a member may be named as `ais://bucket/shard.tar/member`."""
    uri = uris.parse(options.uri)
    if options.prefix is not None or options.all:
        options.extract = True
        getting.run(client, options)
        return
    shard, member = inside(uri.key)
    if member and not (options.archpath or options.archregx or options.archmime):
        options.uri, options.archpath = str(uri._replace(key=shard)), member
    if not (options.archpath or options.archregx):
        options.extract = True
        if options.target:
            options.target = os.path.join(options.target, stem(posixpath.basename(uri.key)))
    getting.run(client, options)


def inside(key: str) -> tuple[str, str]:
    """The archive and the member in it that a name means, `""` for no member."""
    ends = [at + len(kind) for kind in ARCHIVES if (at := key.find(f"{kind}/")) > 0]
    at = min(ends, default=len(key))
    return key[:at], key[at + 1 :]


# --- bucket ---------------------------------------------------------------------------------


def bucket_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "source",
        metavar="SRC",
        help='a bucket, a prefix in it, or a template such as "ais://abc/img-{000..999}.jpg"',
    )
    parser.add_argument(
        "to", metavar="DST", nargs="?", default="", help="the archive: ais://bucket/shard.tar"
    )
    selection_flags(parser, "archive")
    flag = parser.add_argument
    flag("--append-or-put", action="store_true", help="append if the archive is there already")
    flag("--append", action="store_true", help="append to an archive, which must be there")
    flag("--include-src-bck", action="store_true", help="names begin with that of the bucket")
    flag("--cont-on-err", action="store_true", help="pass over objects that are missing")
    flag("--dry-run", action="store_true", help="print what would be done, and do nothing")
    flag(
        "--non-recursive",
        "--nr",
        action="store_true",
        help="of a prefix, leave out names with another slash",
    )
    flag("--skip-lookup", action="store_true", help="do not look a remote bucket up first")
    follow_flags(parser)


def bucket(client: Client, options: argparse.Namespace) -> None:
    source = uris.parse(options.source)
    to = uris.object_(options.to or options.source)
    if not options.to:  # ais archive bucket ais://abc/shard.tar --list a,b
        source = source.parent
    if not source.bucket:
        raise Failure(f'"{options.source}" names no bucket')
    kind_of(to.key)
    many = chosen(options, source) or _in_source(source, options)
    text = f"{many.text} from {source.parent} as {printable(str(to))}"
    if options.dry_run:
        print(f"[DRY RUN] archive {text}")
        return
    if options.append:
        client.act("HEAD", to.path, to.query)
    uuid, _, space = to.namespace.removeprefix("@").partition("#")
    value: dict[str, Any] = {
        **many.value,
        "archname": to.key,
        "tobck": {
            "name": to.bucket,
            "provider": to.provider,
            "namespace": {"uuid": uuid, "name": space},
        },
        "isbn": options.include_src_bck,
        "aate": options.append or options.append_or_put,
        "coer": options.cont_on_err,
        "non-recurs": options.non_recursive,
    }
    lookup = {"dont_head_remote_bck": "true"} if options.skip_lookup else {}
    path = source.parent.path
    reply = client.act("PUT", path, {**source.query, **lookup}, "archive", value)
    follow(client, reply.body.decode(), "archive", f"archive {text}", options)


def _in_source(source: Uri, options: argparse.Namespace) -> Chosen:
    """What the URI of the source names."""
    if not options.to:
        raise Failure("which objects? --list, --template or --prefix tells, or SRC and DST")
    if "{" in source.key:
        return Chosen({"template": source.key}, f'template "{printable(source.key)}"')
    return by_prefix(source.key) if source.key else everything()


# --- put ------------------------------------------------------------------------------------


def put_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "source",
        metavar="FILE",
        nargs="*",
        help='files, directories, patterns such as "images/*.png", or - for stdin',
    )
    parser.add_argument("uri", metavar="URI", help="the archive: ais://bucket/shard.tar")
    flag = parser.add_argument
    flag("--append", action="store_true", help="append to the archive, which must be there")
    flag(
        "--append-or-put",
        action="store_true",
        help="append to the archive if it is there (without either, it is replaced)",
    )
    flag(
        "--archpath",
        metavar="NAME",
        default="",
        help="the file's name in the archive; of many files, what their names begin with",
    )
    flag("--recursive", "-r", action="store_true", help="all files below a directory")
    flag("--list", metavar="NAMES", help="names of files, comma-separated, below FILE if given")
    flag("--template", metavar="TEMPLATE", help='names of files, such as "img-{000..999}.jpg"')
    flag("--include-src-dir", action="store_true", help="names begin with that of the directory")
    flag("--dry-run", action="store_true", help="tell what would be archived")
    flag("--cont-on-err", action="store_true", help="archive the others even if one cannot be")
    flag("--skip-vc", action="store_true", help="do not look at what is there under that name")
    progress_flag(parser)
    units_flag(parser)
    flag("--verbose", "-v", action="store_true", help="print each name")
    idle_flag(parser, "--yes", "-y")


def put(client: Client, options: argparse.Namespace) -> None:
    uri = uris.object_(options.uri)
    kind = kind_of(uri.key)
    many = options.list is not None or options.template is not None
    if options.append and options.append_or_put:
        raise Failure("--append and --append-or-put exclude each other")
    if not options.source and not many:
        raise Failure("name what to archive (see 'ais archive put --help')")
    if options.source == ["-"] and not many:
        _put_stdin(client, uri, options)
        return
    options.prefix = ""
    if not many and len(options.source) == 1 and os.path.isfile(options.source[0]):
        path = options.source[0]
        name = options.archpath or os.path.basename(path)
        files = [File(path, name, os.stat(path).st_size)]
    else:
        files = list(_files(options))
    if not files:
        raise Failure("there are no files to archive")
    grows = options.append or options.append_or_put
    verb = "APPEND" if grows else "PUT"
    if options.dry_run:
        for file in files:
            print(f"[DRY RUN] {_line(verb, file, uri)}")
        return
    total = sum(file.size for file in files)
    asked = wanted(options.progress)
    shown = is_much(len(files), total) if asked is None else asked
    with Progress(verb, len(files), total, shown=shown, refresh=options.refresh) as progress:
        work = _Putting(client, uri, options, verb, progress)
        if grows and (options.append or _exists(client, uri)):
            work.append(files)
        else:
            work.make(kind, files)
    if len(files) == 1:
        if progress.files and not options.verbose:
            print(_line(verb, files[0], uri))
    else:
        size = size_text(progress.size, options.units)
        print(f"{verb} {progress.files} files ({size}) => {printable(str(uri))}")
    work.summary()


def _files(options: argparse.Namespace) -> Iterator[File]:
    """The files that the options name, and what each is called in the archive."""
    base = Uri("ais", "", options.archpath)
    sources, listed = options.source, options.list is not None or options.template is not None
    if listed or options.recursive:
        yield from files_of(base, options, notes=True)
        return
    for source in sources:
        if os.path.isdir(source):
            yield from _directory(source, options)
        else:
            options.source = [source]
            yield from files_of(base, options, notes=True)


def _directory(top: str, options: argparse.Namespace) -> Iterator[File]:
    """The regular files right in a directory."""
    before = options.archpath.rstrip("/") + "/" if options.archpath else ""
    if options.include_src_dir:
        before += os.path.basename(os.path.abspath(top)) + "/"
    for name in sorted(os.listdir(top)):
        path = os.path.join(top, name)
        status = os.stat(path)
        if stat.S_ISREG(status.st_mode):
            yield File(path, before + name, status.st_size)


def _line(verb: str, file: File, uri: Uri) -> str:
    name = printable(file.key)
    return f'{verb} {printable(file.path)} to {printable(str(uri))} as "{name}"'


def _put_stdin(client: Client, uri: Uri, options: argparse.Namespace) -> None:
    if not options.archpath:
        raise Failure("what comes from stdin needs a name in the archive: --archpath")
    if options.dry_run:
        print(f'[DRY RUN] PUT (stdin) to {printable(str(uri))} as "{printable(options.archpath)}"')
        return
    pieces = pieces_of(sys.stdin.buffer)
    client.upload(uri.path, *_request(uri, options.archpath, _pine(options)), pieces, None)


def _pine(options: argparse.Namespace) -> str:
    if options.append:
        return _APPEND
    return _APPEND_OR_PUT if options.append_or_put else "0"


def _request(uri: Uri, name: str, pine: str) -> tuple[dict[str, str], dict[str, str]]:
    """Query and headers of a request that puts a file into an archive."""
    return {**uri.query, "archpath": name}, {"ais-pine": pine}


def _exists(client: Client, uri: Uri) -> bool:
    try:
        client.act("HEAD", uri.path, uri.query)
    except NotFound:
        return False
    return True


class _Putting:
    """Files on their way into one archive."""

    def __init__(
        self,
        client: Client,
        uri: Uri,
        options: argparse.Namespace,
        verb: str,
        progress: Progress,
    ) -> None:
        self._client, self._uri, self._options = client, uri, options
        self._verb, self._progress = verb, progress
        self._failed = 0
        self._first = ""

    def append(self, files: list[File]) -> None:
        """One request a file: the node appends them one after the other."""
        for file in files:
            try:
                with open(file.path, "rb") as body:
                    data = FileBody(body, self._progress.moved)
                    query, headers = _request(self._uri, file.key, _APPEND)
                    self._client.upload(self._uri.path, query, headers, data.pieces, data.size)
            except (OSError, Failure) as error:
                self._pass_over(file, error)
                continue
            self._done(file)

    def make(self, kind: str, files: list[File]) -> None:
        """One request with the whole archive."""
        self._client.upload(
            self._uri.path, self._uri.query, {}, pack(kind, self._packed(files)), None
        )

    def _packed(self, files: list[File]) -> Iterator[Packed]:
        for file in files:
            try:
                body = open(file.path, "rb")  # noqa: SIM115
            except OSError as error:
                self._pass_over(file, error)
                continue
            with body:
                data = FileBody(body, self._progress.moved)
                if data.size is None:
                    self._pass_over(file, Failure("it is not a regular file"))
                    continue
                mtime = int(os.fstat(body.fileno()).st_mtime)
                yield Packed(file.key, data.size, mtime, data)
            self._done(file)

    def _pass_over(self, file: File, error: Exception) -> None:
        if not self._options.cont_on_err:
            raise Failure(f"{printable(file.path)}: {reason(error)}") from None
        self._failed += 1
        self._first = self._first or f"{printable(file.path)}: {reason(error)}"

    def _done(self, file: File) -> None:
        self._progress.done()
        if self._options.verbose:
            self._progress.say(_line(self._verb, file, self._uri))

    def summary(self) -> None:
        """Raises `Failure` if some files were passed over."""
        if self._failed:
            of = self._failed + self._progress.files
            raise Failure(f"{self._failed} of {of} files failed, the first: {self._first}")
