"""`ais config cluster` and `ais config reset`."""

import json

import pytest

from tests.cli.conftest import Ais


def test_all_of_it_as_a_table_and_as_json(ais: Ais) -> None:
    rows = dict(
        line.split(None, 1) for line in ais("config", "cluster").stdout.splitlines() if " " in line
    )
    assert rows["checksum.type"] == "xxhash"
    assert rows["features"] == "S3-API-via-Root"
    nested = json.loads(ais("cluster", "config", "--json").stdout)
    assert nested["net"]["http"]["use_https"] is False


def test_a_setting_without_effect_is_pointed_out(ais: Ais) -> None:
    done = ais("config", "cluster", "net.http.use_https=true", "checksum.type=md5")
    assert json.loads(done.stdout) == {"net.http.use_https": "true", "checksum.type": "md5"}
    assert done.stderr == "Note: net.http.use_https has no effect in this release\n"
    shown = ais("config", "cluster", "net.http.use_https", "-H").stdout
    assert shown.split() == ["net.http.use_https", "true"]


def test_features_go_by_name(ais: Ais) -> None:
    ais("config", "cluster", "features", "Presigned-S3-Req", "S3-API-via-Root")
    shown = ais("config", "cluster", "features", "-H").stdout.split()
    assert shown == ["features", "S3-API-via-Root,S3-Presigned-Request"]
    ais("config", "reset")
    shown = ais("config", "cluster", "features", "-H").stdout.split()
    assert shown == ["features", "S3-API-via-Root"]


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["nonsense"], 'no setting or section "nonsense"'),
        (["checksum.type=rot13"], "expected one of"),
        (["nonsense=1"], "no setting 'nonsense'"),
        (["checksum", "net"], "one section"),
        (["features", "Nonsense"], "no feature 'Nonsense'"),
        (["checksum.type=md5", "net"], "not of the form name=value"),
    ],
)
def test_what_makes_no_sense_is_refused(ais: Ais, words: list[str], text: str) -> None:
    assert text in ais("config", "cluster", *words, code=1).stderr
