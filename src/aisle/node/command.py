"""The `aisnode` command around any application: options, directories, banner, exit code.

Everything that keeps a node from starting ends as one line on standard error and exit code 1.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Final
from urllib.parse import urlsplit

from aisle import __version__
from aisle.core.errors import ConfigError
from aisle.node import directories, options, supervisor, tls
from aisle.node.options import NodeOptions
from aisle.node.worker import OpenApp

ACCESS_KEY_ENV: Final = options.variable_of("root_access_key")


def run(
    arguments: Sequence[str],
    environ: Mapping[str, str],
    open_app: OpenApp,
    settle: Callable[[NodeOptions], NodeOptions] = lambda given: given,
) -> int:
    """Run a node until it is told to stop, and return the exit code.

    `settle` adds what only the store knows, once its directories are held.
    """
    try:
        given = options.load(arguments, environ)
        held = directories.hold(given)
        try:
            given = settle(directories.identify(given))
            tls.check(given)
            supervisor.serve(given, open_app, lambda: print(banner(given), flush=True))
        finally:
            for fd in held:
                os.close(fd)
    except ConfigError as error:
        print(f"aisnode: error: {error}", file=sys.stderr)
        return 1
    return 0


def place_of(given: NodeOptions) -> str:
    """Where rows and bytes are kept, without what a URL holds of secrets."""
    if given.embedded and not given.blobs:
        return str(given.data)
    rows = bare(given.index) if given.index else str(given.data / "index.db")
    blobs = bare(given.blobs) if given.blobs else ", ".join(map(str, given.mountpaths))
    return f"rows in {rows}, objects in {blobs}"


def bare(url: str) -> str:
    """A URL's scheme, host and path."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def banner(given: NodeOptions) -> str:
    """What a user sees when the node answers: where it is, and three commands to try."""
    endpoint = given.endpoint
    authority = endpoint.removeprefix(f"{given.scheme}://")
    if given.auth_enabled:
        auth = "on"
        keys = f"those of {ACCESS_KEY_ENV}"
    else:
        who = "anyone who can reach this address" if given.insecure else "this machine only"
        auth = f"off: {who} may read and write"
        keys = "any will do"
    if given.tls_cert:
        ais, ssl = f"AIS_ENDPOINT={endpoint} ais", ""
        trust = f"\n  certificate      {given.tls_cert}   (clients must trust who signed it)"
    else:
        ais, ssl, trust = "ais", " --no-ssl", ""
    return f"""\
Aisle {__version__} is ready

  endpoint         {endpoint}   (S3 here and under /s3){trust}
  data             {place_of(given)}
  authentication   {auth}

Try (S3 tools need keys in AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY: {keys}):
  {ais} create ais://demo
  aws --endpoint-url {endpoint} s3 cp README.md s3://demo/
  s3cmd{ssl} --host={authority}/s3 --host-bucket='{authority}/s3/%(bucket)' ls s3://demo
"""
