"""`ais scrub`: goes over the objects of buckets and counts what is unusual; it changes nothing.

What a listing tells is counted as it comes, page by page: objects that are not where they should
be, lack copies, are small or large. With `--checksum`, which AIStore's `ais` does not have, each
object is then read and held to its checksum; one that is bad makes the command fail. Whatever the
buckets hold, what is kept is a line of numbers for each and a bounded number of names.

AIStore knows no versions, so neither do its listings: with `--versions` what is behind the current
objects is listed and read through the S3 API of the node.
"""

from __future__ import annotations

import argparse
import http.client
import json
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any, Final, NamedTuple

from aisle.cli import scrubversions
from aisle.cli import uri as uris
from aisle.cli.failure import Failure, Refused, printable
from aisle.cli.flags import (
    count,
    headers_flag,
    json_flag,
    limit_flag,
    progress_flag,
    units_flag,
    workers,
    workers_flag,
)
from aisle.cli.listing import pages
from aisle.cli.progress import Progress, interval, is_much, wanted
from aisle.cli.scrubversions import Version
from aisle.cli.summary import bucket_text
from aisle.cli.tables import Columns, size_text
from aisle.cli.transfer import DEFAULT_WORKERS, Crew, Stopped
from aisle.cli.uri import Uri
from aisle.client import Client
from aisle.client.bodies import Watch, checked, new_hasher
from aisle.client.errors import BadChecksum, ClientError, NotFound
from aisle.core.units import parse_size

# Bits of a listing's flags, and of an entry's.
_ONLY_CACHED: Final = 1 << 0
_MISSING: Final = 1 << 1
_NO_RECURSION: Final = 1 << 11
_STATUS: Final = (1 << 5) - 1
_CACHED: Final = 1 << 6
_IS_DIR: Final = 1 << 8

# Columns behind BUCKET, named as AIStore names them; the last six are ours.
OBJECTS: Final = "OBJECTS"
NOT_CACHED: Final = "NOT-CACHED"
WRONG_NODE: Final = "MISPLACED(cluster)"
WRONG_PATH: Final = "MISPLACED(mountpath)"
FEW_COPIES: Final = "MISSING-COPIES"
SMALL: Final = "SMALL"
LARGE: Final = "LARGE"
REMOTE: Final = ("VER-CHANGED", "DELETED")  # of remote buckets alone
NOT_OK: Final = "NOT-OK"
NO_CHECKSUM: Final = "NO-CHECKSUM"
BAD_CHECKSUM: Final = "BAD-CHECKSUM"
UNREADABLE: Final = "UNREADABLE"
NONCURRENT: Final = "NONCURRENT"
MARKERS: Final = "DELETE-MARKERS"
_LISTED: Final = (
    *(OBJECTS, NOT_CACHED, WRONG_NODE, WRONG_PATH, FEW_COPIES, SMALL, LARGE),
    *REMOTE,
    NOT_OK,
)
_READ: Final = (NO_CHECKSUM, BAD_CHECKSUM, UNREADABLE)
_BEHIND: Final = (NONCURRENT, MARKERS)
_FAILED: Final = (BAD_CHECKSUM, UNREADABLE)
# Shown even where all is well.
_ALWAYS: Final = frozenset((OBJECTS, SMALL, LARGE, *_BEHIND, *_READ))

_NAMES: Final = 100  # of each column, over all buckets
_LARGE_SIZE: Final = 5 << 30
_TELL: Final = "1s"


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "uris",
        metavar="URI",
        nargs="*",
        help="a bucket (ais://abc), a prefix in it, or a provider; all buckets without",
    )
    parser.add_argument("--prefix", default="", help="only objects whose names begin so")
    parser.add_argument(
        "--small-size", default="0", metavar="SIZE", help="count objects up to it (default 0)"
    )
    parser.add_argument(
        "--large-size", default="5GiB", metavar="SIZE", help="count objects from it (default 5GiB)"
    )
    parser.add_argument(
        "--checksum", action="store_true", help="read each object and hold it to its checksum"
    )
    parser.add_argument(
        "--versions", action="store_true", help="also noncurrent versions, in columns of their own"
    )
    workers_flag(parser, DEFAULT_WORKERS)
    parser.add_argument("--cached", action="store_true", help="only objects in the cluster")
    parser.add_argument(
        "--non-recursive", "--nr", action="store_true", help="not below the next slash"
    )
    limit_flag(parser, "objects of each bucket")
    for name, text in (
        ("--page-size", "ask for N names at a time (the most is 10,000)"),
        ("--max-pages", "at most N pages of each bucket"),
    ):
        parser.add_argument(name, type=count, default=0, metavar="N", help=text)
    parser.add_argument("--all-columns", action="store_true", help="also columns without a count")
    parser.add_argument(
        "--verbose", "-v", action="store_true", help=f"name what was counted, {_NAMES} a column"
    )
    progress_flag(parser)
    units_flag(parser)
    headers_flag(parser)
    json_flag(parser)


