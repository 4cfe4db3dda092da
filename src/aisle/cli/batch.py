"""`ais ml get-batch`: objects, files in archives and ranges of many buckets, as one local archive.

The node makes the archive and sends it as it makes it, in one reply. Without `--streaming` it tells
first what came of each entry.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Iterator
from typing import Any, BinaryIO, Final

from aisle.cli import uri as uris
from aisle.cli.archive import inside
from aisle.cli.failure import Failure, printable
from aisle.cli.flags import progress_flag, units_flag, yes_flag
from aisle.cli.packing import kind_of
from aisle.cli.progress import Progress, is_much, wanted
from aisle.cli.prompt import can_ask, confirmed
from aisle.cli.selecting import (
    Chosen,
    by_prefix,
    chosen,
    everything,
    names_of,
    selection_flags,
)
from aisle.cli.tables import size_text
from aisle.cli.uri import Uri
from aisle.client import Client
from aisle.client.bodies import pieces_of, write_file

_SHOWN: Final = 5  # entries that are named of those that could not be had
_HEADER: Final = 64 << 20  # bytes of what is told of the entries, at most
_BLANK: Final = b"\r\n\r\n"


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "words",
        metavar="SRC",
        nargs="*",
        help="buckets, directories (ais://abc/dir/), objects, templates, or files in archives"
        " (ais://abc/shard.tar/name)",
    )
    parser.add_argument("to", metavar="FILE", help="the file to write, such as training.tar")
    selection_flags(parser, "get")
    flag = parser.add_argument
    flag("--spec", "-f", metavar="SPEC", help="the request as JSON: a file, or the text itself")
    flag("--omit-src-bck", action="store_true", help="names in it do not begin with the bucket's")
    flag("--streaming", action="store_true", help="begin to send before all has been looked up")
    flag("--cont-on-err", action="store_true", help="go on without what cannot be had")
    flag("--non-verbose", "--nv", action="store_true", help="print nothing but failures")
    progress_flag(parser)
    units_flag(parser)
    yes_flag(parser)


def run(client: Client, options: argparse.Namespace) -> None:
    kind = kind_of(options.to)
    sources = [uris.parse(word) for word in options.words]
    if options.spec is not None:
        path, query, request = _of_spec(options.spec, sources)
    else:
        path, query, request = "/v1/ml/moss", {}, {"in": _entries(client, sources, options)}
    if options.spec is None or options.omit_src_bck:
        request["onob"] = options.omit_src_bck
    if options.spec is None or options.cont_on_err:
        request["coer"] = options.cont_on_err
    request |= {"mime": kind, "strm": options.streaming}
    count = len(request["in"])
    if os.path.isfile(options.to) and can_ask() and not options.yes:
        shown = printable(options.to)
        if not confirmed(f'Overwrite "{shown}"?'):
            raise Failure(f'"{shown}" was left as before')
    asked = wanted(options.progress)
    body = json.dumps(request).encode()
    with (
        write_file(options.to) as file,
        client.download(path, query, {"content-type": "application/json"}, body) as response,
        Progress(
            "GET",
            count,
            None,
            shown=is_much(count, 0) if asked is None else asked,
            refresh=options.refresh,
        ) as progress,
    ):
        told = response.headers.get_content_type() == "multipart/mixed"
        boundary = str(response.headers.get_param("boundary", "")).encode() if told else b""
        pieces = pieces_of(response, progress.moved)
        outcomes = _received(pieces, boundary, file)
    failed = [outcome for outcome in outcomes if outcome.get("err_msg")]
    if not options.non_verbose:
        what = f"{count - len(failed)} {'entry' if count - len(failed) == 1 else 'entries'}"
        size = size_text(os.path.getsize(options.to), options.units)
        print(f"GET {what} => {printable(options.to)} ({size})")
    if failed:
        named = "; ".join(printable(outcome["err_msg"]) for outcome in failed[:_SHOWN])
        more = f" and {len(failed) - _SHOWN} more" if len(failed) > _SHOWN else ""
        raise Failure(f"{len(failed)} of {count} entries could not be had: {named}{more}")


# --- what to ask for ------------------------------------------------------------------------


def _of_spec(spec: str, sources: list[Uri]) -> tuple[str, dict[str, str], dict[str, Any]]:
    """The request that a specification is; SRC is the bucket of entries that name none."""
    if len(sources) > 1 or any(not uri.bucket or uri.key for uri in sources):
        raise Failure("with --spec SRC is one bucket, that of entries which name none")
    text, where = spec, "--spec"
    if not spec.lstrip().startswith("{"):
        where = spec
        try:
            with open(spec, encoding="utf-8") as file:
                text = file.read()
        except OSError as error:
            raise Failure(f"{spec}: {error.strerror}") from None
        except UnicodeDecodeError:
            raise Failure(f"{spec} is not UTF-8") from None
    try:
        request = json.loads(text)
    except ValueError as error:
        raise Failure(f"{where} is not JSON: {error}") from None
    if not isinstance(request, dict) or not isinstance(request.get("in"), list):
        raise Failure(f'{where} has no list of entries, such as {{"in": [{{"objname": "a"}}]}}')
    if not sources:
        return "/v1/ml/moss", {}, request
    return f"/v1/ml/moss/{sources[0].bucket}", sources[0].query, request


def _entries(
    client: Client, sources: list[Uri], options: argparse.Namespace
) -> list[dict[str, str]]:
    if not sources:
        raise Failure("name what to get (see 'ais ml get-batch --help')")
    found: list[dict[str, str]] = []
    for uri in sources:
        if not uri.bucket:
            raise Failure(f'"{uri}" names no bucket')
        many = chosen(options, uri) or _in_source(uri)
        if many is None:
            key, member = inside(uri.key)
            found.append(_entry(uri, key) | ({"archpath": member} if member else {}))
        else:
            names = names_of(client, uri.parent, many)
            found += [_entry(uri, name) for name in names if not name.endswith("/")]
    if not found:
        raise Failure("there is nothing to get")
    return found


def _in_source(uri: Uri) -> Chosen | None:
    """The many objects that a URI names, `None` if it names one."""
    if not uri.key:
        return everything()
    if "{" in uri.key:
        return Chosen({"template": uri.key}, "")
    return by_prefix(uri.key) if uri.key.endswith("/") else None


def _entry(uri: Uri, key: str) -> dict[str, str]:
    if uri.namespace:
        return {"uname": uri._replace(key=key).uname}
    return {"objname": key, "bucket": uri.bucket, "provider": uri.provider}


# --- what comes -----------------------------------------------------------------------------


def _received(pieces: Iterator[bytes], boundary: bytes, file: BinaryIO) -> list[dict[str, Any]]:
    """Write the archive to a file; what is told of its entries, if anything is."""
    if not boundary:
        for piece in pieces:
            file.write(piece)
        return []
    start, end = b"\r\n--" + boundary, b"\r\n--" + boundary + b"--"
    held = b""
    while (at := held.find(start)) < 0 or held.find(_BLANK, at) < 0:
        piece = next(pieces, b"")
        if not piece or len(held) > _HEADER:
            raise Failure("the reply is not what a batch is answered with")
        held += piece
    told = held[held.find(_BLANK) + len(_BLANK) : at]
    held = held[held.find(_BLANK, at) + len(_BLANK) :]
    # The end mark may come in pieces: as many bytes as it has at most are kept back.
    least = len(end) + len(b"\r\n")
    for piece in pieces:
        held += piece
        if len(held) > least:
            file.write(held[:-least])
            held = held[-least:]
    last = held.rfind(end)
    if last < 0:
        raise Failure("the archive broke off before its end")
    file.write(held[:last])
    try:
        outcomes: list[dict[str, Any]] = json.loads(told)["out"]
    except (ValueError, KeyError, TypeError):
        raise Failure("the reply is not what a batch is answered with") from None
    return outcomes
