"""Other clusters as settings name them, their namespaces, and the way that requests have come."""

from __future__ import annotations

import pytest

from aisle.core import clusters
from aisle.core.clusters import Attached
from aisle.core.errors import InvalidArgument

EAST = Attached("east", "uuid-1", ("http://a:8080", "https://b"))
VALUES = {EAST.setting: EAST.value, "backend.aws": "enabled", "backend.ais.far": "uuid-2 http://c"}


def test_an_attached_cluster_is_a_setting_and_back() -> None:
    assert EAST.setting == "backend.ais.east"
    assert clusters.attached(VALUES) == [EAST, Attached("far", "uuid-2", ("http://c",))]


@pytest.mark.parametrize(("name", "alias"), [("east", "east"), ("uuid-2", "far"), ("uuid-9", "")])
def test_a_cluster_is_found_by_uuid_or_alias(name: str, alias: str) -> None:
    found = clusters.find(VALUES, name)
    assert (found.alias if found is not None else "") == alias


@pytest.mark.parametrize("alias", ["a", "east", "East-2_b", "9", "x" * 32])
def test_an_alias_is_a_name(alias: str) -> None:
    assert clusters.check_alias(alias) == alias


@pytest.mark.parametrize(
    "alias", ["", "-a", "_a", "a.b", "a b", "a/b", "@a", "a#b", "ä", "x" * 33, "0a" * 16]
)
def test_what_is_no_alias_is_refused(alias: str) -> None:
    with pytest.raises(InvalidArgument, match="alias"):
        clusters.check_alias(alias)


@pytest.mark.parametrize(
    ("given", "url"),
    [
        ("http://host:8080/", "http://host:8080"),
        ("  https://host", "https://host"),
        ("http://HOST:1", "http://host:1"),
        ("http://[::1]:8080", "http://[::1]:8080"),
    ],
)
def test_an_address_is_scheme_host_and_port(given: str, url: str) -> None:
    assert clusters.check_url(given) == url


@pytest.mark.parametrize(
    "url",
    ["", "host", "host:8080", "ftp://host", "http://", "http://u:secret@host", "http://h/path",
     "http://h?q", "http://h#f", "http://h:99999", "http://h:x", "http://a b", "http://h%20",
     "http://[::1", "http://hö"],
)  # fmt: skip
def test_what_is_no_address_is_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(InvalidArgument) as refused:
        clusters.check_url(url)
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize("uuid", ["", None, 7, "a b", "x" * 65, "a/b", "a\n"])
def test_a_uuid_that_could_not_be_one_is_refused(uuid: object) -> None:
    with pytest.raises(InvalidArgument):
        clusters.check_uuid(uuid)


@pytest.mark.parametrize(
    ("namespace", "uuid", "name"),
    [("", "", ""), ("ns", "", "ns"), ("@u", "u", ""), ("@u#ns", "u", "ns")],
)
def test_a_namespace_is_taken_apart_and_put_together(namespace: str, uuid: str, name: str) -> None:
    assert clusters.split_namespace(namespace) == (uuid, name)
    assert clusters.join_namespace(uuid, name) == namespace
    assert clusters.namespace_json(namespace) == {"uuid": uuid, "name": name}


def test_the_way_of_a_request_is_told_and_read() -> None:
    assert clusters.parse_via("") == ()
    assert clusters.parse_via(" a, b ,c") == ("a", "b", "c")
    assert clusters.show_via(("a", "b"), "c") == "a,b,c"


@pytest.mark.parametrize("text", ["a b", "a,b\x00", "x" * 65, ",".join("abcdefghi"), "a," * 600])
def test_a_way_that_could_not_be_one_is_refused(text: str) -> None:
    with pytest.raises(InvalidArgument):
        clusters.parse_via(text)


def test_aliases_have_names_of_variables() -> None:
    assert clusters.environment_name("east-2_b") == "EAST_2_B"