def run(client: Client, options: argparse.Namespace) -> None:
    sizes = _sizes(options)
    interval(options.refresh)
    number = workers(options)
    names = Names()
    tallies = [Tally(uri, sizes, names, copies=copies) for uri, copies in _buckets(client, options)]
    if options.versions:
        _refuse_partial(options)
    for tally in tallies:
        _list(client, tally, options)
        if options.versions and scrubversions.has_versions(tally.uri):
            for version in scrubversions.behind(client, tally.uri):
                column = MARKERS if version.marker else NONCURRENT
                tally.add(column, version.name, version.size)
    if options.checksum:
        _read_all(client, tallies, number, options)
    columns = _columns(tallies, options)
    if options.json:
        _print_json(tallies, names, options)
    elif tallies:
        _print_table(tallies, columns, options)
        _print_names(tallies, names, columns, options)
    failed = sum(tally.counts[column] for tally in tallies for column in _FAILED)
    if failed:
        read = sum(tally.counts[OBJECTS] + tally.counts[NONCURRENT] for tally in tallies)
        raise Failure(
            f"{failed} of {read} object{'' if read == 1 else 's'}"
            f" {'is' if failed == 1 else 'are'} damaged or cannot be read"
        )


def _refuse_partial(options: argparse.Namespace) -> None:
    """Versions are those of all objects below a prefix. Raises `Failure`."""
    if options.cached or options.non_recursive or options.limit or options.max_pages:
        raise Failure(
            "--versions goes over all objects: not with --cached, --non-recursive, --limit or"
            " --max-pages"
        )


class Sizes(NamedTuple):
    """Up to which size an object is small, and from which it is large."""

    small: int = 0
    large: int = _LARGE_SIZE


def _sizes(options: argparse.Namespace) -> Sizes:
    try:
        sizes = Sizes(parse_size(options.small_size), parse_size(options.large_size))
    except ValueError as error:
        raise Failure(f"--small-size and --large-size: {error}") from None
    if sizes.large <= sizes.small:
        raise Failure("--large-size must be greater than --small-size")
    return sizes


class Names:
    """The first names that were counted in each column: as many as anyone reads."""

    def __init__(self) -> None:
        self.of: dict[str, list[str]] = {}
        self.lock = threading.Lock()

    def add(self, column: str, name: str) -> None:
        kept = self.of.setdefault(column, [])
        if len(kept) < _NAMES:
            kept.append(name)


class Tally:
    """What was counted of a bucket, or below a prefix of one; threads may count at once.

    `copies` is how many the bucket wants of each object, 0 if it does not care.
    """

    def __init__(self, uri: Uri, sizes: Sizes, names: Names, *, copies: int = 0) -> None:
        self.uri = uri
        self.counts = dict.fromkeys((*_LISTED, *_BEHIND, *_READ), 0)
        self.bytes = dict.fromkeys(self.counts, 0)
        self._sizes, self._names, self._copies = sizes, names, copies

    def add(self, column: str, name: str, size: int) -> None:
        """Count an object."""
        with self._names.lock:
            self.counts[column] += 1
            self.bytes[column] += size
            if column != OBJECTS:
                self._names.add(column, str(self.uri._replace(key=name)))

    def listed(self, entry: dict[str, Any]) -> None:
        """Count what the entry of a listing tells; an object may be unusual in several ways."""
        name, size, flags = entry["name"], int(entry.get("size", 0)), entry.get("flags", 0)
        self.add(OBJECTS, name, size)
        status = flags & _STATUS
        if not flags & _CACHED:
            self.add(NOT_CACHED, name, size)
            return
        if status == 1:
            self.add(WRONG_NODE, name, size)
            return
        if status:
            self.add(WRONG_PATH if status == 2 else NOT_OK, name, size)
        if entry.get("copies", 0) < self._copies:
            self.add(FEW_COPIES, name, size)
        if size <= self._sizes.small:
            self.add(SMALL, name, size)
        elif size >= self._sizes.large:
            self.add(LARGE, name, size)


