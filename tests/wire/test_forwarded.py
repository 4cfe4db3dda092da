"""Where a request came from, by proxies that are trusted and by everybody else.

CVE-2026-21862 (RustFS): whoever wrote `X-Forwarded-For` was where a policy wanted them to be.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.harness import Node
from tests.node.process import eventually

OFFICE = "203.0.113.9"


@pytest.fixture(scope="module")
def proxied(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    """A node behind a proxy on this machine, as `--trusted-proxy` says."""
    data = tmp_path_factory.mktemp("proxied") / "data"
    options = ("--trusted-proxy", "127.0.0.1", "--trusted-proxy", "10.0.0.0/8", "--access-log")
    running = Node(data, workers=1, options=options).start()
    running.client().create_bucket(Bucket="office")
    allow_office(running.client(), "office")
    yield running
    assert running.stop() == 0, running.log_tail()


def allow_office(client: Any, bucket: str) -> None:
    """Let everybody read, from one address."""
    client.put_object(Bucket=bucket, Key="key", Body=b"hello")
    statement = {
        "Effect": "Allow",
        "Principal": "*",
        "Action": "s3:GetObject",
        "Resource": f"arn:aws:s3:::{bucket}/*",
        "Condition": {"IpAddress": {"aws:SourceIp": f"{OFFICE}/32"}},
    }
    policy = {"Version": "2012-10-17", "Statement": [statement]}
    client.put_bucket_policy(Bucket=bucket, Policy=json.dumps(policy))


def stranger(node: Node, bucket: str, forwarded: str) -> int:
    headers = {
        "X-Forwarded-For": forwarded,
        "X-Real-IP": forwarded,
        "Forwarded": f"for={forwarded}",
    }
    return node.send("GET", f"/s3/{bucket}/key", signed=False, headers=headers).status


def test_cve_2026_21862_x_forwarded_for_of_a_stranger_spoofs_no_source_ip(
    node: Node, s3: Any, bucket: str
) -> None:
    allow_office(s3, bucket)
    assert stranger(node, bucket, OFFICE) == 403
    assert stranger(node, bucket, f"{OFFICE}, 127.0.0.1") == 403


@pytest.mark.parametrize(
    ("forwarded", "status"),
    [
        (OFFICE, 200),
        (f"{OFFICE}, 10.1.2.3", 200),
        ("198.51.100.1", 403),
        # What the client has sent itself, with what the proxy has added behind it.
        (f"{OFFICE}, 198.51.100.1", 403),
        (f"{OFFICE}, 198.51.100.1, 10.1.2.3", 403),
        (f"{OFFICE}, nonsense", 403),
        ("", 403),
    ],
)
def test_a_trusted_proxy_tells_the_source_ip(proxied: Node, forwarded: str, status: int) -> None:
    assert stranger(proxied, "office", forwarded) == status


def test_the_log_and_the_replies_go_by_what_a_trusted_proxy_tells(proxied: Node) -> None:
    headers = {"X-Forwarded-For": "198.51.100.77", "X-Forwarded-Proto": "https"}
    reply = proxied.send("GET", "/s3/office/none", unsigned_headers=headers)
    assert reply.status == 404
    host = {"Host": "store.example.org"}
    reply = proxied.send("GET", "/v1/health", signed=False, headers={**headers, **host})
    assert reply.headers["strict-transport-security"] == "max-age=31536000"
    plain = proxied.send("GET", "/v1/health", signed=False, headers=host)
    assert "strict-transport-security" not in plain.headers
    assert eventually(60, lambda: "198.51.100.77" in proxied.log_tail())
