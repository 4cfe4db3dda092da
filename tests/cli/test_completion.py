"""Completion: what `ais __complete` offers, and the scripts in the shells that they are for."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from pathlib import Path

import pytest

from aisle.cli.completion import SCRIPTS
from tests.cli.conftest import Ais, environment
from tests.harness import Node, free_port


def offered(ais: Ais, *words: str, env: dict[str, str] | None = None) -> list[str]:
    done = ais("__complete", *words, env=env)
    assert done.stderr == ""
    return done.stdout.splitlines()


def test_commands_are_offered(ais: Ais) -> None:
    assert offered(ais, "buck") == ["bucket"]
    assert {"ls", "put", "bucket", "help"} <= set(offered(ais, ""))
    assert offered(ais, "bucket", "props", "s") == ["set", "show"]
    assert offered(ais, "nonsense", "") == []
    assert offered(ais, "--en") == ["--endpoint"]


def test_options_and_their_choices_are_offered(ais: Ais) -> None:
    assert offered(ais, "put", "--num") == ["--num-workers"]
    assert "--help" in offered(ais, "ls", "-")
    assert offered(ais, "put", "--units", "") == ["iec", "si", "raw"]
    assert offered(ais, "put", "--units=s") == ["--units=si"]
    assert offered(ais, "completion", "") == ["bash", "zsh", "fish"]


def test_aliases_are_offered_and_followed(ais: Ais, tmp_path: Path) -> None:
    kept = {"XDG_CONFIG_HOME": str(tmp_path)}
    ais("alias", "set", "mine", "bucket", "props", env=kept)
    assert offered(ais, "mi", env=kept) == ["mine"]
    assert offered(ais, "mine", "re", env=kept) == ["reset"]


def test_buckets_and_objects_are_offered(ais: Ais, bck: str) -> None:
    ais("create", "ais://abd")
    for name in ("dir/a", "dir/b c", "dog"):
        ais("put", "-", f"{bck}/{name}", input="x")
    assert offered(ais, "ls", "") == ["ais://abc/", "ais://abd/"]
    assert offered(ais, "ls", "ais://abc") == ["ais://abc/"]
    assert offered(ais, "ls", "s3://") == []
    assert offered(ais, "get", f"{bck}/") == [f"{bck}/dir/", f"{bck}/dog"]
    assert offered(ais, "get", f"{bck}/dir/") == [f"{bck}/dir/a", f"{bck}/dir/b c"]
    assert offered(ais, "get", f"{bck}/do") == [f"{bck}/dog"]
    assert offered(ais, "get", "ais://none/") == []


def test_files_are_left_to_the_shell(ais: Ais) -> None:
    assert offered(ais, "put", "") == ["__files__"]
    assert offered(ais, "get", "ais://abc/x", "") == ["__files__"]
    assert offered(ais, "put", "--list", "") == ["__files__"]
    assert offered(ais, "put", "--prefix", "x", "-r", "") == ["__files__"]


def test_nobody_there_is_no_error(ais: Ais) -> None:
    nowhere = f"http://127.0.0.1:{free_port()}"
    assert offered(ais, "ls", "", env={"AIS_ENDPOINT": nowhere}) == []
    assert offered(ais, "--endpoint", nowhere, "ls", "") == []
    assert offered(ais, "ls", "", env={"AIS_ENDPOINT": "nonsense://"}) == []


def test_a_node_that_says_nothing_is_not_waited_for_long(ais: Ais) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        begun = time.monotonic()
        assert offered(ais, "ls", "", env={"AIS_ENDPOINT": f"127.0.0.1:{port}"}) == []
        assert time.monotonic() - begun < 30  # far below what a request may take


def bash(own: Node, line: str, cwd: Path) -> list[str]:
    """What bash would offer after `line`, with the script sourced."""
    code = (
        "source <(ais completion bash)\n"
        'COMP_LINE="$1"; COMP_POINT=${#1}; _ais_complete\n'
        'printf "%s|\\n" "${COMPREPLY[@]}"\n'
        "complete -p ais\n"
    )
    done = subprocess.run(
        ["bash", "--norc", "-c", code, "bash", line],
        env=environment(own),
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stderr == ""
    *found, registered = done.stdout.splitlines()
    assert "-F _ais_complete ais" in registered
    return [] if found == ["|"] else found


def test_bash_completes(ais: Ais, bck: str, own: Node, tmp_path: Path) -> None:
    ais("put", "-", f"{bck}/dir/a", input="x")
    ais("put", "-", f"{bck}/dog", input="x")
    assert bash(own, "ais buck", tmp_path) == ["bucket |"]
    assert bash(own, "ais bucket props s", tmp_path) == ["set |", "show |"]
    # Bash breaks words at colons: it replaces only what follows the last one.
    assert bash(own, "ais ls ais:", tmp_path) == ["//abc/|"]
    assert bash(own, "ais ls ais://abc/d", tmp_path) == ["//abc/dir/|", "//abc/dog |"]
    assert bash(own, "ais put --units=s", tmp_path) == ["si |"]
    assert bash(own, "ais nonsense ", tmp_path) == []


@pytest.mark.parametrize("shell", sorted(SCRIPTS))
def test_the_scripts_are_scripts(ais: Ais, shell: str, tmp_path: Path) -> None:
    script = tmp_path / "script"
    script.write_text(ais("completion", shell).stdout)
    assert script.read_text() == SCRIPTS[shell]
    found = shutil.which(shell)
    assert found is not None, f"{shell} is missing: scripts/apt installs it"
    done = subprocess.run([found, "-n", str(script)], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")


def test_fish_completes(ais: Ais, bck: str, own: Node, tmp_path: Path) -> None:
    ais("put", "-", f"{bck}/dir/a", input="x")
    code = 'ais completion fish | source; complete --do-complete "$LINE"'
    fish = shutil.which("fish")
    assert fish is not None
    for line, offers in {
        "ais bucket props s": ["set", "show"],
        "ais ls ais://abc/d": ["ais://abc/dir/"],
    }.items():
        done = subprocess.run(
            [fish, "--no-config", "-c", code],
            env=environment(own) | {"LINE": line, "HOME": str(tmp_path)},
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
        assert done.stdout.splitlines() == offers


def test_zsh_knows_whom_to_ask(own: Node, tmp_path: Path) -> None:
    zsh = shutil.which("zsh")
    assert zsh is not None
    code = "autoload -U compinit; compinit -u -D; source <(ais completion zsh); print $_comps[ais]"
    done = subprocess.run(
        [zsh, "-f", "-c", code],
        env=environment(own) | {"HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert (done.stdout, done.stderr) == ("_ais\n", "")


def test_no_such_shell(ais: Ais) -> None:
    assert "tcsh" in ais("completion", "tcsh", code=1).stderr
