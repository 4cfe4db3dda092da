"""Which names of a listing are shown: those that a regular expression or a template matches."""

from __future__ import annotations

import argparse
import re
from typing import Final

from aisle.cli.failure import Failure
from aisle.cli.flags import regex_flag
from aisle.core.errors import AisleError
from aisle.core.templates import parse

# A template of more names than this is no filter: it would have to be held whole.
MOST_NAMES: Final = 1_000_000


class Filter:
    """What `--regex` and `--template` let through; nothing is held back without either.

    Raises `Failure` for text that is neither.
    """

    def __init__(self, regex: str, template: str) -> None:
        if regex and template:
            raise Failure("--regex and --template cannot be used together")
        try:
            self._pattern = re.compile(regex) if regex else None
        except re.error as error:
            raise Failure(f'--regex: "{regex}" is not a regular expression: {error}') from None
        self.prefix = ""
        self._names: frozenset[str] | None = None
        if template:
            self._read(template)

    def _read(self, template: str) -> None:
        try:
            found = parse(template)
        except AisleError as error:
            raise Failure(f"--template: {error}") from None
        if found.prefix is not None:
            self.prefix = found.prefix
        elif found.count > MOST_NAMES:
            raise Failure(f"--template: it stands for {found.count} names, {MOST_NAMES} at most")
        else:
            self._names = frozenset(found.names())

    @property
    def open(self) -> bool:
        """Whether every name passes that begins with `prefix`."""
        return self._pattern is None and self._names is None

    def __call__(self, name: str) -> bool:
        if self._pattern is not None:
            return self._pattern.search(name) is not None
        if self._names is not None:
            return name in self._names
        return name.startswith(self.prefix)


def filter_arguments(parser: argparse.ArgumentParser) -> None:
    regex_flag(parser, "names")
    parser.add_argument(
        "--template",
        default="",
        metavar="TEXT",
        help='only names of a template, such as "shard-{0010..0013..2}.tar", or of a prefix',
    )
