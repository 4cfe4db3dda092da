"""Options of one `aisnode` process: the frozen value made from the rows of `optiontable`.

The command line comes before the environment, that before the TOML file, and that before the
default. Secrets are never on the command line, where other users of the
machine can read them. What a cluster or bucket holds is in `aisle.core.settings` instead.
Nothing here touches a disk except to read the configuration file and files that hold secrets.
"""

from __future__ import annotations

import argparse
import ipaddress
import os
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, NoReturn, TypeVar
from urllib.parse import urlsplit

from aisle import __version__
from aisle.core.errors import ConfigError
from aisle.namespace.sealing.ring import Ring
from aisle.node import convert, newkey, targets
from aisle.node.convert import STANDARD_OUTPUT, Network, Option
from aisle.node.optiontable import OPTIONS, variable_of
from aisle.targets.base import Spec

_T = TypeVar("_T")


CONFIG_ENV: Final = "AISLE_CONFIG"
_LONGEST_SECRET: Final = 1024

_EXAMPLES: Final = """\
examples:
  aisnode                                   serve http://localhost:8080 from ./.aisle
  aisnode --data /srv/aisle --mountpath /mnt/d1 --mountpath /mnt/d2
  AISLE_ROOT_ACCESS_KEY=admin AISLE_ROOT_SECRET_KEY=... aisnode --host 0.0.0.0
  aisnode --auth on --host 0.0.0.0          make the administrator's keys, and print them once
  aisnode --index postgresql://aisle@db/aisle --blobs rados://aisle?conf=/etc/ceph/ceph.conf
  aisnode --tls-cert /etc/aisle/server.crt --tls-key /etc/aisle/server.key
  aisnode --tls-self-signed                 HTTPS to try out, with a certificate of its own
  aisnode --config /etc/aisle/node.toml
  aisnode new-key /etc/aisle/keys           make a key to encrypt with: --key-ring-file
  aisnode export --help, aisnode import --help      move a store to another deployment

Every option may also be set by an environment variable (AISLE_DATA, AISLE_STOP_TIMEOUT, ...; lists
are separated by commas) or in the TOML file (data, stop_timeout, ...). The command line wins over
the environment, the environment over the file.

only by environment or file, so that no process listing shows them:
  AISLE_ROOT_ACCESS_KEY, AISLE_ROOT_SECRET_KEY     keys of the administrator; both or none
  AISLE_ROOT_PASSWORD                              its password, else the secret key
  AISLE_KEY_RING                                   keys that objects are encrypted with
  AISLE_BLOBS_ACCESS_KEY, AISLE_BLOBS_SECRET_KEY   keys for the bucket of --blobs s3://...
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
    advertise: str
    node_id: str
    website_domains: tuple[str, ...] = ()
    row_cache: int = 128 << 20
    audit: str = "changes"
    audit_file: Path = STANDARD_OUTPUT
    tls: str = "auto"
    tls_cert: Path | None = None
    tls_key: Path | None = None
    tls_self_signed: bool = False
    tls_client_ca: Path | None = None
    tls_client_auth: str = "required"
    tls_min: str = "1.2"
    trusted_proxies: tuple[Network, ...] = ()
    max_connections: int = 8192
    max_requests: int = 1024
    header_timeout: float = 30.0
    body_timeout: float = 60.0
    send_timeout: float = 300.0
    promote_dir: Path | None = None
    event_targets: tuple[Spec, ...] = ()
    ring: Ring | None = None  # its repr has no keys
    ring_file: Path | None = None
    index: str = field(default="", repr=False)  # a URL may hold a password
    blobs: str = field(default="", repr=False)
    blobs_access_key: str = field(default="", repr=False)
    blobs_secret_key: str = field(default="", repr=False)
    root_access_key: str = field(default="", repr=False)
    auth: str = "auto"
    root_secret_key: str = field(default="", repr=False)
    root_password: str = field(default="", repr=False)
    root_made: bool = False  # its keys have been made just now: nobody has seen them yet
    root_kept: bool = False  # they are those that the store keeps

    @property
    def auth_enabled(self) -> bool:
        return self.auth == "on" or (self.auth == "auto" and bool(self.root_access_key))

    @property
    def embedded(self) -> bool:
        """Whether the rows are in this node's own directory, so that it is the only node."""
        return not self.index

    @property
    def scheme(self) -> str:
        return "https" if self.tls_cert or self.tls_self_signed else "http"

    @property
    def endpoint(self) -> str:
        """Where a client on this machine reaches the node."""
        host = "localhost" if self.host == "127.0.0.1" or is_any(self.host) else self.host
        return f"{self.scheme}://{f'[{host}]' if ':' in host else host}:{self.port}"


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
        if kinds[name] in ("path", "file") and isinstance(value, str) and value != "-":
            values[name] = str(path.absolute().parent / value)
        elif kinds[name] == "paths" and isinstance(value, list):
            values[name] = [str(path.absolute().parent / str(item)) for item in value]
    return values


