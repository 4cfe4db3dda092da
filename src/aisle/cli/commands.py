"""THE table of commands: their names, help and examples, and the functions behind them.

A command may have several names (`put`, `object put`). The parser, `--help` at every level and the
check that docs/cli.md names every command come from it.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from typing import Final, NamedTuple, NoReturn

from aisle import __version__
from aisle.cli import buckets, cluster, config, listing, objects
from aisle.cli.client import DEFAULT_ENDPOINT, Client

Run = Callable[[Client, argparse.Namespace], None]


class Command(NamedTuple):
    """A row; the first of `names` is the one that the documentation uses."""

    names: tuple[str, ...]
    help: str
    arguments: Callable[[argparse.ArgumentParser], None]
    run: Run
    examples: tuple[str, ...]


COMMANDS: Final = (
    Command(
        ("ls", "bucket ls", "object ls"),
        "list buckets, or the objects of a bucket",
        listing.arguments,
        listing.run,
        ("ais ls ais:", "ais ls ais://abc", "ais ls ais://abc --props checksum,size,atime"),
    ),
    Command(
        ("create", "bucket create"),
        "create buckets",
        buckets.create_arguments,
        buckets.create,
        ("ais create ais://abc", 'ais create ais://abc --props="checksum.type=md5"'),
    ),
    Command(
        ("bucket show", "show bucket"),
        "show a bucket's props in brief",
        buckets.show_arguments,
        buckets.show,
        ("ais bucket show ais://abc", "ais bucket show ais://abc checksum"),
    ),
    Command(
        ("bucket rm", "rmb"),
        "remove buckets with all that is in them",
        buckets.remove_arguments,
        buckets.remove,
        ("ais bucket rm ais://abc", "ais bucket rm ais://abc --yes"),
    ),
    Command(
        ("bucket props set",),
        "change a bucket's props",
        buckets.set_arguments,
        buckets.set_props,
        (
            "ais bucket props set ais://abc checksum.type=md5",
            "ais bucket props ais://abc checksum.type=md5",
        ),
    ),
    Command(
        ("bucket props show",),
        "show every prop of a bucket",
        buckets.show_arguments,
        buckets.show_props,
        ("ais bucket props show ais://abc", "ais bucket props ais://abc checksum"),
    ),
    Command(
        ("bucket props reset",),
        "give a bucket the cluster's present defaults",
        buckets.reset_arguments,
        buckets.reset_props,
        ("ais bucket props reset ais://abc",),
    ),
    Command(
        ("put", "object put"),
        "put files into a bucket",
        objects.put_arguments,
        objects.put,
        (
            "ais put README.md ais://abc",
            "tar c dir | ais put - ais://abc/dir.tar",
            "ais put -r images ais://abc/images/",
        ),
    ),
    Command(
        ("get", "object get"),
        "get an object, or a part of one",
        objects.get_arguments,
        objects.get,
        ("ais get ais://abc/README.md copy.md", "ais get ais://abc/README.md - --length 100"),
    ),
    Command(
        ("object show", "show object"),
        "show an object's properties",
        objects.show_arguments,
        objects.show,
        ("ais object show ais://abc/README.md --all",),
    ),
    Command(
        ("object rm", "rmo"),
        "remove objects",
        objects.remove_arguments,
        objects.remove,
        ("ais object rm ais://abc/README.md",),
    ),
    Command(
        ("config cluster", "cluster config"),
        "show or set the cluster's configuration",
        config.arguments,
        config.run,
        ("ais config cluster net.http", "ais config cluster checksum.type=md5"),
    ),
    Command(
        ("config reset",),
        "set the whole configuration back to its defaults",
        config.reset_arguments,
        config.reset,
        ("ais config reset",),
    ),
    Command(
        ("show cluster", "cluster show"),
        "show the nodes of the cluster",
        cluster.show_arguments,
        cluster.show,
        ("ais show cluster", "ais show cluster smap --json"),
    ),
    Command(
        ("cluster add-remove-nodes start-maintenance",),
        "have load balancers leave a node alone",
        cluster.node_arguments,
        cluster.start_maintenance,
        ("ais cluster add-remove-nodes start-maintenance pgateway-1",),
    ),
    Command(
        ("cluster add-remove-nodes stop-maintenance",),
        "bring a node back from maintenance",
        cluster.node_arguments,
        cluster.stop_maintenance,
        ("ais cluster add-remove-nodes stop-maintenance pgateway-1",),
    ),
    Command(
        ("cluster add-remove-nodes decommission",),
        "end a node and take it out of the cluster",
        cluster.node_arguments,
        cluster.decommission,
        ("ais cluster add-remove-nodes decommission pgateway-1",),
    ),
)
GROUPS: Final = {
    "bucket": "create, list, show, configure and remove buckets",
    "bucket props": "show, set and reset the props of a bucket",
    "object": "put, get, list, show and remove objects",
    "show": "show a bucket, an object or the cluster",
    "config": "show, set and reset the configuration",
    "cluster": "the cluster's nodes and configuration",
    "cluster add-remove-nodes": "maintenance and end of nodes",
}
_EPILOG: Final = f"""\
environment:
  AIS_ENDPOINT             address of the node (default {DEFAULT_ENDPOINT})
  AISLE_ROOT_ACCESS_KEY, AISLE_ROOT_SECRET_KEY (or AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY)
                           if both are set, requests are signed with them

