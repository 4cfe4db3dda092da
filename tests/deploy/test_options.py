"""Every option that a file of `deploy/` or the page on it names is one that the node has, and the
values that they give are ones that it takes."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Final

import pytest

from aisle.node.options import CONFIG_ENV, load
from aisle.node.optiontable import OPTIONS
from tests.deploy.test_chart import VALUES, environment_of, pod_of, render
from tests.deploy.test_compose import GATEWAYS, SERVICES
from tests.deploy.test_systemd import environment as of_the_unit
from tests.deploy.tools import DEPLOY, ROOT

FILES: Final = sorted(path for path in DEPLOY.rglob("*") if path.is_file())
PAGE: Final = ROOT / "docs" / "scale-out.md"
# Of the compose file, not of the node.
OTHERS: Final = {"AISLE_IMAGE"}
KNOWN: Final = {option.env for option in OPTIONS} | {CONFIG_ENV} | OTHERS
SECRET: Final = "long-enough-for-a-key"


def accepted(environment: dict[str, Any]) -> None:
    """The node starts with these variables, as far as its options are concerned."""
    given = {
        name: value if isinstance(value, str) and value and "${" not in value else SECRET
        for name, value in environment.items()
        if name.startswith("AISLE_")
    }
    given = {name: value.replace("$(POD_NAME)", "pod-1") for name, value in given.items()}
    given = {name: value.replace("$(POD_IP)", "192.0.2.1") for name, value in given.items()}
    options = load([], given)
    assert options.auth_enabled


@pytest.mark.parametrize("path", [*FILES, PAGE], ids=lambda path: path.name)
def test_every_variable_is_an_option(path: Path) -> None:
    named = set(re.findall(r"\bAISLE_[A-Z0-9_]*[A-Z0-9]\b(?!_)", path.read_text()))
    assert named <= KNOWN


@pytest.mark.parametrize("path", [*FILES, PAGE], ids=lambda path: path.name)
def test_every_flag_of_aisnode_is_an_option(path: Path) -> None:
    flags = {option.flag for option in OPTIONS} | {"--help", "--version", "--config"}
    for line in path.read_text().splitlines():
        command = line.partition("aisnode --")
        if command[1]:
            assert set(re.findall(r"--[a-z-]+", "--" + command[2])) <= flags, line


def test_the_files_are_found() -> None:
    named = {path.name for path in FILES}
    assert {"compose.yaml", "aisnode.env", "deployment.yaml", "Containerfile"} <= named


@pytest.mark.parametrize("values", VALUES)
def test_the_node_takes_what_the_chart_gives(values: str) -> None:
    environment = environment_of(pod_of(render(values)))
    if values == "fixed":  # of IPv6 pods
        environment["AISLE_ADVERTISE"] = environment["AISLE_ADVERTISE"].replace(
            "$(POD_IP)", "2001:db8::1"
        )
    accepted(environment)


@pytest.mark.parametrize("gateway", GATEWAYS)
def test_the_node_takes_what_the_compose_file_gives(gateway: str) -> None:
    environment = dict(SERVICES[gateway]["environment"])
    environment["AISLE_BLOBS"] = "s3://bucket"
    accepted(environment | {"AISLE_HOST": "0.0.0.0"})


def test_the_node_takes_what_the_example_of_the_unit_gives() -> None:
    environment = {name: value or SECRET for name, value in of_the_unit().items()}
    accepted(environment)
