"""What happens to objects, as those are told who have asked for it: `Sink`s.

The changes by which a sink remembers an event are part of the very batch that makes it so, so that
none is lost and none is told of that did not happen. Only buckets that somebody watches
(`documents.TOLD`) pay for it. Names are those of S3's event notifications.
"""

from __future__ import annotations

from contextvars import ContextVar
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from aisle.namespace.records import Object
from aisle.store.base import Change

if TYPE_CHECKING:
    from aisle.namespace.store import BucketRow, Store

PUT: Final = "s3:ObjectCreated:Put"
POST: Final = "s3:ObjectCreated:Post"
COPY: Final = "s3:ObjectCreated:Copy"
COMPLETE: Final = "s3:ObjectCreated:CompleteMultipartUpload"
DELETE: Final = "s3:ObjectRemoved:Delete"
ACL: Final = "s3:ObjectAcl:Put"
EXPIRED: Final = "s3:LifecycleExpiration:Delete"
TAGGED: Final = "s3:ObjectTagging:Put"
UNTAGGED: Final = "s3:ObjectTagging:Delete"
RESTORING: Final = "s3:ObjectRestore:Post"
RESTORED: Final = "s3:ObjectRestore:Completed"
RETAINED: Final = "s3:ObjectRetention:Put"
ANNOTATED: Final = "s3:ObjectAnnotation:Put"
UNANNOTATED: Final = "s3:ObjectAnnotation:Delete"


class Cause(NamedTuple):
    """Who has brought an event about: as policies call them, from where, in which request."""

    principal: str = ""
    address: str = ""
    request: str = ""


CAUSE: Final[ContextVar[Cause]] = ContextVar("cause", default=Cause())  # noqa: B039


class Sink(Protocol):
    """Somebody who remembers events to tell of them later."""

    async def changes(
        self, store: Store, bucket: BucketRow, key: bytes, record: Object, event: str
    ) -> list[Change]:
        """What to commit with the event; of a removal, `record` is the marker or what was there."""
        ...


class Stamp(Protocol):
    """What a new version of a replicated bucket is to say of its replication."""

    async def __call__(
        self, store: Store, bucket: BucketRow, key: bytes, record: Object
    ) -> Object: ...


def marked(event: str) -> str:
    """What a delete is called that has left a marker."""
    return f"{event}MarkerCreated"


async def of(
    store: Store, bucket: BucketRow, key: bytes, record: Object, event: str
) -> list[Change]:
    """The changes by which every sink of this process remembers an event."""
    found: list[Change] = []
    for sink in store.sinks:
        found += await sink.changes(store, bucket, key, record, event)
    return found
