"""Options of one `aisnode` process: THE table, and the frozen value made from it.

Every row is an option of the command line (`--stop-timeout`), an environment variable
(`AISLE_STOP_TIMEOUT`) and a key of the TOML file (`stop_timeout`); that is also their order of
precedence, before the default. Secrets are never on the command line, where other users of the
machine can read them. What a cluster or bucket holds is in `aisle.core.settings` instead.
Nothing here touches a disk except to read the configuration file.
"""

from __future__ import annotations

import argparse
import ipaddress
import os
import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal, NoReturn, TypeVar

from aisle import __version__
from aisle.core.errors import ConfigError
from aisle.core.units import parse_duration

Kind = Literal["path", "paths", "text", "texts", "int", "bool", "choice", "duration", "secret"]
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Option:
    """One row. `default` is written as a user would write it."""

    name: str
    group: str
    kind: Kind
    default: str
    help: str
    metavar: str = ""
    choices: tuple[str, ...] = ()
    low: int = 0
    high: int = 65535

    @property
    def flag(self) -> str:
        return "" if self.kind == "secret" else "--" + self.name.replace("_", "-")

    @property
    def env(self) -> str:
        return "AISLE_" + self.name.upper()


OPTIONS: Final = (
    Option("data", "storage", "path", "./.aisle",
           "directory for the index, locks and (unless --mountpath) objects; made if absent",
           "DIR"),
    Option("mountpath", "storage", "paths", "<data>/disk",
           "directory (one a disk) to spread objects over; may be given several times", "DIR"),
    Option("durability", "storage", "choice", "strict",
           "what an acknowledged write survives: power loss (strict), or a crash of the process"
           " (relaxed)", choices=("strict", "relaxed")),
    Option("forget_mountpath", "storage", "bool", "false",
           "start although a mountpath that was used before is not given, or is empty; objects on"
           " it cannot be read"),
    Option("host", "network", "text", "127.0.0.1", "address to listen on; :: for IPv6", "ADDR"),
    Option("port", "network", "int", "8080", "port to listen on", "N", low=1),
    Option("domain", "network", "texts", "localhost",
           "host name below which buckets are addressed (BUCKET.NAME); may end in /s3; may be"
           " given several times", "NAME"),
    Option("region", "network", "text", "us-east-1", "region that S3 clients are told", "NAME"),
    Option("workers", "network", "int", "one a core", "worker processes", "N", low=1, high=256),
    Option("stop_timeout", "network", "duration", "30s",
           "how long running requests may take to finish when the node is stopped", "TIME"),
    Option("root_access_key", "access", "secret", "",
           "access key of the administrator; together with the secret key it turns"
           " authentication on"),
    Option("root_secret_key", "access", "secret", "", "secret key of the administrator"),
    Option("insecure", "access", "bool", "false",
           "listen on an address other than loopback although authentication is off"),
    Option("log_level", "logs", "choice", "info", "least level that is logged",
           choices=("debug", "info", "warning", "error")),
    Option("log_format", "logs", "choice", "text", "lines for people, or JSON for machines",
           choices=("text", "json")),
    Option("access_log", "logs", "bool", "true", "log one line a request"),
)  # fmt: skip
CONFIG_ENV: Final = "AISLE_CONFIG"

_EXAMPLES: Final = """\
examples:
  aisnode                                   serve http://localhost:8080 from ./.aisle
  aisnode --data /srv/aisle --mountpath /mnt/d1 --mountpath /mnt/d2
  AISLE_ROOT_ACCESS_KEY=admin AISLE_ROOT_SECRET_KEY=... aisnode --host 0.0.0.0
  aisnode --config /etc/aisle/node.toml

Every option may also be set by an environment variable (AISLE_DATA, AISLE_STOP_TIMEOUT, ...; lists
are separated by commas) or in the TOML file (data, stop_timeout, ...). The command line wins over
the environment, the environment over the file.

only by environment or file, so that no process listing shows them:
  AISLE_ROOT_ACCESS_KEY, AISLE_ROOT_SECRET_KEY   keys of the administrator; both or none
"""


