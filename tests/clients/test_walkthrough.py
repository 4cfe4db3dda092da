"""The three documents that Aisle was asked for by, walked through in order.

Every command that needs no account at Amazon runs as written, on a terminal, and prints what the
document shows; each test is one document against a node of its own. The Python of the second one
is in `test_walkthrough_boto3`. What a reader of the documents should know:

| command | here |
|---|---|
| `s3cmd --host http://localhost:51080/s3 s3 mb s3://bck1`, also `s3 ls s3://` | no s3cmd command \
("Invalid command: 's3'"); the output shown is that of `aws --endpoint-url ...`, which runs |
| ... `s3 mb s3://bck1` that prints `remove_bucket: aws1` | meant is `s3 rb`, which runs |
| `aws s3 ls s3://demo` that prints `s3://demo/README.md` | aws prints the name alone |
| `--host-bucket=".../%(bucket)"` | without an `s` it is no template; it works all the same |
| `s3cmd put` printing each upload twice | once: nothing is redirected |
| ETags without quotes or missing, `LastModified` of 1754 and 1969 | as Amazon has them |
| `checksum md5[...]` of an object that came in parts | `-`: parts are joined, not read again |
| `"ais://bck2" bucket created`, `set to:"md5"` (old texts) | the texts of the newer documents |
| `ais config cluster features Presigned-S3-Req` | the flag's old name, taken for the new one; it \
replaces all others, so S3 at the root has to be turned on again |

What the documents do with remote buckets is in `tests.remote.test_walkthrough`: `s3://my-s3-bucket`,
`backend_bck`, presigned requests that are passed on, inventories. Not yet: `aws s3api
get-bucket-versioning` and `put-bucket-versioning`. Not at all: `head-object` at Amazon itself, the
patch of s3cmd's source for JWT, and the TensorFlow demo, whose program is no part of the document
and whose packages are a gigabyte.
"""

from __future__ import annotations

import hashlib
import json
import os
import re

from tests.clients.walkthrough import (
    AMAZON,
    CREATED,
    PROPS_SET,
    README,
    UPLOADED,
    Walk,
    configure,
    matches,
)

NEW_KEYS = ("EFGHEFGHEFGHEFGHEFGH", "efghEFGHefghEFGHe/ghEFGHe/ghEFghef/hEFGH")


