"""What the environment tells a client: the address of the node, keys, a token, certificates.

The names are those of AIStore's SDK and of the AWS tools. Of several ways to show who one is, the
first counts: `AIS_AUTHN_TOKEN`, the root key, the token file that `ais auth login` writes, the key
of the AWS tools.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

DEFAULT_ENDPOINT: Final = "http://localhost:8080"
_YES: Final = frozenset(("1", "t", "true", "y", "yes", "on"))


class Keys(NamedTuple):
    """An access key and what goes with it."""

    access: str
    secret: str
    token: str = ""
    region: str = "us-east-1"

    def __repr__(self) -> str:
        return f"<Keys {self.access}>"


class Surroundings(NamedTuple):
    """The arguments of a `Client`, as the environment gives them."""

    endpoint: str
    keys: Keys | None
    token: str
    ca_file: str
    verify: bool
    client_cert: tuple[str, str] | None

    def __repr__(self) -> str:
        return f"<Surroundings of {self.endpoint}>"


def surroundings(environ: Mapping[str, str], endpoint: str = "") -> Surroundings:
    """Read the environment; an `endpoint` that is given stands over `AIS_ENDPOINT`."""
    token = environ.get("AIS_AUTHN_TOKEN", "")
    keys = None if token else root_keys(environ)
    if not token and keys is None:
        token = file_token(environ)
    if not token and keys is None:
        keys = aws_keys(environ)
    skip = environ.get("AIS_SKIP_VERIFY_CRT") or environ.get("AIS_SKIP_VERIFY") or ""
    crt = environ.get("AIS_CRT", "")
    return Surroundings(
        endpoint=endpoint or environ.get("AIS_ENDPOINT") or DEFAULT_ENDPOINT,
        keys=keys,
        token=token,
        ca_file=environ.get("AIS_CLIENT_CA", ""),
        verify=skip.lower() not in _YES,
        client_cert=(crt, environ.get("AIS_CRT_KEY", "")) if crt else None,
    )


def root_keys(environ: Mapping[str, str]) -> Keys | None:
    """The root key of the node, if the environment has it."""
    return _keys(environ, "AISLE_ROOT_ACCESS_KEY", "AISLE_ROOT_SECRET_KEY", "")


def aws_keys(environ: Mapping[str, str]) -> Keys | None:
    """The key of the AWS tools, if the environment has one."""
    return _keys(environ, "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")


def _keys(environ: Mapping[str, str], access: str, secret: str, token: str) -> Keys | None:
    if not (environ.get(access) and environ.get(secret)):
        return None
    region = environ.get("AWS_REGION") or environ.get("AWS_DEFAULT_REGION") or "us-east-1"
    return Keys(environ[access], environ[secret], environ.get(token, ""), region)


def token_file(environ: Mapping[str, str]) -> str:
    """Where a login leaves its token."""
    named = environ.get("AIS_AUTHN_TOKEN_FILE")
    return named or os.path.join(config_directory(environ), "auth.token")


def config_directory(environ: Mapping[str, str]) -> str:
    """Where `ais` keeps what is the user's: `~/.config/ais/cli`."""
    base = environ.get("XDG_CONFIG_HOME") or os.path.join(os.path.expanduser("~"), ".config")
    return os.path.join(base, "ais", "cli")


def file_token(environ: Mapping[str, str]) -> str:
    """The token in the token file, as JSON `{"token": ...}` or bare; empty if there is none."""
    try:
        with open(token_file(environ), encoding="utf-8") as file:
            text = file.read().strip()
    except (OSError, UnicodeDecodeError):
        return ""
    if not text.startswith("{"):
        return text
    try:
        told: Any = json.loads(text)
    except ValueError:
        return ""
    token = told.get("token") if isinstance(told, dict) else None
    return token if isinstance(token, str) else ""
