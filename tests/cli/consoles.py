"""The consoles of a page: each command is run, and has to show what the page shows."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

from tests.cli.conftest import environment
from tests.harness import ACCESS_KEY, REGION, SECRET_KEY, Node

DOCS = Path(__file__).parents[2] / "docs"


def aws_of(node: Node) -> dict[str, str]:
    """What a user of the aws CLI and boto3 would have set to use `node`."""
    return {
        "AWS_ENDPOINT_URL": node.root,
        "AWS_ACCESS_KEY_ID": ACCESS_KEY,
        "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_PAGER": "",
    }


def replay(page: Path, node: Node, directory: Path, **more: str) -> int:
    """Run the commands of a page in `directory`, with `more` in their environment; returns how
    many there are."""
    count = 0
    for command, shown in _sessions(page.read_text()):
        done = subprocess.run(
            ["bash", "-c", command],
            cwd=directory,
            env=environment(node, XDG_CONFIG_HOME=str(directory), **more),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=60,
            check=False,
        )
        assert _matches(shown, done.stdout), f"$ {command}\n{done.stdout}"
        count += 1
    return count


def write_samples(directory: Path) -> None:
    """The files that the pages put."""
    (directory / "README.md").write_bytes(b"r" * 10689)
    (directory / "images").mkdir()
    (directory / "images" / "cat.png").write_bytes(b"c" * 2048)
    (directory / "images" / "dog.png").write_bytes(b"d" * 1024)


def _sessions(text: str) -> Iterator[tuple[str, str]]:
    """Each command of the consoles, with the output shown below it."""
    for block in re.findall(r"^```console\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, _, output = part.partition("\n")
            while output.startswith("> "):  # the prompt of a command that goes on
                line, _, output = output[2:].partition("\n")
                command += f"\n{line}"
            yield command, output


def _matches(shown: str, real: str) -> bool:
    """Whether `real` is what is shown; `...` stands for anything within a line."""
    pattern = ".+?".join(re.escape(part) for part in shown.split("..."))
    return re.fullmatch(pattern, real) is not None
