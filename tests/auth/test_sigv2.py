"""Signature version 2: AWS's published examples, and what botocore signs, are accepted.

Source of the examples: "Signing and authenticating REST requests (AWS signature version 2)", S3
user guide. Their example bucket was renamed over the years; a literal that AWS left stale is used
with the name that it was made for.
"""

from __future__ import annotations

import calendar
from dataclasses import replace
from email.utils import parsedate_to_datetime
from urllib.parse import quote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aisle.auth.payload import PayloadKind
from aisle.auth.sigv2 import SIGNED, UNSIGNED, canonical_parameters
from aisle.core.errors import (
    InvalidAccessKey,
    InvalidRequest,
    InvalidToken,
    RequestExpired,
    SignatureMismatch,
)
from aisle.core.http import RequestHead, fold_headers
from tests.auth.signing import ALICE, TEMPORARY, changed, head_of, with_headers
from tests.auth.signing_v2 import BASE, PLACES, Make, by_header, by_query, check, user_of

BUCKET = "awsexamplebucket1"


# --- the published examples -----------------------------------------------------------------


def example(
    method: str, path: str, date: str, proof: str, *fields: tuple[bytes, bytes]
) -> RequestHead:
    headers, repeated = fold_headers([(b"date", date.encode()), *fields])
    headers["authorization"] = f"AWS {ALICE.access_key}:{proof}"
    target = urlsplit(path)
    return RequestHead(method, target.path.encode(), target.query.encode(), headers, repeated)


EXAMPLES = {
    "Object GET": (
        example(
            "GET",
            "/photos/puppy.jpg",
            "Tue, 27 Mar 2007 19:36:42 +0000",
            "qgk2+6Sv9/oM7G3qLEjTH1a1l1g=",
        ),
        (BUCKET, "photos/puppy.jpg"),
    ),
    "Object PUT": (
        example(
            "PUT",
            "/photos/puppy.jpg",
            "Tue, 27 Mar 2007 21:15:45 +0000",
            "iqRzw+ileNPu1fhspnRs8nOjjIA=",
            (b"content-type", b"image/jpeg"),
        ),
        (BUCKET, "photos/puppy.jpg"),
    ),
    "List": (
        example(
            "GET",
            "/?prefix=photos&max-keys=50&marker=puppy",
            "Tue, 27 Mar 2007 19:42:41 +0000",
            "m0WP8eCtspQl5Ahe6L1SozdX9YA=",
        ),
        (BUCKET, ""),
    ),
    "Fetch": (
        example("GET", "/?acl", "Tue, 27 Mar 2007 19:44:46 +0000", "82ZHiFIjc+WbcwFKGUVEQspPn+0="),
        (BUCKET, ""),
    ),
    "Delete": (
        example(
            "DELETE",
            "/johnsmith/photos/puppy.jpg",
            "Tue, 27 Mar 2007 21:20:27 +0000",
            "R4dJ53KECjStyBO5iTBJZ4XVOaI=",
            (b"x-amz-date", b"Tue, 27 Mar 2007 21:20:26 +0000"),
        ),
        ("johnsmith", "photos/puppy.jpg"),
    ),
    "Upload": (
        example(
            "PUT",
            "/db-backup.dat.gz",
            "Tue, 27 Mar 2007 21:06:08 +0000",
            "dKZcB+bz2EPXgSdXZp9ozGeOM4I=",
            (b"x-amz-acl", b"public-read"),
            (b"content-type", b"application/x-download"),
            (b"content-md5", b"4gJE4saaMU4BqNR0kLY+lw=="),
            (b"x-amz-meta-reviewedby", b"joe@awsexamplebucket1.net"),
            (b"x-amz-meta-reviewedby", b"jane@awsexamplebucket1.net"),
            (b"x-amz-meta-filechecksum", b"0x02661779"),
            (b"x-amz-meta-checksumalgorithm", b"crc32"),
            (b"content-disposition", b"attachment; filename=database.dat"),
            (b"content-encoding", b"gzip"),
        ),
        ("static.awsexamplebucket1.net", "db-backup.dat.gz"),
    ),
    "List all my buckets": (
        example("GET", "/", "Wed, 28 Mar 2007 01:29:59 +0000", "qGdzdERIC03wnaRNKh6OqZehG9s="),
        ("", ""),
    ),
    "Unicode keys": (
        example(
            "GET",
            "/dictionary/fran%C3%A7ais/pr%c3%a9f%c3%a8re",
            "Wed, 28 Mar 2007 01:49:49 +0000",
            "DNEZGsoieTZ92F3bUfSPQcbGmlM=",
        ),
        ("dictionary", "fran%C3%A7ais/pr%c3%a9f%c3%a8re"),
    ),
}


