"""Running the tools of others against a node, with a home directory of their own.

Nothing of the caller's environment that could configure a tool reaches it.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sysconfig
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests import warm
from tests.harness import ACCESS_KEY, REGION, SECRET_KEY, Node

MIB = 1 << 20


@dataclass
class Shell:
    """A home directory, the environment and the way to run a command in it."""

    home: Path
    environment: dict[str, str] = field(default_factory=dict)

    def run(
        self, *command: str | Path, check: bool = True, stdin: str = "", timeout: float = 120
    ) -> subprocess.CompletedProcess[str]:
        """Run a command of this environment (or of the system) and return what it printed."""
        done = subprocess.run(
            [str(part) for part in command],
            cwd=self.home,
            env={
                "PATH": warm.path(),
                "HOME": str(self.home),
                "LANG": "C.UTF-8",
                "TZ": "UTC",
                **self.environment,
            },
            input=stdin,
            capture_output=True,
            text=True,
            timeout=timeout,
        )
        if check:
            assert done.returncode == 0, (
                f"{command}\nexit {done.returncode}\n{done.stdout}\n{done.stderr}"
            )
        return done

    def file(self, name: str, data: bytes) -> Path:
        """Make a file below the home directory."""
        path = self.home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        return path


def credentials(node: Node) -> tuple[str, str]:
    """The root keys where authorisation is on, and the fake ones of the seeds where it is off."""
    return (ACCESS_KEY, SECRET_KEY) if node.auth else ("FAKEKEY", "FAKESECRET")


def aws_environment(node: Node) -> dict[str, str]:
    access, secret = credentials(node)
    return {
        "AWS_ACCESS_KEY_ID": access,
        "AWS_SECRET_ACCESS_KEY": secret,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_PAGER": "",
    }


def rclone_environment(node: Node) -> dict[str, str]:
    """The remote `ais:` of rclone, told by variables alone."""
    access, secret = credentials(node)
    settings = {
        "TYPE": "s3",
        "PROVIDER": "Other",
        "ACCESS_KEY_ID": access,
        "SECRET_ACCESS_KEY": secret,
        "ENDPOINT": node.endpoint,
        "REGION": REGION,
        "FORCE_PATH_STYLE": "true",
    }
    return {f"RCLONE_CONFIG_AIS_{name}": value for name, value in settings.items()}


def digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def tree_digests(root: Path) -> Mapping[str, str]:
    """Path and digest of every file below `root`."""
    return {
        str(path.relative_to(root)): digest(path)
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }


def copy_standard_library(target: Path, *, atleast: int) -> int:
    """Copy the running interpreter's library, a tree of real files, and return their number."""
    shutil.copytree(
        sysconfig.get_path("stdlib"),
        target,
        ignore=shutil.ignore_patterns("__pycache__", "site-packages", "*.a", "*.so"),
        symlinks=False,
    )
    only = sum(path.is_file() for path in target.rglob("*"))
    again = -(-atleast // only) - 1  # a distribution's own is without its tests
    for number in range(again):
        ignored = shutil.ignore_patterns("again-*")
        shutil.copytree(target, target / f"again-{number}", ignore=ignored)
    return only * (again + 1)
