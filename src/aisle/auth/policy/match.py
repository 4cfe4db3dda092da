"""Patterns of the policy language: `*` is any run of characters, `?` any one of them.

A pattern is compiled once and then matches in linear time for what people write, and in the product
of both lengths at worst: each piece between two stars is looked for once, from left to right, and
never tried again. Patterns may have variables, `${aws:username}` or `${key, 'default'}`, whose
values are text and never patterns; `${*}`, `${?}` and `${$}` are the characters themselves.

`reach` says what a pattern makes of everything that begins in some way, which is what is asked
where an answer is about many keys at once.

Spec: "IAM policy elements: Variables and tags", IAM user guide.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from enum import Enum, auto
from functools import lru_cache
from operator import methodcaller
from typing import Final, NamedTuple

# Asks for the value of a variable; `None` if the request has none, or several.
Lookup = Callable[[str], str | None]
Test = Callable[[str], object]


class Wild(Enum):
    MANY = auto()
    ONE = auto()


class Variable(NamedTuple):
    """A place for the value of a condition key, which is in lower case."""

    key: str
    default: str | None


Token = str | Wild | Variable
Tokens = tuple[Token, ...]

_SPECIAL: Final = {
    True: re.compile(r"\$\{([^{}]*)\}|[*?]"),
    False: re.compile(r"[*?]"),
}
_VARIABLE: Final = re.compile(r"\$\{([^{}]*)\}")
_DEFAULTED: Final = re.compile(r"([^,\s]+)\s*(?:,\s*'([^']*)')?").fullmatch


def tokens(text: str, *, variables: bool) -> Tokens:
    """The parts of a pattern; text that only looks like a variable stays text."""
    return _split(text, _SPECIAL[variables])


def literal(text: str, *, variables: bool) -> Tokens:
    """The parts of a text in which stars and question marks stand for themselves."""
    if variables:
        return _split(text, _VARIABLE)
    return (text,) if text else ()


def _split(text: str, special: re.Pattern[str]) -> Tokens:
    found: list[Token] = []
    position = 0
    for match in special.finditer(text):
        _literal(found, text[position : match.start()])
        position = match.end()
        if match[0] == "?":
            found.append(Wild.ONE)
        elif match[0] != "*":
            _variable(found, match[0], match[1])
        elif not (found and found[-1] is Wild.MANY):
            found.append(Wild.MANY)
    _literal(found, text[position:])
    return tuple(found)


def _literal(found: list[Token], text: str) -> None:
    if not text:
        return
    if found and isinstance(found[-1], str):
        found[-1] += text
    else:
        found.append(text)


def _variable(found: list[Token], whole: str, inner: str) -> None:
    if inner in ("*", "?", "$"):
        _literal(found, inner)
        return
    match = _DEFAULTED(inner)
    if match is None:
        _literal(found, whole)
    else:
        found.append(Variable(match[1].lower(), match[2]))


def has_variables(pattern: Tokens) -> bool:
    return any(isinstance(token, Variable) for token in pattern)


def bind(pattern: Tokens, lookup: Lookup) -> Tokens | None:
    """The pattern with its variables' values in it; `None` if one has neither value nor default."""
    bound: list[Token] = []
    for token in pattern:
        if isinstance(token, Variable):
            value = lookup(token.key)
            if value is None:
                value = token.default
            if value is None:
                return None
            _literal(bound, value)
        elif isinstance(token, str):
            _literal(bound, token)
        else:
            bound.append(token)
    return tuple(bound)


@lru_cache(maxsize=4096)
def compiled(pattern: Tokens) -> Test:
    """A test for texts that match; `pattern` has no variables."""
    match pattern:
        case ():
            return "".__eq__
        case (str(text),):
            return text.__eq__
        case (str(text), Wild.MANY):
            return lambda given: given.startswith(text)
        case (Wild.MANY, str(text)):
            return lambda given: given.endswith(text)
        case (Wild.MANY, str(text), Wild.MANY):
            return lambda given: text in given
    # Possessive by construction: after a star the shortest text that ends in the next piece is
    # taken for good, since a later one could match nothing that this one cannot.
    if Wild.ONE not in pattern:
        return _found_in_turn([token for token in pattern if isinstance(token, str)], pattern)
    pieces = _pieces(pattern)
    text = pieces[0]
    if len(pieces) > 1:
        text += "".join(f"(?>.*?{piece})" for piece in pieces[1:-1] if piece)
        text += f".*{pieces[-1]}" if pieces[-1] else ".*"
    return re.compile(text, re.DOTALL).fullmatch


