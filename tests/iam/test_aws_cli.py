"""The commands of docs/iam.md, run as they are written, by the aws CLI and by Python.

All commands of the CLI run in one process of their own, which understands as much of a shell as
they need: most of what a command costs is reading the models of the services.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable
from pathlib import Path

from tests.clients.tools import Shell
from tests.harness import REGION
from tests.people import Person, make_role, new_user

PAGE = (Path(__file__).parents[2] / "docs" / "iam.md").read_text()

DRIVER = """
import contextlib, io, os, re, shlex, sys
from awscli.clidriver import create_clidriver

aws = create_clidriver()

def run(command):
    words = [os.path.expandvars(word) for word in shlex.split(command)]
    assert words.pop(0) == "aws", command
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        code = aws.main(words)
    assert code == 0, command
    return said.getvalue()

for line in sys.stdin.read().replace("\\\\\\n", "").splitlines():
    assigned = re.fullmatch(r"(?:export )?([A-Z_]+)=(?:\\$\\((.*)\\)|(.*))", line)
    if assigned is None:
        print(run(line))
    else:
        name, command, text = assigned.groups()
        os.environ[name] = run(command).strip() if command else text
"""


def blocks(kind: str) -> list[str]:
    """The code blocks of one kind on the page."""
    return re.findall(rf"^```{kind}[^\n]*\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


def test_the_page_is_right(root: Person, tmp_path: Path, fresh: Callable[[str], str]) -> None:
    make_role(root, "analysts", clusters=[{"perm": "1"}])
    owner = new_user(root.node, fresh("owner"), roles=("analysts",))
    keys = {
        "AWS_ACCESS_KEY_ID": owner.access_key,
        "AWS_SECRET_ACCESS_KEY": owner.secret_key,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ENDPOINT_URL": owner.node.root,
        "PYTHONPATH": os.pathsep.join(sys.path),
    }
    shell = Shell(tmp_path, keys)
    shell.file("reports.json", blocks("json")[0].encode())
    script = "".join(re.sub(r"^\$ ", "", block, flags=re.MULTILINE) for block in blocks("console"))
    script = script.replace("http://localhost:8080", owner.node.root)
    said = shell.run(sys.executable, "-c", DRIVER, stdin=script).stdout
    for part in (
        f":user/{owner.name}",
        '"UserName": "reporter"',
        '"SecretAccessKey"',
        "${aws:username}",
        '"ServiceName": "N/A"',
        '"SessionToken"',
        ":assumed-role/analysts/monday",
    ):
        assert part in said
    shell.file("page.py", blocks("python")[0].encode())
    assert shell.run(sys.executable, "page.py").stdout == "[]\n"


def test_the_aws_command_itself_asks_who_it_is(root: Person, tmp_path: Path) -> None:
    keys = {
        "AWS_ACCESS_KEY_ID": root.access_key,
        "AWS_SECRET_ACCESS_KEY": root.secret_key,
        "AWS_DEFAULT_REGION": REGION,
    }
    command = ("aws", "sts", "get-caller-identity", "--endpoint-url", root.node.endpoint)
    said = Shell(tmp_path, keys).run(*command, "--query", "Arn", "--output", "text").stdout
    assert said == "arn:aws:iam::000000000000:root\n"
