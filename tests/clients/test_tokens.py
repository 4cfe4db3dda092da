"""S3 clients that have a token of AIStore's in place of keys: boto3, the aws CLI and s3cmd.

None is patched: the token is the session token beside any keys, which every client has a place for.
s3cmd is tried with the one-line patch of AIStore's documents, too.
"""

from __future__ import annotations

import hashlib
import importlib.util
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.clients.tools import MIB, Shell
from tests.conftest import empty_and_remove
from tests.harness import BIN, REGION, Node
from tests.native.people import Person, fresh, make_user
from tests.people import as_root

DUMMY = ("DUMMYKEY", "dummysecret")
# What AIStore's documents put in place of a line of `S3/S3.py`.
PATCH = 'self.headers["Authorization"] = "Bearer {}"'


@pytest.fixture(scope="module")
def person(node: Node) -> Person:
    """A user with a token."""
    return make_user(node)


def client(node: Node, token: str, **config: Any) -> Any:
    """boto3 with a token and keys that nobody knows."""
    access, secret = DUMMY
    return node.client(
        endpoint=node.root,
        access_key=access,
        secret_key=secret,
        token=token,
        s3={"addressing_style": "path"},
        **config,
    )


@pytest.fixture
def s3(node: Node, person: Person) -> Any:
    return client(node, person.token)


@pytest.fixture
def mine(s3: Any) -> Iterator[str]:
    """A bucket of the user's."""
    name = fresh("token-bucket")
    s3.create_bucket(Bucket=name)
    yield name
    empty_and_remove(s3, name)


def code(error: pytest.ExceptionInfo[ClientError]) -> tuple[int, str]:
    told = error.value.response
    return told["ResponseMetadata"]["HTTPStatusCode"], told["Error"]["Code"]


# --- boto3 --------------------------------------------------------------------------------------


def test_boto3_works_with_a_token(s3: Any, mine: str, tmp_path: Path) -> None:
    s3.put_object(Bucket=mine, Key="a", Body=b"small", ChecksumAlgorithm="CRC32")
    assert s3.get_object(Bucket=mine, Key="a")["Body"].read() == b"small"
    large = tmp_path / "large"
    large.write_bytes(b"x" * (17 * MIB))
    s3.upload_file(str(large), mine, "large")
    assert s3.head_object(Bucket=mine, Key="large")["ContentLength"] == 17 * MIB
    s3.copy_object(Bucket=mine, Key="b", CopySource={"Bucket": mine, "Key": "a"})
    listed = s3.list_objects_v2(Bucket=mine)["Contents"]
    assert [entry["Key"] for entry in listed] == ["a", "b", "large"]
    assert [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]] == [mine]
    s3.delete_objects(Bucket=mine, Delete={"Objects": [{"Key": "a"}, {"Key": "b"}]})
    assert s3.list_objects_v2(Bucket=mine)["KeyCount"] == 1


def test_boto3_with_signature_version_2_works_with_a_token(
    node: Node, person: Person, mine: str
) -> None:
    old = client(node, person.token, signature_version="s3")
    old.put_object(Bucket=mine, Key="a", Body=b"small")
    assert old.get_object(Bucket=mine, Key="a")["Body"].read() == b"small"


def test_a_token_opens_no_more_than_its_user_may(node: Node, mine: str, s3: Any) -> None:
    s3.put_object(Bucket=mine, Key="a", Body=b"1")
    other = client(node, make_user(node).token)
    denied: list[Callable[[], object]] = [
        lambda: other.get_object(Bucket=mine, Key="a"),
        lambda: other.put_object(Bucket=mine, Key="a", Body=b"2"),
        lambda: other.list_objects_v2(Bucket=mine),
        lambda: other.delete_bucket(Bucket=mine),
    ]
    for act in denied:
        with pytest.raises(ClientError) as error:
            act()
        assert code(error) == (403, "AccessDenied")
    assert s3.get_object(Bucket=mine, Key="a")["Body"].read() == b"1"


def test_a_revoked_token_is_refused(node: Node) -> None:
    person = make_user(node)
    s3 = client(node, person.token)
    assert s3.list_buckets()["Buckets"] == []
    assert person.tell("DELETE", "/v1/tokens", {"token": person.token}).status == 200
    with pytest.raises(ClientError) as error:
        s3.list_buckets()
    status, name = code(error)
    assert status in (400, 403)
    assert name in ("InvalidToken", "AccessDenied")
    assert person.token not in str(error.value.response)


