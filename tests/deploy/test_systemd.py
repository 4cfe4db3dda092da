"""The systemd unit: verified by systemd's own tool, which also rates how exposed it is."""

from __future__ import annotations

import configparser
from pathlib import Path
from typing import Final

from aisle.core.units import parse_duration
from tests.deploy.tools import DEPLOY, program, run

UNIT: Final = DEPLOY / "systemd" / "aisnode.service"
ENVIRONMENT: Final = DEPLOY / "systemd" / "aisnode.env"


class _Unit(configparser.RawConfigParser):
    def optionxform(self, optionstr: str) -> str:
        return optionstr


def service() -> dict[str, str]:
    parser = _Unit(strict=True)
    parser.read_string(UNIT.read_text())
    return dict(parser["Service"])


def environment() -> dict[str, str]:
    lines = ENVIRONMENT.read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def test_systemd_finds_nothing_to_complain_of(tmp_path: Path) -> None:
    # The program has to be there, and everything else stays as it ships.
    there = tmp_path / "aisnode"
    there.write_text("#!/bin/sh\n")
    there.chmod(0o755)
    start = f"ExecStart={service()['ExecStart']}\n"
    assert start in UNIT.read_text()
    unit = tmp_path / UNIT.name
    unit.write_text(UNIT.read_text().replace(start, f"ExecStart={there}\n"))
    done = run(program("systemd-analyze"), "verify", "--man=no", unit)
    assert done.stderr == ""


def test_systemd_notices_a_mistake(tmp_path: Path) -> None:
    unit = tmp_path / UNIT.name
    unit.write_text(UNIT.read_text().replace("ProtectSystem=strict", "ProtectSystem=strikt"))
    done = run(program("systemd-analyze"), "verify", "--man=no", unit, code=1)
    assert "strikt" in done.stderr


def test_it_is_hardened() -> None:
    run(program("systemd-analyze"), "security", "--offline=true", "--threshold=20", UNIT)


def test_the_user_it_runs_as_is_made() -> None:
    users = DEPLOY / "systemd" / "aisle.sysusers.conf"
    done = run(program("systemd-sysusers"), "--dry-run", users)
    assert done.stderr == "" or "Creating user" in done.stderr
    line = next(line for line in users.read_text().splitlines() if line.startswith("u "))
    assert line.split()[1] == service()["User"] == service()["Group"]


def test_its_directory_is_the_one_systemd_makes() -> None:
    assert service()["Environment"] == f"AISLE_DATA=/var/lib/{service()['StateDirectory']}"
    assert "AISLE_DATA" not in environment()


def test_it_is_given_the_time_to_drain() -> None:
    allowed = parse_duration(service()["TimeoutStopSec"])
    assert allowed > parse_duration(environment()["AISLE_STOP_TIMEOUT"])
    assert service()["KillMode"] == "mixed"


def test_the_example_has_no_secret_and_the_unit_takes_it_from_there() -> None:
    assert service()["EnvironmentFile"] == "/etc/aisle/aisnode.env"
    for name, value in environment().items():
        if name.endswith(("_ACCESS_KEY", "_SECRET_KEY", "PASSWORD")):
            assert value == "", name
