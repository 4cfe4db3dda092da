"""Commands of the command line itself."""

from __future__ import annotations

from typing import Final

from aisle.cli.command import Command

COMMANDS: Final = (
    Command(
        ("alias show",),
        "show the aliases of commands",
        "alias.show",
        ("ais alias show",),
        local=True,
    ),
    Command(
        ("alias set",),
        "give a command another name",
        "alias.set_",
        ("ais alias set lsb bucket ls", "ais alias set mine ls ais://abc --props all"),
        local=True,
    ),
    Command(
        ("alias rm",),
        "take an alias away",
        "alias.remove",
        ("ais alias rm lsb",),
        local=True,
    ),
    Command(
        ("alias reset",),
        "take all aliases away",
        "alias.reset",
        ("ais alias reset",),
        local=True,
    ),
    Command(
        ("config cli show",),
        "show the configuration of the command line",
        "preferences.show",
        ("ais config cli show", "ais config cli show cluster --json"),
        local=True,
    ),
    Command(
        ("config cli set",),
        "change the configuration of the command line",
        "preferences.set_",
        ("ais config cli set cluster.url=http://10.0.0.1:8080",),
        local=True,
    ),
    Command(
        ("config cli reset",),
        "set the configuration of the command line back to its defaults",
        "preferences.reset",
        ("ais config cli reset",),
        local=True,
    ),
    Command(
        ("search",),
        "find commands by a word",
        "search.run",
        ("ais search bucket", "ais search --regex '^show'"),
        local=True,
    ),
    Command(
        ("help",),
        "show what a command does",
        "search.help_",
        ("ais help put", "ais help bucket props"),
        local=True,
    ),
    Command(
        ("completion",),
        "print the completion script of a shell",
        "completion.run",
        ("source <(ais completion bash)", "ais completion fish | source"),
        local=True,
    ),
)
