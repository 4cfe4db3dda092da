"""A tiny application behind the real supervisor, for the tests of this directory.

`python -m tests.node.tiny OPTIONS` is `aisnode OPTIONS` with this application in place of the
store. `TINY_FAIL` makes its start fail: `open`, `bug` or `startup`, or never end: `hang`.
"""

import asyncio
import os
import signal
import sys

from aisle.core.errors import StoreError
from aisle.node.command import run
from aisle.node.options import NodeOptions
from aisle.node.worker import App, Message, Receive, Send


def open_tiny(options: NodeOptions) -> App:
    failure = os.environ.get("TINY_FAIL", "")
    if failure == "open":
        raise StoreError("the index is of a newer version")
    if failure == "bug":
        raise RuntimeError("a bug")

    async def lifespan(receive: Receive, send: Send) -> None:
        while True:
            message = await receive()
            if failure == "hang":
                await asyncio.sleep(600)
            if failure == "startup":
                await send({"type": "lifespan.startup.failed", "message": "the disk is gone"})
            await send({"type": f"{message['type']}.complete"})
            if message["type"] == "lifespan.shutdown":
                (options.data / f"closed-{os.getpid()}").touch()
                return

    async def app(scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await lifespan(receive, send)
            return
        size = 0
        while True:
            message = await receive()
            size += len(message.get("body", b""))
            if not message.get("more_body"):
                break
        if scope["path"] == "/die":
            os.kill(os.getpid(), signal.SIGKILL)
        if scope["path"] == "/stuck":
            await asyncio.sleep(600)
        body = f"{os.getpid()} {size}".encode()
        head = [(b"content-length", str(len(body)).encode()), (b"server", b"tiny")]
        await send({"type": "http.response.start", "status": 200, "headers": head})
        await send({"type": "http.response.body", "body": body, "more_body": False})

    return app


if __name__ == "__main__":
    sys.exit(run(sys.argv[1:], os.environ, open_tiny))
