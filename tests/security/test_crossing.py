"""Ways from one tenant's bucket into another's that other stores have left open.

Named by the advisory that tells of them (`rows`). Mallory has keys and a bucket of her own; what
she must not reach is alice's.
"""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote, unquote_to_bytes

import pytest

from tests.harness import Node, Reply, presign, sign
from tests.people import Person, allow, deny, policy, refused

SECRET = b"alice's secret"
FORBIDDEN = {"AccessDenied", "NoSuchBucket", "NoSuchKey", "InvalidArgument", "InvalidBucketName",
             "InvalidURI", "InvalidRequest"}  # fmt: skip


def send(who: Person, method: str, target: str, **sending: Any) -> Reply:
    """One raw request, signed with somebody's keys: the target goes out as it is, and is signed as
    every signer writes it, since no client would write it so."""
    path, mark, query = target.partition("?")
    written = quote(unquote_to_bytes(path), safe="/-_.~") + mark + query
    headers = sending.pop("headers", {})
    signed = sign(
        method, written, host=who.node.host, headers=headers,
        access_key=who.access_key, secret_key=who.secret_key,
    )  # fmt: skip
    return who.node.send(method, target, headers=signed.headers, signed=False, **sending)


def kept(alice: Person, vault: str) -> None:
    """Alice's object is what it was, and alone."""
    assert alice.s3.get_object(Bucket=vault, Key="secret")["Body"].read() == SECRET
    assert alice.s3.list_objects_v2(Bucket=vault)["KeyCount"] == 1


def read_nothing(reply: Reply) -> None:
    assert reply.status >= 400
    assert reply.code in FORBIDDEN, reply.body
    assert SECRET not in reply.body


def test_cve_2026_71191_an_unsigned_copy_source_on_a_presigned_put(
    alice: Person, mallory: Person, vault: str, den: str
) -> None:
    """Whoever holds a presigned PUT must not make a copy of it, of what its signer may read."""
    node = alice.node
    target = presign("PUT", f"/{vault}/upload", host=node.host,
                     access_key=alice.access_key, secret_key=alice.secret_key)  # fmt: skip
    source = {"x-amz-copy-source": f"/{vault}/secret"}
    reply = node.send("PUT", target, unsigned_headers=source, signed=False)
    assert (reply.status, reply.code) == (403, "AccessDenied")
    kept(alice, vault)


@pytest.mark.parametrize("mount", ["", "/s3"])
@pytest.mark.parametrize(
    "path",
    ["{den}/../{vault}/secret", "{den}/%2e%2e/{vault}/secret", "{den}/..%2f{vault}%2fsecret",
     "{den}%2f..%2f{vault}/secret", "./{vault}/secret", "//{vault}/secret"],
)  # fmt: skip
def test_cve_2026_54917_dots_in_the_path_do_not_cross_buckets(
    alice: Person, mallory: Person, vault: str, den: str, mount: str, path: str
) -> None:
    target = f"{mount}/{path.format(den=den, vault=vault)}"
    read_nothing(send(mallory, "GET", target))
    reply = send(mallory, "PUT", target, body=b"overwritten")
    assert reply.status in (200, 400, 403, 404)
    send(mallory, "DELETE", target)
    kept(alice, vault)


@pytest.mark.parametrize(
    "source",
    ["/{den}/../{vault}/secret", "{den}/..%2f{vault}%2fsecret", "{den}%2F..%2F{vault}%2Fsecret",
     "{vault}%2Fsecret", "/{vault}/secret", "//{vault}/secret", "{vault}/secret?versionId=null",
     "arn:aws:s3:::{vault}/secret"],
)  # fmt: skip
def test_cve_2026_55874_dots_in_a_copy_source_do_not_cross_buckets(
    alice: Person, mallory: Person, vault: str, den: str, source: str
) -> None:
    headers = {"x-amz-copy-source": source.format(den=den, vault=vault)}
    read_nothing(send(mallory, "PUT", f"/{den}/stolen", headers=headers))
    assert mallory.s3.list_objects_v2(Bucket=den)["KeyCount"] == 0


