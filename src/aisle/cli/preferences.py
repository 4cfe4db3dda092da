"""`ais config cli`: what the command line remembers of its user, in `~/.config/ais/cli/cli.json`.

The fields are AIStore's. Those in `_EFFECT` do something; the others are kept and shown. What the
environment or the command line says stands over all of it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from aisle.cli.failure import Failure
from aisle.cli.notes import note
from aisle.client.environment import config_directory

if TYPE_CHECKING:
    import argparse

Fields = dict[str, Any]  # by dotted name

DEFAULTS: Final[Mapping[str, str | bool]] = {
    "cluster.url": "",
    "cluster.default_ais_host": "http://localhost:8080",
    "cluster.default_docker_host": "http://172.50.0.2:8080",
    "cluster.client_crt": "",
    "cluster.client_crt_key": "",
    "cluster.client_ca_tls": "",
    "cluster.skip_verify_crt": False,
    "timeout.tcp_timeout": "60s",
    "timeout.http_timeout": "0s",
    "auth.url": "",
    "default_provider": "",
    "no_color": False,
    "verbose": False,
    "no_more": False,
}
_EFFECT: Final = frozenset(
    name for name in DEFAULTS if name not in ("cluster.default_docker_host", "verbose", "no_more")
)
_VARIABLES: Final = {
    "AIS_ENDPOINT": "cluster.url",
    "AIS_CRT": "cluster.client_crt",
    "AIS_CRT_KEY": "cluster.client_crt_key",
    "AIS_CLIENT_CA": "cluster.client_ca_tls",
    "AIS_AUTHN_URL": "auth.url",
}
_LONGEST: Final = 300.0


class Preferences(NamedTuple):
    """What the file says, over the defaults; `aliases` are the user's own."""

    path: str
    fields: Fields
    aliases: dict[str, str]

    @classmethod
    def load(cls, environ: Mapping[str, str]) -> Preferences:
        """Read the file; none is as good as an empty one. Raises `Failure`."""
        path = os.path.join(config_directory(environ), "cli.json")
        try:
            with open(path, encoding="utf-8") as file:
                told = json.load(file)
        except (FileNotFoundError, NotADirectoryError):
            told = {}
        except (OSError, ValueError) as error:
            raise Failure(f"{path} cannot be read: {error}") from None
        if not isinstance(told, dict) or not isinstance(told.get("aliases", {}), dict):
            raise Failure(f"{path} is not the configuration of the command line")
        aliases = {str(name): str(words) for name, words in told.pop("aliases", {}).items()}
        return cls(path, {**DEFAULTS, **_flat(told)}, aliases)

    def save(self) -> None:
        """Write the file; one that is being read meanwhile is read whole."""
        told = nested({k: v for k, v in self.fields.items() if v != DEFAULTS.get(k)})
        if self.aliases:
            told["aliases"] = dict(sorted(self.aliases.items()))
        os.makedirs(os.path.dirname(self.path), exist_ok=True)
        temporary = f"{self.path}.{os.getpid()}"
        with open(temporary, "w", encoding="utf-8") as file:
            file.write(json.dumps(told, indent=4) + "\n")
        os.replace(temporary, self.path)

    @property
    def default_provider(self) -> str:
        return str(self.fields["default_provider"])

    @property
    def timeout(self) -> float:
        """How many seconds a node may be silent."""
        parse = import_module("aisle.core.units").parse_duration
        try:
            seconds: float = parse(str(self.fields["timeout.http_timeout"])) / 1e9
        except ValueError as error:
            raise Failure(f"timeout.http_timeout of {self.path}: {error}") from None
        return seconds or _LONGEST

    def environment(self, environ: Mapping[str, str]) -> dict[str, str]:
        """The environment, with what the file says where that says nothing."""
        found = {
            variable: str(self.fields[name])
            for variable, name in _VARIABLES.items()
            if self.fields[name]
        }
        if self.fields["cluster.skip_verify_crt"] is True:
            found["AIS_SKIP_VERIFY_CRT"] = "true"
        found.setdefault("AIS_ENDPOINT", str(self.fields["cluster.default_ais_host"]))
        return {**found, **{name: value for name, value in environ.items() if value}}


def _flat(fields: Mapping[str, Any], prefix: str = "") -> Fields:
    found: Fields = {}
    for name, value in fields.items():
        if isinstance(value, dict):
            found |= _flat(value, f"{prefix}{name}.")
        else:
            found[prefix + name] = value
    return found


def nested(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Fields by dotted name as sections."""
    found: dict[str, Any] = {}
    for name, value in fields.items():
        *sections, last = name.split(".")
        inner = found
        for section in sections:
            inner = inner.setdefault(section, {})
        inner[last] = value
    return found


def show_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", nargs="?", default="", help="a field or a section, such as cluster")
    parser.add_argument("--json", "-j", action="store_true", help="print JSON")
    parser.add_argument("--no-headers", "-H", action="store_true", help="print no heading")
    parser.add_argument("--path", action="store_true", help="print where the file is")


def show(options: argparse.Namespace) -> None:
    kept = Preferences.load(os.environ)
    if options.path:
        print(kept.path)
        return
    wanted = {
        name: value
        for name, value in kept.fields.items()
        if options.name in ("", name) or name.startswith(f"{options.name}.")
    }
    if not wanted:
        raise Failure(f'there is no field or section "{options.name}"')
    if options.json:
        print(json.dumps(nested(wanted), indent=4))
        return
    rows = [(name, _shown(value)) for name, value in wanted.items()]
    for line in import_module("aisle.cli.tables").properties(rows, headers=not options.no_headers):
        print(line)


def set_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("assignments", metavar="NAME=VALUE", nargs="+", help="what to change")


def set_(options: argparse.Namespace) -> None:
    kept = Preferences.load(os.environ)
    changes = dict(_assignment(word) for word in options.assignments)
    kept._replace(fields={**kept.fields, **changes}).save()
    for name, value in changes.items():
        was = _shown(kept.fields[name])
        print(f'"{name}" set to: "{_shown(value)}" (was: "{was}")')
    idle = [name for name in changes if name not in _EFFECT]
    if idle:
        note(f"{', '.join(idle)}: kept, without effect here")


def _assignment(word: str) -> tuple[str, str | bool]:
    name, equals, text = word.partition("=")
    if not equals:
        raise Failure(f'"{word}" is not of the form name=value')
    if name not in DEFAULTS:
        likely = import_module("aisle.cli.words").closest(name, DEFAULTS)
        hint = f'. Did you mean: "{likely}"?' if likely else ""
        raise Failure(f'there is no field "{name}"{hint}')
    if not isinstance(DEFAULTS[name], bool):
        return name, text
    if text.lower() not in ("true", "false", "yes", "no"):
        raise Failure(f"{name} is true or false")
    return name, text.lower() in ("true", "yes")


def _shown(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def reset_arguments(parser: argparse.ArgumentParser) -> None:
    """No arguments of its own; aliases stay."""


def reset(options: argparse.Namespace) -> None:
    kept = Preferences.load(os.environ)
    kept._replace(fields=dict(DEFAULTS)).save()
    print("CLI config successfully reset")
