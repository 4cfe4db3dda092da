"""What S3 knows of a window beside its objects is the remote bucket's: told and changed there."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from aisle.api.s3.forwarding import OURS, WITHHELD
from aisle.api.s3.operations import ROUTES, Route
from tests.harness import Node
from tests.remote.windows import Remote, make_window
from tests.servers.faults import Fault, FaultProxy
from tests.servers.moto import MotoServer

LIFECYCLE = {
    "Rules": [
        {"ID": "old", "Filter": {"Prefix": "tmp/"}, "Status": "Enabled", "Expiration": {"Days": 3}}
    ]
}
CORS = {"CORSRules": [{"AllowedMethods": ["GET"], "AllowedOrigins": ["https://a.example"]}]}
ENCRYPTION = {
    "Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}]
}  # fmt: skip
INVENTORY = {
    "Id": "all",
    "IsEnabled": True,
    "IncludedObjectVersions": "Current",
    "Schedule": {"Frequency": "Weekly"},
    "OptionalFields": ["Size", "ETag"],
    "Destination": {
        "S3BucketDestination": {"Bucket": "arn:aws:s3:::there", "Format": "CSV", "Prefix": "inv"}
    },
}
TAGS = {"TagSet": [{"Key": "team", "Value": "ml + data"}]}
# What is put, with what, and what gets it back.
CONFIGURATIONS: list[tuple[str, dict[str, Any], str, dict[str, Any]]] = [
    ("put_bucket_tagging", {"Tagging": TAGS}, "get_bucket_tagging", {}),
    (
        "put_bucket_versioning",
        {"VersioningConfiguration": {"Status": "Enabled"}},
        "get_bucket_versioning",
        {},
    ),
    (
        "put_bucket_lifecycle_configuration",
        {"LifecycleConfiguration": LIFECYCLE},
        "get_bucket_lifecycle_configuration",
        {},
    ),
    ("put_bucket_cors", {"CORSConfiguration": CORS}, "get_bucket_cors", {}),
    (
        "put_bucket_encryption",
        {"ServerSideEncryptionConfiguration": ENCRYPTION},
        "get_bucket_encryption",
        {},
    ),
    (
        "put_bucket_inventory_configuration",
        {"Id": "all", "InventoryConfiguration": INVENTORY},
        "get_bucket_inventory_configuration",
        {"Id": "all"},
    ),
    (
        "put_bucket_website",
        {"WebsiteConfiguration": {"IndexDocument": {"Suffix": "index.html"}}},
        "get_bucket_website",
        {},
    ),
    (
        "put_public_access_block",
        {"PublicAccessBlockConfiguration": {"BlockPublicAcls": True}},
        "get_public_access_block",
        {},
    ),
]


def told(reply: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in reply.items() if name != "ResponseMetadata"}


@pytest.fixture(scope="module")
def theirs(moto: MotoServer) -> Any:
    """A client of moto."""
    return moto.client()


@pytest.fixture
def on_moto(cache: Node, moto: MotoServer, theirs: Any) -> Iterator[Remote]:
    """A bucket at moto and the window on it."""
    name = f"moto-{uuid.uuid4().hex[:12]}"
    theirs.create_bucket(Bucket=name)
    remote = make_window(cache, theirs, name, {"extra.aws.endpoint": moto.endpoint})
    yield remote
    remote.remove()


@pytest.mark.parametrize(
    ("put", "given", "get", "more"), CONFIGURATIONS, ids=[row[0] for row in CONFIGURATIONS]
)
def test_a_configuration_is_the_remotes(
    on_moto: Remote,
    here: Any,
    theirs: Any,
    put: str,
    given: dict[str, Any],
    get: str,
    more: dict[str, Any],
) -> None:
    getattr(here, put)(Bucket=on_moto.name, **given)
    at_remote = told(getattr(theirs, get)(Bucket=on_moto.name, **more))
    assert at_remote
    assert told(getattr(here, get)(Bucket=on_moto.name, **more)) == at_remote


def test_what_the_remote_does_not_have_is_told_in_its_words(on_moto: Remote, here: Any) -> None:
    for call, code in (
        (here.get_bucket_tagging, "NoSuchTagSet"),
        (here.get_bucket_cors, "NoSuchCORSConfiguration"),
        (here.get_bucket_policy, "NoSuchBucketPolicy"),
    ):
        with pytest.raises(ClientError) as caught:
            call(Bucket=on_moto.name)
        assert caught.value.response["Error"]["Code"] == code
        assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 404


def test_tags_of_an_object_are_the_remotes(on_moto: Remote, here: Any, theirs: Any) -> None:
    on_moto.put_there("dir/a +ü", b"data")
    where = {"Bucket": on_moto.name, "Key": "dir/a +ü"}
    here.put_object_tagging(**where, Tagging=TAGS)
    assert theirs.get_object_tagging(**where)["TagSet"] == TAGS["TagSet"]
    assert here.get_object_tagging(**where)["TagSet"] == TAGS["TagSet"]
    here.delete_object_tagging(**where)
    assert theirs.get_object_tagging(**where)["TagSet"] == []


def test_versions_are_the_remotes_and_are_not_kept(on_moto: Remote, here: Any, theirs: Any) -> None:
    theirs.put_bucket_versioning(Bucket=on_moto.name, VersioningConfiguration={"Status": "Enabled"})
    where = {"Bucket": on_moto.name, "Key": "k"}
    first = theirs.put_object(**where, Body=b"first")["VersionId"]
    second = theirs.put_object(**where, Body=b"second")["VersionId"]
    listed = here.list_object_versions(Bucket=on_moto.name)["Versions"]
    assert [version["VersionId"] for version in listed] == [second, first]
    assert here.get_object(**where, VersionId=first)["Body"].read() == b"first"
    assert here.head_object(**where, VersionId=first)["ContentLength"] == 5
    assert on_moto.cached() == []
    assert here.get_object(**where)["Body"].read() == b"second"
    assert on_moto.cached() == ["k"]
    assert here.get_object(**where, VersionId=first)["Body"].read() == b"first"
    # Deleting the newest version brings the former one back: the copy is not it any more.
    here.delete_object(**where, VersionId=second)
    assert here.get_object(**where)["Body"].read() == b"first"


def test_versions_are_deleted_in_one_request(on_moto: Remote, here: Any, theirs: Any) -> None:
    theirs.put_bucket_versioning(Bucket=on_moto.name, VersioningConfiguration={"Status": "Enabled"})
    where = {"Bucket": on_moto.name, "Key": "k"}
    versions = [theirs.put_object(**where, Body=b"x")["VersionId"] for _ in range(3)]
    named = [{"Key": "k", "VersionId": version} for version in versions[:2]]
    reply = here.delete_objects(Bucket=on_moto.name, Delete={"Objects": named})
    assert sorted(d["VersionId"] for d in reply["Deleted"]) == sorted(versions[:2])
    left = theirs.list_object_versions(Bucket=on_moto.name)["Versions"]
    assert [version["VersionId"] for version in left] == [versions[2]]


def test_a_version_that_does_not_exist_is_told(on_moto: Remote, here: Any) -> None:
    on_moto.put_there("k", b"data")
    with pytest.raises(ClientError) as caught:
        here.get_object(Bucket=on_moto.name, Key="k", VersionId="no-such-version")
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] in (400, 404)


def test_attributes_of_an_object_are_the_remotes(
    window: Callable[..., Remote], here: Any, there: Any
) -> None:
    remote = window()
    remote.put_there("k", b"data")
    asked = {"Bucket": remote.name, "Key": "k", "ObjectAttributes": ["ETag", "ObjectSize"]}
    got, expected = here.get_object_attributes(**asked), there.get_object_attributes(**asked)
    assert (got["ETag"], got["ObjectSize"]) == (expected["ETag"], 4)
    assert remote.cached() == []


def test_a_policy_is_the_remotes(window: Callable[..., Remote], here: Any, there: Any) -> None:
    remote = window()
    policy = (
        '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*",'
        f'"Action":"s3:GetObject","Resource":"arn:aws:s3:::{remote.name}/*"}}]}}'
    )
    here.put_bucket_policy(Bucket=remote.name, Policy=policy)
    assert there.get_bucket_policy(Bucket=remote.name)["Policy"] == policy
    assert here.get_bucket_policy(Bucket=remote.name)["Policy"] == policy
    here.delete_bucket_policy(Bucket=remote.name)
    with pytest.raises(ClientError, match="NoSuchBucketPolicy"):
        there.get_bucket_policy(Bucket=remote.name)


def test_a_window_is_not_deleted_through_s3(
    window: Callable[..., Remote], here: Any, there: Any
) -> None:
    remote = window()
    with pytest.raises(ClientError, match="ais evict") as caught:
        here.delete_bucket(Bucket=remote.name)
    assert caught.value.response["Error"]["Code"] == "MethodNotAllowed"
    there.head_bucket(Bucket=remote.name)
    here.head_bucket(Bucket=remote.name)


@pytest.mark.parametrize(
    ("status", "code", "told_status", "told_code"),
    [
        (403, "InvalidAccessKeyId", 403, "AccessDenied"),
        (403, "AccessDenied", 403, "AccessDenied"),
        (503, "SlowDown", 503, "SlowDown"),
        (500, "InternalError", 503, "ServiceUnavailable"),
        (307, "TemporaryRedirect", 503, "ServiceUnavailable"),
    ],
)
def test_what_the_remote_says_to_the_cluster_is_told_as_the_clusters(
    window: Callable[..., Remote],
    cache: Node,
    faults: FaultProxy,
    status: int,
    code: str,
    told_status: int,
    told_code: str,
) -> None:
    remote = window()
    body = f"<Error><Code>{code}</Code><Message>the key AKIASECRET</Message></Error>".encode()
    faults.add(
        Fault("GET", "policy", times=99, status=status, body=body, headers={"Location": "http://x"})
    )
    reply = cache.send("GET", f"/s3/{remote.name}?policy")
    assert (reply.status, reply.code) == (told_status, told_code)
    message = reply.xml.findtext("Message") or ""
    assert f"aws://{remote.name}" in message
    assert "AKIASECRET" not in message


def test_a_remote_that_is_gone_is_told(
    window: Callable[..., Remote], here: Any, there: Any
) -> None:
    remote = window()
    there.delete_bucket(Bucket=remote.name)
    with pytest.raises(ClientError, match="NoSuchBucket"):
        here.get_bucket_policy(Bucket=remote.name)
    there.create_bucket(Bucket=remote.name)  # for the fixture


def test_what_the_remote_has_not_built_is_told_in_its_words(
    window: Callable[..., Remote], here: Any
) -> None:
    """So that clients which ask for everything (`s3cmd info`) pass over it."""
    with pytest.raises(ClientError) as caught:
        here.get_bucket_metadata_table_configuration(Bucket=window().name)
    assert caught.value.response["Error"]["Code"] == "NotImplemented"


REMOTES = [row for row in ROUTES if row.selector and not (OURS | WITHHELD) & set(row.names)]


@pytest.mark.parametrize("row", REMOTES, ids=lambda row: f"{row.method}-{row.level}-{row.selector}")
def test_no_subresource_is_answered_from_here(
    window: Callable[..., Remote], cache: Node, faults: FaultProxy, row: Route
) -> None:
    """What the remote says comes back, for everything that the cluster does not itself tell."""
    remote = window()
    status = 204 if row.method == "DELETE" else 200
    said = b"" if status == 204 else b"<TheRemotesWords/>"
    faults.add(Fault(row.method, row.selector, times=9, status=status, body=said))
    key = "/k" if row.level == "object" else ""
    body = b"<Document/>" if row.method in ("PUT", "POST") else b""
    reply = cache.send(row.method, f"/s3/{remote.name}{key}?{row.selector}", body=body)
    seen = [
        one for one in faults.requests if one.method == row.method and row.selector in one.target
    ]
    assert len(seen) == 1, reply.body
    assert (reply.status, reply.body) == (status, said)


@pytest.mark.parametrize(("method", "target"), [("GET", "?session"), ("PUT", "/k?renameObject")])
def test_credentials_and_renames_are_not_to_be_had(
    window: Callable[..., Remote], cache: Node, faults: FaultProxy, method: str, target: str
) -> None:
    reply = cache.send(method, f"/s3/{window().name}{target}")
    assert (reply.status, reply.code) == (501, "NotImplemented")
    assert faults.requests == []


@pytest.mark.parametrize("target", ["?tagging&policy", "?tagging&poli%63y", "/k?acl&tagging"])
def test_a_request_is_not_sent_on_as_another_one_than_was_allowed(
    window: Callable[..., Remote], cache: Node, faults: FaultProxy, target: str
) -> None:
    reply = cache.send("GET", f"/s3/{window().name}{target}")
    assert (reply.status, reply.code) == (400, "InvalidArgument")
    assert faults.requests == []


def test_headers_of_the_remote_come_as_they_are(
    window: Callable[..., Remote], cache: Node, faults: FaultProxy
) -> None:
    name, on_the_wire = window().name, "\u65e5".encode().decode("latin-1")
    said = {"x-amz-meta-name": on_the_wire}
    faults.add(Fault("GET", "tagging", status=200, headers=said))
    reply = cache.send("GET", f"/s3/{name}/k?tagging")
    assert (reply.status, reply.headers["x-amz-meta-name"]) == (200, on_the_wire)
