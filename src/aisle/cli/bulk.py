"""Work over many objects: `ais object rm`, `ais prefetch`, `ais evict` and `ais blob-download`.

What deletes asks first, unless it was one object by its name, or told not to.
"""

from __future__ import annotations

import argparse
from typing import Any

from aisle.cli import uri as uris
from aisle.cli.failure import Failure, printable
from aisle.cli.flags import count, yes_flag
from aisle.cli.follow import follow, follow_flags
from aisle.cli.prompt import can_ask, confirmed
from aisle.cli.selecting import (
    Chosen,
    chosen,
    everything,
    named,
    names_of,
    selection_flags,
    single_flag,
)
from aisle.cli.uri import Uri
from aisle.client import Client

_CACHED = "1"  # of a listing: only what is in the cluster


def _common(parser: argparse.ArgumentParser, verb: str) -> None:
    parser.add_argument(
        "uri", metavar="URI", nargs="+", help="ais://bucket/name, or a bucket and what of it"
    )
    selection_flags(parser, verb)
    single_flag(parser)
    parser.add_argument(
        "--dry-run", action="store_true", help="print the names alone, and do nothing"
    )


def remove_arguments(parser: argparse.ArgumentParser) -> None:
    _common(parser, "remove")
    parser.add_argument("--all", action="store_true", help="remove all objects of the bucket")
    yes_flag(parser)
    follow_flags(parser)


def remove(client: Client, options: argparse.Namespace) -> None:
    for uri in _uris(options):
        many = _many(client, uri, options)
        if options.all:
            if many is not None or uri.key:
                raise Failure(f"{uri}: either all objects, or some of them")
            many = everything()
        if many is None and not uri.key:
            raise Failure(f"{uri}: which objects? --all removes all of them")
        if many is None:
            _remove_one(client, uri, options)
            continue
        if options.dry_run:
            _print_names(client, uri.parent, many, "remove")
            continue
        confirm(options, f"Remove {many.text} from {uri.parent}?")
        text = f"delete {many.text} from {uri.parent}"
        _begin(client, "DELETE", uri, "delete-listrange", many.value, text, options)


def _remove_one(client: Client, uri: Uri, options: argparse.Namespace) -> None:
    if options.dry_run:
        client.act("HEAD", uri.path, uri.query)
        print(f"[DRY RUN] remove {printable(str(uri))}")
        return
    client.act("DELETE", uri.path, uri.query)
    print(f'deleted "{printable(uri.key)}" from {uri.parent}')


def prefetch_arguments(parser: argparse.ArgumentParser) -> None:
    _common(parser, "prefetch")
    flag = parser.add_argument
    flag("--latest", action="store_true", help="get the latest versions of the remote bucket")
    flag(
        "--blob-threshold",
        metavar="SIZE",
        default="",
        help="get objects of this size and above in parts, several at a time",
    )
    flag("--num-workers", metavar="N", type=count, default=0, help="so many objects at a time")
    flag("--cont-on-err", action="store_true", help="go on after an object that cannot be had")
    follow_flags(parser)


def prefetch(client: Client, options: argparse.Namespace) -> None:
    for uri in _uris(options):
        many = _many(client, uri, options) or _one_or_all(uri)
        if options.dry_run:
            _print_names(client, uri.parent, many, "prefetch")
            continue
        value = {
            **many.value,
            "latest-ver": options.latest,
            "num-workers": options.num_workers,
            "coer": options.cont_on_err,
        }
        if options.blob_threshold:
            value["blob-threshold"] = options.blob_threshold
        text = f"prefetch {many.text} from {uri.parent}"
        _begin(client, "POST", uri, "prefetch-listrange", value, text, options)


def evict_arguments(parser: argparse.ArgumentParser) -> None:
    _common(parser, "evict")
    parser.add_argument(
        "--keep-md", action="store_true", help="keep the props of a bucket that is evicted whole"
    )
    follow_flags(parser)


def evict(client: Client, options: argparse.Namespace) -> None:
    for uri in _uris(options):
        many = _many(client, uri, options)
        if options.dry_run:
            _print_names(client, uri.parent, many or _one_or_all(uri), "evict", flags=_CACHED)
        elif many is None and not uri.key:
            _evict_bucket(client, uri, options)
        else:
            many = many or _one_or_all(uri)
            text = f"evict {many.text} from {uri.parent}"
            _begin(client, "DELETE", uri, "evict-listrange", many.value, text, options)


def _evict_bucket(client: Client, uri: Uri, options: argparse.Namespace) -> None:
    query = {**uri.query, "keep_bck_md": str(options.keep_md)}
    job = client.act("DELETE", uri.path, query, "evict-remote-bck").body.decode()
    status = client.job(job).status() if job else None
    if status is None or (status.finished and not status.aborted):
        print(f"{uri} evicted")
    else:  # it takes longer than the reply could
        follow(client, job, "evict-remote-bck", f"evict {uri}", options)


def blob_download_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("uri", metavar="URI", nargs="+", help="objects, such as s3://bucket/name")
    flag = parser.add_argument
    flag("--latest", action="store_true", help="get the latest version of the remote bucket")
    flag("--chunk-size", metavar="SIZE", default="", help="how much to get at a time")
    flag("--num-workers", metavar="N", type=count, default=0, help="so many parts at a time")
    follow_flags(parser)


def blob_download(client: Client, options: argparse.Namespace) -> None:
    for uri in [uris.object_(text) for text in options.uri]:
        value: dict[str, Any] = {"latest-ver": options.latest, "num-workers": options.num_workers}
        if options.chunk_size:
            value["chunk-size"] = options.chunk_size
        reply = client.act(
            "POST", objects_path(uri), uri.query, "blob-download", value, name=uri.key
        )
        text = f"download {printable(str(uri))}"
        follow(client, reply.body.decode(), "blob-download", text, options)


# --- what they share ----------------------------------------------------------------------------


def objects_path(uri: Uri) -> str:
    """The path of actions on the objects of a bucket."""
    return uri.parent.path.replace("/v1/buckets/", "/v1/objects/", 1)


def _uris(options: argparse.Namespace) -> list[Uri]:
    found = [uris.parse(text) for text in options.uri]
    for uri in found:
        if not uri.bucket:
            raise Failure(f'"{uri}" names no bucket')
    return found


def _many(client: Client, uri: Uri, options: argparse.Namespace) -> Chosen | None:
    """The objects that options or a URI name; `None` for one object, or a bucket alone."""
    return chosen(options, uri) or (named(client, uri, options) if uri.key else None)


def _one_or_all(uri: Uri) -> Chosen:
    if not uri.key:
        return everything()
    return Chosen({"objnames": [uri.key]}, f'"{printable(uri.key)}"')


def _begin(
    client: Client,
    method: str,
    uri: Uri,
    action: str,
    value: dict[str, Any],
    text: str,
    options: argparse.Namespace,
) -> None:
    reply = client.act(method, uri.parent.path, uri.query, action, value)
    follow(client, reply.body.decode(), action, text, options)


def confirm(options: argparse.Namespace, question: str) -> None:
    """Ask before objects are lost; where nobody can answer, that is a no."""
    if options.yes:
        return
    if not can_ask():
        raise Failure(f"{question} There is nobody to ask; --yes says so")
    if not confirmed(question):
        raise Failure("nothing was done")


def _print_names(client: Client, bucket: Uri, many: Chosen, verb: str, *, flags: str = "0") -> None:
    for name in names_of(client, bucket, many, flags):
        print(f"[DRY RUN] {verb} {bucket}/{printable(name)}")
