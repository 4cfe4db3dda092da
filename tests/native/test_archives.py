"""Archives over the native API: members out of objects, files into them, the job, the listing."""

import http.client

import pytest

from tests.archives import FILES, NAMES, archive_of, files_of, tar_of, zip_of
from tests.harness import Node, Reply
from tests.native.support import act, listed, message, put, target

ARCH_DIR = 1 << 3
CACHED, IN_ARCHIVE, IS_ARCHIVE = 1 << 6, 1 << 7, 1 << 9


def append(node: Node, bucket: str, key: str, name: str, data: bytes, pine: str = "2") -> Reply:
    return node.send(
        "PUT", target(bucket, key, archpath=name), body=data, headers={"Ais-Pine": pine}
    )


def names(page: dict) -> list[str]:  # type: ignore[type-arg]
    return [entry["name"] for entry in page["entries"]]


# --- reading --------------------------------------------------------------------------------


@pytest.mark.parametrize("key", NAMES)
def test_a_member_of_every_format_is_read(node: Node, bucket: str, key: str) -> None:
    put(node, bucket, key, archive_of(key, FILES))
    for name, data in FILES.items():
        reply = node.send("GET", target(bucket, key, archpath=name))
        assert (reply.status, reply.body) == (200, data)
        assert reply.headers["content-length"] == str(len(data))
        assert reply.headers["ais-archpath"] == name
        assert "ais-checksum-value" not in reply.headers
        assert "etag" not in reply.headers


@pytest.mark.parametrize("key", NAMES)
@pytest.mark.parametrize(
    ("text", "mode", "chosen"),
    [
        ("dir/", "prefix", ["dir/one.txt", "dir/one.json", "dir/two.txt"]),
        (".txt", "suffix", ["dir/one.txt", "dir/two.txt"]),
        ("one", "substr", ["dir/one.txt", "dir/one.json"]),
        ("dir/one", "wdskey", ["dir/one.txt", "dir/one.json"]),
        (r"t(wo|hree)\.|^emp", "regexp", ["dir/two.txt", "empty"]),
        (r"\.json$", "", ["dir/one.json"]),
        ("*", "", list(FILES)),
    ],
)
def test_members_that_match_come_as_a_tar(
    node: Node, bucket: str, key: str, text: str, mode: str, chosen: list[str]
) -> None:
    put(node, bucket, key, archive_of(key, FILES))
    reply = node.send("GET", target(bucket, key, archregx=text, archmode=mode))
    assert reply.status == 200
    assert reply.headers["content-type"] == "application/x-tar"
    assert files_of("x.tar", reply.body) == [(name, FILES[name]) for name in chosen]


def test_the_type_is_told_by_the_client_or_by_the_first_bytes(node: Node, bucket: str) -> None:
    for key in NAMES:
        put(node, bucket, "shard", archive_of(key, FILES))
        query = target(bucket, "shard", archpath="dir/one.txt")
        assert node.send("GET", query).body == b"one"
        mime = key.removeprefix("a.")
        assert node.send("GET", f"{query}&archmime={mime}").body == b"one"
    put(node, bucket, "wrong.zip", tar_of(FILES))
    query = target(bucket, "wrong.zip", archpath="dir/one.txt")
    assert node.send("GET", query).status == 400
    assert node.send("GET", f"{query}&archmime=.tar").body == b"one"


def test_what_is_not_in_an_archive_is_not_found(node: Node, bucket: str) -> None:
    put(node, bucket, "a.tar", tar_of(FILES))
    reply = node.send("GET", target(bucket, "a.tar", archpath="dir"))
    assert reply.status == 404
    assert message(reply) == f'"ais://{bucket}/a.tar" has no file "dir"'
    reply = node.send("GET", target(bucket, "a.tar", archregx="nothing", archmode="prefix"))
    assert reply.status == 404
    assert f'"ais://{bucket}/a.tar" has no file that matches "nothing"' in message(reply)
    reply = node.send("GET", target(bucket, "b.tar", archpath="dir"))
    assert reply.status == 404
    assert f'"ais://{bucket}/b.tar" does not exist' in message(reply)


