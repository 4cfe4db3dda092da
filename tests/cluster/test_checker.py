"""The checker itself, on histories written out: it must accept what a store may do, and find what
it must not."""

from __future__ import annotations

from itertools import permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.cluster.checker import FINAL, check, linearizable
from tests.cluster.history import NEVER, History, Kind, Listing, Operation, Outcome


def op(
    kind: Kind,
    start: float,
    end: float,
    value: str = "",
    *,
    found: str | None = None,
    expected: str = "",
    outcome: Outcome = "done",
    client: str = "",
    key: str = "k",
) -> Operation:
    client = client or f"c{start}"
    return Operation(client, kind, key, start, end, outcome, value, expected, found)


def put(start: float, end: float, value: str, **more: str) -> Operation:
    return op("put", start, end, value, **more)  # type: ignore[arg-type]


def lost(start: float, value: str) -> Operation:
    return op("put", start, NEVER, value, outcome="unknown")


def get(start: float, end: float, found: str | None, **more: str) -> Operation:
    return op("get", start, end, found=found, **more)  # type: ignore[arg-type]


def delete(start: float, end: float) -> Operation:
    return op("delete", start, end)


def create(start: float, end: float, value: str, outcome: Outcome = "done") -> Operation:
    return op("put-if-absent", start, end, value, outcome=outcome)


def swap(
    start: float, end: float, expected: str, value: str, outcome: Outcome = "done"
) -> Operation:
    return op("put-if-match", start, end, value, expected=expected, outcome=outcome)


GOOD: dict[str, list[Operation]] = {
    "nothing": [],
    "absent": [get(1, 2, None)],
    "write, read": [put(1, 2, "a"), get(3, 4, "a")],
    "read during a write sees the old": [put(1, 2, "a"), put(3, 6, "b"), get(4, 5, "a")],
    "read during a write sees the new": [put(1, 2, "a"), put(3, 6, "b"), get(4, 5, "b")],
    "concurrent writes, either order": [put(1, 5, "a"), put(2, 4, "b"), get(6, 7, "a")],
    "one read new, a concurrent one old": [
        put(1, 2, "a"), put(3, 9, "b"), get(4, 7, "b"), get(5, 6, "a"),
    ],
    "write, delete, read": [put(1, 2, "a"), delete(3, 4), get(5, 6, None)],
    "unknown write seen": [lost(1, "a"), get(3, 4, "a")],
    "unknown write not seen": [lost(1, "a"), get(3, 4, None)],
    "unknown write seen late": [put(1, 2, "a"), lost(3, "b"), get(5, 6, "a"), get(7, 8, "b")],
    "unknown write lands after a later write": [
        lost(1, "a"), put(2, 3, "b"), get(4, 5, "b"), get(6, 7, "a"),
    ],
    "unknown delete": [
        put(1, 2, "a"), op("delete", 3, NEVER, outcome="unknown"), get(5, 6, "a"), get(7, 8, None),
    ],
    "one creator": [create(1, 5, "a"), create(2, 4, "b", "refused"), get(6, 7, "a")],
    "the other creator's outcome is unknown": [
        op("put-if-absent", 1, NEVER, "a", outcome="unknown"), create(2, 4, "b", "refused"),
    ],
    "create again after delete": [create(1, 2, "a"), delete(3, 4), create(5, 6, "b")],
    "refused because of a concurrent write": [put(1, 9, "a"), create(2, 3, "b", "refused")],
    "a chain of swaps": [
        put(1, 2, "a"), swap(3, 4, "a", "b"), swap(5, 6, "b", "c"), get(7, 8, "c"),
    ],
    "a lost race of swaps": [
        put(1, 2, "a"), swap(3, 6, "a", "b"), swap(4, 5, "a", "c", "refused"), get(7, 8, "b"),
    ],
    "a swap of what is gone": [put(1, 2, "a"), delete(3, 4), swap(5, 6, "a", "b", "missing")],
    "an unknown swap took effect": [
        put(1, 2, "a"), op("put-if-match", 3, NEVER, "b", expected="a", outcome="unknown"),
        swap(5, 6, "b", "c"),
    ],
    "many unknown writes": [
        *(lost(n / 100, f"u{n}") for n in range(40)), put(1, 2, "a"), get(3, 4, "a"),
        create(5, 6, "b", "refused"), get(7, 8, "u7"), get(9, 10, "u3"),
    ],
}  # fmt: skip

