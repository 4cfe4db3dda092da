"""The cluster of `compose.yaml` without containers: its services as processes, with the environment
and commands that the file gives them, behind HAProxy with the configuration that ships.

What only containers have is replaced: names of hosts, and directories.
"""

from __future__ import annotations

import contextlib
import io
import os
import socket
import subprocess
import time
import urllib.parse
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

import pytest

from tests.deploy.test_compose import GATEWAYS, REFERENCE, SERVICES, example
from tests.deploy.tools import BIN, DEPLOY, program, run
from tests.harness import ACCESS_KEY, SECRET_KEY, Endpoint, Node, free_port
from tests.servers.postgres import Postgres

PASSWORD: Final = "only-for-this-test"
# What an operator writes into .env.
FILLED_IN: Final = {
    **example(),
    "POSTGRES_PASSWORD": PASSWORD,
    "AISLE_ROOT_ACCESS_KEY": ACCESS_KEY,
    "AISLE_ROOT_SECRET_KEY": SECRET_KEY,
    "AISLE_BLOBS_SECRET_KEY": "another-one-only-for-this-test",
}
KEY: Final = "a//b/../c d/é+%2F?#&=~'\"<>\x7f"


def environment_of(service: str, hosts: Mapping[str, str]) -> dict[str, str]:
    """The environment of a service, with variables and names of hosts replaced."""
    found = {}
    for name, value in SERVICES[service]["environment"].items():
        text = REFERENCE.sub(lambda match: FILLED_IN.get(match[1]) or match[3], value)
        for host, address in hosts.items():
            text = text.replace(f"//{host}", f"//{address}").replace(f"@{host}/", f"@{address}/")
        found[name] = text
    return found


