"""README, quick start and the native API's page hold: their consoles and Python run as written.

Each page is one shell session against a node of its own; only the port is another, and what
starts or stops a node is left to the fixture.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness import BIN, Node

ROOT = Path(__file__).parents[2]
PAGES = ("README.md", "docs/quickstart.md", "docs/native-api.md")
# Lines that are the fixture's work, or need a machine of several addresses.
SKIPPED = ("make ", "aisnode", "AISLE_ROOT_")


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[Node]:
    running = Node(tmp_path / "data", auth=False, workers=1).start()
    yield running
    assert running.stop() == 0, running.log_tail()


def blocks(page: str) -> Iterator[tuple[str, str]]:
    """The fenced blocks of a page: language and text."""
    yield from re.findall(
        r"^```(console|python|ini)\n(.*?)^```$", (ROOT / page).read_text(), re.MULTILINE | re.DOTALL
    )


def commands(text: str) -> Iterator[str]:
    """The commands of a console block, continued lines joined."""
    for part in re.split(r"^\$ ", text.replace("\\\n", " "), flags=re.MULTILINE)[1:]:
        command = part.splitlines()[0]
        if not any(word in command for word in SKIPPED):
            yield command


@pytest.mark.parametrize("page", PAGES)
def test_a_page_runs_as_written(page: str, fresh: Node, tmp_path: Path) -> None:
    work = tmp_path / "work"
    work.mkdir()
    (work / "README.md").write_bytes((ROOT / "README.md").read_bytes())
    (work / "large.bin").write_bytes(os.urandom(12 << 20))
    (work / "docs").mkdir()
    (work / "docs" / "index.md").write_text("# index\n")
    script = ["set -euo pipefail"]
    for number, (language, text) in enumerate(blocks(page)):
        if language == "console":
            script += commands(text)
        elif language == "ini":
            (work / ".s3cfg").write_text("[default]\n" + text.replace(":8080", f":{fresh.port}"))
        else:
            file = work / f"{number}.py"
            file.write_text(text.replace(":8080", f":{fresh.port}"))
            script.append(f"{sys.executable} {file}")
    assert len(script) > 1
    done = subprocess.run(
        ["bash", "-c", "\n".join(script).replace(":8080", f":{fresh.port}")],
        cwd=work,
        env={
            "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
            "HOME": str(work),
            "AIS_ENDPOINT": fresh.root,
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=180,
        check=False,
    )
    assert done.returncode == 0, done.stdout
