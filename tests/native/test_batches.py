"""Get-batch over the native API: many objects, files in archives and ranges in one reply."""

from __future__ import annotations

import base64
import http.client
import json
from collections.abc import Mapping, Sequence
from email import message_from_bytes
from typing import Any

import pytest

from aisle.core import permissions as bits
from tests.archives import FILES, NAMES, files_of, tar_of
from tests.harness import Node, Reply
from tests.native.people import fresh, make_role, make_user
from tests.native.support import act, message, put

LARGE = bytes(range(256)) * 2000  # is a blob of its own
OBJECTS = {"dir/one": b"one", "empty": b"", "large": LARGE, "two ä": b"two"}


@pytest.fixture
def full(node: Node, bucket: str) -> str:
    for key, data in {**OBJECTS, "shard.tar": tar_of(FILES)}.items():
        assert put(node, bucket, key, data).status == 200
    return bucket


def ask(node: Node, wanted: Sequence[Mapping[str, object]], bucket: str = "", **more: Any) -> Reply:
    """A batch of entries, as one stream unless `strm=False`."""
    where = f"/v1/ml/moss/{bucket}?provider=ais" if bucket else "/v1/ml/moss"
    where += more.pop("query", "")
    body = json.dumps({"in": wanted, "strm": True, **more}).encode()
    return node.send("GET", where, body=body, unsigned_headers={"Content-Length": str(len(body))})


def parts(reply: Reply) -> tuple[dict[str, Any], bytes]:
    """What a reply in two parts tells, and its archive; read by other hands than the SDK's."""
    kind = reply.headers["content-type"]
    assert kind.startswith("multipart/mixed; boundary=")
    whole = message_from_bytes(b"Content-Type: " + kind.encode() + b"\r\n\r\n" + reply.body)
    _, told, archive = whole.walk()
    assert told.get_content_type() == "application/json"
    start = reply.body.index(b"\r\n\r\n", reply.body.index(archive["content-type"].encode())) + 4
    end = reply.body.rindex(b"\r\n--")
    return json.loads(str(told.get_payload())), reply.body[start:end]


@pytest.mark.parametrize("name", NAMES)
def test_entries_come_in_the_order_they_were_asked_for(node: Node, full: str, name: str) -> None:
    keys = [*OBJECTS, *reversed(OBJECTS)]
    reply = ask(node, [{"objname": key} for key in keys], full, mime=name.removeprefix("a"))
    assert reply.status == 200
    assert files_of(name, reply.body) == [(f"{full}/{key}", OBJECTS[key]) for key in keys]


def test_a_batch_is_a_tar_unless_it_says_otherwise(node: Node, full: str) -> None:
    reply = ask(node, [{"objname": "dir/one"}], full, onob=True)
    assert reply.headers["content-type"] == "application/x-tar"
    assert files_of("a.tar", reply.body) == [("dir/one", b"one")]


def test_an_entry_may_be_a_range_or_a_file_in_an_archive(node: Node, full: str) -> None:
    wanted: list[dict[str, Any]] = [
        {"objname": "large", "start": 1000, "length": 300},
        {"objname": "large", "start": len(LARGE) - 7, "length": -1},
        {"objname": "large", "length": 5},
        {"objname": "dir/one", "start": 1, "length": 2},
        {"objname": "dir/one", "start": 3, "length": -1},
        {"objname": "shard.tar", "archpath": "dir/one.txt"},
        {"objname": "shard.tar", "archpath": "large.bin", "start": 300_000, "length": 100_000},
        {"objname": "shard.tar", "archpath": "empty"},
    ]
    found = files_of("a.tar", ask(node, wanted, full).body)
    member = FILES["large.bin"][300_000:400_000]
    assert [data for _, data in found] == [
        LARGE[1000:1300], LARGE[-7:], LARGE[:5], b"ne", b"", b"one", member, b"",
    ]  # fmt: skip
    assert found[5][0] == f"{full}/shard.tar/dir/one.txt"


def test_entries_may_be_in_any_bucket(node: Node, full: str) -> None:
    other, space = fresh("other"), fresh("space")[:32]
    assert act(node, "POST", f"/v1/buckets/{other}", "create-bck").status == 200
    assert put(node, other, "k", b"other").status == 200
    inside = f"/v1/buckets/{other}?namespace=%23{space}"
    assert act(node, "POST", inside, "create-bck").status == 200
    in_space = f"/v1/objects/{other}/k?namespace=%23{space}"
    assert node.send("PUT", in_space, body=b"in a namespace").status == 200
    wanted: list[dict[str, Any]] = [
        {"objname": "k", "bucket": other, "provider": "ais"},
        {"uname": f"ais/@#{space}/{other}/k"},
        {"objname": "dir/one", "bucket": full},
    ]
    found = files_of("a.tar", ask(node, wanted).body)
    assert [data for _, data in found] == [b"other", b"in a namespace", b"one"]
    reply = ask(node, [{"objname": "k", "bucket": other}], other, query=f"&namespace=%23{space}")
    assert files_of("a.tar", reply.body) == [(f"{other}/k", b"in a namespace")]
    act(node, "DELETE", inside, "destroy-bck")


