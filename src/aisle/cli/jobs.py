"""`ais show job`, `ais start`, `ais stop` and `ais wait`: what the cluster does in the background.

A job is named by its id or by its kind, under either of the kind's names (`copy-bck`,
`copy-bucket`), or the family of several (`copy`).
"""

from __future__ import annotations

import argparse
import json
import re
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Any, Final

from aisle.cli import uri as uris
from aisle.cli.failure import Failure
from aisle.cli.flags import (
    count,
    headers_flag,
    json_flag,
    progress_flag,
    regex_flag,
    units_flag,
    yes_flag,
)
from aisle.cli.follow import announce
from aisle.cli.follow import wait as wait_for
from aisle.cli.jobtable import Shown, read, tables
from aisle.cli.progress import Progress, interval
from aisle.cli.prompt import can_ask, confirmed
from aisle.cli.tables import size_text
from aisle.client import Client
from aisle.core.jobkinds import displayed, named
from aisle.core.units import parse_duration

# Kinds that have a command of their own, which knows what they need.
COMMANDS: Final = {
    "archive": "archive bucket",
    "blob-download": "blob-download",
    "create-inventory": "nbi create",
    "copy-bck": "cp",
    "copy-listrange": "cp",
    "delete-listrange": "object rm",
    "evict-listrange": "evict",
    "move-bck": "bucket mv",
    "prefetch-listrange": "prefetch",
    "promote": "promote",
    "summary-bck": "bucket summary",
}
_SHORTEST, _LONGEST = 0.02, 0.5  # seconds between two looks at a job that is waited for


# --- show -----------------------------------------------------------------------------------------


def show_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "words",
        metavar="NAME|ID",
        nargs="*",
        help="a kind of jobs, a job, and if you like a node or a bucket (default: what runs)",
    )
    flag = parser.add_argument
    flag("--all", "-a", action="store_true", help="jobs that are over, too")
    regex_flag(parser, "jobs with a name, id or bucket")
    flag("--top", metavar="N", type=count, default=0, help="the N latest jobs only")
    flag("--refresh", metavar="DURATION", default="", help="show them again and again, as of 5s")
    flag("--verbose", "-v", action="store_true", help="all that is known of each job")
    json_flag(parser)
    headers_flag(parser)
    units_flag(parser)


def show(client: Client, options: argparse.Namespace) -> None:
    pause = interval(options.refresh) if options.refresh else 0.0
    while True:
        _show(client, options)
        if not pause:
            return
        time.sleep(pause)
        if not options.json:
            print(flush=True)


def _show(client: Client, options: argparse.Namespace) -> None:
    found = _chosen(client, options)
    if options.top:
        found = found[: options.top]
    if options.json:
        told: dict[str, list[Any]] = {}
        for job in found:
            told.setdefault(job.target, []).append(job.snap)
        print(json.dumps(told, indent=4), flush=True)
        return
    if not found and not options.no_headers:
        print(_none(options))
    for line in tables(
        found,
        datetime.now().astimezone(),
        headers=not options.no_headers,
        units=options.units,
        verbose=options.verbose,
    ):
        print(line, flush=True)


def _none(options: argparse.Namespace) -> str:
    kinds = [word for word in options.words if named(word)]
    what = "".join(f' "{word}"' for word in kinds) + " jobs"
    if options.all:
        return f"There are no{what}"
    return f"No running{what} (those that are over: --all)"


def _chosen(client: Client, options: argparse.Namespace) -> list[Shown]:
    """The jobs that the words name; what runs if no job is named by its id. Raises `Failure`."""
    matches = _expression(options.regex)
    kinds, rest, buckets = _sorted(options.words)
    found = _ask(client, {"ID": rest[0]}) if rest else []
    live = not options.all
    if found:
        rest, live = rest[1:], False
    else:
        found = _ask(client, {"OnlyRunning": live})
    for word in rest:
        if word not in client.cluster_map()["tmap"]:
            raise Failure(f'there is no job or target "{word}"')
        found = [job for job in found if job.target == word]
    if kinds:
        found = [job for job in found if job.kind in kinds]
    if buckets:
        found = [job for job in found if not buckets.isdisjoint(job.buckets)]
    found = [job for job in found if not (live and job.over)]
    return [job for job in found if any(map(matches, (job.name, job.kind, *job.buckets)))]


def _sorted(words: Sequence[str]) -> tuple[frozenset[str], list[str], frozenset[str]]:
    """The kinds that are named, the ids or targets, and the buckets. Raises `Failure`."""
    kinds: frozenset[str] = frozenset()
    buckets: set[str] = set()
    rest: list[str] = []
    for word in words:
        if ":" in word:
            buckets.add(str(uris.bucket(word)))
        elif found := named(word):
            kinds |= found
        else:
            rest.append(word)
    if len(rest) > 2:
        raise Failure(f"there is no kind of jobs that has a name such as: {', '.join(rest)}")
    return kinds, rest, frozenset(buckets)


def _ask(client: Client, query: dict[str, Any]) -> list[Shown]:
    return read(client.ask("GET", "/v1/cluster", {"what": "qryxstats"}, query) or {})


def _expression(text: str) -> Callable[[str], object]:
    """What tells whether a name matches. Raises `Failure`."""
    try:
        return re.compile(text).search
    except re.error as error:
        raise Failure(f"--regex: {error}") from None


# --- start ----------------------------------------------------------------------------------------


def start_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="KIND", help="the kind of job, such as cleanup")
    parser.add_argument(
        "words", metavar="BUCKET", nargs="*", help="where, or a target (default: everywhere)"
    )
    parser.add_argument("--force", "-f", action="store_true", help="also where it is switched off")
    parser.add_argument("--wait", action="store_true", help="wait until it is done")
    progress_flag(parser)
    parser.add_argument(
        "--non-verbose", "--nv", action="store_true", help="print the id of the job alone"
    )


