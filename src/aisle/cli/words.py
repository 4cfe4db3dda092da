"""Which command the words of a command line name, and what to say if they name none.

Pure functions over the table of commands: nothing of a command is imported here.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from importlib import import_module
from typing import Final, NamedTuple

from aisle.cli.commands import COMMANDS, GROUPS, Command

BY_NAME: Final = {name: command for command in COMMANDS for name in command.names}
# What AIStore's `ais` has as well, for what this release does not do.
ABSENT: Final = frozenset(("download", "dsort", "etl"))
_DEEPEST: Final = max(name.count(" ") for name in BY_NAME) + 1


def _groups() -> frozenset[str]:
    """Every name that others begin with."""
    found = set(GROUPS)
    for name in BY_NAME:
        while name := name.rpartition(" ")[0]:
            found.add(name)
    return frozenset(found)


ALL_GROUPS: Final = _groups()


class Found(NamedTuple):
    """The command or (`command` is `None`) the group that was named, and the words after it."""

    name: str
    command: Command | None
    rest: list[str]


def find(words: Sequence[str]) -> Found:
    """The longest name that the words begin with, `""` being the whole of `ais`."""
    words = expand(list(words))
    for count in range(min(_DEEPEST, len(words)), 0, -1):
        name = " ".join(words[:count])
        if name in BY_NAME or name in ALL_GROUPS:
            return Found(name, BY_NAME.get(name), list(words[count:]))
    return Found("", None, list(words))


def expand(words: list[str]) -> list[str]:
    """`bucket props URI ...`, the short form, with the `set` or `show` that it leaves out."""
    if words[:2] != ["bucket", "props"] or len(words) < 3:
        return words
    if words[2] in ("set", "show", "reset", "-h", "--help"):
        return words
    if ":" not in words[2]:  # no URI: a mistyped command
        return words
    sets = any("=" in word or word.startswith("{") for word in words[3:] if word[:1] != "-")
    return [*words[:2], "set" if sets else "show", *words[2:]]


def below(group: str) -> dict[str, str]:
    """The words that may follow a group's name, and the help of each."""
    start = f"{group} " if group else ""
    found: dict[str, str] = {}
    for name in [*ALL_GROUPS, *BY_NAME]:
        if not name.startswith(start) or name == group:
            continue
        word = name[len(start) :].partition(" ")[0]
        whole = start + word
        command = BY_NAME.get(whole)
        found[word] = GROUPS.get(whole, "") if command is None else command.help
    return dict(sorted(found.items()))


def unknown(group: str, word: str) -> str:
    """What to say of a word that names no command of a group."""
    prefix = f"ais {group}" if group else "ais"
    if not group and word in ABSENT:
        return f"this release does not have AIStore's command \"{word}\" (see 'ais --help')"
    likely = closest(word, below(group))
    if not likely:  # the right word in the wrong place: `ais props` for `ais bucket props`
        places = [name for name in BY_NAME if word in name.split()]
        likely = places[0] if places else ""
        hint = f'. Did you mean: "ais {likely}"?' if likely else ""
    else:
        hint = f'. Did you mean: "{prefix} {likely}"?'
    return f"\"{word}\" is not a command of {prefix}{hint} (see '{prefix} --help')"


def closest(word: str, choices: Iterable[str]) -> str:
    """The choice that was probably meant, `""` if none was."""
    # Imported here and now: only a mistake needs it.
    found = import_module("difflib").get_close_matches(word, list(choices), 1, 0.6)
    return str(found[0]) if found else ""