def test_rustfs_a_part_copied_from_a_source_that_may_not_be_read(
    mallory: Person, vault: str, den: str
) -> None:
    upload = mallory.s3.create_multipart_upload(Bucket=den, Key="stolen")["UploadId"]
    with refused("AccessDenied", 403):
        mallory.s3.upload_part_copy(Bucket=den, Key="stolen", UploadId=upload, PartNumber=1,
                                    CopySource={"Bucket": vault, "Key": "secret"})  # fmt: skip
    assert "Parts" not in mallory.s3.list_parts(Bucket=den, Key="stolen", UploadId=upload)


def test_versitygw_an_encoded_slash_is_part_of_the_key_for_policies_too(
    alice: Person, mallory: Person, vault: str
) -> None:
    """A policy that opens `open/` opens it for the key, however the request spells it."""
    alice.s3.put_object(Bucket=vault, Key="open/x", Body=b"for all")
    opened = {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject",
              "Resource": f"arn:aws:s3:::{vault}/open/*"}  # fmt: skip
    alice.s3.put_bucket_policy(Bucket=vault, Policy=json.dumps({"Statement": [opened]}))
    for spelled in ("open/x", "open%2Fx", "%6Fpen/x"):
        assert send(mallory, "GET", f"/{vault}/{spelled}").body == b"for all"
    for spelled in ("open/../secret", "open%2F..%2Fsecret", "open/%2e%2e/secret", "Open/x"):
        read_nothing(send(mallory, "GET", f"/{vault}/{spelled}"))
    read_nothing(send(mallory, "GET", f"/{vault}%2Fopen/x"))
    alice.s3.delete_object(Bucket=vault, Key="open/x")
    alice.s3.delete_bucket_policy(Bucket=vault)


def test_rustfs_an_old_version_is_read_by_a_right_of_its_own(
    alice: Person, mallory: Person, vault: str
) -> None:
    opened = allow("s3:GetObject", f"arn:aws:s3:::{vault}/*") | {"Principal": "*"}
    alice.s3.put_bucket_policy(Bucket=vault, Policy=policy(opened))
    assert mallory.s3.get_object(Bucket=vault, Key="secret")["Body"].read() == SECRET
    with refused("AccessDenied", 403):
        mallory.s3.get_object(Bucket=vault, Key="secret", VersionId="null")
    alice.s3.delete_bucket_policy(Bucket=vault)


def test_cve_2024_36107_conditions_are_not_answered_to_who_may_not_read(
    alice: Person, mallory: Person, vault: str
) -> None:
    etag = alice.s3.head_object(Bucket=vault, Key="secret")["ETag"]
    since = "Mon, 01 Jan 2035 00:00:00 GMT"
    for conditions in ({"If-None-Match": etag}, {"If-Match": '"x"'}, {"If-Modified-Since": since},
                       {"If-Unmodified-Since": "Mon, 01 Jan 2001 00:00:00 GMT"}):  # fmt: skip
        for key in ("secret", "absent"):
            reply = send(mallory, "GET", f"/{vault}/{key}", headers=conditions)
            assert (reply.status, reply.code) == (403, "AccessDenied")
            reply = send(mallory, "PUT", f"/{vault}/{key}", headers={"If-None-Match": "*"})
            assert (reply.status, reply.code) == (403, "AccessDenied")
    kept(alice, vault)


def test_cve_2026_71192_headers_of_the_nodes_own_mean_nothing_from_outside(
    alice: Person, mallory: Person, vault: str
) -> None:
    """What nodes tell each other, and what other stores let through, opens nothing."""
    claims = {
        "ais-node-id": "t1", "ais-caller-id": "t1", "ais-caller-name": "p1",
        "ais-is-primary": "true", "x-copy-from": f"{vault}/secret", "x-amz-source-user": "root",
        "x-rgw-auth": "root", "x-minio-internal": "true", "x-forwarded-user": "root",
    }  # fmt: skip
    for signing in ({"signed": False}, {"access_key": mallory.access_key,
                                        "secret_key": mallory.secret_key}):  # fmt: skip
        for target in (f"/{vault}/secret", f"/v1/objects/{vault}/secret"):
            reply = alice.node.send("GET", target, unsigned_headers={
                name: value for name, value in claims.items() if not name.startswith("x-amz-")
            }, **signing)  # fmt: skip
            assert reply.status in (401, 403), (target, reply.status)
            assert SECRET not in reply.body


