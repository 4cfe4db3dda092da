"""`ais bucket inventory`: have Amazon's S3 write inventories of a bucket, to list it by.

What is said goes to the remote bucket as it is: S3's own configurations, through the S3 API of the
node and with the cluster's credentials. The scripts in `scripts/s3` do the same with Amazon's CLI.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
from collections.abc import Callable, Iterator
from typing import Final
from urllib.parse import quote
from xml.sax.saxutils import escape

from aisle.cli import uri as uris
from aisle.cli.failure import Failure
from aisle.cli.flags import headers_flag, json_flag
from aisle.cli.tables import print_table, properties
from aisle.cli.uri import Uri
from aisle.client import Client
from aisle.core.xmltree import Element, XmlError, parse_tree

PREFIX: Final = ".inventory"
_ARN: Final = "arn:aws:s3:::"
_XMLNS: Final = "http://s3.amazonaws.com/doc/2006-03-01/"
_FORMATS: Final = ("CSV", "ORC", "Parquet")
_FREQUENCIES: Final = ("Daily", "Weekly")
_VERSIONS: Final = ("Current", "All")
_FIELDS: Final = "Size,ETag,LastModifiedDate"
_PAGES: Final = 1000


def _one_of(words: tuple[str, ...]) -> Callable[[str], str]:
    """The type of an option that is one of some words, whatever its case."""
    known = {word.lower(): word for word in words}
    return lambda text: known.get(text.lower(), text)


def _bucket(text: str) -> Uri:
    """Raises `Failure` for a bucket that S3 writes no inventories of, as far as its name tells."""
    uri = uris.bucket(text)
    if uri.provider not in ("s3", "aws", "ais"):
        raise Failure(f"S3 writes no inventories of {uri} (but see 'ais nbi --help')")
    return uri


def _path(uri: Uri) -> str:
    return f"/s3/{quote(uri.bucket)}"


def _query(identity: str) -> dict[str, str]:
    return {"inventory": "", "id": identity}


def _common(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("uri", metavar="BUCKET", help="such as s3://abc")


def _id_flag(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--inv-id", "--id", default="", metavar="ID", help="of the inventory (default: the bucket)"
    )


# --- put ------------------------------------------------------------------------------------------


def put_arguments(parser: argparse.ArgumentParser) -> None:
    _common(parser)
    _id_flag(parser)
    flag = parser.add_argument
    flag(
        "--inv-name", "--name", default=PREFIX, metavar="PREFIX",
        help=f"where it is written (default: {PREFIX})",
    )  # fmt: skip
    flag("--destination", default="", metavar="BUCKET", help="the bucket it is written to")
    flag(
        "--frequency",
        default="Weekly",
        type=_one_of(_FREQUENCIES),
        choices=_FREQUENCIES,
        help="how often",
    )
    flag("--format", default="CSV", type=_one_of(_FORMATS), choices=_FORMATS, help="of its files")
    flag(
        "--versions",
        default="Current",
        type=_one_of(_VERSIONS),
        choices=_VERSIONS,
        help="of objects",
    )
    flag("--fields", default=_FIELDS, help=f"what it tells beside names (default: {_FIELDS})")
    flag("--prefix", default="", help="only objects whose names begin so")


def put(client: Client, options: argparse.Namespace) -> None:
    uri = _bucket(options.uri)
    identity = options.inv_id or uri.bucket
    destination = uris.bucket(options.destination).bucket if options.destination else uri.bucket
    fields = [word.strip() for word in options.fields.split(",") if word.strip()]
    parts = [
        _leaf("Id", identity),
        _leaf("IsEnabled", "true"),
        _node("Filter", _leaf("Prefix", options.prefix)) if options.prefix else "",
        _leaf("IncludedObjectVersions", options.versions),
        _node("OptionalFields", *(_leaf("Field", word) for word in fields)) if fields else "",
        _node("Schedule", _leaf("Frequency", options.frequency)),
        _node(
            "Destination",
            _node(
                "S3BucketDestination",
                _leaf("Bucket", _ARN + destination),
                _leaf("Format", options.format),
                _leaf("Prefix", options.inv_name) if options.inv_name else "",
            ),
        ),
    ]
    document = f'<InventoryConfiguration xmlns="{_XMLNS}">{"".join(parts)}</InventoryConfiguration>'
    _send(client, uri, _query(identity), document, "application/xml")
    print(
        f'S3 writes inventory "{identity}" of {uri} to s3://{destination}/{options.inv_name}:'
        f" {options.format}, {options.versions} versions, {options.frequency}"
    )


def _leaf(name: str, text: str) -> str:
    return f"<{name}>{escape(text)}</{name}>"


def _node(name: str, *parts: str) -> str:
    return f"<{name}>{''.join(parts)}</{name}>"


def _send(client: Client, uri: Uri, query: dict[str, str], text: str, kind: str) -> None:
    body = text.encode()
    digest = base64.b64encode(hashlib.md5(body, usedforsecurity=False).digest()).decode()
    headers = {"content-type": kind, "content-md5": digest}
    client.upload(_path(uri), query, headers, [body], len(body))


# --- list and show --------------------------------------------------------------------------------


def list_arguments(parser: argparse.ArgumentParser) -> None:
    _common(parser)
    json_flag(parser)
    headers_flag(parser)


def list_(client: Client, options: argparse.Namespace) -> None:
    uri = _bucket(options.uri)
    found = [_told(one) for one in _configurations(client, uri)]
    if options.json:
        print(json.dumps(found, indent=4))
        return
    if not found:
        print(f"S3 writes no inventories of {uri}")
        return
    shown = ("id", "enabled", "frequency", "format", "versions", "destination")
    rows = [[one[name] for name in shown] for one in found]
    print_table([name.upper() for name in shown], rows, headers=not options.no_headers)


def _configurations(client: Client, uri: Uri) -> Iterator[Element]:
    query = {"inventory": ""}
    for _ in range(_PAGES):
        root = _read(client.act("GET", _path(uri), query).body)
        yield from root.all("InventoryConfiguration")
        token = root.value("NextContinuationToken")
        if root.value("IsTruncated") != "true" or not token:
            return
        query = {"inventory": "", "continuation-token": token}


def _read(body: bytes) -> Element:
    try:
        return parse_tree(body)
    except XmlError as error:
        raise Failure(f"the answer cannot be read: {error}") from None


def _told(one: Element) -> dict[str, str]:
    """A configuration by the words that `put` has for it."""
    outer = one.first("Destination") or Element("")
    inner = outer.first("S3BucketDestination") or Element("")
    bucket = inner.value("Bucket").removeprefix(_ARN)
    fields = one.first("OptionalFields") or Element("")
    return {
        "id": one.value("Id"),
        "enabled": "yes" if one.value("IsEnabled") == "true" else "no",
        "frequency": (one.first("Schedule") or Element("")).value("Frequency"),
        "format": inner.value("Format"),
        "versions": one.value("IncludedObjectVersions"),
        "destination": f"s3://{bucket}/{inner.value('Prefix')}",
        "fields": ",".join(field.text for field in fields.all("Field")),
        "prefix": (one.first("Filter") or Element("")).value("Prefix"),
    }


def show_arguments(parser: argparse.ArgumentParser) -> None:
    _common(parser)
    _id_flag(parser)
    json_flag(parser)
    headers_flag(parser)


def show(client: Client, options: argparse.Namespace) -> None:
    uri = _bucket(options.uri)
    reply = client.act("GET", _path(uri), _query(options.inv_id or uri.bucket))
    told = _told(_read(reply.body))
    if options.json:
        print(json.dumps(told, indent=4))
        return
    for line in properties(told.items(), headers=not options.no_headers):
        print(line)


# --- rm and allow ---------------------------------------------------------------------------------


def remove_arguments(parser: argparse.ArgumentParser) -> None:
    _common(parser)
    _id_flag(parser)


def remove(client: Client, options: argparse.Namespace) -> None:
    uri = _bucket(options.uri)
    identity = options.inv_id or uri.bucket
    client.act("DELETE", _path(uri), _query(identity))
    print(f'S3 writes inventory "{identity}" of {uri} no more')


def allow_arguments(parser: argparse.ArgumentParser) -> None:
    _common(parser)
    parser.add_argument(
        "--source", default="", metavar="BUCKET", help="whose inventories (default: its own)"
    )


def allow(client: Client, options: argparse.Namespace) -> None:
    """Have the remote bucket's policy let S3 write inventories; it replaces the one there is."""
    uri = _bucket(options.uri)
    source = uris.bucket(options.source).bucket if options.source else uri.bucket
    policy = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": "InventoryPolicy",
                "Effect": "Allow",
                "Principal": {"Service": "s3.amazonaws.com"},
                "Action": "s3:PutObject",
                "Resource": f"{_ARN}{uri.bucket}/*",
                "Condition": {
                    "ArnLike": {"aws:SourceArn": _ARN + source},
                    "StringEquals": {"s3:x-amz-acl": "bucket-owner-full-control"},
                },
            }
        ],
    }
    _send(client, uri, {"policy": ""}, json.dumps(policy), "application/json")
    print(f"S3 may write inventories of s3://{source} into {uri}")
