"""Which members of an archive are meant: AIStore's `archregx` and `archmode`.

Regular expressions are RE2's, as AIStore's own are: strangers send them, and Python's `re` needs
exponential time for some, in which it cannot be interrupted.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

import re2

from aisle.core.errors import InvalidArgument

Match = Callable[[str], bool]

PATTERN_LIMIT: Final = 1000
_OPTIONS: Final = re2.Options()
_OPTIONS.log_errors = False
_OPTIONS.max_mem = 1 << 20


def wds_key(name: str) -> str:
    """The WebDataset key of a member: its name without a leading slash and its last extension."""
    slash, dot = name.rfind("/"), name.rfind(".")
    return (name[:dot] if dot > slash else name).removeprefix("/")


def _regexp(pattern: str) -> Match:
    if len(pattern) > PATTERN_LIMIT:
        raise _wrong(pattern, f"it has more than {PATTERN_LIMIT} characters")
    try:
        found = re2.compile(_bytes(pattern), _OPTIONS)
    except re2.error as error:
        reason = error.args[0] if error.args else error
        shown = reason.decode("utf-8", "replace") if isinstance(reason, bytes) else str(reason)
        raise _wrong(pattern, shown) from None
    return lambda name: found.search(_bytes(name)) is not None


def _wrong(pattern: str, reason: str) -> InvalidArgument:
    return InvalidArgument(
        f"the regular expression cannot be used: {reason}", name="archregx", value=pattern
    )


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


MODES: Final[Mapping[str, Callable[[str], Match]]] = {
    "regexp": _regexp,
    "prefix": lambda text: lambda name: name.startswith(text),
    "suffix": lambda text: lambda name: name.endswith(text),
    "substr": lambda text: lambda name: text in name,
    "wdskey": lambda text: lambda name: wds_key(name) == text,
}


def matcher(text: str, mode: str) -> Match:
    """What is meant by a text in a mode; `""` and `*` mean every name, and no mode `regexp`.

    Raises `InvalidArgument`.
    """
    make = MODES.get(mode or "regexp")
    if make is None:
        raise InvalidArgument(
            f'invalid matching mode "{mode}" (there are: {", ".join(MODES)})',
            name="archmode",
            value=mode,
        )
    return _every if text in ("", "*") else make(text)


def _every(name: str) -> bool:
    return True
