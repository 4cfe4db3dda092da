"""What is done to objects over the native API but plain PUT: appends, parts, copies, edits."""

import hashlib
import json
from typing import Any

import pytest

from tests.harness import Node, Reply
from tests.native.support import act, message, put, target


def body(node: Node, bucket: str, key: str) -> bytes:
    reply = node.send("GET", target(bucket, key))
    assert reply.status == 200, reply.body
    return reply.body


def patch(node: Node, bucket: str, key: str, value: Any, **query: object) -> Reply:
    data = json.dumps({"action": "", "value": value}).encode()
    size = {"Content-Length": str(len(data))}
    return node.send("PATCH", target(bucket, key, **query), body=data, unsigned_headers=size)


def custom(node: Node, bucket: str, key: str) -> str:
    fields = node.send("HEAD", target(bucket, key, props="custom")).headers
    return fields.get("ais-custom-md", "")


# --- append ---------------------------------------------------------------------------------


def append(
    node: Node, bucket: str, data: bytes, handle: str = "", kind: str = "append", **send: Any
) -> Reply:
    url = target(bucket, "log", append_type=kind, append_handle=handle)
    return node.send("PUT", url, body=data, **send)


def handle_of(reply: Reply) -> str:
    assert reply.status == 200, reply.body
    return reply.headers["ais-append-handle"]


def test_pieces_are_held_to_their_checksum_and_the_flush_to_the_whole(
    node: Node, bucket: str
) -> None:
    def claim(data: bytes) -> dict[str, str]:
        digest = hashlib.md5(data).hexdigest()
        return {"Ais-Checksum-Type": "md5", "Ais-Checksum-Value": digest}

    handle = handle_of(append(node, bucket, b"one", headers=claim(b"one")))
    wrong = append(node, bucket, b"two", handle, headers=claim(b"other"))
    assert (wrong.status, "MD5" in message(wrong)) == (400, True)
    handle = handle_of(append(node, bucket, b"two", handle, headers=claim(b"two")))
    wrong = append(node, bucket, b"", handle, "flush", headers=claim(b"two"))
    assert wrong.status == 400
    assert node.send("HEAD", target(bucket, "log")).status == 404
    done = append(node, bucket, b"", handle, "flush", headers=claim(b"onetwo"))
    assert done.status == 200
    assert done.headers["ais-checksum-value"] == hashlib.md5(b"onetwo").hexdigest()
    assert body(node, bucket, "log") == b"onetwo"


def test_a_flush_may_bring_the_only_piece_and_be_repeated(node: Node, bucket: str) -> None:
    assert append(node, bucket, b"all at once", kind="flush").status == 200
    handle = handle_of(append(node, bucket, b", and more"))
    for _ in range(2):
        assert append(node, bucket, b"", handle, "flush").status == 200
    assert body(node, bucket, "log") == b"all at once, and more"


def test_an_appended_object_keeps_its_type(node: Node, bucket: str) -> None:
    handle = handle_of(append(node, bucket, b"x", headers={"Content-Type": "text/plain"}))
    append(node, bucket, b"", handle, "flush")
    assert node.send("HEAD", target(bucket, "log")).headers["content-type"] == "text/plain"


def test_appends_that_make_no_sense(node: Node, bucket: str) -> None:
    handle = handle_of(append(node, bucket, b"x"))
    assert append(node, bucket, b"y", kind="insert").status == 400
    assert append(node, bucket, b"", kind="flush").status == 400
    assert append(node, bucket, b"y", "not-a-handle").status == 400
    assert append(node, bucket, b"y", "00" * 16 + "-1").status == 404
    other = target(bucket, "log2", append_type="append", append_handle=handle)
    assert node.send("PUT", other, body=b"y").status == 404
    assert append(node, bucket, b"longer than it", handle[:-1] + "0").status == 409
    only = target(bucket, "log", append_handle=handle)
    assert node.send("PUT", only, body=b"y").status == 400
    for name in ("etl_name", "object_to", "uploadId"):
        url = target(bucket, "log", append_type="append", **{name: "x"})
        assert node.send("PUT", url, body=b"y").status in (400, 501)
    assert append(node, bucket, b"", handle, "flush").status == 200
    assert body(node, bucket, "log") == b"x"


# --- multipart ------------------------------------------------------------------------------


