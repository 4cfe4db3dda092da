"""Get/PutBucketVersioning, and what versions are to every operation that reads, writes or removes
objects: version ids in requests and replies, delete markers, the null version.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/Versioning.html
"""

from __future__ import annotations

import json
import uuid
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.cluster.cluster import wait_until
from tests.harness import Node
from tests.wire.people import People
from tests.wire.support import bucket_target, expect_error, object_target, outcome, read, refused

NOWHERE = "a" * 24  # the form of a version id, but no place that any version has


def switch(s3: Any, bucket: str, status: str = "Enabled") -> None:
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": status})


def put(s3: Any, bucket: str, key: str, body: bytes) -> str:
    version: str = s3.put_object(Bucket=bucket, Key=key, Body=body)["VersionId"]
    return version


def delete(s3: Any, bucket: str, key: str) -> str:
    """Put a delete marker in front of a key."""
    reply = s3.delete_object(Bucket=bucket, Key=key)
    assert reply["DeleteMarker"] is True
    version: str = reply["VersionId"]
    return version


def read_version(s3: Any, bucket: str, key: str, version: str) -> bytes:
    reply = s3.get_object(Bucket=bucket, Key=key, VersionId=version)
    assert reply["VersionId"] == version
    body: bytes = reply["Body"].read()
    return body


# --- the switch -----------------------------------------------------------------------------


def test_a_bucket_that_was_never_versioned_has_no_status(node: Node, s3: Any, bucket: str) -> None:
    assert "Status" not in s3.get_bucket_versioning(Bucket=bucket)
    reply = node.send("GET", bucket_target(bucket, "versioning"))
    assert reply.body.decode().endswith(
        '<VersioningConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
        "</VersioningConfiguration>"
    )


@pytest.mark.parametrize("status", ["Enabled", "Suspended"])
def test_the_status_is_what_was_set(s3: Any, bucket: str, status: str) -> None:
    switch(s3, bucket, status)
    assert s3.get_bucket_versioning(Bucket=bucket)["Status"] == status


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ("<VersioningConfiguration/>", 400, "IllegalVersioningConfigurationException"),
        ("<VersioningConfiguration><Status>On</Status></VersioningConfiguration>", 400,
         "IllegalVersioningConfigurationException"),
        ("<VersioningConfiguration><Status>Disabled</Status></VersioningConfiguration>", 400,
         "IllegalVersioningConfigurationException"),
        ("<Versioning><Status>Enabled</Status></Versioning>", 400, "MalformedXML"),
        ("<VersioningConfiguration>", 400, "MalformedXML"),
        ("<VersioningConfiguration><Status>Enabled</Status><Status>Suspended</Status>"
         "</VersioningConfiguration>", 400, "MalformedXML"),
        ("", 400, ("MalformedXML", "MissingRequestBodyError")),
        ("<VersioningConfiguration><Status>Enabled</Status><MfaDelete>Enabled</MfaDelete>"
         "</VersioningConfiguration>", 501, "NotImplemented"),
        ("<VersioningConfiguration><Status>Enabled</Status><MfaDelete>Off</MfaDelete>"
         "</VersioningConfiguration>", 400, "MalformedXML"),
    ],
)  # fmt: skip
def test_what_is_no_configuration_is_refused(
    node: Node, s3: Any, bucket: str, body: str, status: int, code: str
) -> None:
    reply = node.send("PUT", bucket_target(bucket, "versioning"), body=body.encode())
    expect_error(reply, status, code)
    assert "Status" not in s3.get_bucket_versioning(Bucket=bucket)


def test_mfa_is_refused_and_its_absence_is_not(s3: Any, bucket: str) -> None:
    configuration = {"Status": "Enabled", "MFADelete": "Enabled"}
    with refused(501, "NotImplemented"):
        s3.put_bucket_versioning(
            Bucket=bucket, VersioningConfiguration=configuration, MFA="serial 123456"
        )
    configuration["MFADelete"] = "Disabled"
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration=configuration)
    assert s3.get_bucket_versioning(Bucket=bucket)["Status"] == "Enabled"


