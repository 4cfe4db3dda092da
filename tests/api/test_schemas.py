"""Documents held to a schema, on literals."""

from __future__ import annotations

import pytest

from aisle.api.s3.configurations import ANALYTICS, METRICS, TIERING, Kind
from aisle.api.s3.errors import S3Error
from aisle.api.s3.schemas import TAG, Leaf, Node, canonical
from aisle.api.s3.xml import MalformedXML, parse
from aisle.core.errors import InvalidArgument

SCHEMA = Node(
    {"A": Leaf(), "B": Leaf(("x", "y")), "C": Node({"D": Leaf(bare=False)})},
    frozenset({"A"}),
    many={"C": 2},
)


def written(inner: str) -> str:
    return canonical(parse(f"<Root>{inner}</Root>".encode(), "Root"), SCHEMA)


def test_elements_are_written_in_the_schemas_order() -> None:
    text = written("<C><D> 1 &lt; 2 </D></C><B>y</B>\n  <A> a&amp;b </A><C/>")
    assert text == "<A>a&amp;b</A><B>y</B><C><D> 1 &lt; 2 </D></C><C></C>"


@pytest.mark.parametrize(
    "inner",
    [
        "",
        "<A>1</A><A>2</A>",
        "<A>1</A><Z/>",
        "<A>1</A><B>z</B>",
        "<A><B>x</B></A>",
        "<A>1</A>text",
        "<A>1</A><C/><C/><C/>",
    ],
)
def test_what_does_not_fit_is_malformed(inner: str) -> None:
    with pytest.raises(MalformedXML):
        written(inner)


def test_text_has_a_limit() -> None:
    with pytest.raises(InvalidArgument):
        written(f"<A>{'ä' * 513}</A>")


def test_tags_are_counted_in_characters() -> None:
    def check(key: str, value: str) -> None:
        body = f"<Tag><Key>{key}</Key><Value>{value}</Value></Tag>".encode()
        canonical(parse(body, "Tag"), TAG)

    check("ä" * 128, "\U0001f600" * 128)
    for key, value in (("ä" * 129, ""), ("k", "\U0001f600" * 129)):
        with pytest.raises(InvalidArgument):
            check(key, value)


@pytest.mark.parametrize("kind", [METRICS, ANALYTICS, TIERING])
def test_a_filter_is_one_condition_or_several_in_and(kind: Kind) -> None:
    schema = kind.schema.members["Filter"]
    tag = "<Tag><Key>k</Key><Value>v</Value></Tag>"

    def check(inner: str) -> None:
        canonical(parse(f"<Filter>{inner}</Filter>".encode(), "Filter"), schema)

    for fine in ("<Prefix/>", tag, f"<And><Prefix>p</Prefix>{tag}</And>"):
        check(fine)
    for wrong in ("", f"<Prefix/>{tag}", f"<And>{tag}</And>", "<Tag><Key>k</Key></Tag>"):
        with pytest.raises(MalformedXML):
            check(wrong)
    with pytest.raises(S3Error) as caught:
        check(f"<And>{tag}{tag}</And>")
    assert caught.value.code == "InvalidTag"
