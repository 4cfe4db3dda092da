"""The handler of promote.

Files are promoted by the node that has them, from the one directory that its operator allows
(`--promote-dir`). Where that is this node, what can be checked is checked at once.
"""

from __future__ import annotations

import asyncio
from typing import Final

import msgspec

from aisle.api.access import authorise
from aisle.api.base import Context, Response, Service
from aisle.api.native import smap
from aisle.api.native.message import Message, open_bucket
from aisle.api.native.multi import read_value, submit
from aisle.api.native.needs import PROMOTE
from aisle.api.native.route import Route
from aisle.core.errors import AccessDenied, InvalidArgument
from aisle.core.names import encode_key
from aisle.jobs.work.promote import promoted_name
from aisle.jobs.work.selection import bucket_args
from aisle.jobs.work.tree import Tree


class Promoting(msgspec.Struct, frozen=True):
    """The value of promote (AIStore's PromoteArgs). `notshr` is about files that several targets
    see: here one node promotes them in any case."""

    tid: str = ""
    src: str = ""
    obj: str = ""
    rcr: bool = False
    ovw: bool = False
    dls: bool = False
    notshr: bool = False


async def promote(svc: Service, ctx: Context, message: Message) -> Response:
    bucket = await open_bucket(svc, ctx)
    # To own a bucket is not enough: the files are the node's.
    by_role = ctx.who.bucket_bits.get(bucket.name, 0) & PROMOTE.bit
    await authorise(svc, ctx, PROMOTE, bucket if by_role else None)
    asked = read_value(message.value, Promoting)
    source = asked.src or message.name
    if not source:
        raise InvalidArgument("promote needs the path of a file or directory: src", name="src")
    node = (await smap.find(svc, ctx, asked.tid)).node if asked.tid else svc.node
    if node == svc.node:  # what another node allows is for that one to say
        if svc.promote_dir is None:
            raise AccessDenied(
                "this node promotes no files: whoever runs it has to name a directory"
                " (--promote-dir)"
            )
        await asyncio.to_thread(_check, Tree(svc.promote_dir), source, asked.obj)
    args = {
        **bucket_args(bucket),
        "src": source,
        "obj": asked.obj,
        "rcr": asked.rcr,
        "ovw": asked.ovw,
        "dls": asked.dls,
        "owner": bucket.record.owner,
    }
    return await submit(svc, ctx, "promote", args, only=node)


def _check(tree: Tree, source: str, given: str) -> None:
    parts = tree.parts(source)
    if tree.is_file(parts):
        encode_key(promoted_name(given, parts[-1:], one=True))


ROUTES: Final = (Route("POST", "objects/B", "action", ("promote",), "promote", promote),)
