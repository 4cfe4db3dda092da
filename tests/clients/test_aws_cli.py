"""The aws CLI, run as the seed documents show it and a little further."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import os
import re
import time
from typing import Any

from tests.clients.tools import MIB, Shell, tree_digests
from tests.harness import Node


def s3(shell: Shell, node: Node, *command: str, check: bool = True) -> str:
    """`aws --endpoint-url EP s3 ...`, its output."""
    done = shell.run("aws", "--endpoint-url", node.endpoint, "s3", *command, check=check)
    return done.stdout + ("" if check else done.stderr)


def api(shell: Shell, node: Node, *command: str) -> Any:
    """`aws s3api ... --endpoint-url EP`, its output read as JSON."""
    done = shell.run("aws", "s3api", *command, "--endpoint-url", node.endpoint)
    return json.loads(done.stdout) if done.stdout.strip() else None


def test_quick_start(aws: Shell, any_node: Node, name: str) -> None:
    readme = os.urandom(10_493)
    aws.file("README.md", readme)
    assert s3(aws, any_node, "mb", f"s3://{name}").strip() == f"make_bucket: {name}"
    assert "upload: ./README.md to" in s3(aws, any_node, "cp", "README.md", f"s3://{name}/")
    line = s3(aws, any_node, "ls", f"s3://{name}").strip()
    match = re.fullmatch(r"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d) +(\d+) (\S+)", line)
    assert match, line
    assert (match[2], match[3]) == ("10493", "README.md")
    told = dt.datetime.fromisoformat(f"{match[1]}+00:00")
    assert abs(dt.datetime.now(dt.UTC) - told) < dt.timedelta(minutes=1)
    assert name in s3(aws, any_node, "ls")
    s3(aws, any_node, "cp", f"s3://{name}/README.md", "copy.md")
    assert (aws.home / "copy.md").read_bytes() == readme
    assert "BucketNotEmpty" in s3(aws, any_node, "rb", f"s3://{name}", check=False)
    s3(aws, any_node, "rm", f"s3://{name}/README.md")
    assert s3(aws, any_node, "rb", f"s3://{name}").strip() == f"remove_bucket: {name}"


def test_a_tree_is_synced_moved_and_removed(aws: Shell, any_node: Node, name: str) -> None:
    tree = {"a.txt": b"a", "d/b.bin": os.urandom(100_000), "d/e/ü ö.txt": b"c", "empty": b""}
    for path, data in tree.items():
        # Times of objects are told in whole seconds: a file of the same second looks newer.
        os.utime(aws.file(f"tree/{path}", data), (time.time() - 2,) * 2)
    s3(aws, any_node, "mb", f"s3://{name}")
    assert s3(aws, any_node, "sync", "tree", f"s3://{name}/t").count("upload:") == 4
    assert s3(aws, any_node, "sync", "tree", f"s3://{name}/t") == "", "nothing has changed"
    assert "PRE d/" in s3(aws, any_node, "ls", f"s3://{name}/t/")
    s3(aws, any_node, "cp", "--recursive", f"s3://{name}/t", f"s3://{name}/copy")
    s3(aws, any_node, "mv", f"s3://{name}/t/a.txt", f"s3://{name}/moved.txt")
    s3(aws, any_node, "mv", f"s3://{name}/moved.txt", f"s3://{name}/t/a.txt")
    s3(aws, any_node, "sync", f"s3://{name}/t", "back")
    assert tree_digests(aws.home / "back") == tree_digests(aws.home / "tree")
    (aws.home / "tree/empty").unlink()
    assert "delete:" in s3(aws, any_node, "sync", "--delete", "tree", f"s3://{name}/t")
    s3(aws, any_node, "rm", "--recursive", f"s3://{name}/t")
    listed = s3(aws, any_node, "ls", "--recursive", f"s3://{name}")
    assert sorted(line.split(maxsplit=3)[3] for line in listed.splitlines()) == sorted(
        f"copy/{path}" for path in tree
    )
    s3(aws, any_node, "rb", "--force", f"s3://{name}")


def test_put_get_head_and_range(aws: Shell, any_node: Node, name: str) -> None:
    data = os.urandom(1024)
    aws.file("file.txt", data)
    api(aws, any_node, "create-bucket", "--bucket", name)
    where = ("--bucket", name, "--key", "obj")
    put = api(aws, any_node, "put-object", *where, "--body", "file.txt")
    assert put["ETag"] == f'"{hashlib.md5(data).hexdigest()}"'
    got = api(aws, any_node, "get-object", *where, "output.txt")
    assert (aws.home / "output.txt").read_bytes() == data
    assert (got["ContentLength"], got["AcceptRanges"]) == (1024, "bytes")
    head = api(aws, any_node, "head-object", *where)
    assert (head["ContentLength"], head["ETag"], head["Metadata"]) == (1024, put["ETag"], {})
    part = api(aws, any_node, "get-object", "--range", "bytes=0-99", *where, "part.txt")
    assert (part["ContentRange"], part["ContentLength"]) == ("bytes 0-99/1024", 100)
    assert (aws.home / "part.txt").read_bytes() == data[:100]
    api(aws, any_node, "head-bucket", "--bucket", name)
    copied = api(
        aws, any_node, "copy-object", "--copy-source", f"{name}/obj", "--bucket", name,
        "--key", "copy",
    )  # fmt: skip
    assert copied["CopyObjectResult"]["ETag"] == put["ETag"]


def test_the_multipart_sequence_of_the_seeds(aws: Shell, any_node: Node, name: str) -> None:
    bodies = [os.urandom(10_725), os.urandom(1_075)]
    files = [aws.file(f"part{n}.bin", body) for n, body in enumerate(bodies, 1)]
    api(aws, any_node, "create-bucket", "--bucket", name)
    where = ("--bucket", name, "--key", "large-test-file")
    upload = api(aws, any_node, "create-multipart-upload", *where)
    assert (upload["Bucket"], upload["Key"]) == (name, "large-test-file")
    named = (*where, "--upload-id", upload["UploadId"])
    for number, file in enumerate(files, 1):
        part = api(
            aws, any_node, "upload-part", *named, "--part-number", str(number),
            "--body", file.name,
        )  # fmt: skip
        assert part["ETag"] == f'"{hashlib.md5(bodies[number - 1]).hexdigest()}"'
    listed = api(aws, any_node, "list-parts", *named)
    assert [part["Size"] for part in listed["Parts"]] == [10_725, 1_075]
    uploads = api(aws, any_node, "list-multipart-uploads", "--bucket", name)
    assert [entry["UploadId"] for entry in uploads["Uploads"]] == [upload["UploadId"]]
    # parts.json as the seeds have it: numbers and ETags, "with no sizes".
    parts = [{key: part[key] for key in ("PartNumber", "ETag")} for part in listed["Parts"]]
    aws.file("parts.json", json.dumps({"Parts": parts}).encode())
    done = api(
        aws, any_node, "complete-multipart-upload", *named,
        "--multipart-upload", "file://parts.json",
    )  # fmt: skip
    md5s = b"".join(hashlib.md5(body).digest() for body in bodies)
    assert done["ETag"] == f'"{hashlib.md5(md5s).hexdigest()}-2"'
    assert (done["Bucket"], done["Key"]) == (name, "large-test-file")
    s3(aws, any_node, "cp", f"s3://{name}/large-test-file", "back.bin")
    assert (aws.home / "back.bin").read_bytes() == b"".join(bodies)
    gone = api(aws, any_node, "create-multipart-upload", *where)["UploadId"]
    api(aws, any_node, "abort-multipart-upload", *where, "--upload-id", gone)
    assert "Uploads" not in (api(aws, any_node, "list-multipart-uploads", "--bucket", name) or {})


def test_a_large_file_goes_in_parts_by_itself(aws: Shell, any_node: Node, name: str) -> None:
    data = os.urandom(MIB) * 20
    aws.file("large.bin", data)
    s3(aws, any_node, "mb", f"s3://{name}")
    s3(aws, any_node, "cp", "large.bin", f"s3://{name}/large.bin")
    s3(aws, any_node, "cp", f"s3://{name}/large.bin", f"s3://{name}/copy.bin")
    s3(aws, any_node, "cp", f"s3://{name}/copy.bin", "back.bin")
    assert (aws.home / "back.bin").read_bytes() == data
    head = api(aws, any_node, "head-object", "--bucket", name, "--key", "large.bin")
    assert head["ETag"].endswith('-3"')  # the CLI's default part is 8 MiB


def test_a_presigned_url_is_good_for_whoever_has_it(aws: Shell, any_node: Node, name: str) -> None:
    aws.file("file.txt", b"hello")
    s3(aws, any_node, "mb", f"s3://{name}")
    s3(aws, any_node, "cp", "file.txt", f"s3://{name}/a b.txt")
    url = s3(aws, any_node, "presign", f"s3://{name}/a b.txt").strip()
    aws.run("curl", "-sSf", "-o", "got.txt", url)
    assert (aws.home / "got.txt").read_bytes() == b"hello"


def test_a_stream_is_uploaded_and_downloaded(aws: Shell, any_node: Node, name: str) -> None:
    s3(aws, any_node, "mb", f"s3://{name}")
    endpoint = ("aws", "--endpoint-url", any_node.endpoint, "s3", "cp")
    aws.run(*endpoint, "-", f"s3://{name}/piped", stdin="from a pipe")
    assert aws.run(*endpoint, f"s3://{name}/piped", "-").stdout == "from a pipe"
