"""Keys of users on the wire: whose they are, and that they end for every worker when they end.

Each request is a connection of its own, so that all workers are asked.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from tests.conftest import empty_and_remove
from tests.people import Person
from tests.wire.people import People

ASKED = 12  # enough that every worker is among those that answer


@pytest.fixture
def person(people: People) -> Iterator[Person]:
    """A user with an account of its own, for one test."""
    made = people.new_user(f"u-{uuid.uuid4().hex[:12]}")
    people.settle()
    yield made
    people.node.send("DELETE", f"/v1/users/{made.name}")


def answers(people: People, person: Person) -> set[tuple[int, str]]:
    people.settle()
    told = [people.node.send("GET", "/", **person.signing) for _ in range(ASKED)]
    return {(reply.status, reply.code) for reply in told}


GOOD = {(200, "")}
UNKNOWN = {(403, "InvalidAccessKeyId")}


def key_of(person: Person) -> str:
    return f"/v1/users/{person.name}/keys/{person.access_key}"


def switch(people: People, person: Person, active: bool) -> None:
    body = json.dumps({"active": active}).encode()
    assert people.node.send("PUT", key_of(person), body=body).status == 200


def test_three_users_own_what_they_make(people: People) -> None:
    """Each through an unpatched client, with a key of its own; Ann writes into her account's."""
    made: dict[str, str] = {}
    for person in (people.alice, people.bob, people.root):
        name = made[person.name] = f"own-{uuid.uuid4().hex[:12]}"
        person.s3.create_bucket(Bucket=name)
    try:
        for person in (people.alice, people.bob):
            listed = person.s3.list_buckets()
            assert listed["Owner"]["ID"] == person.canonical
            names = {bucket["Name"] for bucket in listed["Buckets"]}
            assert names & {*made.values()} == {made[person.name]}
        bucket = made["alice"]
        allow = {"Action": "s3:*", "Resource": ["arn:aws:s3:::" + bucket + "/*"]}
        with people.allowed(people.ann, allow):
            people.ann.s3.put_object(Bucket=bucket, Key="k", Body=b"hers")
        assert people.alice.s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"hers"
        owner = people.alice.s3.list_objects_v2(Bucket=bucket, FetchOwner=True)["Contents"][0]
        assert owner["Owner"]["ID"] == people.alice.canonical == people.ann.canonical
        with pytest.raises(ClientError, match="AccessDenied"):
            people.bob.s3.get_object(Bucket=bucket, Key="k")
        with pytest.raises(ClientError, match="AccessDenied"):
            people.ann.s3.get_object(Bucket=bucket, Key="k")
    finally:
        for name in made.values():
            empty_and_remove(people.root.s3, name)


def test_a_key_that_is_switched_off_ends_in_every_worker(people: People, person: Person) -> None:
    assert answers(people, person) == GOOD
    switch(people, person, False)
    assert answers(people, person) == UNKNOWN
    switch(people, person, True)
    assert answers(people, person) == GOOD


def test_a_key_that_is_deleted_ends_in_every_worker(people: People, person: Person) -> None:
    assert answers(people, person) == GOOD
    assert people.node.send("DELETE", key_of(person)).status == 200
    assert answers(people, person) == UNKNOWN


def sts(people: People, person: Person) -> Any:
    return boto3.client(
        "sts",
        endpoint_url=people.node.root,
        region_name="us-east-1",
        aws_access_key_id=person.access_key,
        aws_secret_access_key=person.secret_key,
    )


def test_a_user_that_is_deleted_ends_with_its_keys_and_sessions(
    people: People, person: Person
) -> None:
    given = sts(people, person).get_session_token()["Credentials"]
    with_session = {
        "access_key": given["AccessKeyId"],
        "secret_key": given["SecretAccessKey"],
        "headers": {"X-Amz-Security-Token": given["SessionToken"]},
    }

    def by_session() -> set[tuple[int, str]]:
        told = [people.node.send("GET", "/", **with_session) for _ in range(ASKED)]
        return {(reply.status, reply.code) for reply in told}

    assert (answers(people, person), by_session()) == (GOOD, GOOD)
    assert people.node.send("DELETE", f"/v1/users/{person.name}").status == 200
    assert (answers(people, person), by_session()) == (UNKNOWN, UNKNOWN)
    # A later user of the name has nothing of it.
    again = people.new_user(person.name)
    assert again.canonical != person.canonical
    assert (answers(people, again), by_session()) == (GOOD, UNKNOWN)
    assert answers(people, person) == UNKNOWN


def test_a_secret_that_is_wrong_tells_nothing_of_users(people: People, person: Person) -> None:
    reply = people.node.send("GET", "/", access_key=person.access_key, secret_key="x" * 40)
    assert (reply.status, reply.code) == (403, "SignatureDoesNotMatch")
    assert person.name.encode() not in reply.body
    assert person.secret_key.encode() not in reply.body
