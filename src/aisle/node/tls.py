"""TLS of a node: where certificate and key come from, and whether they can serve.

What the node itself is told (`--tls-cert`, `--tls-key`) goes first; else the cluster's settings
`net.http.*` decide, which are read from the index before the workers are forked, so that a change
of them takes effect at the next start. `--tls off` serves HTTP in any case: it is the way back
when the settings name files that are not there. Files are tried here, since the HTTP server would
tell of a broken one by a panic in each worker.
"""

from __future__ import annotations

import asyncio
import ssl
from dataclasses import replace
from pathlib import Path
from typing import Final

from aisle.core import settings
from aisle.core.errors import AisleError, ConfigError
from aisle.namespace.store import read_config
from aisle.node.engines import open_index
from aisle.node.options import NodeOptions

OFF: Final = "off"
_WAY_OUT: Final = " (to serve HTTP and change the setting, start with --tls off)"

_ENCRYPTED: Final = (b"BEGIN ENCRYPTED PRIVATE KEY", b"Proc-Type: 4,ENCRYPTED")
# What OpenSSL calls a key of another certificate, of the same kind or of another.
_FOREIGN: Final = ("KEY_VALUES_MISMATCH", "KEY_TYPE_MISMATCH", "NO_CERTIFICATE_ASSIGNED")


def settle(options: NodeOptions) -> NodeOptions:
    """The options with the files that the cluster's settings name, unless the node was told.

    Opens the index for a moment. Raises `ConfigError`.
    """
    if options.tls == OFF or options.tls_cert is not None:
        return options
    try:
        return asyncio.run(_from_settings(options))
    except AisleError as error:
        raise ConfigError(str(error)) from None


async def _from_settings(options: NodeOptions) -> NodeOptions:
    index = await open_index(options)
    try:
        values = settings.cluster_defaults() | dict((await read_config(index)).values)
    finally:
        await index.close()
    if not values["net.http.use_https"]:
        return options
    found = replace(
        options,
        tls_cert=options.data / str(values["net.http.server_crt"]),
        tls_key=options.data / str(values["net.http.server_key"]),
    )
    try:
        check(found)
    except ConfigError as error:
        raise ConfigError(f"net.http.use_https is set, and {error}{_WAY_OUT}") from None
    return found


def check(options: NodeOptions) -> None:
    """Raise `ConfigError` unless the node serves HTTP, or can serve HTTPS with what it was told."""
    cert, key = options.tls_cert, options.tls_key
    if cert is None or key is None:
        return
    _read(cert, "certificate")
    if any(mark in _read(key, "key") for mark in _ENCRYPTED):
        # OpenSSL would ask on the terminal, and the HTTP server reads no such key.
        raise ConfigError(
            f"the key {key} is encrypted: keep a decrypted one (openssl pkey -in {key.name} -out"
            " FILE) where only this user reads it"
        )
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cert)
    except ssl.SSLError:
        raise ConfigError(f"{cert} holds no certificate in PEM form") from None
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(cert, key)
    except ssl.SSLError as error:
        if error.reason in _FOREIGN:
            raise ConfigError(f"the key {key} does not belong to the certificate {cert}") from None
        reason = (error.reason or "").replace("_", " ").lower() or "not a key in PEM form"
        raise ConfigError(f"{cert} and {key} cannot serve: {reason}") from None
    if options.advertise.startswith("http:"):
        raise ConfigError(
            f"advertise: the node serves HTTPS, and tells others to come to {options.advertise}"
        )


def _read(path: Path, what: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigError(f"the {what} {path} cannot be read: {error.strerror}") from None
