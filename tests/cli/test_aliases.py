"""`ais alias` and `ais config cli`: what the command line keeps for its user."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from aisle.cli.failure import Failure
from aisle.cli.main import run
from aisle.cli.words import BY_NAME, find
from tests.cli.conftest import Ais
from tests.harness import Node, free_port


@pytest.fixture
def home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A directory for the configuration; the file in it need not be there."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.delenv("AIS_ENDPOINT", raising=False)
    return tmp_path / "config" / "ais" / "cli" / "cli.json"


def told(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert run(list(words)) == 0
    return capsys.readouterr().out


@pytest.mark.parametrize(
    ("short", "long"),
    [
        ("ls", "bucket ls"),
        ("create", "bucket create"),
        ("rmb", "bucket rm"),
        ("put", "object put"),
        ("get", "object get"),
        ("rmo", "object rm"),
        ("show bucket", "bucket show"),
        ("show object", "object show"),
        ("show cluster", "cluster show"),
        ("cluster config", "config cluster"),
    ],
)
def test_commands_have_the_short_names_of_aistore(short: str, long: str) -> None:
    assert find(short.split()).command is find(long.split()).command is not None


def test_no_two_commands_have_one_name() -> None:
    names = [name for command in set(BY_NAME.values()) for name in command.names]
    assert len(names) == len(set(names))


def test_an_alias_is_set_used_shown_and_removed(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert told(capsys, "alias", "set", "about", "help", "put") == 'Aliased "help put" as "about"\n'
    assert told(capsys, "about").startswith("usage: ais put")
    told(capsys, "alias", "set", "lb", 'ais search --regex "^bucket ls$"')
    assert told(capsys, "lb").splitlines()[1].split()[:3] == ["ais", "bucket", "ls"]
    lines = told(capsys, "alias", "show").splitlines()
    assert [line.split(None, 1) for line in lines[:3]] == [
        ["ALIAS", "COMMAND"],
        ["about", "help put"],
        ["lb", "search --regex '^bucket ls$'"],
    ]
    assert ["rmb", "bucket rm"] in [line.split(None, 1) for line in lines]
    assert told(capsys, "alias", "rm", "lb") == 'Alias "lb" removed\n'
    told(capsys, "alias", "reset")
    with pytest.raises(Failure, match="is not a command"):
        run(["about"])
    assert json.loads(home.read_text()) == {}


@pytest.mark.parametrize("alias", ["ls", "bucket", "a b", "", "show"])
def test_an_alias_takes_nobodys_place(home: Path, alias: str) -> None:
    with pytest.raises(Failure, match=r"already|one word"):
        run(["alias", "set", alias, "bucket", "ls"])
    assert not home.exists()


def test_aliases_of_nothing_are_refused(home: Path) -> None:
    for words in (["nonsense"], ["'open"], [""]):
        with pytest.raises(Failure):
            run(["alias", "set", "x", *words])
    with pytest.raises(Failure, match="there is no alias"):
        run(["alias", "rm", "x"])


def test_an_alias_written_by_hand_cannot_shadow_a_command(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    home.parent.mkdir(parents=True)
    home.write_text('{"aliases": {"help": "search bucket"}}')
    assert told(capsys, "help", "put").startswith("usage: ais put")


def test_fields_are_set_shown_and_reset(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shown = told(capsys, "config", "cli", "set", "cluster.url=http://a:1", "no_color=yes")
    assert shown == (
        '"cluster.url" set to: "http://a:1" (was: "")\n"no_color" set to: "true" (was: "false")\n'
    )
    assert json.loads(home.read_text()) == {"cluster": {"url": "http://a:1"}, "no_color": True}
    assert told(capsys, "config", "cli", "show", "cluster.url", "-H").split() == [
        "cluster.url",
        "http://a:1",
    ]
    section = json.loads(told(capsys, "config", "cli", "show", "timeout", "--json"))
    assert section == {"timeout": {"tcp_timeout": "60s", "http_timeout": "0s"}}
    assert told(capsys, "config", "cli", "show", "--path").strip() == str(home)
    told(capsys, "alias", "set", "x", "ls")
    assert told(capsys, "config", "cli", "reset") == "CLI config successfully reset\n"
    assert json.loads(home.read_text()) == {"aliases": {"x": "ls"}}


@pytest.mark.parametrize(
    ("word", "problem"),
    [
        ("cluster.urll=x", 'Did you mean: "cluster.url"'),
        ("xyz=1", 'no field "xyz"$'),
        ("cluster.url", "name=value"),
        ("no_color=blue", "true or false"),
    ],
)
def test_a_field_that_is_none_is_refused(home: Path, word: str, problem: str) -> None:
    with pytest.raises(Failure, match=problem):
        run(["config", "cli", "set", word])
    assert not home.exists()


def test_what_has_no_effect_is_pointed_out(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(["config", "cli", "set", "verbose=true"])
    assert "without effect" in capsys.readouterr().err


@pytest.mark.parametrize("text", ["{", "[]", '{"aliases": 1}', "\x00"])
def test_a_broken_file_is_told_by_its_name(home: Path, text: str) -> None:
    home.parent.mkdir(parents=True)
    home.write_text(text)
    with pytest.raises(Failure, match=str(home)):
        run(["ls"])


def test_the_endpoint_comes_from_the_nearest_place(
    ais: Ais, bck: str, own: Node, tmp_path: Path
) -> None:
    kept = {"XDG_CONFIG_HOME": str(tmp_path), "AIS_ENDPOINT": ""}
    nowhere = f"http://127.0.0.1:{free_port()}"
    ais("config", "cli", "set", f"cluster.url={own.root}", env=kept)
    assert bck in ais("ls", "ais:", env=kept).stdout
    ais("ls", "ais:", env=kept | {"AIS_ENDPOINT": nowhere}, code=1)
    ais("ls", "ais:", "--endpoint", own.root, env=kept | {"AIS_ENDPOINT": nowhere})
    ais("config", "cli", "set", f"cluster.url={nowhere}", "default_provider=ais", env=kept)
    assert nowhere in ais("ls", env=kept, code=1).stderr
    there = kept | {"AIS_ENDPOINT": own.root}
    ais("put", "-", "abc/name", input="x", env=there)
    assert ais("get", "abc/name", "-", env=there).stdout == "x"
