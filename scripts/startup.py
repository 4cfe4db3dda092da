"""How long `ais` takes to start: `python scripts/startup.py [ROUNDS]`.

Prints the median and the best of each command, run against a node of its own, beside an interpreter
that does nothing; then what takes longest to import for `ais ls`. The budget is 150 ms.
"""

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from tests.cli.conftest import environment  # noqa: E402  # needs the path above
from tests.harness import BIN, Node  # noqa: E402

BUDGET = 150
COMMANDS = {
    "python -c pass": [sys.executable, "-c", "pass"],
    "ais --help": [str(BIN / "ais"), "--help"],
    "ais put --help": [str(BIN / "ais"), "put", "--help"],
    "ais ls": [str(BIN / "ais"), "ls"],
    "ais ls ais://b": [str(BIN / "ais"), "ls", "ais://b"],
}


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 20
    with tempfile.TemporaryDirectory() as directory:
        node = Node(Path(directory) / "data", auth=False, workers=1).start()
        try:
            env = environment(node)
            subprocess.run(
                [str(BIN / "ais"), "create", "ais://b"],
                env=env,
                check=True,
                stdout=subprocess.DEVNULL,
            )
            print(f"{'':16}{'median':>8}{'best':>8}   ms, {rounds} rounds, budget {BUDGET}")
            for name, command in COMMANDS.items():
                times = [once(command, env) for _ in range(rounds)]
                print(f"{name:16}{statistics.median(times):8.0f}{min(times):8.0f}")
            print("\nslowest imports of ais ls, in ms with what they import themselves:")
            for line in imports(COMMANDS["ais ls"], env)[:12]:
                print(line)
        finally:
            node.stop()


def once(command: list[str], env: dict[str, str]) -> float:
    """Milliseconds that a command takes."""
    begun = time.perf_counter()
    subprocess.run(command, env=env, check=True, stdout=subprocess.DEVNULL)
    return (time.perf_counter() - begun) * 1000


def imports(command: list[str], env: dict[str, str]) -> list[str]:
    """What was imported, the slowest first, as `python -X importtime` measures it."""
    timed = [sys.executable, "-X", "importtime", *command]
    done = subprocess.run(timed, env=env, check=True, capture_output=True, text=True)
    rows = []
    for line in done.stderr.splitlines():
        _, _, rest = line.partition("import time:")
        _, total, name = [*rest.split("|"), "", ""][:3]
        if total.strip().isdecimal():
            rows.append((int(total), name.strip()))
    return [f"{total / 1000:8.1f}  {name}" for total, name in sorted(rows, reverse=True)]


if __name__ == "__main__":
    main()
