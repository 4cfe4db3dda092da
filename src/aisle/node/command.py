"""The `aisnode` command around any application: options, directories, banner, exit code.

Everything that keeps a node from starting ends as one line on standard error and exit code 1.
"""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Final
from urllib.parse import urlsplit

from aisle import __version__
from aisle.core.errors import ConfigError
from aisle.node import directories, options, root, selfsigned, supervisor, tls
from aisle.node.options import NodeOptions
from aisle.node.optiontable import variable_of
from aisle.node.worker import OpenApp

_GIVEN_KEYS: Final = f"those of {variable_of('root_access_key')}"


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
            if given.root_made:
                print(root.shown(given), flush=True)
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
        keys = "the administrator's or a user's" if given.root_kept else _GIVEN_KEYS
    else:
        who = "anyone who can reach this address" if given.insecure else "this machine only"
        auth = f"off: {who} may read and write"
        keys = "any will do"
    ais, aws, s3cmd, trust, more = _tools(given)
    return f"""\
Aisle {__version__} is ready

  endpoint         {endpoint}   (S3 here and under /s3){trust}
  data             {place_of(given)}
  authentication   {auth}

Try (S3 tools need keys in AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY: {keys}):
  {ais} create ais://demo
  aws{aws} --endpoint-url {endpoint} s3 cp README.md s3://demo/
  s3cmd{s3cmd} --host={authority}/s3 --host-bucket='{authority}/s3/%(bucket)' ls s3://demo
{more}"""


def _tools(given: NodeOptions) -> tuple[str, str, str, str, str]:
    """How `ais` is called, what `aws` and `s3cmd` need besides, what is told of the certificate,
    and what else there is to try."""
    endpoint, cert = given.endpoint, given.tls_cert
    if cert is None:
        return "ais", "", " --no-ssl", "", ""
    told = f"\n  certificate      {cert}   "
    if not given.tls_self_signed:
        return (
            f"AIS_ENDPOINT={endpoint} ais",
            "",
            "",
            f"{told}(clients must trust who signed it)",
            "",
        )
    file = shlex.quote(str(cert))
    return (
        f"AIS_ENDPOINT={endpoint} AIS_CLIENT_CA={file} ais",
        f" --ca-bundle {file}",
        f" --ca-certs={file}",
        f"{told}(signed by itself)\n  SHA-256          {selfsigned.place(given).fingerprint}",
        f"  curl --cacert {file} {endpoint}/v1/health\n"
        "Trusting anybody instead, on a network where that does no harm: aws --no-verify-ssl,\n"
        "s3cmd --no-check-certificate, curl --insecure, AIS_SKIP_VERIFY_CRT=true ais\n",
    )
