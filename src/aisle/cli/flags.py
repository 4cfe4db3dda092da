"""Options that many commands have, under the same names and with the same meaning everywhere."""

from __future__ import annotations

import argparse
from typing import Final

from aisle.cli.failure import Failure

UNITS: Final = ("iec", "si", "raw")


def json_flag(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", "-j", action="store_true", help="print JSON")


def headers_flag(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--no-headers", "-H", action="store_true", help="print no heading")


def units_flag(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--units",
        choices=UNITS,
        default="iec",
        help="sizes in KiB, MiB ... (iec), in KB, MB ... (si), or in bytes (raw)",
    )


def regex_flag(parser: argparse.ArgumentParser, what: str) -> None:
    parser.add_argument("--regex", metavar="EXPRESSION", default="", help=f"only {what} that match")


def limit_flag(parser: argparse.ArgumentParser, what: str) -> None:
    parser.add_argument("--limit", metavar="N", type=count, default=0, help=f"at most N {what}")


def yes_flag(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--yes", "-y", action="store_true", help="do not ask")


def idle_flag(parser: argparse.ArgumentParser, *names: str) -> None:
    """An option of AIStore's that has nothing to change here."""
    parser.add_argument(
        *names, action="store_true", help="taken for scripts that have it; it changes nothing here"
    )


def progress_flag(parser: argparse.ArgumentParser) -> None:
    """Three ways: asked for, forbidden, or (neither) as it seems fit."""
    parser.add_argument(
        "--progress",
        action="store_true",
        default=None,
        help="show a progress bar, with rate and time left (many or large transfers on a terminal"
        " show one anyway)",
    )
    parser.add_argument(
        "--no-progress", dest="progress", action="store_false", help="show no progress bar"
    )
    parser.add_argument(
        "--refresh", metavar="DURATION", default="", help="how often to show it anew, such as 500ms"
    )


def workers_flag(parser: argparse.ArgumentParser, default: int) -> None:
    parser.add_argument(
        "--num-workers",
        "--conc",
        metavar="N",
        type=count,
        default=default,
        help=f"how many to transfer at a time (default {default})",
    )


def count(text: str) -> int:
    """The type of a number that is 0 or more."""
    if not text.isdecimal() or len(text) > 9:
        raise argparse.ArgumentTypeError(f'"{text}" is not a number')
    return int(text)


def workers(options: argparse.Namespace) -> int:
    """How many workers were asked for. Raises `Failure`."""
    number: int = options.num_workers
    if not 1 <= number <= 128:
        raise Failure("--num-workers is between 1 and 128")
    return number