def test_getting_started_with_s3cmd(walk: Walk) -> None:
    configure(walk)
    # A quick example using s3cmd to operate on any buckets
    walk.shows("ais ls ais:", "AIS Buckets (0)")
    walk.shows("ais create ais://abc", CREATED)
    walk.shows("ais bucket props set ais://abc checksum.type=md5", PROPS_SET)
    walk.shows("s3cmd put README.md s3://abc", UPLOADED.format("abc/README.md"))
    walk.shows("s3cmd rm s3://abc/README.md", "delete: 's3://abc/README.md'")
    walk("ais create ais://nnn")  # the document has it from here on
    # s3cmd configuration
    walk.file(".s3cfg", AMAZON.encode())
    shown = walk(
        "s3cmd --configure",
        answers=[
            ("Access Key [ABCDABCDABCDABCDABCD]: ", NEW_KEYS[0]),
            ("Secret Key [abcdabcdABCDabcd/abcde/abcdABCDabc/ABCDe]: ", NEW_KEYS[1]),
            ("Default Region [us-east-2]: ", ""),
            ("S3 Endpoint [s3.amazonaws.com]: ", ""),
            ("accessing a bucket [%(bucket)s.s3.amazonaws.com]: ", ""),
            ("Encryption password: ", ""),
            ("Path to GPG program [/usr/bin/gpg]: ", ""),
            ("Use HTTPS protocol [Yes]: ", ""),
            ("HTTP Proxy server name: ", ""),
            ("Test access with supplied credentials? [Y/n] ", "n"),
            ("Save settings? [y/N] ", "y"),
        ],
    )
    settings = f"""\
New settings:
  Access Key: {NEW_KEYS[0]}
  Secret Key: {NEW_KEYS[1]}
  Default Region: us-east-2
  S3 Endpoint: s3.amazonaws.com
  DNS-style bucket+hostname:port template for accessing a bucket: %(bucket)s.s3.amazonaws.com
  Encryption password:
  Path to GPG program: /usr/bin/gpg
  Use HTTPS protocol: True
"""
    assert settings in shown
    assert shown.endswith(f"Configuration saved to '{walk.home}/.s3cfg'\n")
    walk.shows("s3cmd --version", "s3cmd version <version>")
    # 2. How to have s3cmd calling AIS endpoint
    variables = """\
s3endpoint="localhost:8080/s3"
host="--host=$s3endpoint"
host_bucket="--host-bucket=$s3endpoint/%(bucket)"
"""
    listed = "<date>  s3://abc\n<date>  s3://nnn"
    walk.shows(f"{variables}s3cmd --no-ssl $host $host_bucket ls", listed)
    original = (walk.home / ".s3cfg").read_text()
    walk.file(".s3cfg.orig", original.encode())
    changed = walk.here(
        re.sub(r"(?m)^(host_base|host_bucket) = .*$", r"\1 = 10.10.0.1:51080/s3", original)
    )
    walk.file(".s3cfg", changed.encode())
    difference = walk("diff -uN .s3cfg.orig $HOME/.s3cfg", code=1)
    assert [line for line in difference.splitlines() if re.match(r"[+-]\w", line)] == [
        "-host_base = s3.amazonaws.com",
        "-host_bucket = %(bucket)s.s3.amazonaws.com",
        walk.here("+host_base = 10.10.0.1:51080/s3"),
        walk.here("+host_bucket = 10.10.0.1:51080/s3"),
    ]
    # 3. Alternatively: the bucket is made in section 5, and the command told apart from that
    put = "s3cmd put README.md s3://mmm/saved-readme.md --no-ssl"
    alternatively = f"{put} --host=10.10.0.1:51080/s3 --host-bucket=10.10.0.1:51080/s3"
    assert "NoSuchBucket" in walk(alternatively, code=12)
    # 4. Note and, possibly, update AIS configuration
    walk.shows(
        "ais config cluster net.http.use_https",
        "PROPERTY                 VALUE\nnet.http.use_https       false",
    )
    xxhash = "PROPERTY         VALUE\nchecksum.type    xxhash"
    walk.shows("ais config cluster checksum.type", xxhash)
    refused = walk("s3cmd ls --host=10.10.0.1:51080/s3", code=77)  # HTTPS is s3cmd's default
    assert "WRONG_VERSION_NUMBER" in refused
    walk.shows(
        "ais config cluster net.http",
        """\
PROPERTY                         VALUE
net.http.server_crt              server.crt
net.http.server_key              server.key
net.http.write_buffer_size       65536
net.http.read_buffer_size        65536
net.http.use_https               false
net.http.skip_verify             false
net.http.chunked_transfer        true""",
    )
    walk.shows("s3cmd ls --host=10.10.0.1:51080/s3 --no-ssl", listed)
    walk.shows("s3cmd ls --no-ssl", listed)
    walk.shows("ais config cluster checksum.type", xxhash)
    walk.shows("ais config cluster checksum.type=md5", '{\n    "checksum.type": "md5"\n}')
    walk.shows("ais bucket props set ais://nnn checksum.type=md5", PROPS_SET)
    # 5. Create bucket and PUT/GET objects using s3cmd
    walk.shows("s3cmd mb s3://mmm --no-ssl", "Bucket 's3://mmm/' created")
    buckets = "AIS Buckets (3)\n  ais://abc\n  ais://mmm\n  ais://nnn"
    walk.shows("ais ls ais:", buckets)
    # It was made after the change of the default.
    walk.shows(
        "ais bucket props set ais://mmm checksum.type=md5",
        'Bucket "ais://mmm" already has the set props, nothing to do',
    )
    walk.shows(put, UPLOADED.format("mmm/saved-readme.md"))
    walk.shows(alternatively, UPLOADED.format("mmm/saved-readme.md"))
    walk.shows(
        "s3cmd get s3://mmm/saved-readme.md /tmp/copied-readme.md --no-ssl",
        """\
download: 's3://mmm/saved-readme.md' -> '/tmp/copied-readme.md'  [1 of 1]
 10689 of 10689   100% in <elapsed> <rate>  done""",
    )
    assert (walk.home / "tmp/copied-readme.md").read_bytes() == README
    # 6. Multipart upload using s3cmd: both lines twice in the file, the later ones count
    lines = "host_base = localhost:8080/s3\nhost_bucket = localhost:8080/s3\nuse_https = False\n"
    walk.file(".s3cfg", walk.here(original + lines).encode())
    aisnode = os.urandom(1 << 20) * 50 + os.urandom(53_452_800 - (50 << 20))
    walk.file("go/bin/aisnode", aisnode)
    put = walk("s3cmd put /go/bin/aisnode s3://abc --multipart-chunk-size-mb=5")
    assert "[part 11 of 11, 1000KB] [1 of 1]" in put
    walk.shows("ais ls ais://abc", "NAME      SIZE\naisnode   50.98MiB")
    walk.shows("s3cmd ls s3://abc", "<date>     53452800  s3://abc/aisnode")
    walk.shows("ls -al /go/bin/aisnode", "<any> 53452800 <any>/go/bin/aisnode")
    walk.shows("s3cmd multipart s3://abc", "s3://abc/\nInitiated\tPath\tId")


