"""What ACLs give, take and keep: three users in two accounts, and nobody.

Spec: "Access control list (ACL) overview" and "Controlling ownership of objects", S3 user guide.
"""

from __future__ import annotations

import json
import uuid
from typing import Any

import pytest

from tests.harness import Node
from tests.people import Person, policy
from tests.wire import acls
from tests.wire.people import People
from tests.wire.support import (
    begin,
    complete,
    object_target,
    outcome,
    put_part,
    put_parts,
    read,
    refused,
)

DENIED = (403, "AccessDenied")
READERS = {"public-read": {"nobody", "bob", "ann"}, "authenticated-read": {"bob", "ann"}}


def fully(person: Person) -> str:
    return f'id="{person.canonical}"'


def may_read(person: Person, bucket: str, key: str) -> bool:
    code = outcome(lambda: read(person.s3, bucket, key))
    assert code in ("", "AccessDenied")
    return not code


def set_mode(people: People, bucket: str, mode: str) -> None:
    rules = {"Rules": [{"ObjectOwnership": mode}]}
    people.alice.s3.put_bucket_ownership_controls(Bucket=bucket, OwnershipControls=rules)


@pytest.mark.parametrize("name", ["private", "public-read", "authenticated-read"])
def test_an_object_is_read_by_those_its_acl_is_for(people: People, alices: str, name: str) -> None:
    people.alice.s3.put_object(Bucket=alices, Key="k", Body=b"hers", ACL=name)
    wanted = READERS.get(name, set()) | {"alice", "root"}
    for who in ("alice", "ann", "bob", "nobody", "root"):
        assert may_read(people.by_name(who), alices, "k") is (who in wanted), who


def test_reading_objects_is_not_listing_them(people: People, alices: str) -> None:
    people.alice.s3.put_object(Bucket=alices, Key="k", Body=b"hers", ACL="public-read")
    with refused(*DENIED):
        people.nobody.s3.list_objects_v2(Bucket=alices)
    people.alice.s3.put_bucket_acl(Bucket=alices, ACL="public-read")
    assert people.nobody.s3.list_objects_v2(Bucket=alices)["KeyCount"] == 1
    people.alice.s3.put_object(Bucket=alices, Key="private", Body=b"hers")
    assert not may_read(people.nobody, alices, "private")


def test_an_id_is_granted_what_the_header_says(people: People, alices: str) -> None:
    alice, bob = people.alice, people.bob
    alice.s3.put_object(Bucket=alices, Key="k", Body=b"hers", GrantRead=fully(bob))
    assert may_read(bob, alices, "k")
    assert not may_read(people.nobody, alices, "k")
    with refused(*DENIED):
        bob.s3.get_object_acl(Bucket=alices, Key="k")
    alice.s3.put_object_acl(Bucket=alices, Key="k", GrantReadACP=fully(bob))
    assert acls.of_object(bob.s3, alices, "k") == [(bob.canonical, "READ_ACP")]
    assert not may_read(bob, alices, "k")
    with refused(*DENIED):
        bob.s3.put_object_acl(Bucket=alices, Key="k", ACL="public-read")
    alice.s3.put_object_acl(Bucket=alices, Key="k", GrantWriteACP=fully(bob))
    bob.s3.put_object_acl(Bucket=alices, Key="k", ACL="public-read")
    assert may_read(people.nobody, alices, "k")


def test_the_document_names_owner_and_grantees_by_display_name(people: People, alices: str) -> None:
    alice, bob = people.alice, people.bob
    alice.s3.put_object(
        Bucket=alices, Key="k", Body=b"1", GrantRead=fully(bob), GrantFullControl=fully(alice)
    )
    reply = alice.s3.get_object_acl(Bucket=alices, Key="k")
    assert reply["Owner"] == {"ID": alice.canonical, "DisplayName": "Alice"}
    grantees = [grant["Grantee"] for grant in reply["Grants"]]
    assert [grantee["DisplayName"] for grantee in grantees] == ["Alice", "Bob"]


