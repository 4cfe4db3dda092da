"""What authorisation reads: nothing more than before for owners, nothing at all of an object that
somebody may not see; and nothing is written by who may not.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import pytest

from aisle.api.base import Context, Service
from aisle.api.s3 import dialect
from aisle.core.errors import AccessDenied, AisleError, ObjectNotFound
from aisle.core.http import RequestHead
from aisle.core.names import BucketName
from aisle.jobs.jobs import Jobs
from aisle.namespace import buckets, documents
from aisle.namespace.store import BucketRow, Store
from aisle.namespace.users import keys, users
from aisle.namespace.users.principals import Principals, RootKeys
from tests.harness import ACCESS_KEY, SECRET_KEY, sign
from tests.namespace.support import Interposed, interposed_store, run
from tests.people import policy

AT = "20270115T080000Z"  # when the clock of these stores has stopped
HOST = "localhost"


class Body:
    """A body of one piece."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.count = 0

    async def read(self) -> bytes:
        data, self._data = self._data, b""
        self.count += len(data)
        return data


@dataclass
class House:
    """The S3 dialect over memory, with Alice and Ann of one account and Bob of another, and notes
    of what is asked of the index."""

    store: Store
    index: Interposed
    svc: Service
    asked: list[tuple[str, str]] = field(default_factory=list)
    contexts: list[Context] = field(default_factory=list)

    async def ask(
        self,
        who: str,
        method: str,
        path: str,
        *,
        query: str = "",
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
    ) -> int:
        """The status of one request, signed with real keys. Raises what the dialect raises."""
        target = path + (f"?{query}" if query else "")
        given = dict(headers or {}) | ({"Content-Length": str(len(body))} if body else {})
        if who:
            signing = {"access_key": f"key-of-{who}", "secret_key": f"secret-of-{who}"}
            if who == "root":
                signing = {"access_key": ACCESS_KEY, "secret_key": SECRET_KEY}
            given = sign(method, target, host=HOST, headers=given, at=AT, **signing).headers
        fields = {name.lower(): value for name, value in given.items()}
        fields.setdefault("host", HOST)
        head = RequestHead(method, path.encode(), query.encode(), fields)
        ctx = Context(head, Body(body), "REQ1")
        self.contexts.append(ctx)
        self.asked.clear()
        return (await dialect.handle(self.svc, ctx)).status


async def house() -> House:
    store, index = interposed_store()
    principals = Principals(store, RootKeys(ACCESS_KEY, SECRET_KEY))
    jobs = Jobs(store, "house")
    svc = Service(store, principals, True, "us-east-1", (HOST,), jobs)
    made = House(store, index, svc)

    async def note(method: str, table: str) -> None:
        made.asked.append((method, table))

    index.before = note
    alice = await users.create(store, "alice")
    await users.create(store, "ann", account=alice.account)
    await users.create(store, "bob")
    for name in ("alice", "ann", "bob"):
        await keys.create(store, name, access_key=f"key-of-{name}", secret_key=f"secret-of-{name}")
    await made.ask("alice", "PUT", "/bucket")
    await made.ask("alice", "PUT", "/bucket/k", body=b"secret")
    return made


@pytest.mark.parametrize("who", ["root", "alice"])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_read_by_an_owner_costs_one_row_and_its_body(who: str, method: str) -> None:
    async def case() -> None:
        it = await house()
        assert await it.ask(who, method, "/bucket/k") == 200  # whatever is cached, is by now
        assert await it.ask(who, method, "/bucket/k") == 200
        assert it.asked == [("get", "object"), ("get", "body")][: 2 if method == "GET" else 1]

    run(case())


def test_a_write_by_an_owner_reads_nothing_of_users_or_policies() -> None:
    async def case() -> None:
        it = await house()
        await it.ask("alice", "PUT", "/bucket/n", body=b"new")
        # The memory engine's epoch moves with every write; a read settles the caches again.
        await it.ask("alice", "GET", "/bucket/k")
        await it.ask("alice", "PUT", "/bucket/m", body=b"new")
        before_commit = it.asked[: it.asked.index(("commit", "bucket"))]
        assert set(before_commit) == {("get", "object")}

    run(case())


