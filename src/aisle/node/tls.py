"""TLS of a node: where certificate and key come from, and whether they can serve.

What the node itself is told (`--tls-cert`, `--tls-key`, `--tls-self-signed`) goes first; else the
cluster's settings `net.http.*` decide, which are read from the index before the workers are forked,
so that a change of them takes effect at the next start. `--tls off` serves HTTP in any case: it is
the way back when the settings name files that are not there. Files are tried here, since the HTTP
server would tell of a broken one by a panic in each worker.

Workers never see the files: `take` reads them once, checks what it has read, and keeps it in
memory that only the node's own processes can open. What was checked is what serves, also for a
worker that is replaced after somebody has begun to copy new files over the old.
"""

from __future__ import annotations

import asyncio
import os
import ssl
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from aisle.core import settings
from aisle.core.errors import AisleError, ConfigError
from aisle.namespace.store import read_config
from aisle.node import selfsigned
from aisle.node.engines import open_index
from aisle.node.options import NodeOptions

OFF: Final = "off"
_WAY_OUT: Final = " (to serve HTTP and change the setting, start with --tls off)"

_LARGEST: Final = 1 << 20
_ENCRYPTED: Final = (b"BEGIN ENCRYPTED PRIVATE KEY", b"Proc-Type: 4,ENCRYPTED")
# What OpenSSL calls a key of another certificate, of the same kind or of another.
_FOREIGN: Final = ("KEY_VALUES_MISMATCH", "KEY_TYPE_MISMATCH", "NO_CERTIFICATE_ASSIGNED")


# Go's tls.ClientAuthType by its number: what the HTTP server can do of it. The others take a
# certificate without looking who has signed it, which would only seem to guard anything.
NO_CLIENT_CERT: Final = ""
OPTIONAL: Final = "optional"
REQUIRED: Final = "required"
_CLIENT_AUTH: Final = {0: NO_CLIENT_CERT, 3: OPTIONAL, 4: REQUIRED}
_UNVERIFIED: Final = {1: "RequestClientCert", 2: "RequireAnyClientCert"}


def settle(options: NodeOptions) -> NodeOptions:
    """The options with the files that the cluster's settings name, unless the node was told.

    Opens the index for a moment. Raises `ConfigError`.
    """
    if options.tls == OFF:
        return options
    try:
        values = asyncio.run(_settings(options))
    except AisleError as error:
        raise ConfigError(str(error)) from None
    if options.tls_self_signed:
        made = selfsigned.keep(options)
        options = replace(options, tls_cert=made.cert, tls_key=made.key)
    found = _guarded(_with_certificate(options, values), values)
    if found.tls_cert is not None and options.tls_cert is None:
        try:
            check(found)
        except ConfigError as error:
            raise ConfigError(f"net.http.use_https is set, and {error}{_WAY_OUT}") from None
    return found


async def _settings(options: NodeOptions) -> dict[str, settings.Value]:
    index = await open_index(options)
    try:
        return settings.cluster_defaults() | dict((await read_config(index)).values)
    finally:
        await index.close()


def _with_certificate(options: NodeOptions, values: dict[str, settings.Value]) -> NodeOptions:
    if options.tls_cert is not None or not values["net.http.use_https"]:
        return options
    return replace(
        options,
        tls_cert=options.data / str(values["net.http.server_crt"]),
        tls_key=options.data / str(values["net.http.server_key"]),
    )


def _guarded(options: NodeOptions, values: dict[str, settings.Value]) -> NodeOptions:
    """With what is asked of clients, unless the node was told."""
    if options.tls_client_ca is not None:
        if options.tls_cert is None:
            raise ConfigError("tls_client_ca is given, and the node has no certificate of its own")
        return options
    if options.tls_cert is None:
        return options
    number = int(values["net.http.client_auth_tls"])
    if number in _UNVERIFIED:
        raise ConfigError(
            f"net.http.client_auth_tls is {number} ({_UNVERIFIED[number]}): certificates that"
            " nobody verifies are not offered, only 0 (none), 3 (verified if given) and 4"
            f" (required and verified){_WAY_OUT}"
        )
    wanted = _CLIENT_AUTH[number]
    authority = str(values["net.http.client_ca_tls"])
    if wanted and not authority:
        raise ConfigError(
            f"net.http.client_auth_tls is {number}, and net.http.client_ca_tls names no"
            f" authority{_WAY_OUT}"
        )
    if not wanted:
        return options
    return replace(options, tls_client_ca=options.data / authority, tls_client_auth=wanted)


