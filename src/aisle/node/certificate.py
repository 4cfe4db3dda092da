"""A worker's view of the certificate that its node serves: told to clients, and read anew.

Reading anew is the supervisor's work: a worker checks the files first, so that whoever asks hears
what is wrong with them, and then gives it a sign.
"""

from __future__ import annotations

import os
import signal

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import NameOID

from aisle.core.errors import ConfigError, InvalidRequest
from aisle.node import tls
from aisle.node.options import NodeOptions


class Certificate:
    """What `aisle.api.base.Certificate` asks for."""

    def __init__(self, options: NodeOptions) -> None:
        self._options = options
        self._told = describe(tls.serving())

    def describe(self) -> dict[str, str]:
        """The certificate that this worker serves, by AIStore's names for its parts."""
        return self._told

    def check(self) -> None:
        """Raise `InvalidRequest` if the files as they are now could not serve."""
        try:
            tls.check(self._options)
        except ConfigError as error:
            raise InvalidRequest(f"the certificate stays as it is: {error}") from None

    def renew(self) -> None:
        """Have the supervisor read the files anew."""
        os.kill(os.getppid(), signal.SIGUSR1)


def describe(pem: bytes) -> dict[str, str]:
    """The first certificate of a file: the one that clients are shown."""
    cert = x509.load_pem_x509_certificate(pem)
    hashing = cert.signature_hash_algorithm
    return {
        "version": str(cert.version.value + 1),
        "serial number (hex)": f"{cert.serial_number:x}",
        "subject": cert.subject.rfc4514_string(),
        "issued by (CN)": _common_name(cert.issuer),
        "issuer": cert.issuer.rfc4514_string(),
        "valid": f"from {cert.not_valid_before_utc:%Y-%m-%d %H:%M:%S}"
        f" to {cert.not_valid_after_utc:%Y-%m-%d %H:%M:%S} UTC",
        "names": ", ".join(_names(cert)),
        "public key algorithm": _key(cert),
        "signature algorithm": hashing.name.upper()
        if hashing
        else cert.signature_algorithm_oid._name,
        "fingerprint (SHA-256)": cert.fingerprint(hashes.SHA256()).hex(":").upper(),
    }


def _common_name(name: x509.Name) -> str:
    return ", ".join(str(one.value) for one in name.get_attributes_for_oid(NameOID.COMMON_NAME))


def _names(cert: x509.Certificate) -> list[str]:
    try:
        told = cert.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return []
    return [str(name.value) for name in told]


def _key(cert: x509.Certificate) -> str:
    key = cert.public_key()
    if isinstance(key, rsa.RSAPublicKey):
        return f"RSA {key.key_size}"
    if isinstance(key, ec.EllipticCurvePublicKey):
        return f"ECDSA {key.curve.name}"
    return "Ed25519" if isinstance(key, ed25519.Ed25519PublicKey) else type(key).__name__
