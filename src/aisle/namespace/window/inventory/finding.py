"""Finding the newest whole inventory that Amazon's S3 has written of a bucket.

Where they are: `PREFIX/BUCKET/ID/DATE/manifest.json`, in the bucket itself under `.inventory` (the
prefix that AIStore's scripts set up) or another prefix, or in whatever destination the bucket's
inventory configurations name. `manifest.checksum` is written last, so an inventory without one is
not whole yet. All of this is asked of the remote with the cluster's credentials; nothing is kept.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any, Final, NamedTuple
from urllib.parse import quote

from aisle.backend.base import Backend, Forwarded, RawRequest
from aisle.core.errors import (
    InvalidArgument,
    InventoryDamaged,
    InventoryNotFound,
    NotSupported,
    RemoteError,
    RemoteObjectNotFound,
)
from aisle.core.names import BucketName, is_s3_bucket_name
from aisle.core.xmltree import Element, XmlError, parse_tree
from aisle.namespace.records import Bucket
from aisle.namespace.store import Store
from aisle.namespace.window.inventory import manifest as manifests
from aisle.namespace.window.inventory.manifest import CHECKSUM, CHECKSUM_LIMIT, MANIFEST

PREFIX: Final = ".inventory"
# Headers of a listing that is to be one of an inventory.
HEADER: Final = "ais-bucket-inventory"
NAME_HEADER: Final = "ais-inv-name"
ID_HEADER: Final = "ais-inv-id"
_ARN: Final = "arn:"
_SCHEME: Final = "s3://"
# Inventories of one bucket under different ids, and dates that may be without a whole one.
_IDS: Final = 100
_DATES: Final = 10
_PAGES: Final = 20
_REPLY: Final = 4 << 20
_NAME: Final = 1024


class Where(NamedTuple):
    """Which inventory is asked for. `name` is the prefix under which it lies in the bucket itself,
    or `s3://bucket/prefix` where it lies in another; empty for `.inventory`, or else wherever the
    bucket's configurations say. `id` is that of the configuration, empty for any."""

    name: str = ""
    id: str = ""

    @property
    def elsewhere(self) -> bool:
        """Whether it names a bucket, which only who administers the cluster may do."""
        return self.name.startswith(_SCHEME)

    def __str__(self) -> str:
        parts = (("named", self.name), ("of id", self.id))
        told = [f'{word} "{text}"' for word, text in parts if text]
        return " ".join(["inventory", *told])


def where(name: str, identity: str) -> Where:
    """What `--inv-name` and `--inv-id` say. Raises `InvalidArgument`."""
    for word, text in (("inventory name", name), ("inventory id", identity)):
        if len(text) > _NAME or not text.isprintable() or not text.isascii():
            raise InvalidArgument(f"an {word} is printable ASCII", name=word, value=text[:100])
    if "/" in identity:
        raise InvalidArgument("an inventory id has no slash", name="inventory id", value=identity)
    other = name.removeprefix(_SCHEME).partition("/")[0]
    if name.startswith(_SCHEME) and not is_s3_bucket_name(other):
        raise InvalidArgument(f'"{name}" names no bucket', name="inventory name", value=name)
    return Where(name.rstrip("/"), identity)


def asked(headers: Mapping[str, str], *, flagged: bool = False) -> Where | None:
    """Which inventory the headers of a listing ask for; `None` if they ask for none, and it is not
    `flagged` as of one otherwise. Raises `InvalidArgument`."""
    told = headers.get(HEADER, "").strip().lower()
    name, identity = headers.get(NAME_HEADER, ""), headers.get(ID_HEADER, "")
    if told not in ("", "true", "false"):
        raise InvalidArgument(f"{HEADER} is true or false", name=HEADER, value=told)
    if not (flagged or told == "true" or name or identity) or told == "false":
        return None
    return where(name, identity)


class Found(NamedTuple):
    """A whole inventory: the bucket it lies in, the common prefix of its date, the folder above
    those of all ids, and what tells it from an earlier one: the text of its checksum."""

    bucket: str
    date: str
    folder: str
    checksum: str

    @property
    def source(self) -> str:
        return f"{_SCHEME}{self.bucket}/{self.date}{MANIFEST} {self.checksum}"


class _Place(NamedTuple):
    """A prefix in a bucket, below which there may be inventories; with the id of the only one."""

    bucket: str
    prefix: str
    id: str


def remote_name(bucket: Bucket) -> BucketName:
    """The remote bucket. Raises `NotSupported` if it is none that S3 writes inventories of."""
    behind = bucket.behind
    if behind is None:
        raise NotSupported("a bucket inventory is of a remote bucket: this one has none")
    if behind.provider != "aws":
        raise NotSupported(
            f'bucket "{bucket.name}" has no inventory, and its provider, {behind.provider}, writes'
            " none: make one of the cluster's own (ais nbi create)"
        )
    return behind