def test_that_mfa_delete_is_disabled_is_told_once_it_was_said(s3: Any, bucket: str) -> None:
    switch(s3, bucket)
    assert "MFADelete" not in s3.get_bucket_versioning(Bucket=bucket)
    configuration = {"Status": "Suspended", "MFADelete": "Disabled"}
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration=configuration)
    for status in ("Suspended", "Enabled"):
        switch(s3, bucket, status)
        told = s3.get_bucket_versioning(Bucket=bucket)
        assert (told["Status"], told["MFADelete"]) == (status, "Disabled")


def test_the_switch_of_no_bucket_is_no_such_bucket(s3: Any) -> None:
    with refused(404, "NoSuchBucket"):
        s3.get_bucket_versioning(Bucket="no-such-bucket-here")
    with refused(404, "NoSuchBucket"):
        switch(s3, "no-such-bucket-here")


# --- reads ----------------------------------------------------------------------------------


def test_versions_are_read_by_their_ids(s3: Any, bucket: str) -> None:
    switch(s3, bucket)
    first, second = put(s3, bucket, "k", b"one"), put(s3, bucket, "k", b"second")
    assert first != second
    assert read_version(s3, bucket, "k", first) == b"one"
    reply = s3.get_object(Bucket=bucket, Key="k")
    assert (reply["VersionId"], reply["Body"].read()) == (second, b"second")
    head = s3.head_object(Bucket=bucket, Key="k", VersionId=first)
    assert (head["VersionId"], head["ContentLength"]) == (first, 3)
    part = s3.get_object(Bucket=bucket, Key="k", VersionId=first, Range="bytes=1-")
    assert (part["VersionId"], part["Body"].read()) == (first, b"ne")
    with refused(412, "PreconditionFailed"):
        s3.get_object(Bucket=bucket, Key="k", VersionId=first, IfMatch=reply["ETag"])


def test_an_unversioned_bucket_tells_no_version(s3: Any, bucket: str) -> None:
    assert "VersionId" not in s3.put_object(Bucket=bucket, Key="k", Body=b"1")
    assert "VersionId" not in s3.get_object(Bucket=bucket, Key="k")
    assert read(s3, bucket, "k") == b"1"
    assert s3.get_object(Bucket=bucket, Key="k", VersionId="null")["Body"].read() == b"1"


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_unknown_and_malformed_versions(node: Node, s3: Any, bucket: str, method: str) -> None:
    switch(s3, bucket)
    put(s3, bucket, "k", b"1")
    for version, status, code in (
        (NOWHERE, 404, "NoSuchVersion"),
        ("null", 404, "NoSuchVersion"),
        ("nonsense", 400, "InvalidArgument"),
        ("%2F..%2F", 400, "InvalidArgument"),
        ("", 400, "InvalidArgument"),
    ):
        reply = node.send(method, object_target(bucket, "k", f"versionId={version}"))
        assert reply.status == status, version
        if method == "GET":
            expect_error(reply, status, code)
    with refused(404, "NoSuchVersion"):
        s3.get_object(Bucket=bucket, Key="other", VersionId=NOWHERE)


def test_a_write_names_no_version(node: Node, s3: Any, bucket: str) -> None:
    """A client that does would take the new version for the one that it named."""
    switch(s3, bucket)
    first = put(s3, bucket, "k", b"one")
    upload = s3.create_multipart_upload(Bucket=bucket, Key="k")["UploadId"]
    for method, query in (
        ("PUT", f"versionId={first}"),
        ("PUT", "versionId="),
        ("PUT", f"partNumber=1&uploadId={upload}&versionId={first}"),
        ("POST", f"uploads=&versionId={first}"),
    ):
        reply = node.send(method, object_target(bucket, "k", query), body=b"two")
        expect_error(reply, 400, "InvalidArgument")
        assert reply.xml.findtext("ArgumentName") == "versionId"
    copied = {"x-amz-copy-source": f"/{bucket}/k"}
    reply = node.send("PUT", object_target(bucket, "to", f"versionId={first}"), headers=copied)
    expect_error(reply, 400, "InvalidArgument")
    versions = s3.list_object_versions(Bucket=bucket)["Versions"]
    assert [(one["Key"], one["VersionId"]) for one in versions] == [("k", first)]


