"""`ais bucket show`, `props` and `lru`: what a bucket is set to, and setting it."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from typing import Any, Final

from aisle.cli import uri as uris
from aisle.cli.failure import Failure
from aisle.cli.flags import headers_flag, json_flag
from aisle.cli.notes import note_settings
from aisle.cli.tables import date_text, properties
from aisle.cli.uri import Uri, of_row
from aisle.client import Client
from aisle.core import settings
from aisle.core.errors import InvalidArgument
from aisle.core.features import names_of
from aisle.core.permissions import ACCESS_ALL, NAMES, mask_of
from aisle.core.settings import Value


def assignments(words: Sequence[str]) -> dict[str, Any]:
    """`name=value` words, or one JSON object, to values by name. Raises `Failure`."""
    if len(words) == 1 and words[0].lstrip().startswith("{"):
        try:
            return settings.flatten(json.loads(words[0]))
        except ValueError as error:
            raise Failure(f"the props are not JSON: {error}") from None
    found: dict[str, Any] = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not (equals and name):
            raise Failure(f'"{word}" is not of the form name=value')
        found[name] = access_mask(value) if name == "access" else value
    return found


def access_mask(text: str) -> str:
    """The bits that `ro`, `rw`, `su` or a list of permissions means; a number stays one.

    Raises `Failure`.
    """
    if text.isdecimal():
        return text
    try:
        return str(mask_of(text.split(","), everything=ACCESS_ALL))
    except InvalidArgument as error:
        raise Failure(str(error)) from None


def props_of(client: Client, uri: Uri) -> dict[str, Any]:
    """The nested props of a bucket, as the node shows them; a remote one is not added for it."""
    return _told(client, uri)[0]


def _told(client: Client, uri: Uri) -> tuple[dict[str, Any], bool]:
    """The same, and whether the bucket is in the cluster."""
    reply = client.act("HEAD", uri.path, {**uri.query, "dont_add_remote_bck_md": "true"})
    nested = json.loads(reply.headers.get("ais-bucket-props", "{}"))
    assert isinstance(nested, dict)
    return nested, reply.headers.get("ais-present", "true") == "true"


def show_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("uri", metavar="BUCKET", help="such as ais://abc")
    parser.add_argument("section", metavar="SECTION", nargs="?", default="", help=_SECTION)
    parser.add_argument("--compact", "-c", action="store_true", help="one row a section")
    json_flag(parser)
    headers_flag(parser)


_SECTION: Final = "a prop or the beginning of some, such as checksum"


show_props_arguments = show_arguments


def show(client: Client, options: argparse.Namespace) -> None:
    """The props of a bucket in a few rows."""
    uri = uris.bucket(options.uri)
    nested, present = _told(client, uri)
    if options.json or options.section:
        _print_props(nested, options)
        return
    for line in properties(compact(nested, present=present), headers=not options.no_headers):
        print(line)


def show_props(client: Client, options: argparse.Namespace) -> None:
    """Every prop of a bucket."""
    if options.compact:
        show(client, options)
    else:
        _print_props(props_of(client, uris.bucket(options.uri)), options)


def _print_props(nested: dict[str, Any], options: argparse.Namespace) -> None:
    if options.json:
        print(json.dumps(nested, indent=4))
        return
    rows = select(settings.flatten(nested), options.section)
    for line in properties(rows, headers=not options.no_headers):
        print(line)


def select(values: dict[str, Any], section: str) -> list[tuple[str, str]]:
    """The rows named `section` or below it, as text. Raises `Failure` if there are none."""
    rows = [
        (name, value_text(name, value))
        for name, value in values.items()
        if not section or name == section or name.startswith(section + ".")
    ]
    if not rows:
        raise Failure(f'there is no setting or section "{section}"')
    return rows


def value_text(name: str, value: Value) -> str:
    if name == "access":
        return access_text(int(value))
    if name == "features":
        return ",".join(names_of(int(value)))
    if name == "created":
        return date_text(int(value))
    return settings.show(value)


def access_text(mask: int) -> str:
    return ",".join(name for bit, name in enumerate(NAMES) if mask >> bit & 1) or "none"


def compact(nested: dict[str, Any], *, present: bool = True) -> list[tuple[str, str]]:
    """The rows of `ais show bucket`, one a section."""
    behind = nested["backend_bck"]
    ec, lru, mirror = nested["ec"], nested["lru"], nested["mirror"]
    versioning = nested["versioning"]
    warm = "yes" if versioning["validate_warm_get"] else "no"
    return [
        ("access", access_text(int(nested["access"]))),
        *([("backend_bck", str(of_row(behind)))] if behind["name"] else []),
        ("checksum", checksum_text(nested["checksum"])),
        ("created", date_text(int(nested["created"]))),
        (
            "ec",
            f"{ec['data_slices']}:{ec['parity_slices']} (objsize limit {ec['objsize_limit']})"
            if ec["enabled"]
            else "Disabled",
        ),
        (
            "lru",
            f"Enabled | Do not evict time: {lru['dont_evict_time']}"
            if lru["enabled"]
            else "Disabled",
        ),
        ("mirror", f"{mirror['copies']} copies" if mirror["enabled"] else "Disabled"),
        ("present", "yes" if present else "no"),
        ("provider", nested["provider"]),
        (
            "versioning",
            f"Enabled | Validate on WarmGET: {warm}" if versioning["enabled"] else "Disabled",
        ),
    ]


def checksum_text(section: dict[str, Any]) -> str:
    """`Type: md5 | Validate: ColdGET`."""
    if section["type"] == "none":
        return "Disabled"
    checks = {
        "validate_cold_get": "ColdGET",
        "validate_warm_get": "WarmGET",
        "validate_obj_move": "ObjectMove",
        "enable_read_range": "ReadRange",
    }
    named = [shown for name, shown in checks.items() if section.get(name)]
    return f"Type: {section['type']} | Validate: {', '.join(named) or 'Nothing'}"


def set_props_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("uri", metavar="BUCKET", help="such as ais://abc")
    parser.add_argument(
        "props", metavar="NAME=VALUE", nargs="+", help="such as checksum.type=md5, or JSON"
    )


def set_props(client: Client, options: argparse.Namespace) -> None:
    uri = uris.bucket(options.uri)
    asked = assignments(options.props)
    _change(client, uri, "set-bprops", asked)
    note_settings(asked)


def reset_props_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("uri", metavar="BUCKET", help="such as ais://abc")


def reset_props(client: Client, options: argparse.Namespace) -> None:
    _change(client, uris.bucket(options.uri), "reset-bprops", None)


def _change(client: Client, uri: Uri, action: str, value: dict[str, Any] | None) -> None:
    """Change props and tell what is different now."""
    before = settings.flatten(props_of(client, uri))
    client.act("PATCH", uri.path, uri.query, action, value)
    after = settings.flatten(props_of(client, uri))
    changed = [name for name in after if after[name] != before.get(name)]
    if not changed:
        print(f'Bucket "{uri}" already has the set props, nothing to do')
        return
    print(f"Bucket props successfully {'reset' if action == 'reset-bprops' else 'updated'}")
    for name in changed:
        new, old = (value_text(name, _value(props.get(name, ""))) for props in (after, before))
        print(f'"{name}" set to: "{new}" (was: "{old}")')


def _value(raw: object) -> Value:
    assert isinstance(raw, bool | int | str)
    return raw


def lru_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("uri", metavar="BUCKET", help="such as ais://abc")
    either = parser.add_mutually_exclusive_group()
    either.add_argument("--enable", action="store_true", help="evict from it when a disk fills up")
    either.add_argument("--disable", action="store_true", help="do not")
    json_flag(parser)
    headers_flag(parser)


def lru(client: Client, options: argparse.Namespace) -> None:
    """Show how a bucket's objects are evicted, or switch that on or off."""
    uri = uris.bucket(options.uri)
    if options.enable or options.disable:
        asked = {"lru.enabled": "true" if options.enable else "false"}
        _change(client, uri, "set-bprops", asked)
        note_settings(asked)
        return
    nested = props_of(client, uri)
    options.section = "lru"
    _print_props({"lru": nested["lru"]}, options)
