"""Which members of an archive are meant, by text and mode."""

from __future__ import annotations

import re

import pytest

from aisle.core.errors import InvalidArgument
from aisle.namespace.archives.matching import MODES, PATTERN_LIMIT, matcher


@pytest.mark.parametrize(
    ("mode", "text", "name", "meant"),
    [
        ("regexp", r"\.jpg$", "a/b.jpg", True),
        ("regexp", r"\.jpg$", "a/b.jpg.txt", False),
        ("", r"^dir/[a-c]+\d{2}", "dir/abc12", True),
        ("", "(?i)README", "docs/readme.md", True),
        ("", "é", "caf\u00e9", True),
        ("", "a", "bad\udcffname", True),
        ("prefix", "dir/", "dir/x", True),
        ("prefix", "dir/", "x/dir/", False),
        ("suffix", ".jpg", "x.jpg", True),
        ("suffix", ".jpg", "x.jpg/y", False),
        ("substr", "b/c", "a/b/c/d", True),
        ("substr", "b.c", "a/b/c/d", False),
        ("wdskey", "dir/001", "dir/001.jpg", True),
        ("wdskey", "dir/001", "/dir/001.json", True),
        ("wdskey", "dir/001", "dir/0011.jpg", False),
        ("wdskey", "dir.x/001", "dir.x/001", True),
    ],
)
def test_a_mode_says_how_a_text_is_meant(mode: str, text: str, name: str, meant: bool) -> None:
    assert matcher(text, mode)(name) is meant


@pytest.mark.parametrize(
    "pattern", ["^(a+)+$", "^(a|a)*$", "(a*)*b", "(.*)(.*)(.*)(.*)(.*)x", "((a?){20}){10}b"]
)
def test_what_takes_re_for_ever_is_answered(pattern: str) -> None:
    assert not matcher(pattern, "regexp")("a" * 200 + "!")


@pytest.mark.parametrize(
    ("pattern", "reason"),
    [
        ("(", "missing )"),
        ("[z-a]", "invalid character class range"),
        (r"(a)\1", "invalid escape sequence"),
        ("(?=a)", "invalid perl operator"),
        ("a{5000}", "invalid repetition size"),
        ("((a{100}){100}){100}", "invalid repetition size"),
        ("x" * (PATTERN_LIMIT + 1), "characters"),
    ],
)
def test_what_cannot_be_used_is_refused(pattern: str, reason: str) -> None:
    with pytest.raises(InvalidArgument, match=re.escape(reason)):
        matcher(pattern, "regexp")


@pytest.mark.parametrize("mode", ["", *MODES])
def test_nothing_and_a_star_mean_everything(mode: str) -> None:
    for text in ("", "*"):
        assert matcher(text, mode)("any/name")


def test_an_unknown_mode_is_refused() -> None:
    with pytest.raises(InvalidArgument, match="invalid matching mode"):
        matcher("x", "glob")