def test_an_address_is_granted_as_the_account_that_has_it(
    people: People, alices: str, node: Node
) -> None:
    name = f"mail-{uuid.uuid4().hex[:8]}"
    made = {"id": name, "email": f"{name}@example.org"}
    assert node.send("POST", "/v1/users", body=json.dumps(made).encode()).status == 200
    canonical = json.loads(node.send("GET", f"/v1/users/{name}").body)["canonical_id"]
    address = f"{name.upper()}@example.org"
    s3 = people.alice.s3
    s3.put_bucket_acl(Bucket=alices, GrantRead=f'emailAddress="{address}"')
    assert acls.of_bucket(s3, alices) == [(canonical, "READ")]
    given = ("AmazonCustomerByEmail", address, "WRITE")
    s3.put_bucket_acl(Bucket=alices, AccessControlPolicy=acls.policy(people.alice.canonical, given))
    assert acls.of_bucket(s3, alices) == [(canonical, "WRITE")]


def test_a_bucket_is_granted_to_another_account(people: People, alices: str) -> None:
    alice, bob = people.alice, people.bob
    with refused(*DENIED):
        bob.s3.get_bucket_acl(Bucket=alices)
    with refused(*DENIED):
        bob.s3.put_bucket_acl(Bucket=alices, ACL="public-read")
    alice.s3.put_bucket_acl(
        Bucket=alices, GrantRead=fully(bob), GrantReadACP=fully(bob), GrantFullControl=fully(alice)
    )
    assert bob.s3.list_objects_v2(Bucket=alices)["KeyCount"] == 0
    assert (bob.canonical, "READ") in acls.of_bucket(bob.s3, alices)
    with refused(*DENIED):
        bob.s3.put_object(Bucket=alices, Key="k", Body=b"his")
    alice.s3.put_bucket_acl(Bucket=alices, GrantWriteACP=fully(bob))
    bob.s3.put_bucket_acl(Bucket=alices, ACL="public-read-write")
    people.nobody.s3.put_object(Bucket=alices, Key="k", Body=b"nobody's")


def test_nobody_is_in_the_log_delivery_group(people: People, alices: str) -> None:
    people.alice.s3.put_bucket_acl(Bucket=alices, ACL="log-delivery-write")
    for person in (people.bob, people.nobody):
        with refused(*DENIED):
            person.s3.put_object(Bucket=alices, Key="k", Body=b"1")


def test_an_owner_without_grants_can_still_set_them(people: People, alices: str) -> None:
    s3 = people.alice.s3
    s3.put_bucket_acl(Bucket=alices, AccessControlPolicy=acls.policy(people.alice.canonical))
    assert acls.of_bucket(s3, alices) == []
    s3.put_bucket_acl(Bucket=alices, ACL="private")


# --- objects of others ----------------------------------------------------------------------


def bobs_object(people: People, bucket: str, **given: Any) -> None:
    people.alice.s3.put_bucket_acl(Bucket=bucket, ACL="public-read-write")
    people.bob.s3.put_object(Bucket=bucket, Key="k", Body=b"his", **given)


def test_an_object_belongs_to_who_wrote_it(people: People, alices: str) -> None:
    bobs_object(people, alices)
    reply = people.bob.s3.get_object_acl(Bucket=alices, Key="k")
    assert reply["Owner"] == {"ID": people.bob.canonical, "DisplayName": "Bob"}
    assert not may_read(people.alice, alices, "k")
    with refused(*DENIED):
        people.alice.s3.get_object_acl(Bucket=alices, Key="k")
    people.bob.s3.put_object_acl(Bucket=alices, Key="k", ACL="bucket-owner-read")
    assert may_read(people.alice, alices, "k")
    assert acls.of_object(people.bob.s3, alices, "k") == [
        (people.bob.canonical, "FULL_CONTROL"),
        (people.alice.canonical, "READ"),
    ]


