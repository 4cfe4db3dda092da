"""Apache Kafka: a broker that is its own controller, from the jars that scripts/emulators keeps."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tests.harness import free_port
from tests.servers.program import KEPT, Program

VERSION = "3.9.1"
_JAVA = ("java", "-Xmx256m", "-XX:TieredStopAtLevel=1", "-cp", f"{KEPT}/kafka-{VERSION}/*")
_CLUSTER = "AAAAAAAAAAAAAAAAAAAAAA"


class Kafka(Program):
    """`stop` and `start` keep what it was told; `close` does not."""

    def __init__(self) -> None:
        super().__init__()
        self._home = Path(tempfile.mkdtemp(prefix="aisle-kafka-"))
        self._file = self._home / "server.properties"
        controller = free_port()
        properties = {
            "process.roles": "broker,controller",
            "node.id": "1",
            "controller.quorum.voters": f"1@127.0.0.1:{controller}",
            "listeners": f"PLAINTEXT://127.0.0.1:{self.port},CONTROLLER://127.0.0.1:{controller}",
            "advertised.listeners": f"PLAINTEXT://127.0.0.1:{self.port}",
            "controller.listener.names": "CONTROLLER",
            "inter.broker.listener.name": "PLAINTEXT",
            "log.dirs": str(self._home / "logs"),
            "offsets.topic.replication.factor": "1",
            "broker.heartbeat.interval.ms": "200",
            "broker.session.timeout.ms": "1000",
            "num.partitions": "3",
            "message.max.bytes": "20000",
        }
        self._file.write_text("".join(f"{name}={value}\n" for name, value in properties.items()))
        command = (*_JAVA, "kafka.tools.StorageTool", "format", "-t", _CLUSTER, "-c")
        subprocess.run([*command, str(self._file)], check=True, capture_output=True, timeout=60)

    def command(self) -> Sequence[str]:
        return (*_JAVA, "kafka.Kafka", str(self._file))

    @property
    def root(self) -> str:
        return f"127.0.0.1:{self.port}"

    def close(self) -> None:
        self.stop()
        shutil.rmtree(self._home)
