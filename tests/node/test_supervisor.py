"""A node as a process: it starts, stops in order, survives what kills a part of it."""

import os
import signal
import socket
import time
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest

from tests.harness import free_port, is_gone
from tests.node.process import TinyNode, attempt, eventually, refuse


def test_it_starts_serves_and_stops_with_code_zero(tmp_path: Path) -> None:
    with TinyNode(tmp_path / "data") as node:
        workers = node.workers()
        assert len(workers) == 2
        assert node.get() in [(200, f"{pid} 0") for pid in workers]
        assert node.stop() == 0
        assert node.process.stdout is not None
        banner = node.process.stdout.read().decode()
        assert f"http://localhost:{node.port}" in banner
        assert str(tmp_path / "data") in banner
        assert "off: this machine only may read and write" in banner
        assert "ais create ais://demo" in banner
        assert node.log() == ""
        # Every worker ran the end of its lifespan.
        closed = {path.name for path in (tmp_path / "data").glob("closed-*")}
        assert closed == {f"closed-{pid}" for pid in workers}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("send", [os.kill, os.killpg])
def test_an_upload_in_flight_finishes_while_new_connections_are_refused(
    tmp_path: Path, number: signal.Signals, send: Callable[[int, int], None]
) -> None:
    with TinyNode(tmp_path / "data") as node:
        connection = node.connect()
        connection.putrequest("PUT", "/slow")
        connection.putheader("Content-Length", "2000")
        connection.endheaders(b"x" * 1000)
        idle = node.connect()
        idle.request("GET", "/")
        assert idle.getresponse().read()
        time.sleep(0.2)
        send(node.process.pid, number)  # to the group: as Ctrl-C and service managers do
        assert eventually(60, lambda: _refused(node.port))
        time.sleep(0.3)
        assert node.process.poll() is None
        connection.send(b"y" * 1000)
        response = connection.getresponse()
        assert response.status == 200
        assert response.read().endswith(b" 2000")
        assert node.process.wait(15) == 0  # the idle connection holds nothing up
        connection.close()
        idle.close()


def test_a_request_that_never_ends_is_cut_off_after_the_stop_timeout(tmp_path: Path) -> None:
    with TinyNode(tmp_path / "data", "--stop-timeout", "1s") as node:
        connection = node.connect()
        connection.request("GET", "/stuck")
        time.sleep(0.2)
        begin = time.monotonic()
        assert node.stop() == 0
        assert 0.8 < time.monotonic() - begin < 20
        assert "did not stop in time and is killed" in node.log()
        connection.close()


def test_a_stop_right_after_the_start_is_not_lost(tmp_path: Path) -> None:
    for turn in range(12):
        with TinyNode(tmp_path / f"data{turn}") as node:
            assert node.stop() == 0


def test_a_worker_that_has_answered_ends_in_order_however_soon(tmp_path: Path) -> None:
    for turn in range(6):
        data = tmp_path / f"data{turn}"
        node = TinyNode(data)
        with closing(node):
            assert eventually(60, partial(_answers, node))
            _, answer = node.get()
            assert node.stop() == 0
            assert (data / f"closed-{answer.split()[0]}").exists()


def test_a_worker_that_does_not_come_up_holds_no_stop_up(tmp_path: Path) -> None:
    node = TinyNode(tmp_path / "data", TINY_FAIL="hang")
    with closing(node):
        assert eventually(60, lambda: len(node.workers()) == 2)
        time.sleep(0.3)
        assert node.stop() == 0
        assert node.log() == ""


def test_a_second_signal_means_now(tmp_path: Path) -> None:
    with TinyNode(tmp_path / "data") as node:
        connection = node.connect()
        connection.request("GET", "/stuck")
        time.sleep(0.2)
        node.process.send_signal(signal.SIGINT)
        time.sleep(0.3)
        assert node.process.poll() is None
        assert node.stop(signal.SIGINT) == 0
        connection.close()


def test_a_killed_worker_is_replaced_while_the_other_serves(tmp_path: Path) -> None:
    with TinyNode(tmp_path / "data") as node:
        first, second = node.workers()
        os.kill(first, signal.SIGKILL)
        assert eventually(60, lambda: is_gone(first))
        for _ in range(20):
            assert node.get()[0] == 200
        assert eventually(60, lambda: len(node.workers()) == 2 and second in node.workers())
        replacement = next(pid for pid in node.workers() if pid != second)
        assert eventually(60, lambda: node.get()[1].split()[0] == str(replacement))
        assert "worker 1 ended with code -9" in node.log()
        assert node.stop() == 0


