"""`ais cp`: a bucket or many of its objects to another bucket, or one object to another name."""

from __future__ import annotations

import argparse
import posixpath
from typing import Any

from aisle.cli import uri as uris
from aisle.cli.failure import Failure, printable
from aisle.cli.flags import count
from aisle.cli.follow import follow, follow_flags, wait
from aisle.cli.selecting import Chosen, chosen, named, objects_text, selection_flags, single_flag
from aisle.cli.tables import size_text
from aisle.cli.uri import Uri
from aisle.client import Client


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "source", metavar="SRC", help="a bucket, an object, or a prefix in a bucket"
    )
    parser.add_argument("to", metavar="DST", help="a bucket, or of one object its new name")
    selection_flags(parser, "copy")
    single_flag(parser)
    flag = parser.add_argument
    flag("--all", action="store_true", help="copy objects too that are in a remote bucket only")
    flag("--latest", action="store_true", help="look for newer versions in the remote bucket")
    flag("--sync", action="store_true", help="delete in DST what SRC does not have (any more)")
    flag("--prepend", metavar="TEXT", default="", help="put this before the name of each copy")
    flag("--dry-run", action="store_true", help="count what would be copied, and copy nothing")
    flag("--force", "-f", action="store_true", help="run even beside jobs that are in its way")
    flag("--num-workers", metavar="N", type=count, default=0, help="so many objects at a time")
    flag("--cont-on-err", action="store_true", help="go on after an object that cannot be copied")
    follow_flags(parser)


def run(client: Client, options: argparse.Namespace) -> None:
    source, to = uris.parse(options.source), uris.parse(options.to)
    for uri, text in ((source, options.source), (to, options.to)):
        if not uri.bucket:
            raise Failure(f'"{text}" names no bucket')
    many = chosen(options, source)
    if many is None and source.key:
        many = named(client, source, options)
        if many is None:
            _copy_object(client, source, to, options)
            return
    if to.key:
        raise Failure(f"many objects go to a bucket, not to {to} (--prepend changes their names)")
    _copy_many(client, source.parent, to, many, options)


def _copy_object(client: Client, source: Uri, to: Uri, options: argparse.Namespace) -> None:
    if not to.key:
        to = to._replace(key=options.prepend + source.key)
    elif to.key.endswith("/"):
        to = to._replace(key=to.key + posixpath.basename(source.key))
    text = f"{printable(str(source))} => {printable(str(to))}"
    if options.dry_run:
        client.act("HEAD", source.path, source.query)
        print(f"[DRY RUN] copy {text}")
        return
    query = {**source.query, "object_to": to.uname}
    if options.latest:
        query["latest-ver"] = "true"
    if options.sync:
        query["synchronize"] = "true"
    client.upload(source.path, query, {}, [], 0)
    print(f"copied {text}")


def _copy_many(
    client: Client, source: Uri, to: Uri, many: Chosen | None, options: argparse.Namespace
) -> None:
    value: dict[str, Any] = {
        "prepend": options.prepend,
        "dry_run": options.dry_run,
        "force": options.force,
        "latest-ver": options.latest,
        "synchronize": options.sync,
        "num-workers": options.num_workers,
        "coer": options.cont_on_err,
    }
    text = f"{source} to {to}"
    if many is None or many.prefix is not None:
        kind = "copy-bck"
        value["prefix"] = many.prefix if many is not None else ""
        # AIStore's flt-presence: all that exists, or what is in the cluster.
        query = {**source.query, "bck_to": to.uname, "presence": "0" if options.all else "2"}
        reply = client.act("POST", source.path, query, kind, value)
        if many is not None:
            text = f"{many.text} of {text}"
    else:
        kind = "copy-listrange"
        value |= {**many.value, "tobck": _bucket(to)}
        reply = client.act("POST", source.path, source.query, kind, value)
        text = f"{many.text} from {text}"
    job = reply.body.decode()
    if not options.dry_run:
        follow(client, job, kind, f"copy {text}", options)
        return
    status = wait(client, job)
    print(
        f"[DRY RUN] {objects_text(status.objects)} ({size_text(status.bytes)}) would be copied:"
        f" {text}"
    )


def _bucket(uri: Uri) -> dict[str, Any]:
    uuid, _, name = uri.namespace.removeprefix("@").partition("#")
    return {
        "name": uri.bucket,
        "provider": uri.provider,
        "namespace": {"uuid": uuid, "name": name},
    }
