"""What encryption costs: GET and PUT of large and small objects, plain and sealed, in turn.

Two nodes that differ in nothing but a key ring serve the same requests: one encrypts everything
(`AES256`), the other nothing. Frames are also sealed and opened by themselves, for each size of
frame that could have been chosen (docs/decisions/012).
"""

from __future__ import annotations

import base64
import os
import time
from collections.abc import Generator
from dataclasses import replace

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from bench import load
from bench.measures import GIB, MIB, Plan, Sample, name_of, replay, settle, stored, streamed
from bench.servers import Aisle, Server

_BUCKET = "bench"
_SMALL = 4_096
_ROUNDS = 3
_LARGE = 64 * MIB
_FRAMES = (4, 16, 64, 256)  # KiB
_SLICE = 1 << 20
_SLICES = 512


class Sealing(Aisle):
    """A node with a key ring."""

    def environment(self) -> dict[str, str]:
        key = base64.b64encode(os.urandom(32)).decode()
        return super().environment() | {"AISLE_KEY_RING": f"aisle/1:{key}"}


def encryption(server: Server, plan: Plan) -> Generator[Sample]:
    """Of each operation the round that cost least, beside the same without encryption."""
    if not isinstance(server, Aisle):
        return
    for kib in _FRAMES:
        yield from _frames(server.name, kib << 10)
    sealing = Sealing(server.directory.with_name(f"{server.directory.name}-sealing"))
    short = replace(plan, seconds=max(1.0, plan.seconds / _ROUNDS))
    rounds: dict[str, list[Sample]] = {}
    with server, sealing:
        keys = [name_of(number) for number in range(plan.small_keys)]
        for node in (server, sealing):
            yield from stored(node, "GET 64 MiB", _LARGE, objects=4)
            load.fill(node, _BUCKET, keys, _SMALL)
        for turn in range(_ROUNDS):
            for suffix, node in ((", plain", server), (", sealed", sealing)):
                for sample in _once(node, short, keys, turn):
                    sample.operation += suffix
                    sample.server = server.name
                    rounds.setdefault(sample.operation, []).append(sample)
    for same in rounds.values():
        best = min(same, key=lambda sample: sample.cpu)
        best.errors = sum(sample.errors for sample in same)
        yield best


def _once(node: Server, plan: Plan, keys: list[str], turn: int) -> Generator[Sample]:
    signer = node.signer()
    got = load.shuffled(signer.target("GET", _BUCKET, key) for key in keys)
    yield replay(node, plan, "GET 4 KiB", "op", "GET", got, 32)[0]
    count = int(plan.seconds * 20_000)
    put = [signer.target("PUT", _BUCKET, f"new{turn}/{name_of(n)}") for n in range(count)]
    yield replay(node, plan, "PUT 4 KiB", "op", "PUT", load.shuffled(put), 32, _SMALL, True)[0]
    settle()
    yield streamed(node, plan, "PUT 64 MiB", "PUT", _LARGE)
    settle()
    yield streamed(node, plan, "GET 64 MiB", "GET", _LARGE, objects=4)


def _frames(server: str, size: int) -> Generator[Sample]:
    """Seal and open slices of 1 MiB in frames of `size` bytes, in this process."""
    cipher, data = AESGCM(os.urandom(32)), memoryview(os.urandom(_SLICE))
    nonces = [number.to_bytes(12, "big") for number in range(_SLICE // size)]
    sealed = b""
    for name in ("seal", "open"):
        began, used = time.perf_counter(), time.process_time()
        for _ in range(_SLICES):
            if name == "seal":
                frames = [
                    cipher.encrypt(nonce, data[at * size : (at + 1) * size], None)
                    for at, nonce in enumerate(nonces)
                ]
                sealed = b"".join(frames)
            else:
                step, view = size + 16, memoryview(sealed)
                frames = [
                    cipher.decrypt(nonce, view[at * step : (at + 1) * step], None)
                    for at, nonce in enumerate(nonces)
                ]
                b"".join(frames)
        total = _SLICES * _SLICE / GIB
        cpu, elapsed = time.process_time() - used, time.perf_counter() - began
        yield Sample(
            f"{name}, frames of {size >> 10} KiB", server, "GiB", rate=total / elapsed,
            cpu=cpu / total, operations=_SLICES, note="in one process, without a node",
        )  # fmt: skip
