"""Whose something is, and that replies say so: owners, initiators, buckets of one's own."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from functools import partial

import pytest

from tests.people import Person, policy
from tests.wire.people import People, bucket_of
from tests.wire.support import begin, bucket_target, object_target, outcome, read, refused


def open_to(people: People, bucket: str, *whom: Person) -> None:
    """Let others read, list and write a bucket of Alice's."""
    arns = [person.arn for person in whom]
    resources = [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"]
    statement = {"Principal": {"AWS": arns}, "Action": "s3:*", "Resource": resources}
    people.alice.s3.put_bucket_policy(Bucket=bucket, Policy=policy(statement))


# --- objects and uploads --------------------------------------------------------------------


def test_listings_show_the_account_of_each_object(people: People, alices: str) -> None:
    alice, bob = people.alice, people.bob
    open_to(people, alices, bob)
    alice.s3.put_object(Bucket=alices, Key="a", Body=b"x")
    bob.s3.put_object(Bucket=alices, Key="b", Body=b"x")
    people.settle()
    expected = {"a": (alice.canonical, "Alice"), "b": (bob.canonical, "Bob")}
    for person in (alice, bob):
        for page in (
            person.s3.list_objects(Bucket=alices),
            person.s3.list_objects_v2(Bucket=alices, FetchOwner=True),
        ):
            told = {
                entry["Key"]: (entry["Owner"]["ID"], entry["Owner"]["DisplayName"])
                for entry in page["Contents"]
            }
            assert told == expected
    page = alice.s3.list_objects_v2(Bucket=alices)
    assert all("Owner" not in entry for entry in page["Contents"])


def test_where_the_owner_enforces_it_everything_is_the_owners(people: People, alices: str) -> None:
    open_to(people, alices, people.bob)
    people.bob.s3.put_object(Bucket=alices, Key="before", Body=b"x")
    people.settle()
    enforced = {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}
    people.alice.s3.put_bucket_ownership_controls(Bucket=alices, OwnershipControls=enforced)
    people.bob.s3.put_object(Bucket=alices, Key="after", Body=b"x")
    page = people.alice.s3.list_objects(Bucket=alices)
    assert {entry["Owner"]["ID"] for entry in page["Contents"]} == {people.alice.canonical}
    assert read(people.alice.s3, alices, "before") == b"x"


def test_who_writes_into_anothers_bucket_keeps_what_it_writes(people: People, alices: str) -> None:
    """As in S3 where ACLs count: the bucket's owner may not read it, but may delete it."""
    alice, bob, ann = people.alice, people.bob, people.ann
    open_to(people, alices, bob, ann)
    bob.s3.put_object(Bucket=alices, Key="b", Body=b"bob's")
    people.settle()
    upload = begin(bob.s3, alices, "u")
    part = bob.s3.upload_part(Bucket=alices, Key="u", UploadId=upload, PartNumber=1, Body=b"x")
    bob.s3.complete_multipart_upload(
        Bucket=alices,
        Key="u",
        UploadId=upload,
        MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]},
    )
    bob.s3.copy_object(Bucket=alices, Key="c", CopySource={"Bucket": alices, "Key": "b"})
    for key in ("b", "u", "c"):
        assert read(bob.s3, alices, key)
        for person in (alice, ann):
            with refused(403, "AccessDenied"):
                person.s3.get_object(Bucket=alices, Key=key)
    bob.s3.put_object_acl(Bucket=alices, Key="b", ACL="bucket-owner-read")
    assert read(alice.s3, alices, "b") == b"bob's"
    alice.s3.delete_object(Bucket=alices, Key="u")


