"""The key ring: named keys in versions, which wrap the keys of objects.

It is read from a file or from the environment when a node starts, one key a line:

    NAME/VERSION:KEY     32 bytes in base64

The newest version of a name wraps; the others open what they have wrapped. A node that was given no
ring has one with the single key that it has made for itself, which stands in for the default one
until there is a ring, and opens what it has wrapped from then on.

What the client says of an object's encryption (its mode and context) is bound to the wrapped key:
another does not open it. A key is wrapped by AES-256-GCM under a key that is made for that once, so
that there is no limit to how many one key of the ring may wrap. No key is in `repr`, in an error or
in a log.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import os
import re
from collections.abc import Mapping
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from aisle.core.errors import KeyNotFound, KeyUnusable
from aisle.namespace.records import Sealed
from aisle.namespace.sealing.frames import KEY, SALT

# The key of SSE-S3, and of SSE-KMS where the client names none; Amazon's name for that is another.
DEFAULT: Final = "aisle"
MANAGED: Final = "aws/s3"
# The key that a node has made for itself, by a name that no other can have.
OWN: Final = "@own"
_NAME: Final = r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}"
_LINE: Final = re.compile(rf"({_NAME})/([1-9][0-9]{{0,8}})\s*:\s*(\S+)")
_ARN: Final = re.compile(r"arn:aws[-a-z0-9]*:kms:[-a-z0-9]*:[0-9]{12}:(key|alias)/(.+)")
_PURPOSE: Final = b"aisle wrap 1"
_NONCE: Final = bytes(12)


class Ring:
    """See the module. `keys` are secrets by name and version; `own` is the node's own, if any.

    `by_default` says whether new objects are encrypted though nobody asks: where somebody has given
    the node keys.
    """

    __slots__ = ("_keys", "by_default")

    def __init__(self, keys: Mapping[str, Mapping[int, bytes]], own: bytes = b"") -> None:
        self.by_default = DEFAULT in keys
        if not self.by_default and (keys or not own):
            raise ValueError(f"there is no key {DEFAULT}/1 or later, which new objects need")
        self._keys = {name: dict(sorted(versions.items())) for name, versions in keys.items()}
        if own:
            self._keys[OWN] = {1: own}

    def __repr__(self) -> str:
        return f"Ring({', '.join(self.identities)})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Ring) and self._keys == other._keys

    def __hash__(self) -> int:
        return hash(tuple(self.identities))

    @classmethod
    def parse(cls, text: str, own: bytes = b"") -> Ring:
        """Raises `ValueError`, in which there is nothing of any key."""
        keys: dict[str, dict[int, bytes]] = {}
        for number, raw in enumerate(re.split(r"[\n,]", text), 1):
            line = raw.strip()
            if not line or line.startswith("#"):
                continue
            found = _LINE.fullmatch(line)
            secret = _decoded(found[3]) if found else None
            if found is None or secret is None:
                raise ValueError(f"entry {number}: expected NAME/VERSION:KEY, 32 bytes in base64")
            versions = keys.setdefault(found[1], {})
            if int(found[2]) in versions:
                raise ValueError(f"entry {number}: {found[1]}/{found[2]} is there twice")
            versions[int(found[2])] = secret
        return cls(keys, own)

    def with_own(self, own: bytes) -> Ring:
        """The same ring with a key of the node's own."""
        return Ring({name: kept for name, kept in self._keys.items() if name != OWN}, own)

    @property
    def own(self) -> bytes:
        """The key of the node's own, if it has one."""
        return self._keys.get(OWN, {}).get(1, b"")

    @property
    def identities(self) -> list[str]:
        """All keys, as NAME/VERSION."""
        return [f"{name}/{version}" for name, kept in self._keys.items() for version in kept]

    @property
    def names(self) -> frozenset[str]:
        return frozenset(self._keys)

    def missing_in(self, other: Ring) -> frozenset[str]:
        """The keys of this ring that the other lacks, or has another secret for."""
        return frozenset(
            f"{name}/{version}"
            for name, versions in self._keys.items()
            for version, secret in versions.items()
            if other._keys.get(name, {}).get(version) != secret
        )

    def newest(self, name: str) -> str:
        """The key that wraps, as NAME/VERSION. Raises `KeyNotFound`."""
        if name == DEFAULT and not self.by_default:
            name = OWN
        versions = self._keys.get(name)
        if versions is None:
            raise KeyNotFound(name)
        return f"{name}/{max(versions)}"

    def wrap(self, name: str, secret: bytes, *, mode: str, context: str) -> tuple[str, bytes]:
        """The key that has wrapped `secret`, and what came of it. Raises `KeyNotFound`."""
        identity = self.newest(name)
        return identity, wrap(self._secret(identity), secret, _bound(mode, identity, context))

    def unwrap(self, sealed: Sealed) -> bytes:
        """Raises `KeyUnusable`: the ring lacks the key, or has another one of its name."""
        secret = self._secret(sealed.key)
        bound = _bound(sealed.mode, sealed.key, sealed.context)
        try:
            return unwrap(secret, sealed.wrapped, bound)
        except InvalidTag:
            raise KeyUnusable(sealed.key) from None

    def _secret(self, identity: str) -> bytes:
        name, _, version = identity.rpartition("/")
        try:
            return self._keys[name][int(version)]
        except (KeyError, ValueError):
            raise KeyUnusable(identity) from None


def wrap(key: bytes, secret: bytes, bound: bytes) -> bytes:
    """`secret` under `key`, which opens only with the same `bound`."""
    salt = os.urandom(SALT)
    return salt + _cipher(key, salt).encrypt(_NONCE, secret, bound)


def unwrap(key: bytes, wrapped: bytes, bound: bytes) -> bytes:
    """Raises `InvalidTag`."""
    return _cipher(key, wrapped[:SALT]).decrypt(_NONCE, wrapped[SALT:], bound)


def _cipher(key: bytes, salt: bytes) -> AESGCM:
    return AESGCM(hmac.digest(key, _PURPOSE + salt, "sha256"))


def _bound(mode: str, identity: str, context: str) -> bytes:
    return f"{mode}\n{identity}\n{context}".encode()


def _decoded(text: str) -> bytes | None:
    try:
        secret = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
    return secret if len(secret) == KEY else None


def key_name(text: str) -> str:
    """The name of a key as clients write it: by itself, with `alias/`, or as an ARN; empty for the
    default one."""
    arn = _ARN.fullmatch(text)
    name = arn[2] if arn else text.removeprefix("alias/")
    return DEFAULT if name in ("", MANAGED) else name


def is_arn(text: str) -> bool:
    """Whether a key is named by an ARN, and not by that of an alias."""
    arn = _ARN.fullmatch(text)
    return arn is not None and arn[1] == "key"


def name_of(identity: str) -> str:
    """The name in NAME/VERSION, by which clients know the key."""
    name = identity.rpartition("/")[0]
    return DEFAULT if name == OWN else name


def fresh_line(text: str, name: str) -> str:
    """The line of a new key for a ring that is `text` now: the next version of `name`. Raises
    `ValueError`."""
    if re.fullmatch(_NAME, name) is None:
        raise ValueError("a name has up to 64 letters, digits, or any of . _ -")
    version = 1
    for line in re.split(r"[\n,]", text):
        found = _LINE.fullmatch(line.strip())
        if found is not None and found[1] == name:
            version = max(version, int(found[2]) + 1)
    return f"{name}/{version}:{base64.b64encode(os.urandom(KEY)).decode()}"
