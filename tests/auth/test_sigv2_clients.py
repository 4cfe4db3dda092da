"""Signature version 2 as clients make it, against a running node: boto3, s3cmd and rclone."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.clients.tools import Shell
from tests.harness import ACCESS_KEY, SECRET_KEY, Node, Reply, exchange

KEY = "a b+c(é)~/x&y=%.txt"


def follow(node: Node, method: str, url: str, body: bytes = b"", **headers: str) -> Reply:
    """What a client without credentials gets from a URL; its host need not resolve."""
    target = urlsplit(url)
    fields = {name.replace("_", "-"): value for name, value in headers.items()}
    if body:
        fields["content-length"] = str(len(body))
    return exchange(
        node.port,
        method,
        f"{target.path}?{target.query}",
        {"host": target.netloc, **fields},
        body,
    )


@pytest.fixture(params=["/s3", "root", "virtual host"])
def presigner(request: pytest.FixtureRequest, node: Node) -> Any:
    """A boto3 client as users make it: nobody told it which signature to use."""
    endpoint = node.endpoint if request.param == "/s3" else node.root
    style = "virtual" if request.param == "virtual host" else "auto"
    return node.client(endpoint=endpoint, s3={"addressing_style": style})


def test_urls_that_boto3_makes_by_default_work(
    node: Node, presigner: Any, s3: Any, bucket: str
) -> None:
    def url(operation: str, **parameters: Any) -> str:
        made: str = presigner.generate_presigned_url(
            operation, {"Bucket": bucket, **parameters}, ExpiresIn=60
        )
        assert "AWSAccessKeyId=" in made
        return made

    assert follow(node, "PUT", url("put_object", Key=KEY), b"hello").status == 200
    assert s3.get_object(Bucket=bucket, Key=KEY)["Body"].read() == b"hello"
    get = url("get_object", Key=KEY, ResponseContentDisposition='attachment; filename="a&b +.c"')
    reply = follow(node, "GET", get)
    assert (reply.status, reply.body) == (200, b"hello")
    assert reply.headers["content-disposition"] == 'attachment; filename="a&b +.c"'
    assert follow(node, "HEAD", url("head_object", Key=KEY)).status == 200
    for operation in ("list_objects", "list_objects_v2"):
        listed = follow(node, "GET", url(operation, Bucket=bucket, MaxKeys=1))
        assert listed.xml.findtext("KeyCount" if "v2" in operation else "MaxKeys") == "1"
    assert follow(node, "POST", url("create_multipart_upload", Key="m")).status == 200
    assert follow(node, "DELETE", url("delete_object", Key=KEY)).status == 204


def test_headers_that_boto3_moves_into_the_url_take_effect(
    node: Node, s3: Any, bucket: str
) -> None:
    s3.put_object(Bucket=bucket, Key="source", Body=b"hello")
    client = node.client()
    put = client.generate_presigned_url(
        "put_object",
        {"Bucket": bucket, "Key": "k", "Metadata": {"a": "b c"}, "ContentType": "text/csv"},
    )
    assert follow(node, "PUT", put, b"1,2").status == 200
    head = s3.head_object(Bucket=bucket, Key="k")
    assert (head["Metadata"], head["ContentType"]) == ({"a": "b c"}, "text/csv")
    sent = {"content_type": "text/csv", "x_amz_meta_a": "b c"}
    assert follow(node, "PUT", put, b"3,4", **sent).status == 200
    assert follow(node, "PUT", put, b"3,4", content_type="text/html").status == 400
    copy = client.generate_presigned_url(
        "copy_object", {"Bucket": bucket, "Key": "copy", "CopySource": f"{bucket}/source"}
    )
    assert follow(node, "PUT", copy).status == 200
    assert s3.get_object(Bucket=bucket, Key="copy")["Body"].read() == b"hello"


def test_url_cannot_be_used_for_anything_else(node: Node, s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"hello")
    s3.put_object(Bucket=bucket, Key=f"{bucket}/k", Body=b"secret")
    client = node.client()
    url = client.generate_presigned_url("get_object", {"Bucket": bucket, "Key": "k"})
    assert follow(node, "GET", url).body == b"hello"
    host = urlsplit(url).netloc
    for method, changed in [
        ("DELETE", url),
        ("GET", url.replace("/k?", "/other?")),
        ("GET", url.replace("Expires=", "Expires=1")),
        ("GET", url + "&uploadId=1"),
        ("GET", url.replace(f"//{host}/s3", f"//{bucket}.{host}")),
    ]:
        assert follow(node, method, changed).code == "SignatureDoesNotMatch"
    assert follow(node, "GET", url + "&attributes").code == "NotImplemented"
    put = client.generate_presigned_url("put_object", {"Bucket": bucket, "Key": "k"})
    copied = follow(node, "PUT", put, x_amz_copy_source=f"/{bucket}/{bucket}/k")
    assert copied.code == "SignatureDoesNotMatch"
    expired = client.generate_presigned_url(
        "get_object", {"Bucket": bucket, "Key": "k"}, ExpiresIn=-1
    )
    reply = follow(node, "GET", expired)
    assert (reply.status, reply.code) == (403, "AccessDenied")


def test_boto3_told_to_sign_with_version_2_works(node: Node, bucket: str) -> None:
    for endpoint in (node.endpoint, node.root):
        client = node.client(endpoint=endpoint, signature_version="s3")
        client.put_object(Bucket=bucket, Key=KEY, Body=b"hello", Metadata={"a": "b  c"})
        got = client.get_object(Bucket=bucket, Key=KEY)
        assert (got["Body"].read(), got["Metadata"]) == (b"hello", {"a": "b  c"})
        assert client.list_objects_v2(Bucket=bucket, Prefix="a b")["KeyCount"] == 1
        upload = client.create_multipart_upload(Bucket=bucket, Key="m")["UploadId"]
        part = client.upload_part(
            Bucket=bucket, Key="m", UploadId=upload, PartNumber=1, Body=b"part"
        )
        client.complete_multipart_upload(
            Bucket=bucket,
            Key="m",
            UploadId=upload,
            MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]},
        )
        names = [{"Key": entry["Key"]} for entry in client.list_objects(Bucket=bucket)["Contents"]]
        assert len(client.delete_objects(Bucket=bucket, Delete={"Objects": names})["Deleted"]) == 2


# What follows the host in --host and --host-bucket.
FORMS = [("", ""), ("/s3", "/s3"), ("/s3", "/s3/%(bucket)s")]


@pytest.mark.parametrize(("base", "template"), FORMS)
def test_s3cmd_with_version_2_works(
    node: Node, bucket: str, tmp_path: Path, base: str, template: str
) -> None:
    shell = Shell(tmp_path)
    config = shell.file(
        ".s3cfg",
        f"[default]\naccess_key = {ACCESS_KEY}\nsecret_key = {SECRET_KEY}\nuse_https = False\n"
        f"signature_v2 = True\nhost_base = {node.host}{base}\n"
        f"host_bucket = {node.host}{template}\n".encode(),
    )
    s3cmd = ("s3cmd", "--config", config, "--no-progress")
    data = bytes(range(256)) * (6 << 12)
    shell.file("file", data)
    url = f"s3://{bucket}/{KEY}"
    shell.run(*s3cmd, "put", "file", url, "--multipart-chunk-size-mb=5")
    assert f"s3://{bucket}\n" in shell.run(*s3cmd, "ls").stdout
    assert url in shell.run(*s3cmd, "ls", "--recursive", f"s3://{bucket}").stdout
    shell.run(*s3cmd, "get", url, "back")
    assert (tmp_path / "back").read_bytes() == data
    shell.run(*s3cmd, "cp", url, f"s3://{bucket}/copy")
    shell.run(*s3cmd, "info", url)
    shell.run(*s3cmd, "rm", "--recursive", "--force", f"s3://{bucket}")
    assert shell.run(*s3cmd, "ls", f"s3://{bucket}").stdout == ""


@pytest.mark.parametrize("base", ["", "/s3"])
def test_s3cmd_signurl_makes_urls_that_work(
    node: Node, s3: Any, bucket: str, tmp_path: Path, base: str
) -> None:
    s3.put_object(Bucket=bucket, Key=KEY, Body=b"hello")
    config = Shell(tmp_path).file(
        ".s3cfg",
        f"[default]\naccess_key = {ACCESS_KEY}\nsecret_key = {SECRET_KEY}\nuse_https = False\n"
        f"host_base = {node.host}{base}\nhost_bucket = {node.host}{base}\n".encode(),
    )

    def signurl(expiry: str) -> str:
        command = ("s3cmd", "--config", config, "signurl", f"s3://{bucket}/{KEY}", expiry)
        return Shell(tmp_path).run(*command).stdout.strip()

    reply = follow(node, "GET", signurl("+60"))
    assert (reply.status, reply.body) == (200, b"hello")
    assert follow(node, "GET", signurl(str(int(time.time()) - 5))).status == 403


@pytest.mark.parametrize("base", ["", "/s3"])
def test_rclone_with_version_2_works(node: Node, bucket: str, tmp_path: Path, base: str) -> None:
    shell = Shell(
        tmp_path,
        {
            "RCLONE_CONFIG_V2_TYPE": "s3",
            "RCLONE_CONFIG_V2_PROVIDER": "Other",
            "RCLONE_CONFIG_V2_V2_AUTH": "true",
            "RCLONE_CONFIG_V2_ACCESS_KEY_ID": ACCESS_KEY,
            "RCLONE_CONFIG_V2_SECRET_ACCESS_KEY": SECRET_KEY,
            "RCLONE_CONFIG_V2_ENDPOINT": node.root + base,
        },
    )
    shell.file("file", b"hello" * 2_000_000)
    shell.run("rclone", "copyto", "file", f"v2:{bucket}/{KEY}", "--s3-upload-cutoff=5Mi")
    assert KEY in shell.run("rclone", "lsf", "--recursive", f"v2:{bucket}").stdout
    shell.run("rclone", "copyto", f"v2:{bucket}/{KEY}", "back")
    assert (tmp_path / "back").read_bytes() == b"hello" * 2_000_000
    shell.run("rclone", "delete", f"v2:{bucket}")
