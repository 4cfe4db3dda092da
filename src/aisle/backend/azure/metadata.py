"""User metadata as Azure can keep it, and back. Pure functions.

Azure's names are identifiers of C#, and values are ASCII. Whatever else a name has in it becomes
`_x<code in hex>_`, and so does an underscore before an `x`, so that no name means two things:
`my-key` is `my_x2d_key`. A value that is not printable ASCII becomes one word of RFC 2047.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from typing import Final

from aisle.core.http import field_value

_STRANGE: Final = re.compile(r"[^A-Za-z0-9_]|_(?=x)|^[0-9]")
_ESCAPE: Final = re.compile(r"_x([0-9a-f]{1,6})_")
_WORD: Final = re.compile(r"=\?UTF-8\?B\?([A-Za-z0-9+/=]*)\?=")


def encode_name(name: str) -> str:
    return _STRANGE.sub(lambda found: f"_x{ord(found[0]):x}_", name)


def decode_name(name: str) -> str:
    """What `encode_name` was given; names of others stay what they are."""
    return _ESCAPE.sub(_character, name)


def _character(found: re.Match[str]) -> str:
    code = int(found[1], 16)
    fits = code < 0x110000 and not 0xD800 <= code < 0xE000
    return chr(code) if fits else found[0]


def encode_value(value: str) -> str:
    plain = field_value(value).decode()
    # Spaces at the ends are lost on the way, and what reads as a word would be taken for one.
    if plain == value and value and value == value.strip() and not _WORD.fullmatch(value):
        return value
    if plain != value:
        return plain
    return f"=?UTF-8?B?{base64.b64encode(value.encode()).decode()}?="


def decode_value(value: str) -> str:
    word = _WORD.fullmatch(value)
    if word is None:
        return value
    try:
        return base64.b64decode(word[1], validate=True).decode()
    except (binascii.Error, ValueError):
        return value


def encode(meta: Mapping[str, str]) -> dict[str, str]:
    return {encode_name(name): encode_value(value) for name, value in meta.items()}


def decode(meta: Mapping[str, str]) -> dict[str, str]:
    return {decode_name(name): decode_value(value) for name, value in meta.items()}
