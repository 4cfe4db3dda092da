"""Passwords: what is kept of them, who gets in, and how long guessing takes."""

from __future__ import annotations

import threading
from collections import Counter

import pytest
from argon2 import PasswordHasher, extract_parameters

from aisle.core.errors import InvalidCredentials, TooManyAttempts
from aisle.namespace.users import passwords, users
from aisle.namespace.users.passwords import Passwords, Throttle
from tests.namespace.support import memory_store, outcomes, run


class Seconds:
    """A clock that is set by hand."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_what_is_kept_is_argon2id_with_a_salt_of_its_own() -> None:
    async def story() -> None:
        first, second = [await passwords.encode("correct horse") for _ in range(2)]
        assert first != second
        assert "horse" not in first
        found = extract_parameters(first)
        assert found.type.name == "ID"
        assert (found.time_cost, found.memory_cost, found.parallelism) == (2, 19_456, 1)
        assert PasswordHasher().verify(first, "correct horse")

    run(story())


def test_the_right_password_gets_in_and_no_other() -> None:
    async def story() -> None:
        store = memory_store()
        alice = await users.create(store, "alice", password="pässwörd \udc80")
        await users.create(store, "keyless")
        gate = Passwords("the-root-password")
        assert await gate.check(store, "alice", "pässwörd \udc80") == alice
        assert (await gate.check(store, "root", "the-root-password")).name == "root"
        said = set()
        for name, password in [
            ("alice", "passwörd"),
            ("alice", ""),
            ("alice", "x" * 100_000),
            ("alice", alice.password),
            ("keyless", ""),
            ("keyless", "\xff"),
            ("nobody", "pässwörd"),
            ("no/body\udc80" * 100, "pässwörd"),
            ("", ""),
            ("root", ""),
            ("root", "the-root"),
            ("Root", "the-root-password"),
        ]:
            with pytest.raises(InvalidCredentials) as caught:
                await Passwords("the-root-password").check(store, name, password)
            said.add(str(caught.value))
        assert said == {"invalid credentials"}

    run(story())


def test_without_a_password_of_its_own_root_cannot_log_in() -> None:
    async def story() -> None:
        with pytest.raises(InvalidCredentials):
            await Passwords("").check(memory_store(), "root", "")

    run(story())


def test_cve_2026_33419_a_user_that_is_not_there_takes_the_same_work() -> None:
    """Otherwise the time of a refusal would tell which names there are."""
    done: list[bool] = []

    def counted(encoded: str, password: bytes) -> bool:
        done.append(bool(encoded))
        return passwords.matches(encoded, password)

    async def story() -> None:
        store = memory_store()
        await users.create(store, "alice", password="right")
        for name in ("alice", "nobody", "root", "not a name"):
            with pytest.raises(InvalidCredentials):
                await Passwords("x", match=counted).check(store, name, "wrong")
        assert done == [True, False, False, False]
        assert not passwords.matches("", b"\xff")
        assert not passwords.matches("nonsense", b"x")

    run(story())


def test_cve_2026_33419_guessing_makes_a_user_wait_whether_it_is_there_or_not() -> None:
    async def story() -> None:
        store = memory_store()
        clock = Seconds()
        gate = Passwords("", clock=clock)
        await users.create(store, "alice", password="right")
        for name in ("alice", "nobody"):
            for number in range(5):
                with pytest.raises(InvalidCredentials):
                    await gate.check(store, name, "wrong", address=f"10.0.{len(name)}.{number}")
            with pytest.raises(TooManyAttempts) as caught:
                await gate.check(store, name, "right", address="10.1.1.1")
            assert caught.value.retry_after == pytest.approx(0.5)
        clock.now += 0.5
        assert (await gate.check(store, "alice", "right", address="10.1.1.1")).name == "alice"
        # Being right, the user has a clean slate again.
        with pytest.raises(InvalidCredentials):
            await gate.check(store, "alice", "wrong", address="10.1.1.2")
        assert await gate.check(store, "alice", "right", address="10.1.1.2")

    run(story())


def test_guessing_makes_an_address_wait_over_all_users() -> None:
    async def story() -> None:
        store = memory_store()
        clock = Seconds()
        gate = Passwords("", clock=clock)
        await users.create(store, "eve", password="mine")
        for number in range(5):
            with pytest.raises(InvalidCredentials):
                await gate.check(store, f"u{number}", "wrong", address="10.0.0.1")
        with pytest.raises(TooManyAttempts):
            await gate.check(store, "fresh", "wrong", address="10.0.0.1")
        clock.now += 1.0
        # Knowing one password does not wipe out the guesses at others.
        assert await gate.check(store, "eve", "mine", address="10.0.0.1")
        with pytest.raises(TooManyAttempts):
            await gate.check(store, "fresh", "wrong", address="10.0.0.1")
        with pytest.raises(InvalidCredentials):
            await gate.check(store, "fresh", "wrong", address="10.0.0.2")

    run(story())


def test_many_guesses_at_a_time_are_no_more_than_one_after_the_other() -> None:
    async def story() -> None:
        store = memory_store()
        gate = Passwords("", clock=Seconds())
        await users.create(store, "alice", password="right")
        work = (gate.check(store, "alice", f"w{n}", address="10.0.0.1") for n in range(20))
        told = Counter(type(one).__name__ for one in await outcomes(*work))
        assert told == {"InvalidCredentials": 5, "TooManyAttempts": 15}

    run(story())


def test_hashes_are_made_a_few_at_a_time_and_few_wait() -> None:
    guard, both = threading.Lock(), threading.Barrier(2)
    running, most = 0, 0

    def watched(encoded: str, password: bytes) -> bool:
        nonlocal running, most
        with guard:
            running += 1
            most = max(most, running)
        both.wait(10)  # two at a time are let through, and needed
        with guard:
            running -= 1
        return False

    async def story() -> None:
        store = memory_store()
        gate = Passwords("", clock=Seconds(), match=watched)
        work = (gate.check(store, f"u{n}", "w", address=f"10.0.0.{n}") for n in range(100))
        told = Counter(type(one).__name__ for one in await outcomes(*work))
        assert told == {"InvalidCredentials": 64, "TooManyAttempts": 36}
        assert most == 2

    run(story())


def test_delays_grow_to_a_limit_and_are_forgotten() -> None:
    throttle = Throttle(60.0)
    waits = []
    for _ in range(20):
        waits.append(throttle.wait("x", 100.0))
        throttle.begin("x", 100.0)
    assert waits[:9] == [0, 0, 0, 0, 0, 0.5, 1.0, 2.0, 4.0]
    assert max(waits) == 60.0
    assert throttle.wait("x", 159.0) == 1.0
    assert throttle.wait("x", 1001.0) == 0.0
    assert throttle.wait("y", 100.0) == 0.0
    throttle.begin("x", 1001.0)
    assert throttle.wait("x", 1001.0) == 0.0


def test_what_is_remembered_of_tries_is_bounded() -> None:
    throttle = Throttle(60.0)
    for number in range(20_000):
        throttle.begin(str(number), 100.0)
    assert len(throttle._tries) == 10_000


def test_an_ipv6_host_is_counted_with_its_network() -> None:
    assert passwords._network("2001:db8::1") == passwords._network("2001:db8::ffff:1")
    assert passwords._network("2001:db8:0:1::1") != passwords._network("2001:db8::1")
    assert passwords._network("fe80::1%eth0") == passwords._network("fe80::2")
    assert passwords._network("::ffff:10.0.0.1") == "10.0.0.1"
    assert passwords._network("no address" * 100) == ("no address" * 100)[:64]
