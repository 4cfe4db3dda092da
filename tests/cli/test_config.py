"""`ais config cluster` and `ais config reset`."""

import json

import pytest

from tests.cli.conftest import Ais
from tests.harness import Node


def test_all_of_it_as_a_table_and_as_json(ais: Ais) -> None:
    rows = dict(
        line.split(None, 1) for line in ais("config", "cluster").stdout.splitlines() if " " in line
    )
    assert rows["checksum.type"] == "xxhash"
    assert rows["features"] == "S3-API-via-Root"
    nested = json.loads(ais("cluster", "config", "--json").stdout)
    assert nested["net"]["http"]["use_https"] is False


def test_a_setting_without_effect_is_pointed_out(ais: Ais) -> None:
    done = ais("config", "cluster", "log.level=4", "checksum.type=md5")
    assert json.loads(done.stdout) == {"log.level": "4", "checksum.type": "md5"}
    assert done.stderr == "Note: log.level has no effect in this release\n"
    shown = ais("config", "cluster", "log.level", "-H").stdout
    assert shown.split() == ["log.level", "4"]


def test_a_setting_that_needs_a_restart_is_pointed_out(ais: Ais) -> None:
    done = ais("config", "cluster", "net.http.use_https=true")
    assert "net.http.use_https: nodes have to be restarted" in done.stderr
    assert "ends with the restart" not in done.stderr
    done = ais("config", "cluster", "net.http.server_key=k", "--transient")
    assert "ends with the restart" in done.stderr


def test_rare_settings_are_shown_when_they_are_asked_for(ais: Ais) -> None:
    def shown(*words: str) -> list[str]:
        return [line.split()[0] for line in ais("config", "cluster", *words).stdout.splitlines()]

    assert "net.http.idle_conns" not in shown("net.http")
    assert "net.http.idle_conns" in shown("net.http", "--all")
    assert shown("net.http.idle_conns", "-H") == ["net.http.idle_conns"]
    ais("config", "cluster", "net.http.idle_conns=8")
    assert "net.http.idle_conns" in shown("net.http")


def test_a_section_may_be_json(ais: Ais) -> None:
    assert json.loads(ais("config", "cluster", "log", "--json").stdout)["max_size"] == "4mb"
    assert json.loads(ais("show", "config", "cluster", "log.level", "--json").stdout) == 3
    assert "no setting" in ais("config", "cluster", "log.nothing", "--json", code=1).stderr


def test_a_transient_change_is_in_force(ais: Ais) -> None:
    ais("config", "cluster", "log.max_size=9mb", "--transient")
    assert ais("config", "cluster", "log.max_size", "-H").stdout.split()[1] == "9mb"
    ais("config", "reset", "log")
    assert ais("config", "cluster", "log.max_size", "-H").stdout.split()[1] == "4mb"


def test_one_node_s_configuration(ais: Ais, own: Node) -> None:
    (name,) = json.loads(ais("show", "cluster", "smap", "--json").stdout)["tmap"]
    done = ais("config", "node", name, "log.max_size=5mb")
    assert json.loads(done.stdout) == {"log.max_size": "5mb"}
    assert ais("config", "node", name, "log.max_size", "-H").stdout.split()[1] == "5mb"
    assert ais("config", "cluster", "log.max_size", "-H").stdout.split()[1] == "4mb"
    local = json.loads(ais("config", "node", name, "local", "--json").stdout)
    assert set(local) == {"confdir", "log_dir", "host_net", "fspaths", "test_fspaths"}
    assert local["host_net"]["port"] == str(own.port)
    assert "host_net.port" not in ais("config", "node", name, "inherited").stdout
    assert "host_net.port" in ais("config", "node", name, "--type", "local").stdout
    assert ais("config", "show", name, "log", "-H").stdout.split()[3] == "5mb"
    done = ais("config", "reset", "--node", name)
    assert done.stdout == f'Config of node "{name}" successfully reset\n'
    assert ais("config", "node", name, "log.max_size", "-H").stdout.split()[1] == "4mb"
    ais("config", "node", name, "log.max_size=6mb", "--transient")
    ais("config", "reset")
    assert ais("config", "node", name, "log.max_size", "-H").stdout.split()[1] == "4mb"


def test_features_go_by_name(ais: Ais) -> None:
    ais("config", "cluster", "features", "Presigned-S3-Req", "S3-API-via-Root")
    assert features(ais, "-H") == ["S3-API-via-Root", "S3-Presigned-Request"]
    lines = ais("config", "cluster", "features").stdout.splitlines()
    assert lines[0].split() == ["FEATURE", "TAGS", "DESCRIPTION"]
    assert lines[2].split()[:3] == ["S3-Presigned-Request", "bucket", "pass"]
    every = ais("config", "cluster", "features", "--all", "-H").stdout.splitlines()
    assert len(every) == 28
    assert [line.split()[0] for line in every if " set" in line] == features(ais, "-H")
    ais("config", "cluster", "features", "none")
    assert features(ais, "-H") == []
    ais("config", "reset")
    assert features(ais, "-H") == ["S3-API-via-Root"]


def features(ais: Ais, *flags: str) -> list[str]:
    lines = ais("config", "cluster", "features", *flags).stdout.splitlines()
    return [line.split()[0] for line in lines]


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["nonsense"], 'no setting or section "nonsense"'),
        (["checksum.type=rot13"], "expected one of"),
        (["nonsense=1"], "no setting 'nonsense'"),
        (["checksum", "net"], "one section"),
        (["checksum", "--transient"], "--transient is about setting"),
        (["auth.enabled=false"], "cannot be set here"),
        (["features", "Nonsense"], "no feature 'Nonsense'"),
        (["checksum.type=md5", "net"], "not of the form name=value"),
    ],
)
def test_what_makes_no_sense_is_refused(ais: Ais, words: list[str], text: str) -> None:
    assert text in ais("config", "cluster", *words, code=1).stderr