@dataclass(frozen=True, slots=True)
class NodeOptions:
    """What one node was told. Paths are absolute. Secrets stay out of `repr`."""

    data: Path
    mountpaths: tuple[Path, ...]
    durability: str
    forget_mountpath: bool
    host: str
    port: int
    domains: tuple[str, ...]
    region: str
    workers: int
    stop_timeout: float
    insecure: bool
    log_level: str
    log_format: str
    access_log: bool
    root_access_key: str = field(default="", repr=False)
    root_secret_key: str = field(default="", repr=False)

    @property
    def auth_enabled(self) -> bool:
        return bool(self.root_access_key)

    @property
    def endpoint(self) -> str:
        """Where a client on this machine reaches the node."""
        host = "localhost" if self.host == "127.0.0.1" or is_any(self.host) else self.host
        return f"http://[{host}]:{self.port}" if ":" in host else f"http://{host}:{self.port}"


def load(arguments: Sequence[str], environ: Mapping[str, str]) -> NodeOptions:
    """Options from the command line, `environ` and the file they name.

    Raises `ConfigError`; `SystemExit` after `--help` and `--version`.
    """
    given = vars(_parser().parse_args(arguments))
    config = given.pop("config", None) or environ.get(CONFIG_ENV, "")
    # An empty variable counts as unset: that is how compose files leave one out.
    variables = {o.name: environ[o.env] for o in OPTIONS if environ.get(o.env)}
    raw: dict[str, Any] = {}
    sources: dict[str, str] = {}
    for source, values in (
        (str(config), _read_file(Path(config)) if config else {}),
        ("environment", variables),
        ("command line", given),
    ):
        raw |= values
        sources |= dict.fromkeys(values, source)
    return _build(raw, sources)


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach `host`; a name other than localhost counts as not."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def is_any(host: str) -> bool:
    """Whether `host` stands for every address of the machine."""
    try:
        return ipaddress.ip_address(host).is_unspecified
    except ValueError:
        return False


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise ConfigError(f"{message} (try --help)")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="aisnode",
        description="Run an Aisle node: an S3-compatible object store.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        argument_default=argparse.SUPPRESS,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"aisnode {__version__}")
    parser.add_argument("--config", metavar="FILE", help="TOML file with the same names")
    groups: dict[str, Any] = {}
    for option in OPTIONS:
        if not option.flag:
            continue
        if option.group not in groups:
            groups[option.group] = parser.add_argument_group(option.group)
        add = groups[option.group].add_argument
        text = f"{option.help} (default: {option.default})".replace("%", "%%")
        if option.kind == "bool":
            add(option.flag, action=argparse.BooleanOptionalAction, help=text)
        elif option.kind in ("paths", "texts"):
            add(option.flag, action="append", metavar=option.metavar, help=text)
        else:
            shown = option.metavar or "|".join(option.choices)
            add(option.flag, metavar=shown, help=text)
    return parser


