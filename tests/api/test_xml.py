"""XML in literals: what is escaped, what is read, what is refused."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aisle.api.s3.xml import MalformedXML, document, element, escape, parse, url_encode
from aisle.core.xmltree import MAX_DEPTH, MAX_ELEMENTS


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("plain text/with-._~", "plain text/with-._~"),
        ("<&>\"'", "&lt;&amp;&gt;&quot;&apos;"),
        ("é🦆", "é🦆"),
        ("a\tb\nc\rd", "a&#x9;b&#xA;c&#xD;d"),
        ("\x00\x1f\x7f", "\ufffd\ufffd&#x7F;"),
        ("\ufffe\uffff\udcff", "\ufffd\ufffd\ufffd"),
        ("]]>", "]]&gt;"),
        ("", ""),
    ],
)
def test_a_value_is_escaped(text: str, escaped: str) -> None:
    assert escape(text) == escaped


XML_TEXT = st.text(
    st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff")
    | st.sampled_from("\t\n\r<>&'\"]")
)


@given(XML_TEXT)
def test_what_is_written_is_read_back(text: str) -> None:
    body = document("Root", element("Key", text))
    assert ET.fromstring(body).findtext("{*}Key") == text
    assert parse(body, "Root").value("Key") == text


@pytest.mark.parametrize(
    ("text", "encoded"),
    [
        ("a/b c+d%", "a/b%20c%2Bd%25"),
        ("-_.~", "-_.~"),
        ("\x00\n", "%00%0A"),
        ("é", "%C3%A9"),
        ("*'()!", "%2A%27%28%29%21"),
        ("", ""),
    ],
)
def test_a_key_is_url_encoded(text: str, encoded: str) -> None:
    assert url_encode(text) == encoded


def test_names_that_are_not_utf_8_do_not_break_a_reply() -> None:
    """A prefix or bucket name of a request may have any bytes; they are kept as surrogates."""
    assert document("Root", element("Prefix", "a\udcff")).startswith(b"<?xml")
    assert url_encode("a\udcff").isascii()


@pytest.mark.parametrize(
    "text",
    [
        b"<Delete><Object><Key>a</Key></Object></Delete>",
        b'<?xml version="1.0" encoding="UTF-8"?><Delete><Object><Key>a</Key></Object></Delete>',
        b'<Delete xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Object><Key>a</Key></Object>'
        b"</Delete>",
        b'<s3:Delete xmlns:s3="urn:x"><s3:Object><s3:Key>a</s3:Key></s3:Object></s3:Delete>',
        b"<Delete>\n  <Object>\n    <Key><![CDATA[a]]></Key>\n  </Object>\n</Delete>\n",
        b"\xef\xbb\xbf<Delete><Object><Key>&#97;</Key></Object></Delete>",
        '<?xml version="1.0" encoding="UTF-16"?><Delete><Object><Key>a</Key></Object></Delete>'
        .encode("utf-16"),
        b"<!-- c --><Delete><?pi x?><Object><!-- c --><Key>a</Key></Object></Delete>",
    ],
)  # fmt: skip
def test_a_document_is_read(text: bytes) -> None:
    (entry,) = parse(text, "Delete").all("Object")
    assert entry.value("Key") == "a"


BOMB = b"""<?xml version="1.0"?>
<!DOCTYPE Delete [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">
<!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;"><!ENTITY d "&c;&c;&c;&c;&c;&c;&c;&c;">]>
<Delete><Object><Key>&d;</Key></Object></Delete>"""


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b" ",
        b"{}",
        b"<Delete>",
        b"<Delete/><Delete/>",
        b"<Other/>",
        b"<delete/>",
        b"<Delete><Object></Delete>",
        b"<Delete>&unknown;</Delete>",
        b"<Delete>\xff</Delete>",
        b"<Delete>\x00</Delete>",
        b"<Delete>&#0;</Delete>",
        b"<Delete a=1/>",
        b'<?xml version="1.0" encoding="no-such"?><Delete/>',
        BOMB,
        b"<!DOCTYPE Delete><Delete/>",
        b'<!DOCTYPE Delete SYSTEM "file:///etc/passwd"><Delete/>',
        b'<!DOCTYPE d [<!ENTITY x SYSTEM "file:///etc/passwd">]><Delete>&x;</Delete>',
        b'<!DOCTYPE d [<!ENTITY % x SYSTEM "http://127.0.0.1:1/"> %x;]><Delete/>',
        b'<!DOCTYPE d [<!ATTLIST Delete a CDATA "x">]><Delete/>',
        b"<a>" * (MAX_DEPTH + 5),
        b"<Delete>" + b"<a>" * MAX_DEPTH + b"</a>" * MAX_DEPTH + b"</Delete>",
    ],
)
def test_a_document_is_refused(text: bytes) -> None:
    with pytest.raises(MalformedXML):
        parse(text, "Delete")


def test_a_document_of_endless_elements_is_refused() -> None:
    with pytest.raises(MalformedXML):
        parse(b"<R>" + b"<V/>" * MAX_ELEMENTS + b"</R>", "R")


def test_a_long_text_is_read_in_linear_time() -> None:
    text = b"x" * (4 << 20)
    assert len(parse(b"<R><V>" + text + b"</V></R>", "R").value("V")) == len(text)
    many = b"<V>a&amp;</V>" * 10_000
    assert len(list(parse(b"<R>" + many + b"</R>", "R").all("V"))) == 10_000
    pieces = b"a&amp;" * 200_000
    assert len(parse(b"<R><V>" + pieces + b"</V></R>", "R").value("V")) == 400_000
    mixed = parse(b"<R>" + b"a<V/>" * 100_000 + b"</R>", "R")
    assert (len(mixed.text), len(mixed.children)) == (100_000, 100_000)
