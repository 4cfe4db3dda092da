"""Addresses of HTTP servers as buckets and objects."""

from __future__ import annotations

from urllib.parse import unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aisle.core.errors import InvalidArgument
from aisle.core.names import check_native_bucket_name
from aisle.core.origins import Located, base_url, bucket_name, locate, object_url


def test_a_bucket_has_the_name_that_aistore_gives_it() -> None:
    # The example of AIStore's documentation.
    url = "https://storage.googleapis.com/minikube/minikube-0.6.iso.sha256"
    assert locate(url) == Located(
        "ZDdhNTYxZTkyMzhkNjk3NA",
        "https://storage.googleapis.com/minikube/",
        "minikube-0.6.iso.sha256",
    )
    assert bucket_name("http://storage.googleapis.com/minikube/") == "ZDdhNTYxZTkyMzhkNjk3NA"


@pytest.mark.parametrize(
    ("url", "base", "key"),
    [
        ("http://host/name", "http://host/", "name"),
        ("http://host/", "http://host/", ""),
        ("http://host", "http://host/", ""),
        ("HTTP://Host:8080/a/b%20c/d%25e", "http://Host:8080/a/b%20c/", "d%e"),
        ("http://host/ü/ä", "http://host/%C3%BC/", "ä"),
        ("http://[::1]:80/a/b", "http://[::1]:80/a/", "b"),
    ],
)
def test_an_address_is_a_directory_and_a_name(url: str, base: str, key: str) -> None:
    found = locate(url)
    assert (found.base, found.key) == (base, key)
    assert base_url(found.base) == found.base
    assert base_url(found.base.rstrip("/")) == found.base
    assert unquote(urlsplit(object_url(base, key)).path) == unquote(urlsplit(base).path) + key


@pytest.mark.parametrize(
    "url",
    [
        "",
        "name",
        "ftp://host/name",
        "http:///name",
        "http://host:99999/name",
        "http://host:port/name",
        "http://[::1/name",
        "http://ho st/name",
        "http://hö.st/name",
        "http://user@host/name",
        "http://user:hush@host/name",
        "http://host/name?query",
        "http://host/name#part",
        "http://host/a/../name",
        "http://host/a/%2e%2e/name",
        "http://host/./name",
        "http://host/a%2fb",
        "http://host/a\nb",
        "http://host/" + "x" * 3000,
    ],
)
def test_what_is_no_address_of_a_file_is_refused(url: str) -> None:
    with pytest.raises(InvalidArgument) as refused:
        locate(url)
    assert "hush" not in str(refused.value)


@pytest.mark.parametrize("key", ["..", "a/../b", ".", "./a"])
def test_a_name_that_leads_elsewhere_has_no_address(key: str) -> None:
    with pytest.raises(InvalidArgument):
        object_url("http://host/", key)


@given(st.text(st.characters(codec="utf-8", exclude_characters="/"), min_size=1, max_size=20))
def test_every_other_name_has_one(key: str) -> None:
    if key in (".", ".."):
        return
    url = object_url("http://host/a/", key)
    assert url.isascii()
    assert unquote(url) == "http://host/a/" + key
    if key.isprintable():
        assert locate(url).key == key


@given(st.text(st.characters(codec="ascii", categories=("L", "N")), max_size=50))
def test_names_of_buckets_are_valid(directory: str) -> None:
    check_native_bucket_name(bucket_name(f"http://host/{directory}/"))