def test_full_control_for_the_buckets_owner_keeps_the_writer_the_owner(
    people: People, alices: str
) -> None:
    bobs_object(people, alices, ACL="bucket-owner-full-control")
    assert may_read(people.alice, alices, "k")
    reply = people.alice.s3.get_object_acl(Bucket=alices, Key="k")
    assert reply["Owner"]["ID"] == people.bob.canonical


def test_where_the_buckets_owner_is_preferred_full_control_hands_an_object_over(
    people: People, alices: str
) -> None:
    set_mode(people, alices, "BucketOwnerPreferred")
    bobs_object(people, alices, ACL="bucket-owner-full-control")
    reply = people.alice.s3.get_object_acl(Bucket=alices, Key="k")
    assert reply["Owner"]["ID"] == people.alice.canonical
    assert acls.grants(reply) == [(people.alice.canonical, "FULL_CONTROL")]
    assert not may_read(people.bob, alices, "k")
    put_parts(people.bob.s3, alices, "parts", [b"one"], ACL="bucket-owner-full-control")
    reply = people.alice.s3.get_object_acl(Bucket=alices, Key="parts")
    assert reply["Owner"]["ID"] == people.alice.canonical
    people.bob.s3.put_object(Bucket=alices, Key="his", Body=b"his")
    reply = people.bob.s3.get_object_acl(Bucket=alices, Key="his")
    assert reply["Owner"]["ID"] == people.bob.canonical


def test_where_the_writer_owns_full_control_hands_nothing_over(people: People, alices: str) -> None:
    set_mode(people, alices, "ObjectWriter")
    bobs_object(people, alices, ACL="bucket-owner-full-control")
    reply = people.alice.s3.get_object_acl(Bucket=alices, Key="k")
    assert reply["Owner"]["ID"] == people.bob.canonical


def test_enforcing_the_buckets_owner_takes_others_objects_over(people: People, alices: str) -> None:
    bobs_object(people, alices, ACL="public-read")
    people.alice.s3.put_bucket_acl(Bucket=alices, ACL="private")
    assert may_read(people.nobody, alices, "k")
    set_mode(people, alices, "BucketOwnerEnforced")
    assert may_read(people.alice, alices, "k")
    for person in (people.bob, people.nobody):
        assert not may_read(person, alices, "k")
    reply = people.alice.s3.get_object_acl(Bucket=alices, Key="k")
    assert reply["Owner"]["ID"] == people.alice.canonical


def test_what_an_upload_becomes_is_the_owners_where_that_is_enforced_by_now(
    people: People, alices: str
) -> None:
    resource = f"arn:aws:s3:::{alices}/*"
    writing = {"Principal": {"AWS": people.bob.arn}, "Action": "s3:PutObject", "Resource": resource}
    people.alice.s3.put_bucket_policy(Bucket=alices, Policy=policy(writing))
    upload = begin(people.bob.s3, alices, "k", ACL="public-read")
    part = put_part(people.bob.s3, alices, "k", upload, 1, b"x")
    set_mode(people, alices, "BucketOwnerEnforced")
    complete(people.bob.s3, alices, "k", upload, [part])
    set_mode(people, alices, "ObjectWriter")
    assert acls.of_object(people.alice.s3, alices, "k") == [
        (people.alice.canonical, "FULL_CONTROL")
    ]


def test_what_strangers_write_is_the_buckets_owners(people: People, alices: str) -> None:
    people.alice.s3.put_bucket_acl(Bucket=alices, ACL="public-read-write")
    people.nobody.s3.put_object(Bucket=alices, Key="k", Body=b"1")
    reply = people.alice.s3.get_object_acl(Bucket=alices, Key="k")
    assert reply["Owner"]["ID"] == people.alice.canonical
    assert may_read(people.alice, alices, "k")
    assert not may_read(people.nobody, alices, "k")


