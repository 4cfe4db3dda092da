"""`python -m tests.fuzz TARGET [SECONDS]`: one target under atheris, guided by coverage.

What makes it fail is written to the current directory as `crash-*`, by libFuzzer's habit, and ends
the run with its traceback. `make fuzz TARGET=xml SECONDS=600` installs what this needs.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["aisle"]):
    from tests.fuzz.targets import TARGETS


def main() -> None:
    name, seconds = (*sys.argv[1:], "60")[:2]
    if name not in TARGETS:
        sys.exit(f"there is no target {name!r}: {', '.join(TARGETS)}")
    target = TARGETS[name]
    with tempfile.TemporaryDirectory() as corpus:
        for number, seed in enumerate(target.seeds):
            (Path(corpus) / f"seed-{number}").write_bytes(seed)
        atheris.Setup([sys.argv[0], f"-max_total_time={seconds}", corpus], target.run)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
