"""The SDK's file reader goes on where a connection broke: ranges and HEAD are what it needs."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator

import pytest
from aistore import Client
from aistore.sdk.bucket import Bucket
from aistore.sdk.obj.obj_file.errors import ObjectFileReaderMaxResumeError

from tests.harness import Node

DATA = bytes(range(256)) * 4096 * 4  # 4 MiB
CUT = 1 << 20


class Relay:
    """Passes connections on to a node, and cuts the first `cuts` replies of more than `CUT`."""

    def __init__(self, port: int) -> None:
        self.cuts = 0
        self._to = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                node = socket.create_connection(("127.0.0.1", self._to))
                for pair in ((client, node, False), (node, client, True)):
                    threading.Thread(target=self._pass, args=pair, daemon=True).start()

    def _pass(self, source: socket.socket, to: socket.socket, replies: bool) -> None:
        passed = 0
        with contextlib.suppress(OSError):
            while piece := source.recv(1 << 16):
                passed += len(piece)
                if replies and passed > CUT and self.cuts:
                    self.cuts -= 1
                    break
                to.sendall(piece)
        for end in (source, to):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()


@pytest.fixture
def relay(open_node: Node) -> Iterator[Relay]:
    made = Relay(open_node.port)
    yield made
    made.close()


def test_a_file_reader_goes_on_where_the_connection_broke(
    open_node: Node, bucket: Bucket, relay: Relay
) -> None:
    bucket.object("x").get_writer().put_content(DATA)
    scheme = open_node.root.partition(":")[0]
    obj = Client(f"{scheme}://localhost:{relay.port}").bucket(bucket.name).object("x")
    relay.cuts = 2
    with obj.get_reader().as_file(max_resume=3) as file:
        assert file.read() == DATA
    assert relay.cuts == 0
    relay.cuts = 1
    with obj.get_reader(byte_range="bytes=100-3000000").as_file(max_resume=3) as file:
        assert file.read() == DATA[100:3000001]
    relay.cuts = 9
    with (
        pytest.raises(ObjectFileReaderMaxResumeError),
        obj.get_reader().as_file(max_resume=1) as file,
    ):
        file.read()