def test_a_writer_of_another_account_says_what_acl_its_object_has(
    people: People, alices: str
) -> None:
    """It is its own object: the bucket's policy has to allow the write alone. For a user of the
    bucket's account it is the account's."""
    alice, bob, ann = people.alice, people.bob, people.ann
    writing = {
        "Principal": {"AWS": [bob.arn, ann.arn]},
        "Action": "s3:PutObject",
        "Resource": f"arn:aws:s3:::{alices}/*",
    }
    alice.s3.put_bucket_policy(Bucket=alices, Policy=policy(writing))
    it = {"Bucket": alices, "Body": b"x", "ACL": "bucket-owner-full-control"}
    bob.s3.put_object(Key="b", **it)
    assert read(alice.s3, alices, "b") == b"x"
    bob.s3.put_object(Key="b", **it)  # in place of its own, which only bob may change the ACL of
    assert outcome(partial(ann.s3.put_object, Key="a", **it)) == "AccessDenied"
    ann.s3.put_object(Bucket=alices, Key="a", Body=b"x")
    assert outcome(partial(bob.s3.put_object_acl, Bucket=alices, Key="a", ACL="private")) == (
        "AccessDenied"
    )


@pytest.mark.parametrize("mode", ["ObjectWriter", "BucketOwnerPreferred", "BucketOwnerEnforced"])
def test_a_policy_that_wants_the_owners_full_control_works_in_every_mode(
    people: People, alices: str, mode: str
) -> None:
    """Nobody has to change such a policy, or what writes by it, when ACLs are disabled."""
    alice, bob = people.alice, people.bob
    rules = {"Rules": [{"ObjectOwnership": mode}]}
    alice.s3.put_bucket_ownership_controls(Bucket=alices, OwnershipControls=rules)
    writing = {
        "Principal": {"AWS": bob.arn},
        "Action": "s3:PutObject",
        "Resource": f"arn:aws:s3:::{alices}/*",
        "Condition": {"StringEquals": {"s3:x-amz-acl": "bucket-owner-full-control"}},
    }
    alice.s3.put_bucket_policy(Bucket=alices, Policy=policy(writing))
    it = {"Bucket": alices, "Key": "k"}
    assert outcome(partial(bob.s3.put_object, **it)) == "AccessDenied"
    bob.s3.put_object(**it, Body=b"his", ACL="bucket-owner-full-control")
    begin(bob.s3, alices, "k", ACL="bucket-owner-full-control")
    assert read(alice.s3, alices, "k") == b"his"
    people.settle()
    del writing["Condition"]
    alice.s3.put_bucket_policy(Bucket=alices, Policy=policy(writing))
    enforced = mode == "BucketOwnerEnforced"
    told = outcome(partial(bob.s3.put_object, **it, ACL="private"))
    assert told == ("AccessControlListNotSupported" if enforced else "")
    told = outcome(partial(bob.s3.put_object_acl, **it, ACL="private"))
    assert told == ("AccessDenied" if enforced else "")


def test_the_first_object_of_another_account_is_its_own_like_the_next(
    people: People, alices: str
) -> None:
    alice, bob = people.alice, people.bob
    resource = f"arn:aws:s3:::{alices}/*"
    writing = {"Principal": {"AWS": bob.arn}, "Action": "s3:PutObject", "Resource": resource}
    alice.s3.put_bucket_policy(Bucket=alices, Policy=policy(writing))
    for key in ("first", "next"):
        bob.s3.put_object(Bucket=alices, Key=key, Body=b"x", Tagging="whose=bobs")
        tags = bob.s3.get_object_tagging(Bucket=alices, Key=key)["TagSet"]
        assert tags == [{"Key": "whose", "Value": "bobs"}]
        people.settle()


def test_who_began_an_upload_lists_its_parts_and_ends_it(people: People, alices: str) -> None:
    """By default: a policy may still deny it."""
    alice, ann, bob = people.alice, people.ann, people.bob
    resource = f"arn:aws:s3:::{alices}/*"
    whom = {"AWS": [bob.arn, ann.arn]}
    writing = {"Principal": whom, "Action": "s3:PutObject", "Resource": resource}
    alice.s3.put_bucket_policy(Bucket=alices, Policy=policy(writing))
    for person, other in ((bob, ann), (ann, bob)):
        upload = {"Bucket": alices, "Key": "k", "UploadId": begin(person.s3, alices, "k")}
        person.s3.upload_part(**upload, PartNumber=1, Body=b"x")
        for ask in (other.s3, people.nobody.s3):
            assert outcome(partial(ask.list_parts, **upload)) == "AccessDenied"
            assert outcome(partial(ask.abort_multipart_upload, **upload)) == "AccessDenied"
        assert len(person.s3.list_parts(**upload)["Parts"]) == 1
        person.s3.abort_multipart_upload(**upload)
        assert outcome(partial(person.s3.list_parts, **upload)) == "AccessDenied"
        assert outcome(partial(alice.s3.list_parts, **upload)) == "NoSuchUpload"
    kept = {"Bucket": alices, "Key": "k", "UploadId": begin(bob.s3, alices, "k")}
    never = {**writing, "Effect": "Deny", "Action": "s3:AbortMultipartUpload"}
    alice.s3.put_bucket_policy(Bucket=alices, Policy=policy(writing, never))
    assert outcome(partial(bob.s3.abort_multipart_upload, **kept)) == "AccessDenied"
    bob.s3.list_parts(**kept)