def test_a_source_with_an_empty_version_is_not_the_current_one(
    node: Node, s3: Any, bucket: str
) -> None:
    switch(s3, bucket)
    put(s3, bucket, "k", b"one")
    upload = s3.create_multipart_upload(Bucket=bucket, Key="to")["UploadId"]
    for query in ("", f"partNumber=1&uploadId={upload}"):
        reply = node.send(
            "PUT",
            object_target(bucket, "to", query),
            headers={"x-amz-copy-source": f"/{bucket}/k?versionId="},
        )
        expect_error(reply, 400, "InvalidArgument")
        assert reply.xml.findtext("Message") == "Version id cannot be the empty string"


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_delete_marker_is_told_in_headers(node: Node, s3: Any, bucket: str, method: str) -> None:
    switch(s3, bucket)
    put(s3, bucket, "k", b"1")
    marker = delete(s3, bucket, "k")
    reply = node.send(method, object_target(bucket, "k"))
    assert reply.status == 404
    assert reply.headers["x-amz-delete-marker"] == "true"
    assert reply.headers["x-amz-version-id"] == marker
    reply = node.send(method, object_target(bucket, "k", f"versionId={marker}"))
    assert reply.status == 405
    assert reply.headers["x-amz-delete-marker"] == "true"
    assert reply.headers["x-amz-version-id"] == marker
    assert reply.headers["allow"] == "DELETE"
    assert reply.headers["last-modified"]
    if method == "GET":
        expect_error(reply, 405, "MethodNotAllowed")
        assert reply.xml.findtext("Method") == "GET"
        assert reply.xml.findtext("ResourceType") == "DeleteMarker"
    reply = node.send(method, object_target(bucket, "never there"))
    assert reply.status == 404
    assert "x-amz-delete-marker" not in reply.headers


def test_attributes_and_acls_of_versions(s3: Any, bucket: str) -> None:
    switch(s3, bucket)
    first, _ = put(s3, bucket, "k", b"one"), put(s3, bucket, "k", b"second")
    found = s3.get_object_attributes(
        Bucket=bucket, Key="k", VersionId=first, ObjectAttributes=["ObjectSize"]
    )
    assert (found["ObjectSize"], found["VersionId"]) == (3, first)
    s3.put_object_acl(Bucket=bucket, Key="k", VersionId=first, ACL="public-read")
    assert len(s3.get_object_acl(Bucket=bucket, Key="k", VersionId=first)["Grants"]) == 2
    assert len(s3.get_object_acl(Bucket=bucket, Key="k")["Grants"]) == 1
    marker = delete(s3, bucket, "k")
    reply = outcome(
        lambda: s3.get_object_attributes(
            Bucket=bucket, Key="k", VersionId=marker, ObjectAttributes=["ETag"]
        )
    )
    assert reply == "MethodNotAllowed"
    with refused(404, "NoSuchKey"):
        s3.get_object_attributes(Bucket=bucket, Key="k", ObjectAttributes=["ETag"])
    for call in (s3.get_object_acl, s3.put_object_acl):
        options = {"ACL": "private"} if call is s3.put_object_acl else {}
        with refused(405, "MethodNotAllowed"):
            call(Bucket=bucket, Key="k", VersionId=marker, **options)
        with refused(404, "NoSuchVersion"):
            call(Bucket=bucket, Key="k", VersionId=NOWHERE, **options)


# --- writes ---------------------------------------------------------------------------------


def test_every_write_tells_its_version(s3: Any, bucket: str) -> None:
    switch(s3, bucket)
    first = put(s3, bucket, "k", b"one")
    source = {"Bucket": bucket, "Key": "k", "VersionId": first}
    copied = s3.copy_object(Bucket=bucket, Key="copy", CopySource=source)
    assert copied["CopySourceVersionId"] == first
    assert read_version(s3, bucket, "copy", copied["VersionId"]) == b"one"
    upload = s3.create_multipart_upload(Bucket=bucket, Key="k")["UploadId"]
    part = s3.upload_part_copy(
        Bucket=bucket, Key="k", UploadId=upload, PartNumber=1, CopySource=source
    )
    assert part["CopySourceVersionId"] == first
    done = s3.complete_multipart_upload(
        Bucket=bucket,
        Key="k",
        UploadId=upload,
        MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": part["CopyPartResult"]["ETag"]}]},
    )
    assert read_version(s3, bucket, "k", done["VersionId"]) == b"one"
    assert len({first, copied["VersionId"], done["VersionId"]}) == 3


