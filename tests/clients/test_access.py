"""ACLs, policies and the rest of access control by s3cmd and the aws CLI."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.clients.test_s3cmd import S3cmd
from tests.clients.tools import Shell, aws_environment
from tests.harness import Node

ALL_USERS = "http://acs.amazonaws.com/groups/global/AllUsers"


@pytest.fixture
def s3cmd(shell: Shell, node: Node) -> S3cmd:
    """s3cmd with the keys of the administrator."""
    return S3cmd(
        shell,
        node,
        config=f"host_base = {node.host}/s3\nhost_bucket = {node.host}/s3\nuse_https = False\n",
    )


@pytest.fixture
def account(node: Node, s3: Any) -> str:
    """The canonical id of an account beside root's."""
    node.send("POST", "/v1/users", body=b'{"id": "carol", "email": "carol@example.org"}')
    return str(json.loads(node.send("GET", "/v1/users/carol").body)["canonical_id"])


def anybody(node: Node, bucket: str, key: str = "") -> int:
    """How somebody without keys is answered."""
    return node.send("GET", f"/s3/{bucket}/{key}", signed=False).status


def aws(node: Node, home: Path, *command: str) -> Any:
    shell = Shell(home, aws_environment(node))
    done = shell.run("aws", "--endpoint-url", node.endpoint, *command)
    return json.loads(done.stdout) if done.stdout.strip().startswith("{") else done.stdout


# --- s3cmd ----------------------------------------------------------------------------------


def test_s3cmd_makes_an_object_public_and_private_again(
    s3cmd: S3cmd, shell: Shell, node: Node, bucket: str
) -> None:
    shell.file("f", b"hello")
    s3cmd("put", "f", f"s3://{bucket}/k")
    assert anybody(node, bucket, "k") == 403
    assert "*anon*" not in s3cmd("info", f"s3://{bucket}/k")
    s3cmd("setacl", "--acl-public", f"s3://{bucket}/k")
    assert anybody(node, bucket, "k") == 200
    info = s3cmd("info", f"s3://{bucket}/k")
    assert "ACL:       root: FULL_CONTROL" in info
    assert "ACL:       *anon*: READ" in info
    s3cmd("setacl", "--acl-private", f"s3://{bucket}/k")
    assert anybody(node, bucket, "k") == 403
    s3cmd("put", "--acl-public", "f", f"s3://{bucket}/new")
    assert anybody(node, bucket, "new") == 200


def test_s3cmd_opens_a_bucket_and_all_that_is_in_it(
    s3cmd: S3cmd, shell: Shell, node: Node, bucket: str
) -> None:
    shell.file("f", b"hello")
    for key in ("a", "d/b"):
        s3cmd("put", "f", f"s3://{bucket}/{key}")
    s3cmd("setacl", "--acl-public", f"s3://{bucket}")
    assert (anybody(node, bucket), anybody(node, bucket, "a")) == (200, 403)
    s3cmd("setacl", "--acl-public", "--recursive", f"s3://{bucket}")
    assert [anybody(node, bucket, key) for key in ("a", "d/b")] == [200, 200]
    assert "ACL:       *anon*: READ" in s3cmd("info", f"s3://{bucket}")
    s3cmd("setacl", "--acl-private", f"s3://{bucket}")
    assert anybody(node, bucket) == 403


@pytest.mark.parametrize("named", ["id", "email"])
def test_s3cmd_grants_and_revokes(
    s3cmd: S3cmd, shell: Shell, s3: Any, bucket: str, account: str, named: str
) -> None:
    grantee = account if named == "id" else "carol@example.org"
    shell.file("f", b"hello")
    s3cmd("put", "f", f"s3://{bucket}/k")
    s3cmd("setacl", f"--acl-grant=read:{grantee}", f"s3://{bucket}/k")
    grants = s3.get_object_acl(Bucket=bucket, Key="k")["Grants"]
    assert [(grant["Grantee"]["ID"], grant["Permission"]) for grant in grants[1:]] == [
        (account, "READ")
    ]
    assert "ACL:       carol: READ" in s3cmd("info", f"s3://{bucket}/k")
    s3cmd("setacl", f"--acl-revoke=read:{account}", f"s3://{bucket}/k")
    assert len(s3.get_object_acl(Bucket=bucket, Key="k")["Grants"]) == 1


