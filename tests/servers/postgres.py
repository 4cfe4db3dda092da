"""A PostgreSQL server on a free loopback port, for a test session or for one test.

Its data lie in a temporary directory of their own, its Unix socket too. PostgreSQL refuses to run
as root, so root starts it as the user that Debian's package made. `fsync=False` suits suites that
never crash it; the data of a server that is killed have to be synced.

The superuser `aisle` needs no password. `create_user` makes others, and those do.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import os
import shutil
import signal
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from tests.harness import free_port
from tests.servers.pausing import pause

USER: Final = "aisle"
_SECONDS: Final = 60.0
_HBA: Final = f"""\
local all {USER}              trust
host  all {USER} 127.0.0.1/32 trust
host  replication {USER} 127.0.0.1/32 trust
host  all all    127.0.0.1/32 scram-sha-256
"""
_SETTINGS: Final = {
    "listen_addresses": "127.0.0.1",
    "max_connections": "300",
    "shared_buffers": "64MB",
    "autovacuum_naptime": "10s",
    "deadlock_timeout": "100ms",
    "log_min_messages": "warning",
}


def program(name: str) -> str:
    """The newest PostgreSQL's `name`, from Debian's directories or from PATH."""
    versions = sorted(
        Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), key=lambda path: int(path.parts[4])
    )
    found = str(versions[-1]) if versions else shutil.which(name)
    assert found, f"{name} is not installed: run scripts/services"
    return found


class Postgres:
    """See the module. Not started by the constructor."""

    def __init__(self, *, fsync: bool = False, settings: Mapping[str, str] | None = None) -> None:
        self.port = 0
        self.directory = Path("/nonexistent")  # until it is started
        self._settings = {**_SETTINGS, "fsync": "on" if fsync else "off", **(settings or {})}
        self._server: subprocess.Popen[bytes] | None = None
        self._warden: subprocess.Popen[bytes] | None = None

    # --- the server -------------------------------------------------------------------------

    def start(self) -> Postgres:
        """Make a cluster of databases and serve it."""
        self.directory = Path(tempfile.mkdtemp(prefix="aisle-postgres-"))
        try:
            self.port = free_port()
            if os.getuid() == 0:
                shutil.chown(self.directory, "postgres", "postgres")
            self._run(
                program("initdb"), "--no-sync", "--auth=trust", "--encoding=UTF8", "--locale=C",
                f"--username={USER}", "--pgdata", str(self._data),
            )  # fmt: skip
            (self._data / "pg_hba.conf").write_text(_HBA)
            self._launch()
        except BaseException:
            self.stop()
            raise
        return self

    def standby(self, name: str) -> Postgres:
        """Another server that follows this one, by streaming, and takes reads alone until it is
        promoted."""
        follower = Postgres()
        follower._settings = {**self._settings, "cluster_name": name}
        follower.directory = Path(tempfile.mkdtemp(prefix="aisle-postgres-"))
        try:
            follower.port = free_port()
            if os.getuid() == 0:
                shutil.chown(follower.directory, "postgres", "postgres")
            follower._run(
                program("pg_basebackup"), "-h", "127.0.0.1", "-p", str(self.port), "-U", USER,
                "--pgdata", str(follower._data), "--checkpoint=fast", "--write-recovery-conf",
            )  # fmt: skip
            follower._launch()
        except BaseException:
            follower.stop()
            raise
        return follower

    def promote(self) -> None:
        """Make a standby a server that takes writes."""
        self.sql("SELECT pg_promote()")

    def stop(self) -> None:
        """End it at once and remove every file."""
        self.resume()
        self.shut_down()
        shutil.rmtree(self.directory, ignore_errors=True)

    def shut_down(self, how: signal.Signals = signal.SIGQUIT) -> None:
        """End it: SIGQUIT at once, SIGINT in order. `restart` brings it up again."""
        if self._server is not None:
            if self._server.poll() is None:
                self._server.send_signal(how)
            self._server.wait(_SECONDS)
            self._server = None
        self._dismiss()

    def kill(self) -> None:
        """`kill -9` of all its processes."""
        assert self._server is not None
        processes = self._processes()
        self._signal(signal.SIGKILL)
        self._server.wait(_SECONDS)
        self._server = None
        self._dismiss()
        self._wait(
            "its processes end", lambda: not any(Path(f"/proc/{p}").exists() for p in processes)
        )

    def restart(self) -> None:
        """Serve again on the same port, after the recovery that a crash calls for."""
        self.shut_down()
        self._launch()

    def pause(self) -> None:
        """Stop all its processes where they are, as a hung machine would."""
        # The postmaster is the first: it makes no more of them.
        for pid in self._processes():
            pause(pid)

    def resume(self) -> None:
        self._signal(signal.SIGCONT)

    def cpu_seconds(self) -> float:
        """What its living processes have used so far."""
        ticks = 0
        for pid in self._processes():
            with contextlib.suppress(OSError):
                fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
                ticks += int(fields[11]) + int(fields[12])
        return ticks / os.sysconf("SC_CLK_TCK")

    # --- databases and users ----------------------------------------------------------------

    def url(self, database: str, *, user: str = USER, password: str = "", port: int = 0) -> str:
        """`port` is that of a proxy in front, if it is not the server's own."""
        secret = f":{quote(password, safe='')}" if password else ""
        return f"postgresql://{user}{secret}@127.0.0.1:{port or self.port}/{database}"

    def create_database(self) -> str:
        """A fresh database: its URL."""
        name = f"test_{uuid.uuid4().hex[:12]}"
        self.sql(f"CREATE DATABASE {name}")
        return self.url(name)

    def create_user(self, name: str, password: str) -> None:
        self.sql(f"CREATE ROLE {name} LOGIN PASSWORD '{password}'")

    def sql(self, statement: str, database: str = "postgres") -> str:
        """Run one statement as the superuser: its rows, as text without decoration."""
        return self._run(
            program("psql"), "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-U", USER,
            "-h", str(self.directory), "-p", str(self.port), "-d", database, "-c", statement,
        )  # fmt: skip

    def set(self, name: str, value: str) -> None:
        """Change a setting of the running server."""
        self.sql(f"ALTER SYSTEM SET {name} = '{value}'")
        self.sql("SELECT pg_reload_conf()")

    # --- helpers ----------------------------------------------------------------------------

    @property
    def _data(self) -> Path:
        return self.directory / "data"

    def _launch(self) -> None:
        settings = [f"{name}={value}" for name, value in self._settings.items()]
        words = [f"--port={self.port}", "-k", str(self.directory)]
        words += [word for setting in settings for word in ("-c", setting)]
        with (self.directory / "log").open("ab") as log:
            self._server = subprocess.Popen(
                [program("postgres"), "-D", str(self._data), *words],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.directory,
                start_new_session=True, **_not_root(),
            )  # fmt: skip
        # Should the tests be killed, this end of its input closes and it ends the server for them.
        end = 'read -r _; kill -QUIT "$0"; kill -CONT "$0"; sleep 1; rm -rf "$1"'
        self._warden = subprocess.Popen(
            ["sh", "-c", end, str(self._server.pid), str(self.directory)],
            stdin=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
        ready = [program("pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(self.port)]
        self._wait("it answers", lambda: subprocess.run(ready, check=False).returncode == 0)

    def _dismiss(self) -> None:
        if self._warden is not None:
            self._warden.kill()
            self._warden.communicate()
            self._warden = None

    def _signal(self, number: signal.Signals) -> None:
        for pid in self._processes():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    def _processes(self) -> list[int]:
        """The postmaster, and then its children."""
        if self._server is None or self._server.poll() is not None:
            return []
        return [self._server.pid, *_children(self._server.pid)]

    def _run(self, *words: str) -> str:
        done = subprocess.run(
            words, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
            cwd="/", **_not_root(),
        )  # fmt: skip
        assert done.returncode == 0, f"{Path(words[0]).name}: {done.stderr or done.stdout}"
        return str(done.stdout).strip()

    def _wait(self, what: str, happened: object) -> None:
        assert callable(happened)
        deadline = time.monotonic() + _SECONDS
        while not happened():
            ended = self._server is not None and self._server.poll() is not None
            if ended or time.monotonic() > deadline:
                log = (self.directory / "log").read_text("utf-8", "replace")[-3000:]
                raise AssertionError(f"waiting until {what}:\n{log}")
            time.sleep(0.02)


@functools.cache
def shared() -> Postgres:
    """One server for everything that this process tests without harming it; it ends with the
    process."""
    server = Postgres()
    atexit.register(server.stop)
    return server.start()


def _not_root() -> dict[str, Any]:
    if os.getuid():
        return {}
    return {"user": "postgres", "group": "postgres", "extra_groups": []}


def _children(parent: int) -> Iterator[int]:
    for task in Path(f"/proc/{parent}/task").iterdir():
        for word in (task / "children").read_text().split():
            yield int(word)