def begin(node: Node, bucket: str, key: str = "x") -> str:
    reply = act(node, "POST", target(bucket, key), "mpt-upload")
    assert reply.status == 200
    return reply.body.decode()


def put_part(node: Node, bucket: str, upload: str, number: object, data: bytes) -> Reply:
    return node.send("PUT", target(bucket, "x", uploadId=upload, partNumber=number), body=data)


def complete(node: Node, bucket: str, upload: str, value: object) -> Reply:
    return act(node, "POST", target(bucket, "x", uploadId=upload), "mpt-complete", value)


def test_parts_are_named_in_any_order_with_or_without_their_etags(node: Node, bucket: str) -> None:
    upload = begin(node, bucket)
    etags = {}
    for number in (2, 1, 4):
        reply = put_part(node, bucket, upload, number, b"%d" % number)
        etags[number] = reply.headers["etag"]
        assert etags[number].strip('"') == hashlib.md5(b"%d" % number).hexdigest()
    value = [
        {"part-number": 4, "etag": ""},
        {"part-number": "1", "etag": etags[1]},
        {"part-number": 2, "etag": etags[2].strip('"')},
        {"part-number": 4},
    ]
    done = complete(node, bucket, upload, value)
    assert done.status == 200
    assert done.headers["etag"].endswith('-3"')
    assert body(node, bucket, "x") == b"124"
    again = complete(node, bucket, upload, value)
    assert (again.status, again.headers["etag"]) == (200, done.headers["etag"])


@pytest.mark.parametrize(
    "value",
    [
        None,
        [],
        {},
        "1",
        [1],
        [{"etag": "x"}],
        [{"part-number": True}],
        [{"part-number": 0}],
        [{"part-number": 10_001}],
        [{"part-number": "x"}],
        [{"part-number": 1, "etag": 5}],
        [{"part-number": 1, "etag": "a"}, {"part-number": 1, "etag": "b"}],
        [{"part-number": 1, "etag": "not its own"}],
        [{"part-number": 2}],
    ],
)
def test_a_list_of_parts_that_cannot_be_meant(node: Node, bucket: str, value: object) -> None:
    upload = begin(node, bucket)
    put_part(node, bucket, upload, 1, b"x")
    reply = complete(node, bucket, upload, value)
    assert reply.status == 400
    assert message(reply)
    assert node.send("HEAD", target(bucket, "x")).status == 404
    assert act(node, "DELETE", target(bucket, "x", uploadId=upload), "mpt-abort").status == 200


@pytest.mark.parametrize("number", ["0", "10001", "x", "1.5", "-1", ""])
def test_a_part_number_that_cannot_be_meant(node: Node, bucket: str, number: str) -> None:
    upload = begin(node, bucket)
    assert put_part(node, bucket, upload, number, b"x").status == 400


def test_an_upload_that_does_not_exist_is_named_by_its_id_alone(node: Node, bucket: str) -> None:
    """The SDK would take an object's name for an absent object, and try again for a minute."""
    for upload in ("00" * 16, "no-such"):
        replies = [
            put_part(node, bucket, upload, 1, b"x"),
            complete(node, bucket, upload, [{"part-number": 1}]),
            act(node, "DELETE", target(bucket, "x", uploadId=upload), "mpt-abort"),
        ]
        for reply in replies:
            assert reply.status == 404
            assert upload in message(reply)
            assert "ais://" not in message(reply)


def test_an_upload_must_be_named(node: Node, bucket: str) -> None:
    assert (
        act(node, "POST", target(bucket, "x"), "mpt-complete", [{"part-number": 1}]).status == 400
    )
    assert act(node, "DELETE", target(bucket, "x"), "mpt-abort").status == 400
    assert node.send("PUT", target(bucket, "x", partNumber=1), body=b"x").status == 400


def test_a_delete_with_an_upload_but_no_action_deletes_nothing(node: Node, bucket: str) -> None:
    put(node, bucket, "x", b"")
    assert node.send("DELETE", target(bucket, "x", uploadId="1")).status == 501
    assert node.send("HEAD", target(bucket, "x")).status == 200


def test_a_part_is_held_to_its_checksum(node: Node, bucket: str) -> None:
    upload = begin(node, bucket)
    claim = {"Ais-Checksum-Type": "sha256", "Ais-Checksum-Value": "00" * 32}
    url = target(bucket, "x", uploadId=upload, partNumber=1)
    assert node.send("PUT", url, body=b"x", headers=claim).status == 400
    assert complete(node, bucket, upload, [{"part-number": 1}]).status == 400


