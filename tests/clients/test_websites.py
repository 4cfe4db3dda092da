"""Websites and CORS rules by s3cmd and the aws CLI."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.clients.test_s3cmd import S3cmd
from tests.clients.tools import Shell, aws_environment
from tests.harness import Node, Reply

RULES = """\
<CORSConfiguration>
  <CORSRule>
    <AllowedOrigin>https://page.example</AllowedOrigin>
    <AllowedMethod>GET</AllowedMethod>
    <AllowedHeader>*</AllowedHeader>
    <MaxAgeSeconds>60</MaxAgeSeconds>
  </CORSRule>
</CORSConfiguration>
"""


@pytest.fixture
def s3cmd(shell: Shell, node: Node) -> S3cmd:
    """s3cmd with the keys of the administrator and the website domain of the node."""
    return S3cmd(
        shell,
        node,
        config=f"host_base = {node.host}/s3\nhost_bucket = {node.host}/s3\nuse_https = False\n"
        f"website_endpoint = http://%(bucket)s.s3-website.localhost:{node.port}/\n",
    )


@pytest.fixture
def aws(shell: Shell, node: Node) -> Shell:
    shell.environment.update(aws_environment(node))
    return shell


def visit(node: Node, bucket: str, target: str) -> Reply:
    host = f"{bucket}.s3-website.localhost:{node.port}"
    return node.send("GET", target, signed=False, host=host)


def test_s3cmd_makes_shows_and_removes_a_website(
    s3cmd: S3cmd, shell: Shell, node: Node, bucket: str
) -> None:
    place = f"s3://{bucket}"
    assert "No website configuration found" in s3cmd("ws-info", place, check=False)
    output = s3cmd("ws-create", "--ws-index=i.html", "--ws-error=e.html", place)
    assert output == f"Bucket '{place}/': website configuration created.\n"
    info = s3cmd("ws-info", place)
    assert f"http://{bucket}.s3-website.localhost:{node.port}/" in info
    assert "i.html" in info
    assert "e.html" in info
    shell.file("page", b"<h1>page</h1>")
    for key in ("i.html", "e.html"):
        s3cmd("put", "--acl-public", "page", f"{place}/{key}")
    assert (visit(node, bucket, "/").status, visit(node, bucket, "/no").status) == (200, 403)
    assert visit(node, bucket, "/no").body == b"<h1>page</h1>"
    s3cmd("put", "--acl-public", "--add-header=x-amz-website-redirect-location:/i.html", "page",
          f"{place}/old")  # fmt: skip
    assert visit(node, bucket, "/old").headers["location"] == "/i.html"
    s3cmd("ws-delete", place)
    reply = visit(node, bucket, "/")
    assert (reply.status, reply.headers["x-amz-error-code"]) == (404, "NoSuchWebsiteConfiguration")


def test_s3cmd_sets_and_removes_cors_rules(
    s3cmd: S3cmd, shell: Shell, s3: Any, bucket: str
) -> None:
    shell.file("rules.xml", RULES.encode())
    s3cmd("setcors", "rules.xml", f"s3://{bucket}")
    (rule,) = s3.get_bucket_cors(Bucket=bucket)["CORSRules"]
    assert rule == {
        "AllowedOrigins": ["https://page.example"],
        "AllowedMethods": ["GET"],
        "AllowedHeaders": ["*"],
        "MaxAgeSeconds": 60,
    }
    info = s3cmd("info", f"s3://{bucket}")
    assert "<AllowedOrigin>https://page.example</AllowedOrigin>" in info
    s3cmd("delcors", f"s3://{bucket}")
    assert "CORS:      none" in s3cmd("info", f"s3://{bucket}")


def test_aws_makes_a_website_and_syncs_it(aws: Shell, node: Node, bucket: str) -> None:
    endpoint = ("aws", "--endpoint-url", node.endpoint)
    aws.run(*endpoint, "s3", "website", f"s3://{bucket}",
            "--index-document", "index.html", "--error-document", "error.html")  # fmt: skip
    told = aws.run(*endpoint, "s3api", "get-bucket-website", "--bucket", bucket).stdout
    assert json.loads(told) == {
        "IndexDocument": {"Suffix": "index.html"},
        "ErrorDocument": {"Key": "error.html"},
    }
    for name in ("index.html", "error.html", "news/index.html"):
        aws.file(f"site/{name}", name.encode())
    aws.run(*endpoint, "s3", "sync", "site", f"s3://{bucket}", "--acl", "public-read")
    aws.run(*endpoint, "s3", "cp", "site/index.html", f"s3://{bucket}/old",
            "--acl", "public-read", "--website-redirect", "/news/")  # fmt: skip
    assert visit(node, bucket, "/").body == b"index.html"
    assert visit(node, bucket, "/").headers["content-type"] == "text/html"
    assert visit(node, bucket, "/news").headers["location"] == "/news/"
    assert visit(node, bucket, "/news/").body == b"news/index.html"
    assert visit(node, bucket, "/old").headers["location"] == "/news/"
    aws.run(*endpoint, "s3api", "delete-bucket-website", "--bucket", bucket)
    assert visit(node, bucket, "/").status == 404
