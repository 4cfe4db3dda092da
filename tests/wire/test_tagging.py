"""Put/Get/DeleteObjectTagging, Put/Get/DeleteBucketTagging, and tags that come with writes.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-tagging.html
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import pytest

from tests.harness import Node
from tests.people import fresh
from tests.wire.people import People
from tests.wire.support import (
    begin,
    bucket_target,
    content_md5,
    expect_error,
    object_target,
    put_part,
    refused,
)

Tags = dict[str, str]


def tag_set(tags: Tags) -> dict[str, Any]:
    return {"TagSet": [{"Key": key, "Value": value} for key, value in tags.items()]}


def tags_of(s3: Any, bucket: str, key: str = "k", **more: str) -> Tags:
    reply = s3.get_object_tagging(Bucket=bucket, Key=key, **more)
    return {tag["Key"]: tag["Value"] for tag in reply["TagSet"]}


def put_tags(s3: Any, bucket: str, tags: Tags, key: str = "k", **more: str) -> Any:
    return s3.put_object_tagging(Bucket=bucket, Key=key, Tagging=tag_set(tags), **more)


def test_an_object_without_tags_has_an_empty_set(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    assert tags_of(s3, bucket) == {}
    assert "TagCount" not in s3.head_object(Bucket=bucket, Key="k")


def test_tags_replace_those_before_and_leave_the_object_as_it_is(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"x", Metadata={"a": "1"})
    before = s3.head_object(Bucket=bucket, Key="k")
    assert (
        put_tags(s3, bucket, {"old": "1", "kept": "2"})["ResponseMetadata"]["HTTPStatusCode"] == 200
    )
    put_tags(s3, bucket, {"kept": "3", "ключ": "Wert mit Ü + - = . _ : / @"})
    assert tags_of(s3, bucket) == {"kept": "3", "ключ": "Wert mit Ü + - = . _ : / @"}
    for reply in (s3.head_object(Bucket=bucket, Key="k"), s3.get_object(Bucket=bucket, Key="k")):
        assert reply["TagCount"] == 2
        for name in ("ETag", "LastModified", "Metadata"):
            assert reply[name] == before[name]
    reply = s3.delete_object_tagging(Bucket=bucket, Key="k")
    assert reply["ResponseMetadata"]["HTTPStatusCode"] == 204
    assert tags_of(s3, bucket) == {}
    assert "TagCount" not in s3.get_object(Bucket=bucket, Key="k")


def test_each_version_has_tags_of_its_own(s3: Any, bucket: str) -> None:
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    first, second = (
        s3.put_object(Bucket=bucket, Key="k", Body=b"x", Tagging=f"n={n}")["VersionId"]
        for n in (1, 2)
    )
    assert put_tags(s3, bucket, {"n": "one"}, VersionId=first)["VersionId"] == first
    assert tags_of(s3, bucket) == {"n": "2"}
    assert tags_of(s3, bucket, VersionId=first) == {"n": "one"}
    assert s3.get_object_tagging(Bucket=bucket, Key="k")["VersionId"] == second
    reply = s3.delete_object_tagging(Bucket=bucket, Key="k", VersionId=second)
    assert reply["VersionId"] == second
    assert tags_of(s3, bucket) == {}
    assert s3.head_object(Bucket=bucket, Key="k", VersionId=first)["TagCount"] == 1
    marker = s3.delete_object(Bucket=bucket, Key="k")["VersionId"]
    for call in (
        lambda: tags_of(s3, bucket, VersionId=marker),
        lambda: put_tags(s3, bucket, {}, VersionId=marker),
        lambda: s3.delete_object_tagging(Bucket=bucket, Key="k", VersionId=marker),
    ):
        with refused(405, "MethodNotAllowed"):
            call()
    with refused(404, "NoSuchKey"):
        tags_of(s3, bucket)
    for version in (marker, first, second):
        s3.delete_object(Bucket=bucket, Key="k", VersionId=version)
    with refused(404, "NoSuchVersion"):
        tags_of(s3, bucket, VersionId=first)


def test_what_is_not_there_has_no_tags(s3: Any, bucket: str) -> None:
    for call in (
        lambda: tags_of(s3, bucket),
        lambda: put_tags(s3, bucket, {"a": "b"}),
        lambda: s3.delete_object_tagging(Bucket=bucket, Key="k"),
    ):
        with refused(404, "NoSuchKey"):
            call()


TAKEN = {
    "spaces and signs": ("a+b=x%20y%2Bz&c=%2F%40%3A", {"a b": "x y+z", "c": "/@:"}),
    "no value": ("only", {"only": ""}),
    "nothing between signs": ("&a=1&&b=2&", {"a": "1", "b": "2"}),
    "letters of any script": (urlencode({"größe": "一"}), {"größe": "一"}),
}


@pytest.mark.parametrize("case", TAKEN)
def test_tags_in_a_header(s3: Any, bucket: str, case: str) -> None:
    text, tags = TAKEN[case]
    s3.put_object(Bucket=bucket, Key="k", Body=b"x", Tagging=text)
    assert tags_of(s3, bucket) == tags
    upload = begin(s3, bucket, "u", Tagging=text)
    part = put_part(s3, bucket, "u", upload, 1, b"x")
    s3.complete_multipart_upload(
        Bucket=bucket, Key="u", UploadId=upload, MultipartUpload={"Parts": [part]}
    )
    assert tags_of(s3, bucket, "u") == tags


WRONG = {
    "no key": ("=x", 400, "InvalidArgument"),
    "a key twice": ("a=1&a=2", 400, "InvalidArgument"),
    "no UTF-8": ("a=%FF", 400, "InvalidArgument"),
    "eleven": ("&".join(f"k{n}=v" for n in range(11)), 400, "BadRequest"),
    "a long key": ("k" * 129 + "=v", 400, "InvalidTag"),
    "a long value": ("k=" + "v" * 257, 400, "InvalidTag"),
    "signs": ("k=a%26b", 400, "InvalidTag"),
    "a tag of the system": ("aws%3Ax=1", 400, "InvalidTag"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_header_that_is_wrong_stores_nothing(s3: Any, bucket: str, case: str) -> None:
    text, status, code = WRONG[case]
    with refused(status, code):
        s3.put_object(Bucket=bucket, Key="k", Body=b"x", Tagging=text)
    with refused(status, code):
        s3.create_multipart_upload(Bucket=bucket, Key="k", Tagging=text)
    assert "Contents" not in s3.list_objects_v2(Bucket=bucket)


SETS = {
    "eleven": ({f"k{n}": "v" for n in range(11)}, "BadRequest"),
    "a long key": ({"k" * 129: "v"}, "InvalidTag"),
    "a long key of two units each": ({"😀" * 65: "v"}, "InvalidTag"),
    "a long value": ({"k": "v" * 257}, "InvalidTag"),
    "signs": ({"k": "a&b"}, "InvalidTag"),
    "a tag of the system": ({"aws:x": "v"}, "InvalidTag"),
}


@pytest.mark.parametrize("case", SETS)
def test_a_set_that_is_wrong_changes_nothing(s3: Any, bucket: str, case: str) -> None:
    tags, code = SETS[case]
    s3.put_object(Bucket=bucket, Key="k", Body=b"x", Tagging="a=b")
    with refused(400, code):
        put_tags(s3, bucket, tags)
    assert tags_of(s3, bucket) == {"a": "b"}


DOCUMENTS = {
    "nothing": "<Tagging/>",
    "another root": "<Tags><TagSet/></Tags>",
    "no value": "<Tagging><TagSet><Tag><Key>a</Key></Tag></TagSet></Tagging>",
    "two keys": "<Tagging><TagSet><Tag><Key>a</Key><Key>b</Key></Tag></TagSet></Tagging>",
    "something else": "<Tagging><TagSet><Other/></TagSet></Tagging>",
    "not XML": "<Tagging>",
}


@pytest.mark.parametrize("case", DOCUMENTS)
def test_a_document_that_is_wrong_is_malformed(node: Node, s3: Any, bucket: str, case: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    body = DOCUMENTS[case].encode()
    headers = {"Content-MD5": content_md5(body)}
    for target in (object_target(bucket, "k", "tagging"), bucket_target(bucket, "tagging")):
        reply = node.send("PUT", target, headers=headers, body=body)
        expect_error(reply, 400, "MalformedXML")


@pytest.mark.parametrize("keys", [("a", "a"), ("",)])
def test_keys_are_there_and_differ(node: Node, s3: Any, bucket: str, keys: tuple[str, ...]) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    tags = "".join(f"<Tag><Key>{key}</Key><Value>1</Value></Tag>" for key in keys)
    body = f"<Tagging><TagSet>{tags}</TagSet></Tagging>".encode()
    headers = {"Content-MD5": content_md5(body)}
    for target in (object_target(bucket, "k", "tagging"), bucket_target(bucket, "tagging")):
        expect_error(node.send("PUT", target, headers=headers, body=body), 400, "InvalidTag")


def test_a_copy_takes_tags_over_or_gets_others(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"x", Tagging="a=b")
    source = {"Bucket": bucket, "Key": "k"}
    copies: dict[str, tuple[dict[str, str], Tags]] = {
        "plain": ({}, {"a": "b"}),
        "metadata": ({"MetadataDirective": "REPLACE"}, {"a": "b"}),
        "replaced": ({"TaggingDirective": "REPLACE", "Tagging": "c=d"}, {"c": "d"}),
        "dropped": ({"TaggingDirective": "REPLACE"}, {}),
    }
    for key, (more, tags) in copies.items():
        s3.copy_object(Bucket=bucket, Key=key, CopySource=source, **more)
        assert tags_of(s3, bucket, key) == tags, key
    with refused(400, "InvalidArgument"):
        s3.copy_object(Bucket=bucket, Key="n", CopySource=source, TaggingDirective="MERGE")
    s3.copy_object(
        Bucket=bucket, Key="k", CopySource=source, MetadataDirective="REPLACE",
        TaggingDirective="REPLACE", Tagging="e=f",
    )  # fmt: skip
    assert tags_of(s3, bucket) == {"e": "f"}


# --- buckets --------------------------------------------------------------------------------


def bucket_tags(s3: Any, bucket: str) -> Tags:
    reply = s3.get_bucket_tagging(Bucket=bucket)
    return {tag["Key"]: tag["Value"] for tag in reply["TagSet"]}


def test_tags_of_a_bucket(s3: Any, bucket: str) -> None:
    with refused(404, "NoSuchTagSet"):
        s3.get_bucket_tagging(Bucket=bucket)
    tags = {f"key {n}": "v" * 256 for n in range(50)}
    reply = s3.put_bucket_tagging(Bucket=bucket, Tagging=tag_set(tags))
    assert reply["ResponseMetadata"]["HTTPStatusCode"] == 204
    assert bucket_tags(s3, bucket) == tags
    with refused(400, "BadRequest"):
        s3.put_bucket_tagging(Bucket=bucket, Tagging=tag_set(tags | {"more": ""}))
    with refused(400, "InvalidTag"):
        s3.put_bucket_tagging(Bucket=bucket, Tagging=tag_set({"AWS:x": ""}))
    assert bucket_tags(s3, bucket) == tags
    assert s3.delete_bucket_tagging(Bucket=bucket)["ResponseMetadata"]["HTTPStatusCode"] == 204
    with refused(404, "NoSuchTagSet"):
        s3.get_bucket_tagging(Bucket=bucket)
    s3.delete_bucket_tagging(Bucket=bucket)


def test_a_bucket_is_made_with_tags(s3: Any, people: People) -> None:
    name = fresh("tags")
    wrong = {"Tags": [{"Key": "aws:a", "Value": "b"}]}
    with refused(400, "InvalidTag"):
        s3.create_bucket(Bucket=name, CreateBucketConfiguration=wrong)
    given = {"Tags": [{"Key": "a", "Value": "b"}]}
    create = {"Action": ["s3:CreateBucket"], "Resource": "*"}
    with people.allowed(people.ann, create), refused(403, "AccessDenied"):
        people.ann.s3.create_bucket(Bucket=name, CreateBucketConfiguration=given)
    with refused(404, "404"):
        s3.head_bucket(Bucket=name)
    s3.create_bucket(Bucket=name, CreateBucketConfiguration=given)
    try:
        assert bucket_tags(s3, name) == {"a": "b"}
    finally:
        s3.delete_bucket(Bucket=name)


# --- who may --------------------------------------------------------------------------------


def test_how_many_tags_there_are_is_told_to_who_may_read_them(people: People, alices: str) -> None:
    people.alice.s3.put_object(Bucket=alices, Key="k", Body=b"x", Tagging="a=b&c=d")
    read = {"Action": ["s3:GetObject"], "Resource": f"arn:aws:s3:::{alices}/*"}
    tags = {"Action": ["s3:GetObjectTagging"], "Resource": f"arn:aws:s3:::{alices}/*"}
    with people.allowed(people.ann, read):
        assert "TagCount" not in people.ann.s3.get_object(Bucket=alices, Key="k")
        with refused(403, "AccessDenied"):
            tags_of(people.ann.s3, alices)
        with people.allowed(people.ann, tags):
            assert people.ann.s3.get_object(Bucket=alices, Key="k")["TagCount"] == 2
            assert people.ann.s3.head_object(Bucket=alices, Key="k")["TagCount"] == 2


def test_whoever_copies_tags_may_read_and_set_them(people: People, alices: str) -> None:
    people.alice.s3.put_object(Bucket=alices, Key="k", Body=b"x", Tagging="a=b")
    base = ["s3:GetObject", "s3:PutObject"]

    def copy(*more: str, **parameters: str) -> None:
        statement = {"Action": base + list(more), "Resource": f"arn:aws:s3:::{alices}/*"}
        with people.allowed(people.ann, statement):
            people.ann.s3.copy_object(
                Bucket=alices, Key="c", CopySource={"Bucket": alices, "Key": "k"}, **parameters
            )

    for more in ((), ("s3:GetObjectTagging",), ("s3:PutObjectTagging",)):
        with refused(403, "AccessDenied"):
            copy(*more)
    copy(TaggingDirective="REPLACE")
    assert tags_of(people.alice.s3, alices, "c") == {}
    copy("s3:GetObjectTagging", "s3:PutObjectTagging")
    assert tags_of(people.alice.s3, alices, "c") == {"a": "b"}
    with refused(403, "AccessDenied"):
        copy("s3:GetObjectTagging", TaggingDirective="REPLACE", Tagging="c=d")