def test_cve_2026_34204_metadata_of_a_client_stays_metadata(alice: Person, vault: str) -> None:
    """No name of metadata reaches what the store keeps of an object itself."""
    odd = {"x-amz-server-side-encryption": "AES256", "owner": "root", "acl": "public-read",
           "x-amz-storage-class": "GLACIER", "etag": "0"}  # fmt: skip
    alice.s3.put_object(Bucket=vault, Key="odd", Body=b"x", Metadata=odd)
    told = alice.s3.head_object(Bucket=vault, Key="odd")
    assert told["Metadata"] == odd
    assert "ServerSideEncryption" not in told
    assert "StorageClass" not in told
    grants = alice.s3.get_object_acl(Bucket=vault, Key="odd")["Grants"]
    assert [grant["Permission"] for grant in grants] == ["FULL_CONTROL"]
    alice.s3.delete_object(Bucket=vault, Key="odd")


def test_seaweedfs_quotes_in_names_are_only_names(alice: Person, vault: str) -> None:
    """No key is ever part of a statement to a database."""
    for key in ("x'; DROP TABLE object; --", 'x" OR "1"="1', "x\\'; --", "%' OR 1=1 --"):
        alice.s3.put_object(Bucket=vault, Key=key, Body=key.encode())
        assert alice.s3.get_object(Bucket=vault, Key=key)["Body"].read() == key.encode()
        found = alice.s3.list_objects_v2(Bucket=vault, Prefix=key[:9])["Contents"]
        assert key in [entry["Key"] for entry in found]
        alice.s3.delete_object(Bucket=vault, Key=key)
    kept(alice, vault)


def test_cve_2022_35919_keys_like_paths_touch_no_file(
    node: Node, mallory: Person, den: str
) -> None:
    data = node.data
    before = sorted(path.name for path in data.parent.iterdir())
    for key in ("../../evil", "/etc/passwd", "..\\..\\evil", "a/../../../evil", "\x00evil"):
        target = f"/{den}/" + "".join(f"%{byte:02X}" for byte in key.encode())
        assert send(mallory, "PUT", target, body=b"evil").status == 200
        assert send(mallory, "GET", target).body == b"evil"
        assert send(mallory, "DELETE", target).status == 204
    assert sorted(path.name for path in data.parent.iterdir()) == before


def test_explicit_deny_counts_for_owners_and_administrators(
    alice: Person, root: Person, vault: str
) -> None:
    """CVE-2023-25812: what is denied to all is denied to the owner too, but not the way out."""
    denied = deny("s3:GetObject", f"arn:aws:s3:::{vault}/*") | {"Principal": "*"}
    alice.s3.put_bucket_policy(Bucket=vault, Policy=policy(denied))
    for who in (alice, root):
        with refused("AccessDenied", 403):
            who.s3.get_object(Bucket=vault, Key="secret")
    alice.s3.delete_bucket_policy(Bucket=vault)
    kept(alice, vault)


def test_aistore_a_redirect_is_not_a_way_around_authentication(alice: Person, vault: str) -> None:
    """The first step of the two-phase protocol tells where to go, not that one may."""
    target = f"/v1/objects/{vault}/secret?provider=ais"
    reply = alice.node.send("PUT", target, signed=False,
                            headers={"Connection": "close", "Content-Length": "0"})  # fmt: skip
    assert reply.status in (307, 401, 403)
    if reply.status == 307:
        onward = reply.headers["location"].partition(alice.node.host)[2]
        assert alice.node.send("PUT", onward, signed=False, body=b"x").status == 401
    kept(alice, vault)