def test_s3cmd_sets_shows_and_deletes_a_policy(
    s3cmd: S3cmd, shell: Shell, node: Node, s3: Any, bucket: str
) -> None:
    shell.file("f", b"hello")
    s3cmd("put", "f", f"s3://{bucket}/k")
    statement = {
        "Effect": "Allow", "Principal": "*", "Action": "s3:GetObject",
        "Resource": f"arn:aws:s3:::{bucket}/*",
    }  # fmt: skip
    text = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    shell.file("policy.json", text.encode())
    s3cmd("setpolicy", "policy.json", f"s3://{bucket}")
    assert anybody(node, bucket, "k") == 200
    assert s3.get_bucket_policy(Bucket=bucket)["Policy"] == text
    assert "arn:aws:s3:::" in s3cmd("info", f"s3://{bucket}")
    s3cmd("delpolicy", f"s3://{bucket}")
    assert anybody(node, bucket, "k") == 403
    shell.file("policy.json", b'{"Statement": 1}')
    refused = s3cmd("setpolicy", "policy.json", f"s3://{bucket}", check=False)
    assert "MalformedPolicy" in refused


# --- aws ------------------------------------------------------------------------------------


def test_aws_copies_with_an_acl_and_shows_it(node: Node, tmp_path: Path, bucket: str) -> None:
    (tmp_path / "f").write_bytes(b"hello")
    aws(node, tmp_path, "s3", "cp", "f", f"s3://{bucket}/k", "--acl", "public-read")
    assert anybody(node, bucket, "k") == 200
    told = aws(node, tmp_path, "s3api", "get-object-acl", "--bucket", bucket, "--key", "k")
    grantees = [grant["Grantee"] for grant in told["Grants"]]
    assert grantees == [
        {**told["Owner"], "Type": "CanonicalUser"},
        {"Type": "Group", "URI": ALL_USERS},
    ]
    aws(node, tmp_path, "s3", "cp", "f", f"s3://{bucket}/g", "--grants", f"read=uri={ALL_USERS}")
    assert anybody(node, bucket, "g") == 200
    given = ("--bucket", bucket, "--key", "k", "--acl", "private")
    aws(node, tmp_path, "s3api", "put-object-acl", *given)
    assert anybody(node, bucket, "k") == 403


def test_aws_sets_and_shows_a_policy(node: Node, tmp_path: Path, bucket: str) -> None:
    statement = {
        "Effect": "Allow", "Principal": "*", "Action": "s3:ListBucket",
        "Resource": f"arn:aws:s3:::{bucket}",
    }  # fmt: skip
    text = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    on = ("--bucket", bucket)
    aws(node, tmp_path, "s3api", "put-bucket-policy", *on, "--policy", text)
    assert anybody(node, bucket) == 200
    told = aws(node, tmp_path, "s3api", "get-bucket-policy", *on)
    assert told["Policy"] == text
    told = aws(node, tmp_path, "s3api", "get-bucket-policy-status", *on)
    assert told == {"PolicyStatus": {"IsPublic": True}}
    aws(node, tmp_path, "s3api", "delete-bucket-policy", *on)
    assert anybody(node, bucket) == 403


def test_aws_blocks_public_access_and_sets_ownership(
    node: Node, tmp_path: Path, bucket: str
) -> None:
    on = ("--bucket", bucket)
    switches = {"IgnorePublicAcls": True, "BlockPublicAcls": False}
    text = ",".join(f"{name}={str(on).lower()}" for name, on in switches.items())
    given = ("--public-access-block-configuration", text)
    aws(node, tmp_path, "s3api", "put-public-access-block", *on, *given)
    told = aws(node, tmp_path, "s3api", "get-public-access-block", *on)
    assert told["PublicAccessBlockConfiguration"].items() >= switches.items()
    rules = "Rules=[{ObjectOwnership=BucketOwnerEnforced}]"
    given = ("--ownership-controls", rules)
    aws(node, tmp_path, "s3api", "put-bucket-ownership-controls", *on, *given)
    told = aws(node, tmp_path, "s3api", "get-bucket-ownership-controls", *on)
    assert told == {"OwnershipControls": {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}}