def test_the_smallest_part_may_be_bounded(node: Node, bucket: str) -> None:
    props = {"multipart": {"min_part_size": "1KiB"}}
    act(node, "PATCH", f"/v1/buckets/{bucket}", "set-bprops", props)
    upload = begin(node, bucket)
    for number in (1, 2):
        put_part(node, bucket, upload, number, b"small")
    reply = complete(node, bucket, upload, [{"part-number": 1}, {"part-number": 2}])
    assert (reply.status, "minimum" in message(reply)) == (400, True)


# --- copies ---------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [10, 300_000])
def test_a_copy_is_named_by_its_uname(node: Node, make_bucket: Any, size: int) -> None:
    one, other = make_bucket(), make_bucket()
    data = bytes(range(250)) * (size // 250 + 1)
    put(node, one, "x", data, headers={"Content-Type": "text/plain"})
    patch(node, one, "x", {"a": "b"})
    for bucket, key in ((one, "y"), (other, "dir/é b")):
        remote = {"latest-ver": "true", "synchronize": "false"}
        url = target(one, "x", object_to=f"ais/@#/{bucket}/{key}", **remote)
        reply = node.send("PUT", url)
        assert reply.status == 200, reply.body
        assert body(node, bucket, key) == data
        assert custom(node, bucket, key) == "a=b"
        fields = node.send("HEAD", target(bucket, key)).headers
        assert fields["content-type"] == "text/plain"
        assert fields["ais-checksum-value"] == reply.headers["ais-checksum-value"]


@pytest.mark.parametrize(
    ("to", "status"),
    [
        ("ais/@#/{bucket}/x", 400),
        ("ais/@#/{bucket}/", 400),
        ("ais/@#/{bucket}", 400),
        ("{bucket}/y", 400),
        ("nobody/@#/{bucket}/y", 400),
        ("ais/@#/no-such-bucket/y", 404),
        ("ais/@#/{bucket}/" + "y" * 1025, 400),
    ],
)
def test_a_copy_that_cannot_be_meant(node: Node, bucket: str, to: str, status: int) -> None:
    put(node, bucket, "x", b"12345")
    reply = node.send("PUT", target(bucket, "x", object_to=to.format(bucket=bucket)))
    assert reply.status == status
    assert message(reply)
    assert body(node, bucket, "x") == b"12345"


@pytest.mark.parametrize("parameter", ["object_to", "append_type"])
def test_an_operation_that_is_named_without_a_value_is_no_put(
    node: Node, bucket: str, parameter: str
) -> None:
    put(node, bucket, "x", b"12345")
    reply = node.send("PUT", f"{target(bucket, 'x')}&{parameter}=")
    assert reply.status == 400
    assert parameter in message(reply)
    assert body(node, bucket, "x") == b"12345"


def test_a_copy_names_the_provider_that_has_no_such_bucket(node: Node, bucket: str) -> None:
    put(node, bucket, "x", b"12345")
    reply = node.send("PUT", target(bucket, "x", object_to="s3/@#/nobody/y"))
    assert (reply.status, message(reply)) == (404, 'bucket "aws://nobody" does not exist')


def test_a_copy_of_nothing(node: Node, bucket: str) -> None:
    reply = node.send("PUT", target(bucket, "absent", object_to=f"ais/@#/{bucket}/y"))
    assert (reply.status, message(reply)) == (404, f'object "ais://{bucket}/absent" does not exist')


def test_a_copy_through_a_transformation_is_refused(node: Node, bucket: str) -> None:
    put(node, bucket, "x", b"12345")
    url = target(bucket, "x", object_to=f"ais/@#/{bucket}/y", etl_name="resize")
    assert node.send("PUT", url).status == 501


# --- names, custom metadata, locks ----------------------------------------------------------


def rename(node: Node, bucket: str, key: str, to: str) -> Reply:
    data = json.dumps({"action": "rename", "name": to}).encode()
    size = {"Content-Length": str(len(data))}
    return node.send("POST", target(bucket, key), body=data, unsigned_headers=size)


def test_a_renamed_object_has_its_new_name_alone(node: Node, bucket: str) -> None:
    put(node, bucket, "x", bytes(300_000))
    put(node, bucket, "dir/é y", b"in its place")
    patch(node, bucket, "x", {"a": "b"})
    assert rename(node, bucket, "x", "dir/é y").status == 200
    assert node.send("HEAD", target(bucket, "x")).status == 404
    assert body(node, bucket, "dir/é y") == bytes(300_000)
    assert custom(node, bucket, "dir/é y") == "a=b"


@pytest.mark.parametrize("to", ["", "x", "y" * 1025])
def test_a_name_that_cannot_be_given(node: Node, bucket: str, to: str) -> None:
    put(node, bucket, "x", b"12345")
    assert rename(node, bucket, "x", to).status == 400
    assert body(node, bucket, "x") == b"12345"


def test_what_is_not_there_cannot_be_renamed_or_described(node: Node, bucket: str) -> None:
    text = f'object "ais://{bucket}/absent" does not exist'
    for reply in (
        rename(node, bucket, "absent", "y"),
        patch(node, bucket, "absent", {"a": "b"}),
        act(node, "POST", target(bucket, "absent"), "check-lock"),
    ):
        assert (reply.status, message(reply)) == (404, text)


def test_custom_metadata_is_merged_or_replaced(node: Node, bucket: str, s3: Any) -> None:
    put(node, bucket, "x", b"12345")
    before = node.send("HEAD", target(bucket, "x")).headers
    assert patch(node, bucket, "x", {"one": "1", "Two": "2"}).status == 200
    assert patch(node, bucket, "x", {"one": "eins"}).status == 200
    assert custom(node, bucket, "x") == "one=eins, Two=2"
    assert s3.head_object(Bucket=bucket, Key="x")["Metadata"] == {"one": "eins", "two": "2"}
    after = node.send("HEAD", target(bucket, "x")).headers
    for name in ("etag", "ais-version", "last-modified"):
        assert before[name] == after[name]
    new = {"set-new-custom": "true"}
    assert patch(node, bucket, "x", {"three": "3"}, **new).status == 200
    assert custom(node, bucket, "x") == "three=3"
    assert patch(node, bucket, "x", {}, **new).status == 200
    assert custom(node, bucket, "x") == ""
    assert body(node, bucket, "x") == b"12345"


@pytest.mark.parametrize(
    "value",
    [
        None,
        {},
        [],
        "a=b",
        {"a": 1},
        {"a": None},
        {"": "b"},
        {"a b": "c"},
        {"a=b": "c"},
        {"a,b": "c"},
        {"é": "c"},
        {"a\r\nSet-Cookie": "x"},
        {"a": "b" * 2048},
        {f"n{number}": "" for number in range(65)},
    ],
)
def test_custom_metadata_that_cannot_be_kept(node: Node, bucket: str, value: object) -> None:
    put(node, bucket, "x", b"")
    patch(node, bucket, "x", {"kept": "1"})
    assert patch(node, bucket, "x", value).status == 400
    assert custom(node, bucket, "x") == "kept=1"


def test_a_new_version_inherits_custom_metadata_unless_it_comes_through_s3(
    node: Node, bucket: str, s3: Any
) -> None:
    put(node, bucket, "x", b"1")
    patch(node, bucket, "x", {"a": "b"})
    put(node, bucket, "x", b"2")
    assert custom(node, bucket, "x") == "a=b"
    s3.put_object(Bucket=bucket, Key="x", Body=b"3")
    assert custom(node, bucket, "x") == ""


def test_a_value_that_no_header_can_carry_is_told_in_words(node: Node, bucket: str) -> None:
    put(node, bucket, "x", b"")
    assert patch(node, bucket, "x", {"evil": "a\r\nSet-Cookie: x"}).status == 200
    fields = node.send("HEAD", target(bucket, "x")).headers
    assert "set-cookie" not in fields
    assert fields["ais-custom-md"].startswith("=?UTF-8?B?")


def test_no_object_is_ever_locked(node: Node, bucket: str) -> None:
    put(node, bucket, "x", b"")
    assert act(node, "POST", target(bucket, "x"), "check-lock").status == 200


def test_an_action_that_no_object_knows(node: Node, bucket: str) -> None:
    put(node, bucket, "x", b"")
    for method in ("POST", "PATCH", "DELETE"):
        reply = act(node, method, target(bucket, "x"), "explode")
        assert reply.status == 501
        assert "explode" in message(reply)
    assert node.send("HEAD", target(bucket, "x")).status == 200
