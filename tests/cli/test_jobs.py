"""`ais show job`, `start`, `stop` and `wait`: the tables as text, and a node that really works."""

from __future__ import annotations

import json
import re
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from aisle.cli import jobs
from aisle.cli.commands import COMMANDS
from aisle.cli.jobtable import read, tables, time_text
from aisle.core import jobkinds
from tests.cli.conftest import Ais, environment
from tests.harness import BIN, Node, encode_key

ZERO = "0001-01-01T00:00:00Z"
NOW = datetime(2026, 3, 4, 18, 0, tzinfo=UTC)
NONE: dict[str, Any] = {"name": "", "provider": "", "namespace": {"uuid": "", "name": ""}}
ABC: dict[str, Any] = {"name": "abc", "provider": "ais", "namespace": {"uuid": "", "name": ""}}
FAR: dict[str, Any] = {**ABC, "name": "far", "namespace": {"uuid": "", "name": "ns"}}


def snap(identity: str, kind: str, objects: int = 0, size: int = 0, **more: Any) -> dict[str, Any]:
    """A snapshot as the node tells it; it runs."""
    stats = dict.fromkeys(("out-objs", "out-bytes", "in-objs", "in-bytes"), "0")
    return {
        "id": identity,
        "kind": kind,
        "start-time": "2026-03-04T17:00:01.5Z",
        "end-time": ZERO,
        "bck": NONE,
        "src-bck": NONE,
        "dst-bck": NONE,
        "stats": {"loc-objs": str(objects), "loc-bytes": str(size), **stats},
        "aborted": False,
        "is_idle": False,
        "abort-err": "",
        "err": "",
        "ctlmsg": "",
        **more,
    }


TOLD = {
    "tone": [
        snap("aaaaaaaaa", "prefetch-listrange", 7, 5000, bck=ABC),
        snap("bbbbbbbbb", "copy-bck", 0, 0, bck=ABC, **{"src-bck": ABC, "dst-bck": FAR}),
        snap("ddddddddd", "archive", 1, 1, bck=ABC, is_idle=True),
    ],
    "ttwo": [
        snap(
            "ccccccccc",
            "copy-bck",
            27,
            10 << 20,
            bck=ABC,
            aborted=True,
            **{
                "src-bck": ABC,
                "dst-bck": ABC,
                "start-time": "2026-03-03T17:00:01Z",
                "end-time": "2026-03-03T17:02:03.123Z",
                "abort-err": "stopped by a user",
            },
        )
    ],
}

TABLES = """\
archive[ddddddddd]
NODE   ID          KIND      BUCKET      OBJECTS   BYTES   START      END   STATE
tone   ddddddddd   archive   ais://abc   1         1B      17:00:01   -     Idle

copy-bucket
NODE   ID          KIND       SRC BUCKET   DST BUCKET      OBJECTS   BYTES      START  \
               END                   STATE
tone   bbbbbbbbb   copy-bck   ais://abc    ais://#ns/far   -         -          17:00:01\
              -                     Running
ttwo   ccccccccc   copy-bck   ais://abc    ais://abc       27        10.00MiB   2026-03-03 17:00:01\
   2026-03-03 17:02:03   Aborted
                                           Total:          27        10.00MiB
copy-bucket[ccccccccc]: stopped by a user

prefetch-objects[aaaaaaaaa]
NODE   ID          KIND                 BUCKET      OBJECTS   BYTES     START      END   STATE
tone   aaaaaaaaa   prefetch-listrange   ais://abc   7         4.88KiB   17:00:01   -     Running
"""


def lines(**options: Any) -> list[str]:
    shown = {"headers": True, "units": "iec", "verbose": False, **options}
    return list(tables(read(TOLD), NOW, **shown))


def test_each_kind_has_a_table() -> None:
    assert lines() == TABLES.splitlines()


def test_without_headings_there_are_rows_alone() -> None:
    rows = lines(headers=False, units="raw")
    assert [row.split()[1] for row in rows] == ["d" * 9, "b" * 9, "c" * 9, "a" * 9]
    assert "10485760" in rows[2]


def test_verbose_tells_all_there_is() -> None:
    text = "\n".join(lines(verbose=True))
    assert re.search(r"copy-bucket\[ccccccccc\]\nPROPERTY\s+VALUE\nabort-err\s+stopped by a", text)
    assert re.search(r"end-time\s+-\n", text)
    assert re.search(r"loc-bytes\s+10485760\n", text)


def test_times_are_local_and_have_a_date_if_it_is_not_today() -> None:
    assert time_text("2026-03-04T00:00:00Z", NOW) == "00:00:00"
    assert time_text("2026-03-03T23:59:59.9Z", NOW) == "2026-03-03 23:59:59"
    assert time_text(ZERO, NOW) == "-"


