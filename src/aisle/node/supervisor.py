"""The supervisor: one process that holds the directories and keeps N workers serving.

The workers are Granian's (see `docs/decisions/001-http-server.md`), each with a listening socket of
its own on the same address. What is ours: when a dead worker is replaced, what a failed start
looks like, how a new certificate comes into service, and that everything ends together. The
application is a parameter.
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
from granian.server.mp import MPServer, WorkerProcess

from aisle.core.errors import ConfigError
from aisle.node import keyring, logs, tls
from aisle.node.options import NodeOptions
from aisle.node.worker import Loader, OpenApp, Report

_log: Final = logging.getLogger("aisle.node")

# A worker that dies young is replaced after a growing pause; any other at once.
_YOUNG_SECONDS: Final = 5.0
_LONGEST_PAUSE: Final = 10.0
# The most that the head of a request may have. It is also the size of the pieces that bodies come
# in: larger ones are not faster.
_HEAD_BYTES: Final = 128 << 10
# How often the files of the certificate are looked at. Two files are not replaced at one moment:
# a change counts once it is followed by no other.
_LOOK_SECONDS: Final = 1.0
# How long a worker may need to start that is to replace one that serves.
_START_SECONDS: Final = 60.0
# A worker serves a moment before it tells so: so long a stop waits to hear it.
_REPORT_SECONDS: Final = 1.0
# How long the requests of a worker that has been replaced may go on.
_RETIRED_SECONDS: Final = 3600.0

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
    keyring.share(options)
    reader, writer = os.pipe()
    server = _Server(
        "aisle",
        options=options,
        address=address,
        port=options.port,
        interface=Interfaces.ASGI,
        workers=options.workers,
        runtime_mode=RuntimeModes.st,
        task_impl=TaskImpl.asyncio,
        loop=Loops.uvloop,
        http=HTTPModes.http1,
        http1_settings=HTTP1Settings(
            header_read_timeout=int(options.header_timeout * 1000), max_buffer_size=_HEAD_BYTES
        ),
        websockets=False,
        backlog=1024,
        backpressure=options.max_connections,
        blocking_threads=1,
        log_level=LogLevels.warning,
        log_dictconfig={"formatters": {}, "handlers": {}, "loggers": {"_granian": {}}},
    )
    # Granian's constructor has just taken the logs over.
    logs.configure(options.log_level, options.log_format)
    logs.keep(options.data / "log").max_size = sys.maxsize  # the workers know when to rotate
    logging.getLogger("_granian").addFilter(_is_news)

    threading.Thread(target=server.listen, args=(reader, on_ready), daemon=True).start()
    if options.tls_cert is not None:
        threading.Thread(target=server.follow_files, daemon=True).start()
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

    def __init__(self, *args: Any, options: NodeOptions, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.failure = ""
        self._options = options
        self._hint = _KEY_HINT if options.tls_key else ""
        self._patience = options.stop_timeout
        self._held = tls.take(options)
        self._show(self._held)
        self._renewal = threading.Event()  # somebody wants the certificate read anew
        self._starting: WorkerProcess | None = None  # to replace a worker that serves
        self._retired: dict[WorkerProcess, float] = {}  # with when they have to be gone
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
        signal.signal(signal.SIGUSR1, self._signal_renewal)

    def shutdown(self, exit_code: int = 0) -> None:
        # Its last line ends the interpreter if a worker died unbidden; here `failure` decides.
        with suppress(SystemExit):
            super().shutdown(exit_code)  # type: ignore[no-untyped-call]

    def signal_handler_interrupt(self, *args: Any, **kwargs: Any) -> None:
        for worker in self._all():
            if self.interrupt_signal:  # a second signal means now
                worker.kill()
            # Ctrl-C reaches the workers as well: their end is expected from here on.
            worker.interrupt_by_parent = True
        super().signal_handler_interrupt(*args, **kwargs)  # type: ignore[no-untyped-call]

    def _serve_loop(self, spawn_target: Any, target_loader: Any) -> None:
        due: dict[int, float] = {}
        while True:
            moments = [*due.values(), *self._retired.values()]
            pause = max(0.0, min(moments) - time.monotonic()) if moments else None
            self.main_loop_interrupt.wait(pause)
            self.main_loop_interrupt.clear()
            if self.interrupt_signal:
                break
            self._bury()
            if self._renewal.is_set():
                self._renewal.clear()
                self._renew(spawn_target, target_loader)
                due = {i: moment for i, moment in due.items() if _is_gone(self.wrks[i])}
                self.main_loop_interrupt.set()  # a worker may have died, a stop been asked for
                continue
            while self.interrupt_children:
                index = self.interrupt_children.pop()
                if not _is_gone(self.wrks[index]):
                    continue  # it was replaced for another reason
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
        every = self._all()
        self._await_reports(every)
        for worker in every:
            if worker.inner.pid in self._ready:
                worker.terminate()
            else:  # it holds signals back, and has answered nobody
                worker.kill()
        deadline = time.monotonic() + self._patience
        for worker in every:
            if not wait([worker.inner.sentinel], max(0.0, deadline - time.monotonic())):
                _log.warning("worker %d did not stop in time and is killed", worker.idx + 1)
                worker.kill()
            worker.join()
        self.wrks.clear()
        self._retired.clear()

    def _await_reports(self, workers: list[WorkerProcess]) -> None:
        """Give workers that are about to serve the time to say so: they may have begun to."""
        deadline = time.monotonic() + _REPORT_SECONDS
        while not all(worker.inner.pid in self._ready or _is_gone(worker) for worker in workers):
            if time.monotonic() > deadline:
                return
            self._reported.wait(0.02)
            self._reported.clear()

    def _all(self) -> list[WorkerProcess]:
        starting = [] if self._starting is None else [self._starting]
        return [*self.wrks, *self._retired, *starting]

    # --- a new certificate ------------------------------------------------------------------

    def follow_files(self) -> None:
        """Ask for a renewal whenever the files of the certificate have changed; for a thread of
        its own."""
        served = seen = tls.changed(self._options)
        while True:
            time.sleep(_LOOK_SECONDS)
            now = tls.changed(self._options)
            if now == seen and now != served:
                served = now
                self._ask_renewal()
            seen = now

    def _signal_renewal(self, *_: Any) -> None:
        keys = keyring.shared()
        if keys is not None:
            keys.ask()
        self._ask_renewal()

    def _ask_renewal(self) -> None:
        self._renewal.set()
        self.main_loop_interrupt.set()

    def _show(self, held: tls.Held | None) -> None:
        """What workers that start from now on serve HTTPS with."""
        tls.serve(held)
        if held is None:
            return
        oldest = SSLProtocols.tls13 if self._options.tls_min == "1.3" else SSLProtocols.tls12
        required = held.client_ca is not None and self._options.tls_client_auth == tls.REQUIRED
        self.ssl_ctx = (  # type: ignore[assignment]  # Granian's type has no certificate in it
            True,
            held.cert,
            held.key,
            None,
            str(oldest),
            held.client_ca,
            [],
            required,
        )

    def _renew(self, spawn_target: Any, target_loader: Any) -> None:
        """Read the certificate anew, and replace the workers one by one if it can serve.

        A new worker serves before the old one stops accepting, and the old one ends when its
        requests have. What cannot serve changes nothing.
        """
        before = self._held
        if before is None:
            if keyring.shared() is None:
                _log.warning("there is no certificate to be read anew: the node serves HTTP")
            return
        try:
            self._held = tls.take(self._options)
        except ConfigError as error:
            _log.error("the certificate stays as it was: %s", error)
            return
        self._show(self._held)
        for index in range(self.workers):
            if not self._replace(index, spawn_target, target_loader):
                if not self.interrupt_signal:
                    _log.error("the certificate stays as it was: no worker starts with the new one")
                refused, self._held = self._held, before
                self._show(before)
                if refused is not None:
                    refused.close()
                return
        before.close()
        _log.info("the certificate %s has been read anew", self._options.tls_cert)

    def _replace(self, index: int, spawn_target: Any, target_loader: Any) -> bool:
        """Start a worker beside the one of that number, and retire that one once the new one
        serves; false if it does not come to that."""
        fresh = self._spawn_worker(index, spawn_target, target_loader)
        fresh.interrupt_by_parent = True  # until it serves its end is told here
        self._starting = fresh
        fresh.start()
        deadline = time.monotonic() + _START_SECONDS
        while fresh.inner.pid not in self._ready:
            self._reported.wait(0.1)
            self._reported.clear()
            if self.interrupt_signal or _is_gone(fresh) or deadline < time.monotonic():
                fresh.kill()
                self._starting = None
                return False
        self._starting = None
        old, self.wrks[index] = self.wrks[index], fresh
        fresh.interrupt_by_parent = False
        if _is_gone(fresh):
            self.interrupt_children.append(index)
        self._retired[old] = time.monotonic() + _RETIRED_SECONDS
        if old.inner.pid in self._ready:
            old.terminate()
        else:
            old.kill()
        return True

    def _bury(self) -> None:
        """Forget the workers that have been replaced and are gone, and end those that linger."""
        for worker, deadline in list(self._retired.items()):
            if not _is_gone(worker) and deadline <= time.monotonic():
                _log.warning("a replaced worker still has requests and is killed")
                worker.kill()
                worker.join()
            if _is_gone(worker):
                del self._retired[worker]
                self._ready.discard(worker.inner.pid)

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


def _is_gone(worker: WorkerProcess) -> bool:
    """Whether the process has ended: also while another thread is reaping it, which `is_alive`
    takes for life."""
    return bool(wait([worker.inner.sentinel], 0))


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
