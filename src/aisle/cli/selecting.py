"""Which objects a command is about: one, a list, a template, a prefix, or all of a bucket.

The name in a URI may be that of an object or the beginning of many. Where it is both, a command
that would have to guess asks for one of two options instead, as AIStore's does.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import Any, NamedTuple

from aisle.cli.failure import Failure, printable
from aisle.cli.listing import pages
from aisle.cli.uri import Uri
from aisle.client import Client
from aisle.core import templates
from aisle.core.errors import InvalidArgument


class Chosen(NamedTuple):
    """Many objects: as the value of a message says it, as a user reads it, and the prefix, if that
    is what they have in common."""

    value: dict[str, Any]
    text: str
    prefix: str | None = None


def selection_flags(parser: argparse.ArgumentParser, verb: str) -> None:
    """The options that name many objects of a bucket, any one of them."""
    group = parser.add_mutually_exclusive_group()
    group.add_argument("--list", metavar="NAMES", help=f"{verb} these objects, comma-separated")
    group.add_argument(
        "--template",
        metavar="TEMPLATE",
        help=f'{verb} the objects that a template stands for, such as "shard-{{0000..0999}}.tar"',
    )
    group.add_argument("--prefix", metavar="PREFIX", help=f"{verb} objects whose names begin so")


def single_flag(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--non-recursive",
        "--nr",
        action="store_true",
        help="take the name in the URI for that of one object, though others may begin with it",
    )


def chosen(options: argparse.Namespace, uri: Uri) -> Chosen | None:
    """What the options name, `None` if they name nothing. Raises `Failure`."""
    given = [name for name in ("list", "template", "prefix") if vars(options)[name] is not None]
    if not given:
        return None
    if uri.key:
        raise Failure(f"both {uri} and --{given[0]} name objects")
    if options.list is not None:
        names = [name.strip() for name in options.list.split(",") if name.strip()]
        if not names:
            raise Failure("--list names no object")
        return Chosen({"objnames": names}, objects_text(len(names)))
    if options.template is not None:
        return Chosen({"template": options.template}, f'template "{printable(options.template)}"')
    return by_prefix(options.prefix)


def by_prefix(prefix: str) -> Chosen:
    """All objects whose names begin so."""
    if prefix == "*":
        raise Failure('a prefix of "*" might stand for everything: say --all if it does')
    if not prefix:
        return everything()
    template = prefix
    if "{" in prefix or "}" in prefix:
        for char in "\\{}":
            template = template.replace(char, f"\\{char}")
    return Chosen({"template": template}, f'prefix "{printable(prefix)}"', prefix)


def everything() -> Chosen:
    return Chosen({"template": ""}, "all objects", "")


def objects_text(count: int) -> str:
    return f"{count} object{'' if count == 1 else 's'}"


def named(client: Client, uri: Uri, options: argparse.Namespace) -> Chosen | None:
    """What the name in a URI stands for: `None` for one object, there or not.

    Raises `Failure` if it may be either one object or the beginning of many.
    """
    if options.non_recursive:
        return None
    found = [
        entry["name"]
        for page in pages(client, uri.parent, {"prefix": uri.key, "props": "name"}, 2)
        for entry in page
    ]
    if not found or found == [uri.key]:
        return None
    if found[0] != uri.key:
        return by_prefix(uri.key)
    raise Failure(
        f'"{printable(uri.key)}" of {printable(str(uri))} can be interpreted as the name of an'
        " object and as the prefix of several (tip: to disambiguate, use either --nr or --prefix)"
    )


def names_of(client: Client, bucket: Uri, many: Chosen, flags: str = "0") -> Iterator[str]:
    """The names of many objects: those that are given, or those that are listed (with the `flags`
    of a listing)."""
    prefix, value = many.prefix, many.value
    if prefix is None and "template" in value:
        try:
            template = templates.parse(value["template"])
        except InvalidArgument as error:
            raise Failure(str(error)) from None
        if template.prefix is None:
            yield from template.names()
            return
        prefix = template.prefix
    if prefix is None:
        yield from value["objnames"]
        return
    for page in pages(client, bucket, {"prefix": prefix, "props": "name", "flags": flags}):
        for entry in page:
            yield entry["name"]
