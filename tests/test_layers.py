"""Imports point down: the rules of ARCHITECTURE.md, held over every file of `src/aisle`.

A layer may import itself and what its row of `MAY_IMPORT` names, nothing else. No import hides in
a function, and `core` stands on the standard library, msgspec and awscrt alone.
"""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "src"

# Modules by longest prefix; an engine or provider is whatever else lies beside its port.
LAYERS = {
    "aisle": "root",
    "aisle.core": "core",
    "aisle.auth": "auth",
    "aisle.outgoing": "outgoing",
    "aisle.store": "engines",
    "aisle.store.base": "store.base",
    "aisle.backend": "providers",
    "aisle.backend.base": "backend.base",
    "aisle.targets": "targets",
    "aisle.targets.base": "targets.base",
    "aisle.query": "query",
    "aisle.namespace": "namespace",
    "aisle.jobs": "jobs",
    "aisle.api": "api",
    "aisle.api.base": "api.base",
    "aisle.api.access": "api.base",
    "aisle.api.conditions": "api.base",
    "aisle.api.limits": "api.base",
    "aisle.api.s3": "api.s3",
    "aisle.api.native": "api.native",
    "aisle.api.iam": "api.iam",
    "aisle.web": "web",
    "aisle.app": "app",
    "aisle.node": "node",
    "aisle.client": "client",
    "aisle.cli": "cli",
}
PORTS = {"store.base", "backend.base"}
BELOW_JOBS = {"core", "auth", "namespace", "targets.base"} | PORTS
BELOW_DIALECTS = BELOW_JOBS | {"jobs", "query", "api.base"}
DIALECTS = {"api.s3", "api.native", "api.iam", "web"}
MAY_IMPORT: dict[str, set[str]] = {
    "root": set(),
    "core": set(),
    "auth": {"core"},
    "outgoing": {"core"},
    "store.base": {"core"},
    "backend.base": {"core"},
    "engines": {"core", "outgoing", "store.base"},
    "providers": {"core", "auth", "outgoing", "backend.base"},
    "targets.base": {"core"},
    "targets": {"core", "outgoing", "targets.base"},
    "query": {"core"},
    "namespace": {"core", "auth"} | PORTS,
    "jobs": BELOW_JOBS,
    "api": set(),
    "api.base": BELOW_JOBS | {"jobs", "query"},
    **dict.fromkeys(DIALECTS, BELOW_DIALECTS),
    "app": BELOW_DIALECTS | DIALECTS,
    "node": BELOW_DIALECTS | DIALECTS | {"app", "engines", "providers", "targets"},
    "client": {"core"},
    "cli": {"core", "client"},
}
CORE_STANDS_ON = set(sys.stdlib_module_names) | {"aisle", "msgspec", "awscrt"}


def layer_of(module: str) -> str:
    while module not in LAYERS:
        module, dot, _ = module.rpartition(".")
        assert dot, "not a module of aisle"
    return LAYERS[module]


def imports_of(tree: ast.AST, module: str, is_package: bool) -> Iterator[tuple[int, str]]:
    """Line and absolute name of everything imported, `from a import b` as `a.b`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parts = module.split(".")
                kept = len(parts) - node.level + is_package
                base = ".".join(parts[:kept] + ([node.module] if node.module else []))
            for alias in node.names:
                yield node.lineno, f"{base}.{alias.name}"


def violations(source: str, module: str, is_package: bool = False) -> list[str]:
    """Every forbidden import of one file, as a sentence each."""
    tree = ast.parse(source)
    layer = layer_of(module)
    allowed = MAY_IMPORT[layer] | {layer, "root"}
    found = []
    for line, name in imports_of(tree, module, is_package):
        top = name.partition(".")[0]
        if top == "aisle" and layer_of(name) not in allowed:
            found.append(f"{module}:{line}: {layer} must not import {layer_of(name)} ({name})")
        if layer == "core" and top not in CORE_STANDS_ON:
            found.append(f"{module}:{line}: core must not import {top}")
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            found += [
                f"{module}:{inner.lineno}: import inside a function"
                for inner in ast.walk(node)
                if isinstance(inner, ast.Import | ast.ImportFrom)
            ]
    return found


FILES = sorted(SOURCE.rglob("*.py"))


@pytest.mark.parametrize("path", FILES, ids=[str(path.relative_to(SOURCE)) for path in FILES])
def test_imports_point_down(path: Path) -> None:
    parts = path.relative_to(SOURCE).with_suffix("").parts
    is_package = parts[-1] == "__init__"
    module = ".".join(parts[:-1] if is_package else parts)
    assert violations(path.read_text(), module, is_package) == []


@pytest.mark.parametrize(
    ("module", "source", "problem"),
    [
        ("aisle.core.names", "from aisle.namespace import buckets", "core must not import name"),
        ("aisle.core.names", "import requests", "core must not import requests"),
        ("aisle.auth.sigv4", "import aisle.store.base", "auth must not import store.base"),
        ("aisle.store.base", "from aisle.store.sqlite import x", "must not import engines"),
        ("aisle.store.base", "from .sqlite import x", "must not import engines"),
        ("aisle.namespace.objects", "from aisle.store import sqlite", "must not import engines"),
        ("aisle.namespace.objects", "from aisle.api.base import x", "must not import api.base"),
        ("aisle.namespace.objects", "from ..backend.s3 import x", "must not import providers"),
        ("aisle.api.s3.objects", "from aisle.api.native import x", "must not import api.native"),
        ("aisle.api.native.objects", "from aisle.api import s3", "must not import api.s3"),
        ("aisle.web.files", "from aisle.api.s3 import xml", "must not import api.s3"),
        ("aisle.api.s3.xml", "from aisle.app.asgi import x", "must not import app"),
        ("aisle.app.asgi", "from aisle.store.files import x", "must not import engines"),
        ("aisle.app.asgi", "from aisle.node.options import x", "must not import node"),
        ("aisle.cli.main", "from aisle.auth import sigv4", "cli must not import auth"),
        ("aisle.client.http", "from aisle.node import options", "client must not import node"),
        ("aisle.store.sqlite", "from aisle.namespace import x", "engines must not import name"),
        (
            "aisle.core.names",
            "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import aisle.app",
            "core must not import app",
        ),
        ("aisle.node.main", "def f():\n    import os", "import inside a function"),
        ("aisle.node.main", "class A:\n    async def f(self):\n        import os", "inside a func"),
    ],
)
def test_a_forbidden_import_is_found(module: str, source: str, problem: str) -> None:
    found = violations(source, module)
    assert len(found) == 1
    assert problem in found[0]


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("aisle.node.compose", "from aisle.store import sqlite, base\nfrom aisle.app import asgi"),
        ("aisle.node.options", "from aisle import __version__"),
        ("aisle.api.s3.objects", "from aisle.api.base import Response\nfrom . import xml"),
        ("aisle.store.sqlite", "from aisle.store.base import Index\nimport sqlite3"),
        ("aisle.core.settings", "import msgspec\nfrom awscrt import checksums\nimport re"),
        ("aisle.cli.main", "from aisle.core.names import x\nfrom . import tables"),
    ],
)
def test_an_import_that_points_down_is_fine(module: str, source: str) -> None:
    assert violations(source, module) == []


def test_the_rules_have_no_circle() -> None:
    def below(layer: str, seen: tuple[str, ...] = ()) -> None:
        assert layer not in seen, seen
        for other in MAY_IMPORT[layer]:
            below(other, (*seen, layer))

    for layer in LAYERS.values():
        below(layer)
