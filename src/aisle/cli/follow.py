"""A job that a command has begun: say how to watch it, or wait for it and say how it went."""

from __future__ import annotations

import argparse
import time

from aisle.cli.failure import Failure, printable
from aisle.cli.flags import progress_flag
from aisle.cli.progress import Progress, interval
from aisle.cli.selecting import objects_text
from aisle.cli.tables import size_text
from aisle.client import Client
from aisle.client.jobs import JobStatus
from aisle.core.jobkinds import DISPLAYED

_SHORTEST, _LONGEST = 0.02, 0.5  # seconds between two looks


def follow_flags(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--wait", action="store_true", help="wait until it is done")
    progress_flag(parser)
    parser.add_argument(
        "--non-verbose", "--nv", action="store_true", help="print the id of the job alone"
    )


def follow(client: Client, job: str, kind: str, text: str, options: argparse.Namespace) -> None:
    """Tell of a job that was begun; with --wait or --progress, wait for it."""
    kind = DISPLAYED[kind]
    announce(job, f"{kind}[{job}]: {text}", options)
    if options.wait or options.progress:
        status = wait(
            client, job, label=kind, shown=bool(options.progress), refresh=options.refresh
        )
        if not options.non_verbose:
            print(f"Done: {objects_text(status.objects)} ({size_text(status.bytes)}).")
        if status.error:
            raise Failure(f"{status.error}: {_reasons(client, job)}")


def announce(job: str, text: str, options: argparse.Namespace) -> None:
    """Say that a job was begun, and how to watch it unless that is what follows."""
    if options.non_verbose:
        print(job)
    elif not (options.wait or options.progress):
        print(f"{text}. To monitor the progress, run 'ais show job {job}'")
    else:
        print(f"{text} ...", flush=True)


def wait(
    client: Client, job: str, *, label: str = "", shown: bool = False, refresh: str = ""
) -> JobStatus:
    """Wait until a job has ended. Raises `Failure` if it did not go through to the end; objects
    that it passed over are in the `error` of its status."""
    pause, longest = _SHORTEST, max(_SHORTEST, interval(refresh)) if refresh else _LONGEST
    with Progress(label, 0, None, shown=shown, refresh=refresh) as bar:
        moved = 0
        while True:
            status = client.job(job).status()
            bar.moved(status.bytes - moved)
            moved = status.bytes
            if status.finished:
                break
            time.sleep(pause)
            pause = min(pause * 2, longest)
    if status.aborted:
        raise Failure(f"job {job} failed: {status.error or 'it was stopped'}")
    return status


def _reasons(client: Client, job: str) -> str:
    """What a job tells of the objects that it passed over."""
    told = client.ask("GET", "/v1/cluster", {"what": "qryxstats"}, {"ID": job})
    found = [snap["ctlmsg"] for snaps in (told or {}).values() for snap in snaps if snap["ctlmsg"]]
    return printable("; ".join(found))
