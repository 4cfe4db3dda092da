"""What the sources themselves have to show."""

from __future__ import annotations

import ast
import re
from pathlib import Path

SOURCE = Path(__file__).parents[2] / "src" / "aisle"
# Names under which proofs and secrets go where they are checked.
PROOFS = re.compile(r"(proof|computed|signature|secret|token|password|mark)$")
# Two session tokens of one request, and what a token says whose signature was right.
HARMLESS = {("sigv4.py", "token"), ("principals.py", "mark")}


def test_proofs_are_compared_in_constant_time() -> None:
    """In `auth` and in the store of users nothing secret is compared with `==`."""
    for path in [*SOURCE.glob("auth/*.py"), *SOURCE.glob("namespace/users/*.py")]:
        for node in ast.walk(ast.parse(path.read_text())):
            if not (isinstance(node, ast.Compare) and isinstance(node.ops[0], ast.Eq | ast.NotEq)):
                continue
            sides = [node.left, *node.comparators]
            names = {
                side.attr if isinstance(side, ast.Attribute) else side.id
                for side in sides
                if isinstance(side, ast.Attribute | ast.Name)
            }
            for name in names:
                assert not PROOFS.search(name) or (path.name, name) in HARMLESS, (
                    f"{path.name}:{node.lineno} compares {name}"
                )