'ais COMMAND --help' tells more about a command."""


class Parser(argparse.ArgumentParser):
    """argparse, but a mistake is one line and exit code 1, as every other failure is."""

    def error(self, message: str) -> NoReturn:
        print(f"Error: {message} (see '{self.prog} --help')", file=sys.stderr)
        raise SystemExit(1)


def build_parser() -> argparse.ArgumentParser:
    """The parser of all commands; `options.run` is the function of the one that was given."""
    root = _parser(None, "", "Work with buckets and objects of an Aisle or AIStore node.", _EPILOG)
    root.add_argument("--version", action="version", version=f"ais {__version__}")
    below: dict[str, argparse._SubParsersAction[argparse.ArgumentParser]] = {}
    below[""] = root.add_subparsers(title="commands", metavar="COMMAND")
    names = [(name, command) for command in COMMANDS for name in command.names]
    for name, command in names:
        _group(below, name.rpartition(" ")[0])
        parser = _parser(below, name, command.help, _examples(command))
        command.arguments(parser)
        parser.set_defaults(run=command.run)
    return root


def _group(
    below: dict[str, argparse._SubParsersAction[argparse.ArgumentParser]], name: str
) -> None:
    """Make the parser of a group of commands, unless it is there."""
    if name in below:
        return
    _group(below, name.rpartition(" ")[0])
    parser = _parser(below, name, GROUPS[name], "")
    below[name] = parser.add_subparsers(title="commands", metavar="COMMAND")


def _parser(
    below: dict[str, argparse._SubParsersAction[argparse.ArgumentParser]] | None,
    name: str,
    text: str,
    epilog: str,
) -> argparse.ArgumentParser:
    description = text[0].upper() + text[1:] + ("" if text.endswith(".") else ".")
    layout = argparse.RawDescriptionHelpFormatter
    if below is None:
        made: argparse.ArgumentParser = Parser(
            prog="ais", description=description, epilog=epilog, formatter_class=layout
        )
    else:
        group, _, word = name.rpartition(" ")
        made = below[group].add_parser(
            word, help=text, description=description, epilog=epilog, formatter_class=layout
        )
    made.set_defaults(run=None, parser=made)
    return made


def _examples(command: Command) -> str:
    return "examples:\n" + "\n".join(f"  {example}" for example in command.examples)


def expand(words: list[str]) -> list[str]:
    """`bucket props URI ...`, the short form, with the `set` or `show` that it leaves out."""
    if words[:2] != ["bucket", "props"] or len(words) < 3:
        return words
    if words[2] in ("set", "show", "reset", "-h", "--help"):
        return words
    sets = any("=" in word or word.startswith("{") for word in words[3:] if word[:1] != "-")
    return [*words[:2], "set" if sets else "show", *words[2:]]
