"""`ais mpu`: an object uploaded in parts, from as many terminals as one likes."""

from __future__ import annotations

import argparse
import os

from aisle.cli import uri as uris
from aisle.cli.failure import Failure, printable
from aisle.cli.tables import size_text
from aisle.client.bodies import FileBody
from aisle.client.client import Client


def _common(parser: argparse.ArgumentParser, *words: tuple[str, str]) -> None:
    """A URI, then words that may be given as flags instead, and `--verbose`."""
    parser.add_argument("uri", metavar="URI", help="such as ais://bucket/name")
    if words:
        names = " ".join(name.upper().replace("-", "_") for name, _ in words)
        parser.add_argument(
            "words", metavar="VALUE", nargs="*", help=f"{names}, those that no option gives"
        )
    for name, text in words:
        if name != "file":
            parser.add_argument(f"--{name}", metavar="VALUE", default="", help=text)
    parser.add_argument("--verbose", "-v", action="store_true", help="tell what is being done")


def _values(options: argparse.Namespace, *names: str) -> list[str]:
    """The values of `names`, from options or else from words in their order. Raises `Failure`."""
    words = list(options.words)
    found = []
    for name in names:
        value = getattr(options, name, "")
        if not value:
            if not words:
                raise Failure(f"the {name.replace('_', ' ')} is missing")
            value = words.pop(0)
        found.append(value)
    if words:
        raise Failure(f'"{words[0]}" is one word too many')
    return found


_UPLOAD = ("upload-id", "the upload, as create has told it")


def create_arguments(parser: argparse.ArgumentParser) -> None:
    _common(parser)


def create(client: Client, options: argparse.Namespace) -> None:
    uri = uris.object_(options.uri)
    reply = client.act("POST", uri.path, uri.query, "mpt-upload")
    if options.verbose:
        print(f"Created multipart upload for {printable(str(uri))}")
    print(f"Upload ID: {printable(reply.body.decode('ascii', 'replace'))}")


def put_part_arguments(parser: argparse.ArgumentParser) -> None:
    number = ("part-number", "which part it is, from 1 to 10000")
    _common(parser, _UPLOAD, number, ("file", "the file with its bytes"))


def put_part(client: Client, options: argparse.Namespace) -> None:
    uri = uris.object_(options.uri)
    upload, number, path = _values(options, "upload_id", "part_number", "file")
    with open(path, "rb") as file:
        body = FileBody(file)
        if options.verbose:
            size = size_text(os.fstat(file.fileno()).st_size)
            print(f"Uploading part {number} from {printable(path)} ({size})...")
        query = {**uri.query, "uploadId": upload, "partNumber": number}
        client.upload(uri.path, query, {}, body.pieces, body.size)
    print(f"Uploaded part {number} for {printable(str(uri))} (upload ID: {printable(upload)})")


def complete_arguments(parser: argparse.ArgumentParser) -> None:
    _common(parser, _UPLOAD, ("part-numbers", "the parts, such as 1,2,3"))


def complete(client: Client, options: argparse.Namespace) -> None:
    uri = uris.object_(options.uri)
    upload, text = _values(options, "upload_id", "part_numbers")
    numbers = [word.strip() for word in text.split(",") if word.strip()]
    if not numbers or not all(number.isdecimal() for number in numbers):
        raise Failure(f'"{text}" is not a list of part numbers such as 1,2,3')
    name = printable(str(uri))
    if options.verbose:
        print(f"Completing multipart upload for {name} with {len(numbers)} parts...")
    parts = [{"part-number": int(number), "etag": ""} for number in numbers]
    client.act("POST", uri.path, {**uri.query, "uploadId": upload}, "mpt-complete", parts)
    print(f"Successfully completed multipart upload for {name}")


def abort_arguments(parser: argparse.ArgumentParser) -> None:
    _common(parser, _UPLOAD)


def abort(client: Client, options: argparse.Namespace) -> None:
    uri = uris.object_(options.uri)
    (upload,) = _values(options, "upload_id")
    name = printable(str(uri))
    if options.verbose:
        print(f"Aborting multipart upload for {name} (upload ID: {printable(upload)})...")
    client.act("DELETE", uri.path, {**uri.query, "uploadId": upload}, "mpt-abort")
    print(f"Successfully aborted multipart upload for {name}")