def _found_in_turn(texts: Sequence[str], pattern: Tokens) -> Test:
    """A test for texts that have these in turn, with anything between them: in linear time."""
    first = texts[0] if pattern[0] is not Wild.MANY else ""
    last = texts[-1] if pattern[-1] is not Wild.MANY else ""
    middle = texts[bool(first) : len(texts) - bool(last)]
    shortest = sum(map(len, texts))

    def test(text: str) -> bool:
        end = len(text) - len(last)
        if len(text) < shortest or not (text.startswith(first) and text.endswith(last)):
            return False
        position = len(first)
        for piece in middle:
            position = text.find(piece, position, end)
            if position < 0:
                return False
            position += len(piece)
        return True

    return test


def _pieces(pattern: Tokens) -> list[str]:
    pieces = [""]
    for token in pattern:
        if token is Wild.MANY:
            pieces.append("")
        elif token is Wild.ONE:
            pieces[-1] += "."
        else:
            assert isinstance(token, str)
            pieces[-1] += re.escape(token)
    return pieces


def any_of(patterns: Iterable[Tokens]) -> Test:
    """A test for texts that match any of some patterns without variables: a set for those without
    wildcards, one look at the beginning for those that end in a star, and the rest one by one."""
    exact: set[str] = set()
    begin: set[str] = set()
    rest: list[Test] = []
    for pattern in patterns:
        match pattern:
            case ():
                exact.add("")
            case (str(text),):
                exact.add(text)
            case (Wild.MANY,):
                begin.add("")
            case (str(text), Wild.MANY):
                begin.add(text)
            case _:
                rest.append(compiled(pattern))
    return _test(frozenset(exact), tuple(begin), tuple(rest))


def _test(exact: frozenset[str], begin: tuple[str, ...], rest: tuple[Test, ...]) -> Test:
    if not begin and not rest:
        return exact.__contains__
    if not exact and not begin and len(rest) == 1:
        return rest[0]
    if not exact and not rest:
        return methodcaller("startswith", begin)
    if not rest:
        return lambda text: text.startswith(begin) or text in exact

    def test(text: str) -> bool:
        if text in exact or text.startswith(begin):
            return True
        for each in rest:  # noqa: SIM110 - a generator would cost more than the comparison
            if each(text):
                return True
        return False

    return test


class Reach(NamedTuple):
    """What a pattern makes of all texts with some beginning: of `any` of them, or of `all`."""

    any: bool
    all: bool


def reach(pattern: Tokens, beginning: str) -> Reach:
    """Follows the pattern over `beginning`, keeping all places it could be at as bits of a number.

    What a variable will be is not known: it may be anything for `any`, and there is no `all`.
    """
    masks: dict[str, int] = {}
    every = stars = 0
    bit = 1
    for token in _characters(pattern):
        if token is None:
            stars |= bit
        elif token == "":
            every |= bit
        else:
            masks[token] = masks.get(token, 0) | bit
        bit <<= 1
    end = bit
    places = 1 | ((1 & stars) << 1)
    for character in beginning:
        moved = ((places & (masks.get(character, 0) | every)) << 1) | (places & stars)
        places = moved | ((moved & stars) << 1)
        if not places:
            return Reach(False, False)
    return Reach(True, bool(places & stars & (end >> 1)) and not has_variables(pattern))


def _characters(pattern: Tokens) -> Iterator[str | None]:
    """A pattern by the character: `""` is any one, `None` any number of them, never two in a row,
    so that whoever is at a star is also at the place after it and no further."""
    star = False
    for token in pattern:
        if isinstance(token, str):
            yield from token
        elif token is Wild.ONE:
            yield ""
        elif not star:
            yield None
        star = token is Wild.MANY or isinstance(token, Variable)


def reach_of(patterns: Sequence[Tokens], beginning: str) -> Reach:
    """The same of several patterns, any of which may match."""
    found = [reach(pattern, beginning) for pattern in patterns]
    return Reach(any(one.any for one in found), any(one.all for one in found))
