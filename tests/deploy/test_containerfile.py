"""The container file: linted by hadolint, and a few promises that a linter does not know.

Building it needs registries, which tests do without.
"""

from __future__ import annotations

import re
import shlex
from typing import Final

from tests.deploy.tools import BIN, DEPLOY, ROOT, run

FILE: Final = DEPLOY / "Containerfile"


def instructions() -> list[tuple[str, str]]:
    """The instructions in their order, with their continued lines joined."""
    lines = [line for line in FILE.read_text().splitlines() if not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n", " ", "\n".join(lines))
    found = [line.partition(" ") for line in joined.splitlines() if line.strip()]
    return [(name, " ".join(rest.split())) for name, _, rest in found]


def last_stage() -> list[tuple[str, str]]:
    found = instructions()
    start = max(number for number, (name, _) in enumerate(found) if name == "FROM")
    return found[start:]


def test_hadolint_finds_nothing_to_complain_of() -> None:
    run(BIN / "hadolint", "--failure-threshold", "style", FILE)


def test_both_stages_start_from_one_base_whose_python_is_that_of_the_binding() -> None:
    """Debian 12: python3-rados is compiled for its interpreter."""
    arguments = dict(rest.split("=", 1) for name, rest in instructions() if name == "ARG")
    assert arguments["BASE"] == "debian:bookworm-slim"
    bases = [rest.split()[0] for name, rest in instructions() if name == "FROM"]
    assert bases == ["${BASE}"] * 2


def test_it_runs_as_nobody_in_particular() -> None:
    users = [rest for name, rest in last_stage() if name == "USER"]
    assert users == ["65532:65532"]
    after = [name for name, _ in last_stage()[[n for n, _ in last_stage()].index("USER") :]]
    assert "RUN" not in after


def test_the_binding_to_ceph_is_for_the_interpreter_that_runs() -> None:
    runs = " ".join(rest for name, rest in last_stage() if name == "RUN")
    assert {"python3", "python3-rados"} <= set(runs.split())
    venvs = [rest for name, rest in instructions() if name == "RUN" and "-m venv" in rest]
    assert len(venvs) == 1
    assert venvs[0].startswith("python3 -m venv /opt/aisle")  # Debian's, not one of /usr/local


def test_only_what_is_needed_is_copied() -> None:
    copied = [shlex.split(rest)[:-1] for name, rest in instructions() if name == "COPY"]
    names = [name for words in copied for name in words if not name.startswith("--")]
    assert names == [
        "constraints.txt", "pyproject.toml", "README.md", "LICENSE", "src", "/opt/aisle",
    ]  # fmt: skip
    assert all((ROOT / name).exists() for name in names if not name.startswith("/"))
    ignored = (DEPLOY / "Containerfile.dockerignore").read_text().splitlines()
    assert "*" in ignored
    assert {line[1:] for line in ignored if line.startswith("!")} == set(names) - {"/opt/aisle"}


def test_no_secret_is_in_it() -> None:
    assert not re.search(r"(?i)secret|password|token|_KEY", FILE.read_text())


def test_it_reaches_databases_buckets_and_remote_buckets() -> None:
    (installs,) = [rest for name, rest in instructions() if name == "RUN" and "pip install" in rest]
    (extras,) = re.findall(r"'\.\[([a-z0-9,]+)\]'", installs)
    assert {"postgres", "s3", "remote"} <= set(extras.split(","))
