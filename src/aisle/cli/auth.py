"""`ais auth login|logout|whoami`, and what all of `ais auth` shares: passwords and tokens.

All of it asks `AIS_AUTHN_URL`, if that is set (see `main`), or else the node. Passwords are asked
for on a terminal, or come with `-p`; `-p -` reads a line of standard input, which no list of
processes shows.
"""

from __future__ import annotations

import argparse
import base64
import binascii
import getpass
import json
import os
import sys
from contextlib import suppress
from typing import Any, Final

from aisle.cli.failure import Failure, Refused
from aisle.cli.flags import headers_flag, json_flag
from aisle.cli.notes import note
from aisle.cli.prompt import can_ask
from aisle.cli.tables import properties
from aisle.client import Client
from aisle.client.environment import file_token, root_keys, token_file
from aisle.core.units import parse_duration

_INPUT: Final = "-"


def or_input(told: str, what: str) -> str:
    """What was told, or the next line of standard input for `-`."""
    return line_of_input(what) if told == _INPUT else told


def password_flag(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--password",
        "-p",
        metavar="PASSWORD",
        default=None,
        help="the password; - reads it from standard input (on a terminal it is asked for)",
    )


def given_password(options: argparse.Namespace, question: str, *, twice: bool = False) -> str:
    """The password that was told, or is asked for; empty if nobody is there to answer."""
    told: str | None = options.password
    if told is not None:
        return or_input(told, "password")
    if not can_ask():
        return ""
    answer = getpass.getpass(f"{question}: ")
    if twice and answer and getpass.getpass("The same again: ") != answer:
        raise Failure("these were two different passwords")
    return answer


def line_of_input(what: str) -> str:
    """The next line of standard input. Raises `Failure` if there is none."""
    line = sys.stdin.readline().rstrip("\r\n")
    if not line:
        raise Failure(f"standard input has no {what}")
    return line


def login_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("user", metavar="USER", nargs="?", default="", help="who logs in")
    password_flag(parser)
    parser.add_argument(
        "--expire",
        metavar="DURATION",
        default="",
        help="how long the token is good, such as 8h; 0 for as long as the cluster allows",
    )
    parser.add_argument(
        "--file",
        "-f",
        metavar="FILE",
        default="",
        help="where to keep the token; - prints it instead",
    )


def login(client: Client, options: argparse.Namespace) -> None:
    """Get a token and keep it where the next command finds it."""
    user = options.user or _asked("User")
    password = given_password(options, f"Password of {user}")
    if not password:
        raise Failure("there is no password: say -p PASSWORD, or -p - to read it from input")
    expires = _seconds(options.expire) if options.expire else None
    token = client.auth.login(user, password, expires=expires)
    if options.file == _INPUT:
        print(token)
        return
    path = options.file or token_file(os.environ)
    _write_token(path, token)
    print(f"Logged in ({path})")
    if os.environ.get("AIS_AUTHN_TOKEN"):
        note("AIS_AUTHN_TOKEN is set, and counts before the token file")
    elif root_keys(os.environ) is not None:
        note("AISLE_ROOT_ACCESS_KEY is set, and counts before the token file")


def _asked(question: str) -> str:
    if not can_ask():
        raise Failure("say who logs in: ais auth login USER")
    print(f"{question}: ", end="", file=sys.stderr, flush=True)
    return line_of_input("name of a user")


def _seconds(text: str) -> float:
    try:
        return parse_duration(text) / 1e9
    except ValueError as error:
        raise Failure(f"--expire: {error}") from None


def _write_token(path: str, token: str) -> None:
    """The token file, readable by its owner alone, as AIStore writes it."""
    directory = os.path.dirname(path)
    if directory:
        os.makedirs(directory, mode=0o700, exist_ok=True)
    temporary = f"{path}.{os.getpid()}"
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with open(descriptor, "w", encoding="utf-8") as file:
        file.write(json.dumps({"token": token}) + "\n")
    os.replace(temporary, path)


def logout_arguments(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults()


def logout(client: Client, options: argparse.Namespace) -> None:
    """End the token and forget it."""
    token = os.environ.get("AIS_AUTHN_TOKEN") or file_token(os.environ)
    if not token:
        raise Failure("you are not logged in")
    revoke(client, token)
    with suppress(FileNotFoundError):
        os.unlink(token_file(os.environ))
    print("Logged out")
    if os.environ.get("AIS_AUTHN_TOKEN"):
        note("AIS_AUTHN_TOKEN is still set")


def revoke(client: Client, token: str) -> None:
    """End a token; one that has ended already is as good."""
    try:
        client.auth.revoke(token)
    except Refused as error:
        if error.status not in (400, 401):
            raise
        note(f"the token was void already: {error}")


def whoami_arguments(parser: argparse.ArgumentParser) -> None:
    json_flag(parser)
    headers_flag(parser)


def whoami(client: Client, options: argparse.Namespace) -> None:
    """Who the present keys or token stand for."""
    told = client.auth.told("self")
    if options.json:
        print(json.dumps(told, indent=4))
        return
    for line in properties(user_rows(told), headers=not options.no_headers):
        print(line)


def user_rows(row: dict[str, Any]) -> list[tuple[str, str]]:
    """A user as properties."""
    roles = ", ".join(role["name"] for role in row.get("roles") or ())
    keys = [
        key["access_key"] + ("" if key.get("active", True) else " (inactive)")
        for key in row.get("keys") or ()
    ]
    return [
        ("name", row["id"]),
        ("account", row.get("account", "")),
        ("canonical_id", row.get("canonical_id", "")),
        ("arn", row.get("arn", "")),
        ("display", row.get("display", "")),
        ("email", row.get("email", "")),
        ("roles", roles),
        ("admin", "yes" if row.get("admin") else "no"),
        ("keys", ", ".join(keys)),
        ("policies", ", ".join(row.get("policies") or ())),
    ]


def claims_of(token: str) -> dict[str, Any]:
    """What a token says of itself; whether that is true, only the node can tell."""
    try:
        body = token.split(".")[1]
        told = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    except (IndexError, ValueError, binascii.Error):
        raise Failure("that is not a token") from None
    if not isinstance(told, dict):
        raise Failure("that is not a token")
    return told
