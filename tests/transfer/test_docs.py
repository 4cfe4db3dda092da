"""The page on moving a store holds: its consoles run as written, and show what they show."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from pathlib import Path

from tests.cluster.deployments import Deployment
from tests.harness import BIN, Node

PAGE = Path(__file__).parents[2] / "docs" / "moving.md"
ENGINES = "--index postgresql://aisle@db/aisle --blobs rados://aisle?conf=/etc/ceph/ceph.conf"
OLD = ("admin", "old-secret")


def consoles() -> tuple[list[str], list[str]]:
    """The commands of the page, and the output that it shows."""
    text = PAGE.read_text()
    lines = "\n".join(re.findall(r"^```console\n(.*?)^```$", text, re.MULTILINE | re.DOTALL))
    commands = [line[2:] for line in lines.splitlines() if line.startswith("$ ")]
    shown = [line for line in lines.splitlines() if line and not line.startswith("$ ")]
    return commands, shown


def test_the_page_runs_as_written(tmp_path: Path) -> None:
    commands, shown = consoles()
    assert len(commands) > 6
    assert len(shown) == 3
    for name in ("srv", "backup", "engines"):
        (tmp_path / name).mkdir()
    stopped = Node(tmp_path / "srv" / "aisle", auth=False, workers=1).start()
    client = stopped.client()
    client.create_bucket(Bucket="demo")
    client.put_object(Bucket="demo", Key="hello", Body=b"hello")
    stopped.stop()
    keys = dict(zip(("AISLE_ROOT_ACCESS_KEY", "AISLE_ROOT_SECRET_KEY"), OLD, strict=True))
    old = Node(tmp_path / "old", workers=1, environment=keys).start()
    deployment = Deployment("postgres+s3", tmp_path / "engines")
    try:
        client = old.client(access_key=OLD[0], secret_key=OLD[1])
        client.create_bucket(Bucket="other")
        client.put_object(Bucket="other", Key="hello", Body=b"hello again")
        engines = deployment.engines()
        script = "\n".join(["set -euo pipefail", *commands])
        for written, here in (
            (ENGINES, shlex.join(engines.options)),
            ("/srv/", f"{tmp_path}/srv/"),
            ("/backup/", f"{tmp_path}/backup/"),
            ("http://old:8080", old.root),
        ):
            assert written in script
            script = script.replace(written, here)
        environment = {
            "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
            "HOME": str(tmp_path),
            **engines.environment,
        }
        done = subprocess.run(
            ["bash", "-c", script],
            cwd=tmp_path,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=180,
            check=False,
        )
    finally:
        old.kill()
        deployment.close()
    assert done.returncode == 0, done.stdout
    for line in shown:
        assert line in done.stdout.splitlines()
