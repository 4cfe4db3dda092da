"""The third document (`s3compat.md`), walked through in order; see `test_walkthrough`."""

from __future__ import annotations

import hashlib
import json
import os
import re
import xml.etree.ElementTree as ET

from tests.clients.walkthrough import (
    CREATED,
    LICENSE,
    PROPS_SET,
    README,
    Walk,
    configure,
    matches,
)


def test_s3compat(walk: Walk) -> None:
    configure(walk)
    aws = "aws --endpoint-url http://localhost:8080/s3"
    # Quick example using aws CLI
    walk.shows("aws --version", "aws-cli/<any> botocore/<any>")
    walk.shows(f"{aws} s3 mb s3://abc", "make_bucket: abc")
    walk.shows("ais put README.md ais://abc", "")
    walk.json(f"{aws} s3api put-object --bucket abc --key LICENSE --body LICENSE")
    listed = "NAME        SIZE\nLICENSE     1.05KiB\nREADME.md   10.44KiB"
    walk.shows("ais ls ais://abc", listed)
    got = walk.json(f"{aws} s3api get-object --bucket abc --key README.md /tmp/readme")
    assert (got["ContentLength"], got["Metadata"]) == (10_689, {})
    walk.shows("diff -uN README.md /tmp/readme", "")
    head = walk.json(
        "aws s3api --endpoint-url http://localhost:8080/s3 head-object --bucket abc --key LICENSE"
    )
    assert (head["ContentLength"], head["Metadata"]) == (1_075, {})
    assert head["ETag"] == f'"{hashlib.md5(LICENSE).hexdigest()}"'
    # Presigned S3 requests
    walk("ais config cluster features Presigned-S3-Req")
    walk("ais config cluster features S3-API-via-Root")  # which that has replaced
    # Quick example using Internet Browser
    root = ET.fromstring(walk("curl -sS http://localhost:8080/s3"))
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]
    assert root.findtext("Owner/ID")
    (bucket,) = root.findall("Buckets/Bucket")
    assert {child.tag for child in bucket} >= {"Name", "CreationDate", "String"}
    assert (bucket.findtext("Name"), bucket.findtext("String")) == ("abc", "Provider: ais")
    # s3cmd command line
    options = '--host=10.10.0.1:51080/s3 --host-bucket="10.10.0.1:51080/s3/%(bucket)" --no-ssl'
    walk.shows(f"s3cmd ls {options} --no-check-certificate", "<date>  s3://abc")
    walk.shows("s3cmd ls --region=us-west-1", "<date>  s3://abc")
    # ETag and MD5
    created = CREATED.replace("abc", "bck")
    walk.shows('ais create ais://bck --props="checksum.type=md5"', created)
    walk.shows(
        "ais show bucket ais://bck | grep checksum",
        "checksum         Type: md5 | Validate: ColdGET",
    )
    walk.shows("ais create ais://later", CREATED.replace("abc", "later"))
    walk.shows("ais bucket props ais://later checksum.type=md5", PROPS_SET)
    # Last Modification Time: without a backend, and with the time of the writing
    walk.file("object.txt", os.urandom(71_671))
    host = '--host=localhost:51080 --host-bucket="localhost:51080/s3/%(bucket)"'
    walk.shows("ais put object.txt ais://bck/obj-ais", "")
    walk(f"s3cmd put object.txt s3://bck/obj-aws {host}")
    walk.shows(
        "ais ls ais://bck --props checksum,size,atime",
        """\
NAME      CHECKSUM                           SIZE       ATIME
obj-ais   <md5>   69.99KiB   <time>
obj-aws   <md5>   69.99KiB   <time>""",
    )
    dated = walk(f"s3cmd ls s3://bck {host}")
    assert matches(
        dated, "<date>        71671  s3://bck/obj-ais\n<date>        71671  s3://bck/obj-aws"
    )
    assert not re.search(r"^(19|17)", dated, re.MULTILINE)
    multipart_upload_using_aws(walk)
    more_usage_examples(walk, aws)
    supported_s3(walk, aws)


