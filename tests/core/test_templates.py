"""Templates: names out of braces, and what is refused."""

import pytest
from braceexpand import braceexpand
from hypothesis import given
from hypothesis import strategies as st

from aisle.core.errors import InvalidArgument
from aisle.core.templates import MAX_NAMES, parse


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("a-{0010..0013..2}-b-{1..2}-c", "a-0010-b-1-c a-0010-b-2-c a-0012-b-1-c a-0012-b-2-c"),
        ("{9..11}", "9 10 11"),
        ("{09..11}", "09 10 11"),
        ("{9..011}", "009 010 011"),
        ("{3..1}", "3 2 1"),
        ("{-1..1}", "-1 0 1"),
        ("{-01..1}", "-01 000 001"),
        ("{1..9..4}", "1 5 9"),
        ("{1..2..0}", "1 2"),
        ("{a..e..2}", "a c e"),
        ("{c..a}", "c b a"),
        ("{Z..b}", "Z a b"),
        ("{x,y}/{1..2}", "x/1 x/2 y/1 y/2"),
        ("{a{1,2},b}", "a1 a2 b"),
        ("{5..5}", "5"),
        (r"\{a\}{1..2}", "{a}1 {a}2"),
        ("{x}{1,2}", "{x}1 {x}2"),
        ("{{1..2}}", "{1} {2}"),
        (r"{a\,b,c}", "a,b c"),
    ],
)
def test_braces_are_expanded(text: str, names: str) -> None:
    template = parse(text)
    assert template.prefix is None
    assert list(template.names()) == names.split()
    assert list(template.names()) == list(braceexpand(text))
    assert template.count == len(names.split())


@pytest.mark.parametrize(
    ("text", "prefix"),
    [("", ""), ("*", ""), ("dir/sub", "dir/sub"), ("a\\b", "a\\b"), ("{x}", "{x}"), ("a{}", "a{}")],
)
def test_a_text_with_nothing_to_expand_is_a_prefix(text: str, prefix: str) -> None:
    assert parse(text).prefix == prefix


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "}",
        "a}b{c",
        "{1{2,3}",
        "{a,b\\}",
        "{1..100000}{1..1000}",
        "{0..999999999999}",
        "{" * 20 + "a,b" + "}" * 20,
        "{a,b}" * 1000,
        "{a,b}" * 800,
        "{-999999999999999999..999999999999999999}" * 90,
    ],
)
def test_a_bad_template_is_refused(text: str) -> None:
    with pytest.raises(InvalidArgument, match="bad template"):
        parse(text)


def test_a_template_goes_on_anywhere_at_once() -> None:
    template = parse("{0000000..9999999}")
    assert template.count == MAX_NAMES
    assert next(template.names(9_876_543)) == "9876543"
    assert list(template.names(MAX_NAMES)) == []


_number = st.integers(-20, 120).map(str) | st.integers(0, 120).map(lambda n: f"{n:03d}")
_range = st.builds(
    lambda first, last, step: f"{{{first}..{last}{step}}}",
    _number,
    _number,
    st.sampled_from(["", "..1", "..-3", "..7", "..0"]),
)
_letters = st.builds(
    lambda first, last: f"{{{first}..{last}}}", st.sampled_from("aZkB"), st.sampled_from("bAzQ")
)
# No backslashes: inside of nested braces the package takes them out twice.
_plain = st.text("ab-/.,01", max_size=4)


def _joined(parts: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    listed = st.lists(parts, min_size=1, max_size=3).map(lambda items: f"{{{','.join(items)}}}")
    return listed | st.lists(parts, max_size=2).map("".join)


_template = st.recursive(_plain | _range | _letters, _joined, max_leaves=5)


@given(_template, st.integers(0, 50))
def test_names_are_those_that_the_sdk_makes(text: str, start: int) -> None:
    template = parse(text)
    if template.prefix is not None:
        assert template.prefix == text  # no list and no range: the SDK makes one name of it
        return
    names = list(braceexpand(text))
    assert template.count == len(names)
    assert list(template.names(start)) == names[start:]


@given(st.text("{},.-\\a0123456789", max_size=12))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        expected = list(braceexpand(text)) if len(text) < 9 else None
    except ValueError:
        with pytest.raises(InvalidArgument):
            parse(text)
        return
    try:
        template = parse(text)
    except InvalidArgument:
        return  # stricter: a brace is closed before it is opened, or there are too many names
    if expected is not None and template.prefix is None and "\\" not in text:
        assert list(template.names()) == expected
