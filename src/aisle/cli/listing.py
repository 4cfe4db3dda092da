"""`ais ls`: buckets by provider, or the objects of one bucket, a page at a time."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import chain
from typing import Any, Final

from aisle.cli import bucketlist, summary
from aisle.cli import uri as uris
from aisle.cli.ahead import ahead
from aisle.cli.failure import Failure, Refused, printable
from aisle.cli.filters import Filter, filter_arguments
from aisle.cli.flags import count, headers_flag, idle_flag, json_flag
from aisle.cli.tables import Columns, size_text
from aisle.cli.uri import Uri, is_elsewhere
from aisle.client import Client
from aisle.core.errors import AisleError
from aisle.core.units import parse_duration

Entry = dict[str, Any]

# Bits of an entry's flags.
_STATUS: Final = (1 << 5) - 1
_CACHED: Final = 1 << 6
_IN_ARCHIVE: Final = 1 << 7
_IS_DIR: Final = 1 << 8
_CHANGED: Final = 1 << 10
_REMOVED: Final = 1 << 11
_HEAD_FAILED: Final = 1 << 12
_CHUNKED: Final = 1 << 13
# Options of this command, and the bit of a request's flags that each of them is.
_FLAGS: Final = {
    "cached": 1 << 0,
    "all": 1 << 1,  # missing, misplaced and the like too
    "archive": 1 << 3,
    "name_only": 1 << 4,
    "skip_lookup": 1 << 7,
    "dont_add": 1 << 8,
    "not_cached": 1 << 9,
    "non_recursive": 1 << 11,
    "diff": 1 << 12,
    "no_dirs": 1 << 13,
    "inventory": 1 << 15,
}
_STATUSES: Final = {
    0: "ok",
    1: "misplaced(cluster)",
    2: "misplaced(mountpath)",
    3: "replica",
    4: "replica(object-is-missing)",
}
_REMOTE_STATUSES: Final = (
    (_CHANGED, "version-changed"),
    (_REMOVED, "deleted"),
    (_HEAD_FAILED, "remote-error"),
)
_DENIED: Final = 403
# What `all` stands for, in the order in which they are shown; the last three always come last.
ALL_PROPS: Final = (
    *("size", "checksum", "atime", "version", "location", "custom", "copies"),
    *("cached", "chunked", "status"),
)
_LAST: Final = ALL_PROPS[-3:]
_KNOWN: Final = (*ALL_PROPS, "ec", "name")
_FEW: Final = 10  # up to so many names nobody needs to be told how many they are


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "uri",
        metavar="URI",
        nargs="?",
        default="",
        help="a provider (ais:, s3:), a bucket (ais://abc, ais://#ns/abc) or a prefix in it",
    )
    parser.add_argument("--prefix", default="", help="only objects whose names begin so")
    parser.add_argument(
        "--props", default="", help=f"columns, comma-separated: {', '.join(ALL_PROPS)}, or all"
    )
    _selecting(parser)
    _paging(parser)
    _showing(parser)


def _selecting(parser: argparse.ArgumentParser) -> None:
    """Options that say what is listed."""
    flag = partial(parser.add_argument, action="store_true")
    flag("--all", help="also buckets that are not in the cluster yet, and misplaced objects")
    flag("--cached", help="only objects in the cluster")
    flag("--not-cached", help="only objects that are not in the cluster")
    flag("--non-recursive", "--nr", help="one level: names up to the next slash are directories")
    flag("--no-dirs", help="no directories")
    flag("--archive", help="also the files in archives (TAR, TGZ, ZIP, TAR.LZ4)")
    flag("--diff", help="tell what differs from the remote bucket, in a column STATUS")
    flag("--skip-lookup", help="do not look a remote bucket up first")
    flag("--dont-add", help="do not add a remote bucket to the cluster")
    flag("--inventory", help="list a remote bucket by its inventory, at once")
    for name, text in (
        ("--inv-name", "the inventory of this name, or that S3 has written below this prefix"),
        ("--inv-id", "the one that S3 has written by the configuration of this id"),
    ):
        parser.add_argument(name, default="", metavar="NAME", help=text)
    filter_arguments(parser)
    flag("--show-unmatched", help="also the names that were not matched, apart")


def _paging(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--start-after", default="", metavar="NAME", help="begin after this name")
    for name, text in (
        ("--limit", "at most N objects"),
        ("--page-size", "ask for N names at a time (the most is 10,000)"),
        ("--max-pages", "at most N pages"),
    ):
        parser.add_argument(name, type=count, default=0, metavar="N", help=text)
    parser.add_argument(
        "--paged", action="store_true", help="print page by page (this is always done)"
    )
    parser.add_argument(
        "--refresh", default="", metavar="TIME", help="tell on stderr every so often how many yet"
    )


def _showing(parser: argparse.ArgumentParser) -> None:
    """Options that say how it is shown."""
    flag = partial(parser.add_argument, action="store_true")
    flag("--name-only", help="names alone")
    flag("--count-only", help="how many names there are, and how long it took")
    flag("--summary", help="objects and bytes of a bucket, or of each of many")
    summary.summary_arguments(parser)
    headers_flag(parser)
    flag("--no-footers", "-F", help="do not print how many names were listed")
    idle_flag(parser, "--silent")
    json_flag(parser)


def run(client: Client, options: argparse.Namespace) -> None:
    uri = uris.parse(options.uri) if options.uri else Uri("")
    if uri.key and options.prefix:
        raise Failure(f"both {uri} and --prefix name a prefix")
    options.inventory = bool(options.inventory or options.inv_name or options.inv_id)
    if options.inventory and (options.summary or not uri.bucket):
        raise Failure("--inventory: it is the objects of a bucket that an inventory lists")
    if not uri.bucket:
        bucketlist.run(client, uri, options)
    elif options.summary:
        summary.listed(client, uri, options)
    else:
        _objects(client, uri, options)


def _objects(client: Client, uri: Uri, options: argparse.Namespace) -> None:
    remote = _is_remote(client, uri)
    columns = _columns(options, remote=remote)
    chosen = Filter(options.regex, options.template)
    value = {
        "prefix": _narrower(uri.key or options.prefix, chosen.prefix),
        "props": ",".join(["name", *columns]),
        "start_after": options.start_after,
        "flags": str(sum(bit for name, bit in _FLAGS.items() if getattr(options, name))),
    }
    shown = _Shown(columns, options)
    began = time.monotonic()
    for entries in _chosen_pages(client, uri.parent, value, chosen, shown):
        shown.page(entries)
    shown.end(time.monotonic() - began)


def _is_remote(client: Client, uri: Uri) -> bool:
    """Whether there is a remote bucket behind one: by its provider, or as its props tell."""
    if is_elsewhere(uri):
        return True
    try:
        bucket = client.bucket(uri.bucket, provider=uri.provider, namespace=uri.namespace)
        return bool(bucket.props()["backend_bck"]["name"])
    except Refused as error:
        if error.status == _DENIED:
            return False  # who may list it need not be told of its props
        raise


def _narrower(prefix: str, other: str) -> str:
    """The longer of two prefixes of the same names. Raises `Failure` if no name has both."""
    if prefix.startswith(other) or other.startswith(prefix):
        return max(prefix, other, key=len)
    raise Failure(f'no name begins with both "{prefix}" and "{other}"')


def _columns(options: argparse.Namespace, *, remote: bool) -> list[str]:
    """The columns beside the name. Raises `Failure` for one that there is not."""
    if options.name_only:
        return []
    props = [word.strip() for word in options.props.split(",") if word.strip()]
    if "all" in props:
        props = list(ALL_PROPS)
    unknown = [prop for prop in props if prop not in _KNOWN]
    if unknown:
        raise Failure(f"there is no column {unknown[0]} (there are: {', '.join(ALL_PROPS)})")
    if not props:
        props = ["size", "cached", "status"] if remote else ["size"]
    if options.diff:
        props.append("status")
    own = list(dict.fromkeys(prop for prop in props if prop not in ("name", *_LAST)))
    return [*own, *(prop for prop in _LAST if prop in props)]


def _chosen_pages(
    client: Client,
    bucket: Uri,
    value: dict[str, Any],
    chosen: Filter,
    shown: _Shown,
) -> Iterator[list[Entry]]:
    """The pages of a listing without what the filter holds back, which goes to `shown`."""
    options = shown.options
    left = options.limit
    fetched = pages(
        client,
        bucket,
        value,
        left if chosen.open else 0,
        size=options.page_size,
        most=options.max_pages,
        headers=_inventory(options),
    )
    if not (options.limit or options.max_pages):  # what is not shown is not asked for
        fetched = ahead(fetched)
    for entries in fetched:
        if not chosen.open:
            shown.leave_out(e["name"] for e in entries if not chosen(e["name"]))
            entries = [entry for entry in entries if chosen(entry["name"])]
        if options.limit:
            entries = entries[:left]
            left -= len(entries)
        yield entries
        if options.limit and left == 0:
            return


def _inventory(options: argparse.Namespace) -> dict[str, str]:
    """The headers that name the inventory to list."""
    if not options.inventory:
        return {}
    named = (("ais-inv-name", options.inv_name), ("ais-inv-id", options.inv_id))
    return {"ais-bucket-inventory": "true"} | {name: text for name, text in named if text}


def pages(
    client: Client,
    bucket: Uri,
    value: dict[str, Any],
    limit: int = 0,
    *,
    size: int = 0,
    most: int = 0,
    headers: Mapping[str, str] | None = None,
) -> Iterator[list[Entry]]:
    """The pages of a listing, up to `limit` entries and `most` pages (0: all), of `size` names."""
    token, uuid, left, count = "", "", limit, 0
    while True:
        wanted = min((number for number in (left if limit else 0, size) if number), default=0)
        ask = {**value, "continuation_token": token, "pagesize": wanted, "uuid": uuid}
        reply = json.loads(client.act("GET", bucket.path, bucket.query, "list", ask, headers).body)
        entries = reply["entries"] or []
        yield entries[:left] if limit else entries
        token, uuid, count = reply["continuation_token"], reply["uuid"], count + 1
        left -= len(entries)
        if not token or (limit and left <= 0) or count == most:
            return


class _Shown:
    """What is printed of a listing: its pages, and what stands below them."""

    def __init__(self, columns: Sequence[str], options: argparse.Namespace) -> None:
        self._columns = columns
        self.options = options
        self._table = Columns(["NAME", *(column.upper() for column in columns)])
        self._count = 0
        self._cached = 0
        self._told = time.monotonic()
        self._every = _seconds(options.refresh)
        self._unmatched: list[str] = []

    def leave_out(self, names: Iterable[str]) -> None:
        """Note names that were held back, if they are to be shown in the end."""
        if self.options.show_unmatched:
            self._unmatched += names

    def page(self, entries: list[Entry]) -> None:
        options, first = self.options, not self._count
        self._count += len(entries)
        self._cached += sum(bool(entry.get("flags", 0) & _CACHED) for entry in entries)
        if self._every and time.monotonic() - self._told >= self._every:
            self._told = time.monotonic()
            print(f"Listed {self._count:,} names", file=sys.stderr)
        if options.count_only or not entries:
            return
        if options.json:
            lines = [f"    {json.dumps(entry)}" for entry in entries]
            print("[\n" if first else ",\n", ",\n".join(lines), sep="", end="")
            return
        rows: Iterable[tuple[str, ...]] = zip(*self._cells(entries), strict=True)
        if first and not options.no_headers and not options.name_only:
            rows = chain([self._table.heading], rows)
        sys.stdout.write("".join([f"{line}\n" for line in self._table.lines(rows)]))

    def _cells(self, entries: list[Entry]) -> Iterator[list[str]]:
        """The cells of a page, column by column."""
        yield [
            f"    {entry['name']}" if entry.get("flags", 0) & _IN_ARCHIVE else entry["name"]
            for entry in entries
        ]
        for column in self._columns:
            yield _cells(entries, column, self.options.units)

    def end(self, seconds: float) -> None:
        options = self.options
        if options.json and not options.count_only:
            print("\n]" if self._count else "[]")
            return
        if self._unmatched:
            print("Unmatched names:")
            for name in self._unmatched:
                print(f"  {printable(name)}")
        if options.count_only:
            print(f"Listed {self._count:,} names in {seconds:.2f}s")
        elif self._count > _FEW and not options.no_footers:
            cached = f" (in-cluster: {self._cached:,})" if "cached" in self._columns else ""
            print(f"Listed {self._count:,} names{cached}")


def _seconds(text: str) -> float:
    """The time of `--refresh`, 0 for none. Raises `Failure`."""
    try:
        return parse_duration(text) / 1e9 if text else 0.0
    except (AisleError, ValueError):
        raise Failure(f'--refresh: "{text}" is not a time such as 5s') from None


def _cells(entries: list[Entry], column: str, units: str) -> list[str]:
    """The cells of one column; directories have none."""
    if column == "size":
        return [
            size_text(entry.get("size", 0), units) if not entry.get("flags", 0) & _IS_DIR else ""
            for entry in entries
        ]
    return [
        _cell(entry, column, flags) if not (flags := entry.get("flags", 0)) & _IS_DIR else ""
        for entry in entries
    ]


def _cell(entry: Entry, column: str, flags: int) -> str:
    match column:
        case "cached":
            return "yes" if flags & _CACHED else "no"
        case "chunked":
            return "yes" if flags & _CHUNKED else "no"
        case "status":
            return _status(flags)
        case "custom":
            return str(entry.get("custom-md", ""))
        case "ec":
            return "-"
        case _:
            return str(entry.get(column, ""))


def _status(flags: int) -> str:
    """What the bits of an entry say of its state."""
    for bit, text in _REMOTE_STATUSES:
        if flags & bit:
            return text
    return _STATUSES.get(flags & _STATUS, f"status {flags & _STATUS}")
