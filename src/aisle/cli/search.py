"""`ais search` and `ais help`: find a command, and tell what it does."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from aisle.cli.commands import COMMANDS
from aisle.cli.failure import Failure
from aisle.cli.help import group_help
from aisle.cli.parser import command_parser
from aisle.cli.tables import aligned
from aisle.cli.words import find, unknown

if TYPE_CHECKING:
    import argparse


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("word", metavar="WORD", nargs="*", help="a word of its name or help")
    parser.add_argument("--regex", metavar="EXPRESSION", default="", help="names that match")


def run(options: argparse.Namespace) -> None:
    """Commands by name: those with the word in their names, then those with it in their help."""
    if not options.word and not options.regex:
        raise Failure("name a word to search for, or --regex (see 'ais search --help')")
    try:
        wanted = re.compile(options.regex or ".*".join(map(re.escape, options.word)), re.IGNORECASE)
    except re.error as error:
        raise Failure(f"--regex: {error}") from None
    by_name, by_help = [], []
    for command in COMMANDS:
        names = [name for name in command.names if wanted.search(name)]
        by_name += [(f"ais {name}", command.help) for name in names]
        if not names and not options.regex and wanted.search(command.help):
            by_help.append((f"ais {command.names[0]}", command.help))
    if not by_name and not by_help:
        raise Failure(f'no command has to do with "{options.regex or " ".join(options.word)}"')
    for line in aligned(("COMMAND", "DESCRIPTION"), [*sorted(by_name), *sorted(by_help)]):
        print(line)


def help_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("command", metavar="COMMAND", nargs="*", help="such as: bucket props set")


def help_(options: argparse.Namespace) -> None:
    found = find(options.command)
    if found.rest:
        raise Failure(unknown(found.name, found.rest[0]))
    if found.command is None:
        print(group_help(found.name))
    else:
        command_parser(found.name, found.command).print_help()