async def newest(store: Store, bucket: Bucket, asked: Where) -> Found:
    """The newest whole inventory. Raises `InventoryNotFound`, `NotSupported`, `RemoteError`s."""
    name = remote_name(bucket)
    looked: list[str] = []
    async for place in _places(store, bucket, name, asked):
        folder = "/".join(filter(None, (place.prefix, name.name))) + "/"
        looked.append(f"{_SCHEME}{place.bucket}/{folder}{place.id}")
        async with backend_of(store, bucket, place.bucket) as backend:
            found = [
                one
                for identity in await _ids(backend, folder, place.id)
                if (one := await _whole(backend, place.bucket, folder, identity)) is not None
            ]
        if found:
            return max(found, key=lambda one: one.date[-18:])
    raise InventoryNotFound(
        f'bucket "{bucket.name}" has no whole {asked} (looked in {", ".join(looked)})'
    )


@asynccontextmanager
async def backend_of(store: Store, bucket: Bucket, name: str) -> AsyncIterator[Backend]:
    """The remote bucket `name`, reached as the one behind this window is, or that one itself."""
    remotes = store.remotes
    if remotes is None:
        raise NotSupported("remote buckets cannot be reached from this process")
    if name == remote_name(bucket).name:
        yield await remotes.backend(store, bucket)
        return
    backend = await remotes.trial(store, BucketName(name, "aws"), bucket.props)
    try:
        yield backend
    finally:
        await backend.close()


async def _places(
    store: Store, bucket: Bucket, name: BucketName, asked: Where
) -> AsyncIterator[_Place]:
    if asked.elsewhere:
        other, _, prefix = asked.name.removeprefix(_SCHEME).partition("/")
        yield _Place(other, prefix, asked.id)
        return
    yield _Place(name.name, asked.name or PREFIX, asked.id)
    async with backend_of(store, bucket, name.name) as backend:
        told = await _configured(backend, asked.id)
    for place in told:
        if asked.name in ("", place.prefix) and place != (name.name, PREFIX, asked.id):
            yield place


async def _ids(backend: Backend, folder: str, identity: str) -> list[str]:
    """The ids below a folder, or the one that is asked for."""
    if identity:
        return [identity]
    page = await backend.list(prefix=folder, delimiter="/")
    return [prefix[len(folder) : -1] for prefix in page.prefixes[:_IDS]]


async def _whole(backend: Backend, bucket: str, folder: str, identity: str) -> Found | None:
    """The newest whole inventory of one id."""
    below = f"{folder}{identity}/"
    prefixes: list[str] = []
    token = ""
    for _ in range(_PAGES):  # the dates of years are a page or two, and their order is that of time
        page = await backend.list(prefix=below, delimiter="/", token=token)
        prefixes = (prefixes + page.prefixes)[-1000:]
        token = page.token
        if not token:
            break
    for date in manifests.dates(prefixes, below)[:_DATES]:
        with suppress(RemoteObjectNotFound):
            checksum = await fetch(backend, date + CHECKSUM, CHECKSUM_LIMIT)
            text = ascii(checksum.decode("latin-1").strip())[1:-1][:64]
            return Found(bucket, date, folder, text)
    return None


async def fetch(backend: Backend, key: str, limit: int) -> bytes:
    """A small object, whole. Raises `InventoryDamaged` if it is none, `RemoteError`s."""
    body = await backend.get(key)
    try:
        if body.about.size > limit:
            raise InventoryDamaged(f"{key} has {body.about.size:,} bytes")
        pieces, size = [], 0
        while piece := await body.read():
            size += len(piece)
            if size > limit:
                raise InventoryDamaged(f"{key} has more than {limit:,} bytes")
            pieces.append(piece)
    finally:
        await body.close()
    return b"".join(pieces)


# --- where the configurations of the bucket say ------------------------------------------------


async def _configured(backend: Backend, identity: str) -> list[_Place]:
    """Where the bucket's inventory configurations have them written; nowhere if the remote does
    not tell: then there may still be inventories that somebody else has put there."""
    if not hasattr(backend, "forward"):
        return []
    query = f"inventory&id={quote(identity, safe='')}" if identity else "inventory"
    try:
        data = await _ask(backend, query)
    except RemoteError:
        return []
    try:
        root = parse_tree(data) if data else Element("")
    except XmlError:
        return []
    told = [root] if identity else list(root.all("InventoryConfiguration"))
    places = (_destination(one) for one in told[:_IDS])
    return [place for place in places if place is not None]


async def _ask(backend: Any, query: str) -> bytes:
    reply: Forwarded = await backend.forward(RawRequest("GET", query=query))
    try:
        if reply.status != 200:
            return b""
        pieces, size = [], 0
        while (piece := await reply.read()) and size <= _REPLY:
            size += len(piece)
            pieces.append(piece)
        return b"".join(pieces) if size <= _REPLY else b""
    finally:
        await reply.close()


def _destination(told: Element) -> _Place | None:
    """The place that an `InventoryConfiguration` names, unless it is switched off."""
    outer = told.first("Destination")
    inner = outer.first("S3BucketDestination") if outer is not None else None
    identity = told.value("Id").strip()
    if inner is None or not identity or told.value("IsEnabled").strip().lower() == "false":
        return None
    name = inner.value("Bucket").strip()
    if name.startswith(_ARN):
        name = name.rpartition(":")[2]
    if not is_s3_bucket_name(name):
        return None
    return _Place(name, inner.value("Prefix").strip().strip("/"), identity)
