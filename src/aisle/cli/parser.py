"""The parser of one command, made when that command is run."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NoReturn

from aisle.cli.failure import Failure
from aisle.cli.words import closest

if TYPE_CHECKING:
    from aisle.cli.commands import Command


class _Layout(argparse.RawDescriptionHelpFormatter):
    """As wide as the terminal. argparse would ask `shutil` for that, for each argument anew."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, width=_width() - 2)


@lru_cache(maxsize=1)
def _width() -> int:
    told = os.environ.get("COLUMNS", "")
    if told.isdecimal() and int(told):
        return max(int(told), 40)
    try:
        return max(os.get_terminal_size().columns, 40)
    except (OSError, ValueError):
        return 80


class Parser(argparse.ArgumentParser):
    """argparse, but a mistake is a `Failure`, and options may stand between the other words."""

    def add_argument(self, *names: Any, **options: Any) -> argparse.Action:
        """argparse calls required what may be left out (`*`), unless it has a default."""
        if options.get("nargs") == "*" and not names[0].startswith("-"):
            options.setdefault("default", [])
        return super().add_argument(*names, **options)

    def error(self, message: str) -> NoReturn:
        raise Failure(f"{message} (see '{self.prog} --help')")

    def read(self, words: Sequence[str]) -> argparse.Namespace:
        """The options that the words of a command line give. Raises `Failure`."""
        options, left = self.parse_known_intermixed_args(list(words))
        for word in left:
            if word.startswith("-") and word != "--":
                self._unknown(word.partition("=")[0])
        if left:
            self.error(f"there is no use for: {' '.join(left)}")
        return options

    @property
    def flags(self) -> list[str]:
        """Every option that is shown in the help, in the order of it."""
        actions = [one for one in self._actions if one.help is not argparse.SUPPRESS]
        return [flag for action in actions for flag in action.option_strings]

    def choices_of(self, flag: str) -> list[str] | None:
        """What may follow an option: its choices, none if it is free, `None` if nothing may."""
        for action in self._actions:
            if flag in action.option_strings:
                if action.nargs == 0:
                    return None
                return [str(choice) for choice in action.choices or ()]
        return None

    def choices_at(self, index: int) -> list[str]:
        """What the argument at a position may be, if there is a choice of words."""
        action = self._at(index)
        return [] if action is None else [str(choice) for choice in action.choices or ()]

    def position(self, words: Sequence[str]) -> int:
        """How many of `words` are arguments rather than options or what follows one."""
        count = 0
        taken = False
        for word in words:
            if taken:
                taken = False
            elif word.startswith("-") and word != "-":
                taken = "=" not in word and self.choices_of(word) is not None
            else:
                count += 1
        return count

    def kind_at(self, index: int) -> str:
        """What the help calls the argument at a position, `""` if there is none."""
        action = self._at(index)
        return "" if action is None else str(action.metavar or action.dest)

    def _at(self, index: int) -> argparse.Action | None:
        positional = [one for one in self._actions if not one.option_strings]
        if not positional:
            return None
        if index >= len(positional) and positional[-1].nargs not in ("+", "*"):
            return None
        return positional[min(index, len(positional) - 1)]

    def _unknown(self, flag: str) -> NoReturn:
        likely = closest(flag, [known for known in self.flags if known.startswith("--")])
        hint = f'. Did you mean: "{likely}"?' if likely else ""
        self.error(f'there is no option "{flag}"{hint}')


def command_parser(name: str, command: Command) -> Parser:
    """The parser of a command under one of its names."""
    text = command.help
    made = Parser(
        prog=f"ais {name}",
        description=text[0].upper() + text[1:] + ("" if text.endswith(".") else "."),
        epilog="examples:\n" + "\n".join(f"  {example}" for example in command.examples),
        formatter_class=_Layout,
        allow_abbrev=False,
    )
    command.arguments(made)
    taken = set(made.flags)
    common = made.add_argument_group("options of every command")
    if "--endpoint" not in taken:
        common.add_argument("--endpoint", metavar="URL", default="", help="address of the node")
    if "--no-color" not in taken:
        common.add_argument("--no-color", action="store_true", help="print without colours")
    return made