@pytest.mark.parametrize("name", EXAMPLES)
def test_published_example_is_accepted(name: str) -> None:
    head, target = EXAMPLES[name]
    at = parsedate_to_datetime(head.headers["date"]).timestamp()
    assert check(head, target, at=at).principal.name == "alice"
    with pytest.raises(SignatureMismatch):
        check(changed(head, method="POST"), target, at=at)


def test_published_query_example_is_accepted_until_it_expires() -> None:
    head = head_of(
        "GET",
        f"{BASE}/photos/puppy.jpg?AWSAccessKeyId={ALICE.access_key}"
        "&Signature=NpgCjnDzrM%2BWFzoENXmpNDUsSn8%3D&Expires=1175139620",
        {},
    )
    target = ("johnsmith", "photos/puppy.jpg")
    assert check(head, target, at=1175139620).principal.name == "alice"
    assert check(head, target, at=0).principal.name == "alice"
    with pytest.raises(RequestExpired):
        check(head, target, at=1175139621)


def test_delete_example_that_contradicts_its_own_rule_is_refused() -> None:
    """The page says that x-amz-date leaves the line of the date empty, and then fills it."""
    head = example(
        "DELETE",
        f"/{BUCKET}/photos/puppy.jpg",
        "Tue, 27 Mar 2007 21:20:27 +0000",
        "XbyTlbQdu9Xw5o8P4iMwPktxQd8=",
        (b"x-amz-date", b"Tue, 27 Mar 2007 21:20:26 +0000"),
    )
    with pytest.raises(SignatureMismatch):
        check(head, (BUCKET, "photos/puppy.jpg"), at=calendar.timegm((2007, 3, 27, 21, 20, 0)))


# --- what botocore signs is accepted --------------------------------------------------------

KEYS = st.text(min_size=1, max_size=30).filter(
    lambda key: key.encode("utf-8", "ignore").decode() == key
)
# botocore cuts a value at `&` after decoding nothing; an `&` is decided by tests below.
VALUES = KEYS.map(lambda value: value.replace("&", ""))
PARAMETERS = st.dictionaries(
    st.sampled_from(sorted({*SIGNED, *UNSIGNED, "x-custom"} - {"list-type"})),
    st.one_of(st.none(), VALUES.filter(bool)),
    max_size=4,
)
METADATA = st.text("abc XYZ019,;=+%/~\"'&", max_size=20)


def query_of(parameters: dict[str, str | None]) -> str:
    return "&".join(
        name if value is None else f"{name}={quote(value, safe='')}"
        for name, value in parameters.items()
    )


@PLACES
@given(key=KEYS, parameters=PARAMETERS, metadata=METADATA, method=st.sampled_from(["GET", "PUT"]))
def test_signature_of_botocore_is_accepted(
    make: Make, key: str, parameters: dict[str, str | None], metadata: str, method: str
) -> None:
    path = "/demo/" + quote(key, safe="/~")
    headers = {"x-amz-meta-b": metadata, "x-amz-meta-a": "1", "Content-Type": "text/plain"}
    query = query_of(parameters)
    head = make(method, f"{path}?{query}" if query else path, headers)
    result = check(head, ("demo", path.removeprefix("/demo/")))
    assert result.principal.name == "alice"
    assert result.head.headers["x-amz-meta-b"].strip() == metadata.strip()
    assert result.head.headers["content-type"] == "text/plain"


@pytest.mark.parametrize(
    ("path", "resource", "target"),
    [
        ("/demo/a%20b", None, ("demo", "a%20b")),
        ("/s3/demo/a%20b", "/demo/a%20b", ("demo", "a%20b")),  # boto3, s3cmd
        ("/s3/demo/a%20b", None, ("demo", "a%20b")),  # rclone
        ("/a%20b", "/demo/a%20b", ("demo", "a%20b")),  # virtual-hosted
        ("/demo", "/demo/", ("demo", "")),  # boto3
        ("/demo", None, ("demo", "")),
        ("/s3/demo", None, ("demo", "")),
        ("/s3/demo/", None, ("demo", "")),
        ("/", "/demo/", ("demo", "")),
        ("/", None, ("", "")),
        ("/s3", "/", ("", "")),
        ("/s3", None, ("", "")),
        ("/s3/", None, ("", "")),
    ],
)
@PLACES
def test_resource_may_be_spelt_as_clients_spell_it(
    make: Make, path: str, resource: str | None, target: tuple[str, str]
) -> None:
    assert user_of(make("GET", path, resource=resource), target) == "alice"