@pytest.mark.parametrize("key", [*NAMES, "plain"])
def test_what_is_no_archive_is_refused(node: Node, bucket: str, key: str) -> None:
    for data in (b"x" * 3000, b"short"):
        put(node, bucket, key, data)
        for query in ({"archpath": "x"}, {"archregx": "x", "archmode": "prefix"}):
            reply = node.send("GET", target(bucket, key, **query))
            assert reply.status == 400
            assert f'"ais://{bucket}/{key}" cannot be read as an archive' in message(reply)


def test_a_range_of_a_member_is_refused(node: Node, bucket: str) -> None:
    put(node, bucket, "a.tar", tar_of(FILES))
    reply = node.send(
        "GET", target(bucket, "a.tar", archpath="dir/one.txt"), headers={"Range": "bytes=0-1"}
    )
    assert reply.status == 416
    assert "range-read of archived files is not supported" in message(reply)


@pytest.mark.parametrize(
    ("query", "status", "text"),
    [
        ({"archpath": "x", "archregx": "x"}, 400, "exclude each other"),
        ({"archregx": "x", "archmode": "glob"}, 400, 'invalid matching mode "glob"'),
        ({"archregx": "(", "archmode": "regexp"}, 400, "regular expression"),
        ({"archpath": "x", "archmime": ".rar"}, 400, 'unknown archive type ".rar"'),
        ({"archpath": "x", "etl_name": "y"}, 501, "etl_name is not supported"),
    ],
)
def test_a_wrong_question_is_refused(
    node: Node, bucket: str, query: dict[str, str], status: int, text: str
) -> None:
    put(node, bucket, "a.tar", tar_of(FILES))
    reply = node.send("GET", target(bucket, "a.tar", **query))
    assert reply.status == status
    assert text in message(reply)


def test_head_and_delete_know_no_members(node: Node, bucket: str) -> None:
    put(node, bucket, "a.tar", tar_of(FILES))
    for method in ("HEAD", "DELETE"):
        reply = node.send(method, target(bucket, "a.tar", archpath="empty"))
        assert reply.status == 501
    assert node.send("GET", target(bucket, "a.tar")).body == tar_of(FILES)


# --- appending ------------------------------------------------------------------------------


@pytest.mark.parametrize("key", NAMES)
def test_files_are_appended_to_every_format(node: Node, bucket: str, key: str) -> None:
    put(node, bucket, key, archive_of(key, FILES))
    large = bytes(range(256)) * 1000
    assert append(node, bucket, key, "new/small", b"hello", pine="1").status == 200
    assert append(node, bucket, key, "new/large", large, pine="2").status == 200
    assert append(node, bucket, key, "empty", b"", pine="1").status == 200
    data = node.send("GET", target(bucket, key)).body
    expected = [*FILES.items(), ("new/small", b"hello"), ("new/large", large), ("empty", b"")]
    assert files_of(key, data) == expected


@pytest.mark.parametrize("key", NAMES)
def test_an_archive_is_made_of_one_file(node: Node, bucket: str, key: str) -> None:
    assert append(node, bucket, key, "first", b"1", pine="2").status == 200
    assert files_of(key, node.send("GET", target(bucket, key)).body) == [("first", b"1")]
    assert append(node, bucket, key, "second", b"2", pine="0").status == 200
    assert files_of(key, node.send("GET", target(bucket, key)).body) == [("second", b"2")]


def test_a_file_of_unknown_size_is_appended(node: Node, bucket: str) -> None:
    put(node, bucket, "a.tar", tar_of({"x": b"x"}))
    reply = node.send(
        "PUT",
        target(bucket, "a.tar", archpath="y"),
        body=iter((b"3\r\nabc\r\n", b"0\r\n\r\n")),
        headers={"Ais-Pine": "1"},
        unsigned_headers={"Transfer-Encoding": "chunked"},
    )
    assert reply.status == 200
    data = node.send("GET", target(bucket, "a.tar")).body
    assert files_of("a.tar", data) == [("x", b"x"), ("y", b"abc")]


def test_metadata_of_an_archive_stays(node: Node, bucket: str) -> None:
    node.send(
        "PUT",
        f"/s3/{bucket}/a.tar",
        body=tar_of({"x": b"x"}),
        headers={"Content-Type": "application/x-tar", "x-amz-meta-who": "me"},
    )
    assert append(node, bucket, "a.tar", "y", b"y").status == 200
    fields = node.send("HEAD", target(bucket, "a.tar")).headers
    assert fields["content-type"] == "application/x-tar"
    assert "who=me" in fields["ais-custom-md"]


