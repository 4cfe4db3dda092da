"""URIs of buckets and objects, with and without a namespace."""

import pytest

from aisle.cli import uri as uris
from aisle.cli.failure import Failure
from aisle.cli.uri import Uri


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