def test_a_former_version_is_restored_by_a_copy_onto_its_key(s3: Any, bucket: str) -> None:
    switch(s3, bucket)
    first, _ = put(s3, bucket, "k", b"one"), put(s3, bucket, "k", b"second")
    source = {"Bucket": bucket, "Key": "k", "VersionId": first}
    copied = s3.copy_object(Bucket=bucket, Key="k", CopySource=source)
    assert copied["VersionId"] != first
    assert read(s3, bucket, "k") == b"one"
    with refused(400, "InvalidRequest"):
        s3.copy_object(Bucket=bucket, Key="k", CopySource={"Bucket": bucket, "Key": "k"})


def test_sources_that_are_no_version(s3: Any, bucket: str) -> None:
    switch(s3, bucket)
    put(s3, bucket, "k", b"one")
    marker = delete(s3, bucket, "k")
    source = {"Bucket": bucket, "Key": "k"}
    upload = s3.create_multipart_upload(Bucket=bucket, Key="to")["UploadId"]
    named = {"UploadId": upload, "PartNumber": 1}
    for call, options in ((s3.copy_object, {}), (s3.upload_part_copy, named)):
        with refused(404, "NoSuchKey"):
            call(Bucket=bucket, Key="to", CopySource=source, **options)
        for version, status, code in (
            (marker, 400, "InvalidRequest"),
            (NOWHERE, 404, "NoSuchVersion"),
            ("nonsense", 400, "InvalidArgument"),
        ):
            with refused(status, code):
                call(
                    Bucket=bucket, Key="to", CopySource={**source, "VersionId": version}, **options
                )


def test_conditions_are_held_to_the_current_version(s3: Any, bucket: str) -> None:
    switch(s3, bucket)
    etag = s3.put_object(Bucket=bucket, Key="k", Body=b"one")["ETag"]
    with refused(412, "PreconditionFailed"):
        s3.put_object(Bucket=bucket, Key="k", Body=b"two", IfNoneMatch="*")
    s3.put_object(Bucket=bucket, Key="k", Body=b"two", IfMatch=etag)
    with refused(412, "PreconditionFailed"):
        s3.put_object(Bucket=bucket, Key="k", Body=b"three", IfMatch=etag)
    with refused(412, "PreconditionFailed"):
        s3.delete_object(Bucket=bucket, Key="k", IfMatch=etag)
    delete(s3, bucket, "k")
    with refused(404, "NoSuchKey"):
        s3.put_object(Bucket=bucket, Key="k", Body=b"three", IfMatch=etag)
    s3.put_object(Bucket=bucket, Key="k", Body=b"three", IfNoneMatch="*")


# --- the null version -----------------------------------------------------------------------


def test_null_versions_come_and_go_as_the_switch_says(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"before")
    switch(s3, bucket)
    # What is read may be told as the bucket was up to a second ago.
    wait_until(
        lambda: all("VersionId" in s3.head_object(Bucket=bucket, Key="k") for _ in range(6)),
        "all gateways know of the switch",
    )
    assert s3.head_object(Bucket=bucket, Key="k")["VersionId"] == "null"
    first = put(s3, bucket, "k", b"one")
    assert read_version(s3, bucket, "k", "null") == b"before"
    switch(s3, bucket, "Suspended")
    assert put(s3, bucket, "k", b"null") == "null"
    assert read_version(s3, bucket, "k", "null") == b"null"
    assert read_version(s3, bucket, "k", first) == b"one"
    assert delete(s3, bucket, "k") == "null"
    with refused(405, "MethodNotAllowed"):
        s3.get_object(Bucket=bucket, Key="k", VersionId="null")
    reply = s3.delete_object(Bucket=bucket, Key="k", VersionId="null")
    assert (reply["VersionId"], reply["DeleteMarker"]) == ("null", True)
    assert read(s3, bucket, "k") == b"one"


# --- deletes --------------------------------------------------------------------------------


