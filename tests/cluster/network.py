"""A network of its own for a cluster: every gateway in a namespace, with two links to pull.

`Network` moves the calling thread, and with it everything that is started from there, into a new
network namespace: servers on loopback there meet nobody else's ports. Each `Place` is a namespace
more for one gateway. Clients reach it over the bridge `front`; it reaches the servers over the
bridge `back`, as 127.0.0.1, since the loopback address of the servers' namespace is routed to it.
`cut` pulls the link of one place to `back`: nothing passes in either direction and nobody is told,
while clients still reach the gateway.

Needs root. Namespaces have no names: the kernel removes them with their last process.
"""

from __future__ import annotations

import ctypes
import os
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest

_CLONE_NEWNET = 0x40000000  # sched.h
_libc = ctypes.CDLL(None, use_errno=True)

# From the back bridge to the servers' own loopback address and back again.
_SERVERS = """
ip link set lo up
ip link add front type bridge && ip addr add 10.1.0.1/24 dev front && ip link set front up
ip link add back type bridge && ip addr add 10.2.0.1/24 dev back && ip link set back up
echo 1 > /proc/sys/net/ipv4/conf/all/route_localnet
"""
# 127.0.0.1 is looked up before the table that says that it is here.
_GATEWAY = """
ip link set lo up
ip addr add 10.1.0.{n}/24 dev front && ip link set front up
ip addr add 10.2.0.{n}/24 dev back && ip link set back up
echo 1 > /proc/sys/net/ipv4/conf/all/route_localnet
ip route add 127.0.0.1/32 via 10.2.0.1 src 10.2.0.{n} table 77
ip rule add pref 10 to 127.0.0.1/32 lookup 77
ip rule add pref 20 lookup local
ip rule del pref 0
"""


@dataclass(frozen=True)
class Place:
    """A namespace for one gateway: the address that it listens on, what to put before its
    command, and the name of its link to the servers."""

    address: str
    prefix: tuple[str, ...]
    link: str


class Network:
    """See the module. Enter and leave it in the same thread."""

    def __init__(self) -> None:
        self._holders: list[subprocess.Popen[bytes]] = []
        self._home = -1

    def __enter__(self) -> Self:
        self._home = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        if _libc.unshare(_CLONE_NEWNET) != 0:
            pytest.fail(f"network namespaces need root: {os.strerror(ctypes.get_errno())}")
        _shell(_SERVERS)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        for holder in self._holders:
            holder.kill()
            holder.wait()
        if _libc.setns(self._home, _CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), "setns")
        os.close(self._home)

    def place(self) -> Place:
        """A new namespace, linked to both bridges."""
        holder = subprocess.Popen(
            ["unshare", "--net", "setpriv", "--pdeathsig=KILL", "sleep", "infinity"],
            stdin=subprocess.DEVNULL,
        )
        self._holders.append(holder)
        namespace, here = (
            Path(f"/proc/{holder.pid}/ns/net"),
            os.readlink("/proc/thread-self/ns/net"),
        )
        while os.readlink(namespace) == here:
            assert holder.poll() is None, "unshare failed"
            time.sleep(0.01)
        number = 10 + len(self._holders)
        for bridge in ("front", "back"):
            link = f"{bridge}{number}"
            _shell(
                f"ip link add {link} type veth peer name {bridge} netns {holder.pid}\n"
                f"ip link set {link} master {bridge} up"
            )
        prefix = ("nsenter", f"--net={namespace}")
        _shell(_GATEWAY.format(n=number), *prefix)
        return Place(f"10.1.0.{number}", prefix, f"back{number}")

    def cut(self, place: Place) -> None:
        """Part a gateway from the servers."""
        _shell(f"ip link set {place.link} down")

    def mend(self, place: Place) -> None:
        """Undo `cut`."""
        _shell(f"ip link set {place.link} up")


def _shell(script: str, *prefix: str) -> None:
    done = subprocess.run(
        [*prefix, "sh", "-e", "-c", script], capture_output=True, text=True, check=False
    )
    if done.returncode:
        pytest.fail(f"a network for the cluster cannot be made: {done.stderr.strip()}")
