"""`ais show cluster` and `ais cluster ...` on a node that is alone. Real clusters are in
tests/cluster and tests/native/test_relay.py."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest

from tests.cli.conftest import Ais, environment
from tests.harness import BIN, Node
from tests.native.support import put

SIZE = r"[\d.]+[KMGT]iB"


def shape(line: str) -> str:
    """A line of a table with its columns one blank apart."""
    return re.sub(r" {2,}", "|", line.strip())


def name_of(ais: Ais) -> str:
    found = json.loads(ais("show", "cluster", "smap", "--json").stdout)
    (name,) = found["tmap"]
    return str(name)


def test_the_dashboard_has_both_tables_and_a_summary(ais: Ais, own: Node) -> None:
    name = name_of(ais)[1:]
    lines = ais("show", "cluster").stdout.splitlines()
    assert shape(lines[0]) == (
        "PROXY|MEM USED(%)|MEM AVAIL|SYS CPU(%)|LOAD AVERAGE|THROTTLED(%)|UPTIME|K8s POD|STATUS"
        "|VERSION|BUILD TIME|ALERT"
    )
    assert re.fullmatch(
        rf"p{name}\[P\]\|[\d.]+%\|{SIZE}\|\d+%\|\[[\d. ]+\]\|\d+%\|\w+\|-\|online\|[\d.]+\|-\|.+",
        shape(lines[1]),
    )
    assert shape(lines[3]) == (
        "TARGET|MEM USED(%)|MEM AVAIL|CAP USED(%)|CAP AVAIL|SYS CPU(%)|LOAD AVERAGE|THROTTLED(%)"
        "|REBALANCE|UPTIME|K8s POD|STATUS|VERSION|BUILD TIME|ALERT"
    )
    assert shape(lines[4]).startswith(f"t{name}|")
    summary = dict(line.strip().split(":", 1) for line in lines[7:])
    assert lines[6] == "Summary:"
    assert list(summary) == [
        "CLI Endpoint", "Proxies", "Targets", "Capacity", "Cluster Map", "Software", "Backend",
        "Deployment", "Status", "Rebalance", "Authentication", "Version", "Build",
    ]  # fmt: skip
    assert summary["CLI Endpoint"].strip() == own.root
    assert summary["Authentication"].strip() == "enabled"
    assert summary["Status"].strip() == "2 online"
    assert re.fullmatch(rf"used {SIZE} \(\d+%\), available {SIZE}", summary["Capacity"].strip())


def test_one_node_or_one_kind_may_be_shown(ais: Ais) -> None:
    name = name_of(ais)
    assert ais("show", "cluster", name, "-H").stdout.split()[0] == name
    assert len(ais("show", "cluster", name[1:], "-H").stdout.splitlines()) == 2
    assert ais("show", "cluster", "target", "-H").stdout.split()[0] == name
    (told,) = json.loads(ais("show", "cluster", name, "--json").stdout)
    assert told["snode"]["daemon_id"] == name
    raw = ais("show", "cluster", "target", "-H", "--units", "raw").stdout.split()
    assert raw[2].isdigit()
    assert 'no node "nobody"' in ais("show", "cluster", "nobody", code=1).stderr


def test_a_node_alone_is_its_own_primary(ais: Ais, own: Node) -> None:
    smap = json.loads(ais("show", "cluster", "smap", "--json").stdout)
    assert list(smap["pmap"]) == [smap["proxy_si"]["daemon_id"]]
    assert smap["proxy_si"]["public_net"]["direct_url"] == own.root
    lines = ais("show", "cluster", "smap", "-H").stdout.splitlines()
    assert [line.split()[1:] for line in lines] == [
        ["proxy", own.root, "online"],
        ["target", own.root, "online"],
    ]
    assert lines[0].split()[0] == f"{smap['proxy_si']['daemon_id']}[P]"
    shown = ais("show", "cluster", "smap").stdout.splitlines()
    assert shape(shown[0]) == "NODE|TYPE|PUBLIC URL|STATUS"
    assert shown[-2] == f"Primary Proxy: {smap['proxy_si']['daemon_id']}"
    assert shown[-1].startswith("Proxies: 1   Targets: 1   Smap Version: 1   UUID: ")


def test_the_bmd_has_every_bucket(ais: Ais, bck: str) -> None:
    lines = ais("show", "cluster", "bmd").stdout.splitlines()
    assert shape(lines[0]) == "PROVIDER|NAMESPACE|NAME|COPIES|EC(D, P)|CREATED"
    assert re.fullmatch(r"ais\|-\|abc\|no\|no\|\d\d \w{3} \d\d \d\d:\d\d UTC", shape(lines[1]))
    assert lines[-1].startswith("Buckets: 1   BMD Version: ")
    told = json.loads(ais("show", "cluster", "bmd", "--json").stdout)
    assert list(told["providers"]["ais"]["@#"]) == ["abc"]


def test_there_is_no_cluster_to_change(ais: Ais) -> None:
    for action in ("start-maintenance", "stop-maintenance", "decommission"):
        done = ais("cluster", "add-remove-nodes", action, "p1", code=1)
        assert "alone" in done.stderr


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["cluster", "set-primary", "nobody"], 'node "nobody" is not in the cluster'),
        (["cluster", "decommission"], "not decommissioned as a whole"),
        (["cluster", "shutdown"], "--yes shuts the cluster down"),
        (["cluster", "add-remove-nodes", "shutdown", "t1"], '--yes shuts node "t1" down'),
        (["cluster", "add-remove-nodes", "shutdown", "t1", "-y"], "is not in the cluster"),
        (["cluster", "add-remove-nodes", "decommission", "t1", "--rm-user-data"], "share their"),
        (["remote-cluster", "attach", "a=http://127.0.0.1:1"], "cannot be attached"),
        (["cluster", "remote-attach", "a"], "not of the form alias=url"),
        (["cluster", "remote-detach", "a"], 'remote cluster "a" is not attached'),
        (["show", "cluster", "smap", "--units", "miles"], "invalid choice"),
    ],
)
def test_what_is_not_offered_is_refused_in_a_line(ais: Ais, words: list[str], text: str) -> None:
    assert text in ais(*words, code=1).stderr


def test_the_primary_may_be_named_and_logs_rotated(ais: Ais) -> None:
    name = name_of(ais)
    assert ais("cluster", "set-primary", name).stdout == f'"{name}" is the primary\n'
    assert ais("cluster", "rotate-logs").stdout == "Every node has put its log file away\n"


def test_other_clusters_are_none(ais: Ais) -> None:
    shown = ais("show", "remote-cluster").stdout
    assert shape(shown) == "UUID|URL|Alias|Primary|Smap|Targets|Online"
    assert json.loads(ais("remote-cluster", "show", "--json").stdout) == []


def test_counters_are_shown_and_set_back(ais: Ais, bck: str, own: Node) -> None:
    done = ais("cluster", "reset-stats")
    assert done.stdout == "Cluster stats successfully reset\n"
    for key in ("one", "two"):
        put(own, "abc", key, b"x" * 1024)
    own.send("GET", "/v1/objects/abc/one")
    own.send("GET", "/v1/objects/abc/one", headers={"Range": "bytes=9999-"})
    lines = ais("performance", "show").stdout.splitlines()
    assert shape(lines[0]) == (
        "TARGET|GET|GET(size)|PUT|PUT(size)|APPEND|HEAD|DELETE|RENAME|LIST|OTHER|ERRORS"
    )
    cells = shape(lines[1]).split("|")
    assert cells[1:5] == ["1", "1.00KiB", "2", "2.00KiB"]
    assert cells[-1] == "1"
    assert ais("show", "cluster", "stats", "-H").stdout.split()[1:5] == cells[1:5]
    told = json.loads(ais("show", "performance", "--json").stdout)
    assert told[cells[0]]["put.n"] == {"v": "2"}
    assert "error stats" in ais("cluster", "reset-stats", "--errors-only").stdout
    assert ais("performance", "show", "-H").stdout.split()[-1] == "0"


def test_rates_latencies_and_room_are_tables_too(ais: Ais) -> None:
    shown = ais("performance", "show", "throughput", "--refresh", "10ms").stdout.splitlines()
    assert shape(shown[0]) == "TARGET|GET(bw)|GET(req/s)|PUT(bw)|PUT(req/s)|ERRORS"
    assert re.fullmatch(r"t\w+\|0B/s\|0.0\|0B/s\|0.0\|0", shape(shown[1]))
    shown = ais("performance", "show", "latency").stdout.splitlines()
    assert shape(shown[0]) == (
        "TARGET|GET(latency)|PUT(latency)|HEAD(latency)|DELETE(latency)|LIST(latency)"
    )
    shown = ais("performance", "show", "capacity").stdout.splitlines()
    assert re.fullmatch(rf"t\w+\|{SIZE}\|{SIZE}\|\d+%\|-", shape(shown[1]))
    assert (
        "is a duration" in ais("performance", "show", "throughput", "--refresh", "x", code=1).stderr
    )


def test_what_lies_under_the_targets(ais: Ais, own: Node) -> None:
    shown = ais("storage", "show").stdout.splitlines()
    assert shape(shown[0]) == ("TARGET|MOUNTPATHS|USED|AVAIL|USED(min%)|USED(avg%)|USED(max%)")
    assert re.fullmatch(rf"t\w+\|1\|{SIZE}\|{SIZE}\|\d+%\|\d+%\|\d+%", shape(shown[1]))
    shown = ais("storage", "mountpath").stdout.splitlines()
    assert shape(shown[0]) == "TARGET|MOUNTPATH|USED|AVAIL|USED(%)|FILE SYSTEM"
    assert shape(shown[1]).split("|")[1] == str(own.data / "disk")
    shown = ais("storage", "disk").stdout.splitlines()
    assert shape(shown[0]) == "TARGET|DISK|READ|READ(avg size)|WRITE|WRITE(avg size)|UTIL(%)"
    for what in ("show", "mountpath", "disk"):
        assert list(json.loads(ais("storage", what, "--json").stdout)) == [name_of(ais)]


def test_space_is_cleaned_up_by_a_job(ais: Ais) -> None:
    assert re.fullmatch(r"cleanup\[\S+\] is done\n", ais("space-cleanup", "--wait").stdout)
    assert "To monitor the progress, run 'ais show job " in ais("storage", "cleanup").stdout


def test_logs_are_shown_and_fetched(ais: Ais, own: Node, tmp_path: Path) -> None:
    name = name_of(ais)
    ais("log", "show", name, "--severity", "error")
    assert ais("log", "get", name).stdout == f"{name}: {name}.log\n"
    assert ais("log", "get", name, "-").stdout == (tmp_path / f"{name}.log").read_text()
    (tmp_path / "logs").mkdir()
    ais("log", "get", "cluster", "logs", "--all")
    assert (tmp_path / "logs" / f"{name}.tar.gz").read_bytes()[:2] == b"\x1f\x8b"
    assert "is not in the cluster" in ais("log", "show", "tnobody", code=1).stderr
    assert "is not in the cluster" in ais("log", "get", "tnobody", "x", code=1).stderr
    assert not (tmp_path / "x").exists()
    assert "is not a directory" in ais("log", "get", "cluster", "nowhere", code=1).stderr


def test_a_node_is_shut_down(tmp_path_factory: pytest.TempPathFactory) -> None:
    node = Node(tmp_path_factory.mktemp("down") / "data", workers=1).start()
    done = subprocess.run(
        [str(BIN / "ais"), "cluster", "shutdown", "--yes"],
        env=environment(node),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stdout == "Every node finishes its requests and ends\n"
    assert node.wait() == 0


def test_a_node_at_random_is_one_of_them(ais: Ais) -> None:
    assert ais("advanced", "random-node", "target").stdout.startswith("t")
    assert ais("advanced", "random-node", "proxy").stdout.startswith("p")
    assert ais("advanced", "random-node").stdout[0] in "pt"
    assert "KIND" in ais("advanced", "random-node", "router", code=1).stderr