def _build(raw: Mapping[str, Any], sources: Mapping[str, str]) -> NodeOptions:
    rows = {option.name: option for option in OPTIONS}

    def value(name: str, parse: Callable[[Option, Any], _T], default: Any = None) -> _T:
        row = rows[name]
        try:
            return parse(row, raw.get(name, row.default if default is None else default))
        except ValueError as error:
            shown = f", got {raw[name]!r}" if row.kind not in ("secret", "url") else ""
            raise ConfigError(f"{name} ({sources[name]}): {error}{shown}") from None

    def secret(name: str, parse: Callable[[Option, Any], str]) -> str:
        file = value(f"{name}_file", convert.to_file, "")
        if file is None:
            return value(name, parse, "")
        if raw.get(name):
            raise ConfigError(f"{name} and {name}_file: give one or the other")
        try:
            return parse(rows[name], _read_secret(file))
        except ValueError as error:
            raise ConfigError(f"{name}_file ({file}): {error}") from None

    data = value("data", convert.to_path)
    mountpaths = value("mountpath", convert.to_paths, [str(data / "disk")])
    options = NodeOptions(
        data=data,
        # What is kept elsewhere needs no disk here.
        mountpaths=() if raw.get("blobs") and "mountpath" not in raw else mountpaths,
        durability=value("durability", convert.to_choice),
        row_cache=value("row_cache", convert.to_size),
        forget_mountpath=value("forget_mountpath", convert.to_bool),
        host=value("host", convert.to_host),
        port=value("port", convert.to_int),
        domains=value("domain", convert.to_domains),
        website_domains=value("website_domain", convert.to_website_domains),
        region=value("region", convert.to_region),
        workers=value("workers", convert.to_int, len(os.sched_getaffinity(0))),
        stop_timeout=value("stop_timeout", convert.to_seconds),
        insecure=value("insecure", convert.to_bool),
        log_level=value("log_level", convert.to_choice),
        log_format=value("log_format", convert.to_choice),
        access_log=value("access_log", convert.to_bool),
        audit=value("audit", convert.to_choice),
        audit_file=value("audit_file", convert.to_output, str(data / "log" / "audit.jsonl")),
        advertise=value("advertise", convert.to_endpoint, ""),
        node_id=value("node_id", convert.to_node_id, ""),
        tls=value("tls", convert.to_choice),
        tls_cert=value("tls_cert", convert.to_file, ""),
        tls_key=value("tls_key", convert.to_file, ""),
        tls_self_signed=value("tls_self_signed", convert.to_bool),
        tls_client_ca=value("tls_client_ca", convert.to_file, ""),
        tls_client_auth=value("tls_client_auth", convert.to_choice),
        tls_min=value("tls_min", convert.to_choice),
        trusted_proxies=value("trusted_proxy", convert.to_networks, ()),
        max_connections=value("max_connections", convert.to_int),
        max_requests=value("max_requests", convert.to_int),
        header_timeout=value("header_timeout", convert.to_timeout),
        body_timeout=value("body_timeout", convert.to_timeout),
        send_timeout=value("send_timeout", convert.to_timeout),
        promote_dir=value("promote_dir", convert.to_file, ""),
        event_targets=_targets(value("event_targets", convert.to_file, "")),
        ring=_ring(value("key_ring_file", convert.to_file, ""), raw.get("key_ring")),
        ring_file=value("key_ring_file", convert.to_file, ""),
        index=value("index", convert.to_url, ""),
        blobs=value("blobs", convert.to_url, ""),
        blobs_access_key=value("blobs_access_key", convert.to_access_key),
        blobs_secret_key=value("blobs_secret_key", convert.to_secret_key),
        auth=value("auth", convert.to_choice),
        root_access_key=secret("root_access_key", convert.to_access_key),
        root_secret_key=secret("root_secret_key", convert.to_secret_key),
        root_password=secret("root_password", convert.to_password),
    )
    _check(options, sources)
    return options


