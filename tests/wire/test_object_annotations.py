"""Put, Get, Delete and List of object annotations, and what becomes of them.

https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObjectAnnotation.html
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.harness import Node
from tests.wire.people import People
from tests.wire.support import checksum, etag_of, expect_error, object_target, outcome, refused

TEXT = "a caption, with ümlauts"


def put(s3: Any, bucket: str, name: str, text: str = TEXT, key: str = "k", **more: Any) -> Any:
    return s3.put_object_annotation(
        Bucket=bucket, Key=key, AnnotationName=name, AnnotationPayload=text.encode(), **more
    )


def get(s3: Any, bucket: str, name: str, key: str = "k", **more: Any) -> str:
    reply = s3.get_object_annotation(Bucket=bucket, Key=key, AnnotationName=name, **more)
    return str(reply["AnnotationPayload"].read().decode())


def names(s3: Any, bucket: str, key: str = "k", **more: Any) -> list[str]:
    reply = s3.list_object_annotations(Bucket=bucket, Key=key, **more)
    return [entry["AnnotationName"] for entry in reply.get("Annotations", [])]


@pytest.fixture
def etag(s3: Any, bucket: str) -> str:
    """The ETag of the object `k`."""
    return str(s3.put_object(Bucket=bucket, Key="k", Body=b"bytes")["ETag"])


def test_an_annotation_is_kept_beside_the_object(s3: Any, bucket: str, etag: str) -> None:
    made = put(s3, bucket, "caption/de")
    assert (made["Key"], made["AnnotationName"]) == ("k", "caption/de")
    assert made["ETag"] == etag_of(TEXT.encode())
    assert get(s3, bucket, "caption/de") == TEXT
    reply = s3.get_object_annotation(
        Bucket=bucket, Key="k", AnnotationName="caption/de", ChecksumMode="ENABLED"
    )
    kept = {name for name in reply if name.startswith("Checksum") and name != "ChecksumType"}
    assert kept
    for name in kept:
        assert reply[name] == checksum(name.removeprefix("Checksum"), TEXT.encode())
    assert s3.head_object(Bucket=bucket, Key="k")["ETag"] == etag
    put(s3, bucket, "caption/de", "replaced")
    assert get(s3, bucket, "caption/de") == "replaced"
    reply = s3.list_object_annotations(Bucket=bucket, Key="k")
    assert reply["AnnotationCount"] == 1
    assert reply["Annotations"][0]["Size"] == len("replaced")


def test_a_large_one_comes_back_and_a_larger_one_is_refused(
    s3: Any, bucket: str, etag: str
) -> None:
    put(s3, bucket, "large", "x" * (1 << 20))
    assert get(s3, bucket, "large") == "x" * (1 << 20)
    with refused(400, "MaxMessageLengthExceeded"):
        put(s3, bucket, "larger", "x" * ((1 << 20) + 1))


def test_they_are_listed_by_name_and_page(s3: Any, bucket: str, etag: str) -> None:
    assert names(s3, bucket) == []
    for name in ("b", "a/2", "a/1", "c"):
        put(s3, bucket, name)
    assert names(s3, bucket) == ["a/1", "a/2", "b", "c"]
    assert names(s3, bucket, AnnotationPrefix="a/") == ["a/1", "a/2"]
    first = s3.list_object_annotations(Bucket=bucket, Key="k", MaxAnnotationResults=3)
    rest = s3.list_object_annotations(
        Bucket=bucket, Key="k", ContinuationToken=first["NextContinuationToken"]
    )
    assert [entry["AnnotationName"] for entry in rest["Annotations"]] == ["c"]
    assert "NextContinuationToken" not in rest


def test_one_is_deleted_and_that_is_no_error_again(s3: Any, bucket: str, etag: str) -> None:
    put(s3, bucket, "a")
    put(s3, bucket, "b")
    with refused(412, "PreconditionFailed"):
        s3.delete_object_annotation(
            Bucket=bucket, Key="k", AnnotationName="a", ObjectIfMatch='"other"'
        )
    for _ in range(2):
        s3.delete_object_annotation(Bucket=bucket, Key="k", AnnotationName="a", ObjectIfMatch=etag)
    assert names(s3, bucket) == ["b"]
    with refused(404, "NoSuchAnnotation"):
        get(s3, bucket, "a")


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("x" * 513, "AnnotationNameTooLong"),
        ("ä" * 257, "AnnotationNameTooLong"),
        ("aws-thing", "InvalidAnnotationName"),
        ("S3x", "InvalidAnnotationName"),
        ("line\nbreak", "InvalidAnnotationName"),
    ],
)
def test_names_have_rules(s3: Any, bucket: str, etag: str, name: str, code: str) -> None:
    with refused(400, code):
        put(s3, bucket, name)


def test_what_is_no_text_is_refused(node: Node, s3: Any, bucket: str, etag: str) -> None:
    target = object_target(bucket, "k", "annotation&annotationName=a")
    expect_error(node.send("PUT", target, body=b"\xff\xfe"), 415, "UnsupportedMediaType")
    expect_error(node.send("PUT", target), 400, "MissingRequestBodyError")
    headers = {"Content-MD5": "AAAAAAAAAAAAAAAAAAAAAA=="}
    expect_error(node.send("PUT", target, body=b"a", headers=headers), 400, "BadDigest")
    with refused(412, "PreconditionFailed"):
        put(s3, bucket, "a", ObjectIfMatch='"other"')
    long = "annotation&annotation-prefix=" + "x" * 513
    expect_error(node.send("GET", object_target(bucket, "k", long)), 400, "InvalidPrefix")


def test_an_object_has_to_be_there(s3: Any, bucket: str) -> None:
    for call in (put, get):
        with refused(404, "NoSuchKey"):
            call(s3, bucket, "a")
    with refused(404, "NoSuchKey"):
        names(s3, bucket)


def test_they_go_with_the_object(s3: Any, bucket: str, etag: str) -> None:
    put(s3, bucket, "a")
    s3.put_object(Bucket=bucket, Key="k", Body=b"new")
    assert names(s3, bucket) == []
    put(s3, bucket, "b")
    s3.delete_object(Bucket=bucket, Key="k")
    s3.put_object(Bucket=bucket, Key="k", Body=b"newer")
    assert names(s3, bucket) == []


def test_they_stay_through_a_rename_and_an_append(s3: Any, bucket: str, etag: str) -> None:
    put(s3, bucket, "a")
    s3.put_object(Bucket=bucket, Key="k", Body=b"more", WriteOffsetBytes=5)
    s3.rename_object(Bucket=bucket, Key="renamed", RenameSource=f"{bucket}/k")
    assert get(s3, bucket, "a", "renamed") == TEXT


def test_each_version_has_its_own(s3: Any, bucket: str) -> None:
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    first, second = (
        s3.put_object(Bucket=bucket, Key="k", Body=b"%d" % n)["VersionId"] for n in range(2)
    )
    assert put(s3, bucket, "a", "of the first", VersionId=first)["ObjectVersionId"] == first
    assert names(s3, bucket) == []
    put(s3, bucket, "a", "of the second")
    assert get(s3, bucket, "a", VersionId=first) == "of the first"
    assert get(s3, bucket, "a") == "of the second"
    s3.delete_object(Bucket=bucket, Key="k", VersionId=second)
    assert get(s3, bucket, "a") == "of the first"
    s3.delete_object(Bucket=bucket, Key="k", VersionId=first)


def test_a_copy_has_them_unless_they_are_excluded(s3: Any, bucket: str, etag: str) -> None:
    put(s3, bucket, "a")
    put(s3, bucket, "b", "2")
    source = {"Bucket": bucket, "Key": "k"}
    s3.copy_object(Bucket=bucket, Key="copy", CopySource=source)
    assert names(s3, bucket, "copy") == ["a", "b"]
    assert get(s3, bucket, "b", "copy") == "2"
    s3.copy_object(Bucket=bucket, Key="bare", CopySource=source, AnnotationDirective="EXCLUDE")
    assert names(s3, bucket, "bare") == []


def test_writers_at_once_lose_none(s3: Any, bucket: str, etag: str) -> None:
    wanted = sorted(f"n{number}" for number in range(24))
    with ThreadPoolExecutor(8) as pool:
        codes = list(pool.map(lambda name: outcome(lambda: put(s3, bucket, name)), wanted))
    assert set(codes) == {""}
    assert names(s3, bucket) == wanted


def test_each_action_has_a_permission_of_its_own(people: People, alices: str) -> None:
    people.alice.s3.put_object(Bucket=alices, Key="k", Body=b"1")
    ann = people.ann.s3
    calls: dict[str, Callable[[], Any]] = {
        "s3:PutObjectAnnotation": lambda: put(ann, alices, "a"),
        "s3:GetObjectAnnotation": lambda: get(ann, alices, "a"),
        "s3:ListObjectAnnotations": lambda: names(ann, alices),
        "s3:DeleteObjectAnnotation": lambda: ann.delete_object_annotation(
            Bucket=alices, Key="k", AnnotationName="a"
        ),
    }
    for action, call in calls.items():
        with refused(403, "AccessDenied"):
            call()
        allowed = {
            "Effect": "Allow",
            "Action": action,
            "Resource": f"arn:aws:s3:::{alices}/*",
        }
        with people.allowed(people.ann, allowed):
            call()
