"""`aisnode --tls-self-signed`: a certificate for trying HTTPS out, made once and kept.

It is its own authority: clients trust it by being given the file. It names `localhost`, this
machine's name, the address the node listens on and the one it advertises, and lives below the data
directory, where it is used again as long as it covers those names and does not end soon. Nothing
but this one certificate is made here.
"""

from __future__ import annotations

import datetime as dt
import ipaddress
import os
import socket
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from aisle.core.errors import ConfigError
from aisle.node.options import NodeOptions, is_any

DIRECTORY: Final = "tls"
# Some clients refuse certificates that are valid for longer.
_DAYS: Final = 397
_RENEW: Final = dt.timedelta(days=30)
_HOUR: Final = dt.timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Made:
    """Two PEM files."""

    cert: Path
    key: Path

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the certificate, as browsers and `openssl x509 -fingerprint` show it."""
        digest = x509.load_pem_x509_certificate(self.cert.read_bytes()).fingerprint(hashes.SHA256())
        return digest.hex(":").upper()


def place(options: NodeOptions) -> Made:
    """Where the files are, or will be."""
    return Made(options.data / DIRECTORY / "self.crt", options.data / DIRECTORY / "self.key")


def keep(options: NodeOptions) -> Made:
    """The files of a certificate for this node, made if there are none that will do.

    Raises `ConfigError`.
    """
    made, wanted = place(options), names(options)
    try:
        if not _will_do(made, wanted):
            _make(made, wanted)
    except OSError as error:
        raise ConfigError(
            f"tls_self_signed: {error.filename or made.cert} cannot be kept: {error.strerror}"
        ) from None
    return made


def names(options: NodeOptions) -> tuple[str, ...]:
    """Every name and address that clients may come by, without repetitions."""
    found = ["localhost", "127.0.0.1", "::1", socket.gethostname(), *options.domains]
    if not is_any(options.host):
        found.append(options.host.partition("%")[0])
    if options.advertise:
        found.append(urlsplit(options.advertise).hostname or "")
    if is_any(options.host):
        found += _addresses()
    bare = (name.partition("/")[0].lower() for name in found)
    # Buckets are addressed by a name in front of a domain.
    domains = (*options.domains, *options.website_domains)
    below = (f"*.{domain.partition('/')[0]}" for domain in domains)
    return tuple(dict.fromkeys(name for name in (*bare, *below) if name))


def _addresses() -> list[str]:
    """What this machine's own name stands for."""
    try:
        told = socket.getaddrinfo(socket.gethostname(), None, type=socket.SOCK_STREAM)
    except OSError:
        return []
    return [str(info[4][0]).partition("%")[0] for info in told]


def _general(name: str) -> x509.GeneralName | None:
    with suppress(ValueError):
        return x509.IPAddress(ipaddress.ip_address(name))
    # A DNS name in a certificate is ASCII, and its labels are short.
    if name.isascii() and all(0 < len(label) < 64 for label in name.split(".")):
        return x509.DNSName(name)
    return None


def _will_do(made: Made, wanted: tuple[str, ...]) -> bool:
    try:
        cert = x509.load_pem_x509_certificate(made.cert.read_bytes())
        key = serialization.load_pem_private_key(made.key.read_bytes(), None)
        covered = set(cert.extensions.get_extension_for_class(x509.SubjectAlternativeName).value)
    except (FileNotFoundError, ValueError, TypeError, x509.ExtensionNotFound):
        return False
    if cert.public_key() != key.public_key():
        return False
    if cert.not_valid_after_utc < dt.datetime.now(dt.UTC) + _RENEW:
        return False
    return covered >= {name for name in map(_general, wanted) if name is not None}


def _make(made: Made, wanted: tuple[str, ...]) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Aisle, self-signed")])
    now = dt.datetime.now(dt.UTC)
    alternatives = [name for name in map(_general, wanted) if name is not None]
    cert = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _HOUR)
        .not_valid_after(now + dt.timedelta(days=_DAYS))
        .add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
        # Trusted by itself: OpenSSL takes it for an authority without these, others do not.
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_USAGE, critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    made.cert.parent.mkdir(exist_ok=True)
    _write(
        made.key,
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ),
        0o600,
    )
    _write(made.cert, cert.public_bytes(serialization.Encoding.PEM), 0o644)


_USAGE: Final = x509.KeyUsage(
    digital_signature=True,
    content_commitment=False,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=False,
    key_cert_sign=True,
    crl_sign=False,
    encipher_only=False,
    decipher_only=False,
)


def _write(path: Path, data: bytes, mode: int) -> None:
    """Whole or not at all; nobody can read a key between its making and its mode."""
    beside = path.with_name(path.name + ".new")
    beside.unlink(missing_ok=True)
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    with open(descriptor, "wb") as file:
        file.write(data)
    os.chmod(beside, mode)
    os.replace(beside, path)