def start(client: Client, options: argparse.Namespace) -> None:
    kinds = named(options.name)
    if not kinds:
        raise Failure(f'there is no kind of jobs "{options.name}"')
    own = next((COMMANDS[kind] for kind in sorted(kinds) if kind in COMMANDS), "")
    if own:
        raise Failure(f"\"{options.name}\" has a command of its own: see 'ais {own} --help'")
    if len(kinds) > 1:
        raise Failure(f'"{options.name}" may be any of: {", ".join(sorted(kinds))}')
    (kind,) = kinds
    targets = [word for word in options.words if ":" not in word]
    if len(targets) > 1:
        raise Failure(f"one target, or all of them: {', '.join(targets)}")
    buckets = [_described(word) for word in options.words if ":" in word]
    value = {"Kind": kind, "DaemonID": "".join(targets), "Buckets": buckets}
    query = {"frc": "true"} if options.force else {}
    job = client.act("PUT", "/v1/cluster", query, "start", value).body.decode()
    name = f"{displayed(kind)}[{job}]"
    announce(job, f"Started {name}", options)
    if options.wait or options.progress:
        shown = bool(options.progress)
        wait_for(client, job, label=name, shown=shown, refresh=options.refresh)
        if not options.non_verbose:
            print("Done.")


def _described(word: str) -> dict[str, Any]:
    """A bucket as messages name it."""
    uri = uris.bucket(word)
    space = uri.query.get("namespace", "")
    uuid, _, name = space.removeprefix("@").partition("#")
    return {
        "name": uri.bucket,
        "provider": uri.provider,
        "namespace": {"uuid": uuid, "name": name},
    }


# --- stop -----------------------------------------------------------------------------------------


def stop_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "words", metavar="NAME|ID", nargs="*", help="a kind of jobs or a job, and if you like a"
        " bucket"
    )  # fmt: skip
    parser.add_argument("--all", "-a", action="store_true", help="all jobs that run")
    regex_flag(parser, "jobs with a name, id or bucket")
    yes_flag(parser)


def stop(client: Client, options: argparse.Namespace) -> None:
    if not (options.words or options.all or options.regex):
        raise Failure("which jobs? Name one or a kind of them, or all with --all")
    options.all, everything = False, options.all and not options.words
    found = _chosen(client, options)
    running = [job for job in found if not job.over]
    for job in found:
        if job.over:
            print(f"{job.name} is over ({job.state}): nothing to do")
    if not found:
        print("No such jobs run: nothing to do")
    if everything and running and not options.yes:
        if not can_ask():
            raise Failure(f"--yes stops all {len(running)} jobs that run")
        if not confirmed(f"Stop all {len(running)} jobs that run?"):
            raise Failure("nothing was stopped")
    for job in running:
        client.act("PUT", "/v1/cluster", {}, "stop", {"ID": job.id, "Kind": job.kind})
        print(f"Stopped {job.name}")


# --- wait -----------------------------------------------------------------------------------------


def wait_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "words", metavar="NAME|ID", nargs="+", help="a job, or a kind of them: all that run"
    )
    parser.add_argument(
        "--timeout", metavar="DURATION", default="", help="how long at most, such as 1m"
    )
    progress_flag(parser)


def wait(client: Client, options: argparse.Namespace) -> None:
    deadline = time.monotonic() + _seconds(options.timeout) if options.timeout else None
    ids = list(_ids(client, options.words))
    if not ids:
        print("No such jobs run: nothing to wait for")
    failed = []
    for job in ids:
        shown = _wait(client, job, options, deadline)
        if shown.error or shown.state == "Aborted":
            failed.append(f"{shown.name} failed: {shown.error or 'it was stopped'}")
        else:
            print(f"Done: {_count(shown)}.")
    if failed:
        raise Failure("; ".join(failed))


def _ids(client: Client, words: Sequence[str]) -> Iterator[str]:
    for word in words:
        kinds = named(word)
        if not kinds:
            yield word
            continue
        yield from (job.id for job in _ask(client, {"OnlyRunning": True}) if job.kind in kinds)


def _wait(client: Client, job: str, options: argparse.Namespace, deadline: float | None) -> Shown:
    """The job once it is over. Raises `Failure`."""
    pause = _SHORTEST
    longest = max(_SHORTEST, interval(options.refresh)) if options.refresh else _LONGEST
    seen = _one(client, job)
    if not seen.over:
        print(f"Waiting for {seen.name} ...", flush=True)
    with Progress(seen.name, 0, None, shown=bool(options.progress)) as bar:
        moved = 0
        while not seen.over:
            if deadline is not None and time.monotonic() > deadline:
                raise Failure(f"{seen.name} still runs after {options.timeout}: {_count(seen)}")
            time.sleep(pause)
            pause = min(pause * 2, longest)
            seen = _one(client, job)
            bar.moved(seen.bytes - moved)
            moved = seen.bytes
    return seen


def _one(client: Client, job: str) -> Shown:
    found = _ask(client, {"ID": job})
    if not found:
        raise Failure(f'there is no job "{job}"')
    return found[0]


def _count(job: Shown) -> str:
    objects = "1 object" if job.objects == 1 else f"{job.objects} objects"
    return f"{objects} ({size_text(job.bytes)})"


def _seconds(duration: str) -> float:
    try:
        return parse_duration(duration) / 1e9
    except ValueError as error:
        raise Failure(f"--timeout: {error}") from None