# --- what there is ----------------------------------------------------------------------------


def _buckets(client: Client, options: argparse.Namespace) -> Iterator[tuple[Uri, int]]:
    """Each bucket or prefix to go over, and how many copies its bucket wants of each object."""
    seen: set[Uri] = set()
    named = [uris.parse(text) for text in options.uris] or [Uri("")]
    for uri in named:
        if uri.key and options.prefix:
            raise Failure(f"both {uri} and --prefix name a prefix")
    for uri in named:
        for one in [uri] if uri.bucket else _every(client, uri):
            if one in seen:
                continue
            seen.add(one)
            try:
                copies = _copies(client, one)
            except NotFound:
                if uri.bucket:
                    raise
                continue  # removed since it was listed
            yield one._replace(key=one.key or options.prefix), copies


def _every(client: Client, uri: Uri) -> list[Uri]:
    """The buckets of a provider or namespace, or all there are."""
    reply = client.act("GET", "/v1/buckets", uri.query if uri.provider else {}, "list")
    rows = json.loads(reply.body)
    rows.sort(key=uris.order)
    return [uris.parse(bucket_text(row)) for row in rows]


def _copies(client: Client, uri: Uri) -> int:
    bucket = client.bucket(uri.bucket, provider=uri.provider, namespace=uri.namespace)
    mirror = bucket.props()["mirror"]
    return int(mirror["copies"]) if mirror["enabled"] else 0


def _entries(
    client: Client, uri: Uri, options: argparse.Namespace
) -> Iterator[list[dict[str, Any]]]:
    """The objects below a prefix, page by page; what stands for a directory alone is left out."""
    flags = _MISSING
    if options.cached:
        flags |= _ONLY_CACHED
    if options.non_recursive:
        flags |= _NO_RECURSION
    value = {
        "prefix": uri.key,
        "props": "name,size,copies,cached,status",
        "start_after": "",
        "flags": str(flags),
    }
    found = pages(
        client, uri.parent, value, options.limit, size=options.page_size, most=options.max_pages
    )
    for page in found:
        yield [
            entry
            for entry in page
            if not entry.get("flags", 0) & _IS_DIR
            and (entry.get("size", 0) or not entry["name"].endswith("/"))
        ]


def _list(client: Client, tally: Tally, options: argparse.Namespace) -> None:
    every = interval(options.refresh or _TELL) if options.progress else 0.0
    told = time.monotonic()
    for page in _entries(client, tally.uri, options):
        for entry in page:
            tally.listed(entry)
        if every and time.monotonic() - told >= every:
            told = time.monotonic()
            line = f"{printable(str(tally.uri))}: scrubbed {tally.counts[OBJECTS]:,} names"
            print(line, file=sys.stderr)


# --- reading all of it ------------------------------------------------------------------------


class _Work(NamedTuple):
    """What to read: an object, or with a `version` one that is behind it."""

    tally: Tally
    name: str
    size: int
    version: Version | None = None


def _read_all(
    client: Client, tallies: Sequence[Tally], number: int, options: argparse.Namespace
) -> None:
    """Read every object, some at a time, and count those that are not what they were."""
    read_ones = (OBJECTS, NONCURRENT)
    files = sum(tally.counts[column] for tally in tallies for column in read_ones)
    total = sum(tally.bytes[column] for tally in tallies for column in read_ones)
    shown = wanted(options.progress)
    shown = is_much(files, total) if shown is None else shown
    with Progress("SCRUB", files, total, shown=shown, refresh=options.refresh) as progress:

        def read(work: _Work) -> None:
            def watch(count: int) -> None:
                crew.check()
                progress.moved(count)

            if work.version is not None:
                column = _version_verdict(client, work.tally.uri, work.version, watch)
            else:
                column = _verdict(client, work.tally.uri._replace(key=work.name), watch)
            if column:
                work.tally.add(column, work.name, work.size)
            progress.done()

        crew = Crew(
            read,
            workers=number,
            keep_going=False,
            name=lambda work: printable(work.name),
            abort=client.close,
        )
        crew.run(_works(client, tallies, options))