def test_a_copy_belongs_to_who_made_it(people: People, alices: str) -> None:
    alice, bob = people.alice, people.bob
    alice.s3.put_bucket_acl(Bucket=alices, ACL="public-read-write")
    alice.s3.put_object(Bucket=alices, Key="k", Body=b"hers", GrantRead=fully(bob))
    source = {"Bucket": alices, "Key": "k"}
    bob.s3.copy_object(Bucket=alices, Key="copy", CopySource=source)
    assert acls.of_object(bob.s3, alices, "copy") == [(bob.canonical, "FULL_CONTROL")]
    assert not may_read(alice, alices, "copy")


def test_an_upload_by_another_account_is_its_object_in_the_end(people: People, alices: str) -> None:
    people.alice.s3.put_bucket_acl(Bucket=alices, ACL="public-read-write")
    put_parts(people.bob.s3, alices, "k", [b"one"], ACL="bucket-owner-read")
    assert acls.of_object(people.bob.s3, alices, "k") == [
        (people.bob.canonical, "FULL_CONTROL"),
        (people.alice.canonical, "READ"),
    ]
    assert may_read(people.alice, alices, "k")


def test_the_buckets_owner_restores_what_others_have_archived(people: People, alices: str) -> None:
    people.alice.s3.put_bucket_acl(Bucket=alices, ACL="public-read-write")
    people.bob.s3.put_object(Bucket=alices, Key="k", Body=b"his", StorageClass="GLACIER")
    people.settle()
    request = {"Bucket": alices, "Key": "k", "RestoreRequest": {"Days": 1}}
    assert not may_read(people.alice, alices, "k")
    people.alice.s3.restore_object(**request)
    assert "Restore" in people.bob.s3.head_object(Bucket=alices, Key="k")
    with refused(*DENIED):
        people.nobody.s3.restore_object(**request)


@pytest.mark.parametrize(
    "mode", ["", "ObjectWriter", "BucketOwnerPreferred", "BucketOwnerEnforced"]
)
def test_strangers_may_say_that_what_they_write_is_the_buckets_owners(
    people: People, alices: str, mode: str
) -> None:
    """It is so anyway; any other ACL would be one of somebody else's object."""
    resource = f"arn:aws:s3:::{alices}/*"
    writing = {"Principal": "*", "Action": "s3:PutObject", "Resource": resource}
    people.alice.s3.put_bucket_policy(Bucket=alices, Policy=policy(writing))
    if mode:
        set_mode(people, alices, mode)
    full = "bucket-owner-full-control"
    people.nobody.s3.put_object(Bucket=alices, Key="k", Body=b"left", ACL=full)
    assert acls.of_object(people.alice.s3, alices, "k") == [
        (people.alice.canonical, "FULL_CONTROL")
    ]
    for name in ("public-read", "private"):
        with refused(*DENIED):
            people.nobody.s3.put_object(Bucket=alices, Key="k", Body=b"left", ACL=name)
    no_acls = {**writing, "Effect": "Deny", "Action": "s3:PutObjectAcl"}
    people.alice.s3.put_bucket_policy(Bucket=alices, Policy=policy(writing, no_acls))
    with refused(*DENIED):
        people.nobody.s3.put_object(Bucket=alices, Key="k", Body=b"left", ACL=full)


# --- public access --------------------------------------------------------------------------


def test_public_acls_can_be_ignored(people: People, alices: str) -> None:
    s3 = people.alice.s3
    s3.put_object(Bucket=alices, Key="k", Body=b"1", ACL="public-read")
    s3.put_public_access_block(
        Bucket=alices, PublicAccessBlockConfiguration={"IgnorePublicAcls": True}
    )
    assert not may_read(people.nobody, alices, "k")
    assert not may_read(people.bob, alices, "k")
    s3.delete_public_access_block(Bucket=alices)
    assert may_read(people.nobody, alices, "k")
    assert acls.of_object(s3, alices, "k")[1:] == [(acls.ALL_USERS, "READ")]