def test_every_kind_that_has_a_command_of_its_own_is_sent_to_it() -> None:
    names = {name for command in COMMANDS for name in command.names}
    assert set(jobs.COMMANDS.values()) <= names
    assert set(jobs.COMMANDS) <= set(jobkinds.DISPLAYED)


def test_kinds_are_named_by_either_name_or_by_family() -> None:
    assert jobkinds.named("copy-bck") == jobkinds.named("copy-bucket") == {"copy-bck"}
    assert jobkinds.named("copy") == {"copy-bck", "copy-listrange"}
    assert jobkinds.named("etl") == {"etl-bck", "etl-listrange", "etl-inline"}
    assert jobkinds.named("archive") == {"archive"}
    assert jobkinds.named("pxJkls1Mg") == jobkinds.named("") == frozenset()
    assert jobkinds.displayed("unheard-of") == "unheard-of"


# --- a node that works ----------------------------------------------------------------------------

Copy = Callable[[], str]


@pytest.fixture
def copy(ais: Ais, own: Node) -> Iterator[Copy]:
    """A function that begins a copy that takes seconds; returns its id."""

    def send(method: str, target: str, action: str, **value: Any) -> str:
        body = json.dumps({"action": action, "value": value}).encode()
        size = {"Content-Length": str(len(body))}
        reply = own.send(method, target, body=body, unsigned_headers=size)
        assert reply.status == 200, reply.body
        return reply.body.decode()

    def begin(source: str, to: str, **value: Any) -> str:
        target = f"/v1/buckets/{source}?bck_to=ais%2F%40%23%2F{to}%2F"
        return send("POST", target, "copy-bck", **value)

    for name in ("few", "many", "to"):
        send("POST", f"/v1/buckets/{name}", "create-bck")
    for number in range(150):
        name = encode_key(f"{number:03}")
        assert own.send("PUT", f"/v1/objects/few/{name}", body=b"x").status == 200
    made = [begin("few", "many", prepend=f"{number:02}-") for number in range(40)]
    ais("wait", *made)
    yield lambda: begin("many", "to", **{"num-workers": -1})
    ais("stop", "--all", "--yes")


def test_what_runs_is_shown_waited_for_and_stopped(ais: Ais, copy: Copy, own: Node) -> None:
    job = copy()
    shown = ais("show", "job").stdout.splitlines()
    assert shown[0] == f"copy-bucket[{job}]"
    assert shown[1].split()[3:7] == ["SRC", "BUCKET", "DST", "BUCKET"]
    assert shown[2].split()[1:5] == [job, "copy-bck", "ais://many", "ais://to"]
    assert shown[2].split()[-1] == "Running"
    late = ais("wait", job, "--timeout", "1ms", code=1)
    assert f"copy-bucket[{job}] still runs after 1ms" in late.stderr
    assert "--yes" in ais("stop", "--all", code=1).stderr
    assert ais("stop", "copy").stdout == f"Stopped copy-bucket[{job}]\n"
    gone = ais("wait", job, code=1)
    assert gone.stderr == f"Error: copy-bucket[{job}] failed: stopped by a user\n"
    assert ais("stop", job).stdout == f"copy-bucket[{job}] is over (Aborted): nothing to do\n"
    assert ais("show", "job", job).stdout.splitlines()[2].split()[-1] == "Aborted"


def test_all_that_run_are_stopped_unasked(ais: Ais, copy: Copy) -> None:
    made = {copy(), copy()}
    told = ais("stop", "--all", "--yes").stdout.splitlines()
    assert set(told) == {f"Stopped copy-bucket[{job}]" for job in made}


def test_jobs_are_stopped_by_bucket_and_expression(ais: Ais, copy: Copy) -> None:
    job = copy()
    nothing = "No such jobs run: nothing to do\n"
    assert ais("stop", "copy", "ais://few").stdout == nothing
    assert ais("stop", "--regex", "^archive").stdout == nothing
    assert ais("stop", "--regex", "^copy-b", "ais://to").stdout == f"Stopped copy-bucket[{job}]\n"


def test_all_of_a_kind_are_waited_for_with_a_bar(ais: Ais, copy: Copy) -> None:
    job = copy()
    done = ais("wait", "copy-bck", "--progress", "--refresh", "50ms")
    first, last = done.stdout.splitlines()
    assert first == f"Waiting for copy-bucket[{job}] ..."
    assert last == "Done: 6000 objects (5.86KiB)."
    assert f"copy-bucket[{job}]" in done.stderr