def wait_for(happened: Callable[[], bool], what: str, seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < deadline, f"waited in vain until {what}"
        time.sleep(0.05)


class Cluster(Endpoint):
    """See the module; `start` with an `ExitStack` that ends it all."""

    def __init__(self, directory: Path) -> None:
        super().__init__(free_port())
        self.directory = directory
        self.gateways: list[Node] = []
        self._seen = 0  # of HAProxy's log

    def start(self, stack: ExitStack) -> None:
        postgres = Postgres().start()
        stack.callback(postgres.stop)
        owner = SERVICES["postgres"]["environment"]["POSTGRES_USER"]
        # The test server's superuser has the name of ours, and needs no password; this one does.
        postgres.create_user("operator", PASSWORD)
        postgres.sql(f"CREATE DATABASE {owner} OWNER operator")

        blobs = Node(self.directory / "blobs", environment=environment_of("blobs", {}))
        blobs.start()
        stack.callback(blobs.kill)
        hosts = {
            "aisle@postgres": f"operator@127.0.0.1:{postgres.port}",
            "blobs:8080": f"127.0.0.1:{blobs.port}",
        }
        # It has to do no harm when the cluster is started again.
        for _ in range(2):
            self.make_bucket(environment_of("bucket", hosts))

        for name in GATEWAYS:
            gateway = self.gateway(name, hosts)
            gateway.start()
            stack.callback(gateway.kill)
            self.gateways.append(gateway)
        self.start_balancer(stack)
        self.wait_until_served_by(GATEWAYS)

    def gateway(self, name: str, hosts: Mapping[str, str]) -> Node:
        """A gateway as the file has it, but for its port."""
        # The port is chosen by the node, and what it advertises has to name it.
        environment = environment_of(name, hosts)
        del environment["AISLE_ADVERTISE"]
        return Node(self.directory / name, workers=1, environment=environment)

    def make_bucket(self, environment: Mapping[str, str]) -> None:
        service = SERVICES["bucket"]
        path = f"{BIN}{os.pathsep}{os.environ['PATH']}"
        command = [*service["entrypoint"], *service["command"]]
        run(*command, environment={**environment, "PATH": path})

    def start_balancer(self, stack: ExitStack) -> None:
        addresses = {
            name: f"127.0.0.1:{gateway.port}"
            for name, gateway in zip(
                SERVICES["load-balancer"]["environment"], self.gateways, strict=True
            )
        }
        log = stack.enter_context((self.directory / "haproxy.log").open("wb"))
        balancer = subprocess.Popen(
            [program("haproxy", "/usr/sbin/haproxy"), "-db", "-f", DEPLOY / "haproxy.cfg"],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            env={**os.environ, **addresses, "LISTEN": f"127.0.0.1:{self.port}"},
        )  # fmt: skip

        def stop() -> None:
            balancer.kill()
            balancer.wait()

        stack.callback(stop)

    def served_by(self) -> set[str]:
        """The gateways that have answered since the last call, by HAProxy's log."""
        text = (self.directory / "haproxy.log").read_text(errors="replace")
        new, self._seen = text[self._seen :], len(text)
        return {name for name in GATEWAYS if f" gateways/{name} " in new}

    def wait_until_served_by(self, names: list[str]) -> None:
        def happened() -> bool:
            with contextlib.suppress(OSError):
                statuses = {self.send("GET", "/v1/health", signed=False).status for _ in range(6)}
                return statuses == {200} and self.served_by() == set(names)
            return False

        wait_for(happened, f"{names} serve")

    def ais(self, *words: str) -> None:
        environment = {
            "AIS_ENDPOINT": self.root,
            "AISLE_ROOT_ACCESS_KEY": ACCESS_KEY,
            "AISLE_ROOT_SECRET_KEY": SECRET_KEY,
        }
        run(BIN / "ais", *words, environment=environment)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with ExitStack() as stack:
        running = Cluster(tmp_path_factory.mktemp("cluster"))
        running.start(stack)
        yield running
        running.close_clients()


@pytest.fixture(scope="module")
def bucket(cluster: Cluster) -> str:
    cluster.client().create_bucket(Bucket="demo")
    return "demo"


def test_objects_go_in_and_out_through_the_load_balancer(cluster: Cluster, bucket: str) -> None:
    s3 = cluster.client()
    for size in (0, 4096, 9 << 20):
        body = os.urandom(size)
        s3.put_object(Bucket=bucket, Key=KEY, Body=body, Metadata={"m": "x" * 2000})
        found = s3.get_object(Bucket=bucket, Key=KEY)
        assert found["Body"].read() == body
        assert found["Metadata"] == {"m": "x" * 2000}
    listed = s3.list_objects_v2(Bucket=bucket, EncodingType="url")["Contents"]
    assert [urllib.parse.unquote_plus(each["Key"]) for each in listed] == [KEY]


def test_a_signature_survives_the_load_balancer(cluster: Cluster, bucket: str) -> None:
    """Path, query and headers reach the gateway as they were signed."""
    target = f"/{bucket}/b/../%C3%A9//x%2520y?response-content-type=text%2Fplain"
    for method, body in (("PUT", b"body"), ("GET", b"")):
        headers = {"x-amz-meta-spaces": "a  b"} if method == "PUT" else {}
        reply = cluster.send(method, target, headers=headers, body=body)
        assert reply.status == 200, reply.body
    assert reply.body == b"body"


def test_a_refused_upload_does_not_spoil_the_connection(cluster: Cluster, bucket: str) -> None:
    s3 = cluster.client(read_timeout=10)  # one thread, one connection
    s3.put_object(Bucket=bucket, Key="there", Body=b"first")
    for _ in range(5):
        # A file is sent with Expect, and refused before the body is asked for.
        with pytest.raises(s3.exceptions.ClientError) as refused:
            s3.put_object(Bucket="not-there", Key="x", Body=io.BytesIO(b"x" * 300_000))
        assert refused.value.response["Error"]["Code"] == "NoSuchBucket"
        assert s3.get_object(Bucket=bucket, Key="there")["Body"].read() == b"first"


def test_paths_that_no_browser_would_send_reach_the_gateway(cluster: Cluster) -> None:
    with socket.create_connection(("127.0.0.1", cluster.port), timeout=30) as connection:
        connection.sendall("GET /demo/é HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        answer = connection.recv(65536)
    assert answer.startswith(b"HTTP/1.1 403 ")
    assert b"<Code>AccessDenied</Code>" in answer


def test_a_gateway_in_maintenance_gets_no_requests(cluster: Cluster, bucket: str) -> None:
    first, second = GATEWAYS
    cluster.ais("cluster", "add-remove-nodes", "start-maintenance", first)
    cluster.wait_until_served_by([second])
    cluster.ais("cluster", "add-remove-nodes", "stop-maintenance", first)
    cluster.wait_until_served_by([first, second])


def test_a_gateway_that_stops_is_not_missed(cluster: Cluster, bucket: str) -> None:
    s3 = cluster.client()
    first, second = GATEWAYS

    def put_and_get(number: int) -> None:
        s3.put_object(Bucket=bucket, Key=f"during/{number}", Body=b"x" * number)
        assert s3.get_object(Bucket=bucket, Key=f"during/{number}")["Body"].read() == b"x" * number

    def repeat(count: int, change: Callable[[], Any]) -> None:
        for number in range(count):
            if number == count // 4:
                change()
            put_and_get(number)

    # In the order of an operator: out of the rotation, then down, up, and back.
    cluster.ais("cluster", "add-remove-nodes", "start-maintenance", first)
    cluster.wait_until_served_by([second])
    repeat(40, cluster.gateways[0].stop)
    repeat(40, lambda: cluster.gateways[0].start())
    cluster.ais("cluster", "add-remove-nodes", "stop-maintenance", first)
    cluster.wait_until_served_by([first, second])
    repeat(40, lambda: None)


def test_haproxy_takes_the_configuration_with_and_without_addresses() -> None:
    haproxy = program("haproxy", "/usr/sbin/haproxy")
    run(haproxy, "-c", "-f", DEPLOY / "haproxy.cfg")
    run(haproxy, "-c", "-f", DEPLOY / "haproxy.cfg", environment={"GATEWAY_1": "192.0.2.1:80"})