def multipart_upload_using_aws(walk: Walk) -> None:
    """The sequence of Amazon's Knowledge Center."""
    walk("ais bucket rm ais://abc --yes")
    walk.shows("ais create ais://abc", CREATED)
    walk.shows("ais bucket props set ais://abc checksum.type=md5", PROPS_SET)
    at = "--endpoint-url http://localhost:8080/s3"
    where = "--bucket abc --key large-test-file"
    created = walk.json(f"aws s3api create-multipart-upload {where} {at}")
    upload = created.pop("UploadId")
    assert created == {"Bucket": "abc", "Key": "large-test-file"}
    for number, body in enumerate(("README.md", "LICENSE"), 1):
        part = walk.json(
            f"aws s3api upload-part {at} {where} --part-number {number} --body {body}"
            f" --upload-id {upload}"
        )
        data = (walk.home / body).read_bytes()
        assert part["ETag"] == f'"{hashlib.md5(data).hexdigest()}"'
    listed = walk.json(f"aws s3api list-parts {at} {where} --upload-id {upload}")
    assert [(part["PartNumber"], part["Size"]) for part in listed["Parts"]] == [
        (1, 10_689),
        (2, 1_075),
    ]
    parts = [{name: part[name] for name in ("PartNumber", "ETag")} for part in listed["Parts"]]
    walk.file("up.json", json.dumps({"Parts": parts}).encode())
    done = walk.json(
        f"aws s3api complete-multipart-upload {at} {where} --multipart-upload file://up.json "
        f" --upload-id {upload}"
    )
    md5s = hashlib.md5(README).digest() + hashlib.md5(LICENSE).digest()
    assert done["ETag"] == f'"{hashlib.md5(md5s).hexdigest()}-2"'
    assert (done["Bucket"], done["Key"]) == ("abc", "large-test-file")
    walk.shows("s3cmd ls s3://abc", "<date>        11764  s3://abc/large-test-file")


def more_usage_examples(walk: Walk, aws: str) -> None:
    """Create and remove a bucket, upload a large object. The first begins with no buckets."""
    for bucket in ("abc", "bck", "later"):
        walk(f"ais bucket rm ais://{bucket} --yes")
    walk.shows("ais ls ais://", "AIS Buckets (0)")
    walk.shows(f"{aws} s3 mb s3://bck1", "make_bucket: bck1")
    walk.shows("ais ls ais://", "AIS Buckets (1)\n  ais://bck1")
    walk.shows(f"{aws} s3 ls s3://", "<seconds> bck1")
    walk.shows(f"{aws} s3 rb s3://bck1", "remove_bucket: bck1")
    walk.shows(f"{aws} s3 ls s3://", "")
    walk("ais create ais://abc --props=checksum.type=md5")
    data = os.urandom(1 << 20) * 77 + os.urandom(81_472_612 - (77 << 20))
    walk.file("bin/aisnode", data).chmod(0o755)
    walk.shows(
        "s3cmd put $(which aisnode) s3://abc --multipart-chunk-size-mb=8",
        """\
upload: '<any>bin/aisnode' -> 's3://abc/aisnode'  [part 1 of 10, 8MB] [1 of 1]
 8388608 of 8388608   100% in <elapsed> <rate>  done
...
 8388608 of 8388608   100% in <elapsed> <rate>  done
upload: '<any>bin/aisnode' -> 's3://abc/aisnode'  [part 10 of 10, 5MB] [1 of 1]
 5975140 of 5975140   100% in <elapsed> <rate>  done""",
    )
    walk.shows(
        "ais show object ais://abc/aisnode --all",
        """\
PROPERTY         VALUE
atime            <time>
cached           yes
checksum         <any>
copies           1<any>
custom           map[ETag:<any>]
ec               -
location         <any>
name             ais://abc/aisnode
size             77.70MiB
version          <id>""",
    )
    walk.shows(
        "s3cmd info s3://abc/aisnode",
        """\
s3://abc/aisnode (object):
   File size: 81472612
   Last mod:  <gmt>
   MIME type: <any>
   Storage:   STANDARD
   MD5 sum:   <md5>
   SSE:       none
   Policy:    none
   CORS:      none
   ACL:       root: FULL_CONTROL
   x-amz-meta-s3cmd-attrs: <any>""",
    )


def supported_s3(walk: Walk, aws: str) -> None:
    """The table at the end, row by row."""
    api = aws.replace("aws", "aws s3api", 1)
    walk("ais create ais://bck")
    for make in ("s3cmd mb", f"{aws} s3 mb"):
        walk(f"{make} s3://made")
        walk(f"{make.replace('mb', 'rb')} s3://made")
    assert "provider         ais" in walk("ais bucket show ais://bck")
    assert "s3://bck/ (bucket):" in walk("s3cmd info s3://bck")
    walk(f"{api} head-bucket --bucket bck")
    walk.shows("ais ls ais:", walk("ais ls ais://"))
    assert "s3://bck" in walk("s3cmd ls s3://")
    walk("ais put README.md ais://bck/obj")
    walk("ais get ais://bck/obj filename")
    walk("ais get ais://bck/obj first --offset 0 --length 10")
    assert (walk.home / "filename").read_bytes() == README
    assert (walk.home / "first").read_bytes() == README[:10]
    assert re.search(r"File size: 10689\n", walk("s3cmd info s3://bck/obj"))
    assert "s3://bck/obj" in walk("s3cmd ls s3://bck/")
    walk.shows(f"{aws} s3 ls s3://bck/", "<seconds>      10689 obj")
    walk("s3cmd cp s3://bck/obj s3://bck/copy")
    walk("s3cmd get --force s3://bck/copy filename")
    assert (walk.home / "filename").read_bytes() == README
    walk("ais bucket props ais://bck versioning.enabled=false")
    walk.shows("ais bucket rm ais://bck --yes", '"ais://bck" destroyed')
