"""Counters that the workers of a node share."""

import os

from aisle.core.counters import FAMILIES, Counters, kinds


def in_a_child(work: object) -> None:
    """Run `work` in a forked process and wait for its end."""
    pid = os.fork()
    if pid == 0:
        try:
            work()  # type: ignore[operator]
        finally:
            os._exit(0)
    os.waitpid(pid, 0)


def test_a_request_is_counted_by_what_it_was() -> None:
    counters = Counters()
    counters.note("GetObject", 200, 0, 4096, 1000)
    counters.note("get-object", 206, 0, 10, 500)
    counters.note("PutObject", 200, 300, 0, 70)
    counters.note("nonsense", 200, 5, 5, 9)
    found = counters.read()
    assert (found["get.n"], found["get.size"], found["get.ns.total"]) == (2, 4106, 1500)
    assert (found["put.n"], found["put.size"]) == (1, 300)
    assert found["other.n"] == 1
    assert set(found) == set(kinds())


def test_failures_are_counted_apart_and_what_is_not_there_is_none() -> None:
    counters = Counters()
    for status in (400, 500, 404, 412):
        counters.note("HeadObject", status, 0, 0, 1)
    counters.note("GetObject", 200, 0, -1, 1)  # its reply broke off
    found = counters.read()
    assert (found["head.n"], found["err.head.n"]) == (0, 3)
    assert (found["get.n"], found["err.get.n"]) == (0, 1)


def test_workers_add_up_and_the_dead_are_not_forgotten() -> None:
    counters = Counters()

    def serve() -> None:
        counters.claim()
        counters.note("GetObject", 200, 0, 1, 1)

    counters.claim()
    counters.note("GetObject", 200, 0, 1, 1)
    for _ in range(3):
        in_a_child(serve)
    assert counters.read()["get.n"] == 4


def test_a_reset_counts_from_zero_for_everybody() -> None:
    counters = Counters()
    counters.claim()
    counters.note("GetObject", 200, 0, 1, 1)
    counters.note("GetObject", 500, 0, 1, 1)
    counters.reset(errors_only=True)
    assert (counters.read()["get.n"], counters.read()["err.get.n"]) == (1, 0)
    in_a_child(counters.reset)
    assert not any(counters.read().values())
    counters.note("GetObject", 200, 0, 1, 1)
    assert counters.read()["get.n"] == 1


def test_what_a_node_does_by_itself_is_counted_over_all_workers() -> None:
    counters = Counters()
    counters.add("lru.evict", 3, 300)
    in_a_child(lambda: counters.add("lru.evict", 1, 50))
    counters.add("get.cold", 1, 7)
    found = counters.read()
    assert (found["lru.evict.n"], found["lru.evict.size"]) == (4, 350)
    assert (found["get.cold.n"], found["get.cold.size"]) == (1, 7)
    assert set(found) == set(kinds())
    counters.reset(errors_only=True)
    assert counters.read() == found
    counters.reset()
    assert not any(counters.read().values())


def test_an_order_is_new_once_for_all_workers() -> None:
    counters = Counters()
    in_a_child(lambda: counters.is_new("reset-stats", 1))
    assert not counters.is_new("reset-stats", 1)
    assert counters.is_new("reset-stats", 2)
    assert counters.is_new("rotate-logs", 1)


def test_no_operation_is_in_two_families() -> None:
    operations = [name for names in FAMILIES.values() for name in names]
    assert len(operations) == len(set(operations))


def test_uptime_is_that_of_the_node() -> None:
    counters = Counters()
    assert 0 <= counters.uptime() < 60_000_000_000