def test_a_name_that_begins_with_the_archives_goes_on_from_there(node: Node, bucket: str) -> None:
    append(node, bucket, "d/a.tar", "d/a.tar/in/x", b"x")
    data = node.send("GET", target(bucket, "d/a.tar")).body
    assert files_of("a.tar", data) == [("in/x", b"x")]


def test_what_cannot_be_appended_is_refused(node: Node, bucket: str) -> None:
    reply = append(node, bucket, "a.tar", "x", b"x", pine="1")
    assert reply.status == 404
    assert f"ais://{bucket}/a.tar" in message(reply)
    reply = append(node, bucket, "plain", "x", b"x")
    assert (reply.status, "tells no archive type" in message(reply)) == (400, True)
    for name in ("", "dir/", "a\nb"):
        reply = node.send("PUT", target(bucket, "a.tar", archpath=name, archmime=".tar"), body=b"x")
        assert (reply.status, "cannot name a file" in message(reply)) == (400, True)
    reply = append(node, bucket, "a.tar", "x", b"x", pine="7")
    assert (reply.status, "invalid flags" in message(reply)) == (400, True)
    reply = node.send("PUT", target(bucket, "a.tar", archpath="x", archmime=".zip"), body=b"x")
    assert (reply.status, "contradicts" in message(reply)) == (400, True)
    assert names(listed(node, bucket)) == []
    put(node, bucket, "a.tar", b"no archive")
    reply = append(node, bucket, "a.tar", "x", b"x", pine="1")
    assert (reply.status, "cannot be read as an archive" in message(reply)) == (400, True)
    assert node.send("GET", target(bucket, "a.tar")).body == b"no archive"


def test_a_file_that_is_not_the_one_announced_is_not_appended(node: Node, bucket: str) -> None:
    put(node, bucket, "a.tar", tar_of({"x": b"x"}))
    reply = node.send(
        "PUT",
        target(bucket, "a.tar", archpath="y"),
        body=b"y",
        headers={
            "Ais-Pine": "1",
            "Ais-Checksum-Type": "md5",
            "Ais-Checksum-Value": "0" * 32,
        },
    )
    assert reply.status == 400
    assert node.send("GET", target(bucket, "a.tar")).body == tar_of({"x": b"x"})


# --- listing --------------------------------------------------------------------------------


def opened(node: Node, bucket: str, **value: object) -> list[tuple[str, int, int]]:
    """Name, size and flags of all entries with archives opened, over all pages."""
    found: list[tuple[str, int, int]] = []
    token = ""
    while True:
        page = listed(node, bucket, flags=str(ARCH_DIR), continuation_token=token, **value)
        found += [(e["name"], e.get("size", 0), e.get("flags", 0)) for e in page["entries"]]
        assert len(page["entries"]) <= int(str(value.get("pagesize") or 10_000))
        token = page["continuation_token"]
        if not token:
            return found


@pytest.mark.parametrize("key", NAMES)
@pytest.mark.parametrize("pagesize", [0, 1, 2, 3, 5, 6, 7, 8])
def test_members_are_listed_behind_their_archive(
    node: Node, bucket: str, key: str, pagesize: int
) -> None:
    data = archive_of(key, FILES)
    for name in (key, "0", f"{key}.idx"):
        put(node, bucket, name, data if name == key else b"x")
    members = [(f"{key}/{name}", len(FILES[name]), CACHED | IN_ARCHIVE) for name in sorted(FILES)]
    assert opened(node, bucket, pagesize=pagesize) == [
        ("0", 1, CACHED),
        (key, len(data), CACHED | IS_ARCHIVE),
        *members,
        (f"{key}.idx", 1, CACHED),
    ]
    assert names(listed(node, bucket)) == ["0", key, f"{key}.idx"]


@pytest.mark.parametrize("pagesize", [0, 1, 2])
def test_a_prefix_reaches_into_archives(node: Node, bucket: str, pagesize: int) -> None:
    put(node, bucket, "d/a.tar", tar_of(FILES))
    put(node, bucket, "d/a.tar/dir/object", b"x")
    found = opened(node, bucket, prefix="d/a.tar/dir/o", pagesize=pagesize)
    assert [name for name, _, _ in found] == [
        "d/a.tar/dir/one.json",
        "d/a.tar/dir/one.txt",
        "d/a.tar/dir/object",
    ]


