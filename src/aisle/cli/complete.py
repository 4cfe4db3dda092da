"""What may come next on a command line: commands, options, their choices, buckets, objects, users.

Names are asked of the node, for as long as somebody at a prompt is ready to wait.
Whatever goes wrong, nothing is printed: an error amid the line that is being typed helps nobody.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import islice
from typing import Final

from aisle.cli.alias import words_of
from aisle.cli.parser import Parser, command_parser
from aisle.cli.preferences import Preferences
from aisle.cli.remotes import attached
from aisle.cli.uri import Uri, parse
from aisle.cli.words import Found, below, find
from aisle.client.client import Client
from aisle.client.errors import ClientError
from aisle.core.jobkinds import DISPLAYED
from aisle.core.permissions import NAMES, SETS

SECONDS: Final = 2.0
MOST: Final = 200
FILES: Final = "__files__"  # tells the script to complete names of files itself
# What the help calls an argument tells what it may be; words in lower case stand for themselves.
_FILES: Final = frozenset(("FILE", "DIR", "DIRECTORY"))
_JOBS: Final = frozenset(("ID", "KIND"))
_URIS: Final = frozenset(("URI", "BUCKET", "SRC", "DST"))
_OF_AUTH: Final = frozenset(("USER", "ROLE", "CLUSTER", "KEY", "POLICY", "PERMISSION"))
_NODES: Final = {"NODE": ("pmap", "tmap"), "TARGET": ("tmap",)}


def answer(words: Sequence[str]) -> None:
    """Print the candidates for the last of `words`, which may be empty, one a line."""
    # SystemExit: what a parser makes of a line that is not finished.
    with suppress(ClientError, OSError, ValueError, LookupError, SystemExit):
        for candidate in islice(candidates(list(words) or [""]), MOST):
            print(candidate)


def candidates(words: list[str]) -> Iterator[str]:
    """What the last word may become."""
    endpoint = ""
    while len(words) > 1 and words[0].startswith("--"):
        if words[0] == "--endpoint" and len(words) > 2:
            endpoint, words = words[1], words[2:]
        else:
            words = words[1:]
    *before, word = words
    found = _found(before)
    if found.command is None:
        if not found.rest:
            names = list(below(found.name))
            names += sorted(Preferences.load(os.environ).aliases) if not found.name else []
            yield from (name for name in names if name.startswith(word))
            if word.startswith("-") and not found.name:
                yield from _starting(["--endpoint", "--help", "--no-color", "--version"], word)
        return
    parser = command_parser(found.name, found.command)
    yield from _of_command(parser, found.rest, word, endpoint)


def _found(before: list[str]) -> Found:
    found = find(before)
    aliases = Preferences.load(os.environ).aliases if found.name == "" and found.rest else {}
    if found.rest and found.rest[0] in aliases:
        return find([*words_of(aliases[found.rest[0]]), *found.rest[1:]])
    return found


def _of_command(parser: Parser, rest: list[str], word: str, endpoint: str) -> Iterator[str]:
    asked = rest[-1] if rest else ""
    if asked.startswith("-") and asked != "-" and "=" not in asked:
        choices = parser.choices_of(asked)
        if choices is not None:
            yield from _starting(choices, word) if choices else (FILES,)
            return
    if word.startswith("--") and "=" in word:
        flag = word.partition("=")[0]
        yield from _starting([f"{flag}={one}" for one in parser.choices_of(flag) or ()], word)
        return
    if word.startswith("-"):
        yield from _starting(parser.flags, word)
        return
    index = parser.position(rest)
    choices = parser.choices_at(index)
    if choices:
        yield from _starting([choice for choice in choices if choice], word)
        return
    yield from _of_kind(set(parser.kind_at(index).split("|")), rest, word, endpoint)


def _of_kind(kinds: set[str], rest: list[str], word: str, endpoint: str) -> Iterator[str]:
    """What an argument may be that the help calls so."""
    yield from _starting(sorted(kind for kind in kinds if kind.islower()), word)
    if "COMMAND" in kinds:
        yield from candidates([*(one for one in rest if not one.startswith("-")), word])
    elif "ALIAS" in kinds:
        yield from _starting(sorted(Preferences.load(os.environ).aliases), word)
    elif kinds & _FILES and ":" not in word:
        yield FILES
    elif kinds & _URIS or ":" in word:
        yield from _uris(word, endpoint)
    elif kinds & _JOBS:
        yield from _jobs(kinds, word, endpoint)
    elif "REMOTE" in kinds:
        with _client(endpoint) as client:
            yield from _starting([one["alias"] for one in attached(client)], word)
    elif kinds & _OF_AUTH:
        with _client(endpoint) as client:
            yield from _starting(_of_auth(client, kinds, rest), word)
    elif kinds & _NODES.keys():
        with _client(endpoint) as client:
            maps = client.cluster_map()
        yield from _starting(
            [node for kind in kinds for key in _NODES.get(kind, ()) for node in maps[key]], word
        )


def _of_auth(client: Client, kinds: set[str], rest: list[str]) -> list[str]:
    """Names of users and roles, and what else `ais auth` takes."""
    auth = client.auth
    whose = next((one for one in rest if not one.startswith("-")), "")
    if "USER" in kinds:
        return [one.name for one in auth.users()]
    if "ROLE" in kinds:
        return [one.name for one in auth.roles()]
    if "CLUSTER" in kinds:
        return [one.alias or one.id for one in auth.clusters()]
    if "KEY" in kinds:
        return [one.access_key for one in auth.keys(whose)]
    if "POLICY" in kinds:
        return auth.user(whose).policies
    return [*SETS, *NAMES]


def _starting(names: Sequence[str], word: str) -> Iterator[str]:
    return (name for name in names if name.startswith(word))


def _jobs(kinds: set[str], word: str, endpoint: str) -> Iterator[str]:
    """The kinds of jobs, and the ids of those that run."""
    yield from _starting(sorted(DISPLAYED.values()), word)
    if "ID" in kinds:
        with _client(endpoint) as client:
            yield from _starting([job.id for job in client.jobs(active=True)], word)


def _client(endpoint: str) -> Client:
    environment = Preferences.load(os.environ).environment(os.environ)
    return Client.from_environment(environment, endpoint=endpoint, timeout=SECONDS)


def _uris(word: str, endpoint: str) -> Iterator[str]:
    """Buckets, or what is in one down to the next slash."""
    with _client(endpoint) as client:
        scheme, separator, rest = word.partition("://")
        uri = parse(word) if separator else Uri("")
        if uri.bucket and "/" in rest:
            yield from _objects(client, uri)
            return
        reply = client.buckets(provider=scheme if separator else "")
        yield from _starting([f"{bucket}/" for bucket in reply], word)


def _objects(client: Client, uri: Uri) -> Iterator[str]:
    bucket = client.bucket(uri.bucket, provider=uri.provider, namespace=uri.namespace)
    for entry in bucket.objects(uri.key, flat=True, limit=MOST):
        slash = "/" if entry.directory and not entry.name.endswith("/") else ""
        yield f"{bucket}/{entry.name}{slash}"