def test_a_job_is_started_and_found(ais: Ais, bck: str) -> None:
    told = ais("start", "cleanup").stdout
    match = re.fullmatch(
        r"Started cleanup\[(\w+)\]\. To monitor the progress, run 'ais show job (\w+)'\n", told
    )
    assert match is not None
    assert match[1] == match[2]
    assert ais("wait", match[1]).stdout.endswith("Done: 0 objects (0B).\n")
    assert ais("start", "lru", bck, "--wait", "--force").stdout.endswith(" ...\nDone.\n")
    identity = ais("start", "warm-up-metadata", bck, "--nv").stdout.strip()
    ais("wait", identity)
    row = ais("show", "job", identity, "-H").stdout.split()
    assert row[1:4] == [identity, "load-lom-cache", bck]
    assert row[-1] == "Finished"
    assert identity not in ais("show", "job").stdout
    assert identity in ais("show", "job", "--all").stdout
    assert identity in ais("show", "job", "--all", bck).stdout
    assert identity not in ais("show", "job", "cleanup", "--all").stdout
    assert identity in ais("show", "job", "warm-up-metadata", "--all", "--regex", "abc").stdout
    assert len(ais("show", "job", "--all", "--top", "1", "-H").stdout.splitlines()) == 1
    (target,) = json.loads(ais("show", "job", "--all", "--json").stdout)
    assert identity in ais("show", "job", "--all", target).stdout
    assert ais("start", "resilver", target).stdout.startswith("Started resilver[")


def test_kinds_and_running_jobs_are_completed(ais: Ais, copy: Copy) -> None:
    for words in (("show", "job"), ("stop",), ("job", "wait")):
        job = copy()
        found = ais("__complete", *words, "").stdout.splitlines()
        ais("stop", job)
        assert found[-1] == job
        assert found[:-1] == sorted(jobkinds.DISPLAYED.values())
    job = copy()
    assert ais("__complete", "stop", job[:5]).stdout == f"{job}\n"
    assert ais("__complete", "start", "ware").stdout == ""
    assert ais("__complete", "start", "wa").stdout == "warm-up-metadata\n"
    assert ais("__complete", "start", "lru", "ais://f").stdout == "ais://few/\n"


def test_nothing_that_runs_is_said(ais: Ais) -> None:
    assert ais("show", "job").stdout == "No running jobs (those that are over: --all)\n"
    assert ais("show", "job", "dsort").stdout.startswith('No running "dsort" jobs')
    assert ais("show", "job", "dsort", "--all").stdout == 'There are no "dsort" jobs\n'
    assert ais("show", "job", "--json").stdout == "{}\n"
    assert ais("show", "job", "-H").stdout == ""
    assert ais("wait", "dsort").stdout == "No such jobs run: nothing to wait for\n"
    assert ais("stop", "--all").stdout == "No such jobs run: nothing to do\n"


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (("show", "job", "nonesuch"), 'no job or target "nonesuch"'),
        (("show", "job", "a1", "b2", "c3"), "a1, b2, c3"),
        (("show", "job", "--regex", "("), "--regex"),
        (("show", "job", "--top", "x"), "not a number"),
        (("show", "job", "--refresh", "often"), "--refresh"),
        (("show", "job", "ais://abc/def"), "not the URI of a bucket"),
        (("start", "nonesuch"), 'no kind of jobs "nonesuch"'),
        (("start", "copy-bck"), "ais cp --help"),
        (("start", "ec"), "may be any of: ec-encode"),
        (("start", "ec-encode"), "not offered"),
        (("start", "resilver", "t1", "t2"), "one target"),
        (("start", "resilver", "t1"), '"t1" is not in the cluster'),
        (("start", "lru", "ais://absent"), "ais://absent"),
        (("stop",), "which jobs?"),
        (("stop", "nonesuch"), 'no job or target "nonesuch"'),
        (("wait",), "NAME|ID"),
        (("wait", "nonesuch"), 'no job "nonesuch"'),
        (("wait", "nonesuch", "--timeout", "soon"), "--timeout"),
    ],
)
def test_mistakes_are_one_line(ais: Ais, words: tuple[str, ...], text: str) -> None:
    assert text in ais(*words, code=1).stderr


def test_jobs_are_shown_again_and_again_until_interrupted(own: Node, tmp_path: Path) -> None:
    with subprocess.Popen(
        [str(BIN / "ais"), "show", "job", "--refresh", "10ms"],
        cwd=tmp_path,
        env=environment(own),
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        for _ in range(3):
            assert process.stdout.readline().startswith("No running jobs")
            assert process.stdout.readline() == "\n"
        # The interpreter loses one that comes while it tidies an object up.
        for _ in range(5):
            process.send_signal(signal.SIGINT)
            with suppress(subprocess.TimeoutExpired):
                process.wait(5)
                break
        assert process.poll() == 130
