"""The process behind the warm commands: `python tests/warm/server.py SOCKET`.

It has one thread, imports every program of `PROGRAMS`, and forks twice for each request: a watcher,
which ends the child when whoever asked has gone, and the child, which becomes the program.
"""

from __future__ import annotations

import atexit
import contextlib
import importlib
import io
import os
import pkgutil
import random
import runpy
import select
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final, NoReturn

_BACKLOG: Final = 128


def _ais() -> object:
    from aisle.cli.main import main

    return main()


def _aws() -> object:
    import awscli
    from awscli import clidriver

    importlib.reload(awscli)  # it tells botocore by the environment where its files are
    return clidriver.main()


def _s3cmd() -> object:
    return runpy.run_path(str(Path(sys.executable).parent / "s3cmd"), run_name="__main__") and 0


# What is run, and the packages that are imported beforehand.
PROGRAMS: Final[Mapping[str, tuple[Callable[[], object], tuple[str, ...]]]] = {
    "ais": (_ais, ("aisle.cli", "aisle.client")),
    "aws": (_aws, ("awscli",)),
    "s3cmd": (_s3cmd, ("S3",)),
}


def main() -> None:
    for _, packages in PROGRAMS.values():
        for name in packages:
            _import(name)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for watchers
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(sys.argv[1])
        listener.listen(_BACKLOG)
        print("ready", flush=True)
        while True:
            ready, _, _ = select.select([listener.fileno(), 0], [], [])
            if listener.fileno() not in ready:
                return  # standard input has ended, and with it the session
            asking, _ = listener.accept()
            if os.fork() == 0:
                listener.close()
                _watch(asking)
            asking.close()


def _import(name: str) -> None:
    module = importlib.import_module(name)
    for found in pkgutil.iter_modules(getattr(module, "__path__", ()), f"{name}."):
        # What cannot be imported here is imported, or not, by who needs it.
        with contextlib.suppress(Exception):
            _import(found.name)


def _watch(asking: socket.socket) -> NoReturn:
    """Fork the child that does what is asked, tell how it ends, and exit."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    length, descriptors, _, _ = socket.recv_fds(asking, 4, 3)
    with asking.makefile("rb") as told:
        text = told.read(int.from_bytes(length, "big"))
    child = os.fork()
    if child == 0:
        asking.close()
        _become(text.decode("utf-8", "surrogateescape").split("\0"), descriptors)
    for number in descriptors:
        os.close(number)
    asking.sendall(f"{child}\n".encode())
    ended = os.pidfd_open(child)
    ready, _, _ = select.select([ended, asking.fileno()], [], [])
    if ended not in ready:
        os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    with contextlib.suppress(OSError):
        asking.sendall(f"{os.waitstatus_to_exitcode(status)}\n".encode())
    os._exit(0)


def _become(asked: list[str], descriptors: list[int]) -> NoReturn:
    """Run a program in the setting of whoever asked: its name, directory, number of variables,
    variables and words."""
    name, directory, count, *rest = asked
    variables, words = rest[: int(count)], rest[int(count) :]
    for place, number in enumerate(descriptors):
        os.dup2(number, place)
        os.close(number)
    os.environ.clear()
    for variable in variables:
        key, _, value = variable.partition("=")
        os.environ[key] = value
    time.tzset()
    os.chdir(directory)
    random.seed()
    sys.argv = [name, *words]
    for number, stream in enumerate(("stdin", "stdout", "stderr")):
        opened = _text(number, "w" if number else "r")
        setattr(sys, stream, opened)
        setattr(sys, f"__{stream}__", opened)  # stays open where a program wraps it anew
    code = _run(PROGRAMS[name][0])
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    with contextlib.suppress(OSError, ValueError):
        sys.stdout.flush()
    os._exit(code)


def _text(number: int, mode: str) -> io.TextIOWrapper:
    raw = io.FileIO(number, mode, closefd=False)
    buffered = io.BufferedReader(raw) if mode == "r" else io.BufferedWriter(raw)
    errors = "surrogateescape" if number < 2 else "backslashreplace"
    return io.TextIOWrapper(
        buffered, encoding="utf-8", errors=errors, line_buffering=number == 2 or raw.isatty()
    )


def _run(program: Callable[[], object]) -> int:
    """The exit code of a program that returns, exits or raises, as the interpreter has it."""
    try:
        ended = program()
    except SystemExit as error:
        ended = error.code
    except BaseException:
        sys.excepthook(*sys.exc_info())
        return 1
    if isinstance(ended, int):
        return ended & 0xFF
    if ended is None:
        return 0
    print(ended, file=sys.stderr)
    return 1


if __name__ == "__main__":
    main()
