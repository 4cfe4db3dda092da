"""A worker's side of the process tree: what happens between the fork and the first request.

It ties its life to the supervisor's, sets up its logs, opens the application and tells the
supervisor over a pipe that it is ready, or in one sentence why it cannot start. No request passes
through here: the application is called directly once its lifespan has begun.
"""

from __future__ import annotations

import asyncio
import ctypes
import logging
import os
import signal
import socket
import stat
import threading
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from typing import Any, Final, NoReturn

import msgspec

from aisle.core.errors import AisleError
from aisle.node import logs, memory
from aisle.node.options import NodeOptions

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]
OpenApp = Callable[[NodeOptions], App]

_PR_SET_PDEATHSIG: Final = 1  # linux/prctl.h
_STOP: Final = (signal.SIGTERM, signal.SIGINT)
# From its listen() to its readiness for a signal the server takes well below a millisecond.
_ACCEPT_SECONDS: Final = 0.05
_log: Final = logging.getLogger("aisle.node")


class Report(msgspec.Struct):
    """One line on the pipe. `error` is empty when the worker is ready."""

    pid: int
    error: str = ""


@dataclass(frozen=True, slots=True)
class Loader:
    """What the HTTP server calls in a fresh worker to get the application."""

    open_app: OpenApp
    options: NodeOptions
    supervisor: int
    pipe: int

    def __call__(self) -> App:
        _die_with(self.supervisor)
        # Held back for good, and before any thread begins, so that all inherit the mask: see
        # `_pass_on_first`. The supervisor kills a worker that is not ready.
        signal.pthread_sigmask(signal.SIG_BLOCK, _STOP)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        logs.configure(self.options.log_level, self.options.log_format)
        memory.keep_freed()
        try:
            app = self.open_app(self.options)
        except Exception as error:
            self.give_up(error)
        return self._watched(app)

    def _watched(self, app: App) -> App:
        tasks: set[asyncio.Task[None]] = set()  # the loop itself keeps only weak references

        async def lifespan(scope: Message, receive: Receive, send: Send) -> None:
            started = False

            async def watch(message: Message) -> None:
                nonlocal started
                if message["type"] == "lifespan.startup.failed":
                    self.give_up(message.get("message", ""))
                await send(message)
                if message["type"] == "lifespan.startup.complete":
                    started = True
                    ready = asyncio.get_running_loop().create_task(self._tell_ready())
                    tasks.add(ready)

            try:
                await app(scope, receive, watch)
            except Exception as error:
                if not started:
                    self.give_up(error)
                _log.exception("the application failed while stopping")

        def dispatch(scope: Message, receive: Receive, send: Send) -> Awaitable[None]:
            if scope["type"] == "lifespan":
                return lifespan(scope, receive, send)
            return app(scope, receive, send)

        return dispatch

    async def _tell_ready(self) -> None:
        while not _is_listening():  # noqa: ASYNC110 - the HTTP server has no event for it
            await asyncio.sleep(0.01)
        await asyncio.sleep(_ACCEPT_SECONDS)
        loop = asyncio.get_running_loop()
        threading.Thread(target=_pass_on_first, args=(loop,), daemon=True).start()
        self.report("")

    def give_up(self, reason: Exception | str) -> NoReturn:
        """Tell why this worker cannot serve, and end it."""
        if isinstance(reason, Exception) and not isinstance(reason, AisleError):
            _log.error("the application failed to start", exc_info=reason)
            reason = f"{type(reason).__name__}: {reason}"
        self.report(str(reason) or "the application failed to start")
        # Nothing is open that an orderly end would flush, and the interpreter's way out would
        # print a traceback for a SystemExit raised inside a task.
        os._exit(1)

    def report(self, error: str) -> None:
        # Below PIPE_BUF, so lines of several workers never mix.
        os.write(self.pipe, msgspec.json.encode(Report(os.getpid(), error[:1000])) + b"\n")


def _die_with(supervisor: int) -> None:
    """Have the kernel kill this process when its parent ends, however it ends.

    Otherwise workers would outlive a killed supervisor, go on serving and hold the directory.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG)")
    if os.getppid() != supervisor:  # it ended before the call above
        os._exit(1)


def _pass_on_first(loop: asyncio.AbstractEventLoop) -> None:
    """Wait for SIGTERM and hand it to the HTTP server, once.

    The server loses a signal that comes before its first accept, and a second one cuts running
    requests off; but Ctrl-C and service managers signal the whole group, and the supervisor then
    signals as well. So both signals stay blocked here, and the first SIGTERM becomes the one
    SIGINT that the server gets to see.
    """
    signal.sigwait({signal.SIGTERM})
    loop.call_soon_threadsafe(_interrupt_once)


def _interrupt_once() -> None:
    while signal.SIGINT in signal.sigpending():
        signal.sigwait({signal.SIGINT})
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    signal.raise_signal(signal.SIGINT)
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})


def _is_listening() -> bool:
    """Whether this process has a listening socket (the HTTP server does not tell)."""
    for name in os.listdir("/proc/self/fd"):
        try:
            if not stat.S_ISSOCK(os.fstat(int(name)).st_mode):
                continue
            with socket.socket(fileno=os.dup(int(name))) as found:
                if found.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
                    return True
        except OSError:  # closed since it was listed, the listing's own descriptor included
            continue
    return False