def test_in_two_parts_it_is_told_what_came_of_each(node: Node, full: str) -> None:
    opaque = base64.b64encode(b"mine").decode()
    wanted: list[dict[str, Any]] = [
        {"objname": "large"},
        {"objname": "gone", "opaque": opaque},
        {"objname": "shard.tar", "archpath": "no"},
        {"objname": "dir/one", "start": 2, "length": 2},
        {"objname": "dir/one", "archpath": "x"},
        {"objname": "shard.tar", "archpath": "dir/one.txt", "opaque": opaque},
    ]
    told, archive = parts(ask(node, wanted, full, coer=True, strm=False))
    assert told["uuid"]
    names = {"bucket": full, "provider": "ais"}
    assert told["out"][0] == {"objname": "large", **names, "size": len(LARGE)}
    assert told["out"][5] == {
        "objname": "shard.tar", **names, "archpath": "dir/one.txt", "opaque": opaque, "size": 3,
    }  # fmt: skip
    assert [out.get("err_msg", "") for out in told["out"][1:4]] == [
        f'object "ais://{full}/gone" does not exist',
        f'"ais://{full}/shard.tar" has no file "no"',
        "the range bytes=2-3 lies outside of 3 bytes",
    ]
    assert "cannot be read as an archive" in told["out"][4]["err_msg"]
    assert told["out"][1]["opaque"] == opaque
    lost = [f"__404__/{full}/{end}" for end in ("gone", "shard.tar/no", "dir/one", "dir/one/x")]
    assert files_of("a.tar", archive) == [
        (f"{full}/large", LARGE),
        *((name, b"") for name in lost),
        (f"{full}/shard.tar/dir/one.txt", b"one"),
    ]
    reply = ask(node, wanted, full, coer=True)
    assert files_of("a.tar", reply.body) == files_of("a.tar", archive)


@pytest.mark.parametrize("strm", [True, False])
def test_a_missing_object_refuses_a_batch_that_is_not_to_go_on(
    node: Node, full: str, strm: bool
) -> None:
    for wanted in (["gone", "large"], ["large", "gone"]):
        reply = ask(node, [{"objname": key} for key in wanted], full, strm=strm)
        assert reply.status == 404
        assert message(reply) == f'object "ais://{full}/gone" does not exist'


def test_a_missing_member_ends_a_batch_that_is_not_to_go_on(node: Node, full: str) -> None:
    """It is not looked for before it is its turn, unless that is to be told beforehand."""
    wanted = [{"objname": "large"}, {"objname": "shard.tar", "archpath": "gone"}]
    assert ask(node, wanted, full, strm=False).status == 404
    assert ask(node, [*reversed(wanted)], full).status == 404
    with pytest.raises((http.client.HTTPException, OSError)):
        ask(node, wanted, full)


@pytest.mark.parametrize(
    ("wanted", "more", "text"),
    [
        ([], {}, "a batch needs entries: in"),
        ([{"archpath": "x"}], {}, "entry 0 of the batch names no object"),
        ([{"objname": "a", "start": 5}], {}, "has a bad range"),
        ([{"objname": "a", "start": -1, "length": 2}], {}, "has a bad range"),
        ([{"objname": "a", "length": -2}], {}, "has a bad range"),
        ([{"objname": "a"}], {"mime": ".rar"}, 'unknown archive type ".rar"'),
        ([{"objname": 5}], {}, "the body of the request: "),
    ],
)
def test_a_batch_that_makes_no_sense(
    node: Node, full: str, wanted: list[Any], more: dict[str, Any], text: str
) -> None:
    reply = ask(node, wanted, full, coer=True, **more)
    assert reply.status == 400
    assert text in message(reply)


def test_a_name_that_ends_in_a_slash_is_a_file_too_but_for_zip(node: Node, full: str) -> None:
    """Readers of ZIP would pass it over, and take what follows for the wrong entries."""
    assert put(node, full, "marker/", b"in it").status == 200
    wanted = [{"objname": "marker/"}, {"objname": "dir/one"}]
    found = files_of("a.tar", ask(node, wanted, full).body)
    assert found == [(f"{full}/marker/", b"in it"), (f"{full}/dir/one", b"one")]
    reply = ask(node, wanted, full, mime=".zip", coer=True)
    assert (reply.status, "get it as a TAR" in message(reply)) == (400, True)


def test_a_batch_needs_its_buckets(node: Node, full: str) -> None:
    reply = ask(node, [{"objname": "dir/one"}], coer=True)
    assert (reply.status, message(reply)) == (400, "entry 0 of the batch names no bucket")
    reply = ask(node, [{"objname": "a"}], "no-such-bucket", coer=True)
    assert (reply.status, message(reply)) == (404, 'bucket "ais://no-such-bucket" does not exist')


def test_a_batch_may_have_very_many_entries(node: Node, full: str) -> None:
    names = [{"objname": "dir/one", "bucket": full, "opaque": "x" * 120}] * 10_000
    found = files_of("a.tar", ask(node, names).body)
    assert len(found) == 10_000


def test_a_batch_gives_what_its_sender_may_read(node: Node, full: str) -> None:
    def batch(who: Any, *keys: str, **more: Any) -> Reply:
        value = {"in": [{"objname": key} for key in keys], "coer": True, "strm": True, **more}
        reply: Reply = who.tell("GET", f"/v1/ml/moss/{full}", value)
        return reply

    reader = make_user(node, [make_role(node, bits.READ_ONLY, full)])
    assert files_of("a.tar", batch(reader, "dir/one").body) == [(f"{full}/dir/one", b"one")]
    stranger = make_user(node)
    assert batch(stranger, "dir/one").status == 403
    blind = make_user(node, [make_role(node, bits.GET, full)])
    assert batch(blind, "dir/one").status == 200
    assert batch(blind, "gone", coer=False).status == 403
    told, _ = parts(batch(blind, "gone", strm=False))
    assert told["out"][0]["err_msg"] == "Access Denied"
    nobody = node.send("GET", f"/v1/ml/moss/{full}", body=b"{}", signed=False)
    assert nobody.status == 401
