"""Any interleaving of writers, fetchers and deleters of one object, any crash, any lost answer.

Each piece of work is a process of its own and goes on by one step when told to: a step is one call
of the index, or one leg of a request to the remote. The model is the remote's versions in the order
in which they came; what is kept must be the last of them, or nothing, after every step.
"""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable, Coroutine, Generator
from dataclasses import dataclass, field
from typing import Any, TypeVar, cast

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from aisle.core.errors import RowChanged, StoreUnavailable
from aisle.namespace.records import Object, decode
from aisle.namespace.store import BucketRow, Store
from aisle.namespace.window import claims, reaping
from aisle.store.base import Check, Delete
from aisle.store.memory import MemoryBlobs, MemoryIndex
from tests.namespace.support import Clock, Interposed
from tests.namespace.test_claims import KEY, keep, make_window, nobody

T = TypeVar("T")
MOST = 3  # at work at a time


class Turn:
    """A place where whatever else there is may happen."""

    def __await__(self) -> Generator[None, None, None]:
        yield


class Stepped(Interposed):
    """An index each use of which is two steps; a use that `fails` does not say that it was done."""

    stepping = True
    fails = False

    async def _around(self, method: str, table: str, work: Awaitable[T]) -> T:
        if self.stepping:
            try:
                await Turn()
            except GeneratorExit:
                cast("Coroutine[Any, Any, T]", work).close()
                raise
        result = await work
        if self.stepping:
            await Turn()
            if self.fails and method == "commit":
                self.fails = False
                raise StoreUnavailable("whether it was applied is not known")
        return result


def at_once(work: Coroutine[Any, Any, T]) -> T:
    """The result of work that never waits: an event loop for each would take longer than all."""
    try:
        work.send(None)
    except StopIteration as done:
        return cast("T", done.value)
    raise AssertionError("it waits")


@dataclass
class Work:
    """A process with one thing to do, and its request to the remote while that is under way."""

    store: Store
    index: Stepped
    todo: Coroutine[Any, Any, None] = field(init=False)
    request: list[str | None] = field(default_factory=list)
    answered: bool = True
    left: int | None = None  # steps until its process dies
    heard: int = 0  # when it did something last
    waits: bool = True  # for the answer to its request
    over: bool = False
    dead: bool = False