def test_a_presigned_url_with_a_token_in_it_is_refused(node: Node, s3: Any, mine: str) -> None:
    """It would hand the token to whoever has the link."""
    url = s3.generate_presigned_url("get_object", Params={"Bucket": mine, "Key": "a"})
    assert "X-Amz-Security-Token=" in url or "x-amz-security-token=" in url
    assert node.send("GET", url.removeprefix(node.root), signed=False).status in (400, 403)


# --- the aws CLI and s3cmd ----------------------------------------------------------------------


def test_the_aws_cli_works_with_a_token(
    shell: Shell, node: Node, person: Person, mine: str
) -> None:
    access, secret = DUMMY
    shell.environment = {
        "AWS_ACCESS_KEY_ID": access,
        "AWS_SECRET_ACCESS_KEY": secret,
        "AWS_SESSION_TOKEN": person.token,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    shell.file("f", b"hello")
    aws = ("aws", "--endpoint-url", node.root, "s3")
    shell.run(*aws, "cp", "f", f"s3://{mine}/f")
    assert "f" in shell.run(*aws, "ls", f"s3://{mine}").stdout
    assert shell.run(*aws, "cp", f"s3://{mine}/f", "-").stdout == "hello"


def s3cfg(shell: Shell, node: Node) -> Path:
    access, secret = DUMMY
    return shell.file(
        ".s3cfg",
        f"[default]\naccess_key = {access}\nsecret_key = {secret}\nuse_https = False\n"
        f"host_base = {node.host}/s3\nhost_bucket = {node.host}/s3\n".encode(),
    )


def round_with_s3cmd(shell: Shell, bucket: str, *s3cmd: str | Path) -> None:
    """Put, list, get and remove, a large file in parts."""
    data = hashlib.sha256(b"seed").digest() * (6 * MIB // 32)
    shell.file("large", data)
    shell.run(*s3cmd, "put", "--multipart-chunk-size-mb=5", "large", f"s3://{bucket}/large")
    assert f"s3://{bucket}/large" in shell.run(*s3cmd, "ls", f"s3://{bucket}").stdout
    shell.run(*s3cmd, "get", f"s3://{bucket}/large", "back")
    assert (shell.home / "back").read_bytes() == data
    shell.run(*s3cmd, "del", f"s3://{bucket}/large")


def test_s3cmd_works_with_a_token(shell: Shell, node: Node, person: Person, mine: str) -> None:
    config = s3cfg(shell, node)
    token = f"--access_token={person.token}"
    round_with_s3cmd(shell, mine, "s3cmd", "-c", config, token)
    refused = shell.run("s3cmd", "-c", config, f"{token}x", "ls", f"s3://{mine}", check=False)
    assert refused.returncode != 0


def test_s3cmd_works_as_aistore_s_documents_patch_it(
    shell: Shell, node: Node, person: Person, mine: str
) -> None:
    patched = shell.home / "patched"
    found = importlib.util.find_spec("S3")
    assert found is not None
    assert found.origin is not None
    shutil.copytree(Path(found.origin).parent, patched / "S3")
    source = patched / "S3" / "S3.py"
    text = source.read_text()
    signing = "        self.update_timestamp()\n        self.sign()\n"
    assert text.count(signing) == 1
    source.write_text(text.replace(signing, f"{signing}        {PATCH.format(person.token)}\n"))
    shell.environment = {"PYTHONPATH": str(patched), "PYTHONDONTWRITEBYTECODE": "1"}
    # The script itself: what is warm has the package imported that is patched here.
    round_with_s3cmd(shell, mine, str(BIN / "s3cmd"), "-c", s3cfg(shell, node))


def test_a_user_that_is_deleted_is_refused_everywhere(node: Node) -> None:
    person = make_user(node)
    s3 = client(node, person.token)
    s3.list_buckets()
    as_root(node, "DELETE", f"/v1/users/{person.name}")
    with pytest.raises(ClientError):
        s3.list_buckets()
    assert person.send("GET", "/v1/self").status == 401