BAD: dict[str, list[Operation]] = {
    "a value that nobody wrote": [get(1, 2, "a")],
    "a write is lost": [put(1, 2, "a"), get(3, 4, None)],
    "an old value after a new one was acknowledged": [
        put(1, 2, "a"), put(3, 4, "b"), get(5, 6, "a"),
    ],
    "new, then old again": [put(1, 2, "a"), put(3, 9, "b"), get(4, 5, "b"), get(6, 7, "a")],
    "two readers disagree on the order": [
        put(1, 5, "a"), put(1, 5, "b"), get(6, 7, "a"), get(8, 9, "b"),
    ],
    "back after delete": [put(1, 2, "a"), delete(3, 4), get(5, 6, "a")],
    "an unknown write comes and goes": [
        put(1, 2, "a"), lost(3, "b"), get(5, 6, "b"), get(7, 8, "a"),
    ],
    "an unknown write is read before it began": [get(1, 2, "a"), lost(3, "a")],
    "two creators win": [create(1, 5, "a"), create(2, 4, "b")],
    "a creator is refused although nothing is there": [create(1, 2, "a", "refused")],
    "a creator wins although something is there": [put(1, 2, "a"), create(3, 4, "b")],
    "a refused write is seen": [put(1, 2, "a"), create(3, 4, "b", "refused"), get(5, 6, "b")],
    "an update is lost": [
        put(1, 2, "a"), swap(3, 6, "a", "b"), swap(4, 7, "a", "c"), get(8, 9, "c"),
    ],
    "a swap is refused though nothing changed": [
        put(1, 2, "a"), swap(3, 4, "a", "b", "refused"),
    ],
    "a swap finds nothing though nothing was deleted": [
        put(1, 2, "a"), swap(3, 4, "a", "b", "missing"),
    ],
    "many unknown writes do not excuse a lost one": [
        *(lost(n / 100, f"u{n}") for n in range(40)), put(1, 2, "a"), get(3, 4, None),
    ],
}  # fmt: skip


@pytest.mark.parametrize("name", GOOD)
def test_what_a_store_may_do_is_accepted(name: str) -> None:
    assert linearizable(GOOD[name])
    assert check(history(GOOD[name])) == []


@pytest.mark.parametrize("name", BAD)
def test_what_a_store_must_not_do_is_found(name: str) -> None:
    assert not linearizable(BAD[name])
    found = check(history(BAD[name]))
    assert found
    assert all(violation.key == "k" and violation.detail for violation in found)


def history(operations: list[Operation], *listings: Listing) -> History:
    made = History()
    for operation in operations:
        made.add(operation)
    for listed in listings:
        made.add(listed)
    return made


def kinds(made: History) -> list[str]:
    return [violation.kind for violation in check(made)]


def listing(start: float, end: float, **entries: str) -> Listing:
    return Listing("lister", "", start, end, entries)


def test_a_listing_shows_what_was_acknowledged_and_not_what_was_deleted() -> None:
    writes = [put(1, 2, "a"), put(1, 2, "b", key="gone"), op("delete", 3, 4, key="gone")]
    assert kinds(history(writes, listing(5, 6, k="a"))) == []
    assert kinds(history(writes, listing(5, 6))) == ["list-after-write"]
    assert kinds(history(writes, listing(5, 6, k="a", gone="b"))) == ["list-after-write"]
    assert kinds(history(writes, listing(5, 6, k="a", new="c"))) == ["list-after-write"]


def test_a_listing_may_or_may_not_show_what_is_changed_meanwhile() -> None:
    writes = [put(1, 2, "a"), put(4, 7, "b"), put(4, 7, "c", key="other")]
    assert kinds(history(writes, listing(3, 6, k="a"))) == []
    assert kinds(history(writes, listing(3, 6, k="b", other="c"))) == []
    assert kinds(history(writes, listing(3, 6, k="b"), listing(8, 9, k="b", other="c"))) == []


def test_two_listings_do_not_go_back() -> None:
    writes = [put(1, 2, "a"), put(3, 9, "b")]
    assert kinds(history(writes, listing(4, 5, k="b"), listing(6, 7, k="a"))) == [
        "list-after-write"
    ]


def test_a_listing_of_a_prefix_says_nothing_of_other_keys() -> None:
    writes = [put(1, 2, "a", key="x/1"), put(1, 2, "b", key="y/1")]
    assert kinds(history(writes, Listing("lister", "x/", 3, 4, {"x/1": "a"}))) == []


