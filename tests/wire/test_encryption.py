"""Encryption of objects over the wire: SSE-S3, SSE-KMS, DSSE-KMS and SSE-C on every operation that
reads or writes one."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.cluster.cluster import Cluster, wait_until
from tests.harness import Node, Reply, presign
from tests.wire.sealed import KEY, OTHER, REPORTS, b64, customer, headers, source
from tests.wire.support import (
    MIB,
    begin,
    complete,
    etag_of,
    expect_error,
    object_target,
    outcome,
    pattern,
    put_part,
    read,
    refused,
)

CONTEXT = b64(b'{"team":"blue"}')
KMS = {
    "ServerSideEncryption": "aws:kms",
    "SSEKMSKeyId": "alias/reports",
    "SSEKMSEncryptionContext": CONTEXT,
    "BucketKeyEnabled": True,
}
WRITES: dict[str, dict[str, Any]] = {
    "default": {},
    "AES256": {"ServerSideEncryption": "AES256"},
    "kms": KMS,
    "dsse": {"ServerSideEncryption": "aws:kms:dsse"},
    "customer": customer(),
}
READS: dict[str, dict[str, Any]] = {mode: {} for mode in WRITES} | {"customer": customer()}
TOLD: dict[str, dict[str, Any]] = {
    "default": {"ServerSideEncryption": "AES256"},
    "AES256": {"ServerSideEncryption": "AES256"},
    "kms": {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": REPORTS, "BucketKeyEnabled": True},
    "dsse": {
        "ServerSideEncryption": "aws:kms:dsse",
        "SSEKMSKeyId": REPORTS.replace("reports", "aisle"),
    },
    "customer": {
        "SSECustomerAlgorithm": "AES256",
        "SSECustomerKeyMD5": headers()["x-amz-server-side-encryption-customer-key-md5"],
    },
}
FIELDS = (
    "ServerSideEncryption", "SSEKMSKeyId", "BucketKeyEnabled", "SSECustomerAlgorithm",
    "SSECustomerKeyMD5",
)  # fmt: skip
modes = pytest.mark.parametrize("mode", WRITES)


def told(reply: dict[str, Any]) -> dict[str, Any]:
    return {name: reply[name] for name in FIELDS if name in reply}


@modes
@pytest.mark.parametrize("size", [0, 100, 200_000])
def test_put_get_and_head_tell_how_an_object_is_encrypted(
    sealing: Any, vault: str, mode: str, size: int
) -> None:
    data = pattern(size)
    put = sealing.put_object(Bucket=vault, Key="k", Body=data, **WRITES[mode])
    assert told(put) == TOLD[mode]
    assert put.get("SSEKMSEncryptionContext") == (CONTEXT if mode == "kms" else None)
    got = sealing.get_object(Bucket=vault, Key="k", **READS[mode])
    assert got["Body"].read() == data
    head = sealing.head_object(Bucket=vault, Key="k", **READS[mode])
    assert told(got) == told(head) == TOLD[mode]
    assert head["ContentLength"] == size
    assert put["ETag"] == got["ETag"] == head["ETag"]
    assert len(put["ETag"]) == 34
    assert (put["ETag"] == etag_of(data)) == (mode in ("default", "AES256"))


@modes
def test_ranges_of_parts_over_the_ends_of_frames(sealing: Any, vault: str, mode: str) -> None:
    pieces = [pattern(5 * MIB, 1), pattern(5 * MIB + 17, 2), pattern(3, 3)]
    upload = sealing.create_multipart_upload(Bucket=vault, Key="k", **WRITES[mode])
    assert told(upload) == TOLD[mode]
    entries = []
    for number, piece in enumerate(pieces, 1):
        part = sealing.upload_part(
            Bucket=vault,
            Key="k",
            UploadId=upload["UploadId"],
            PartNumber=number,
            Body=piece,
            **READS[mode],
        )
        assert told(part) == TOLD[mode]
        entries.append({"PartNumber": number, "ETag": part["ETag"]})
    done = complete(sealing, vault, "k", upload["UploadId"], entries)
    assert done["ETag"].endswith('-3"')
    whole = b"".join(pieces)
    assert read(sealing, vault, "k", **READS[mode]) == whole
    for first, last in ((0, 0), (65_530, 65_545), (5 * MIB - 1, 5 * MIB), (MIB, 6 * MIB)):
        part_of = read(sealing, vault, "k", Range=f"bytes={first}-{last}", **READS[mode])
        assert part_of == whole[first : last + 1]
    assert read(sealing, vault, "k", Range="bytes=-5", **READS[mode]) == whole[-5:]
    assert read(sealing, vault, "k", PartNumber=2, **READS[mode]) == pieces[1]


@pytest.mark.parametrize("to", WRITES)
@modes
def test_copies_between_all_of_them(sealing: Any, vault: str, mode: str, to: str) -> None:
    data = pattern(70_000)
    sealing.put_object(Bucket=vault, Key="from", Body=data, **WRITES[mode])
    with_key = source() if mode == "customer" else {}
    copied = sealing.copy_object(
        Bucket=vault, Key="to", CopySource=f"{vault}/from", **WRITES[to], **with_key
    )
    assert told(copied) == TOLD[to]
    assert read(sealing, vault, "to", **READS[to]) == data


@modes
def test_a_copy_onto_itself_may_change_the_encryption_alone(
    sealing: Any, vault: str, mode: str
) -> None:
    sealing.put_object(Bucket=vault, Key="k", Body=b"plain", **WRITES[mode])
    with_key = source() if mode == "customer" else {}
    copy = {"Bucket": vault, "Key": "k", "CopySource": f"{vault}/k", **with_key}
    with refused(400, "InvalidRequest"):
        sealing.copy_object(**copy)
    sealing.copy_object(**copy, **customer(OTHER))
    assert read(sealing, vault, "k", **customer(OTHER)) == b"plain"


@modes
def test_upload_part_copy_opens_the_source_and_seals_the_part(
    sealing: Any, vault: str, mode: str
) -> None:
    data = pattern(200_000)
    sealing.put_object(Bucket=vault, Key="from", Body=data, **customer(OTHER))
    upload = begin(sealing, vault, "to", **WRITES[mode])
    copy = {"Bucket": vault, "Key": "to", "UploadId": upload, "CopySource": f"{vault}/from"}
    part = sealing.upload_part_copy(
        **copy,
        PartNumber=1,
        CopySourceRange="bytes=65000-130999",
        **source(OTHER),
        **READS[mode],
    )
    assert told(part) == TOLD[mode]
    entry = {"PartNumber": 1, "ETag": part["CopyPartResult"]["ETag"]}
    with refused(400, "InvalidRequest"):
        sealing.upload_part_copy(**copy, PartNumber=2, **READS[mode])
    with refused(403, "AccessDenied"):
        sealing.upload_part_copy(**copy, PartNumber=2, **source(), **READS[mode])
    complete(sealing, vault, "to", upload, [entry])
    assert read(sealing, vault, "to", **READS[mode]) == data[65_000:131_000]


# --- a node without a key ring ----------------------------------------------------------------


def test_a_client_s_key_needs_no_ring(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"secret", **customer())
    assert read(s3, bucket, "k", **customer()) == b"secret"
    assert "ServerSideEncryption" not in s3.put_object(Bucket=bucket, Key="plain", Body=b"x")


def test_a_node_encrypts_with_a_key_of_its_own_where_it_is_asked_to(
    node: Node, s3: Any, bucket: str
) -> None:
    for mode in ("AES256", "aws:kms", "aws:kms:dsse"):
        wish = {"ServerSideEncryption": mode}
        if isinstance(node, Cluster):  # what one node encrypts the others could not open
            with refused(501, "NotImplemented"):
                s3.put_object(Bucket=bucket, Key="k", Body=b"x", **wish)
            continue
        data = pattern(200_000)
        assert s3.put_object(Bucket=bucket, Key="k", Body=data, **wish).items() >= wish.items()
        found = s3.get_object(Bucket=bucket, Key="k")
        assert found["Body"].read() == data
        assert found.items() >= wish.items()
        if mode != "AES256":
            key = found["SSEKMSKeyId"]  # that of Amazon's own, so to say
            assert key.endswith(":key/aisle")
            again = s3.put_object(Bucket=bucket, Key="k", Body=b"x", SSEKMSKeyId=key, **wish)
            assert again["SSEKMSKeyId"] == key
        upload = begin(s3, bucket, "parts", **wish)
        part = put_part(s3, bucket, "parts", upload, 1, data)
        complete(s3, bucket, "parts", upload, [part])
        assert read(s3, bucket, "parts") == data
        copied = s3.copy_object(Bucket=bucket, Key="to", CopySource=f"{bucket}/parts")
        assert "ServerSideEncryption" not in copied
        assert read(s3, bucket, "to") == data


def test_a_wrong_or_missing_key_is_told_wherever_one_is_needed(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"secret", **customer())
    s3.put_object(Bucket=bucket, Key="plain", Body=b"plain")
    for call, needed, wrong in (
        (s3.get_object, "InvalidRequest", "AccessDenied"),
        (s3.head_object, "400", "403"),  # which has no body to tell more in
    ):
        with refused(400, needed):
            call(Bucket=bucket, Key="k")
        with refused(403, wrong):
            call(Bucket=bucket, Key="k", **customer(OTHER))
        with refused(400, needed):
            call(Bucket=bucket, Key="plain", **customer())
    with refused(400, "InvalidRequest"):
        s3.copy_object(Bucket=bucket, Key="to", CopySource=f"{bucket}/k")
    with refused(403, "AccessDenied"):
        s3.copy_object(Bucket=bucket, Key="to", CopySource=f"{bucket}/k", **source(OTHER))
    with refused(400, "InvalidRequest"):
        s3.copy_object(Bucket=bucket, Key="to", CopySource=f"{bucket}/plain", **source())
    with refused(400, "InvalidRequest"):
        s3.get_object_attributes(Bucket=bucket, Key="k", ObjectAttributes=["ETag"])
    found = s3.get_object_attributes(
        Bucket=bucket,
        Key="k",
        ObjectAttributes=["ObjectSize"],
        SSECustomerAlgorithm="AES256",
        SSECustomerKey=b64(KEY),
        SSECustomerKeyMD5=headers()["x-amz-server-side-encryption-customer-key-md5"],
    )
    assert found["ObjectSize"] == 6
    assert [entry["Size"] for entry in s3.list_objects_v2(Bucket=bucket)["Contents"]] == [6, 5]


def test_parts_need_the_key_that_their_upload_was_begun_with(s3: Any, bucket: str) -> None:
    upload = begin(s3, bucket, "k", **customer())
    for parameters in ({}, customer(OTHER)):
        with refused(400, "InvalidRequest"):
            put_part(s3, bucket, "k", upload, 1, b"x", **parameters)
    part = put_part(s3, bucket, "k", upload, 1, b"x", **customer())
    with refused(400, "InvalidRequest"):
        complete(s3, bucket, "k", upload, [part], **customer(OTHER))
    complete(s3, bucket, "k", upload, [part], **customer())
    plain = begin(s3, bucket, "k2")
    with refused(400, "InvalidRequest"):
        put_part(s3, bucket, "k2", plain, 1, b"x", **customer())


SSE = "x-amz-server-side-encryption"
KMS_SENT = {
    SSE: "aws:kms",
    f"{SSE}-aws-kms-key-id": REPORTS,
    f"{SSE}-context": CONTEXT,
    f"{SSE}-bucket-key-enabled": "true",
}


def end(node: Node, bucket: str, key: str, upload: str, etag: str, sent: dict[str, str]) -> Reply:
    body = (
        "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber>"
        f"<ETag>{etag}</ETag></Part></CompleteMultipartUpload>"
    )
    target = f"{object_target(bucket, key)}?uploadId={upload}"
    return node.send("POST", target, headers=sent, body=body.encode())


@pytest.mark.parametrize(
    ("mode", "sent"),
    [
        ("default", {SSE: "AES256"}),
        ("AES256", {SSE: "AES256"}),
        ("kms", KMS_SENT),
        ("kms", {SSE: "aws:kms", f"{SSE}-aws-kms-key-id": "alias/reports"}),
        ("dsse", {SSE: "aws:kms:dsse"}),
    ],
)
def test_the_end_of_an_upload_may_say_again_how_it_is_encrypted(
    sealing_node: Node, sealing: Any, vault: str, mode: str, sent: dict[str, str]
) -> None:
    upload = begin(sealing, vault, "k", **WRITES[mode])
    part = put_part(sealing, vault, "k", upload, 1, b"x")
    assert end(sealing_node, vault, "k", upload, part["ETag"], sent).status == 200
    found = sealing.get_object(Bucket=vault, Key="k")
    assert (found["Body"].read(), told(found)) == (b"x", TOLD[mode])


@pytest.mark.parametrize(
    ("mode", "change"),
    [
        ("AES256", {SSE: "aws:kms"}),
        ("kms", {SSE: "AES256"}),
        ("kms", KMS_SENT | {f"{SSE}-aws-kms-key-id": "aisle"}),
        ("kms", KMS_SENT | {f"{SSE}-context": b64(b'{"team":"red"}')}),
        ("kms", KMS_SENT | {f"{SSE}-bucket-key-enabled": "false"}),
        ("customer", {SSE: "AES256"}),
    ],
)
def test_the_end_of_an_upload_cannot_say_another_encryption(
    sealing_node: Node, sealing: Any, vault: str, mode: str, change: dict[str, str]
) -> None:
    upload = begin(sealing, vault, "k", **WRITES[mode])
    part = put_part(sealing, vault, "k", upload, 1, b"x", **READS[mode])
    reply = end(sealing_node, vault, "k", upload, part["ETag"], change)
    expect_error(reply, 400, "InvalidRequest")
    assert "Contents" not in sealing.list_objects_v2(Bucket=vault)


def test_the_end_of_an_upload_cannot_ask_for_an_encryption_it_has_not(
    node: Node, s3: Any, bucket: str
) -> None:
    upload = begin(s3, bucket, "k")
    part = put_part(s3, bucket, "k", upload, 1, b"x")
    reply = end(node, bucket, "k", upload, part["ETag"], {SSE: "AES256"})
    expect_error(reply, 400, "InvalidRequest")
    complete(s3, bucket, "k", upload, [part])


WHAT = "x-amz-server-side-encryption-customer-"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({f"{WHAT}algorithm": "AES128"}, "InvalidEncryptionAlgorithmError"),
        ({f"{WHAT}algorithm": None}, "InvalidArgument"),
        ({f"{WHAT}key": None}, "InvalidArgument"),
        ({f"{WHAT}key": b64(b"short")}, "InvalidArgument"),
        ({f"{WHAT}key": "no base64!"}, "InvalidArgument"),
        ({f"{WHAT}key-md5": None}, "InvalidArgument"),
        ({f"{WHAT}key-md5": b64(b"0" * 16)}, "InvalidArgument"),
        ({f"{WHAT}key-md5": ""}, "InvalidArgument"),
        ({"x-amz-server-side-encryption": "AES256"}, "InvalidArgument"),
        ({"x-amz-server-side-encryption-aws-kms-key-id": "reports"}, "InvalidArgument"),
    ],
)
def test_what_is_wrong_with_the_headers_of_a_key(
    node: Node, s3: Any, bucket: str, change: dict[str, str | None], code: str
) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"secret", **customer())
    sent = {name: text for name, text in (headers() | change).items() if text is not None}
    target = object_target(bucket, "k")
    for method in ("PUT", "GET"):
        reply = node.send(method, target, headers=sent, body=b"x" if method == "PUT" else b"")
        expect_error(reply, 400, code)
        assert b64(KEY).encode() not in reply.body
    assert node.send("HEAD", target, headers=sent).status == 400
    assert read(s3, bucket, "k", **customer()) == b"secret"


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        ({"": "aes256"}, "InvalidArgument"),
        ({"": "aws:fsx"}, "InvalidArgument"),
        ({"": "AES256", "-aws-kms-key-id": "reports"}, "InvalidArgument"),
        ({"-aws-kms-key-id": "reports"}, "InvalidArgument"),
        ({"": "aws:kms", "-aws-kms-key-id": " "}, "InvalidArgument"),
        ({"": "aws:kms", "-aws-kms-key-id": "nobody"}, "KMS.NotFoundException"),
        ({"": "aws:kms:dsse", "-aws-kms-key-id": "alias/nobody"}, "KMS.NotFoundException"),
        ({"": "AES256", "-context": CONTEXT}, "InvalidArgument"),
        ({"": "aws:kms", "-context": "{}"}, "InvalidArgument"),
        ({"": "aws:kms", "-context": b64(b"[]")}, "InvalidArgument"),
        ({"": "aws:kms", "-context": b64(b'{"a":1}')}, "InvalidArgument"),
        ({"": "aws:kms", "-context": b64(b"\xff")}, "InvalidArgument"),
        ({"": "aws:kms", "-context": b64(b"[" * 5000)}, "InvalidArgument"),
        ({"": "aws:kms", "-bucket-key-enabled": "yes"}, "InvalidArgument"),
    ],
)
def test_what_is_wrong_with_the_headers_of_a_write(
    sealing_node: Node, vault: str, sent: dict[str, str], code: str
) -> None:
    fields = {f"x-amz-server-side-encryption{name}": text for name, text in sent.items()}
    target = object_target(vault, "k")
    expect_error(sealing_node.send("PUT", target, headers=fields, body=b"x"), 400, code)
    expect_error(sealing_node.send("POST", f"{target}?uploads", headers=fields), 400, code)
    assert sealing_node.send("HEAD", target).status == 404


def test_a_read_cannot_ask_for_an_encryption(sealing_node: Node, sealing: Any, vault: str) -> None:
    sealing.put_object(Bucket=vault, Key="k", Body=b"x")
    fields = {"x-amz-server-side-encryption": "AES256"}
    reply = sealing_node.send("GET", object_target(vault, "k"), headers=fields)
    expect_error(reply, 400, "InvalidArgument")


def test_a_presigned_put_and_get_carry_the_key_in_signed_headers(node: Node, bucket: str) -> None:
    target = object_target(bucket, "k")
    put = presign("PUT", target, host=node.host, headers=headers())
    assert node.send("PUT", put, headers=headers(), body=b"secret", signed=False).status == 200
    got = presign("GET", target, host=node.host, headers=headers())
    assert node.send("GET", got, headers=headers(), signed=False).body == b"secret"
    assert node.send("GET", got, headers=headers(OTHER), signed=False).status == 403
    assert node.send("GET", got, signed=False).status == 403


def test_a_signature_that_does_not_match_does_not_echo_the_key(node: Node, bucket: str) -> None:
    reply = node.send(
        "GET", object_target(bucket, "k"), headers=headers(), secret_key="not the right one"
    )
    expect_error(reply, 403, "SignatureDoesNotMatch")
    assert b64(KEY).encode() not in reply.body
    assert b"customer-key" in reply.body


def test_policies_can_demand_an_encryption(sealing: Any, vault: str, sealing_node: Node) -> None:
    def deny(operator: str, key: str, value: str) -> None:
        statement = {
            "Effect": "Deny",
            "Principal": "*",
            "Action": "s3:PutObject",
            "Resource": f"arn:aws:s3:::{vault}/*",
            "Condition": {operator: {key: value}},
        }
        text = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        sealing.put_bucket_policy(Bucket=vault, Policy=text)

    def denied(**parameters: Any) -> bool:
        code = outcome(lambda: sealing.put_object(Bucket=vault, Key="k", Body=b"", **parameters))
        assert code in ("", "AccessDenied")
        return bool(code)

    def ends(*, refused: bool, **parameters: Any) -> None:
        """Wait until every gateway has the policy, several times each."""
        wait_until(
            lambda: [denied(**parameters) for _ in range(6)] == [refused] * 6,
            f"{parameters} are refused: {refused}",
        )

    prefix = "s3:x-amz-server-side-encryption"
    try:
        deny("StringNotEquals", prefix, "aws:kms")
        ends(refused=True)
        ends(refused=True, ServerSideEncryption="AES256")
        ends(refused=False, ServerSideEncryption="aws:kms")
        deny("StringNotEqualsIfExists", f"{prefix}-aws-kms-key-id", "reports")
        ends(refused=True, ServerSideEncryption="aws:kms", SSEKMSKeyId="aisle")
        ends(refused=False, ServerSideEncryption="aws:kms", SSEKMSKeyId="reports")
        deny("Null", f"{prefix}-customer-algorithm", "false")
        ends(refused=True, **customer())
        ends(refused=False)
    finally:
        sealing.delete_bucket_policy(Bucket=vault)


def test_the_native_api_reads_what_the_ring_opens_and_tells_what_it_does_not(
    sealing_node: Node, sealing: Any, vault: str
) -> None:
    sealing.put_object(Bucket=vault, Key="ours", Body=pattern(100_000), **KMS)
    sealing.put_object(Bucket=vault, Key="theirs", Body=b"secret", **customer())
    target = f"/v1/objects/{vault}/ours?provider=ais"
    assert sealing_node.send("GET", target).body == pattern(100_000)
    part = sealing_node.send("GET", target, headers={"Range": "bytes=65530-65540"})
    assert part.body == pattern(100_000)[65_530:65_541]
    target = f"/v1/objects/{vault}/theirs?provider=ais"
    reply = sealing_node.send("GET", target)
    assert reply.status == 400
    assert json.loads(reply.body)["tcode"] == "ErrCustomerKeyNeeded"
    assert sealing_node.send("HEAD", target).status == 200
    native = sealing_node.send("PUT", f"/v1/objects/{vault}/new?provider=ais", body=b"native")
    assert native.status == 200, native.body
    assert sealing.head_object(Bucket=vault, Key="new")["ServerSideEncryption"] == "AES256"
    assert read(sealing, vault, "new") == b"native"
