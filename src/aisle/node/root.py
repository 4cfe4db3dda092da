"""The administrator's keys at the start of a node: those that were given, or those that are made.

With `--auth on` and no keys given, the store keeps keys that its first node has made. Whoever
starts that node sees them once, on standard output; they are never logged.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace

from aisle.core.errors import AisleError, ConfigError
from aisle.namespace.users import root
from aisle.node.engines import open_index
from aisle.node.options import NodeOptions


def settle(options: NodeOptions) -> NodeOptions:
    """The options with the keys of the store, if none are given and requests need some.

    Opens the index for a moment. Raises `ConfigError`.
    """
    if not options.auth_enabled or options.root_access_key:
        return options
    try:
        return asyncio.run(_from_store(options))
    except AisleError as error:
        raise ConfigError(str(error)) from None


async def _from_store(options: NodeOptions) -> NodeOptions:
    index = await open_index(options)
    try:
        made = await root.root_keys(index)
    finally:
        await index.close()
    return replace(
        options,
        root_access_key=made.keys.access_key,
        root_secret_key=made.keys.secret_key,
        root_made=made.fresh,
        root_kept=True,
    )


def shown(options: NodeOptions) -> str:
    """What is said of keys that have just been made."""
    return f"""\
The administrator's keys have been made. They are shown this once:

  export AWS_ACCESS_KEY_ID={options.root_access_key}
  export AWS_SECRET_ACCESS_KEY={options.root_secret_key}

The user root logs in with the secret key as its password. If they are lost, start the node with
AISLE_ROOT_ACCESS_KEY and AISLE_ROOT_SECRET_KEY, which take their place.
"""
