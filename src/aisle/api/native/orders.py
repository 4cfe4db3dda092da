"""What a node is told to do, by a row: shut down, begin to count anew, put its log file away, read
its certificate anew.

An order is written into the node's row by whichever node was asked, and followed by the workers of
the node that it is for, once for all of them: they look at their row every moment (see
`node.compose`). It belongs to one life of the node: a restart forgets it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from aisle.api.base import Service
from aisle.namespace import configuration

SHUTDOWN: Final = "shutdown"
RESET_STATS: Final = "reset-stats"
RESET_ERRORS: Final = "reset-errors"
ROTATE_LOGS: Final = "rotate-logs"
LOAD_X509: Final = "load-x509"


async def give(svc: Service, sessions: Mapping[str, str], what: str) -> None:
    """Order nodes to do `what`; this one does it at once."""
    await configuration.order(svc.store.index, sessions, what)
    svc.store.forget_config()
    await svc.store.config()
    obey(svc)


def obey(svc: Service) -> None:
    """Follow the orders in this node's row that no other worker has followed."""
    told = svc.store.node_config
    if told.session != svc.session:
        return
    for what, count in told.orders.items():
        if svc.counters.is_new(what, count):
            _follow(svc, what)


def _follow(svc: Service, what: str) -> None:
    if what == RESET_STATS:
        svc.counters.reset()
    elif what == RESET_ERRORS:
        svc.counters.reset(errors_only=True)
    elif what == ROTATE_LOGS and svc.log is not None:
        svc.log.rotate()
    elif what == LOAD_X509 and svc.certificate is not None:
        svc.certificate.renew()
    elif what == SHUTDOWN and svc.stop is not None:
        svc.stop()