def test_a_name_that_occurs_twice_is_listed_twice(node: Node, bucket: str) -> None:
    put(node, bucket, "a.tar", tar_of({"x": b"1"}))
    for _ in range(3):
        append(node, bucket, "a.tar", "x", b"22", pine="1")
    for pagesize in (0, 1, 2):
        found = opened(node, bucket, pagesize=pagesize)
        assert [name for name, _, _ in found] == ["a.tar", *["a.tar/x"] * 4]


def test_what_only_looks_like_an_archive_is_an_object(node: Node, bucket: str) -> None:
    put(node, bucket, "a.tar", b"x" * 1000)
    put(node, bucket, "b.zip", b"")
    put(node, bucket, "c.tgz", archive_of("c.tgz", FILES)[:-200])
    assert [flags for _, _, flags in opened(node, bucket)] == [CACHED] * 3


def test_virtual_directories_stand_between_archives(node: Node, bucket: str) -> None:
    for key in ("a/x", "b.tar", "c/x", "d.tar", "e/x"):
        put(node, bucket, key, tar_of({"1": b"", "2": b""}))
    for pagesize in (0, 1, 2, 3):
        seen: list[str] = []
        token = ""
        while True:
            flags = str(ARCH_DIR | 1 << 11)
            page = listed(node, bucket, flags=flags, pagesize=pagesize, continuation_token=token)
            seen += names(page)
            token = page["continuation_token"]
            if not token:
                break
        assert seen == [
            "a/",
            "b.tar",
            "b.tar/1",
            "b.tar/2",
            "c/",
            "d.tar",
            "d.tar/1",
            "d.tar/2",
            "e/",
        ]


def test_a_token_of_nobody_is_refused(node: Node, bucket: str) -> None:
    for token in ("a.???", "a.e30", "a."):
        value = {"flags": str(ARCH_DIR), "continuation_token": token}
        reply = act(node, "GET", f"/v1/buckets/{bucket}?provider=ais", "list", value)
        assert (reply.status, "continuation token" in message(reply)) == (400, True)


# --- what goes wrong ------------------------------------------------------------------------


def test_damage_behind_the_first_bytes_cuts_the_reply_off(node: Node, bucket: str) -> None:
    data = bytearray(zip_of({"x": bytes(range(256)) * 8000}))
    at = data.index(b"PK\x01\x02")
    data[at + 16 : at + 20] = b"\0\0\0\0"  # the checksum
    put(node, bucket, "a.zip", bytes(data))
    for query in ({"archregx": "*"}, {"archpath": "x"}):
        with pytest.raises((http.client.HTTPException, OSError)):
            node.send("GET", target(bucket, "a.zip", **query))
    assert f'"ais://{bucket}/a.zip" cannot be read' in node.log_tail(400)


@pytest.mark.parametrize(
    ("value", "status", "text"),
    [
        ({"objnames": ["x"]}, 400, "archname"),
        ({"archname": "a.tar"}, 400, "no objects are named"),
        ({"archname": "a.tar", "objnames": ["x"], "template": "y"}, 400, "not both"),
        ({"archname": "a.tar", "template": "{1..2"}, 400, "bad template"),
        ({"archname": "a", "template": ""}, 400, "tells no archive type"),
        ({"archname": "a.tar", "mime": "rar", "template": ""}, 400, "unknown archive type"),
        ({"archname": "a.tar", "template": "", "tobck": {"name": "none"}}, 404, "ais://none"),
        ({"archname": "a.tar", "template": "", "tobck": "x"}, 400, "does not name a bucket"),
        ({"archname": 5, "template": ""}, 400, "value of the message"),
        ({"archname": "a.tar", "template": "", "isbn": "maybe"}, 400, "value of the message"),
        ([], 400, "must be an object"),
    ],
)
def test_a_job_that_makes_no_sense_is_refused(
    node: Node, bucket: str, value: object, status: int, text: str
) -> None:
    reply = act(node, "PUT", f"/v1/buckets/{bucket}?provider=ais", "archive", value)
    assert reply.status == status
    assert text in message(reply)


def test_a_job_of_no_bucket_is_refused(node: Node) -> None:
    value = {"archname": "a.tar", "template": ""}
    reply = act(node, "PUT", "/v1/buckets/no-such-bucket?provider=ais", "archive", value)
    assert reply.status == 404
    assert "ais://no-such-bucket" in message(reply)
