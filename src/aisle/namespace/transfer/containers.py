"""What an import's objects and parts are put into: settings, buckets with documents, and uploads.

Only finding and making these may live here: their contents are `contents`. Each row is committed
with a check of what it takes the place of: a client that writes at that moment wins.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from typing import Final

import msgspec

from aisle.core.errors import BucketNotFound, RowChanged, WriteConflict
from aisle.namespace import buckets, documents, ownership
from aisle.namespace.records import Bucket, Config, bucket_key, decode, encode, upload_key
from aisle.namespace.store import CONFIG_KEY, RETRIES, BucketRow
from aisle.namespace.transfer.items import UploadItem, shown
from aisle.namespace.transfer.terms import Terms
from aisle.store.base import ABSENT, Change, Check, Put

VERSIONING: Final = "versioning.enabled"

Upload = tuple[bytes, bytes]  # row key and row


async def take_config(terms: Terms, config: Config) -> None:
    """The settings of the cluster: the source's, if there are none or they may be replaced."""
    for _ in range(RETRIES):
        raw = await terms.store.index.get("config", CONFIG_KEY)
        old = decode(Config, raw) if raw is not None else None
        if old is not None and old.values == config.values:
            terms.totals.skipped += 1
            return
        if old is not None and not terms.overwrite:
            terms.totals.kept += 1
            terms.tell("kept the settings of the cluster: those at the target differ")
            return
        new = Config(old.version + 1 if old else config.version, config.values)
        check = Check("config", CONFIG_KEY, ABSENT if raw is None else raw)
        with suppress(RowChanged):
            await terms.store.index.commit(check, Put("config", CONFIG_KEY, encode(new)))
            return
    raise WriteConflict("the settings of the cluster are being changed by too many writers")


async def find_bucket(terms: Terms, source: Bucket) -> BucketRow | None:
    """The bucket at the target, made if need be; None if its contents have no place."""
    row_key = bucket_key(source.name, source.provider, source.namespace)
    entry = await terms.journal.get("bucket", row_key) if terms.journal else None
    name = shown(source)
    index = terms.store.index
    for _ in range(RETRIES):
        raw = await index.get("bucket", row_key)
        if raw is not None:
            with suppress(RowChanged):
                return await _known_bucket(terms, source, row_key, raw)
            continue
        if entry is not None:
            terms.refuse(name, "it was deleted at the target")
            return None
        taken = await index.scan("bucket", prefix=f"{source.name}\0".encode(), limit=1)
        if taken:
            terms.refuse(name, "the target has a bucket of this name from another provider")
            return None
        # Its id is a new one: what the target once had under the old one stays apart.
        record = msgspec.structs.replace(source, id=os.urandom(8), mark=b"")
        raw = encode(record)
        extra = terms.entered("bucket", row_key, None, raw)
        try:
            await index.commit(
                Check("bucket", row_key, ABSENT), Put("bucket", row_key, raw), *extra
            )
        except RowChanged:
            continue
        terms.totals.buckets += 1
        return BucketRow(row_key, raw, record)
    raise WriteConflict(f"{name} is being changed by too many writers")


async def _known_bucket(terms: Terms, source: Bucket, row_key: bytes, raw: bytes) -> BucketRow:
    """A bucket that is there, made like the source's if it may be. Raises `RowChanged`."""
    record = decode(Bucket, raw)
    row = BucketRow(row_key, raw, record)
    wanted = msgspec.structs.replace(source, id=record.id, mark=record.mark)
    if terms.journal and source.versions and not record.versions:
        # Without versions here none of those could come that are there by now.
        versions = {name: source.props[name] for name in (VERSIONING,) if name in source.props}
        record = msgspec.structs.replace(
            record, versions=source.versions, props={**record.props, **versions}
        )
        raw = encode(record)
        await terms.store.index.commit(row.check, Put("bucket", row_key, raw))
        terms.totals.buckets += 1
        row = BucketRow(row_key, raw, record)
    if wanted == record:
        terms.totals.skipped += 1
        if terms.journal and await terms.journal.get("bucket", row_key) is None:
            await terms.journal.adopt([("bucket", row_key, raw)])
        return row
    if not terms.overwrite:
        terms.totals.kept += 1
        terms.tell(f"kept {shown(source)} as it is at the target: owner, age or props differ")
        return row
    if _loses_versions(record, wanted):
        terms.totals.kept += 1
        terms.tell(f"kept {shown(source)} as it is at the target: its versions may be needed")
        return row
    new = encode(wanted)
    changes: list[Change] = [row.check, Put("bucket", row_key, new)]
    if wanted.owner != record.owner:  # what is in it stays its former owner's
        changes.append(Put("document", record.id + documents.SHARED, b"1"))
    await terms.store.index.commit(*changes)
    terms.totals.buckets += 1
    return BucketRow(row_key, new, wanted)


def _loses_versions(record: Bucket, wanted: Bucket) -> bool:
    """Whether versions that are there would be out of sight, or locked ones no longer kept."""
    locks = documents.BITS[documents.LOCK]
    keeps = bool(wanted.has & locks) and wanted.keeps_versions
    return bool(record.versions and not wanted.versions) or bool(record.has & locks and not keeps)


async def take_documents(
    terms: Terms, row: BucketRow, source: Bucket, given: Mapping[bytes, bytes]
) -> None:
    """Give the bucket the source's documents, before anything is in it that they are about. One
    that was kept as it is keeps its own."""
    if msgspec.structs.replace(source, id=row.record.id, mark=row.record.mark) != row.record:
        return
    # Whether it is shared is up to what comes to be in it here.
    given = {kind: text for kind, text in given.items() if kind != documents.SHARED}
    present = dict((await documents.of(terms.store, row)).raw)
    present.pop(documents.SHARED, None)
    if present == given:
        return
    if present and not terms.overwrite:
        terms.totals.kept += 1
        terms.tell(f"kept {shown(source)} as it is at the target: its policy or ACL differs")
        return
    changes = {kind: given.get(kind) for kind in {*present, *given}}
    await documents.change(terms.store, row, changes)


async def find_upload(
    terms: Terms, bucket: BucketRow, item: UploadItem
) -> tuple[BucketRow, Upload | None]:
    """The upload at the target, begun if need be; None if it has ended there. Its bucket comes
    back as it is by now."""
    index = terms.store.index
    record = item.record
    row_key = upload_key(bucket.record.id, item.key, record.id)
    entry = await terms.journal.get("upload", row_key) if terms.journal else None
    for _ in range(RETRIES):
        raw = await index.get("upload", row_key)
        if raw is not None:
            terms.totals.skipped += 1
            return bucket, (row_key, raw)
        if entry is not None or await index.get("done", record.id) is not None:
            terms.totals.kept += 1
            return bucket, None
        await ownership.note(terms.store, bucket, record.owner)
        raw = encode(record)
        extra = terms.entered("upload", row_key, None, raw)
        try:
            await index.commit(
                *buckets.guard(bucket),
                Check("upload", row_key, ABSENT),
                Put("upload", row_key, raw),
                *extra,
            )
        except RowChanged:
            try:
                bucket = await buckets.refresh(terms.store, bucket)
            except BucketNotFound:
                terms.refuse(shown(bucket.record, item.key), "its bucket was deleted")
                return bucket, None
            continue
        terms.totals.uploads += 1
        return bucket, (row_key, raw)
    raise WriteConflict("an upload is being changed by too many writers")
