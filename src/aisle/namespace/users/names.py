"""What names of users, roles, policies, accounts and clusters may look like.

Spec: IAM's character sets ("IAM and AWS STS quotas"). All raise `InvalidArgument`.
"""

from __future__ import annotations

import re
from typing import Final

from aisle.core.errors import InvalidArgument

# The administrator, whose name, in whatever case, is nobody else's.
ROOT: Final = "root"
_NAME: Final = re.compile(r"[A-Za-z0-9_+=,.@-]{1,64}")
# A policy may name a user by this in the place of a name, and means the account then.
_CANONICAL: Final = re.compile(r"[0-9A-Fa-f]{64}")
_POLICY: Final = re.compile(r"[A-Za-z0-9_+=,.@-]{1,128}")
_PATH: Final = re.compile(r"/|/[\x21-\x7e]{1,510}/")
_EMAIL: Final = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9.-]{1,189}")
_CLUSTER: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")
# Roles are named after it: see `clusters`.
_ALIAS: Final = re.compile(r"[A-Za-z0-9_.-]{1,48}")
_ACCESS_KEY: Final = re.compile(r"[A-Za-z0-9_.@+-]{3,128}")
_WORDS: Final = re.compile(r"[^\x00-\x1f\x7f\ud800-\udfff]{0,256}")


def _matching(pattern: re.Pattern[str], text: str, what: str, expected: str) -> str:
    if not pattern.fullmatch(text):
        raise InvalidArgument(f"{what} has {expected}", name=what, value=text[:256])
    return text


def user_name(text: str) -> str:
    """The name of a user that is to be."""
    _matching(_NAME, text, "a user name", "1 to 64 letters, digits, or any of _ + = , . @ -")
    if text.lower() == ROOT:
        raise InvalidArgument(f'the name "{text}" is the administrator\'s', name="name", value=text)
    if _CANONICAL.fullmatch(text):
        raise InvalidArgument("a user name is no canonical id", name="name", value=text)
    return text


def is_name(text: str) -> bool:
    """Whether a user or a role can have this name: what is not, need not be looked for."""
    return _NAME.fullmatch(text) is not None


def role_name(text: str) -> str:
    return _matching(_NAME, text, "the name", "1 to 64 letters, digits, or any of _ + = , . @ -")


def policy_name(text: str) -> str:
    allowed = "1 to 128 letters, digits, or any of _ + = , . @ -"
    return _matching(_POLICY, text, "the name of a policy", allowed)


def path(text: str) -> str:
    """The path of a user: `/` or one that begins and ends with it."""
    return _matching(_PATH, text, "a path", "up to 512 characters, and a / at both ends")


def email(text: str) -> str:
    """A mail address as accounts are found by: in lower case. Empty for none."""
    if text:
        _matching(_EMAIL, text, "a mail address", "the form NAME@HOST")
    return text.lower()


def display(text: str) -> str:
    """A name for people."""
    return _matching(_WORDS, text, "a display name", "up to 256 characters that can be printed")


def cluster_id(text: str) -> str:
    return _matching(_CLUSTER, text, "the id", "1 to 64 letters, digits, or any of _ -")


def alias(text: str) -> str:
    if text:
        _matching(_ALIAS, text, "an alias", "up to 48 letters, digits, or any of _ . -")
    return text


def access_key(text: str) -> str:
    """An access key that is brought along: it stands in credential scopes and in headers."""
    return _matching(
        _ACCESS_KEY, text, "an access key", "3 to 128 letters, digits, or any of _ . @ + -"
    )


def secret_key(text: str) -> str:
    """A secret key that is brought along. What is wrong with it is told without it."""
    if not 8 <= len(text) <= 256 or not text.isascii() or not text.isprintable() or " " in text:
        raise InvalidArgument("a secret key has 8 to 256 printable characters", name="secret key")
    return text
