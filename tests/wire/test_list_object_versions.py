"""ListObjectVersions: https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectVersions.html"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.harness import Node
from tests.wire.support import bucket_target, expect_error
from tests.wire.test_versioning import delete, put, switch

KEYS = ("a", "a/1", "a/2", "b", "b/1/x", "c d+é")


@pytest.fixture
def history(s3: Any, bucket: str) -> list[tuple[str, str, str]]:
    """Two versions of every key and a marker in front of some; (kind, key, version) in order."""
    switch(s3, bucket)
    found: list[tuple[str, str, str]] = []
    for key in KEYS:
        versions = [("Versions", key, put(s3, bucket, key, body)) for body in (b"1", b"22")]
        if key in ("a/2", "b"):
            versions.append(("DeleteMarkers", key, delete(s3, bucket, key)))
        found += versions[::-1]
    return found


def told(page: dict[str, Any]) -> list[tuple[str, str, str]]:
    """The versions of a page, each kind in its own order, sorted by key as one list."""
    entries = [
        (kind, each) for kind in ("Versions", "DeleteMarkers") for each in page.get(kind, [])
    ]
    entries.sort(key=lambda entry: (entry[1]["Key"], entry[0] == "Versions"))
    return [(kind, each["Key"], each["VersionId"]) for kind, each in entries]


def test_everything_is_told_of_a_version(s3: Any, bucket: str) -> None:
    switch(s3, bucket)
    first = s3.put_object(Bucket=bucket, Key="k", Body=b"one", StorageClass="STANDARD_IA")
    second = s3.put_object(Bucket=bucket, Key="k", Body=b"second", ChecksumAlgorithm="CRC32")
    marker = delete(s3, bucket, "k")
    page = s3.list_object_versions(Bucket=bucket)
    owner = s3.get_bucket_acl(Bucket=bucket)["Owner"]
    newer, older = page["Versions"]
    assert newer.pop("LastModified")
    assert newer == {
        "ETag": second["ETag"], "Size": 6, "StorageClass": "STANDARD", "Key": "k",
        "VersionId": second["VersionId"], "IsLatest": False, "Owner": owner,
        "ChecksumAlgorithm": ["CRC32"], "ChecksumType": "FULL_OBJECT",
    }  # fmt: skip
    assert (older["VersionId"], older["StorageClass"]) == (first["VersionId"], "STANDARD_IA")
    [gone] = page["DeleteMarkers"]
    assert gone.pop("LastModified")
    assert gone == {"Key": "k", "VersionId": marker, "IsLatest": True, "Owner": owner}
    assert (page["Name"], page["Prefix"], page["MaxKeys"]) == (bucket, "", 1000)
    assert (page["KeyMarker"], page["VersionIdMarker"], page["IsTruncated"]) == ("", "", False)


def test_is_latest_is_told_of_one_version_of_a_key(
    s3: Any, bucket: str, history: list[tuple[str, str, str]]
) -> None:
    for size in (1, 2, 3, 1000):
        latest: dict[str, list[str]] = {}
        pages = s3.get_paginator("list_object_versions").paginate(
            Bucket=bucket, PaginationConfig={"PageSize": size}
        )
        for page in pages:
            for each in [*page.get("Versions", []), *page.get("DeleteMarkers", [])]:
                if each["IsLatest"]:
                    latest.setdefault(each["Key"], []).append(each["VersionId"])
        newest = {key: [version] for _, key, version in reversed(history)}
        assert latest == newest, size


@pytest.mark.parametrize("size", [1, 2, 3, 5, 13, 14, 15])
def test_pages_hold_everything_once(
    s3: Any, bucket: str, history: list[tuple[str, str, str]], size: int
) -> None:
    found: list[tuple[str, str, str]] = []
    marker: dict[str, str] = {}
    while True:
        page = s3.list_object_versions(Bucket=bucket, MaxKeys=size, **marker)
        found += told(page)
        if not page["IsTruncated"]:
            break
        assert len(told(page)) == size
        marker = {
            "KeyMarker": page["NextKeyMarker"],
            "VersionIdMarker": page["NextVersionIdMarker"],
        }
    assert found == history


@pytest.mark.parametrize("size", [1, 2, 3, 5])
def test_a_bucket_is_emptied_page_by_page(
    s3: Any, bucket: str, history: list[tuple[str, str, str]], size: int
) -> None:
    pages = s3.get_paginator("list_object_versions").paginate(
        Bucket=bucket, PaginationConfig={"PageSize": size}
    )
    for page in pages:
        gone = [{"Key": key, "VersionId": version} for _, key, version in told(page)]
        reply = s3.delete_objects(Bucket=bucket, Delete={"Objects": gone, "Quiet": True})
        assert "Errors" not in reply
    assert told(s3.list_object_versions(Bucket=bucket)) == []


def test_prefix_and_delimiter(s3: Any, bucket: str, history: list[tuple[str, str, str]]) -> None:
    page = s3.list_object_versions(Bucket=bucket, Delimiter="/")
    assert [each["Prefix"] for each in page["CommonPrefixes"]] == ["a/", "b/"]
    assert told(page) == [each for each in history if "/" not in each[1]]
    assert page["Delimiter"] == "/"
    page = s3.list_object_versions(Bucket=bucket, Prefix="a/")
    assert told(page) == [each for each in history if each[1].startswith("a/")]
    page = s3.list_object_versions(Bucket=bucket, Prefix="b/", Delimiter="/")
    assert [each["Prefix"] for each in page["CommonPrefixes"]] == ["b/1/"]
    assert told(page) == []


@pytest.mark.parametrize("size", [1, 2, 4])
def test_pages_with_common_prefixes(
    s3: Any, bucket: str, history: list[tuple[str, str, str]], size: int
) -> None:
    found, prefixes, marker = [], list[str](), dict[str, str]()
    while True:
        page = s3.list_object_versions(Bucket=bucket, Delimiter="/", MaxKeys=size, **marker)
        found += told(page)
        prefixes += [each["Prefix"] for each in page.get("CommonPrefixes", [])]
        if not page["IsTruncated"]:
            break
        marker = {"KeyMarker": page["NextKeyMarker"]}
        if page.get("NextVersionIdMarker"):
            marker["VersionIdMarker"] = page["NextVersionIdMarker"]
    assert found == [each for each in history if "/" not in each[1]]
    assert prefixes == ["a/", "b/"]


def test_a_key_marker_alone_begins_behind_the_key(
    s3: Any, bucket: str, history: list[tuple[str, str, str]]
) -> None:
    page = s3.list_object_versions(Bucket=bucket, KeyMarker="a/2")
    assert told(page) == [each for each in history if each[1] > "a/2"]
    page = s3.list_object_versions(Bucket=bucket, KeyMarker="a/0")
    assert told(page) == [each for each in history if each[1] > "a/0"]


def test_names_are_encoded_if_that_is_asked_for(
    node: Node, bucket: str, history: list[tuple[str, str, str]]
) -> None:
    del history
    query = "versions&encoding-type=url&prefix=c%20d%2B&key-marker=a%20b"
    reply = node.send("GET", bucket_target(bucket, query)).xml
    assert reply.findtext("EncodingType") == "url"
    assert reply.findtext("Prefix") == "c%20d%2B"
    assert reply.findtext("KeyMarker") == "a%20b"
    key = reply.findtext("Version/Key")
    assert key == "c%20d%2B%C3%A9"


def test_no_keys_are_a_page_that_is_whole(
    s3: Any, bucket: str, history: list[tuple[str, str, str]]
) -> None:
    del history
    page = s3.list_object_versions(Bucket=bucket, MaxKeys=0)
    assert (page["MaxKeys"], page["IsTruncated"], told(page)) == (0, False, [])


def test_more_than_a_thousand_are_a_thousand(s3: Any, bucket: str) -> None:
    assert s3.list_object_versions(Bucket=bucket, MaxKeys=5000)["MaxKeys"] == 1000


@pytest.mark.parametrize(
    "query",
    [
        "max-keys=-1", "max-keys=x", "max-keys=2147483648", "encoding-type=base64",
        "version-id-marker=null", "key-marker=a&version-id-marker=nonsense",
    ],
)  # fmt: skip
def test_parameters_that_are_wrong(node: Node, bucket: str, query: str) -> None:
    reply = node.send("GET", bucket_target(bucket, f"versions&{query}"))
    expect_error(reply, 400, "InvalidArgument")


def test_an_unversioned_bucket_lists_null_versions(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"1")
    [only] = s3.list_object_versions(Bucket=bucket)["Versions"]
    assert (only["VersionId"], only["IsLatest"]) == ("null", True)


def test_other_listings_show_current_objects_only(
    s3: Any, bucket: str, history: list[tuple[str, str, str]]
) -> None:
    current = sorted({key for _, key, _ in history} - {"a/2", "b"})
    for call in (s3.list_objects, s3.list_objects_v2):
        assert [each["Key"] for each in call(Bucket=bucket)["Contents"]] == current


def test_no_version_is_missing_while_others_are_written(s3: Any, bucket: str) -> None:
    switch(s3, bucket)
    kept = {put(s3, bucket, "k", b"%d" % n) for n in range(3)}
    with ThreadPoolExecutor(4) as pool:
        writes = [pool.submit(put, s3, bucket, "k", b"new") for _ in range(60)]
        while not all(write.done() for write in writes):
            page = s3.list_object_versions(Bucket=bucket)
            versions = [each["VersionId"] for each in page["Versions"]]
            assert kept <= set(versions)
            assert len(versions) == len(set(versions))
            assert [each["IsLatest"] for each in page["Versions"]].count(True) == 1