def _targets(file: Path | None) -> tuple[Spec, ...]:
    return targets.read(file) if file is not None else ()


def _ring(file: Path | None, text: Any) -> Ring | None:
    """The keys that objects are encrypted with. Raises `ConfigError`, in which there are none."""
    if file is not None and text:
        raise ConfigError("key_ring and key_ring_file: give one or the other")
    if file is None and not text:
        return None
    source = f"key_ring_file ({file})" if file is not None else "key_ring"
    try:
        if file is None and not isinstance(text, str):
            raise ValueError("expected text")
        return Ring.parse(newkey.read(file) if file is not None else text)
    except ValueError as error:
        raise ConfigError(f"{source}: {error}") from None


def _read_secret(file: Path) -> str:
    """What a file holds, up to the end of its line. Raises `ValueError` without showing any."""
    try:
        with file.open("rb") as opened:
            text = opened.read(_LONGEST_SECRET + 1).decode().rstrip("\r\n")
    except OSError as error:
        raise ValueError(error.strerror) from None
    except UnicodeDecodeError:
        raise ValueError("expected text in UTF-8") from None
    if not text or len(text) > _LONGEST_SECRET:
        raise ValueError("expected one line of text")
    return text


def _check(options: NodeOptions, sources: Mapping[str, str]) -> None:
    access, secret = variable_of("root_access_key"), variable_of("root_secret_key")
    if bool(options.root_access_key) != bool(options.root_secret_key):
        missing, present = (secret, access) if options.root_access_key else (access, secret)
        raise ConfigError(f"{present} is set but {missing} is not: set both, or none")
    if not options.auth_enabled and not options.insecure and not is_loopback(options.host):
        raise ConfigError(
            f"authentication is off, and {options.host} can be reached from other machines:"
            f" set {access} and {secret} or add --auth on, or listen on 127.0.0.1, or add"
            " --insecure to let anyone read and write"
        )
    if bool(options.blobs_access_key) != bool(options.blobs_secret_key):
        raise ConfigError("of the two keys for --blobs only one is set: set both, or none")
    if sources.get("index") == "command line" and urlsplit(options.index).password:
        raise ConfigError(
            f"index: other users of this machine can read command lines: put the password into"
            f" {variable_of('index')}, PGPASSWORD or a password file"
        )
    if (options.tls_cert is None) != (options.tls_key is None):
        raise ConfigError("of tls_cert and tls_key only one is given: give both, or none")
    given = [name for name in _TLS_FILES if getattr(options, name)]
    if options.tls == "off" and given:
        raise ConfigError(f"tls is off, and {given[0]} is given: give one or the other")
    if options.tls_self_signed and options.tls_cert:
        raise ConfigError("tls_self_signed and tls_cert: there is one certificate or the other")
    if options.blobs and options.mountpaths:
        raise ConfigError("blobs and mountpath: objects are kept in one place or the other")
    if options.durability == "relaxed" and (options.index or options.blobs):
        raise ConfigError("durability: only a node that keeps everything itself can relax it")
    both = {name.partition("/")[0] for name in options.domains} & {*options.website_domains}
    if both:
        raise ConfigError(
            f"domain and website_domain: {min(both)} cannot be both, as a bucket below it would"
            " have two meanings"
        )
    if len(set(options.mountpaths)) != len(options.mountpaths):
        raise ConfigError("mountpath: the same directory is given twice")
    if options.promote_dir is not None:
        _check_apart(options.promote_dir, (options.data, *options.mountpaths))


# What asks for HTTPS.
_TLS_FILES: Final = ("tls_cert", "tls_self_signed", "tls_client_ca")


def _check_apart(top: Path, own: Sequence[Path]) -> None:
    """Clients may read and delete what is below `top`: none of that may be the node's own."""
    for kept in own:
        if kept.is_relative_to(top) or top.is_relative_to(kept):
            raise ConfigError(
                f"promote_dir: {top} and {kept}, where the node keeps its own files, must not lie"
                " in each other"
            )
