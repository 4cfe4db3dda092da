"""RabbitMQ, without its plugins, and with a port mapper of its own that ends with it."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from glob import glob

from tests.harness import free_port
from tests.servers.program import Program


class RabbitMq(Program):
    """`stop` and `start` keep what it was told, but for its last seconds; `close` does not."""

    def __init__(self) -> None:
        super().__init__()
        self._home = tempfile.mkdtemp(prefix="aisle-rabbitmq-")
        (self._program,) = glob("/usr/lib/rabbitmq/lib/rabbitmq_server-*/sbin/rabbitmq-server")
        self._mapper, self._distribution = free_port(), free_port()

    def command(self) -> Sequence[str]:
        environment = {
            "HOME": self._home,
            "ERL_EPMD_PORT": self._mapper,
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODENAME": f"test{self.port}@localhost",
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODE_PORT": self.port,
            "RABBITMQ_DIST_PORT": self._distribution,
            "RABBITMQ_MNESIA_BASE": f"{self._home}/mnesia",
            "RABBITMQ_LOG_BASE": f"{self._home}/log",
            "RABBITMQ_ENABLED_PLUGINS_FILE": f"{self._home}/plugins",
            "RABBITMQ_CONF_ENV_FILE": f"{self._home}/env",
        }
        return (
            "env",
            *(f"{name}={value}" for name, value in environment.items()),
            "sh", "-c", f'epmd & exec "{self._program}"',
        )  # fmt: skip

    @property
    def root(self) -> str:
        return f"amqp://guest:guest@127.0.0.1:{self.port}/"

    def close(self) -> None:
        self.stop()
        shutil.rmtree(self._home, ignore_errors=True)