def test_a_request_that_kills_workers_again_and_again_does_not_end_the_node(
    tmp_path: Path,
) -> None:
    with TinyNode(tmp_path / "data", "--workers", "1") as node:
        for _ in range(3):
            (worker,) = node.workers()
            with pytest.raises(ConnectionError):
                node.get("/die")
            assert eventually(60, partial(is_gone, worker))
            assert eventually(60, lambda: not _refused(node.port))
        assert node.get()[0] == 200
        assert node.stop() == 0


def test_workers_die_with_the_supervisor_and_leave_the_directory_free(tmp_path: Path) -> None:
    with TinyNode(tmp_path / "data") as node:
        workers = node.workers()
        node.process.kill()
        node.process.wait()
        # At once, without waiting for anything: the next one copes with the moment between.
        with TinyNode(tmp_path / "data", port=node.port) as successor:
            assert all(is_gone(pid) for pid in workers)
            assert successor.get()[0] == 200
            assert successor.stop() == 0


def test_a_second_node_on_the_same_directory_is_refused(tmp_path: Path) -> None:
    with TinyNode(tmp_path / "data") as node:
        line = refuse(tmp_path / "data")
        assert line == (
            f"data directory {tmp_path / 'data'} is in use by another node (pid {node.process.pid})"
        )
        assert node.stop() == 0


def test_a_second_node_on_the_same_mountpath_is_refused(tmp_path: Path) -> None:
    shared = str(tmp_path / "disk")
    with TinyNode(tmp_path / "one", "--mountpath", shared) as node:
        line = refuse(tmp_path / "two", "--mountpath", shared)
        assert line == f"mountpath directory {shared} is in use by another node"
        assert node.stop() == 0


def test_a_port_in_use_is_told_in_one_line(tmp_path: Path) -> None:
    with TinyNode(tmp_path / "one") as node:
        line = refuse(tmp_path / "two", "--port", str(node.port))
        assert line == f"cannot listen on 127.0.0.1:{node.port}: Address already in use"


@pytest.mark.parametrize(
    ("failure", "line"),
    [("open", "the index is of a newer version"), ("startup", "the disk is gone")],
)
def test_an_application_that_cannot_start_says_why_in_one_line(
    tmp_path: Path, failure: str, line: str
) -> None:
    assert refuse(tmp_path / "data", "--port", str(free_port()), TINY_FAIL=failure) == line


def test_a_bug_at_start_leaves_its_traceback_in_the_log(tmp_path: Path) -> None:
    code, lines = attempt(tmp_path / "data", "--port", str(free_port()), TINY_FAIL="bug")
    assert code == 1
    assert "Traceback (most recent call last):" in lines
    assert lines[-1] == "aisnode: error: RuntimeError: a bug"


def test_a_file_in_place_of_the_data_directory_is_refused(tmp_path: Path) -> None:
    (tmp_path / "data").touch()
    assert refuse(tmp_path / "data") == f"data directory {tmp_path / 'data'} is not a directory"


def test_a_read_only_place_is_refused() -> None:
    # /proc takes no new directories from anyone, root included.
    assert refuse(Path("/proc/aisle")).startswith("data directory /proc/aisle cannot be written: ")


def test_a_directory_of_another_user_is_refused(tmp_path: Path) -> None:
    if os.geteuid() == 0:
        os.mkdir(tmp_path / "data")
        os.chown(tmp_path / "data", 12345, 12345)
        expected = "belongs to user 12345, and this node runs as root"
        assert expected in refuse(tmp_path / "data")
    else:
        # Only root may give a directory away; the root directory is another user's already.
        assert "belongs to user root" in refuse(Path("/"))


def test_ipv6_addresses_are_served(tmp_path: Path) -> None:
    with TinyNode(tmp_path / "data", "--host", "::1") as node:
        connection = node.connect("::1")
        connection.request("GET", "/")
        assert connection.getresponse().status == 200
        connection.close()
        assert node.stop() == 0
        assert node.process.stdout is not None
        assert f"http://[::1]:{node.port}".encode() in node.process.stdout.read()


def _refused(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except ConnectionRefusedError:
        return True
    return False


def _answers(node: TinyNode) -> bool:
    try:
        return node.get()[0] == 200
    except OSError:
        return False
