"""The Principal element: who a statement of a bucket's policy is about.

Names are compared as text with those that a `Principal` has, so every way of writing an account or
a user is a name of it. Nothing here knows which users there are: what a policy names is given out
as `Named`, for whoever stores the policy to look up.

Spec: "AWS JSON policy elements: Principal", IAM user guide.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

EVERYONE: Final = "*"
_KINDS: Final = frozenset({"AWS", "CanonicalUser", "Service", "Federated"})
_ACCOUNT = re.compile(r"[0-9]{12}", re.ASCII).fullmatch
_CANONICAL = re.compile(r"[0-9a-f]{64}", re.ASCII).fullmatch
_ROOT = re.compile(r"arn:aws:iam::([0-9]{12}):root", re.ASCII).fullmatch
_NAME: Final = r"[A-Za-z0-9+=,.@_-]{1,128}"
_USER = re.compile(rf"arn:aws:iam::([0-9]{{12}})?:user/(?:[!-~]*/)?({_NAME})", re.ASCII).fullmatch
_ROLE = re.compile(rf"arn:aws:iam::([0-9]{{12}}):role/(?:[!-~]*/)?({_NAME})", re.ASCII).fullmatch
_SESSION = re.compile(
    rf"arn:aws:sts::([0-9]{{12}}):(?:assumed-role/({_NAME})|federated-user)/{_NAME}", re.ASCII
).fullmatch
_SERVICE = re.compile(r"[a-z0-9.-]{1,128}", re.ASCII).fullmatch
_PROVIDER = re.compile(r"[!-~]{1,512}", re.ASCII).fullmatch


class Named(NamedTuple):
    """One name in a policy, as it is written, and what it must refer to.

    `kind` is "account", "user", "role", "canonical", "federated" or "other"; `account` is empty
    where the name does not tell it; `name` is the user's or role's. A "user" without an account may
    be named by its canonical id.
    """

    text: str
    kind: str
    account: str = ""
    name: str = ""


class BadPrincipal(Exception):
    """Not a way of naming anybody."""


def parse(element: object) -> tuple[bool, tuple[Named, ...]]:
    """Whether everyone is meant, and who is named. Raises `BadPrincipal`."""
    if element == EVERYONE:
        return True, ()
    if not isinstance(element, dict) or not element or not _KINDS.issuperset(element):
        raise BadPrincipal
    everyone = False
    found: list[Named] = []
    for kind, given in element.items():
        names = given if isinstance(given, list) else [given]
        if not names:
            raise BadPrincipal
        for name in names:
            if not isinstance(name, str):
                raise BadPrincipal
            if kind == "AWS" and name == EVERYONE:
                everyone = True
            else:
                found.append(_named(kind, name))
    return everyone, tuple(found)


def _named(kind: str, text: str) -> Named:
    named = _READERS[kind](text)
    if named is None:
        raise BadPrincipal
    return named


def _aws(text: str) -> Named | None:
    if _ACCOUNT(text):
        return Named(text, "account", text)
    if match := _ROOT(text):
        return Named(text, "account", match[1])
    if match := _USER(text):
        return Named(text, "user", match[1] or "", match[2])
    if match := _ROLE(text):
        return Named(text, "role", match[1], match[2])
    if match := _SESSION(text):
        return Named(text, "role" if match[2] else "other", match[1], match[2] or "")
    return _canonical(text)


def _canonical(text: str) -> Named | None:
    return Named(text, "canonical", name=text) if _CANONICAL(text) else None


def _service(text: str) -> Named | None:
    return Named(text, "other") if _SERVICE(text) else None


def _federated(text: str) -> Named | None:
    return Named(text, "federated") if _PROVIDER(text) else None


_READERS: Final = {
    "AWS": _aws,
    "CanonicalUser": _canonical,
    "Service": _service,
    "Federated": _federated,
}
