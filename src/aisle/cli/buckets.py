"""`ais create`, `ais bucket rm` and `ais bucket mv`: buckets come, go, and change their names."""

from __future__ import annotations

import argparse
import shlex
from typing import Final

from aisle.cli import uri as uris
from aisle.cli.failure import Failure, Refused
from aisle.cli.flags import idle_flag, yes_flag
from aisle.cli.follow import wait
from aisle.cli.listing import pages
from aisle.cli.notes import note, note_settings
from aisle.cli.prompt import can_ask, confirmed
from aisle.cli.props import assignments
from aisle.cli.uri import Uri, is_elsewhere
from aisle.client import Client

DEFAULTS_PAGE: Final = (
    "https://github.com/NVIDIA/aistore/blob/main/docs/bucket.md#default-bucket-properties"
)
_CONFLICT: Final = 409
_MISSING: Final = 404


def create_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("uri", metavar="BUCKET", nargs="+", help="such as ais://abc")
    parser.add_argument(
        "--props",
        default="",
        help='props other than the defaults: "checksum.type=md5 etag.type=opaque", or JSON',
    )
    parser.add_argument(
        "--ignore-error", action="store_true", help="a bucket that is there already is no failure"
    )
    parser.add_argument(
        "--skip-lookup", action="store_true", help="do not look a remote bucket up first"
    )
    idle_flag(parser, "--force", "-f")


def create(client: Client, options: argparse.Namespace) -> None:
    named = [uris.bucket(text) for text in options.uri]
    text = options.props.strip()
    try:
        words = [text] if text.startswith("{") else shlex.split(text)
    except ValueError as error:
        raise Failure(f"--props: {error}") from None
    props = assignments(words)
    lookup = {"dont_head_remote_bck": "true"} if options.skip_lookup else {}
    for uri in named:
        try:
            client.act("POST", uri.path, {**uri.query, **lookup}, "create-bck", props)
        except Refused as error:
            if not (options.ignore_error and error.status == _CONFLICT):
                raise
            note(str(error))
            continue
        print(f'"{uri}" created (see {DEFAULTS_PAGE})')
    note_settings(props)


def remove_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("uri", metavar="BUCKET", nargs="+", help="such as ais://abc")
    parser.add_argument(
        "--ignore-error", action="store_true", help="a bucket that is not there is no failure"
    )
    yes_flag(parser)


def remove(client: Client, options: argparse.Namespace) -> None:
    for uri in [uris.bucket(text) for text in options.uri]:
        try:
            if not (options.yes or is_elsewhere(uri)) and any(
                pages(client, uri, {"props": "name"}, 1)
            ):
                _confirm(uri)
            client.act("DELETE", uri.path, uri.query, "destroy-bck")
        except Refused as error:
            if not (options.ignore_error and error.status == _MISSING):
                raise
            note(str(error))
            continue
        stays = " (in the cluster; the remote bucket stays as it is)" if is_elsewhere(uri) else ""
        print(f'"{uri}" destroyed{stays}')


def _confirm(uri: Uri) -> None:
    """Ask before objects are lost; where nobody can answer, that is a no."""
    if not can_ask():
        raise Failure(f"{uri} is not empty; --yes destroys it with all that is in it")
    if not confirmed(f"Destroy {uri} with all that is in it?"):
        raise Failure(f"{uri} was left as it is")


def move_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("uri", metavar="BUCKET", help="such as ais://abc")
    parser.add_argument("to", metavar="NEW_BUCKET", help="its new name, such as ais://xyz")
    parser.add_argument("--wait", action="store_true", help="until it is done")
    parser.add_argument(
        "--non-verbose", "--nv", action="store_true", help="print the id of the job alone"
    )


def move(client: Client, options: argparse.Namespace) -> None:
    uri, new = uris.bucket(options.uri), uris.bucket(options.to)
    query = {**uri.query, "bck_to": new.uname}
    job = client.act("POST", uri.path, query, "move-bck").body.decode()
    if options.non_verbose and not options.wait:
        print(job)
        return
    text = f"rename-bucket[{job}] {uri} => {new}"
    if not options.wait:
        print(f"{text}. To monitor the progress, run 'ais show job {job}'")
        return
    print(f"{text} ...", flush=True)
    if error := wait(client, job).error:
        raise Failure(f"job {job} failed: {error}")
    print("Done.")
