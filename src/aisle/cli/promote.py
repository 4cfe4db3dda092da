"""`ais promote`: files that a node has on a disk of its own become objects."""

from __future__ import annotations

import argparse

from aisle.cli import uri as uris
from aisle.cli.bulk import confirm, objects_path
from aisle.cli.failure import Failure, printable
from aisle.cli.flags import yes_flag
from aisle.cli.follow import follow, follow_flags
from aisle.client import Client


def arguments(parser: argparse.ArgumentParser) -> None:
    flag = parser.add_argument
    flag("path", metavar="PATH", help="a file or directory of the node, below its --promote-dir")
    flag("uri", metavar="URI", help="a bucket, and what the names of the objects begin with")
    flag("--recursive", "-r", action="store_true", help="promote what is in subdirectories too")
    flag("--overwrite-dst", "-o", action="store_true", help="replace objects that are there")
    flag("--delete-src", action="store_true", help="delete each file once it is an object")
    flag("--target-id", metavar="NODE", default="", help="the node that has the files")
    flag("--not-file-share", action="store_true", help="no other node sees these files")
    yes_flag(parser)
    follow_flags(parser)


def run(client: Client, options: argparse.Namespace) -> None:
    uri = uris.parse(options.uri)
    if not uri.bucket:
        raise Failure(f'"{options.uri}" names no bucket')
    if not options.path.startswith("/"):
        raise Failure(f"{options.path} is not an absolute path (of the node)")
    if options.delete_src:
        confirm(options, f"Delete the files in {printable(options.path)} once they are promoted?")
    value = {
        "tid": options.target_id,
        "src": options.path,
        "obj": uri.key,
        "rcr": options.recursive,
        "ovw": options.overwrite_dst,
        "dls": options.delete_src,
        "notshr": options.not_file_share,
    }
    path = objects_path(uri)
    reply = client.act("POST", path, uri.query, "promote", value, name=options.path)
    text = f"promote {printable(options.path)} => {printable(str(uri))}"
    follow(client, reply.body.decode(), "promote", text, options)
