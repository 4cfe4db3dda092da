"""From a URL to an open pool: the parameters, the binding, and how it is told that it cannot be."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest

from aisle.core.errors import ConfigError, ReadOnlyStore, StoreError
from aisle.store.rados.blobs import RadosBlobs
from aisle.store.rados.lib import from_system
from aisle.store.rados.pool import OPTIONS, PoolOptions, parse_url
from tests.harness import free_port
from tests.servers.ceph import shared, shared_pool
from tests.store.conftest import Run
from tests.store.test_blobs_contract import all_of, put, take


@pytest.mark.parametrize(
    ("url", "options"),
    [
        ("rados://data", PoolOptions("data")),
        ("rados://data/", PoolOptions("data")),
        ("rados://My%20Pool.x", PoolOptions("My Pool.x")),
        (
            "rados://data?conf=/a/b&user=client.aisle&stripe=1MiB&timeout=5s",
            PoolOptions("data", "/a/b", "client.aisle", 1 << 20, 5),
        ),
        (
            "rados://data?user=aisle&timeout=2m",
            PoolOptions("data", user="client.aisle", timeout=120),
        ),
    ],
)
def test_a_url_names_a_pool_and_its_parameters(url: str, options: PoolOptions) -> None:
    assert parse_url(url) == options


def test_every_parameter_is_one_of_the_options() -> None:
    assert set(PoolOptions.__slots__) == {"pool", *OPTIONS}


@pytest.mark.parametrize(
    "url",
    [
        "rados://",
        "rados://pool/path",
        "rados://pool#x",
        "s3://pool",
        "rados://pool?strip=4MiB",
        "rados://pool?stripe=",
        "rados://pool?stripe=1KiB",
        "rados://pool?stripe=1GiB",
        "rados://pool?timeout=0",
        "rados://pool?timeout=1500ms",
        "rados://pool?timeout=5",
    ],
)
def test_a_url_that_makes_no_sense_is_refused(url: str) -> None:
    with pytest.raises(ConfigError, match="rados://"):
        parse_url(url)


def refused(run: Run, url: str) -> str:
    async def attempt() -> str:
        async with asyncio.timeout(60):
            with pytest.raises(ConfigError) as caught:
                await RadosBlobs.connect(url, store=uuid.uuid4().hex)
        return str(caught.value)

    return run(attempt())


@pytest.fixture
def conf(tmp_path: Path) -> Callable[..., Path]:
    """A function that writes the shared cluster's configuration with some text replaced."""

    def write(**replaced: str) -> Path:
        text = shared().conf.read_text()
        for name, value in replaced.items():
            lines = [
                f"{name} = {value}" if line.startswith(f"{name} =") else line
                for line in text.splitlines()
            ]
            text = "\n".join(lines) + "\n"
        path = tmp_path / "ceph.conf"
        path.write_text(text)
        return path

    return write


def test_what_is_wrong_with_a_cluster_is_told_in_one_sentence(
    run: Run, conf: Callable[..., Path], tmp_path: Path
) -> None:
    pool, good = shared_pool(), shared().conf
    assert "no such pool" in refused(run, f"rados://nowhere?conf={good}")
    assert "there is no file" in refused(run, f"rados://{pool}?conf={tmp_path / 'none'}")
    denied = refused(run, f"rados://{pool}?conf={good}&user=client.nobody&timeout=5s")
    assert "client.nobody cannot connect" in denied
    (tmp_path / "broken").write_text("[[[")
    assert "cannot be used" in refused(run, f"rados://{pool}?conf={tmp_path / 'broken'}")


def test_a_wrong_key_is_refused_and_not_repeated(
    run: Run, conf: Callable[..., Path], tmp_path: Path
) -> None:
    key = "AQAHQ3lp0AAAABAA0AAAAAAAAAAAAAAAAAAAAA=="
    keyring = tmp_path / "keyring"
    keyring.write_text(f"[client.admin]\n\tkey = {key}\n")
    told = refused(run, f"rados://{shared_pool()}?conf={conf(keyring=str(keyring))}&timeout=5s")
    assert "cannot connect" in told
    assert key not in told


def test_a_cluster_that_does_not_answer_is_given_up(run: Run, conf: Callable[..., Path]) -> None:
    dead = conf(mon_host=f"[v2:127.0.0.1:{free_port()}]")
    told = refused(run, f"rados://{shared_pool()}?conf={dead}&timeout=2s")
    assert "no answer within 2s" in told


def test_a_cancelled_connection_leaves_nothing_open(run: Run) -> None:
    async def attempt() -> None:
        url = f"rados://{shared_pool()}?conf={shared().conf}"
        connecting = asyncio.ensure_future(RadosBlobs.connect(url, store=uuid.uuid4().hex))
        await asyncio.sleep(0)
        connecting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await connecting

    run(attempt())


def test_a_user_needs_few_capabilities_and_is_told_when_it_has_fewer(
    run: Run, conf: Callable[..., Path], tmp_path: Path
) -> None:
    pool, other = shared_pool(), shared_pool(ec=True)
    user = f"client.u{uuid.uuid4().hex[:8]}"
    caps = ["mon", "allow r", "osd", f"allow rw pool={pool}"]
    made = shared().command("auth get-or-create", entity=user, caps=caps, format="plain")
    (tmp_path / "keyring").write_text(made)
    file = conf(keyring=str(tmp_path / "keyring"))

    async def attempt() -> None:
        blobs = await RadosBlobs.connect(
            f"rados://{pool}?conf={file}&user={user}", store=uuid.uuid4().hex
        )
        blob = await put(blobs, b"abc")
        assert await take(blobs, blob, 0, 3) == b"abc"
        assert set(await all_of(blobs)) == {blob}
        assert (await blobs.space()).free > 0
        await blobs.delete(blob)
        await blobs.close()
        denied = await RadosBlobs.connect(
            f"rados://{other}?conf={file}&user={user}", store=uuid.uuid4().hex
        )
        with pytest.raises(ReadOnlyStore):
            await put(denied, b"abc")
        with pytest.raises(StoreError):
            await all_of(denied)
        await denied.close()

    run(attempt())


def test_a_missing_binding_is_told_with_what_to_install(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="install python3-rados"):
        from_system((str(tmp_path),))


def test_a_binding_for_another_python_is_told_as_such(tmp_path: Path) -> None:
    (tmp_path / "rados.cpython-399-x86_64-linux-gnu.so").touch()
    with pytest.raises(ConfigError, match="not built for Python"):
        from_system((str(tmp_path / "none"), str(tmp_path)))


def test_a_binding_that_is_damaged_is_told(tmp_path: Path) -> None:
    (tmp_path / "rados.so").write_bytes(b"not a library")
    with pytest.raises(ConfigError, match="cannot be loaded"):
        from_system((str(tmp_path),))


def test_the_binding_brings_no_other_module_of_the_system(tmp_path: Path) -> None:
    code = (
        "import sys; before = list(sys.path)\n"
        "from aisle.store.rados.lib import load\n"
        "assert load() is load() is sys.modules['rados']\n"
        "assert sys.path == before\n"
    )
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True)
