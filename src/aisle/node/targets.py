"""The file of targets of event notifications, and their opening.

The file is TOML: a table a target, whose name is the target's. Which options a kind has stands in
`KINDS`. A secret can be given in the file, or as `<option>_file`, the path of a file that holds it.
"""

from __future__ import annotations

import importlib
import re
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

from aisle.core.errors import ConfigError
from aisle.core.units import parse_duration
from aisle.targets.base import NAME, Known, Spec, Targets

_LONGEST: Final = 1 << 20
_SECOND: Final = 1_000_000_000


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value or any(ord(c) < 32 for c in value):
        raise ValueError("expected text")
    return value


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError("expected true or false")
    return value


def _url(*schemes: str) -> Callable[[Any], str]:
    def parse(value: Any) -> str:
        url = _text(value)
        parts = urlsplit(url)
        if parts.scheme not in schemes or not parts.hostname or not url.isascii() or " " in url:
            raise ValueError(f"expected an address that begins with {'://, '.join(schemes)}://")
        return url

    return parse


def _servers(value: Any) -> str:
    servers = _text(value).replace(" ", "").split(",")
    if not all(server.rpartition(":")[2].isdecimal() for server in servers):
        raise ValueError("expected HOST:PORT, or several of them with commas between")
    return ",".join(servers)


def _topic(value: Any) -> str:
    if re.fullmatch(r"[a-zA-Z0-9._-]{1,249}", _text(value)) is None:
        raise ValueError("expected 1 to 249 letters, digits, dots, - and _")
    return str(value)


def _mechanism(value: Any) -> str:
    if value not in ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"):
        raise ValueError("expected PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512")
    return str(value)


class Kind(NamedTuple):
    """What has to be there to make a target of a kind, and what it may be told."""

    module: str
    name: str
    extra: str
    required: Mapping[str, Callable[[Any], Any]]
    optional: Mapping[str, Callable[[Any], Any]]
    secrets: tuple[str, ...]


KINDS: Final[Mapping[str, Kind]] = {
    "webhook": Kind(
        "aisle.targets.webhook",
        "Webhook",
        "notifications",
        {"url": _url("http", "https")},
        {},
        ("token", "secret"),
    ),
    "nats": Kind(
        "aisle.targets.nats",
        "Nats",
        "nats",
        {"url": _url("nats", "tls", "ws", "wss"), "subject": _text},
        {"user": _text, "jetstream": _flag, "ca_file": _text},
        ("password", "token"),
    ),
    "kafka": Kind(
        "aisle.targets.kafka",
        "Kafka",
        "kafka",
        {"servers": _servers, "topic": _topic},
        {"user": _text, "mechanism": _mechanism, "tls": _flag, "ca_file": _text},
        ("password",),
    ),
    "amqp": Kind(
        "aisle.targets.amqp",
        "Amqp",
        "amqp",
        {"routing_key": _text},
        {"exchange": _text, "ca_file": _text},
        ("url",),
    ),
}
_SECRET_PARSERS: Final[Mapping[str, Callable[[Any], Any]]] = {"url": _url("amqp", "amqps")}


def read(path: Path) -> tuple[Spec, ...]:
    """The targets that a file describes. Raises `ConfigError`, which shows no value."""
    try:
        with path.open("rb") as file:
            text = file.read(_LONGEST + 1)
        if len(text) > _LONGEST:
            raise ConfigError(f"event_targets: {path} is too long")
        tables = tomllib.loads(text.decode())
    except OSError as error:
        raise ConfigError(f"event_targets: cannot read {path}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError):
        raise ConfigError(f"event_targets: {path} is not valid TOML") from None
    return tuple(_spec(path, name, table) for name, table in tables.items())


def _spec(path: Path, name: str, table: Any) -> Spec:
    where = f"event_targets: {path}: [{name[:64]}]"
    if NAME.fullmatch(name) is None:
        raise ConfigError(f"{where}: a name has 1 to 63 small letters, digits, - and _")
    kind = KINDS.get(table.get("kind", "")) if isinstance(table, dict) else None
    if kind is None:
        raise ConfigError(f"{where}: kind: expected {', '.join(KINDS)}")
    given = {option: value for option, value in table.items() if option != "kind"}
    secret = dict.fromkeys(kind.secrets, _text) | {
        option: _SECRET_PARSERS[option] for option in kind.secrets if option in _SECRET_PARSERS
    }
    parsers = {**kind.required, **kind.optional, **secret, "timeout": _seconds}
    values: dict[str, Any] = {}
    for option, value in given.items():
        try:
            plain = option.removesuffix("_file")
            if option != plain and plain in secret:
                if plain in given:
                    raise ValueError(f"give it or {plain}, not both")
                values[plain] = secret[plain](_held(path, _text(value)))
            elif option in parsers:
                values[option] = parsers[option](value)
            else:
                raise ValueError("there is no such option")
        except ValueError as error:
            raise ConfigError(f"{where}: {option}: {error}") from None
    needed = [*kind.required, *(option for option in secret if option in _SECRET_PARSERS)]
    for option in needed:
        if option not in values:
            raise ConfigError(f"{where}: {option} is missing")
    if "ca_file" in values:
        values["ca_file"] = str(path.absolute().parent / values["ca_file"])
    seconds = values.pop("timeout", None)
    spec = Spec(name, table["kind"], options=values)
    return spec if seconds is None else Spec(name, table["kind"], seconds, values)


def _seconds(value: Any) -> float:
    found = parse_duration(_text(value)) / _SECOND
    if not 0.1 <= found <= 300:
        raise ValueError("expected a time from 100ms to 5m")
    return found


def _held(path: Path, name: str) -> str:
    """What a file named in the file holds, up to the end of its line."""
    try:
        with (path.absolute().parent / name).open("rb") as file:
            return file.read(4096).decode().rstrip("\r\n")
    except OSError as error:
        raise ValueError(error.strerror) from None


def open_targets(specs: tuple[Spec, ...]) -> Targets:
    """The targets of one process of a node. Connects to none yet. Raises `ConfigError`."""
    return Targets({spec.name: Known(spec, _open(spec)) for spec in specs})


def _open(spec: Spec) -> Any:
    kind = KINDS[spec.kind]
    try:
        return getattr(importlib.import_module(kind.module), kind.name)(spec)
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"target {spec.name} needs the extra aisle[{kind.extra}] ({error})"
        ) from None
    except OSError as error:
        raise ConfigError(f"target {spec.name}: ca_file: {error.strerror}") from None
