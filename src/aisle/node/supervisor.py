"""The supervisor: one process that holds the directories and keeps N workers serving.

The workers are Granian's (see `docs/decisions/001-http-server.md`), each with a listening socket of
its own on the same address. What is ours: when a dead worker is replaced, what a failed start
looks like, and that everything ends together. The application is a parameter.
"""

from __future__ import annotations

import logging
import multiprocessing
import os
import resource
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import wait
from typing import Any, Final

import msgspec
from granian.constants import (
    HTTPModes,
    Interfaces,
    Loops,
    RuntimeModes,
    SSLProtocols,
    TaskImpl,
)
from granian.http import HTTP1Settings
from granian.log import LogLevels
from granian.server.mp import MPServer

from aisle.core.errors import ConfigError
from aisle.node import logs
from aisle.node.options import NodeOptions
from aisle.node.worker import Loader, OpenApp, Report

_log: Final = logging.getLogger("aisle.node")

# A worker that dies young is replaced after a growing pause; any other at once.
_YOUNG_SECONDS: Final = 5.0
_LONGEST_PAUSE: Final = 10.0
# Granian stops accepting beyond this many open connections a worker, idle ones included.
_CONNECTIONS: Final = 8192

# What OpenSSL accepts and the HTTP server does not shows only when a worker starts it.
_KEY_HINT: Final = " (a key has to be RSA, Ed25519, or ECDSA on P-256 or P-384)"


def serve(options: NodeOptions, open_app: OpenApp, on_ready: Callable[[], None]) -> None:
    """Serve until SIGTERM, SIGINT or SIGHUP, then finish running requests and return.

    `on_ready` is called once, when every worker accepts connections. The caller holds the
    directories. Raises `ConfigError` if the address cannot be had or no worker can start.
    """
    address = _free_address(options.host, options.port)
    _raise_file_limit()
    # Locks and pipes are inherited, not passed: other start methods would lose them.
    multiprocessing.set_start_method("fork", force=True)
    reader, writer = os.pipe()
    server = _Server(
        "aisle",
        address=address,
        port=options.port,
        interface=Interfaces.ASGI,
        workers=options.workers,
        runtime_mode=RuntimeModes.st,
        task_impl=TaskImpl.asyncio,
        loop=Loops.uvloop,
        http=HTTPModes.http1,
        http1_settings=HTTP1Settings(header_read_timeout=30_000),
        websockets=False,
        backlog=1024,
        backpressure=_CONNECTIONS,
        blocking_threads=1,
        ssl_cert=options.tls_cert,
        ssl_key=options.tls_key,
        ssl_protocol_min=SSLProtocols.tls12,
        patience=options.stop_timeout,
        hint=_KEY_HINT if options.tls_key else "",
        log_level=LogLevels.warning,
        log_dictconfig={"formatters": {}, "handlers": {}, "loggers": {"_granian": {}}},
    )
    # Granian's constructor has just taken the logs over.
    logs.configure(options.log_level, options.log_format)
    logs.keep(options.data / "log").max_size = sys.maxsize  # the workers know when to rotate
    logging.getLogger("_granian").addFilter(_is_news)

    threading.Thread(target=server.listen, args=(reader, on_ready), daemon=True).start()
    loader = Loader(open_app, options, os.getpid(), writer)
    server.serve(target_loader=loader, wrap_loader=False)
    if server.failure:
        raise ConfigError(server.failure)


def _is_news(record: logging.LogRecord) -> bool:
    """Whether Granian says something that the supervisor does not say itself, with the reason."""
    return not record.getMessage().startswith("Unexpected exit")