def _read_file(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            values = tomllib.load(file)
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not valid TOML: {error}") from None
    kinds = {option.name: option.kind for option in OPTIONS}
    for name, value in values.items():
        if name not in kinds:
            raise ConfigError(f"{path}: there is no option {name!r}")
        # A path in a file means the same wherever the node is started.
        if kinds[name] == "path" and isinstance(value, str):
            values[name] = str(path.absolute().parent / value)
        elif kinds[name] == "paths" and isinstance(value, list):
            values[name] = [str(path.absolute().parent / str(item)) for item in value]
    return values


def _build(raw: Mapping[str, Any], sources: Mapping[str, str]) -> NodeOptions:
    rows = {option.name: option for option in OPTIONS}

    def value(name: str, convert: Callable[[Option, Any], _T], default: Any = None) -> _T:
        row = rows[name]
        try:
            return convert(row, raw.get(name, row.default if default is None else default))
        except ValueError as error:
            shown = f", got {raw[name]!r}" if row.kind != "secret" else ""
            raise ConfigError(f"{name} ({sources[name]}): {error}{shown}") from None

    data = value("data", _to_path)
    options = NodeOptions(
        data=data,
        mountpaths=value("mountpath", _to_paths, [str(data / "disk")]),
        durability=value("durability", _to_choice),
        forget_mountpath=value("forget_mountpath", _to_bool),
        host=value("host", _to_host),
        port=value("port", _to_int),
        domains=value("domain", _to_domains),
        region=value("region", _to_region),
        workers=value("workers", _to_int, len(os.sched_getaffinity(0))),
        stop_timeout=value("stop_timeout", _to_seconds),
        insecure=value("insecure", _to_bool),
        log_level=value("log_level", _to_choice),
        log_format=value("log_format", _to_choice),
        access_log=value("access_log", _to_bool),
        root_access_key=value("root_access_key", _to_access_key),
        root_secret_key=value("root_secret_key", _to_secret_key),
    )
    _check(options)
    return options


def _check(options: NodeOptions) -> None:
    access, secret = variable_of("root_access_key"), variable_of("root_secret_key")
    if bool(options.root_access_key) != bool(options.root_secret_key):
        missing, present = (secret, access) if options.root_access_key else (access, secret)
        raise ConfigError(f"{present} is set but {missing} is not: set both, or none")
    if not options.auth_enabled and not options.insecure and not is_loopback(options.host):
        raise ConfigError(
            f"authentication is off, and {options.host} can be reached from other machines:"
            f" set {access} and {secret}, or listen on 127.0.0.1, or add --insecure to let"
            " anyone read and write"
        )
    if len(set(options.mountpaths)) != len(options.mountpaths):
        raise ConfigError("mountpath: the same directory is given twice")


def variable_of(name: str) -> str:
    """The environment variable of the option called `name`."""
    return next(option.env for option in OPTIONS if option.name == name)


def _to_text(row: Option, raw: Any) -> str:
    if not isinstance(raw, str):
        raise ValueError("expected text")
    if any(ord(character) < 32 for character in raw):
        raise ValueError("expected text without control characters")
    return raw.strip()


def _to_texts(row: Option, raw: Any) -> tuple[str, ...]:
    items = raw.split(",") if isinstance(raw, str) else raw
    if not isinstance(items, list):
        raise ValueError("expected a list")
    texts = tuple(text for text in (_to_text(row, item) for item in items) if text)
    if not texts:
        raise ValueError("expected at least one")
    return texts


def _to_path(row: Option, raw: Any) -> Path:
    text = _to_text(row, raw)
    if not text:
        raise ValueError("expected a directory")
    return Path(os.path.abspath(Path(text).expanduser()))


def _to_paths(row: Option, raw: Any) -> tuple[Path, ...]:
    return tuple(_to_path(row, text) for text in _to_texts(row, raw))


def _to_int(row: Option, raw: Any) -> int:
    if isinstance(raw, str) and raw.strip().isascii() and raw.strip().isdecimal():
        raw = int(raw)
    if not isinstance(raw, int) or isinstance(raw, bool) or not row.low <= raw <= row.high:
        raise ValueError(f"expected a number from {row.low} to {row.high}")
    return raw


def _to_bool(row: Option, raw: Any) -> bool:
    if isinstance(raw, bool):
        return raw
    word = raw.strip().lower() if isinstance(raw, str) else ""
    if word in ("true", "yes", "on", "1"):
        return True
    if word in ("false", "no", "off", "0"):
        return False
    raise ValueError("expected true or false")


def _to_choice(row: Option, raw: Any) -> str:
    if raw not in row.choices:
        raise ValueError(f"expected one of {', '.join(row.choices)}")
    return str(raw)


def _to_seconds(row: Option, raw: Any) -> float:
    if isinstance(raw, int) and not isinstance(raw, bool):
        raw = f"{raw}s"
    text = _to_text(row, raw)
    return parse_duration(f"{text}s" if text.isdecimal() else text) / 1e9


def _to_host(row: Option, raw: Any) -> str:
    host = _to_text(row, raw).removeprefix("[").removesuffix("]")
    if not re.fullmatch(r"[A-Za-z0-9.:_-]+(?:%\w+)?", host):
        raise ValueError("expected an address or host name")
    return host


def _to_domains(row: Option, raw: Any) -> tuple[str, ...]:
    domains = tuple(text.lower() for text in _to_texts(row, raw))
    for domain in domains:
        if not re.fullmatch(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?(/s3)?", domain):
            raise ValueError("expected host names such as s3.example.org, without scheme or port")
    return domains


def _to_region(row: Option, raw: Any) -> str:
    region = _to_text(row, raw)
    if not re.fullmatch(r"[A-Za-z0-9-]{1,64}", region):
        raise ValueError("expected letters, digits and dashes")
    return region


def _to_access_key(row: Option, raw: Any) -> str:
    key = _to_text(row, raw)
    # It stands in credential scopes (key/date/region/...) and in comma separated headers.
    if key and not re.fullmatch(r"[A-Za-z0-9_.@+-]{3,128}", key):
        raise ValueError("expected 3 to 128 letters, digits, or any of _ . @ + -")
    return key


def _to_secret_key(row: Option, raw: Any) -> str:
    key = _to_text(row, raw)
    if key and len(key) < 8:
        raise ValueError("expected at least 8 characters")
    return key
