"""Every operation: denied to who may not, with nothing changed; allowed by just the actions that it
needs; denied again where one of them is.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest

from tests.access.operations import ABSENT, OPERATIONS, Operation, Scene, contents, prepare
from tests.people import policy
from tests.wire.people import People
from tests.wire.support import outcome

# What somebody hears who was let through, of a document that is not there.
NOT_THERE = {
    "NoSuchBucketPolicy",
    "NoSuchPublicAccessBlockConfiguration",
    "OwnershipControlsNotFoundError",
}
# Who may do these in another account hears 405, as S3 documents it.
OF_POLICIES = {"GetBucketPolicy", "PutBucketPolicy", "DeleteBucketPolicy"}
each_operation = pytest.mark.parametrize(
    "operation", OPERATIONS, ids=[operation.name for operation in OPERATIONS]
)


@pytest.fixture
def scene(people: People, alices: str) -> Scene:
    return prepare(people.alice, alices)


@pytest.fixture(scope="module")
def shared_scene(people: People) -> Scene:
    """For tests that change nothing."""
    name = "the-scene-of-many"
    people.alice.s3.create_bucket(Bucket=name)
    return prepare(people.alice, name)


def let_through(operation: Operation, s3: Any, scene: Scene) -> bool:
    code = outcome(lambda: operation.call(s3, scene))
    assert code in ("", "AccessDenied", "403", *NOT_THERE), code
    return code not in ("AccessDenied", "403")


@each_operation
@pytest.mark.parametrize("name", ["ann", "bob", "nobody"])
def test_who_was_given_nothing_may_do_nothing(
    people: People, shared_scene: Scene, operation: Operation, name: str
) -> None:
    scene = shared_scene
    before = contents(people.root.s3, scene.bucket)
    assert not let_through(operation, people.by_name(name).s3, scene)
    assert contents(people.root.s3, scene.bucket) == before


@each_operation
def test_the_policy_of_a_user_allows_it_and_any_deny_forbids_it(
    people: People, scene: Scene, operation: Operation
) -> None:
    ann = people.ann
    with people.allowed(ann, *operation.statements(scene.bucket)):
        for action in operation.actions:
            forbidden = {"Effect": "Deny", "Action": action, "Resource": "*"}
            with people.allowed(ann, forbidden):
                assert not let_through(operation, ann.s3, scene), action
        assert let_through(operation, ann.s3, scene)


@each_operation
def test_the_policy_of_a_bucket_allows_it_to_another_account(
    people: People, scene: Scene, operation: Operation
) -> None:
    whom = {"AWS": people.bob.arn}
    text = policy(*operation.statements(scene.bucket, Principal=whom))
    people.alice.s3.put_bucket_policy(Bucket=scene.bucket, Policy=text)
    assert not let_through(operation, people.nobody.s3, scene)
    if operation.name in OF_POLICIES:
        assert outcome(lambda: operation.call(people.bob.s3, scene)) == "MethodNotAllowed"
    else:
        assert let_through(operation, people.bob.s3, scene)


@each_operation
def test_the_owner_and_the_administrator_may_do_it(
    people: People, scene: Scene, operation: Operation
) -> None:
    assert let_through(operation, people.alice.s3, scene)
    if operation.name not in ("CompleteMultipartUpload", "AbortMultipartUpload"):  # are over
        again = scene
        if "was" in operation.name:
            etag = people.alice.s3.put_object(Bucket=scene.bucket, Key="k", Body=b"kept")["ETag"]
            again = Scene(scene.bucket, scene.upload, scene.part, scene.owner, etag)
        assert let_through(operation, people.root.s3, again)


@pytest.mark.parametrize(("method", "parameters", "action"), ABSENT)
def test_what_is_not_there_is_refused_first_and_told_then(
    people: People, shared_scene: Scene, method: str, parameters: dict[str, str], action: str
) -> None:
    bucket = shared_scene.bucket
    arguments = {"Bucket": bucket, **parameters}
    ann = people.ann
    assert outcome(lambda: getattr(ann.s3, method)(**arguments)) == "AccessDenied"
    end = "/*" if "Key" in parameters else ""
    allowed = {"Action": action, "Resource": f"arn:aws:s3:::{bucket}{end}"}
    with people.allowed(ann, allowed):
        assert outcome(lambda: getattr(ann.s3, method)(**arguments)) != "AccessDenied"


def test_deleting_a_bucket_takes_its_own_action(people: People, alices: str) -> None:
    for person in (people.ann, people.bob, people.nobody):
        assert outcome(partial(person.s3.delete_bucket, Bucket=alices)) == "AccessDenied"
    resource = f"arn:aws:s3:::{alices}"
    with people.allowed(people.ann, {"Action": "s3:DeleteBucket", "Resource": resource}):
        people.ann.s3.delete_bucket(Bucket=alices)
    people.alice.s3.create_bucket(Bucket=alices)
