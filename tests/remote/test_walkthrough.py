"""What the documents do with remote buckets, walked through in order on a terminal.

The part of `tests.clients.test_walkthrough` that needs an account at Amazon: the account is one of
a second node's. The cluster has its keys, except where a document is about requests that others
have signed.
"""

from __future__ import annotations

import hashlib
import os
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.clients.walkthrough import LICENSE, PROPS_SET, README, UPLOADED, Walk, configure
from tests.conftest import empty_and_remove
from tests.harness import ACCESS_KEY, SECRET_KEY, Node
from tests.remote.conftest import CREDENTIALS

AMAZON = ("my-s3-bucket", "bckaws", "bucket")


@pytest.fixture(params=[CREDENTIALS], ids=["keys"])
def walk(
    request: pytest.FixtureRequest, origin: Node, there: Any, tmp_path: Path
) -> Iterator[Walk]:
    """A reader's files, and a node that has the account's buckets behind it."""
    for name in AMAZON:
        there.create_bucket(Bucket=name)
    environment = {**request.param, "S3_ENDPOINT": origin.root}
    node = Node(tmp_path / "data", auth=False, workers=2, environment=environment).start()
    walk = Walk(node, tmp_path / "home")
    walk.file("README.md", README)
    walk.file("LICENSE", LICENSE)
    configure(walk)
    yield walk
    assert node.stop() == 0, node.log_tail()
    for name in AMAZON:
        empty_and_remove(there, name)


def test_the_document_of_s3cmd(walk: Walk, there: Any) -> None:
    # A quick example: similarly
    assert "aws://my-s3-bucket" in walk("ais ls s3:")
    walk.shows("s3cmd put README.md s3://my-s3-bucket", UPLOADED.format("my-s3-bucket/README.md"))
    body = there.get_object(Bucket="my-s3-bucket", Key="README.md")["Body"].read()
    assert body == README
    walk.shows("s3cmd rm s3://my-s3-bucket/README.md", "delete: 's3://my-s3-bucket/README.md'")
    assert "Contents" not in there.list_objects_v2(Bucket="my-s3-bucket")
    # Multipart upload using s3cmd: 50MB in 7MB chunks
    data = os.urandom(53_452_800)
    assert "aisnode" not in walk("ais ls s3://my-s3-bucket")
    walk.file("go/bin/aisnode", data)
    put = walk("s3cmd put /go/bin/aisnode s3://my-s3-bucket --multipart-chunk-size-mb=7")
    assert "[part 8 of 8, 2024KB] [1 of 1]" in put
    listed = walk("ais ls s3://my-s3-bucket")
    assert re.search(r"^NAME\s+SIZE", listed)
    assert re.search(r"^aisnode\s+50\.98MiB", listed, re.MULTILINE)
    walk.shows("s3cmd ls s3://my-s3-bucket", "<date>     53452800  s3://my-s3-bucket/aisnode")
    head = there.head_object(Bucket="my-s3-bucket", Key="aisnode")
    assert head["ETag"].endswith('-8"')  # in the parts that were uploaded
    assert hashlib.sha256(
        there.get_object(Bucket="my-s3-bucket", Key="aisnode")["Body"].read()
    ).digest() == hashlib.sha256(data).digest()  # fmt: skip
    walk.shows("s3cmd multipart s3://my-s3-bucket", "s3://my-s3-bucket/\nInitiated\tPath\tId")
    # Upload large object: the views of it
    shown = walk("ais show object s3://my-s3-bucket/aisnode --all")
    rows = dict(re.findall(r"^(\w+) {2,}(.+)$", shown, re.MULTILINE))
    assert rows["cached"] == "yes"
    assert rows["name"] == "s3://my-s3-bucket/aisnode"
    assert rows["size"] == "50.98MiB"
    assert f"ETag:{head['ETag']}".replace('"', "") in rows["custom"].replace('"', "")
    assert "source:aws" in rows["custom"]
    assert re.match(r"\d\d \w{3} \d\d \d\d:\d\d", rows["atime"])
    assert rows["copies"].startswith("1")
    assert rows["location"]
    info = walk("s3cmd info s3://my-s3-bucket/aisnode")
    assert re.search(r"File size:\s+53452800", info)
    assert re.search(rf"Last mod:\s+{head['LastModified']:%a, %d %b %Y %H:%M}", info)