def test_what_strangers_write_is_the_bucket_owners(people: People, alices: str) -> None:
    alice, nobody = people.alice, people.nobody
    alice.s3.put_bucket_acl(Bucket=alices, ACL="public-read-write")
    nobody.s3.put_object(Bucket=alices, Key="left", Body=b"behind")
    entry = alice.s3.list_objects(Bucket=alices)["Contents"][0]
    assert entry["Owner"]["ID"] == alice.canonical
    assert read(alice.s3, alices, "left") == b"behind"
    with refused(403, "AccessDenied"):
        nobody.s3.get_object(Bucket=alices, Key="left")


def test_uploads_show_the_user_that_began_them(people: People, alices: str) -> None:
    alice, ann, bob = people.alice, people.ann, people.bob
    open_to(people, alices, ann, bob)
    uploads = {
        key: begin(person.s3, alices, key) for key, person in (("a", ann), ("b", bob), ("c", alice))
    }
    owners = {"a": alice, "b": bob, "c": alice}
    users = {"a": ann, "b": bob, "c": alice}
    page = alice.s3.list_multipart_uploads(Bucket=alices)["Uploads"]
    assert [entry["Key"] for entry in page] == ["a", "b", "c"]
    for entry in page:
        key = entry["Key"]
        parts = alice.s3.list_parts(Bucket=alices, Key=key, UploadId=uploads[key])
        for told in (entry, parts):
            assert told["Owner"]["ID"] == owners[key].canonical
            assert told["Owner"]["DisplayName"] == owners[key].name.title()
            assert told["Initiator"]["ID"] == users[key].arn
            assert told["Initiator"]["DisplayName"] == users[key].name


# --- buckets --------------------------------------------------------------------------------


@pytest.fixture
def bobs(people: People) -> Iterator[str]:
    """A fresh bucket of Bob's."""
    yield from bucket_of(people, people.bob)


def listed(person: Person) -> set[str]:
    return {entry["Name"] for entry in person.s3.list_buckets()["Buckets"]}


def test_everybody_is_shown_the_buckets_of_their_account(
    people: People, alices: str, bobs: str
) -> None:
    assert alices in listed(people.alice)
    assert bobs not in listed(people.alice)
    assert bobs in listed(people.bob)
    assert alices not in listed(people.bob)
    assert {alices, bobs} <= listed(people.root)
    with refused(403, "AccessDenied"):
        people.ann.s3.list_buckets()
    with people.allowed(people.ann, {"Action": "s3:ListAllMyBuckets", "Resource": "*"}):
        assert listed(people.ann) == listed(people.alice)
    with refused(403, "AccessDenied"):
        people.nobody.s3.list_buckets()


def test_the_owner_in_a_list_of_buckets_is_who_asks(people: People, alices: str) -> None:
    for person in (people.alice, people.bob, people.root):
        assert person.s3.list_buckets()["Owner"]["ID"] == person.canonical


