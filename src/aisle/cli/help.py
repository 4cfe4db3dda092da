"""Help for `ais` itself and for groups of commands; that of a command is its parser's."""

from __future__ import annotations

from typing import Final

from aisle.cli.commands import GROUPS
from aisle.cli.words import below

_ABOUT: Final = "Work with buckets and objects of an Aisle or AIStore node."
_ENVIRONMENT: Final = """\
options:
  --endpoint URL           address of the node, over AIS_ENDPOINT and 'ais config cli'
  --no-color               print without colours
  --version                print the version
  -h, --help               print this

environment:
  AIS_ENDPOINT             address of the node (default http://localhost:8080)
  AISLE_ROOT_ACCESS_KEY, AISLE_ROOT_SECRET_KEY (or AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY)
                           if both are set, requests are signed with them
  AIS_AUTHN_TOKEN          requests carry this token instead; without it and without root keys
                           the one that 'ais auth login' has left
  AIS_CLIENT_CA, AIS_SKIP_VERIFY_CRT
                           the certificate authority of the node; 'true' to trust any

'ais COMMAND --help' tells more about a command, 'ais search WORD' finds one."""


def group_help(name: str) -> str:
    """What `ais`, or `ais NAME` for a group, prints when it is given nothing to do."""
    about = GROUPS.get(name, "") if name else _ABOUT
    about = about[:1].upper() + about[1:] + ("" if about.endswith(".") else ".")
    words = below(name)
    width = max(map(len, words)) + 2
    lines = [f"  {word:<{width}}{text}".rstrip() for word, text in words.items()]
    usage = f"usage: ais {name} COMMAND ..." if name else "usage: ais [OPTIONS] COMMAND ..."
    end = (
        [_ENVIRONMENT] if not name else [f"'ais {name} COMMAND --help' tells more about a command."]
    )
    return "\n".join([usage, "", about, "", "commands:", *lines, "", *end])
