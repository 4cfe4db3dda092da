"""What `ais` imports before it does anything: the list is bounded, since time cannot be tested.

A module that is missing here was left out on purpose: it takes longer to load than most commands
take to run. `scripts/startup.py` has the times.
"""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.cli.conftest import environment

# Never before a command has a use for it.
HEAVY = {
    "_awscrt",
    "asyncio",
    "awscrt",
    "concurrent",
    "difflib",
    "importlib.metadata",
    "logging",
    "lz4",
    "mimetypes",
    "msgspec",
    "pathlib",
    "subprocess",
    "tarfile",
    "tempfile",
    "tqdm",
    "unittest",
    "xml",
    "zipfile",
}
HELP_NEEDS = {
    "aisle",
    "aisle.cli",
    "aisle.cli.command",
    "aisle.cli.commands",
    "aisle.cli.failure",
    "aisle.cli.help",
    "aisle.cli.main",
    "aisle.cli.notes",
    "aisle.cli.preferences",
    "aisle.cli.table",
    "aisle.cli.table.auth",
    "aisle.cli.table.buckets",
    "aisle.cli.table.cluster",
    "aisle.cli.table.itself",
    "aisle.cli.table.objects",
    "aisle.cli.table.work",
    "aisle.cli.uri",
    "aisle.cli.words",
    "aisle.client",
    "aisle.client.environment",
    "aisle.client.errors",
}


def loaded(*words: str) -> set[str]:
    """The modules that a command has imported when it ends."""
    code = (
        "import sys; from aisle.cli.main import main\n"
        "try: main(sys.argv[1:])\n"
        "except SystemExit: pass\n"
        "print(*sys.modules, file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *words],
        env=environment(None),
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return set(done.stderr.splitlines()[-1].split())


def ours(modules: set[str]) -> set[str]:
    return {name for name in modules if name.partition(".")[0] == "aisle"}


@pytest.mark.parametrize("words", [["--help"], ["bucket"], ["--version"], ["bucket", "--help"]])
def test_help_needs_next_to_nothing(words: list[str]) -> None:
    modules = loaded(*words)
    assert ours(modules) == HELP_NEEDS
    assert not modules & (HEAVY | {"argparse", "http.client", "ssl", "hashlib", "dataclasses"})


@pytest.mark.parametrize(
    "words", [["ls"], ["ls", "ais://none"], ["show", "cluster"], ["bucket", "show", "ais://none"]]
)
def test_a_command_imports_what_it_needs(words: list[str]) -> None:
    modules = loaded(*words, "--endpoint", "http://127.0.0.1:1")
    assert "aisle.client.client" in modules
    assert not modules & HEAVY
    others = {"put", "get", "transfer", "progress", "objects", "alias", "search", "complete"}
    assert not modules & {f"aisle.cli.{name}" for name in others}
    if words[0] == "ls":
        assert "aisle.core.settings" not in modules


@pytest.mark.parametrize("words", [["put", "none", "ais://none"], ["get", "ais://none/x", "-"]])
def test_a_transfer_imports_no_more_than_it_must(words: list[str]) -> None:
    modules = loaded(*words, "--endpoint", "http://127.0.0.1:1")
    assert not modules & (HEAVY - {"mimetypes"})


@pytest.mark.parametrize("name", ["completion", "put", "get", "search", "config cli set"])
def test_help_of_a_command_needs_no_client(name: str) -> None:
    modules = loaded(*name.split(), "--help")
    assert not modules & ((HEAVY - {"mimetypes"}) | {"http.client", "ssl"})
