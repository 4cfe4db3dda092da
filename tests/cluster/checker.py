"""Is a history one that a single, strongly consistent store could have produced?

Every key by itself must be linearizable: there is an order of its operations, each taking effect
at one moment between its start and its end, in which every answer is right. The search is that of
Wing and Gong with Lowe's memory of configurations ("Testing for linearizability", 2016): take any
operation that no other one had ended before, apply it, go on; come back if that leads nowhere.

What a listing says of a key counts as a read of it, so list-after-write is the same question.
A history that fails is tried again without its listings and without its last reads, which tells
what kind of promise was broken. Pure functions over `History`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import NamedTuple

from tests.cluster.history import NEVER, History, Operation

FINAL = "final"  # the client that reads everything at the end
_STEPS = 300_000
_UNSEEN = "(a value that nobody has read)"


class Violation(NamedTuple):
    """A broken promise."""

    kind: str
    key: str
    detail: str

    def __str__(self) -> str:
        return f"{self.kind}: {self.key}\n{self.detail}"


class Undecided(Exception):
    """The search took too long: the history has too many concurrent operations on one key."""


def check(history: History) -> list[Violation]:
    """Every violation in the history; at most one a key and rule."""
    by_key: dict[str, list[Operation]] = defaultdict(list)
    for operation in history.operations:
        by_key[operation.key].append(operation)
    violations: list[Violation] = []
    for key in history.keys:
        operations = by_key[key]
        listed = [
            listing.read(key) for listing in history.listings if key.startswith(listing.prefix)
        ]
        violations += _check_key(key, operations, listed)
    return violations


def _check_key(
    key: str, operations: Sequence[Operation], listed: Sequence[Operation]
) -> list[Violation]:
    found: list[Violation] = []
    if race := badly_won(operations):
        found.append(Violation("not exactly one winner", key, _show(race)))
    everything = [*operations, *listed]
    if linearizable(everything):
        return found
    if linearizable(operations):
        kind = "list-after-write"
    elif linearizable([each for each in operations if each.client != FINAL]):
        kind = "an acknowledged write is not there at the end"
    elif unseen_by_writer(operations):
        kind = "read-your-writes"
    else:
        kind = "not linearizable"
    return [*found, Violation(kind, key, explain(everything))]


def badly_won(operations: Sequence[Operation]) -> Sequence[Operation]:
    """The writes of a key that nobody but creators (If-None-Match: *) wrote, unless exactly one of
    them won, or none whose loss is certain."""
    writes = [each for each in operations if each.kind != "get"]
    if not writes or any(each.kind != "put-if-absent" for each in writes):
        return []
    winners = sum(each.outcome == "done" for each in writes)
    open_ends = sum(each.outcome == "unknown" for each in writes)
    return [] if winners == 1 or (not winners and open_ends) else writes


def unseen_by_writer(operations: Sequence[Operation]) -> bool:
    """Whether a client read, after a write of its own was acknowledged, what had been written
    before that write began."""
    writes = [each for each in operations if each.kind != "get" and each.outcome == "done"]
    for read in operations:
        if read.kind != "get":
            continue
        own = [each for each in writes if each.client == read.client and each.end <= read.start]
        if not own:
            continue
        last = max(own, key=lambda each: each.end)
        seen = None if last.kind == "delete" else last.value
        later = [each for each in operations if each.kind != "get" and each.end > last.start]
        allowed = {seen, *(None if each.kind == "delete" else each.value for each in later)}
        if read.found not in allowed:
            return True
    return False


def linearizable(operations: Iterable[Operation], initial: str | None = None) -> bool:
    """Whether one order of the operations explains every answer. Raises `Undecided`."""
    todo = sorted(_merge_unseen(list(operations)), key=lambda each: each.start)
    certain = 0
    for number, each in enumerate(todo):
        if each.end != NEVER:
            certain |= 1 << number
    stack: list[tuple[int, str | None]] = [(0, initial)]
    known: set[tuple[int, str | None]] = set()
    steps = 0
    while stack:
        done, state = stack.pop()
        done, enabled = _take_reads(todo, done, state)
        if certain & ~done == 0:
            return True
        if (done, state) in known:
            continue
        known.add((done, state))
        steps += 1
        if steps > _STEPS:
            raise Undecided(f"{len(todo)} operations on {todo[0].key}")
        for number in reversed(_first_of_equals(todo, enabled)):
            after = _apply(todo[number], state)
            if not isinstance(after, _Impossible):
                stack.append((done | 1 << number, after))
    return False


class _Impossible:
    """What `_apply` returns where the answer contradicts the state."""


def _apply(each: Operation, state: str | None) -> str | _Impossible | None:
    """The state after an operation, if its answer is right in `state`."""
    match each.kind, each.outcome:
        case "get", _:
            right, after = each.found == state, state
        case "put", _:
            right, after = True, each.value
        case "delete", _:
            right, after = True, None
        case "put-if-absent", "refused":
            right, after = state is not None, state
        case "put-if-absent", _:
            right, after = state is None, each.value
        case "put-if-match", "refused":
            right, after = state not in (None, each.expected), state
        case "put-if-match", "missing":
            right, after = state is None, state
        case _:
            right, after = state == each.expected, each.value
    return after if right else _Impossible()


def _changes(each: Operation) -> bool:
    return each.kind != "get" and each.outcome in ("done", "unknown")


def _enabled(todo: Sequence[Operation], done: int) -> list[int]:
    """The operations that may come next: no other one that is left had ended before they began."""
    bound = NEVER
    enabled: list[int] = []
    first = (~done & (done + 1)).bit_length() - 1  # what is before it is done
    for number in range(first, len(todo)):
        each = todo[number]
        if done >> number & 1:
            continue
        if each.start > bound:
            break  # sorted by start: all that follow began later still
        enabled.append(number)
        bound = min(bound, each.end)
    return enabled


def _take_reads(todo: Sequence[Operation], done: int, state: str | None) -> tuple[int, list[int]]:
    """Take everything that changes nothing and is right in `state`: to take it now instead of
    later can only leave more choice. Returns what is done then, and what may come next."""
    while True:
        enabled = _enabled(todo, done)
        taken = 0
        for number in enabled:
            each = todo[number]
            if not _changes(each) and not isinstance(_apply(each, state), _Impossible):
                taken |= 1 << number
        if not taken:
            return done, [number for number in enabled if _changes(todo[number])]
        done |= taken


def _first_of_equals(todo: Sequence[Operation], enabled: Sequence[int]) -> list[int]:
    """By their end, and of those with the same effect the first alone: were another one of them
    taken before it, the two could change places."""
    kinds: dict[tuple[str, str, str], int] = {}
    for number in sorted(enabled, key=lambda number: todo[number].end):
        each = todo[number]
        kinds.setdefault((each.kind, each.value, each.expected), number)
    return list(kinds.values())


def _merge_unseen(operations: Sequence[Operation]) -> list[Operation]:
    """Give one name to all values that nobody has read or named: no answer tells them apart."""
    seen = {each.found for each in operations} | {each.expected for each in operations}
    return [
        replace(each, value=_UNSEEN) if each.value and each.value not in seen else each
        for each in operations
    ]


def explain(operations: Sequence[Operation]) -> str:
    """The operations up to the first answer that no order explains, the last ones."""
    ends = sorted(each.end for each in operations if each.end != NEVER)
    low, high = 0, len(ends) - 1
    while low < high:
        middle = (low + high) // 2
        if linearizable(_until(operations, ends[middle])):
            low = middle + 1
        else:
            high = middle
    return _show([each for each in operations if each.start <= ends[low]])


def _until(operations: Sequence[Operation], moment: float) -> list[Operation]:
    """The history as it was known at `moment`: what had not ended may or may not have happened."""
    known: list[Operation] = []
    for each in operations:
        if each.end <= moment:
            known.append(each)
        elif each.start <= moment and _changes(each):
            known.append(replace(each, end=NEVER, outcome="unknown"))
    return known


def _show(operations: Sequence[Operation], last: int = 14) -> str:
    ordered = sorted(operations, key=lambda each: (each.end, each.start))
    unknown = [each for each in ordered if each.end == NEVER][-last:]
    certain = [each for each in ordered if each.end != NEVER][-last:]
    return "\n".join(f"    {each}" for each in [*unknown, *certain])