def test_a_version_is_removed_for_good_and_the_one_below_comes_up(s3: Any, bucket: str) -> None:
    switch(s3, bucket)
    first, second = put(s3, bucket, "k", b"one"), put(s3, bucket, "k", b"second")
    marker = delete(s3, bucket, "k")
    reply = s3.delete_object(Bucket=bucket, Key="k", VersionId=marker)
    assert (reply["VersionId"], reply["DeleteMarker"]) == (marker, True)
    assert read(s3, bucket, "k") == b"second"
    reply = s3.delete_object(Bucket=bucket, Key="k", VersionId=second)
    assert reply["VersionId"] == second
    assert "DeleteMarker" not in reply
    assert read(s3, bucket, "k") == b"one"
    with refused(404, "NoSuchVersion"):
        s3.get_object(Bucket=bucket, Key="k", VersionId=second)
    s3.delete_object(Bucket=bucket, Key="k", VersionId=second)  # there is none: no error
    s3.delete_object(Bucket=bucket, Key="k", VersionId=NOWHERE)
    with refused(400, "InvalidArgument"):
        s3.delete_object(Bucket=bucket, Key="k", VersionId="nonsense")
    s3.delete_object(Bucket=bucket, Key="k", VersionId=first)
    with refused(404, "NoSuchKey"):
        s3.get_object(Bucket=bucket, Key="k")


def test_a_conditional_removal_is_held_to_the_version_it_names(s3: Any, bucket: str) -> None:
    switch(s3, bucket)
    one = s3.put_object(Bucket=bucket, Key="k", Body=b"one")
    put(s3, bucket, "k", b"second")
    wrong = '"' + "0" * 32 + '"'
    with refused(412, "PreconditionFailed"):
        s3.delete_object(Bucket=bucket, Key="k", VersionId=one["VersionId"], IfMatch=wrong)
    s3.delete_object(Bucket=bucket, Key="k", VersionId=one["VersionId"], IfMatch=one["ETag"])
    with refused(404, "NoSuchVersion"):
        s3.get_object(Bucket=bucket, Key="k", VersionId=one["VersionId"])


def test_many_versions_are_removed_at_once(s3: Any, bucket: str) -> None:
    switch(s3, bucket)
    first, second = put(s3, bucket, "k", b"one"), put(s3, bucket, "k", b"second")
    old = delete(s3, bucket, "gone")
    put(s3, bucket, "plain", b"1")
    named = [
        {"Key": "k", "VersionId": first},
        {"Key": "k", "VersionId": second},
        {"Key": "gone", "VersionId": old},
        {"Key": "plain"},
        {"Key": "plain", "VersionId": "nonsense"},
        {"Key": "plain", "VersionId": NOWHERE},
    ]
    reply = s3.delete_objects(Bucket=bucket, Delete={"Objects": named})
    told = {(each["Key"], each.get("VersionId", "")): each for each in reply["Deleted"]}
    assert told["k", first] == {"Key": "k", "VersionId": first}
    assert told["gone", old]["DeleteMarker"] is True
    assert told["gone", old]["DeleteMarkerVersionId"] == old
    assert told["plain", ""]["DeleteMarker"] is True
    assert ("plain", NOWHERE) in told
    [error] = reply["Errors"]
    assert (error["Key"], error["VersionId"]) == ("plain", "nonsense")
    assert error["Code"] == "InvalidArgument"
    left = s3.list_object_versions(Bucket=bucket)
    assert [each["Key"] for each in left["Versions"]] == ["plain"]
    marker = left["DeleteMarkers"][0]["VersionId"]
    assert marker == told["plain", ""]["DeleteMarkerVersionId"]


def test_a_bucket_with_markers_alone_is_not_empty(s3: Any, bucket: str) -> None:
    switch(s3, bucket)
    marker = delete(s3, bucket, "k")
    with refused(409, "BucketNotEmpty"):
        s3.delete_bucket(Bucket=bucket)
    s3.delete_object(Bucket=bucket, Key="k", VersionId=marker)
    s3.delete_bucket(Bucket=bucket)


# --- who may --------------------------------------------------------------------------------


