"""The two subcommands: their options, the loop they run in, their exit code.

Whatever ends one before its time is one line on standard error and exit code 1.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Mapping, Sequence

from aisle.core.errors import AisleError
from aisle.node import logs
from aisle.node.transfer import exports, imports, options


def run(arguments: Sequence[str], environ: Mapping[str, str]) -> int:
    """Run `export` or `import`, which `arguments` begin with, and return the exit code."""
    command, rest = arguments[0], arguments[1:]
    try:
        if command == "export":
            wanted = options.load_export(rest, environ)
            logs.configure(wanted.node.log_level, wanted.node.log_format)
            return asyncio.run(exports.run(wanted))
        given = options.load_import(rest, environ)
        logs.configure(given.node.log_level, given.node.log_format)
        return asyncio.run(imports.run(given))
    except AisleError as error:
        print(f"aisnode: error: {error}", file=sys.stderr)
    except KeyboardInterrupt:
        print("aisnode: interrupted; run it again to go on", file=sys.stderr)
    return 1
