"""`ais archive gen-shards`: many archives of random files, to try things with."""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Iterator, Sequence

from aisle.cli import uri as uris
from aisle.cli.failure import Failure
from aisle.cli.flags import count, progress_flag, workers, workers_flag
from aisle.cli.packing import FORMS, Packed, kind_of, pack
from aisle.cli.progress import Progress, is_much, wanted
from aisle.cli.transfer import DEFAULT_WORKERS, Crew
from aisle.client import Client
from aisle.client.bodies import PIECE, Watch
from aisle.core.errors import InvalidArgument
from aisle.core.templates import parse as parse_template
from aisle.core.units import parse_size


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "uri", metavar="URI", help='a template, in quotes: "ais://bucket/shard-{000..999}.tar"'
    )
    flag = parser.add_argument
    flag("--fcount", metavar="N", type=count, default=5, help="files in each (default 5)")
    flag("--fsize", metavar="SIZE", default="1024", help="size of each file (default 1024)")
    flag("--fext", metavar="EXT", default=".test", help="extensions, comma-separated (.test)")
    flag("--tform", choices=[*FORMS], type=str.lower, default="pax", help="headers")
    flag("--cleanup", action="store_true", help="remove the bucket first, with all that is in it")
    workers_flag(parser, DEFAULT_WORKERS)
    progress_flag(parser)


def run(client: Client, options: argparse.Namespace) -> None:
    uri = uris.object_(options.uri)
    kind = kind_of(uri.key)
    try:
        template = parse_template(uri.key)
        size = parse_size(options.fsize)
    except (InvalidArgument, ValueError) as error:
        raise Failure(str(error)) from None
    number = workers(options)
    shards = template.count if template.prefix is None else 1
    names = template.names() if template.prefix is None else iter([uri.key])
    bucket = client.bucket(uri.bucket, provider=uri.provider, namespace=uri.namespace)
    if options.cleanup:
        bucket.destroy(missing_ok=True)
    bucket.create(exist_ok=True)
    asked = wanted(options.progress)
    extensions = [word.strip() for word in options.fext.split(",") if word.strip()] or [".test"]
    total = shards * size * options.fcount * len(extensions)
    shown = is_much(shards, total) if asked is None else asked
    label = "Shards created"
    with Progress(label, shards, total, shown=shown, refresh=options.refresh) as progress:

        def make(name: str) -> None:
            def watch(moved: int) -> None:
                crew.check()
                progress.moved(moved)

            pieces = pack(
                kind, _random(options.fcount, extensions, size, watch), FORMS[options.tform]
            )
            one = uri._replace(key=name)
            client.upload(one.path, one.query, {}, pieces, None)
            progress.done()

        crew = Crew(
            make, workers=number, keep_going=False, name=lambda name: name, abort=client.close
        )
        crew.run(names)
    print(f"Shards created: {progress.files}/{shards}")


def _random(files: int, extensions: Sequence[str], size: int, watch: Watch) -> Iterator[Packed]:
    """So many files, each with every extension in turn under one name (as WebDataset wants it)."""
    now = int(time.time())
    for number in range(files):
        stem = f"{os.urandom(10).hex()}-{number}"
        for extension in extensions:
            yield Packed(stem + extension, size, now, _bytes(size, watch))


def _bytes(size: int, watch: Watch) -> Iterator[bytes]:
    while size > 0:
        piece = os.urandom(min(size, PIECE))
        size -= len(piece)
        watch(len(piece))
        yield piece
