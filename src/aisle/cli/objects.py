"""`ais object show`, `mv`, `set-custom` and `cat`: one object, looked at, renamed, described, read.

`put`, `get`, `rm`, `cp`, `concat` and `mpu` have modules of their own.
"""

from __future__ import annotations

import argparse
import json
import sys
from http.client import HTTPMessage
from typing import Any, Final

from aisle.cli import uri as uris
from aisle.cli.failure import Failure, printable
from aisle.cli.flags import headers_flag, json_flag, units_flag
from aisle.cli.tables import date_text, properties, size_text
from aisle.cli.uri import Uri
from aisle.client.bodies import checked
from aisle.client.client import Client
from aisle.client.objects import range_header
from aisle.client.replies import custom_metadata
from aisle.core.units import parse_size

PROPERTIES: Final = (
    "atime",
    "cached",
    "checksum",
    "copies",
    "custom",
    "ec",
    "location",
    "name",
    "size",
    "version",
)
_BRIEF: Final = ("atime", "checksum", "name", "size", "version")


# --- show -----------------------------------------------------------------------------------


def show_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("uri", metavar="URI", help="such as ais://bucket/name")
    parser.add_argument("--all", "-a", action="store_true", help="every property")
    parser.add_argument(
        "--props",
        metavar="NAMES",
        default="",
        help=f"these properties, or all: {', '.join(PROPERTIES)}",
    )
    json_flag(parser)
    headers_flag(parser)
    units_flag(parser)


def show(client: Client, options: argparse.Namespace) -> None:
    uri = uris.object_(options.uri)
    names = PROPERTIES if options.all else _names(options.props)
    headers = client.act("HEAD", uri.path, uri.query).headers
    if options.json:
        values = _values(uri, headers)
        print(json.dumps({name: values[name] for name in names}, indent=4))
        return
    texts = _texts(uri, headers, options.units)
    rows = [(name, texts[name]) for name in names]
    for line in properties(rows, headers=not options.no_headers):
        print(line)


def _names(text: str) -> tuple[str, ...]:
    """The properties to show. Raises `Failure`."""
    names = tuple(dict.fromkeys(word.strip() for word in text.split(",") if word.strip()))
    if "all" in names:
        return PROPERTIES
    unknown = [name for name in names if name not in PROPERTIES]
    if unknown:
        raise Failure(f'no property is called "{unknown[0]}" (there are {", ".join(PROPERTIES)})')
    return names or _BRIEF


def _texts(uri: Uri, headers: HTTPMessage, units: str) -> dict[str, str]:
    """The properties as the table has them."""
    value = headers.get("ais-checksum-value", "")
    shown = f"{value[:16]}..." if len(value) > 16 else value
    custom = {"ETag": headers.get("etag", "").strip('"'), **custom_metadata(headers)}
    paths = headers.get("ais-mirror-paths", "")
    copies = headers.get("ais-mirror-copies", "1")
    return {
        "atime": date_text(int(headers.get("ais-atime", "0"))),
        "cached": "yes" if headers.get("ais-present") == "true" else "no",
        "checksum": f"{headers.get('ais-checksum-type', '')}[{shown}]" if value else "-",
        "copies": f"{copies} {paths}".strip(),
        "custom": f"map[{' '.join(f'{name}:{text}' for name, text in custom.items())}]",
        "ec": "-",
        "location": headers.get("ais-location", "-"),
        "name": str(uri),
        "size": size_text(int(headers.get("content-length", "0")), units),
        "version": headers.get("ais-version", "-"),
    }


def _values(uri: Uri, headers: HTTPMessage) -> dict[str, Any]:
    """The properties for programs: numbers as numbers, times in nanoseconds."""
    return {
        "atime": int(headers.get("ais-atime", "0")),
        "cached": headers.get("ais-present") == "true",
        "checksum": {
            "type": headers.get("ais-checksum-type", "none"),
            "value": headers.get("ais-checksum-value", ""),
        },
        "copies": int(headers.get("ais-mirror-copies", "1")),
        "custom": custom_metadata(headers),
        "ec": None,
        "location": headers.get("ais-location", ""),
        "name": str(uri),
        "size": int(headers.get("content-length", "0")),
        "version": headers.get("ais-version", ""),
    }


