"""Operations of S3's model that are refused: a proper 501 that says why, never the plain verb; and
sub-resources on methods that they do not have."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

import botocore.session
import pytest

from aisle.api.s3.compatibility import REFUSED
from aisle.api.s3.operations import ROUTES, SELECTORS
from tests.conftest import empty_and_remove
from tests.harness import Node
from tests.wire.support import content_md5, expect_error, read

# These have no bucket of ours to be called on: one is ListBuckets on another service's host, the
# other is called on a host of its own.
ELSEWHERE = {"ListDirectoryBuckets", "WriteGetObjectResponse"}

MODEL = botocore.session.get_session().get_service_model("s3")
NOT_BUILT = sorted(set(REFUSED) - ELSEWHERE)
BODY = b"<Anything/>"


@pytest.fixture(scope="module")
def shelf(s3: Any) -> Iterator[str]:
    """A bucket with the object `k`."""
    name = f"todo-{uuid.uuid4().hex[:12]}"
    s3.create_bucket(Bucket=name)
    s3.put_object(Bucket=name, Key="k", Body=b"kept", Metadata={"a": "1"})
    yield name
    empty_and_remove(s3, name)


def call(name: str, bucket: str) -> tuple[str, str]:
    """Method and target of an operation on `bucket` or on its object `k`.

    Parameters that go into the query are given too, where the operation cannot do without.
    """
    operation = MODEL.operation_model(name)
    path, _, query = operation.http["requestUri"].partition("?")
    path = path.replace("{Bucket}", bucket).replace("{Key+}", "k")
    shape = operation.input_shape
    for member in shape.required_members:
        described = shape.members[member]
        if described.serialization.get("location") == "querystring":
            query += f"&{described.serialization['name']}=x"
    return operation.http["method"], f"/s3{path}?" + "&".join(sorted(query.split("&")))


@pytest.mark.parametrize("name", NOT_BUILT)
def test_it_is_told_as_not_implemented_and_changes_nothing(
    node: Node, s3: Any, shelf: str, name: str
) -> None:
    method, target = call(name, shelf)
    before = s3.head_object(Bucket=shelf, Key="k")
    body = BODY if method in ("PUT", "POST") else b""
    reply = node.send(method, target, headers={"Content-MD5": content_md5(body)}, body=body)
    expect_error(reply, 501, "NotImplemented")
    assert REFUSED[name].replace("'", "&apos;").encode() in reply.body
    after = s3.head_object(Bucket=shelf, Key="k")
    assert (after["ETag"], after["LastModified"], after["Metadata"]) == (
        before["ETag"],
        before["LastModified"],
        {"a": "1"},
    )
    assert read(s3, shelf, "k") == b"kept"
    assert [entry["Key"] for entry in s3.list_objects_v2(Bucket=shelf)["Contents"]] == ["k"]


# Sub-resources on verbs that the model does not pair them with: still no plain verb.
ROUTED = {(row.level, row.method, row.selector) for row in ROUTES}
UNPAIRED = sorted(
    (level, method, selector)
    for selector in SELECTORS
    for level in ("bucket", "object")
    for method in ("PUT", "DELETE", "POST")
    if (level, method, selector) not in ROUTED
)


@pytest.mark.parametrize(("level", "method", "name"), UNPAIRED)
def test_a_subresource_is_never_taken_for_the_plain_verb(
    node: Node, s3: Any, shelf: str, level: str, method: str, name: str
) -> None:
    key = "/k" if level == "object" else ""
    reply = node.send(method, f"/s3/{shelf}{key}?{name}", body=b"overwritten")
    expect_error(reply, 405, "MethodNotAllowed")
    assert read(s3, shelf, "k") == b"kept"
    assert s3.head_bucket(Bucket=shelf)["ResponseMetadata"]["HTTPStatusCode"] == 200


@pytest.mark.parametrize(
    "query", ["metadataTable=", "metadataTable=x", "x-id=CreateSomething&metadataTable"]
)
def test_the_form_of_the_query_does_not_matter(node: Node, shelf: str, query: str) -> None:
    reply = node.send("GET", f"/s3/{shelf}?{query}")
    expect_error(reply, 501, "NotImplemented")


def test_an_unknown_bucket_or_an_anonymous_caller_hears_no_more_than_elsewhere(
    node: Node, shelf: str
) -> None:
    reply = node.send("GET", "/s3/no-such-bucket-here?tagging")
    expect_error(reply, 404, "NoSuchBucket")
    reply = node.send("GET", f"/s3/{shelf}?tagging", signed=False)
    expect_error(reply, 403, "AccessDenied")
