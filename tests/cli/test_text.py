"""Sizes, tables and URIs as text, without a node."""

import pytest

from aisle.cli.failure import Failure, printable
from aisle.cli.tables import Columns, aligned, properties, size_text
from aisle.cli.uri import Uri, parse
from aisle.cli.words import expand


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0B"),
        (13, "13B"),
        (1023, "1023B"),
        (1024, "1.00KiB"),
        (1075, "1.05KiB"),
        (10689, "10.44KiB"),
        (53452800, "50.98MiB"),
        (81472612, "77.70MiB"),
        (1 << 70, "1024.00EiB"),
    ],
)
def test_sizes_are_those_of_the_documents(size: int, text: str) -> None:
    assert size_text(size) == text


def test_properties_are_aligned_as_in_the_documents() -> None:
    assert list(properties([("checksum.type", "xxhash")])) == [
        "PROPERTY         VALUE",
        "checksum.type    xxhash",
    ]
    assert list(properties([("net.http.write_buffer_size", "1")], headers=False)) == [
        "net.http.write_buffer_size       1"
    ]
    assert list(properties([("checksum", "Type: md5")]))[1] == "checksum         Type: md5"


@pytest.mark.parametrize(
    ("size", "units", "text"),
    [
        (10689, "si", "10.69KB"),
        (999, "si", "999B"),
        (1_000_000, "si", "1.00MB"),
        (10689, "raw", "10689"),
        (10689, "iec", "10.44KiB"),
    ],
)
def test_sizes_come_in_other_units(size: int, units: str, text: str) -> None:
    assert size_text(size, units) == text


def test_tables_are_aligned_as_go_does_it() -> None:
    rows = [("p1[P]", "proxy", "http://x"), ("t1", "target", "")]
    assert list(aligned(("NODE", "TYPE", "PUBLIC URL"), rows)) == [
        "NODE     TYPE     PUBLIC URL",
        "p1[P]    proxy    http://x",
        "t1       target",
    ]
    assert list(aligned(("A", "B"), [], headers=False)) == []


def test_columns_widen_from_page_to_page() -> None:
    table = Columns(["NAME", "SIZE"])
    assert list(table.lines([["NAME", "SIZE"], ["a", "1B"]])) == ["NAME   SIZE", "a      1B"]
    assert list(table.lines([["a-long-name", "1B"]])) == ["a-long-name   1B"]
    assert list(table.lines([["b", ""]])) == ["b"]


@pytest.mark.parametrize(
    ("text", "uri"),
    [
        ("ais:", Uri("ais")),
        ("ais://", Uri("ais")),
        ("s3://b", Uri("s3", "b")),
        ("ais://b/", Uri("ais", "b")),
        ("ais://b/a//b/", Uri("ais", "b", "a//b/")),
        ("ais://b/a\nb", Uri("ais", "b", "a\nb")),
    ],
)
def test_uris(text: str, uri: Uri) -> None:
    assert parse(text) == uri


@pytest.mark.parametrize("text", ["", "abc", "/abc", "ais:/abc", "ais:abc", "AIS://b", "ais:///x"])
def test_what_is_no_uri(text: str) -> None:
    with pytest.raises(Failure):
        parse(text)


def test_paths_are_encoded() -> None:
    assert parse("ais://b/a b/%é?").path == "/v1/objects/b/a%20b/%25%C3%A9%3F"


def test_control_characters_and_stray_bytes_are_escaped() -> None:
    assert printable("a\x1b\n\udcffé") == "a\\x1b\\n\\udcffé"


@pytest.mark.parametrize(
    ("words", "expanded"),
    [
        ("ls x", "ls x"),
        ("bucket props", "bucket props"),
        ("bucket props ais://b a=b", "bucket props set ais://b a=b"),
        ("bucket props ais://b {}", "bucket props set ais://b {}"),
        ("bucket props ais://b", "bucket props show ais://b"),
        ("bucket props ais://b checksum -H", "bucket props show ais://b checksum -H"),
        ("bucket props reset ais://b", "bucket props reset ais://b"),
        ("bucket props --help", "bucket props --help"),
        ("bucket props sett ais://b", "bucket props sett ais://b"),
    ],
)
def test_the_short_form_of_props(words: str, expanded: str) -> None:
    assert expand(words.split()) == expanded.split()