def test_a_bucket_of_our_own_in_front_of_a_remote_one(walk: Walk, there: Any) -> None:
    """Last modification time, of the third document."""
    walk("ais create ais://bck")
    walk("ais bucket props ais://bck backend_bck=aws://bckaws")
    walk.shows("ais bucket props set ais://bck checksum.type=md5", PROPS_SET)
    walk.file("object.txt", README)
    walk("ais put object.txt ais://bck/obj-ais")
    s3cmd = "--no-ssl --host=localhost:51080/s3"
    template = '--host-bucket="localhost:51080/s3/%(bucket)"'
    walk(f"s3cmd put object.txt s3://bck/obj-aws {s3cmd} {template}")
    assert sorted(e["Key"] for e in there.list_objects_v2(Bucket="bckaws")["Contents"]) == [
        "obj-ais",
        "obj-aws",
    ]
    listed = walk("ais ls ais://bck --props checksum,size,atime")
    digest = hashlib.md5(README).hexdigest()
    assert re.search(rf"^obj-ais\s+{digest}\s+10\.44KiB", listed, re.MULTILINE)
    assert re.search(rf"^obj-aws\s+{digest}\s+10\.44KiB", listed, re.MULTILINE)
    listed = walk(f"s3cmd ls s3://bck {s3cmd} {template}")
    assert "1969" not in listed  # real dates, whoever wrote it and whether or not it was read
    assert len(re.findall(r"^\d{4}-\d\d-\d\d \d\d:\d\d +10689 +s3://bck/obj-", listed, re.M)) == 2


@pytest.mark.parametrize("walk", [{}], ids=["no keys"], indirect=True)
def test_presigned_requests(walk: Walk, origin: Node, there: Any) -> None:
    """The second and the third document; who signs has the keys, the cluster has none."""
    there.put_object(Bucket="bucket", Key="README.md", Body=README)
    walk("ais create s3://bucket --skip-lookup")
    walk("ais config cluster features S3-Presigned-Request")
    keys = f"AWS_ACCESS_KEY_ID={ACCESS_KEY} AWS_SECRET_ACCESS_KEY={shlex.quote(SECRET_KEY)}"
    url = walk(
        f"env {keys} aws s3 presign s3://bucket/README.md --endpoint-url {origin.root}"
    ).strip()
    assert url.startswith(f"{origin.root}/bucket/README.md?")
    # "Replace the host with AIS_ENDPOINT/s3 and add header when using path style"
    here = url.replace(origin.root, f"{walk.node.root}/s3")
    walk(f"curl -sS -H 'ais-s3-signed-request-style: path' '{here}' -o copy.md")
    copy = (walk.home / "copy.md").read_bytes()
    assert copy == README, copy[:999]
    # "Send the presigned (PUT) URL to S3 and, if successful, store the object in cluster"
    signed = origin.client(endpoint=origin.root).generate_presigned_url(
        "put_object", {"Bucket": "bucket", "Key": "test.txt"}
    )
    signed = signed.replace(origin.root, f"{walk.node.root}/s3")
    walk(
        "curl -sS -L -X PUT -d 'testing 1 2 3' -H 'Content-Type:' "
        f"-H 'ais-s3-signed-request-style: path' '{signed}'"
    )
    assert there.get_object(Bucket="bucket", Key="test.txt")["Body"].read() == b"testing 1 2 3"
    # "Check status of the object"; without keys of its own the cluster lists what it has.
    listed = walk("ais ls s3://bucket --cached --props size,cached,status")
    assert re.search(r"^test\.txt\s+13B\s+yes\s+ok", listed, re.MULTILINE)
