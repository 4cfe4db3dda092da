"""The command lines of `aisnode export` and `aisnode import`.

The options that say where the store is are those of a node, read from the same places. Everything
else here belongs to the two commands alone.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NoReturn
from urllib.parse import urlsplit

from aisle.core.errors import ConfigError
from aisle.node import options
from aisle.node.options import NodeOptions
from aisle.node.optiontable import OPTIONS

ACCESS_KEY_ENV: Final = "AISLE_SOURCE_ACCESS_KEY"
SECRET_KEY_ENV: Final = "AISLE_SOURCE_SECRET_KEY"  # noqa: S105 - the name of a variable
COMMANDS: Final = ("export", "import")
PIPE: Final = "-"

_EXPORT: Final = """\
examples:
  aisnode export /backup/aisle.export --data /srv/aisle
  aisnode export /backup/aisle.export --data /srv/aisle --resume
  aisnode export - --data /srv/aisle | aisnode import - --index URL --blobs URL

A node that keeps its rows itself has to be stopped meanwhile; gateways of a cluster may serve.
"""
_IMPORT: Final = """\
examples:
  aisnode import /backup/aisle.export --data /srv/new
  aisnode import /backup/aisle.export --verify-only
  aisnode import http://old:8080 --follow --index URL --blobs URL

A store whose rows are in its own directory has to be stopped meanwhile; gateways of a cluster may
serve. Run again, an import goes on where it was broken off.

only by environment:
  AISLE_SOURCE_ACCESS_KEY, AISLE_SOURCE_SECRET_KEY   keys of the administrator of the old node
"""


@dataclass(frozen=True, slots=True)
class ExportOptions:
    """`file` is a path, or `-` for the standard output."""

    node: NodeOptions
    file: str
    resume: bool


@dataclass(frozen=True, slots=True)
class ImportOptions:
    """`source` is a path, `-` for the standard input, or the URL of a node."""

    node: NodeOptions
    source: str
    overwrite: bool
    verify_only: bool
    follow: bool
    delete: bool
    finish: bool
    access_key: str = field(default="", repr=False)
    secret_key: str = field(default="", repr=False)

    @property
    def online(self) -> bool:
        return self.source.startswith(("http://", "https://"))


def load_export(arguments: Sequence[str], environ: Mapping[str, str]) -> ExportOptions:
    """Raises `ConfigError`; `SystemExit` after `--help`."""
    parser = _parser("export", "Write everything that a store holds to a file or pipe.", _EXPORT)
    parser.add_argument("file", metavar="FILE", help="file to write, or - for standard output")
    parser.add_argument(
        "--resume",
        action="store_true",
        default=False,
        help="go on with a file that was broken off: verify it, cut off its end, add the rest",
    )
    given = vars(parser.parse_args(arguments))
    return ExportOptions(
        file=given.pop("file"), resume=given.pop("resume"), node=_node(given, environ)
    )


def load_import(arguments: Sequence[str], environ: Mapping[str, str]) -> ImportOptions:
    """Raises `ConfigError`; `SystemExit` after `--help`."""
    parser = _parser("import", "Bring in what an export, or a serving node, holds.", _IMPORT)
    parser.add_argument(
        "source", metavar="SOURCE", help="file, - for standard input, or the URL of a serving node"
    )
    for name, text in (
        ("overwrite", "replace what is there and differs (with a file or pipe)"),
        ("verify-only", "only verify the file or pipe; no store is opened"),
        ("follow", "repeat (with a URL) until a pass finds nothing new"),
        ("delete", "delete what was pulled from this URL and has gone there since"),
        ("finish", "after this, forget what was pulled: the source is given up"),
    ):
        parser.add_argument(f"--{name}", action="store_true", default=False, help=text)
    given = vars(parser.parse_args(arguments))
    source = given.pop("source")
    flags = {
        name: given.pop(name) for name in ("overwrite", "verify_only", "follow", "delete", "finish")
    }
    loaded = ImportOptions(
        node=_node(given, environ),
        source=source,
        access_key=environ.get(ACCESS_KEY_ENV, ""),
        secret_key=environ.get(SECRET_KEY_ENV, ""),
        **flags,
    )
    _check(loaded)
    return loaded


def _check(loaded: ImportOptions) -> None:
    if not loaded.online:
        for name in ("follow", "delete", "finish"):
            if getattr(loaded, name):
                raise ConfigError(f"--{name} goes with the URL of a serving node")
        if "://" in loaded.source:
            raise ConfigError("the source is a file, -, or http://NAME:PORT")
        return
    if loaded.overwrite or loaded.verify_only:
        name = "overwrite" if loaded.overwrite else "verify-only"
        raise ConfigError(f"--{name} goes with a file or a pipe")
    parts = urlsplit(loaded.source)
    if parts.username is not None or parts.password is not None:
        raise ConfigError(
            f"other users of this machine can read command lines: put the keys into"
            f" {ACCESS_KEY_ENV} and {SECRET_KEY_ENV}, not into the URL"
        )
    try:
        valid = bool(parts.hostname) and parts.port != 0
    except ValueError:
        valid = False
    if not valid or parts.path.strip("/") or parts.query or parts.fragment:
        raise ConfigError("the URL of a node is http://NAME:PORT, without a path")
    if bool(loaded.access_key) != bool(loaded.secret_key):
        raise ConfigError(f"{ACCESS_KEY_ENV} and {SECRET_KEY_ENV}: set both, or none")


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise ConfigError(f"{message} (try --help)")


def _parser(command: str, description: str, examples: str) -> argparse.ArgumentParser:
    parser = _Parser(
        prog=f"aisnode {command}",
        description=description,
        epilog=examples,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        argument_default=argparse.SUPPRESS,
        allow_abbrev=False,
    )
    group = parser.add_argument_group("storage, as for a node")
    group.add_argument("--config", metavar="FILE", help="TOML file of a node")
    for option in OPTIONS:
        if option.group != "storage" or not option.flag:
            continue
        text = f"{option.help} (default: {option.default})".replace("%", "%%")
        if option.kind == "bool":
            group.add_argument(option.flag, action=argparse.BooleanOptionalAction, help=text)
        else:
            action = "append" if option.kind in ("paths", "texts") else "store"
            shown = option.metavar or "|".join(option.choices)
            group.add_argument(option.flag, action=action, metavar=shown, help=text)
    return parser


def _node(given: Mapping[str, Any], environ: Mapping[str, str]) -> NodeOptions:
    """The options of a node, from what is left of a command line."""
    arguments: list[str] = []
    for name, value in given.items():
        flag = "--" + name.replace("_", "-")
        if isinstance(value, bool):
            arguments.append(flag if value else flag.replace("--", "--no-", 1))
        else:
            values = value if isinstance(value, list) else [value]
            arguments += [f"{flag}={item}" for item in values]
    return options.load(arguments, environ)
