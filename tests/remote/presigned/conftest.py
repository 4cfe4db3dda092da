"""A node without keys of its own for the origin, with users and without, and somebody who signs."""

from __future__ import annotations

import json
import shutil
import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from tests.conftest import empty_and_remove
from tests.harness import Node
from tests.remote.presigned.signer import Signer
from tests.remote.windows import Remote
from tests.servers.faults import FaultProxy


@pytest.fixture(scope="package", params=[False, True], ids=["open", "auth"])
def keyless(
    request: pytest.FixtureRequest,
    faults_of_package: FaultProxy,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Node]:
    """A node that reaches the origin but has no keys for it, with the feature on."""
    data = tmp_path_factory.mktemp("keyless") / "data"
    environment = {"S3_ENDPOINT": faults_of_package.endpoint}
    node = Node(data, auth=request.param, environment=environment).start()
    reply = node.send(
        "PUT", "/v1/cluster/set-config?features=S3-API-via-Root%2CS3-Presigned-Request"
    )
    assert reply.status == 200, reply.body
    yield node
    assert node.stop() == 0, node.log_tail()
    shutil.rmtree(node.data)


@pytest.fixture
def remote(keyless: Node, there: Any, faults: FaultProxy) -> Iterator[Remote]:
    """A bucket at the origin, and a window that was made without a look at it."""
    name = f"signed-{uuid.uuid4().hex[:12]}"
    there.create_bucket(Bucket=name)
    made = Remote(keyless, there, name)
    reply = made.native(
        "POST", action={"action": "create-bck", "value": None}, dont_head_remote_bck="true"
    )
    assert reply.status == 200, reply.body
    faults.reset()
    yield made
    faults.reset()
    made.remove()
    empty_and_remove(there, name)


@pytest.fixture(scope="package")
def keys(origin: Node) -> Iterator[tuple[str, str]]:
    """Keys of a user of the origin, whom the node does not know."""
    iam = origin.client(service="iam", endpoint=origin.root)
    iam.create_user(UserName="signer")
    allow = {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [allow]})
    iam.put_user_policy(UserName="signer", PolicyName="all", PolicyDocument=policy)
    made = iam.create_access_key(UserName="signer")["AccessKey"]
    yield made["AccessKeyId"], made["SecretAccessKey"]
    iam.delete_access_key(UserName="signer", AccessKeyId=made["AccessKeyId"])
    iam.delete_user_policy(UserName="signer", PolicyName="all")
    iam.delete_user(UserName="signer")


@pytest.fixture
def signer(keyless: Node, faults: FaultProxy, keys: tuple[str, str]) -> Signer:
    return Signer(keyless, faults.endpoint, keys)
