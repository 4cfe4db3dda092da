"""The entry point of `ais`: read the command, run it, and turn every failure into one line.

Exit codes: 0 done, 1 failed (also when stdout is closed early), 130 interrupted (Ctrl-C), 143 or
129 ended by SIGTERM or SIGHUP. In each case what a command has begun is tidied up.

What takes long to import is imported by the commands that need it; tests/cli/test_imports.py has
the list.
"""

from __future__ import annotations

import io
import os
import signal
import sys
from collections.abc import Sequence
from importlib import import_module
from types import FrameType
from typing import TYPE_CHECKING, Final

from aisle import __version__, client
from aisle.cli import uri
from aisle.cli.failure import Failure, Refused, printable
from aisle.cli.help import group_help
from aisle.cli.preferences import Preferences
from aisle.cli.words import Found, find, unknown

if TYPE_CHECKING:
    from aisle.cli.parser import Parser

_HELP: Final = ("-h", "--help")
# How nodes call a token that was good once, or never.
_VOID_TOKENS: Final = ("ErrExpiredToken", "ErrInvalidToken")


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    # Names may hold what the terminal's encoding does not.
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _end)
    try:
        code = run(list(sys.argv[1:] if argv is None else argv))
        sys.stdout.flush()
    except Failure as error:
        return _fail(f"{error}{_advice(error)}")
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


def run(words: list[str]) -> int:
    """Run the command that `words` are. Raises `Failure`."""
    if words[:1] == ["__complete"]:
        import_module("aisle.cli.complete").answer(words[1:])
        return 0
    words, endpoint = _leading(words)
    if words[:1] == ["--version"]:
        print(f"ais {__version__}")
        return 0
    found = _found(words)
    if found.command is None:
        if not found.rest or found.rest[0] in _HELP:
            print(group_help(found.name))
            return 0
        raise Failure(unknown(found.name, found.rest[0]))
    parser: Parser = import_module("aisle.cli.parser").command_parser(found.name, found.command)
    options = parser.read(found.rest)
    if options.no_color:
        os.environ["NO_COLOR"] = "1"
    if found.command.local:
        found.command.run(options)
        return 0
    preferences = Preferences.load(os.environ)
    uri.assume(preferences.default_provider)
    environment = preferences.environment(os.environ)
    endpoint = options.endpoint or endpoint
    if found.name.startswith("auth "):
        endpoint = endpoint or environment.get("AIS_AUTHN_URL", "")
    node = client.Client.from_environment(
        environment, endpoint=endpoint, timeout=preferences.timeout
    )
    try:
        found.command.run(node, options)
    finally:
        node.close()
    return 0


def _leading(words: list[str]) -> tuple[list[str], str]:
    """The words after the options that stand before the command, and the endpoint among them."""
    endpoint = ""
    while words:
        flag, equals, value = words[0].partition("=")
        if flag == "--no-color":
            os.environ["NO_COLOR"] = "1"
            words = words[1:]
        elif flag == "--endpoint" and (equals or len(words) > 1):
            endpoint = value if equals else words[1]
            words = words[1 if equals else 2 :]
        else:
            break
    if words and words[0].startswith("-") and words[0] not in (*_HELP, "--version"):
        raise Failure(f"there is no option \"{words[0]}\" before the command (see 'ais --help')")
    return words, endpoint


def _found(words: list[str]) -> Found:
    """The command that is named, if need be by an alias of the user."""
    found = find(words)
    if found.name == "" and found.rest and not found.rest[0].startswith("-"):
        aliases = Preferences.load(os.environ).aliases
        if found.rest[0] in aliases:
            words_of = import_module("aisle.cli.alias").words_of
            return find([*words_of(aliases[found.rest[0]]), *found.rest[1:]])
    return found


def _advice(error: Failure) -> str:
    """What may help against an error, if that is known."""
    if isinstance(error, Refused) and error.code in _VOID_TOKENS:
        return " (log in again: 'ais auth login USER')"
    return ""


def _fail(message: str) -> int:
    print(f"Error: {printable(message)}", file=sys.stderr)
    return 1
