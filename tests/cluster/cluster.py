"""Several gateways over one store behind HAProxy, with the interface of one `Node`.

Requests through `client` and `send` alternate between the gateways; `gateways` reaches one. What
the gateways stand on (databases, pools) is started and stopped by whoever makes the cluster.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.harness import Endpoint, Node
from tests.servers.haproxy import Backend, HAProxy


@dataclass(frozen=True)
class Engines:
    """What gateways are told of the store that they share."""

    options: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Seat:
    """Where and how one gateway runs: see `Node`."""

    address: str = "127.0.0.1"
    prefix: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)


class Gateway(Node):
    """One `aisnode` of a cluster, with one worker; `name` is its id there."""

    def __init__(
        self, name: str, directory: Path, engines: Engines, seat: Seat, *, auth: bool
    ) -> None:
        super().__init__(
            directory / name,
            auth=auth,
            workers=1,
            options=("--node-id", name, *engines.options),
            environment={**engines.environment, **seat.environment},
            address=seat.address,
            prefix=seat.prefix,
        )
        self.name = name

    def ready(self) -> bool:
        """Whether it wants requests."""
        try:
            reply = self.send("GET", "/v1/health?readiness=true", signed=False, timeout=2)
        except OSError:
            return False
        return reply.status == 200


class Cluster(Endpoint):
    """See the module."""

    def __init__(
        self,
        directory: Path,
        engines: Engines,
        *,
        seats: Sequence[Seat] = (Seat(), Seat()),
        auth: bool = True,
    ) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.data = directory
        self.auth = auth
        self.gateways = [
            Gateway(f"g{number}", directory, engines, seat, auth=auth)
            for number, seat in enumerate(seats)
        ]
        self.proxy = HAProxy(
            directory, [Backend(each.name, each.address, each.port) for each in self.gateways]
        )
        super().__init__(self.proxy.port)

    def start(self) -> Cluster:
        """Start everything and return once every gateway wants requests."""
        try:
            with ThreadPoolExecutor(len(self.gateways)) as pool:
                list(pool.map(Gateway.start, self.gateways))
            self.wait_ready()
            self.proxy.start()
        except BaseException:
            self.kill()
            raise
        return self

    def stop(self) -> int:
        """Ask every gateway to end and return the worst exit status."""
        self.close_clients()
        self.proxy.stop()
        with ThreadPoolExecutor(len(self.gateways)) as pool:
            return max(pool.map(Gateway.stop, self.gateways))

    def kill(self) -> None:
        """End everything at once."""
        self.proxy.stop()
        for gateway in self.gateways:
            gateway.kill()

    def restart(self) -> Cluster:
        """Stop everything, and start it again over the same data and ports."""
        self.stop()
        return self.start()

    def wait_ready(self, *, seconds: float = 60.0) -> None:
        """Return once every gateway wants requests."""
        wait_until(
            lambda: all(gateway.ready() for gateway in self.gateways),
            "every gateway is ready",
            seconds=seconds,
            told=self.log_tail,
        )

    def log_tail(self, lines: int = 40) -> str:
        return "\n".join(f"--- {each.name}\n{each.log_tail(lines)}" for each in self.gateways)

    def smap(self, gateway: Gateway | None = None) -> dict[str, Any]:
        """The map of the cluster, as one gateway tells it."""
        reply = (gateway or self).send("GET", "/v1/daemon?what=smap")
        assert reply.status == 200, reply.body
        told: dict[str, Any] = json.loads(reply.body)
        return told

    def primary(self, gateway: Gateway | None = None) -> Gateway | None:
        """The gateway that keeps house, if one has the duty and lives."""
        told = (self.smap(gateway).get("proxy_si") or {}).get("daemon_id", "")
        return next((each for each in self.gateways if told == f"p{each.name}"), None)


def wait_until(
    happened: Callable[[], bool],
    what: str,
    *,
    seconds: float = 60.0,
    told: Callable[[], str] = str,
) -> None:
    """Return once `happened()`; fail with what `told()` says after `seconds`."""
    deadline = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < deadline, f"waited {seconds} s until {what}\n{told()}"
        time.sleep(0.1)
