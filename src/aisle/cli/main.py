"""The entry point of `ais`: read the command, run it, and turn every failure into one line.

Exit codes: 0 done, 1 failed (also when stdout is closed early), 130 interrupted (Ctrl-C), 143 or
129 ended by SIGTERM or SIGHUP. In each case what a command has begun is tidied up.
"""

from __future__ import annotations

import io
import os
import signal
import sys
from collections.abc import Sequence
from types import FrameType

from aisle.cli.client import Client
from aisle.cli.commands import build_parser, expand
from aisle.cli.failure import Failure, printable


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    # Names may hold what the terminal's encoding does not.
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _end)
    try:
        code = _run(list(sys.argv[1:] if argv is None else argv))
        sys.stdout.flush()
    except Failure as error:
        return _fail(str(error))
    except BrokenPipeError:
        # Whoever read our output has gone. What is left in the buffer must not be tried again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:
        named = f"{error.filename}: " if error.filename is not None else ""
        return _fail(f"{named}{error.strerror or error}")
    except KeyboardInterrupt:
        return 130
    return code


def _end(number: int, frame: FrameType | None) -> None:
    raise SystemExit(128 + number)


def _run(words: list[str]) -> int:
    options = build_parser().parse_args(expand(words))
    if options.run is None:
        options.parser.print_help()
        return 0
    client = Client.from_environment(os.environ)
    try:
        options.run(client, options)
    finally:
        client.close()
    return 0


def _fail(message: str) -> int:
    print(f"Error: {printable(message)}", file=sys.stderr)
    return 1