def test_a_policy_for_all_gives_nobody_the_policy_itself(people: People, alices: str) -> None:
    resources = [f"arn:aws:s3:::{alices}", f"arn:aws:s3:::{alices}/*"]
    text = policy({"Principal": "*", "Action": "s3:*", "Resource": resources})
    people.alice.s3.put_bucket_policy(Bucket=alices, Policy=text)
    for person in (people.bob, people.nobody):
        with refused(405, "MethodNotAllowed"):
            person.s3.get_bucket_policy(Bucket=alices)
        with refused(405, "MethodNotAllowed"):
            person.s3.put_bucket_policy(Bucket=alices, Policy=text)
        with refused(405, "MethodNotAllowed"):
            person.s3.delete_bucket_policy(Bucket=alices)
        assert person.s3.get_bucket_policy_status(Bucket=alices)["PolicyStatus"]["IsPublic"]
    for person in (people.ann, people.root):
        assert person.s3.get_bucket_policy(Bucket=alices)["Policy"] == text
        person.s3.put_bucket_policy(Bucket=alices, Policy=text)
    people.ann.s3.delete_bucket_policy(Bucket=alices)


def test_an_acl_is_shown_as_it_counts(people: People, alices: str) -> None:
    """Reading an ACL returns the permissions that are in effect, says the page on the block."""
    s3, bob = people.alice.s3, people.bob
    everybody = f'uri="{acls.ALL_USERS}"'
    s3.put_object(Bucket=alices, Key="k", Body=b"1", GrantRead=f"{fully(bob)}, {everybody}")
    s3.put_bucket_acl(Bucket=alices, ACL="authenticated-read")
    ignored = {"IgnorePublicAcls": True}
    s3.put_public_access_block(Bucket=alices, PublicAccessBlockConfiguration=ignored)
    assert acls.of_object(s3, alices, "k") == [(bob.canonical, "READ")]
    assert acls.of_bucket(s3, alices) == [(people.alice.canonical, "FULL_CONTROL")]
    s3.put_object(Bucket=alices, Key="private", Body=b"1")
    assert acls.of_object(s3, alices, "private") == [(people.alice.canonical, "FULL_CONTROL")]
    s3.delete_public_access_block(Bucket=alices)
    assert acls.of_object(s3, alices, "k")[1:] == [(acls.ALL_USERS, "READ")]
    assert acls.of_bucket(s3, alices)[1:] == [(acls.AUTHENTICATED_USERS, "READ")]


@pytest.mark.parametrize("query", ["acl", "policy", "policyStatus", "publicAccessBlock"])
def test_others_do_not_see_what_a_bucket_says_of_access(
    node: Node, people: People, alices: str, query: str
) -> None:
    for person in (people.bob, people.ann, people.nobody):
        for method in ("GET", "PUT"):
            reply = node.send(method, f"/s3/{alices}?{query}", body=b"x", **person.signing)
            assert reply.code in ("AccessDenied", "MethodNotAllowed"), reply.body


def test_a_hidden_object_has_no_acl_for_those_who_may_not_list(
    node: Node, people: People, alices: str
) -> None:
    target = object_target(alices, "absent", "acl")
    assert node.send("GET", target, **people.bob.signing).status == 403
    assert node.send("GET", target, **people.alice.signing).status == 404


def test_nobody_is_locked_out_without_saying_so(people: People, alices: str) -> None:
    ann, arn = people.ann, f"arn:aws:s3:::{alices}"
    text = json.dumps(
        {
            "Version": "2012-10-17",
            "Statement": {
                "Effect": "Deny", "Principal": "*", "Action": "s3:PutBucketPolicy", "Resource": arn,
            },
        }
    )  # fmt: skip
    with people.allowed(ann, {"Action": "s3:*BucketPolicy", "Resource": arn}):
        with refused(*DENIED):
            ann.s3.put_bucket_policy(Bucket=alices, Policy=text)
        with refused(404, "NoSuchBucketPolicy"):
            ann.s3.get_bucket_policy(Bucket=alices)
        ann.s3.put_bucket_policy(Bucket=alices, Policy=text, ConfirmRemoveSelfBucketAccess=True)
        with refused(*DENIED):
            ann.s3.put_bucket_policy(Bucket=alices, Policy=text)
    people.alice.s3.put_bucket_policy(Bucket=alices, Policy=text)
