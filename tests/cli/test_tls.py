"""`ais tls`: certificates of nodes, shown, read anew and looked at."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from aisle.cli import tls
from tests.cli.conftest import Ais, environment
from tests.harness import BIN, Node
from tests.servers import certificates


@pytest.fixture(scope="module")
def secure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    made = certificates.make(tmp_path_factory.mktemp("certificates"))
    node = Node(tmp_path_factory.mktemp("tls") / "data", auth=False, workers=1, tls=made).start()
    yield node
    assert node.stop() == 0, node.log_tail()


def run(node: Node, *words: str, code: int = 0) -> subprocess.CompletedProcess[str]:
    assert node.tls is not None
    env = environment(node, AIS_CLIENT_CA=str(node.tls.ca))
    done = subprocess.run(
        [str(BIN / "ais"), "tls", *words], env=env, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == code, done.stderr
    return done


def test_a_certificate_is_shown(secure: Node) -> None:
    lines = run(secure, "show").stdout.splitlines()
    assert lines[0].split() == ["PROPERTY", "VALUE"]
    assert any(line.startswith("subject ") and line.endswith("CN=localhost") for line in lines)
    told = json.loads(run(secure, "show", "--json").stdout)
    assert "localhost" in told["names"]
    smap = json.loads(secure.send("GET", "/v1/daemon?what=smap", signed=False).body)
    (node,) = smap["pmap"]
    assert json.loads(run(secure, "show", node, "--json").stdout) == told


def test_a_certificate_is_read_anew(secure: Node) -> None:
    assert run(secure, "load-certificate").stdout == "All nodes read the certificate anew\n"
    smap = json.loads(secure.send("GET", "/v1/daemon?what=smap", signed=False).body)
    (node,) = smap["tmap"]
    done = run(secure, "load-certificate", node)
    assert done.stdout == f'Node "{node}" reads the certificate anew\n'
    assert "is not in the cluster" in run(secure, "load-certificate", "p1", code=1).stderr


def test_certificates_that_will_not_hold_for_long_are_pointed_out(secure: Node) -> None:
    done = run(secure, "validate-certificates", code=1)
    first, second = done.stdout.splitlines()
    assert first.split() == ["NODE", "SERIAL", "NUMBER", "VALID", "STATUS"]
    assert second.endswith("   expires soon")
    assert done.stderr == f"Error: look at the certificates of: {second.split()[0]}\n"


@pytest.mark.parametrize(
    ("valid", "fingerprint", "state"),
    [
        ("from 2020-01-01 00:00:00 to 2999-01-01 00:00:00 UTC", "A", "ok"),
        ("from 2020-01-01 00:00:00 to 2999-01-01 00:00:00 UTC", "B", "another than the first"),
        ("from 2020-01-01 00:00:00 to 2021-01-01 00:00:00 UTC", "A", "expired"),
        ("from 2998-01-01 00:00:00 to 2999-01-01 00:00:00 UTC", "A", "not valid yet"),
    ],
)
def test_states_of_certificates(valid: str, fingerprint: str, state: str) -> None:
    assert tls._state({"valid": valid, tls._FINGERPRINT: fingerprint}, "A") == state


def test_a_node_without_one_says_so(ais: Ais, tmp_path: Path) -> None:
    for words in (["show"], ["load-certificate"], ["validate-certificates"]):
        assert "it has no certificate" in ais("tls", *words, code=1).stderr