@dataclass(frozen=True, slots=True)
class Held:
    """A certificate, its key and the authority of clients, as memory that has paths."""

    cert: str
    key: str
    client_ca: str | None
    _descriptors: tuple[int, ...]

    def close(self) -> None:
        """Give the memory back; a process that was forked has its own hold on it."""
        for descriptor in self._descriptors:
            os.close(descriptor)


def check(options: NodeOptions) -> None:
    """Raise `ConfigError` unless the node serves HTTP, or can serve HTTPS with what it was told."""
    held = take(options)
    if held is not None:
        held.close()


def take(options: NodeOptions) -> Held | None:
    """What the node serves HTTPS with, read and checked; `None` if it serves HTTP.

    Raises `ConfigError`.
    """
    cert, key, authority = options.tls_cert, options.tls_key, options.tls_client_ca
    if cert is None or key is None:
        return None
    pieces = [_read(cert, "certificate"), _read(key, "key")]
    if authority is not None:
        pieces.append(_read(authority, "authority of clients"))
    descriptors = tuple(_in_memory(piece) for piece in pieces)
    paths = [f"/proc/self/fd/{descriptor}" for descriptor in descriptors]
    held = Held(paths[0], paths[1], paths[2] if authority else None, descriptors)
    try:
        if any(mark in pieces[1] for mark in _ENCRYPTED):
            # OpenSSL would ask on the terminal, and the HTTP server reads no such key.
            raise ConfigError(
                f"the key {key} is encrypted: keep a decrypted one (openssl pkey -in {key.name}"
                " -out FILE) where only this user reads it"
            )
        _check_pair(held, cert, key)
        if held.client_ca is not None:
            _check_certificates(held.client_ca, options.tls_client_ca)
        if options.advertise.startswith("http:"):
            raise ConfigError(
                f"advertise: the node serves HTTPS, and tells others to come to {options.advertise}"
            )
    except ConfigError:
        held.close()
        raise
    return held


def _check_pair(held: Held, cert: Path, key: Path) -> None:
    _check_certificates(held.cert, cert)
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(held.cert, held.key)
    except ssl.SSLError as error:
        if error.reason in _FOREIGN:
            raise ConfigError(f"the key {key} does not belong to the certificate {cert}") from None
        reason = (error.reason or "").replace("_", " ").lower() or "not a key in PEM form"
        raise ConfigError(f"{cert} and {key} cannot serve: {reason}") from None


def _check_certificates(path: str, told: Path | None) -> None:
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(path)
    except ssl.SSLError:
        raise ConfigError(f"{told} holds no certificate in PEM form") from None


def _in_memory(data: bytes) -> int:
    descriptor = os.memfd_create("aisle-tls")
    with open(descriptor, "wb", closefd=False) as file:
        file.write(data)
    return descriptor


def _read(path: Path, what: str) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(_LARGEST + 1)
    except OSError as error:
        raise ConfigError(f"the {what} {path} cannot be read: {error.strerror}") from None
    if len(data) > _LARGEST:
        raise ConfigError(f"the {what} {path} is larger than {_LARGEST >> 20} MiB")
    return data


_serving: Held | None = None


def serve(held: Held | None) -> None:
    """Note what processes that are forked from now on serve with."""
    global _serving  # it goes by the fork, as the descriptors do
    _serving = held


def serving() -> bytes:
    """The certificates that this worker was started with."""
    assert _serving is not None
    return Path(_serving.cert).read_bytes()


def changed(options: NodeOptions) -> tuple[object, ...]:
    """What tells whether the files are the same as before, without reading them."""
    files = (options.tls_cert, options.tls_key, options.tls_client_ca)
    return tuple(_stamp(path) for path in files if path is not None)


def _stamp(path: Path) -> object:
    try:
        found = path.stat()
    except OSError as error:
        return error.errno
    return found.st_ino, found.st_size, found.st_mtime_ns