def test_aistore_and_amazon_s3_compatibility(walk: Walk) -> None:
    endpoint = "AWS_EP=http://localhost:8080/s3; "
    # Quick start with aws CLI
    walk.shows(f'{endpoint}aws --endpoint-url "$AWS_EP" s3 mb s3://demo', "make_bucket: demo")
    walk.shows(
        f'{endpoint}aws --endpoint-url "$AWS_EP" s3 cp README.md s3://demo/',
        "upload: ./README.md to s3://demo/README.md",
    )
    walk.shows(
        f'{endpoint}aws --endpoint-url "$AWS_EP" s3 ls s3://demo', "<seconds>      10689 README.md"
    )
    # Quick start with s3cmd
    configure(walk)
    walk.shows(
        "s3cmd put README.md s3://demo --no-ssl --host=localhost:8080/s3 \\\n"
        '  --host-bucket="localhost:8080/s3/%(bucket)"',
        UPLOADED.format("demo/README.md"),
    )
    # Checksum considerations
    walk.shows("ais bucket props set ais://demo checksum.type=md5", PROPS_SET)
    walk("ais config cluster checksum.type=md5")
    # Interactive s3cmd --configure transcript, with the questions that the document leaves out
    (walk.home / ".s3cfg").unlink()
    shown = walk(
        "s3cmd --configure",
        answers=[
            ("Access Key: ", "FAKEKEY"),
            ("Secret Key: ", "FakeSecret"),
            ("Default Region [US]: ", ""),
            ("S3 Endpoint [s3.amazonaws.com]: ", "localhost:8080/s3"),
            ("accessing a bucket [%(bucket)s.s3.amazonaws.com]: ", "localhost:8080/s3/%(bucket)"),
            ("Encryption password: ", ""),
            ("Path to GPG program", ""),
            ("Use HTTPS protocol [Yes]: ", "n"),
            ("HTTP Proxy server name: ", ""),
            ("Test access with supplied credentials? [Y/n] ", "y"),
            ("Save settings? [y/N] ", "y"),
        ],
    )
    assert "  Use HTTPS protocol: False\n" in shown
    assert "Please wait, attempting to list all buckets...\n" in shown
    assert "Success. Your access key and secret key worked fine :-)\n" in shown
    # Example .s3cfg
    walk.file(
        ".s3cfg",
        walk.here("""\
host_base = 10.10.0.1:51080/s3
host_bucket = 10.10.0.1:51080/s3/%(bucket)
access_key = FAKEKEY
secret_key = FAKESECRET
signature_v2 = False
use_https = False
""").encode(),
    )
    # Multipart uploads with s3cmd
    walk.file("large.bin", os.urandom(20 << 20))
    put = walk("s3cmd put ./large.bin s3://demo --multipart-chunk-size-mb=8")
    assert "upload: './large.bin' -> 's3://demo/large.bin'  [part 3 of 3, 4MB] [1 of 1]" in put
    # PUT / GET / HEAD
    walk.file("file.txt", os.urandom(1024))
    where = "--bucket demo --key obj"
    api = f'{endpoint}aws --endpoint-url "$AWS_EP" s3api'
    etag = f'"{hashlib.md5((walk.home / "file.txt").read_bytes()).hexdigest()}"'
    assert walk.json(f"{api} put-object {where} --body file.txt")["ETag"] == etag
    assert walk.json(f"{api} get-object {where} output.txt")["ContentLength"] == 1024
    head = walk.json(f"{api} head-object {where}")
    assert (head["AcceptRanges"], head["ContentLength"], head["ETag"]) == ("bytes", 1024, etag)
    assert matches(head["LastModified"], "<gmt>")
    walk.shows("ais put file.txt ais://demo/obj", "")
    (walk.home / "output.txt").unlink()  # `ais get` asks before it overwrites
    walk("ais get ais://demo/obj output.txt")
    assert (walk.home / "output.txt").read_bytes() == (walk.home / "file.txt").read_bytes()
    walk.shows(
        "ais object show ais://demo/obj",
        """\
PROPERTY         VALUE
...
name             ais://demo/obj
size             1.00KiB
...""",
    )
    # Range reads
    part = walk.json(
        f"{endpoint}aws s3api get-object \\\n  --range bytes=0-99 \\\n"
        '  --bucket demo --key README.md \\\n  part.txt \\\n  --endpoint-url "$AWS_EP"'
    )
    assert (part["ContentRange"], part["ContentLength"]) == ("bytes 0-99/10689", 100)
    assert (walk.home / "part.txt").read_bytes() == README[:100]
    # Multipart uploads with aws CLI
    where = "--bucket demo --key big"
    created = walk.json(
        f'{endpoint}aws s3api create-multipart-upload {where} \\\n  --endpoint-url "$AWS_EP"'
    )
    assert (created["Bucket"], created["Key"]) == ("demo", "big")
    upload = created["UploadId"]
    parts = []
    for number in (1, 2):
        walk.file(f"part{number}.bin", os.urandom(5 << 20))
        told = walk.json(
            f"{endpoint}aws s3api upload-part {where} \\\n"
            f"  --part-number {number} --body part{number}.bin \\\n"
            f'  --upload-id "{upload}" \\\n  --endpoint-url "$AWS_EP"'
        )
        parts.append({"PartNumber": number, "ETag": told["ETag"]})
    walk.file("parts.json", json.dumps({"Parts": parts}).encode())
    done = walk.json(
        f"{endpoint}aws s3api complete-multipart-upload {where} \\\n"
        f'  --upload-id "{upload}" --multipart-upload file://parts.json \\\n'
        '  --endpoint-url "$AWS_EP"'
    )
    assert done["ETag"].endswith('-2"')
    # Presigned S3 requests: the flag, and the URL, which is made without asking anybody
    walk("ais config cluster features S3-Presigned-Request")
    url = walk("aws s3 presign s3://demo/README.md --endpoint-url https://s3.amazonaws.com")
    assert url.startswith("https://s3.amazonaws.com/demo/README.md?")
    # Compatibility matrix, what was not shown above
    walk.shows("s3cmd mb s3://made", "Bucket 's3://made/' created")
    walk.shows("s3cmd rb s3://made", "Bucket 's3://made/' removed")
    aws = f'{endpoint}aws --endpoint-url "$AWS_EP"'
    walk("s3cmd info s3://demo/big")
    copied = walk.json(f"{aws} s3api copy-object --bucket demo --key c --copy-source demo/big")
    assert copied["CopyObjectResult"]["ETag"]
