"""What is in force where: defaults, the cluster's settings, a node's own, transient ones."""

from __future__ import annotations

from aisle.namespace import configuration
from aisle.namespace.store import Store
from aisle.store.memory import MemoryBlobs, MemoryIndex
from tests.namespace.support import run

SIZE, TYPE = "log.max_size", "checksum.type"


def nodes(index: MemoryIndex) -> tuple[Store, Store]:
    """Two nodes over one index, each in its first life."""
    blobs = MemoryBlobs()
    return (
        Store(index, blobs, node="a", session="a1"),
        Store(index, blobs, node="b", session="b1"),
    )


def test_a_node_s_own_value_stands_over_the_cluster_s() -> None:
    async def story() -> None:
        here, there = nodes(MemoryIndex())
        await here.change_config({SIZE: "1mb", TYPE: "md5"})
        await configuration.change_node(here.index, "a", {SIZE: "2mb"})
        assert (await here.text(SIZE), await there.text(SIZE)) == ("2mb", "1mb")
        assert await here.text(TYPE) == "md5"
        assert here.cluster_config.values == {SIZE: "1mb", TYPE: "md5"}
        await configuration.reset_node(here.index, "a")
        assert await here.text(SIZE) == "1mb"

    run(story())


def test_a_transient_value_ends_with_the_node_s_life() -> None:
    async def story() -> None:
        index = MemoryIndex()
        here, there = nodes(index)
        await configuration.set_transient(index, {"a": "a1", "b": "b1"}, {SIZE: "3mb"})
        assert (await here.text(SIZE), await there.text(SIZE)) == ("3mb", "3mb")
        again = Store(index, here.blobs, node="a", session="a2")
        late = Store(index, here.blobs, node="c", session="c1")
        assert (await again.text(SIZE), await late.text(SIZE)) == ("4mb", "4mb")
        assert await there.text(SIZE) == "3mb"

    run(story())


def test_what_was_set_last_counts() -> None:
    async def story() -> None:
        index = MemoryIndex()
        here, _ = nodes(index)
        await configuration.set_transient(index, {"a": "a1"}, {SIZE: "3mb", TYPE: "md5"})
        await here.change_config({SIZE: "5mb"})
        assert (await here.text(SIZE), await here.text(TYPE)) == ("5mb", "md5")
        await configuration.change_node(index, "a", {TYPE: "sha256"})
        assert await here.text(TYPE) == "sha256"

    run(story())


def test_a_reset_takes_back_what_it_names_everywhere() -> None:
    async def story() -> None:
        index = MemoryIndex()
        here, there = nodes(index)
        await here.change_config({SIZE: "1mb", TYPE: "md5"})
        await configuration.change_node(index, "b", {SIZE: "2mb"})
        await configuration.set_transient(index, {"a": "a1"}, {SIZE: "3mb"})
        await here.change_config({}, reset={SIZE})
        for store in (here, there):
            assert (await store.text(SIZE), await store.text(TYPE)) == ("4mb", "md5")
        await here.change_config({}, reset=True)
        assert await there.text(TYPE) == "xxhash"

    run(story())


def test_an_order_is_for_one_life() -> None:
    async def story() -> None:
        index = MemoryIndex()
        await configuration.order(index, {"a": "a1"}, "reset-stats")
        await configuration.order(index, {"a": "a1"}, "reset-stats")
        assert (await configuration.of_node(index, "a")).orders == {"reset-stats": 2}
        await configuration.change_node(index, "a", {SIZE: "1mb"})
        await configuration.order(index, {"a": "a2"}, "shutdown")
        own = await configuration.of_node(index, "a")
        assert (own.session, own.orders, own.values) == ("a2", {"shutdown": 1}, {SIZE: "1mb"})

    run(story())


def test_the_version_and_the_time_of_the_last_change_are_kept() -> None:
    async def story() -> None:
        here, _ = nodes(MemoryIndex())
        first = await here.change_config({SIZE: "1mb"})
        second = await here.change_config({SIZE: "2mb"})
        assert (first.version, second.version) == (1, 2)
        assert second.changed >= first.changed > 0

    run(story())
