"""What the wire tests share: assertions about errors, checksums, multipart in one call.

Reference implementations of the ten checksum algorithms are the standard library's and, for the
others, those of the AWS CRT that botocore itself uses.
"""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import os
import subprocess
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest
from awscrt import checksums as crt
from botocore.exceptions import ClientError

from tests import warm
from tests.harness import Node, Reply, encode_key

XMLNS = "http://s3.amazonaws.com/doc/2006-03-01/"
MIB = 1 << 20


def md5_hex(data: bytes) -> str:
    return hashlib.md5(data).hexdigest()


def etag_of(data: bytes) -> str:
    """The ETag of an object that was stored by one plain PUT."""
    return f'"{md5_hex(data)}"'


def etag_of_parts(parts: Sequence[bytes]) -> str:
    """The ETag of a multipart object: the MD5 of the MD5s, and how many."""
    joined = b"".join(hashlib.md5(part).digest() for part in parts)
    return f'"{md5_hex(joined)}-{len(parts)}"'


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def content_md5(data: bytes) -> str:
    return b64(hashlib.md5(data).digest())


def _xx(new: Callable[[], Any]) -> Callable[[bytes], bytes]:
    def digest(data: bytes) -> bytes:
        state = new()
        state.update(data)
        return bytes(state.finalize())

    return digest


DIGESTS: dict[str, Callable[[bytes], bytes]] = {
    "CRC32": lambda data: zlib.crc32(data).to_bytes(4, "big"),
    "CRC32C": lambda data: int(crt.crc32c(data)).to_bytes(4, "big"),
    "CRC64NVME": lambda data: int(crt.crc64nvme(data)).to_bytes(8, "big"),
    "SHA1": lambda data: hashlib.sha1(data).digest(),
    "SHA256": lambda data: hashlib.sha256(data).digest(),
    "SHA512": lambda data: hashlib.sha512(data).digest(),
    "MD5": lambda data: hashlib.md5(data).digest(),
    "XXHASH64": _xx(crt.XXHash.new_xxhash64),
    "XXHASH3": _xx(crt.XXHash.new_xxhash3_64),
    "XXHASH128": _xx(crt.XXHash.new_xxhash3_128),
}


def checksum(algorithm: str, data: bytes) -> str:
    """The value of `x-amz-checksum-<algorithm>` for `data`."""
    return b64(DIGESTS[algorithm](data))


def composite(algorithm: str, parts: Sequence[bytes]) -> str:
    """The COMPOSITE checksum of a multipart object: a digest of the parts' digests."""
    joined = b"".join(DIGESTS[algorithm](part) for part in parts)
    return f"{b64(DIGESTS[algorithm](joined))}-{len(parts)}"


def checksum_header(algorithm: str) -> str:
    return f"x-amz-checksum-{algorithm.lower()}"


def ago(**delta: float) -> str:
    """A timestamp of SigV4 that lies back (or ahead, for negative values)."""
    return (dt.datetime.now(dt.UTC) - dt.timedelta(**delta)).strftime("%Y%m%dT%H%M%SZ")


def pattern(size: int, seed: int = 0) -> bytes:
    """`size` bytes that differ with `seed` and do not repeat at any power of two."""
    unit = hashlib.sha512(str(seed).encode()).digest() + bytes([seed % 251]) * 7
    return (unit * (size // len(unit) + 1))[:size]


def expect_error(reply: Reply, status: int, code: str | Sequence[str]) -> None:
    """The reply is S3's error document, complete, with one of the codes."""
    codes = (code,) if isinstance(code, str) else tuple(code)
    assert reply.status == status, (reply.status, reply.body)
    assert reply.headers["content-type"].split(";")[0] == "application/xml"
    error = reply.xml
    assert error.tag == "Error"
    assert error.findtext("Code") in codes, reply.body
    assert error.findtext("Message")
    assert error.findtext("RequestId") == reply.headers["x-amz-request-id"]
    assert error.findtext("HostId") == reply.headers["x-amz-id-2"]


@contextmanager
def refused(status: int, code: str | Sequence[str]) -> Iterator[None]:
    """The boto3 call inside fails with this status and one of the codes."""
    codes = (code,) if isinstance(code, str) else tuple(code)
    with pytest.raises(ClientError) as caught:
        yield
    response = caught.value.response
    got = response["ResponseMetadata"]["HTTPStatusCode"], response["Error"]["Code"]
    assert got[0] == status, response
    assert got[1] in codes, response


def outcome(call: Callable[[], Any]) -> str:
    """The error code that a boto3 call failed with, `""` if it did not fail."""
    try:
        call()
    except ClientError as error:
        return str(error.response["Error"]["Code"])
    return ""


def exists(s3: Any, bucket: str, key: str) -> bool:
    """Whether `key` can be read."""
    code = outcome(lambda: s3.head_object(Bucket=bucket, Key=key))
    assert code in ("", "404")
    return not code


def read(s3: Any, bucket: str, key: str, **parameters: Any) -> bytes:
    """The whole body of an object."""
    data: bytes = s3.get_object(Bucket=bucket, Key=key, **parameters)["Body"].read()
    return data


def object_target(bucket: str, key: str, query: str = "") -> str:
    """The raw path-style target of an object under `/s3`."""
    return f"/s3/{bucket}/{encode_key(key)}" + (f"?{query}" if query else "")


def bucket_target(bucket: str, query: str = "") -> str:
    return f"/s3/{bucket}" + (f"?{query}" if query else "")


def get(node: Node, bucket: str, key: str, query: str = "", **headers: str) -> Reply:
    """A raw signed GET; underscores in header names mean hyphens."""
    fields = {name.replace("_", "-"): value for name, value in headers.items()}
    return node.send("GET", object_target(bucket, key, query), headers=fields)


def begin(s3: Any, bucket: str, key: str, **parameters: Any) -> str:
    """Start a multipart upload and return its id."""
    return str(s3.create_multipart_upload(Bucket=bucket, Key=key, **parameters)["UploadId"])


def put_part(
    s3: Any, bucket: str, key: str, upload: str, number: int, data: bytes, **parameters: Any
) -> dict[str, Any]:
    """Upload one part and return its entry for complete: number and ETag."""
    reply = s3.upload_part(
        Bucket=bucket, Key=key, UploadId=upload, PartNumber=number, Body=data, **parameters
    )
    return {"PartNumber": number, "ETag": reply["ETag"]}


def complete(
    s3: Any, bucket: str, key: str, upload: str, parts: Sequence[dict[str, Any]], **parameters: Any
) -> dict[str, Any]:
    """Complete a multipart upload from the entries of its parts."""
    reply: dict[str, Any] = s3.complete_multipart_upload(
        Bucket=bucket,
        Key=key,
        UploadId=upload,
        MultipartUpload={"Parts": list(parts)},
        **parameters,
    )
    return reply


def put_parts(
    s3: Any, bucket: str, key: str, bodies: Sequence[bytes], **parameters: Any
) -> dict[str, Any]:
    """Store an object as a multipart upload of `bodies` and return complete's answer."""
    upload = begin(s3, bucket, key, **parameters)
    parts = [
        put_part(s3, bucket, key, upload, number, body) for number, body in enumerate(bodies, 1)
    ]
    return complete(s3, bucket, key, upload, parts)


def set_props(node: Node, bucket: str, *props: str) -> None:
    """Change settings of a bucket the way that the documents show."""
    subprocess.run(
        [str(warm.directory() / "ais"), "bucket", "props", "set", f"ais://{bucket}", *props],
        env=os.environ | {"AIS_ENDPOINT": node.root},
        check=True,
        capture_output=True,
        timeout=30,
    )
