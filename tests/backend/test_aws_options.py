"""Provider `aws` without a service: what settings say, where requests go, which parts they are, and
what replies tell.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any

import pytest

from aisle.backend.aws import addresses
from aisle.backend.aws.addresses import PATH, VIRTUAL, address, default_style
from aisle.backend.aws.options import Account, read_options
from aisle.backend.aws.replies import describe, read_page
from aisle.backend.aws.uploads import plan
from aisle.core.errors import ConfigError, InvalidArgument
from aisle.core.features import BY_NAME

MIB = 1 << 20
GIB = 1 << 30


# --- settings -------------------------------------------------------------------------------


def options(settings: Mapping[str, Any], environment: Mapping[str, str] | None = None) -> Any:
    return read_options("bucket", settings, environment or {})


def test_what_nobody_has_set_is_amazons() -> None:
    found = options({})
    assert (found.endpoint, found.region, found.page, found.part) == ("", "", 1000, 128 * MIB)
    assert found.account == Account("", "", metadata=False)
    assert not found.path_style


def test_props_win_over_the_environment() -> None:
    environment = {
        "S3_ENDPOINT": "http://env:1/", "AWS_REGION": "eu-west-1", "AWS_PROFILE": "env",
        "AWS_DEFAULT_REGION": "eu-west-2", "AIS_S3_CONFIG_DIR": "/etc/aws",
    }  # fmt: skip
    found = options({}, environment)
    assert (found.endpoint, found.region) == ("http://env:1", "eu-west-1")
    assert found.account == Account("env", "/etc/aws", metadata=False)
    props = {
        "extra.aws.endpoint": "https://Mine.example/s3/", "extra.aws.cloud_region": "ap-south-1",
        "extra.aws.profile": "mine", "extra.aws.max_pagesize": 50,
        "extra.aws.multipart_size": "8MiB", "features": BY_NAME["S3-Use-Path-Style"].mask,
        "backend.aws": "enabled",
    }  # fmt: skip
    found = options(props, environment)
    assert (found.endpoint, found.region) == ("https://mine.example/s3", "ap-south-1")
    assert found.account == Account("mine", "/etc/aws", metadata=True)
    assert (found.page, found.part, found.path_style) == (50, 8 * MIB, True)


@pytest.mark.parametrize(
    "endpoint",
    ["ftp://a", "http://", "http://user:secret@host", "http://h:0", "http://h:99999", "http://h?q",
     "http://h#f", "http://bücher.example"],
)  # fmt: skip
def test_an_endpoint_that_is_none_is_refused(endpoint: str) -> None:
    with pytest.raises(InvalidArgument) as failure:
        options({"extra.aws.endpoint": endpoint})
    assert "secret" not in str(failure.value)


@pytest.mark.parametrize(
    "props",
    [
        {"extra.aws.cloud_region": "evil.example/"},
        {"extra.aws.cloud_region": "EU"},
        {"extra.aws.multipart_size": "1MiB"},
        {"extra.aws.multipart_size": "6GiB"},
        {"extra.aws.multipart_size": "many"},
    ],
)
def test_settings_that_make_no_sense_are_refused(props: Mapping[str, Any]) -> None:
    with pytest.raises(InvalidArgument):
        options(props)


def test_the_directory_of_awss_files_is_absolute() -> None:
    with pytest.raises(ConfigError):
        options({}, {"AIS_S3_CONFIG_DIR": "etc"})


@pytest.mark.parametrize("name", ["a", "../up", "a/b", "a b", "a\r\nb", "x" * 300])
def test_a_name_that_no_bucket_has_is_refused(name: str) -> None:
    with pytest.raises(InvalidArgument):
        read_options(name, {}, {})


@pytest.mark.parametrize(
    ("value", "part"),
    [("", 128 * MIB), ("0", 128 * MIB), (0, 128 * MIB), ("-1", 0), (-1, 0), ("5MiB", 5 * MIB)],
)
def test_the_size_of_parts(value: object, part: int) -> None:
    assert options({"extra.aws.multipart_size": value}).part == part


# --- addresses and parts --------------------------------------------------------------------


def test_a_request_goes_to_the_endpoint_in_either_style() -> None:
    amazon = address("", "eu-west-1", "my-bucket", VIRTUAL)
    assert amazon.url("a%20b", "x=1") == "https://s3.eu-west-1.amazonaws.com/a%20b?x=1"
    assert amazon.host == "my-bucket.s3.eu-west-1.amazonaws.com"
    path = address("", "cn-north-1", "my-bucket", PATH)
    assert path.url("key") == "https://s3.cn-north-1.amazonaws.com.cn/my-bucket/key"
    own = address("http://h:9000/s3", "us-east-1", "b", PATH)
    assert (own.url("k"), own.url(), own.host) == (
        "http://h:9000/s3/b/k", "http://h:9000/s3/b", "h:9000",
    )  # fmt: skip
    assert address("http://h", "r", "b", VIRTUAL).url("", "list-type=2") == "http://h/?list-type=2"
    assert address("http://h", "r", "", PATH).url() == "http://h/"


def test_amazons_first_region_has_a_host_without_a_region_too() -> None:
    path, virtual = addresses.PATH + addresses.GLOBAL, addresses.VIRTUAL + addresses.GLOBAL
    assert addresses.other_style("", "us-east-1", addresses.PATH) == path
    assert addresses.other_style("", "us-east-1", path) == ""
    assert addresses.other_style("", "eu-west-1", addresses.PATH) == ""
    assert addresses.other_style("https://s3.example", "us-east-1", addresses.PATH) == ""
    place = addresses.address("", "us-east-1", "b", path)
    assert place == ("https://s3.us-east-1.amazonaws.com/b", "s3.amazonaws.com")
    place = addresses.address("", "us-east-1", "b", virtual)
    assert place == ("https://s3.us-east-1.amazonaws.com", "b.s3.amazonaws.com")


def test_the_style_is_amazons_unless_there_is_a_reason() -> None:
    assert default_style("", "my-bucket", path_style=False) == VIRTUAL
    assert default_style("", "my-bucket", path_style=True) == PATH
    assert default_style("", "Old_Bucket", path_style=False) == PATH
    assert default_style("http://host", "my-bucket", path_style=False) == PATH


def test_parts_are_the_clients_where_s3_allows_them() -> None:
    def sizes(*args: Any) -> list[int]:
        parts = plan(*args)
        assert [part.number for part in parts] == list(range(1, len(parts) + 1))
        ends = list(itertools.accumulate(part.size for part in parts))
        assert [part.start for part in parts] == [0, *ends][: len(parts)]
        return [part.size for part in parts]

    assert sizes(10 * MIB, (), 128 * MIB) == []
    assert sizes(0, (), 128 * MIB) == []
    assert sizes(128 * MIB + 1, (), 128 * MIB) == [128 * MIB, 1]
    assert sizes(20 * MIB, (7 * MIB, 7 * MIB, 6 * MIB), 128 * MIB) == [7 * MIB, 7 * MIB, 6 * MIB]
    assert sizes(3, (3,), 128 * MIB) == [3]
    assert sizes(8 * MIB, (4 * MIB, 4 * MIB), 128 * MIB) == []  # too small for S3
    assert sizes(8 * MIB, (5 * MIB, 5 * MIB), 128 * MIB) == []  # not the whole
    assert sizes(20 * MIB, (10 * MIB, 10 * MIB), 0) == []  # never in parts
    assert len(sizes(6 * GIB, (), 0)) > 1  # S3 takes no more in one piece
    assert len(sizes(5 * GIB << 10, (), 128 * MIB)) == 10_000


# --- replies --------------------------------------------------------------------------------


MD5 = "0cc175b9c0f1b6a831c399e269772661"


@pytest.mark.parametrize(
    ("headers", "checksums"),
    [
        ({}, {"md5": MD5}),
        ({"etag": f'"{MD5}-3"'}, {}),
        ({"x-amz-server-side-encryption": "AES256"}, {"md5": MD5}),
        ({"x-amz-server-side-encryption": "aws:kms"}, {}),
        ({"x-amz-server-side-encryption-customer-algorithm": "AES256"}, {}),
        ({"x-amz-checksum-crc32c": "AAAAAQ=="}, {"md5": MD5, "crc32c": "00000001"}),
        ({"x-amz-checksum-crc32c": "AAAAAQ==-2", "etag": '"x-2"'}, {}),
        ({"x-amz-checksum-crc32c": "AAAAAQ==", "x-amz-checksum-type": "COMPOSITE",
          "etag": '"x"'}, {}),
        ({"x-amz-checksum-crc32c": "nonsense", "etag": '"x"'}, {}),
        ({"x-amz-meta-ais-cksum-type": "md5", "x-amz-meta-ais-cksum-val": MD5.upper(),
          "etag": '"x-2"'}, {"md5": MD5}),
        ({"x-amz-meta-ais-cksum-type": "xxhash", "x-amz-meta-ais-cksum-val": "0" * 16,
          "etag": '"x-2"'}, {"xxhash": "0" * 16}),
        ({"x-amz-meta-ais-cksum-type": "md5", "x-amz-meta-ais-cksum-val": "no",
          "etag": '"x-2"'}, {}),
        ({"x-amz-meta-ais-cksum-type": "md5", "x-amz-meta-ais-cksum-val": "0" * 32}, {"md5": MD5}),
    ],
)  # fmt: skip
def test_a_checksum_is_taken_from_who_vouches_for_the_whole(
    headers: dict[str, str], checksums: dict[str, str]
) -> None:
    about = describe("aws://b", "key", {"etag": f'"{MD5}"', "content-length": "1", **headers})
    assert about.checksums == checksums
    assert about.meta == {}


def test_metadata_that_is_not_ascii_is_latin_1_text_here() -> None:
    about = describe("aws://b", "k", {"content-length": "1", "x-amz-meta-name": "grün"})
    assert about.meta["name"].encode("latin-1").decode() == "grün"


def test_a_page_is_read_as_it_was_encoded() -> None:
    plain = b"<ListBucketResult><Contents><Key>a%20b</Key><Size>x</Size></Contents>"
    page = read_page("aws://b", plain + b"</ListBucketResult>")
    assert (page.entries[0].key, page.entries[0].size) == ("a%20b", 0)
    page = read_page("aws://b", plain + b"<EncodingType>url</EncodingType></ListBucketResult>")
    assert page.entries[0].key == "a b"