def _works(
    client: Client, tallies: Sequence[Tally], options: argparse.Namespace
) -> Iterator[_Work]:
    for tally in tallies:
        for page in _entries(client, tally.uri, options):
            for entry in page:
                yield _Work(tally, entry["name"], int(entry.get("size", 0)))
        if options.versions and scrubversions.has_versions(tally.uri):
            for version in scrubversions.behind(client, tally.uri):
                if not version.marker:
                    yield _Work(tally, version.name, version.size, version)


def _version_verdict(client: Client, uri: Uri, version: Version, watch: Watch) -> str:
    """The same of a version."""
    opening = scrubversions.opened(client, uri, version)
    return _column(opening, lambda reply: scrubversions.check(reply, str(uri), watch))


def _verdict(client: Client, uri: Uri, watch: Watch) -> str:
    """The column in which an object belongs once it was read, `""` if it is as it should be.

    Raises `ClientError` if it is not the object's fault that it could not be read.
    """

    def check(reply: http.client.HTTPResponse) -> bool:
        kind = reply.headers.get("ais-checksum-type", "none")
        has = reply.headers.get("ais-checksum-value") and new_hasher(kind) is not None
        for piece in checked(reply, str(uri), partial=False):
            watch(len(piece))
        return bool(has)

    return _column(client.download(uri.path, uri.query, {}), check)


def _column(
    opening: AbstractContextManager[http.client.HTTPResponse],
    check: Callable[[http.client.HTTPResponse], bool],
) -> str:
    begun = False
    try:
        with opening as reply:
            begun = True
            return "" if check(reply) else NO_CHECKSUM
    except Stopped:
        raise
    except NotFound:
        return ""  # removed since it was listed
    except BadChecksum:
        return BAD_CHECKSUM
    except ClientError as error:
        # The node breaks off, or does not begin, what it cannot read itself.
        if begun or (isinstance(error, Refused) and error.status == 500):
            return UNREADABLE
        raise


# --- what is shown ----------------------------------------------------------------------------


def _columns(tallies: Sequence[Tally], options: argparse.Namespace) -> list[str]:
    """The columns of the table: without those that have no count, unless all are asked for."""
    return [
        column
        for column in _asked(options)
        if column in _ALWAYS
        or options.all_columns
        or any(tally.counts[column] for tally in tallies)
    ]


def _asked(options: argparse.Namespace) -> tuple[str, ...]:
    behind = _BEHIND if options.versions else ()
    return (*_LISTED, *behind, *(_READ if options.checksum else ()))


def _print_table(
    tallies: Sequence[Tally], columns: Sequence[str], options: argparse.Namespace
) -> None:
    prefixes = sum(bool(tally.uri.key) for tally in tallies)
    first = "BUCKET/PREFIX" if prefixes == len(tallies) else "BUCKET[/PREFIX]"
    table = Columns([first if prefixes else "BUCKET", *columns])
    rows = [
        [str(tally.uri), *(_cell(tally, column, options.units) for column in columns)]
        for tally in tallies
    ]
    for line in table.lines(rows if options.no_headers else [list(table.heading), *rows]):
        print(line)


def _cell(tally: Tally, column: str, units: str) -> str:
    number = tally.counts[column]
    return f"{number} ({size_text(tally.bytes[column], units)})" if number else "-"


def _print_names(
    tallies: Sequence[Tally], names: Names, columns: Sequence[str], options: argparse.Namespace
) -> None:
    """The names of what was counted; those of damaged objects are told in any case."""
    for column in columns:
        found = names.of.get(column)
        if not found or not (options.verbose or column in _FAILED):
            continue
        print(f"\n{column}:")
        for name in sorted(found):
            print(f"  {printable(name)}")
        more = sum(tally.counts[column] for tally in tallies) - len(found)
        if more:
            print(f"  ... and {more:,} more")


def _print_json(tallies: Sequence[Tally], names: Names, options: argparse.Namespace) -> None:
    """Every column of every bucket, and the names of the columns that would be named."""
    columns = _asked(options)
    rows = [
        {
            "bucket": str(tally.uri.parent),
            "prefix": tally.uri.key,
            **{
                column.lower(): {"count": tally.counts[column], "size": tally.bytes[column]}
                for column in columns
            },
        }
        for tally in tallies
    ]
    told = {
        column.lower(): sorted(found)
        for column, found in names.of.items()
        if options.verbose or column in _FAILED
    }
    print(json.dumps({"buckets": rows, "names": told}, indent=4))
