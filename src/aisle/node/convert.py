"""One row of the options table, and how the text of each kind becomes a value.

A converter takes the row and what the command line, the environment or the file said, and raises
`ValueError` with what was expected. Nothing here touches a disk.
"""

from __future__ import annotations

import ipaddress
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal
from urllib.parse import urlsplit

from aisle.core.units import parse_bool, parse_duration, parse_size

Kind = Literal[
    "path", "paths", "file", "text", "texts", "url", "int", "bool", "choice", "duration", "secret",
    "size",
]  # fmt: skip
STANDARD_OUTPUT: Final = Path("-")
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


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


def to_text(row: Option, raw: Any) -> str:
    if not isinstance(raw, str):
        raise ValueError("expected text")
    if any(ord(character) < 32 for character in raw):
        raise ValueError("expected text without control characters")
    return raw.strip()


def to_texts(row: Option, raw: Any) -> tuple[str, ...]:
    items = raw.split(",") if isinstance(raw, str) else raw
    if not isinstance(items, list):
        raise ValueError("expected a list")
    texts = tuple(text for text in (to_text(row, item) for item in items) if text)
    if not texts:
        raise ValueError("expected at least one")
    return texts


def to_path(row: Option, raw: Any) -> Path:
    text = to_text(row, raw)
    if not text:
        raise ValueError("expected a directory")
    return Path(os.path.abspath(Path(text).expanduser()))


def to_paths(row: Option, raw: Any) -> tuple[Path, ...]:
    return tuple(to_path(row, text) for text in to_texts(row, raw))


def to_file(row: Option, raw: Any) -> Path | None:
    return to_path(row, raw) if to_text(row, raw) else None


def to_output(row: Option, raw: Any) -> Path:
    return STANDARD_OUTPUT if raw == "-" else to_path(row, raw)


def to_url(row: Option, raw: Any) -> str:
    text = to_text(row, raw)
    if not text:
        return ""
    try:
        parts = urlsplit(text)
        parts.port  # noqa: B018 - raises for what is no port
    except ValueError:
        raise ValueError("expected a URL") from None
    if parts.scheme not in row.choices or not (parts.netloc or parts.path.strip("/")):
        raise ValueError(f"expected a URL that begins with {row.choices[0]}:// and names a place")
    return text


def to_endpoint(row: Option, raw: Any) -> str:
    text = to_text(row, raw).rstrip("/")
    if text and not re.fullmatch(r"https?://(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(:\d{1,5})?", text):
        raise ValueError("expected http://NAME:PORT")
    return text


def to_node_id(row: Option, raw: Any) -> str:
    text = to_text(row, raw)
    if text and not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", text):
        raise ValueError("expected up to 64 letters, digits, or any of . _ -")
    return text


def to_int(row: Option, raw: Any) -> int:
    if isinstance(raw, str) and raw.strip().isascii() and raw.strip().isdecimal():
        raw = int(raw)
    if not isinstance(raw, int) or isinstance(raw, bool) or not row.low <= raw <= row.high:
        raise ValueError(f"expected a number from {row.low} to {row.high}")
    return raw


def to_size(row: Option, raw: Any) -> int:
    """A number of bytes."""
    if isinstance(raw, int) and not isinstance(raw, bool):
        raw = str(raw)
    size = parse_size(to_text(row, raw))
    if not row.low <= size <= row.high:
        raise ValueError(f"expected from {row.low} to {row.high} bytes")
    return size


def to_bool(row: Option, raw: Any) -> bool:
    return parse_bool(raw)


def to_choice(row: Option, raw: Any) -> str:
    if raw not in row.choices:
        raise ValueError(f"expected one of {', '.join(row.choices)}")
    return str(raw)


def to_seconds(row: Option, raw: Any) -> float:
    if isinstance(raw, int) and not isinstance(raw, bool):
        raw = f"{raw}s"
    text = to_text(row, raw)
    return parse_duration(f"{text}s" if text.isdecimal() else text) / 1e9


def to_timeout(row: Option, raw: Any) -> float:
    seconds = to_seconds(row, raw)
    if not 0.1 <= seconds <= 86400:
        raise ValueError("expected from 100ms to 24h")
    return seconds


def to_networks(row: Option, raw: Any) -> tuple[Network, ...]:
    if not raw:
        return ()
    try:
        return tuple(ipaddress.ip_network(text, strict=False) for text in to_texts(row, raw))
    except ValueError:
        raise ValueError("expected addresses or networks such as 10.0.0.0/8") from None


def to_host(row: Option, raw: Any) -> str:
    host = to_text(row, raw).removeprefix("[").removesuffix("]")
    if not re.fullmatch(r"[A-Za-z0-9.:_-]+(?:%\w+)?", host):
        raise ValueError("expected an address or host name")
    return host


def to_domains(row: Option, raw: Any) -> tuple[str, ...]:
    domains = tuple(text.lower() for text in to_texts(row, raw))
    for domain in domains:
        if not re.fullmatch(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?(/s3)?", domain):
            raise ValueError("expected host names such as s3.example.org, without scheme or port")
    return domains


def to_website_domains(row: Option, raw: Any) -> tuple[str, ...]:
    domains = to_domains(row, raw)
    if any("/" in domain for domain in domains):
        raise ValueError("expected host names: a website has no path in front of it")
    return domains


def to_region(row: Option, raw: Any) -> str:
    region = to_text(row, raw)
    if not re.fullmatch(r"[A-Za-z0-9-]{1,64}", region):
        raise ValueError("expected letters, digits and dashes")
    return region


def to_access_key(row: Option, raw: Any) -> str:
    key = to_text(row, raw)
    # It stands in credential scopes (key/date/region/...) and in comma separated headers.
    if key and not re.fullmatch(r"[A-Za-z0-9_.@+-]{3,128}", key):
        raise ValueError("expected 3 to 128 letters, digits, or any of _ . @ + -")
    return key


def to_secret_key(row: Option, raw: Any) -> str:
    key = to_text(row, raw)
    if key and len(key) < 8:
        raise ValueError("expected at least 8 characters")
    return key


def to_password(row: Option, raw: Any) -> str:
    password = to_text(row, raw)
    if password and len(password) < 8:
        raise ValueError("expected at least 8 characters")
    return password
