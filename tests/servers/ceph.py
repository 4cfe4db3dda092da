"""A Ceph cluster of one monitor, one manager and three OSDs on loopback, for a test session.

Real daemons with BlueStore on sparse files, cephx on, ports that were free a moment ago, everything
under one temporary directory with a short name (Unix sockets want one). `stop` ends what was
started and removes the directory. The manager is there because pool statistics, and with them
quotas, come from it; nothing waits for it but `settle`.
"""

from __future__ import annotations

import atexit
import base64
import functools
import json
import os
import shutil
import signal
import struct
import subprocess
import tempfile
import time
import uuid
from pathlib import Path
from typing import Any, Final

from aisle.store.rados.lib import load
from tests.harness import free_port
from tests.servers.pausing import pause

OSDS: Final = 3
START_SECONDS: Final = 60.0
STOP_SECONDS: Final = 20.0

CONF: Final = """\
[global]
fsid = {fsid}
mon_host = [v2:127.0.0.1:{port}]
public_addr = 127.0.0.1
cluster_addr = 127.0.0.1
ms_bind_msgr1 = false
keyring = {directory}/admin.keyring
auth_cluster_required = cephx
auth_service_required = cephx
auth_client_required = cephx
run_dir = {directory}/run
admin_socket = {directory}/run/$name.$pid.asok
pid_file = {directory}/run/$name.pid
log_file = {directory}/log/$name.log
crash_dir = {directory}/crash
debug_ms = 0
osd_pool_default_size = 3
osd_pool_default_min_size = 2
osd_crush_chooseleaf_type = 0
osd_pool_default_pg_autoscale_mode = off
mon_max_pg_per_osd = 2000
mon_allow_pool_delete = true
mon_allow_pool_size_one = true
mon_warn_on_insecure_global_id_reclaim_allowed = false
mon_data_avail_warn = 1
mon_data_avail_crit = 1
mon_osd_min_down_reporters = 1
mon_osd_reporter_subtree_level = osd
osd_heartbeat_interval = 1
osd_heartbeat_grace = 4
mgr_stats_period = 1
[mon]
mon_data = {directory}/mon
keyring = {directory}/mon.keyring
[mgr]
mgr_data = {directory}/mgr
keyring = {directory}/mgr.keyring
[osd]
osd_data = {directory}/osd$id
keyring = {directory}/osd$id/keyring
osd_objectstore = bluestore
osd_memory_target = 939524096
bluestore_block_size = 6442450944
bluestore_cache_autotune = false
bluestore_cache_size = 67108864
osd_recovery_sleep_hdd = 0
osd_recovery_max_active = 16
"""


class CephError(AssertionError):
    """The cluster did not do as it was told; the message has the end of its logs."""