class Interleavings(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.clock = Clock()
        self.index = MemoryIndex()
        self.store = Store(self.index, MemoryBlobs(), now=self.clock)
        self.bucket: BucketRow = at_once(make_window(self.store))
        self.versions: list[str | None] = ["0"]
        self.works: list[Work] = []

    # --- the remote: a request arrives, and later its answer ---------------------------------

    async def write(self, work: Work, etag: str | None) -> None:
        held = await claims.writing(work.store, self.bucket, KEY)
        work.request.append(etag)
        await Turn()  # on its way
        if not work.answered:
            work.waits = False
            await claims.abandon(held)  # it may arrive later, or never
            return
        self.arrive(work)
        await Turn()  # its answer is on its way
        if etag is None:
            await claims.finish(held)
        else:
            await claims.finish(held, keep(self.bucket, etag))

    def arrive(self, work: Work) -> None:
        if work.request:
            self.versions.append(work.request.pop())

    async def fetch(self, work: Work) -> None:
        held = await claims.fetching(work.store, self.bucket, KEY)
        if held is None:
            return
        await Turn()
        etag = self.versions[-1]
        await Turn()
        if etag is None:
            await claims.leave(held)
        else:
            await claims.finish(held, keep(self.bucket, etag))

    async def evict(self, work: Work) -> None:
        key = self.bucket.record.id + KEY
        raw = await work.store.index.get("object", key)
        if raw is not None:
            try:
                await work.store.index.commit(Check("object", key, raw), Delete("object", key))
            except RowChanged:
                return

    # --- what may happen ----------------------------------------------------------------------

    def begin(self, todo: Callable[[Work], Coroutine[Any, Any, None]]) -> None:
        index = Stepped(self.index)
        store = Store(index, self.store.blobs, now=self.clock)
        work = Work(store, index)
        work.todo = todo(work)
        self.works.append(work)

    @precondition(lambda self: len(self.running()) < MOST)
    @rule(
        kind=st.sampled_from(["write", "fetch", "delete", "evict"]),
        answered=st.booleans(),
        lives=st.sampled_from([None, None, None, 1, 3, 6, 7, 8, 9, 10, 12]),
        fails=st.sampled_from([False, False, False, True]),
        steps=st.sampled_from([0, 3, 7, 8, 100]),
    )
    def another(
        self, kind: str, answered: bool, lives: int | None, fails: bool, steps: int
    ) -> None:
        """Begin something; whether the remote answers it, after how many steps its process dies,
        and whether the store once does not tell what it has done."""
        etag = str(len(self.works) + 1) if kind == "write" else None
        if kind in ("write", "delete"):
            self.begin(lambda work: self.write(work, etag))
        else:
            self.begin(self.fetch if kind == "fetch" else self.evict)
        work = self.works[-1]
        work.answered, work.left, work.index.fails = answered, lives, fails
        self.go_on(work, steps)

    def go_on(self, work: Work, steps: int) -> None:
        for _ in range(steps):
            if work.over or work.dead:
                return
            self.advance(work)
            self.kept_is_current()

    def running(self) -> list[Work]:
        return [work for work in self.works if not work.over and not work.dead]

    @precondition(lambda self: self.running())
    @rule(data=st.data(), steps=st.sampled_from([1, 2, 3, 7, 100]))
    def step(self, data: st.DataObject, steps: int) -> None:
        self.go_on(data.draw(st.sampled_from(self.running())), steps)

    def advance(self, work: Work) -> None:
        if work.over or work.dead:
            return
        work.heard = self.clock.now
        if work.left is not None:
            work.left -= 1
            work.dead = work.left < 0
        try:
            work.todo.send(None)
        except StopIteration:
            work.over = True
        except StoreUnavailable:
            work.over = True
            # A write that the store did not let begin has asked nothing of the remote.

    def unheard(self) -> list[Work]:
        return [
            one for one in self.works if one.request and (one.dead or one.over or not one.waits)
        ]

    @precondition(lambda self: self.unheard())
    @rule(data=st.data())
    def late_arrival(self, data: st.DataObject) -> None:
        """What nobody waits for any more, the remote may do until it has forgotten it."""
        self.arrive(data.draw(st.sampled_from(self.unheard())))

    @rule(seconds=st.sampled_from([1, 20]))
    def housekeeping(self, seconds: int) -> None:
        self.clock.now += seconds * claims.SECOND
        for work in self.unheard():
            if self.clock.now > work.heard + claims.SETTLE:
                work.request.clear()  # the remote has forgotten it
        self.beat()
        at_once(reaping.reap(self.store, nobody))

    @rule()
    def long_after(self) -> None:
        """What nobody waited for is over, and housekeeping comes round."""
        for work in self.unheard():
            work.request.clear()
        for _ in range(20):
            self.clock.now += claims.SETTLE // 19
            self.beat()
        at_once(reaping.reap(self.store, nobody))

    def beat(self) -> None:
        for work in self.works:
            if not work.dead:
                work.index.stepping = False
                at_once(claims.beat(work.store))
                work.index.stepping = True

    # --- what holds --------------------------------------------------------------------------

    @invariant()
    def kept_is_current(self) -> None:
        raw = self.index_row()
        assert raw is None or decode(Object, raw).etag == self.versions[-1]

    def index_row(self) -> bytes | None:
        return at_once(self.index.get("object", self.bucket.record.id + KEY))

    def teardown(self) -> None:
        for work in self.running():
            self.go_on(work, 1000)
        for work in self.works:
            work.todo.close()
        self.long_after()
        self.kept_is_current()
        assert at_once(self.index.scan("claim", limit=10)) == []


TestInterleavings = Interleavings.TestCase
TestInterleavings.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)


@pytest.mark.parametrize("seed", range(4))
def test_long_histories_keep_what_is_current(seed: int) -> None:
    """The same at random: many more of them, which nobody has to shrink."""
    draw = random.Random(seed)
    for _ in range(120):
        history = Interleavings()
        for _ in range(40):
            running, unheard = history.running(), history.unheard()
            event = draw.random()
            if event < 0.02:
                history.long_after()
            elif event < 0.1:
                history.housekeeping(seconds=draw.choice([1, 20]))
            elif unheard and event < 0.25:
                history.arrive(draw.choice(unheard))
            elif len(running) == MOST or (running and event < 0.6):
                history.go_on(draw.choice(running), draw.choice([1, 2, 3, 7, 100]))
            else:
                history.another(
                    kind=draw.choice(["write", "write", "fetch", "fetch", "delete", "evict"]),
                    answered=draw.random() < 0.7,
                    lives=draw.choice([None, None, None, None, draw.randrange(1, 16)]),
                    fails=draw.random() < 0.15,
                    steps=draw.choice([0, 7, 8, 100]),
                )
            history.kept_is_current()
        history.teardown()