def test_pages_of_buckets_skip_those_of_others(people: People) -> None:
    mark = uuid.uuid4().hex[:8]
    mine = [f"{mark}-{number}" for number in (0, 2, 4, 6)]
    others = [f"{mark}-{number}" for number in (1, 3, 5)]
    for name in mine:
        people.alice.s3.create_bucket(Bucket=name)
    for name in others:
        people.bob.s3.create_bucket(Bucket=name)
    pages = people.alice.s3.get_paginator("list_buckets").paginate(
        Prefix=mark, PaginationConfig={"PageSize": 2}
    )
    assert [[entry["Name"] for entry in page["Buckets"]] for page in pages] == [mine[:2], mine[2:]]
    for name in mine + others:
        people.root.s3.delete_bucket(Bucket=name)


def test_a_role_adds_the_buckets_that_it_names(people: People, alices: str, bobs: str) -> None:
    """A role of AIStore's gives another account's bucket, without any policy."""
    carol = people.new_user(f"carol-{uuid.uuid4().hex[:6]}")
    role = {
        "name": f"reader-{uuid.uuid4().hex[:6]}",
        "buckets": [{"bck": {"name": alices, "provider": "ais"}, "perm": str(0b1100000011)}],
    }
    node = people.node
    assert listed(carol) == set()
    with refused(403, "AccessDenied"):
        carol.s3.list_objects_v2(Bucket=alices)
    reply = node.send("POST", "/v1/roles", body=json.dumps(role).encode())
    assert reply.status == 200, reply.body
    given = json.dumps({"id": carol.name, "roles": [role["name"]]}).encode()
    reply = node.send("PUT", f"/v1/users/{carol.name}", body=given)
    assert reply.status == 200, reply.body
    people.settle()
    assert listed(carol) == {alices}
    people.alice.s3.put_object(Bucket=alices, Key="k", Body=b"x")
    assert read(carol.s3, alices, "k") == b"x"
    assert len(carol.s3.list_objects_v2(Bucket=alices)["Contents"]) == 1
    with refused(403, "AccessDenied"):
        carol.s3.put_object(Bucket=alices, Key="k", Body=b"y")
    with refused(403, "AccessDenied"):
        carol.s3.list_objects_v2(Bucket=bobs)


def test_a_name_is_taken_by_oneself_or_by_another(people: People, alices: str) -> None:
    with refused(409, "BucketAlreadyOwnedByYou"):
        people.alice.s3.create_bucket(Bucket=alices)
    with refused(409, "BucketAlreadyExists"):
        people.bob.s3.create_bucket(Bucket=alices)
    with refused(403, "AccessDenied"):
        people.ann.s3.create_bucket(Bucket=alices)
    with refused(403, "AccessDenied"):
        people.nobody.s3.create_bucket(Bucket=f"{alices}-nobody")


def test_a_bucket_that_a_user_makes_is_its_accounts(people: People) -> None:
    name = f"ann-{uuid.uuid4().hex[:12]}"
    with people.allowed(
        people.ann, {"Action": "s3:CreateBucket", "Resource": "arn:aws:s3:::ann-*"}
    ):
        assert outcome(lambda: people.ann.s3.create_bucket(Bucket="other-name")) == "AccessDenied"
        people.ann.s3.create_bucket(Bucket=name)
    assert name in listed(people.alice)
    people.alice.s3.delete_bucket(Bucket=name)


def test_making_a_bucket_with_an_acl_or_controls_takes_those_actions(people: People) -> None:
    name = f"ann-{uuid.uuid4().hex[:12]}"
    making = {"Action": "s3:CreateBucket", "Resource": "*"}
    ann = people.ann.s3
    with people.allowed(people.ann, making):
        assert outcome(lambda: ann.create_bucket(Bucket=name, ACL="public-read")) == "AccessDenied"
        for mode in ("BucketOwnerEnforced", "ObjectWriter"):
            made = {"Bucket": name, "ObjectOwnership": mode}
            assert outcome(partial(ann.create_bucket, **made)) == "AccessDenied"
        more = {"Action": ["s3:PutBucketAcl", "s3:PutBucketOwnershipControls"], "Resource": "*"}
        with people.allowed(people.ann, more):
            ann.create_bucket(Bucket=name, ACL="public-read", ObjectOwnership="ObjectWriter")
    people.alice.s3.delete_bucket(Bucket=name)


# --- x-amz-expected-bucket-owner ------------------------------------------------------------


