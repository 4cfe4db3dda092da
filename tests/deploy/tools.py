"""The tools that judge what is in `deploy/`, and its YAML."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import yaml

ROOT: Final = Path(__file__).parents[2]
DEPLOY: Final = ROOT / "deploy"
CHART: Final = DEPLOY / "helm" / "aisle"
BIN: Final = Path(sys.executable).parent


def run(
    *words: str | Path, code: int = 0, environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a tool, which has to end with `code`."""
    done = subprocess.run(
        [str(word) for word in words],
        capture_output=True,
        text=True,
        check=False,
        env=None if environment is None else {**os.environ, **environment},
    )
    assert done.returncode == code, f"{words[0]}: {done.stdout}\n{done.stderr}"
    return done


def program(name: str, *places: str | Path) -> str:
    """Where a tool is that `scripts/deploy-tools` or `scripts/services` provides."""
    found = shutil.which(name) or next((str(p) for p in places if Path(p).exists()), None)
    assert found, f"{name} is not installed: run scripts/deploy-tools and scripts/services"
    return found


def helm(*words: str | Path, code: int = 0) -> subprocess.CompletedProcess[str]:
    """Run Helm, without the user's settings and without a cluster."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "aisle"
    built = program("helm", *sorted(cache.glob("helm-v*"), reverse=True))
    nowhere = {"KUBECONFIG": os.devnull, "HELM_NO_PLUGINS": "1"}
    return run(built, *words, code=code, environment=nowhere)


def documents(text: str) -> list[dict[str, Any]]:
    """The documents of a YAML stream, empty ones apart."""
    return [document for document in yaml.safe_load_all(text) if document]


def load(path: Path) -> Any:
    return yaml.safe_load(path.read_text())