# --- mv -------------------------------------------------------------------------------------


def move_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("uri", metavar="URI", help="such as ais://bucket/name")
    parser.add_argument(
        "name", metavar="NEW_NAME", help="its name from now on, or a URI in the same bucket"
    )


def move(client: Client, options: argparse.Namespace) -> None:
    """Rename an object; what had the new name is replaced."""
    uri = uris.object_(options.uri)
    name = options.name
    if "://" in name:
        target = uris.object_(name)
        if target.parent != uri.parent:
            raise Failure(f"an object cannot move to another bucket ({target.parent}): copy it")
        name = target.key
    if name == uri.key:
        raise Failure("the old name and the new one are the same")
    client.act("POST", uri.path, uri.query, "rename", name=name)
    print(f'"{printable(uri.key)}" moved to "{printable(name)}"')


# --- set-custom -----------------------------------------------------------------------------


def set_custom_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("uri", metavar="URI", help="such as ais://bucket/name")
    parser.add_argument(
        "props",
        metavar="NAME=VALUE",
        nargs="+",
        help='such as colour=red, or JSON: {"colour":"red"}',
    )
    parser.add_argument(
        "--set-new-custom", action="store_true", help="drop the custom properties it had before"
    )


def set_custom(client: Client, options: argparse.Namespace) -> None:
    uri = uris.object_(options.uri)
    query = {**uri.query}
    if options.set_new_custom:
        query["set-new-custom"] = "true"
    client.act("PATCH", uri.path, query, "set-custom", _assigned(options.props))
    print(
        "Custom props successfully updated (to show updates, run"
        f" 'ais show object {printable(str(uri))} --props=all')."
    )


def _assigned(words: list[str]) -> dict[str, str]:
    """The properties in `NAME=VALUE` words, or in one word of JSON. Raises `Failure`."""
    if len(words) == 1 and words[0].lstrip().startswith("{"):
        try:
            found = json.loads(words[0])
        except ValueError as error:
            raise Failure(f"the custom properties are not JSON: {error}") from None
        if not all(isinstance(text, str) for text in found.values()):
            raise Failure("the values of custom properties are texts")
        return dict(found)
    assigned = {}
    for word in words:
        name, separator, text = word.partition("=")
        if not name.strip() or not separator:
            raise Failure(f'"{word}" is not NAME=VALUE')
        assigned[name.strip()] = text.strip()
    return assigned


# --- cat ------------------------------------------------------------------------------------


def cat_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("uri", metavar="URI", nargs="+", help="such as ais://bucket/name")
    parser.add_argument("--offset", metavar="SIZE", help="begin there, such as 100 or 4MiB")
    parser.add_argument("--length", metavar="SIZE", help="print that many bytes")
    parser.add_argument("--archpath", metavar="NAME", default="", help="print a file of an archive")


def cat(client: Client, options: argparse.Namespace) -> None:
    found = [uris.object_(text) for text in options.uri]
    headers = _range(options)
    for uri in found:
        query = {**uri.query, **({"archpath": options.archpath} if options.archpath else {})}
        with client.download(uri.path, query, headers) as response:
            partial, whole = bool(headers), not options.archpath
            for piece in checked(response, str(uri), partial=partial, verify=whole):
                sys.stdout.buffer.write(piece)
    sys.stdout.buffer.flush()


def _range(options: argparse.Namespace) -> dict[str, str]:
    try:
        first = parse_size(options.offset or "0")
        count = parse_size(options.length) if options.length is not None else None
    except ValueError as error:
        raise Failure(f"--offset and --length: {error}") from None
    if count == 0:
        raise Failure("--length must be at least 1")
    return range_header(first, count)