def test_a_request_may_say_whose_bucket_it_is_for(people: People, alices: str) -> None:
    alice, bob = people.alice, people.bob
    for expected in (alice.account, alice.canonical):
        alice.s3.head_bucket(Bucket=alices, ExpectedBucketOwner=expected)
        alice.s3.put_object(Bucket=alices, Key="k", Body=b"x", ExpectedBucketOwner=expected)
    for expected, code in (
        *((known, "AccessDenied") for known in (bob.account, bob.canonical, "000000000000")),
        *((no, "InvalidBucketOwnerAWSAccountID") for no in ("me", "", "00000000000", "0" * 63)),
    ):
        it = {"Bucket": alices, "ExpectedBucketOwner": expected}
        calls = (
            partial(alice.s3.list_objects_v2, **it),
            partial(alice.s3.get_object, Key="k", **it),
            partial(alice.s3.delete_bucket, **it),
            partial(alice.s3.get_bucket_policy, **it),
        )
        assert {outcome(call) for call in calls} == {code}
    told = {"Bucket": alices, "ExpectedBucketOwner": "me"}
    assert outcome(partial(bob.s3.list_objects_v2, **told)) == "AccessDenied"  # asked first
    assert read(alice.s3, alices, "k") == b"x"


@pytest.mark.parametrize(
    ("method", "target"),
    [
        ("POST", "/s3/{}?delete"),
        ("GET", "/s3/{}/k"),
        ("GET", "/v20180820/tags/arn%3Aaws%3As3%3A%3A%3A{}"),
    ],
)
def test_an_expected_owner_that_is_none_is_no_failure_of_the_server(
    people: People, alices: str, method: str, target: str
) -> None:
    headers = {
        "x-amz-expected-bucket-owner": "me",
        "x-amz-account-id": people.alice.account,
    }
    alice = people.alice.signing
    reply = people.node.send(method, target.format(alices), headers=headers, **alice)
    assert reply.status == 400
    assert b"<Code>InvalidBucketOwnerAWSAccountID</Code>" in reply.body


# --- strangers ------------------------------------------------------------------------------


def test_what_is_public_is_read_without_a_signature(people: People, alices: str) -> None:
    alice, node = people.alice, people.node
    alice.s3.put_object(Bucket=alices, Key="open", Body=b"hello", ACL="public-read")
    alice.s3.put_object(Bucket=alices, Key="closed", Body=b"secret")
    target = object_target(alices, "open")
    reply = node.send("GET", target, signed=False)
    assert (reply.status, reply.body) == (200, b"hello")
    assert node.send("HEAD", target, signed=False).status == 200
    reply = node.send("GET", target, signed=False, headers={"Range": "bytes=1-2"})
    assert (reply.status, reply.body) == (206, b"el")
    assert node.send("GET", object_target(alices, "closed"), signed=False).code == "AccessDenied"
    assert node.send("GET", bucket_target(alices), signed=False).code == "AccessDenied"
    assert node.send("PUT", target, signed=False, body=b"mine now").code == "AccessDenied"
    assert node.send("DELETE", target, signed=False).code == "AccessDenied"
    query = "response-content-type=text%2Fhtml"
    reply = node.send("GET", object_target(alices, "open", query), signed=False)
    assert (reply.status, reply.code) == (400, "InvalidRequest")
    reply = node.send("GET", object_target(alices, "open", query), **people.bob.signing)
    assert (reply.status, reply.headers["content-type"]) == (200, "text/html")


def test_an_object_for_users_is_read_by_users_only(people: People, alices: str, bobs: str) -> None:
    people.alice.s3.put_object(Bucket=alices, Key="k", Body=b"x", ACL="authenticated-read")
    assert read(people.bob.s3, alices, "k") == b"x"
    assert read(people.ann.s3, alices, "k") == b"x"
    with refused(403, "AccessDenied"):
        people.nobody.s3.get_object(Bucket=alices, Key="k")
    source = {"Bucket": alices, "Key": "k"}
    people.bob.s3.copy_object(Bucket=bobs, Key="c", CopySource=source)
    assert read(people.bob.s3, bobs, "c") == b"x"