def test_version_actions_are_asked_for_by_name(people: People, alices: str) -> None:
    alice, ann = people.alice, people.ann
    switch(alice.s3, alices)
    first, _ = put(alice.s3, alices, "k", b"one"), put(alice.s3, alices, "k", b"second")
    arn = f"arn:aws:s3:::{alices}"

    def allow(*actions: str) -> None:
        statement = {
            "Effect": "Allow",
            "Principal": {"AWS": ann.arn},
            "Action": [f"s3:{action}" for action in actions],
            "Resource": [arn, f"{arn}/*"],
        }
        text = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        alice.s3.put_bucket_policy(Bucket=alices, Policy=text)

    def may(version: str = "") -> list[str]:
        """What Ann may do of reading, listing versions, and deleting a version."""
        named = {"VersionId": version} if version else {}
        calls = {
            "get": lambda: ann.s3.get_object(Bucket=alices, Key="k", **named),
            "acl": lambda: ann.s3.get_object_acl(Bucket=alices, Key="k", **named),
            "list": lambda: ann.s3.list_object_versions(Bucket=alices),
            "copy": lambda: ann.s3.copy_object(
                Bucket=alices, Key="to", CopySource={"Bucket": alices, "Key": "k", **named}
            ),
        }
        return [name for name, call in calls.items() if not outcome(call)]

    allow("GetObject", "PutObject", "ListBucket", "DeleteObject", "GetObjectAcl")
    assert may() == ["get", "acl", "copy"]
    assert may(first) == []
    with refused(403, "AccessDenied"):
        ann.s3.delete_object(Bucket=alices, Key="k", VersionId=first)
    allow("GetObjectVersion", "PutObject", "GetObjectVersionAcl", "ListBucketVersions")
    assert may() == ["list"]
    assert may(first) == ["get", "acl", "list", "copy"]
    with refused(403, "AccessDenied"):
        ann.s3.delete_object(Bucket=alices, Key="k", VersionId=first)
    named = {"Objects": [{"Key": "k", "VersionId": first}]}
    reply = ann.s3.delete_objects(Bucket=alices, Delete=named)
    assert [error["Code"] for error in reply["Errors"]] == ["AccessDenied"]
    allow("DeleteObjectVersion")
    with refused(403, "AccessDenied"):
        ann.s3.delete_object(Bucket=alices, Key="k")
    ann.s3.delete_object(Bucket=alices, Key="k", VersionId=first)


def test_the_acl_of_the_named_version_counts(people: People, alices: str) -> None:
    alice, nobody = people.alice.s3, people.nobody.s3
    alice.put_bucket_ownership_controls(
        Bucket=alices, OwnershipControls={"Rules": [{"ObjectOwnership": "ObjectWriter"}]}
    )
    alice.delete_public_access_block(Bucket=alices)
    switch(alice, alices)
    public = alice.put_object(Bucket=alices, Key="k", Body=b"all", ACL="public-read")["VersionId"]
    private = put(alice, alices, "k", b"mine")
    assert read_version(nobody, alices, "k", public) == b"all"
    for version in ({}, {"VersionId": private}, {"VersionId": NOWHERE}):
        with refused(403, "AccessDenied"):
            nobody.get_object(Bucket=alices, Key="k", **version)
    delete(alice, alices, "k")  # that there is no current object changes nothing for a former one
    assert read_version(nobody, alices, "k", public) == b"all"
    alice.put_object(Bucket=alices, Key="k", Body=b"all again", ACL="public-read")
    with refused(403, "AccessDenied"):
        nobody.get_object(Bucket=alices, Key="k", VersionId=private)


def test_a_bucket_with_nothing_but_a_delete_marker_says_that_versions_are_left(
    s3: Any, bucket: str
) -> None:
    switch(s3, bucket)
    marker = s3.delete_object(Bucket=bucket, Key="gone")["VersionId"]
    with pytest.raises(ClientError) as refusal:
        s3.delete_bucket(Bucket=bucket)
    assert refusal.value.response["Error"]["Code"] == "BucketNotEmpty"
    assert "delete all versions" in refusal.value.response["Error"]["Message"]
    s3.delete_object(Bucket=bucket, Key="gone", VersionId=marker)


def test_a_status_that_there_is_not_is_answered_with_those_that_there_are(
    node: Node, bucket: str
) -> None:
    body = b"<VersioningConfiguration><Status>On</Status></VersioningConfiguration>"
    reply = node.send("PUT", bucket_target(bucket, "versioning"), body=body)
    assert b"must be Enabled or Suspended" in reply.body


def test_a_suspension_that_is_refused_says_which_configuration_forbids_it(s3: Any) -> None:
    name = f"kept-{uuid.uuid4().hex[:12]}"
    s3.create_bucket(Bucket=name, ObjectLockEnabledForBucket=True)
    try:
        with pytest.raises(ClientError, match="An Object Lock configuration is present"):
            s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Suspended"})
    finally:
        s3.delete_bucket(Bucket=name)
