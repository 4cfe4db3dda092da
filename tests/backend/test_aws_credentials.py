"""Whose credentials sign requests of provider `aws`: the chain, its renewal, and none at all."""

from __future__ import annotations

import asyncio
import json
import stat
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from aisle.backend.aws import AwsProvider
from aisle.backend.aws.credentials import Chain, Keys
from aisle.backend.aws.options import Account
from aisle.core.errors import RemoteDenied
from tests.backend.cases import new_name, write_profile
from tests.backend.test_contract import get, outgoing
from tests.harness import ACCESS_KEY, SECRET_KEY
from tests.outgoing.server import reply, serving
from tests.servers import moto, s3
from tests.servers.faults import FaultProxy
from tests.store.conftest import Run

pytestmark = pytest.mark.usefixtures("no_aws_environment")


def keys_of(account: Account) -> Keys | None:
    return asyncio.run(Chain(account).keys("aws://b"))


def test_the_environments_keys_sign(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "ENVKEY")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "env-secret")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "env-token")
    found = keys_of(Account("", "", metadata=False))
    assert found == Keys("ENVKEY", "env-secret", "env-token")
    assert "secret" not in repr(found)
    assert "token" not in repr(found)


def test_a_profile_has_keys_and_a_region(files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "ENVKEY")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "env-secret")
    with (files / "config").open("a") as config:
        config.write("[profile far]\nregion = ap-east-1\n")
    account = Account("origin", str(files), metadata=False)
    assert keys_of(account) == Keys(ACCESS_KEY, SECRET_KEY, "")
    assert asyncio.run(Chain(account).region("aws://b")) == "us-east-1"
    far = Account("far", str(files), metadata=False)
    assert asyncio.run(Chain(far).region("aws://b")) == "ap-east-1"
    assert keys_of(far) is None


def write_process(files: Path, calls: Path, *, seconds: float, awaited: Path) -> Account:
    """A profile whose credentials come from a program, and expire. It notes that it was called, and
    goes on when there is a file."""
    until = (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat()
    answer = {
        "Version": 1, "AccessKeyId": "PROCESS", "SecretAccessKey": "s", "SessionToken": "t",
        "Expiration": until,
    }  # fmt: skip
    program = files / "program"
    program.write_text(
        f"#!{sys.executable}\nimport time\nfrom os.path import exists\n"
        f"open({str(calls)!r}, 'a').write('x')\n"
        f"for _ in range(2000):\n  if exists({str(awaited)!r}): break\n  time.sleep(0.005)\n"
        f"else: raise SystemExit('nobody came')\n"
        f"print({json.dumps(json.dumps(answer))})\n"
    )
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    (files / "config").write_text(f"[profile process]\ncredential_process = {program}\n")
    return Account("process", str(files), metadata=False)


def test_a_program_is_asked_once_and_off_the_loop(files: Path, tmp_path: Path) -> None:
    calls, awaited = tmp_path / "calls", tmp_path / "awaited"
    account = write_process(files, calls, seconds=3600, awaited=awaited)

    async def work() -> None:
        chain = Chain(account)
        asking = asyncio.gather(*[chain.keys("aws://b") for _ in range(10)])
        async with asyncio.timeout(60):
            while not calls.exists():
                await asyncio.sleep(0.005)
        awaited.touch()  # while the program waits, the loop goes on
        assert await asking == [Keys("PROCESS", "s", "t")] * 10
        assert await chain.keys("aws://b") == Keys("PROCESS", "s", "t")

    asyncio.run(work())
    assert calls.read_text() == "x"


def test_credentials_that_expire_are_renewed(files: Path, tmp_path: Path) -> None:
    calls = tmp_path / "calls"
    account = write_process(files, calls, seconds=60, awaited=files)

    async def work() -> None:
        chain = Chain(account)
        await chain.keys("aws://b")
        before = len(calls.read_text())
        await chain.keys("aws://b")  # not again at once, however soon they expire
        assert len(calls.read_text()) == before
        chain._again_from = 0.0
        write_process(files, calls, seconds=7200, awaited=files)
        await chain.keys("aws://b")
        assert len(calls.read_text()) > before

    asyncio.run(work())


def test_credentials_that_cannot_be_had_are_denied_without_a_word_of_them(files: Path) -> None:
    with (files / "config").open("a") as config:
        config.write("[profile broken]\ncredential_process = /bin/echo very-secret-thing\n")
    with pytest.raises(RemoteDenied) as failure:
        keys_of(Account("broken", str(files), metadata=False))
    assert "very-secret-thing" not in str(failure.value)


def test_credentials_that_are_not_taken_are_looked_up_again(files: Path) -> None:
    account = Account("origin", str(files), metadata=False)

    async def work() -> None:
        chain = Chain(account)
        first = await chain.keys("aws://b")
        (files / "credentials").write_text(
            "[origin]\naws_access_key_id = NEW\naws_secret_access_key = new\n"
        )
        chain.forget()  # too soon after they were looked up
        assert await chain.keys("aws://b") == first
        chain._again_from = 0.0
        chain.forget()
        assert await chain.keys("aws://b") == Keys("NEW", "new", "")

    asyncio.run(work())


@pytest.mark.parametrize("allowed", [False, True])
def test_the_machines_metadata_is_asked_only_if_that_is_set(
    allowed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def work() -> int:
        async with serving(reply(404)) as server:
            monkeypatch.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", server.url)
            assert await Chain(Account("", "", metadata=allowed)).keys("aws://b") is None
            return len(server.seen)

    assert (asyncio.run(work()) > 0) == allowed


def test_without_credentials_requests_are_not_signed(run: Run) -> None:
    server = moto.shared()
    bucket = new_name()
    server.client(endpoint=server.root).create_bucket(Bucket=bucket)
    with FaultProxy(server.port) as proxy:
        provider = AwsProvider({"S3_ENDPOINT": proxy.endpoint})
        backend = provider.open(bucket, {})
        run(backend.facts())
        assert run(backend.list()).entries == []
        assert proxy.requests
        assert not any("authorization" in seen.headers for seen in proxy.requests)
        run(provider.close())


def test_several_endpoints_and_profiles_are_used_at_once(files: Path, run: Run) -> None:
    write_profile(files, profile="moto", access="testing", secret="testing")
    provider = AwsProvider({"AIS_S3_CONFIG_DIR": str(files)})
    sites = []
    for server, profile in ((s3.shared(), "origin"), (moto.shared(), "moto")):
        bucket = new_name()
        server.client(endpoint=server.root).create_bucket(Bucket=bucket)
        settings = {"extra.aws.endpoint": server.root, "extra.aws.profile": profile}
        sites.append((bucket, provider.open(bucket, settings), settings))

    async def work() -> None:
        await asyncio.gather(
            *[backend.put("key", outgoing(name.encode())) for name, backend, _ in sites]
        )
        for name, backend, settings in sites:
            assert await get(backend, "key") == name.encode()
            names = await provider.buckets(settings)
            assert [other for other, _, _ in sites if other in names] == [name]

    run(work())
    run(provider.close())
