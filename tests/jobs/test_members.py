"""Nodes: joining, living, the map's version, maintenance, leaving, and releases side by side."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

import msgspec
import pytest

from aisle.core.errors import ConfigError
from aisle.jobs import members
from aisle.jobs.members import (
    DECOMMISSION,
    MAINTENANCE,
    ONLINE,
    Membership,
    NodeExists,
    NodeNotFound,
    Watch,
)
from aisle.namespace.records import VERSION, Beat, Member, decode, encode
from aisle.store.base import Index, Put, Space
from aisle.store.memory import MemoryIndex
from tests.jobs.support import Steady
from tests.namespace.support import run

SPACE = Space(1000, 400, 600)


def member(session: str = "s1", *, started: int = 1, formats: int = VERSION) -> Member:
    return Member("http://gateway:8080", session, "1.0", formats, started, 2, ONLINE)


async def living(watch: Watch) -> list[str]:
    return [node.id for node in await watch.nodes() if node.alive]


def test_a_node_that_beats_is_on_the_map() -> None:
    async def story() -> None:
        index = MemoryIndex()
        membership, watch = Membership(index, "g1", member()), Watch(index)
        assert await watch.nodes() == []
        assert await membership.beat(SPACE) == ONLINE
        (node,) = await watch.nodes()
        assert (node.id, node.alive, node.member.url) == ("g1", True, "http://gateway:8080")
        assert (node.beat.total, node.beat.free) == (1000, 600)

    run(story())


def test_a_node_that_falls_silent_is_dead_to_whoever_watches_long_enough() -> None:
    async def story() -> None:
        index, clock = MemoryIndex(), Steady()
        first, second = Membership(index, "g1", member()), Membership(index, "g2", member("s2"))
        watch = Watch(index, steady=clock)
        for _ in range(6):
            await first.beat(SPACE)
            if clock.now < 4:
                await second.beat(SPACE)
            seen = await living(watch)
            clock.now += 2
        assert seen == ["g1", "g2"]
        clock.now += 2
        await first.beat(SPACE)
        assert await living(watch) == ["g1"]
        assert watch.silent("g2") >= members.TTL
        assert await living(Watch(index, steady=clock)) == ["g1", "g2"]  # it cannot know yet
        await second.beat(SPACE)
        assert await living(watch) == ["g1", "g2"]

    run(story())


def test_the_version_moves_with_the_map_and_not_with_beats() -> None:
    async def story() -> None:
        index = MemoryIndex()
        assert await members.map_version(index) == 0
        membership = Membership(index, "g1", member())
        await membership.beat(SPACE)
        assert await members.map_version(index) == 1
        await membership.beat(SPACE)
        assert await members.map_version(index) == 1
        await members.change_state(index, "g1", MAINTENANCE)
        await members.change_state(index, "g1", ONLINE)
        assert await members.map_version(index) == 3
        await membership.leave()
        assert await members.map_version(index) == 4

    run(story())


def test_a_node_hears_of_its_maintenance_and_keeps_it_over_a_restart() -> None:
    async def story() -> None:
        index = MemoryIndex()
        membership = Membership(index, "g1", member())
        await membership.beat(SPACE)
        await members.change_state(index, "g1", MAINTENANCE)
        assert await membership.beat(SPACE) == MAINTENANCE
        assert await members.state_of(index, "g1") == MAINTENANCE
        await membership.leave()
        (node,) = await Watch(index).nodes()
        assert (node.alive, node.member.state) == (False, MAINTENANCE)
        again = Membership(index, "g1", member("s2"))
        assert await again.beat(SPACE) == MAINTENANCE
        await members.change_state(index, "g1", ONLINE)
        assert await again.beat(SPACE) == ONLINE

    run(story())


def test_a_decommissioned_node_is_told_so_and_comes_back_only_as_a_new_one() -> None:
    async def story() -> None:
        index = MemoryIndex()
        membership = Membership(index, "g1", member())
        await membership.beat(SPACE)
        await members.change_state(index, "g1", DECOMMISSION)
        assert await membership.beat(SPACE) == DECOMMISSION
        await membership.leave()
        assert await Watch(index).nodes() == []
        assert await Membership(index, "g1", member("s2")).beat(SPACE) == ONLINE

    run(story())


def test_leaving_takes_everything_along() -> None:
    async def story() -> None:
        index = MemoryIndex()
        membership = Membership(index, "g1", member())
        await membership.beat(SPACE)
        await membership.leave()
        assert await index.scan("node", limit=9) == []
        assert await index.scan("beat", limit=9) == []
        await membership.leave()

    run(story())


def test_one_that_was_taken_off_the_map_while_it_was_cut_off_joins_again() -> None:
    async def story() -> None:
        index = MemoryIndex()
        membership = Membership(index, "g1", member())
        await membership.beat(SPACE)
        await members.remove(index, "g1")
        assert await membership.beat(SPACE) == ONLINE
        assert await living(Watch(index)) == ["g1"]

    run(story())


def test_of_two_with_one_id_the_later_has_it() -> None:
    async def story() -> None:
        index = MemoryIndex()
        first, second = Membership(index, "g1", member()), Membership(index, "g1", member("s2"))
        await first.beat(SPACE)
        await second.beat(SPACE)
        with pytest.raises(NodeExists):
            await first.beat(SPACE)
        await first.leave()
        assert await living(Watch(index)) == ["g1"]
        assert await second.beat(SPACE) == ONLINE

    run(story())


def test_a_worker_takes_over_from_another_of_its_node() -> None:
    """They share the session: no other process, and no other life of the node."""

    async def story() -> None:
        index = MemoryIndex()
        await Membership(index, "g1", member(started=1)).beat(SPACE)
        watch = Watch(index, steady=(clock := Steady()))
        assert await living(watch) == ["g1"]
        clock.now += members.TTL
        await Membership(index, "g1", member(started=2)).beat(SPACE)
        assert await living(watch) == ["g1"]

    run(story())


@pytest.mark.parametrize("act", [members.remove, lambda i, n: members.change_state(i, n, ONLINE)])
def test_a_node_that_is_not_there_is_named(
    act: Callable[[Index, str], Coroutine[Any, Any, None]],
) -> None:
    with pytest.raises(NodeNotFound, match="g9"):
        run(act(MemoryIndex(), "g9"))


# --- releases side by side --------------------------------------------------------------------


class LaterMember(msgspec.Struct, array_like=True):
    """A `Member` as a later release of the same minor version might write it."""

    url: str
    session: str
    version: str
    formats: int
    started: int
    workers: int
    state: str
    zone: str = ""


def test_a_field_that_is_new_is_passed_over_by_old_and_empty_to_new() -> None:
    later = LaterMember("http://g", "s", "1.1", 1, 2, 3, ONLINE, "eu-1")
    row = bytes([VERSION]) + msgspec.msgpack.encode(later)
    assert decode(Member, row) == Member("http://g", "s", "1.1", 1, 2, 3, ONLINE)
    back = msgspec.msgpack.decode(encode(member())[1:], type=LaterMember)
    assert (back.session, back.zone) == ("s1", "")


def reading(*formats: int) -> list[members.Node]:
    return [
        members.Node(f"g{number}", member(formats=each), Beat(1), alive=True)
        for number, each in enumerate(formats)
    ]


def test_rows_are_written_as_the_oldest_node_reads_them() -> None:
    async def story() -> None:
        index = MemoryIndex()
        assert await members.raise_format(index, []) == 0
        assert await members.raise_format(index, reading(3, 2)) == 2
        assert await members.raise_format(index, reading(3, 2)) == 2
        assert await members.raise_format(index, reading(3, 3)) == 3
        # A node of an older release refuses to join by itself; nothing goes back.
        assert await members.raise_format(index, reading(1)) == 3

    run(story())


def test_a_store_of_a_later_format_is_refused() -> None:
    async def story() -> None:
        index = MemoryIndex()
        await members.check_format(index)
        await index.commit(Put("config", b"format", str(VERSION).encode()))
        await members.check_format(index)
        await index.commit(Put("config", b"format", str(VERSION + 1).encode()))
        with pytest.raises(ConfigError, match="newer"):
            await Membership(index, "g1", member()).join()

    run(story())
