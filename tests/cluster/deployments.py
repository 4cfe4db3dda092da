"""What the tests of the wire can be run against: one node, or a cluster over real engines.

`pytest --deployment=NAME` chooses. The engines of a deployment are started once a session, with its
first cluster; every cluster gets a database, and a pool or prefix, of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from tests.cluster.cluster import Cluster, Engines
from tests.harness import ACCESS_KEY, SECRET_KEY, Node
from tests.servers.ceph import Ceph
from tests.servers.postgres import Postgres

EMBEDDED: Final = "embedded"


class Deployment:
    """Makes nodes or clusters; `close` ends the engines under them."""

    def __init__(self, name: str, directory: Path) -> None:
        self._blobs = BLOBS[name] if name != EMBEDDED else None
        self._directory = directory
        self._stack = ExitStack()
        self._postgres: Postgres | None = None
        self._make_blobs: Callable[[], Engines] | None = None

    def start(
        self, directory: Path, *, auth: bool = True, environment: Mapping[str, str] | None = None
    ) -> Node | Cluster:
        """A running node, or a cluster of two gateways, with its data in `directory`."""
        if self._blobs is None:
            return Node(directory, auth=auth, environment=environment).start()
        engines = self.engines()
        given = Engines(engines.options, {**engines.environment, **(environment or {})})
        return Cluster(directory, given, auth=auth).start()

    def engines(self) -> Engines:
        """A fresh store on the engines, which are started if they do not run yet."""
        assert self._blobs is not None, "a single node has its own engines"
        if self._postgres is None or self._make_blobs is None:
            self._postgres = Postgres().start()
            self._stack.callback(self._postgres.stop)
            self._make_blobs = self._blobs(self._directory, self._stack)
        blobs = self._make_blobs()
        index = ("--index", self._postgres.create_database())
        return Engines((*index, *blobs.options), blobs.environment)

    def close(self) -> None:
        self._stack.close()


def _rados(directory: Path, stack: ExitStack) -> Callable[[], Engines]:
    """Blobs in Ceph; a store keeps to a namespace of its own, so one pool serves all."""
    ceph = Ceph().start()
    stack.callback(ceph.stop)
    pool = ceph.create_pool()
    return lambda: Engines(("--blobs", f"rados://{pool}?conf={ceph.conf}"))


def _s3(directory: Path, stack: ExitStack) -> Callable[[], Engines]:
    """Blobs in a bucket of another Aisle node."""
    node = Node(directory / "blobs").start()
    stack.callback(node.kill)
    node.client().create_bucket(Bucket="blobs")
    keys = {"AISLE_BLOBS_ACCESS_KEY": ACCESS_KEY, "AISLE_BLOBS_SECRET_KEY": SECRET_KEY}
    url = f"s3://blobs/below/here?endpoint={node.endpoint}&region=us-east-1"
    return lambda: Engines(("--blobs", url), keys)


BLOBS: Final = {"postgres+rados": _rados, "postgres+s3": _s3}
NAMES: Final = (EMBEDDED, *BLOBS)