def test_an_acknowledged_write_that_is_gone_in_the_end_is_called_so() -> None:
    made = history([put(1, 2, "a"), get(3, 4, "a"), get(9, 10, None, client=FINAL)])
    assert kinds(made) == ["an acknowledged write is not there at the end"]


def test_a_client_that_does_not_see_its_own_write_is_told_apart() -> None:
    writes = [put(1, 2, "a", client="x"), put(3, 4, "b", client="y")]
    assert kinds(history([*writes, get(5, 6, "a", client="y")])) == ["read-your-writes"]
    assert kinds(history([*writes, get(5, 6, "a", client="z")])) == ["not linearizable"]


def test_a_race_has_exactly_one_winner() -> None:
    two = [create(1, 5, "a"), create(2, 4, "b"), create(2, 4, "c", "refused")]
    assert "not exactly one winner" in kinds(history(two))
    none = [create(1, 5, "a", "refused"), create(2, 4, "b", "refused")]
    assert "not exactly one winner" in kinds(history(none))


def test_a_violation_shows_the_history_up_to_the_wrong_answer() -> None:
    made = history([put(1, 2, "a"), get(3, 4, None, client="culprit"), put(5, 6, "later")])
    (violation,) = check(made)
    assert "culprit get -> None" in violation.detail
    assert "later" not in violation.detail


def test_unknown_reads_say_nothing_and_unknown_writes_never_end() -> None:
    made = history([get(1, 2, None)])
    made.add(op("get", 3, 4, outcome="unknown"))
    made.add(op("put", 3, 4, "a", outcome="unknown"))
    assert [each.end for each in made.operations] == [2, NEVER]


def test_a_long_history_with_many_clients_is_decided_quickly() -> None:
    """Ten clients write over each other all the time: every answer has several explanations."""
    writes = [put(n / 10, n / 10 + 1, f"v{n}") for n in range(200)]
    reads = [get(n / 10 + 1.05, n / 10 + 1.06, f"v{n}") for n in range(0, 200, 5)]
    assert linearizable([*writes, *reads])
    assert not linearizable([*writes, *reads, get(22, 23, "v3")])


OUTCOMES: dict[Kind, list[Outcome]] = {
    "put": ["done", "unknown"],
    "put-if-absent": ["done", "unknown", "refused"],
    "put-if-match": ["done", "unknown", "refused", "missing"],
    "delete": ["done", "unknown"],
    "get": ["done"],
}
KINDS = list(OUTCOMES)


@st.composite
def histories(draw: st.DrawFn) -> list[Operation]:
    """A few operations on one key, with answers that may or may not be right."""
    found = st.sampled_from([None, "v0", "v1", "v2"])
    made = []
    for number in range(draw(st.integers(1, 5))):
        kind = draw(st.sampled_from(KINDS))
        start = draw(st.integers(0, 8))
        outcome = draw(st.sampled_from(OUTCOMES[kind]))
        made.append(
            op(
                kind, start, NEVER if outcome == "unknown" else start + draw(st.integers(0, 5)),
                "" if kind in ("delete", "get") else f"v{number}",
                found=draw(found) if kind == "get" else None,
                expected=(draw(found) or "v0") if kind == "put-if-match" else "",
                outcome=outcome,
            )
        )  # fmt: skip
    return made


@settings(max_examples=600, deadline=None)
@given(histories())
def test_the_search_agrees_with_trying_every_order(history: list[Operation]) -> None:
    assert linearizable(history) == any(
        right(order)
        for chosen in subsets(history)
        for order in permutations(chosen)
        if all(
            not later.end < earlier.start for i, earlier in enumerate(order) for later in order[i:]
        )
    )


def subsets(history: list[Operation]) -> list[list[Operation]]:
    """What may have happened: everything certain, and any of what is unknown."""
    chosen: list[list[Operation]] = [[]]
    for each in history:
        taken = [[*before, each] for before in chosen]
        chosen = chosen + taken if each.outcome == "unknown" else taken
    return chosen


def right(order: tuple[Operation, ...]) -> bool:
    """Whether every answer is right if the operations happen one after the other."""
    state: str | None = None
    for each in order:
        wanted = {
            "put": True,
            "delete": True,
            "get": each.found == state,
            "put-if-absent": (state is None) == (each.outcome != "refused"),
            "put-if-match": {
                "refused": state is not None and state != each.expected,
                "missing": state is None,
            }.get(each.outcome, state == each.expected),
        }[each.kind]
        if not wanted:
            return False
        if each.kind != "get" and each.outcome in ("done", "unknown"):
            state = each.value or None
    return True
