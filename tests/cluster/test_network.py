"""The network itself: its links carry, and pulling one stops everything without a word."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time

import pytest

from tests.cluster.network import Network, Place

_DIAL = """
import socket, sys
with socket.create_connection(("127.0.0.1", int(sys.argv[1])), timeout=2) as dialled:
    dialled.sendall(b"hello")
"""


def _dial(place: Place, port: int) -> int:
    command = [*place.prefix, sys.executable, "-c", _DIAL, str(port)]
    return subprocess.run(command, capture_output=True, check=False).returncode


def test_a_place_reaches_the_servers_until_it_is_cut_off() -> None:
    before = os.readlink("/proc/thread-self/ns/net")
    with Network() as network, socket.create_server(("127.0.0.1", 0)) as server:
        place, other = network.place(), network.place()
        server.settimeout(5)
        port = server.getsockname()[1]
        assert _dial(place, port) == 0
        accepted, peer = server.accept()
        with accepted:
            assert accepted.recv(5) == b"hello"
            assert peer[0] != "127.0.0.1"
        network.cut(place)
        assert _dial(place, port) != 0
        assert _dial(other, port) == 0
        network.mend(place)
        deadline = time.monotonic() + 60
        while _dial(place, port) != 0:  # the kernel takes a second to notice a carrier
            assert time.monotonic() < deadline
    assert os.readlink("/proc/thread-self/ns/net") == before


def test_clients_reach_a_place_that_is_cut_off_from_the_servers() -> None:
    with Network() as network:
        place = network.place()
        network.cut(place)
        listen = (
            "import socket, sys\n"
            f"server = socket.create_server(('{place.address}', 8080))\n"
            "print('ready', flush=True)\n"
            "server.accept()[0].sendall(b'here')\n"
        )
        with subprocess.Popen(
            [*place.prefix, sys.executable, "-c", listen], stdout=subprocess.PIPE
        ) as server:
            assert server.stdout is not None
            assert server.stdout.readline() == b"ready\n"
            with socket.create_connection((place.address, 8080), timeout=5) as client:
                assert client.recv(4) == b"here"


def test_two_networks_do_not_meet() -> None:
    with Network() as outer:
        outer.place()
        with socket.create_server(("10.1.0.1", 8080)), Network() as inner:
            inner.place()
            with pytest.raises(ConnectionRefusedError):
                socket.create_connection(("10.1.0.1", 8080), timeout=2)
