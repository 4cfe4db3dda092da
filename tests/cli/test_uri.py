"""URIs of buckets and objects, with and without a namespace."""

import pytest

from aisle.cli import uri as uris
from aisle.cli.failure import Failure
from aisle.cli.uri import Uri
from aisle.core.origins import bucket_name


@pytest.mark.parametrize(
    ("text", "uri"),
    [
        ("ais:", Uri("ais")),
        ("ais://", Uri("ais")),
        ("ais://abc", Uri("ais", "abc")),
        ("ais://abc/", Uri("ais", "abc")),
        ("ais://abc/dir//name", Uri("ais", "abc", "dir//name")),
        ("ais://#ns", Uri("ais", namespace="#ns")),
        ("ais://#ns/abc", Uri("ais", "abc", namespace="#ns")),
        ("ais://@uuid#ns/abc/dir/name", Uri("ais", "abc", "dir/name", "@uuid#ns")),
        ("ais://@", Uri("ais", namespace="@")),
        ("s3://abc/#ns", Uri("s3", "abc", "#ns")),
    ],
)
def test_a_uri_is_taken_apart(text: str, uri: Uri) -> None:
    assert uris.parse(text) == uri


@pytest.mark.parametrize(
    ("text", "query", "uname"),
    [
        ("ais://abc", {"provider": "ais"}, "ais/@#/abc/"),
        ("ais://#ns/abc", {"provider": "ais", "namespace": "#ns"}, "ais/#ns/abc/"),
        ("ais://#ns/abc/k", {"provider": "ais", "namespace": "#ns"}, "ais/#ns/abc/k"),
    ],
)
def test_what_a_request_says_of_a_uri(text: str, query: dict[str, str], uname: str) -> None:
    uri = uris.parse(text)
    assert (uri.query, uri.uname, str(uri)) == (query, uname, text)
    assert uri.parent.namespace == uri.namespace


@pytest.mark.parametrize("text", ["", "abc", "ais:abc", "ais:///key", "ais://#ns//key", "x://a"])
def test_what_is_no_uri_is_refused(text: str) -> None:
    with pytest.raises(Failure):
        uris.parse(text)


@pytest.mark.parametrize("text", ["ais://", "ais://#ns", "ais://#ns/abc/key"])
def test_a_bucket_is_needed(text: str) -> None:
    with pytest.raises(Failure, match="not the URI of a bucket"):
        uris.bucket(text)


def test_an_address_is_an_object_of_an_http_server() -> None:
    uri = uris.parse("http://host:80/dir/a%20b")
    assert (uri.provider, uri.bucket, uri.key) == ("ht", bucket_name("http://host:80/dir/"), "a b")
    assert uri.query == {"provider": "ht", "original_url": "http://host:80/dir/a%20b"}
    assert str(uri) == "http://host:80/dir/a b"
    assert uris.bucket("https://host/dir/").query["original_url"] == "https://host/dir/"
    assert uris.parse("ht://name/x").query == {"provider": "ht"}


@pytest.mark.parametrize("text", ["http://user:hush@host/x", "http://host/x?y", "https:///x"])
def test_an_address_that_cannot_be_used_is_told(text: str) -> None:
    with pytest.raises(Failure) as failure:
        uris.parse(text)
    assert "hush" not in str(failure.value)
