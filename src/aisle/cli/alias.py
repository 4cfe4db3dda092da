"""`ais alias`: the user's own names for commands, kept in the configuration of the command line.

An alias stands for the words it was set to, options among them, and cannot take the place of a
command that is there.
"""

from __future__ import annotations

import os
import shlex
from typing import TYPE_CHECKING

from aisle.cli.commands import COMMANDS
from aisle.cli.failure import Failure
from aisle.cli.preferences import Preferences
from aisle.cli.tables import aligned
from aisle.cli.words import ALL_GROUPS, BY_NAME, find, unknown

if TYPE_CHECKING:
    import argparse


def words_of(text: str) -> list[str]:
    """The words that an alias stands for. Raises `Failure`."""
    try:
        return shlex.split(text)
    except ValueError as error:
        raise Failure(f'the alias "{text}" cannot be read: {error}') from None


def show_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--no-headers", "-H", action="store_true", help="print no heading")


def show(options: argparse.Namespace) -> None:
    """The user's aliases, then the short names that commands have anyway."""
    own = sorted(Preferences.load(os.environ).aliases.items())
    ours = sorted(
        (name, other)
        for command in COMMANDS
        for name in command.names
        for other in command.names[:2]
        if " " not in name and " " in other
    )
    for line in aligned(("ALIAS", "COMMAND"), [*own, *ours], headers=not options.no_headers):
        print(line)


def set_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("alias", metavar="ALIAS", help="one word")
    parser.add_argument(
        "command",
        metavar="COMMAND",
        nargs="+",
        help="what it stands for (in quotes)",
    )


def set_(options: argparse.Namespace) -> None:
    alias, command = options.alias, options.command
    if len(command) == 1:
        command = words_of(command[0])
    if command[:1] == ["ais"]:
        command = command[1:]
    if not alias or alias.startswith("-") or any(char.isspace() for char in alias):
        raise Failure(f'"{alias}" cannot be an alias: it is one word')
    if alias in BY_NAME or alias in ALL_GROUPS:
        raise Failure(f'"{alias}" is a command already')
    found = find(command)
    if not found.name:
        raise Failure(unknown("", command[0] if command else ""))
    kept = Preferences.load(os.environ)
    kept._replace(aliases={**kept.aliases, alias: shlex.join(command)}).save()
    print(f'Aliased "{shlex.join(command)}" as "{alias}"')


def remove_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("alias", metavar="ALIAS", help="an alias that was set")


def remove(options: argparse.Namespace) -> None:
    kept = Preferences.load(os.environ)
    if options.alias not in kept.aliases:
        raise Failure(f"there is no alias \"{options.alias}\" (see 'ais alias show')")
    rest = {name: words for name, words in kept.aliases.items() if name != options.alias}
    kept._replace(aliases=rest).save()
    print(f'Alias "{options.alias}" removed')


def reset_arguments(parser: argparse.ArgumentParser) -> None:
    """No arguments of its own."""


def reset(options: argparse.Namespace) -> None:
    Preferences.load(os.environ)._replace(aliases={}).save()
    print("Aliases successfully reset")
