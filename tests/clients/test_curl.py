"""curl: presigned URLs, its own signature, and no credentials at all where none are needed."""

from __future__ import annotations

from typing import Any

from tests.clients.tools import Shell
from tests.harness import ACCESS_KEY, REGION, SECRET_KEY, Node, presign
from tests.wire.support import object_target


def test_a_presigned_url_uploads_and_downloads(
    shell: Shell, node: Node, s3: Any, bucket: str
) -> None:
    shell.file("file", b"hello" * 10_000)
    target = object_target(bucket, "a b")
    put = node.root + presign("PUT", target, host=node.host)
    get = node.root + presign("GET", target, host=node.host)
    shell.run("curl", "-sSf", "-T", "file", put)
    shell.run("curl", "-sSf", "-o", "back", get)
    assert (shell.home / "back").read_bytes() == b"hello" * 10_000
    code = shell.run("curl", "-s", "-o", "error", "-w", "%{http_code}", "-X", "DELETE", get).stdout
    assert code == "403"
    assert b"SignatureDoesNotMatch" in (shell.home / "error").read_bytes()


def test_curl_signs_for_itself(shell: Shell, node: Node, s3: Any, bucket: str) -> None:
    """`--aws-sigv4` of curl 7.75 and newer; the header of the payload is given, as S3 asks."""
    shell.file("file", b"hello")
    sign = (
        "curl", "-sSf", "--aws-sigv4", f"aws:amz:{REGION}:s3", "--user",
        f"{ACCESS_KEY}:{SECRET_KEY}", "-H", "x-amz-content-sha256: UNSIGNED-PAYLOAD",
    )  # fmt: skip
    url = f"{node.endpoint}/{bucket}/signed.txt"
    shell.run(*sign, "-T", "file", url)
    assert s3.get_object(Bucket=bucket, Key="signed.txt")["Body"].read() == b"hello"
    assert shell.run(*sign, url).stdout == "hello"
    shell.run(*sign, "-X", "DELETE", url)
    assert (
        "<KeyCount>0</KeyCount>" in shell.run(*sign, f"{node.endpoint}/{bucket}?list-type=2").stdout
    )


def test_with_auth_off_no_credentials_are_needed(
    shell: Shell, open_node: Node, open_bucket: str
) -> None:
    shell.file("file", b"hello")
    url = f"{open_node.endpoint}/{open_bucket}/plain.txt"
    shell.run("curl", "-sSf", "-T", "file", url)
    assert shell.run("curl", "-sSf", url).stdout == "hello"
    assert shell.run("curl", "-sSf", "-r", "1-2", url).stdout == "el"
    assert (
        "<Key>plain.txt</Key>"
        in shell.run("curl", "-sSf", f"{open_node.endpoint}/{open_bucket}").stdout
    )
    assert "<String>Provider: ais</String>" in shell.run("curl", "-sSf", open_node.endpoint).stdout
    shell.run("curl", "-sSf", "-X", "DELETE", url)
    code = shell.run("curl", "-s", "-o", "gone", "-w", "%{http_code}", "-I", url).stdout
    assert code == "404"


def test_a_virtual_host_names_the_bucket(shell: Shell, open_node: Node, open_bucket: str) -> None:
    """The bucket in the name of the host, resolved by curl alone."""
    host = f"{open_bucket}.localhost"
    shell.file("file", b"hello")
    resolve = ("--resolve", f"{host}:{open_node.port}:127.0.0.1")
    url = f"http://{host}:{open_node.port}/a/b.txt"
    shell.run("curl", "-sSf", *resolve, "-T", "file", url)
    assert shell.run("curl", "-sSf", *resolve, url).stdout == "hello"
    assert (
        shell.run("curl", "-sSf", f"{open_node.endpoint}/{open_bucket}/a/b.txt").stdout == "hello"
    )