class _Server(MPServer):
    """Granian's server with a respawn policy that never gives up on a node that once served.

    Granian's own ends the server when a worker dies twice within 5.5 seconds, which would turn
    one request that kills a worker, sent twice, into an outage.
    """

    def __init__(self, *args: Any, patience: float, hint: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.failure = ""
        self._hint = hint
        self._patience = patience
        self._serving = False
        self._ready: set[int] = set()
        self._reason = ""
        self._reported = threading.Event()
        self._early_deaths: dict[int, int] = {}

    def listen(self, reader: int, on_ready: Callable[[], None]) -> None:
        """Follow the workers' reports; for a thread of its own."""
        told = False
        with os.fdopen(reader, "rb") as lines:
            for line in lines:
                report = msgspec.json.decode(line, type=Report)
                if report.error:
                    if self._serving:
                        _log.error("a worker could not start: %s", report.error)
                    self._reason = self._reason or report.error
                else:
                    self._serving = True
                    self._ready.add(report.pid)
                self._reported.set()
                if not told and len(self._ready) >= self.workers:
                    told = True
                    on_ready()

    def startup(self, spawn_target: Any, target_loader: Any) -> None:
        super().startup(spawn_target, target_loader)  # type: ignore[no-untyped-call]
        # A closed terminal stops the node as Ctrl-C does.
        signal.signal(signal.SIGHUP, self.signal_handler_interrupt)

    def shutdown(self, exit_code: int = 0) -> None:
        # Its last line ends the interpreter if a worker died unbidden; here `failure` decides.
        with suppress(SystemExit):
            super().shutdown(exit_code)  # type: ignore[no-untyped-call]

    def signal_handler_interrupt(self, *args: Any, **kwargs: Any) -> None:
        for worker in self.wrks:
            # A worker that is still starting holds signals back and has acknowledged nothing;
            # and a second signal means now.
            if self.interrupt_signal or worker.inner.pid not in self._ready:
                worker.kill()
            # Ctrl-C reaches the workers as well: their end is expected from here on.
            worker.interrupt_by_parent = True
        super().signal_handler_interrupt(*args, **kwargs)  # type: ignore[no-untyped-call]

    def _serve_loop(self, spawn_target: Any, target_loader: Any) -> None:
        due: dict[int, float] = {}
        while True:
            pause = max(0.0, min(due.values()) - time.monotonic()) if due else None
            self.main_loop_interrupt.wait(pause)
            self.main_loop_interrupt.clear()
            if self.interrupt_signal:
                break
            while self.interrupt_children:
                index = self.interrupt_children.pop()
                if not self._serving:
                    self._reported.wait(1.0)  # the pipe may be a moment behind
                if not self._serving:
                    silent = f"the workers ended while starting, see the log{self._hint}"
                    self.failure = self._reason or silent
                    for worker in self.wrks:  # they hold signals back while they start
                        worker.kill()
                    return
                due[index] = time.monotonic() + self._pause_for(index)
                _log.error("worker %d ended with code %s", index + 1, self._code_of(index))
            for index in [i for i, moment in due.items() if moment <= time.monotonic()]:
                del due[index]
                self._respawn_workers([index], spawn_target, target_loader)
                _log.warning("worker %d replaced, pid %s", index + 1, self.wrks[index].inner.pid)

    def _stop_workers(self) -> None:
        # Granian's asks who is alive while another thread of its own is reaping, and on a busy
        # machine takes workers that ended in order for ones that had to be killed.
        for worker in self.wrks:
            worker.terminate()
        deadline = time.monotonic() + self._patience
        for worker in self.wrks:
            if not wait([worker.inner.sentinel], max(0.0, deadline - time.monotonic())):
                _log.warning("worker %d did not stop in time and is killed", worker.idx + 1)
                worker.kill()
            worker.join()
        self.wrks.clear()

    def _code_of(self, index: int) -> int | None:
        """The exit code of a dead worker; negative for the signal that killed it."""
        code: int | None = self.wrks[index].inner.exitcode
        return code

    def _pause_for(self, index: int) -> float:
        if time.monotonic() - self.wrks[index].birth > _YOUNG_SECONDS:
            self._early_deaths.pop(index, None)
            return 0.0
        deaths = self._early_deaths.get(index, 0)
        self._early_deaths[index] = deaths + 1
        return 0.0 if deaths == 0 else min(_LONGEST_PAUSE, 0.1 * 2.0**deaths)


def _free_address(host: str, port: int) -> str:
    """The numeric address of `host`, after a trial bind: Granian would end in a traceback, and
    its shared listening sockets would let two nodes of one user take the same port."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise ConfigError(f"cannot resolve host {host}: {error.strerror}") from None
    found.sort(key=lambda info: info[0] != socket.AF_INET)
    family, _, _, _, address = found[0]
    shown = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    try:
        with socket.socket(family, socket.SOCK_STREAM) as trial:
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            trial.bind(address)
    except OSError as error:
        raise ConfigError(f"cannot listen on {shown}: {error.strerror}") from None
    return str(address[0])


def _raise_file_limit() -> None:
    """Each connection and open object is a descriptor, and the usual soft limit is 1,024."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