@pytest.mark.parametrize("who", ["ann", "bob", ""])
@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE"])
def test_who_may_not_has_nothing_written(who: str, method: str) -> None:
    async def case() -> None:
        it = await house()
        body = b"mine now" if method == "PUT" else b""
        for key in ("k", "missing"):
            with pytest.raises(AccessDenied):
                await it.ask(who, method, f"/bucket/{key}", body=body)
            used = {table for _, table in it.asked}
            assert "body" not in used
            assert "commit" not in {what for what, _ in it.asked}
            assert it.contexts[-1].body.count == 0
            # An ACL of the object may allow a read: then its row is looked at, and no more.
            assert it.asked.count(("get", "object")) <= 1
            if who == "ann":  # to whom no ACL of another account says anything
                assert "s3:" in it.contexts[-1].denied

    run(case())


def test_an_explicit_deny_needs_nothing_of_the_object() -> None:
    async def case() -> None:
        it = await house()
        row = await _row(it)
        deny = {"Effect": "Deny", "Principal": "*", "Action": "*", "Resource": RESOURCES}
        text = policy(deny).encode()
        await documents.change(it.store, row, {documents.POLICY: text})
        for who in ("root", "alice", "bob", ""):
            with pytest.raises(AccessDenied):
                await it.ask(who, "GET", "/bucket/k")
            assert ("get", "object") not in it.asked

    run(case())


def test_what_may_not_be_is_told_to_the_log_alone() -> None:
    async def case() -> None:
        it = await house()
        with pytest.raises(AccessDenied) as caught:
            await it.ask("bob", "GET", "/bucket/k")
        ctx = it.contexts[-1]
        assert "bob may not s3:GetObject on arn:aws:s3:::bucket/k" in ctx.denied
        told = dialect.tell(ctx, caught.value)
        assert b"bob" not in bytes(told.body)  # type: ignore[arg-type]
        assert b"<Message>Access Denied</Message>" in bytes(told.body)  # type: ignore[arg-type]

    run(case())


def test_a_policy_that_allows_a_read_is_asked_before_the_object() -> None:
    async def case() -> None:
        it = await house()
        allow = {"Principal": "*", "Action": "s3:GetObject", "Resource": RESOURCES[1]}
        text = policy(allow).encode()
        await documents.change(it.store, await _row(it), {documents.POLICY: text})
        for who in ("bob", ""):
            await it.ask(who, "GET", "/bucket/k")
            assert await it.ask(who, "GET", "/bucket/k") == 200
            assert it.asked == [("get", "object"), ("get", "body")]
            with pytest.raises(AccessDenied):
                await it.ask(who, "GET", "/bucket/missing")

    run(case())


def test_with_authentication_off_only_closed_bits_refuse() -> None:
    """AIStore: reading cannot be closed to who has no name, nor can changing the bits back."""

    async def case() -> None:
        it = await house()
        it.svc.auth_enabled = False
        await close_bits(it)
        assert await it.ask("", "GET", "/bucket/k") == 200
        assert await it.ask("", "GET", "/bucket") == 200
        with pytest.raises(ObjectNotFound):
            await it.ask("", "GET", "/bucket/missing")
        for method, path in (("PUT", "/bucket/k"), ("DELETE", "/bucket/k"), ("DELETE", "/bucket")):
            with pytest.raises(AccessDenied):
                await it.ask("", method, path, body=b"x" if method == "PUT" else b"")
        await it.ask("", "PUT", "/bucket", query="ownershipControls", body=CONTROLS)

    run(case())


@pytest.mark.parametrize("who", ["root", "alice"])
def test_closed_bits_refuse_owners_too(who: str) -> None:
    async def case() -> None:
        it = await house()
        await close_bits(it)
        for method, path in (("GET", "/bucket/k"), ("GET", "/bucket"), ("PUT", "/bucket/k")):
            with pytest.raises(AccessDenied):
                await it.ask(who, method, path, body=b"x" if method == "PUT" else b"")
        controls = it.ask(who, "PUT", "/bucket", query="ownershipControls", body=CONTROLS)
        if who == "root":  # who can always set them back
            assert await controls == 200
        else:
            with pytest.raises(AisleError):
                await controls

    run(case())


RESOURCES = ["arn:aws:s3:::bucket", "arn:aws:s3:::bucket/*"]
CONTROLS = (
    b"<OwnershipControls><Rule><ObjectOwnership>ObjectWriter</ObjectOwnership></Rule>"
    b"</OwnershipControls>"
)


async def _row(it: House) -> BucketRow:
    return await buckets.find(it.store, "bucket")


async def close_bits(it: House) -> None:
    await buckets.change_props(it.store, BucketName("bucket"), {"access": 0})