class Ceph:
    """See the module. Not started by the constructor."""

    def __init__(self) -> None:
        self.directory = Path()
        self._daemons: dict[str, subprocess.Popen[bytes]] = {}
        self._admin: Any = None

    @property
    def conf(self) -> Path:
        """The configuration file of clients, with the administrator's key."""
        return self.directory / "ceph.conf"

    def start(self) -> Ceph:
        """Bring the cluster up; every OSD is in when this returns."""
        self.directory = Path(tempfile.mkdtemp(prefix="aisle-ceph-"))
        try:
            self._start()
        except BaseException:
            self.stop()
            raise
        return self

    def _start(self) -> None:
        for name in ("run", "log", "crash", "mgr"):
            (self.directory / name).mkdir()
        fsid, port = str(uuid.uuid4()), free_port()
        self.conf.write_text(CONF.format(fsid=fsid, port=port, directory=self.directory))
        admin = self._keyring("admin.keyring", "client.admin", mon="*", osd="*", mgr="*")
        monitor = self._keyring("mon.keyring", "mon.", mon="*")
        (self.directory / "mon.keyring").write_text(monitor + admin)
        monmap = self.directory / "monmap"
        address = f"[v2:127.0.0.1:{port}]"
        self._run("monmaptool", "--create", "--fsid", fsid, "--addv", "a", address)
        self._run("ceph-mon", "--mkfs", "-i", "a", "--monmap", str(monmap))
        self._spawn("mon.a", "ceph-mon", "-i", "a")
        self._admin = load().Rados(
            name="client.admin",
            conffile=str(self.conf),
            conf={"client_mount_timeout": "30", "rados_mon_op_timeout": "30"},
        )
        self._admin.connect()
        self._start_manager()
        for number in range(OSDS):
            self._make_osd(number)
            self.start_osd(number, wait=False)
        self._wait("every OSD is up", lambda: self.osds_up() == set(range(OSDS)))

    def _start_manager(self) -> None:
        caps = ["mon", "allow profile mgr", "osd", "allow *", "mds", "allow *"]
        made = self.command("auth get-or-create", entity="mgr.x", caps=caps, format="plain")
        (self.directory / "mgr.keyring").write_text(made)
        self._spawn("mgr.x", "ceph-mgr", "-i", "x")

    def _make_osd(self, number: int) -> None:
        home = self.directory / f"osd{number}"
        home.mkdir()
        ident, key = str(uuid.uuid4()), _new_key()
        secret = json.dumps({"cephx_secret": key}).encode()
        self.command("osd new", secret, uuid=ident, id=number)
        (home / "keyring").write_text(f"[osd.{number}]\n\tkey = {key}\n")
        self._run("ceph-osd", "--mkfs", "-i", str(number), "--osd-uuid", ident)

    # --- daemons ----------------------------------------------------------------------------

    def start_osd(self, number: int, *, wait: bool = True) -> None:
        """Start OSD `number`; by default return when the monitor has seen it."""
        self._spawn(f"osd.{number}", "ceph-osd", "-i", str(number))
        if wait:
            self._wait(f"osd.{number} is up", lambda: number in self.osds_up())

    def kill_osd(self, number: int) -> None:
        """`kill -9`."""
        self._end(f"osd.{number}", signal.SIGKILL)

    def pause_osd(self, number: int) -> None:
        """Stop OSD `number` where it is, as a hung machine would."""
        pause(self._daemons[f"osd.{number}"].pid)

    def resume_osd(self, number: int) -> None:
        self._daemons[f"osd.{number}"].send_signal(signal.SIGCONT)

    def pause_monitor(self) -> None:
        pause(self._daemons["mon.a"].pid)

    def resume_monitor(self) -> None:
        self._daemons["mon.a"].send_signal(signal.SIGCONT)

    def osds_up(self) -> set[int]:
        """The OSDs that the monitor believes to be up."""
        osds = json.loads(self.command("osd dump"))["osds"]
        return {osd["osd"] for osd in osds if osd["up"]}

    def restore(self) -> None:
        """Start and resume whatever a test left down or paused."""
        self.resume_monitor()
        for number in range(OSDS):
            daemon = self._daemons.get(f"osd.{number}")
            if daemon is None or daemon.poll() is not None:
                self.start_osd(number, wait=False)
            else:
                self.resume_osd(number)
        self._wait("every OSD is up again", lambda: self.osds_up() == set(range(OSDS)))

    def await_clean(self) -> None:
        """Return when every placement group is as it should be, so that writes need no monitor."""
        self._wait("every placement group is clean", self._is_clean)

    def _is_clean(self) -> bool:
        summary = json.loads(self.command("pg stat"))["pg_summary"]
        states = {state["name"]: state["num"] for state in summary["num_pg_by_state"]}
        return states == {"active+clean": summary["num_pgs"]}

    def cpu_seconds(self) -> float:
        """What the OSDs have used so far."""
        ticks = 0
        for name, daemon in self._daemons.items():
            if name.startswith("osd.") and daemon.poll() is None:
                fields = Path(f"/proc/{daemon.pid}/stat").read_text().rpartition(")")[2].split()
                ticks += int(fields[11]) + int(fields[12])
        return ticks / os.sysconf("SC_CLK_TCK")

    def stop(self) -> None:
        """End all daemons and remove every file."""
        if self._admin is not None:
            self._admin.shutdown()
            self._admin = None
        # Killed, not asked: an OSD that ends takes five seconds to tell a monitor that is ending.
        for name in list(self._daemons):
            self._end(name, signal.SIGKILL)
        shutil.rmtree(self.directory, ignore_errors=True)

    # --- pools and commands -----------------------------------------------------------------

    def create_pool(
        self, name: str | None = None, *, ec: bool = False, stripe_unit: int = 4096
    ) -> str:
        """A pool that takes writes when this returns: three copies, or k=2, m=1 if `ec`.

        Writes to an erasure-coded one have to be aligned to k times `stripe_unit`.
        """
        name = name or f"pool-{uuid.uuid4().hex[:8]}"
        if ec:
            profile = ["k=2", "m=1", "crush-failure-domain=osd", f"stripe_unit={stripe_unit}"]
            self.command("osd erasure-code-profile set", name=f"ec-{stripe_unit}", profile=profile)
            self.command(
                "osd pool create", pool=name, pg_num=8, pool_type="erasure",
                erasure_code_profile=f"ec-{stripe_unit}",
            )  # fmt: skip
        else:
            self.command("osd pool create", pool=name, pg_num=8, pool_type="replicated")
        self.command("osd pool application enable", pool=name, app="aisle")
        with self._admin.open_ioctx(name) as ioctx:
            probes = [ioctx.aio_write_full(f"probe-{n}", b"x", lambda _: None) for n in range(64)]
            for probe in probes:
                probe.wait_for_complete_and_cb()
            for number in range(64):
                ioctx.remove_object(f"probe-{number}")
        return name

    def delete_pool(self, name: str) -> None:
        self._admin.delete_pool(name)

    def objects(self, pool: str, namespace: str | None = None) -> list[str]:
        """The names of all objects of a pool, or of one namespace of it."""
        with self._admin.open_ioctx(pool) as ioctx:
            ioctx.set_namespace(load().LIBRADOS_ALL_NSPACES if namespace is None else namespace)
            return sorted(listed.key for listed in ioctx.list_objects())

    def ioctx(self, pool: str, namespace: str) -> Any:
        """The administrator's own view of a namespace, for looking behind the engine."""
        ioctx = self._admin.open_ioctx(pool)
        ioctx.set_namespace(namespace)
        return ioctx

    def command(self, prefix: str, inbuf: bytes = b"", **arguments: Any) -> str:
        """What the monitor answers to `prefix`, JSON by default. Raises `CephError`."""
        told = json.dumps({"prefix": prefix, "format": "json", **arguments})
        code, out, errors = self._admin.mon_command(told, inbuf)
        if code:
            raise CephError(f"ceph {prefix}: {errors or os.strerror(-code)}")
        return str(out.decode())

    def settle(self, pool: str) -> None:
        """Wait until the manager has reported sizes of `pool`."""

        def known() -> bool:
            pools = json.loads(self.command("df"))["pools"]
            return any(p["name"] == pool and p["stats"]["max_avail"] for p in pools)

        self._wait(f"statistics of {pool}", known)

    # --- helpers ----------------------------------------------------------------------------

    def _keyring(self, file: str, name: str, **caps: str) -> str:
        lines = [f"[{name}]", f"\tkey = {_new_key()}"]
        lines += [f'\tcaps {service} = "allow {what}"' for service, what in caps.items()]
        text = "\n".join(lines) + "\n"
        (self.directory / file).write_text(text)
        return text

    def _run(self, program: str, *words: str) -> None:
        where = [str(self.directory / "monmap")] if program == "monmaptool" else []
        done = subprocess.run(
            [program, "-c", str(self.conf), *words, *where],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
        )  # fmt: skip
        if done.returncode:
            raise CephError(f"{program}: {done.stderr or done.stdout}")

    def _spawn(self, name: str, *words: str) -> None:
        with (self.directory / "log" / f"{name}.out").open("ab") as output:
            self._daemons[name] = subprocess.Popen(
                [words[0], "-c", str(self.conf), *words[1:], "-f"],
                stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True,
            )  # fmt: skip

    def _end(self, name: str, how: signal.Signals) -> None:
        daemon = self._daemons.pop(name)
        if daemon.poll() is None:
            daemon.send_signal(how)
        daemon.wait(STOP_SECONDS)

    def _wait(self, what: str, happened: Any) -> None:
        deadline = time.monotonic() + START_SECONDS
        while not happened():
            ended = [name for name, daemon in self._daemons.items() if daemon.poll() is not None]
            if ended or time.monotonic() > deadline:
                raise CephError(f"waiting until {what}; ended: {ended}\n{self._log_tails()}")
            time.sleep(0.05)

    def _log_tails(self) -> str:
        logs = sorted((self.directory / "log").iterdir())
        return "\n".join(
            f"--- {log.name}\n{log.read_text('utf-8', 'replace')[-2000:]}" for log in logs
        )


@functools.cache
def shared() -> Ceph:
    """One cluster for everything that this process tests; it ends with the process."""
    ceph = Ceph()
    atexit.register(ceph.stop)
    return ceph.start()


@functools.cache
def shared_pool(*, ec: bool = False) -> str:
    """A pool of the shared cluster, whose statistics are known."""
    pool = shared().create_pool(ec=ec)
    shared().settle(pool)
    return pool


def _new_key() -> str:
    """A cephx secret: type AES, time of making, length, 16 bytes."""
    now = time.time_ns()
    head = struct.pack("<HIIH", 1, now // 10**9, now % 10**9, 16)
    return base64.b64encode(head + os.urandom(16)).decode()