@PLACES
@given(
    st.tuples(st.sampled_from(["a", "s3", "demo", ""]), st.sampled_from(["", "k", "s3/k", "/k"])),
    st.tuples(st.sampled_from(["a", "s3", "demo", ""]), st.sampled_from(["", "k", "s3/k", "/k"])),
)
def test_signature_fits_no_other_target(
    make: Make, signed: tuple[str, str], asked: tuple[str, str]
) -> None:
    """But for a bucket called `s3`, which cannot exist, or none at all beside a key."""
    head = make("GET", "/anything", resource="/".join(["", *signed]) if any(signed) else "/")
    possible = all(
        bucket not in ("s3", "") or not (bucket + key) for bucket, key in (signed, asked)
    )
    if signed == asked:
        assert user_of(head, asked) == "alice"
    elif possible:
        with pytest.raises(SignatureMismatch):
            user_of(head, asked)


@PLACES
def test_session_token_is_accepted_with_its_key_only(make: Make) -> None:
    assert user_of(make("GET", "/demo/key", user=TEMPORARY)) == "bob"
    with pytest.raises(InvalidAccessKey):
        user_of(make("GET", "/demo/key", user=replace(TEMPORARY, session_token="")))
    for user in (TEMPORARY, ALICE):
        with pytest.raises(InvalidToken):
            user_of(make("GET", "/demo/key", user=replace(user, session_token="other")))


def test_headers_in_the_query_count_as_headers() -> None:
    headers = {
        "x-amz-meta-a": "é b",
        "x-amz-copy-source": "/other/key",
        "Content-Type": "text/csv",
        "Content-MD5": "4gJE4saaMU4BqNR0kLY+lw==",
    }
    head = by_query("PUT", "/demo/key", headers)
    known = check(head).head
    assert known.headers == {
        "host": "localhost:8080",
        "x-amz-meta-a": "é b".encode().decode("latin-1"),
        "x-amz-copy-source": "/other/key",
        "content-type": "text/csv",
        "content-md5": "4gJE4saaMU4BqNR0kLY+lw==",
    }
    assert (known.method, known.path, known.query) == (head.method, head.path, head.query)


def test_header_and_query_may_say_the_same_but_nothing_else() -> None:
    head = by_query("PUT", "/demo/key", {"x-amz-meta-a": "1", "Content-Type": "text/csv"})
    assert user_of(with_headers(head, content_type="text/csv", x_amz_meta_a="1")) == "alice"
    for other in ({"content_type": "text/html"}, {"x_amz_meta_a": "2"}):
        with pytest.raises(InvalidRequest):
            user_of(with_headers(head, **other))
    twice = changed(head, query=head.query + b"&X-Amz-Meta-A=2")
    with pytest.raises(InvalidRequest):
        user_of(twice)


@pytest.mark.parametrize(
    ("sent", "canonical"),
    [
        (b"", ""),
        (b"prefix=a", ""),
        (b"uploads=", "?uploads"),
        (b"versionId=1&acl", "?acl&versionId=1"),
        (b"%61cl", "?acl"),
        (b"response-expires=a+b%2Bc%26d", "?response-expires=a b+c&d"),
        (b"partNumber=2&partNumber=1", "?partNumber=2&partNumber=1"),
    ],
)
def test_signed_parameters_are_sorted_and_decoded(sent: bytes, canonical: str) -> None:
    assert canonical_parameters(RequestHead("GET", b"/", sent, {})) == canonical


def test_body_is_unsigned_unless_its_digest_is_a_signed_header() -> None:
    assert check(by_header("PUT", "/demo/key")).payload.kind is PayloadKind.UNSIGNED
    head = by_header("PUT", "/demo/key", {"x-amz-content-sha256": "0" * 64})
    assert check(head).payload.kind is PayloadKind.DIGEST
    chunks = {"x-amz-content-sha256": "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"}
    with pytest.raises(InvalidRequest):
        check(by_header("PUT", "/demo/key", chunks))
