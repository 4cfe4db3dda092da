"""The documentation keeps up with the code."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

from aisle.core import settings
from aisle.node.optiontable import OPTIONS
from aisle.node.providers import PROVIDERS

ROOT = Path(__file__).parents[1]


def test_generated_pages_are_up_to_date() -> None:
    command = [sys.executable, "scripts/reference.py", "--check"]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr


def test_every_option_and_setting_is_on_the_page() -> None:
    page = (ROOT / "docs" / "reference" / "settings.md").read_text()
    for option in OPTIONS:
        assert f"| `{option.env}` |" in page
    for row in settings.SETTINGS.values():
        assert f"| `{row.name}` |" in page
        assert row.help in page


def test_every_make_target_that_the_documents_name_exists() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    documents = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
    for document in documents:
        for target in re.findall(r"`make ([a-z]+)", document.read_text()):
            assert target in targets, f"{document.name}: make {target}"


def test_make_run_installs_what_every_provider_needs() -> None:
    """docs/remote-buckets.md promises it."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    (remote,) = project["optional-dependencies"]["remote"]
    needed = {extra for _, _, extra in PROVIDERS.values() if extra}
    assert {f"aisle[{name}]" for name in remote[len("aisle[") : -1].split(",")} == needed
    assert "$(INSTALL) -e '.[remote]'" in (ROOT / "Makefile").read_text()
