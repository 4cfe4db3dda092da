"""A row of the table of commands; the table is in `commands`."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable


class Command(NamedTuple):
    """A row; the first of `names` is the one that the documentation uses.

    `code` is a module of `aisle.cli` and a function in it, `"buckets.create"`: `create` runs the
    command, and `create_arguments` beside it (`arguments` beside `run`) tells the parser its own.
    It is given a client and the options; the options alone if the command is `local`, which means
    that it needs no node.
    """

    names: tuple[str, ...]
    help: str
    code: str
    examples: tuple[str, ...]
    local: bool = False

    def arguments(self, parser: argparse.ArgumentParser) -> None:
        name = "arguments" if self._function == "run" else f"{self._function.rstrip('_')}_arguments"
        getattr(self._module, name)(parser)

    @property
    def run(self) -> Callable[..., None]:
        run: Callable[..., None] = getattr(self._module, self._function)
        return run

    @property
    def _module(self) -> object:
        return import_module(f"aisle.cli.{self.code.partition('.')[0]}")

    @property
    def _function(self) -> str:
        return self.code.partition(".")[2]
