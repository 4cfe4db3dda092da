"""scripts/find-python: which Python a fresh clone makes its environment with."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

FIND = Path(__file__).parents[2] / "scripts" / "find-python"


def find(**environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [FIND],
        env={"PATH": os.environ["PATH"], **environ},
        capture_output=True,
        text=True,
        check=False,
    )


def test_it_has_a_version_that_aisle_runs_on_and_can_make_environments() -> None:
    found = find()
    check = "import ensurepip, sys, venv; print(sys.version_info >= (3, 11))"
    told = subprocess.run(
        [found.stdout.strip(), "-c", check], capture_output=True, text=True, check=True
    )
    assert told.stdout == "True\n"


def test_whoever_names_one_gets_it() -> None:
    assert find(PYTHON=sys.executable).stdout.strip() == sys.executable


def test_one_that_is_too_old_is_refused_in_one_line(tmp_path: Path) -> None:
    old = tmp_path / "python3"
    old.write_text("#!/bin/sh\nexit 1\n")
    old.chmod(0o755)
    found = find(PYTHON=str(old))
    assert (found.returncode, found.stdout) == (1, "")
    assert found.stderr.startswith("aisle needs Python 3.11 or later")
    assert found.stderr.count("\n") == 1
