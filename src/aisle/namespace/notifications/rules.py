"""What a bucket wants to be told of, and which target is to hear it. Pure values and functions.

Spec: user guide, "Amazon S3 Event Notifications": supported event types, filtering by object key
name, overlapping filters.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import combinations
from typing import Final, Literal, NamedTuple

import msgspec

from aisle.namespace.records.encoding import reader

Kind = Literal["Topic", "Queue", "CloudFunction"]
KINDS: Final[tuple[Kind, ...]] = ("Topic", "Queue", "CloudFunction")
# The target that hears everything of buckets with an EventBridgeConfiguration.
BRIDGE: Final = "eventbridge"
EVENTS: Final = frozenset(
    {
        "s3:ReducedRedundancyLostObject",
        "s3:LifecycleTransition",
        "s3:IntelligentTiering",
        *(
            f"s3:{family}:{name}"
            for family, names in {
                "ObjectCreated": ("*", "Put", "Post", "Copy", "CompleteMultipartUpload"),
                "ObjectRemoved": ("*", "Delete", "DeleteMarkerCreated"),
                "ObjectRestore": ("*", "Post", "Completed", "Delete"),
                "Replication": (
                    "*",
                    "OperationFailedReplication",
                    "OperationNotTracked",
                    "OperationMissedThreshold",
                    "OperationReplicatedAfterThreshold",
                ),
                "ObjectAcl": ("Put",),
                "LifecycleExpiration": ("*", "Delete", "DeleteMarkerCreated"),
                "ObjectTagging": ("*", "Put", "Delete"),
                "ObjectAnnotation": ("*", "Put", "Delete"),
                "ObjectRetention": ("Put",),
            }.items()
            for name in names
        ),
    }
)
_PREFIX: Final = "arn:aisle:sqs:"


class Rule(msgspec.Struct, frozen=True, array_like=True):
    """One TopicConfiguration, QueueConfiguration or CloudFunctionConfiguration. A prefix or suffix
    that was not given is `None`."""

    id: str
    kind: Kind
    arn: str
    target: str
    events: tuple[str, ...]
    prefix: str | None = None
    suffix: str | None = None

    def takes(self, event: str, key: str) -> bool:
        """Whether it asks for this event of this key."""
        return (
            any(_covers(asked, event) for asked in self.events)
            and key.startswith(self.prefix or "")
            and key.endswith(self.suffix or "")
        )


class Rules(msgspec.Struct, frozen=True, array_like=True):
    """A bucket's configuration; with `bridge` everything goes to EventBridge's target too."""

    rules: tuple[Rule, ...] = ()
    bridge: bool = False

    def matching(self, event: str, key: str) -> Iterator[tuple[str, str]]:
        """Id and target of each that asks for an event."""
        for rule in self.rules:
            if rule.takes(event, key):
                yield rule.id, rule.target
        if self.bridge:
            yield "", BRIDGE


def encode(rules: Rules) -> bytes:
    return msgspec.msgpack.encode(rules)


decode: Final = lru_cache(maxsize=1024)(reader(Rules, "a bucket's notifications"))


class Destination(NamedTuple):
    """What an ARN names: a target of a kind, in a region."""

    region: str
    name: str
    kind: str


def parse_arn(arn: str) -> Destination | None:
    """What an ARN names; `None` if it is none of this store's."""
    if not arn.startswith(_PREFIX):
        return None
    fields = arn[len(_PREFIX) :].split(":")
    return Destination(*fields) if len(fields) == 3 and all(fields[1:]) else None


def overlapping(rules: Sequence[Rule]) -> bool:
    """Whether an event of some key could be asked for by two of them: where they share an event,
    one's prefix begins the other's, and one's suffix ends the other's."""
    return any(
        _meet(one.prefix or "", other.prefix or "")
        and _meet((one.suffix or "")[::-1], (other.suffix or "")[::-1])
        and any(_covers(a, b) or _covers(b, a) for a in one.events for b in other.events)
        for one, other in combinations(rules, 2)
    )


def _meet(one: str, other: str) -> bool:
    return one.startswith(other) or other.startswith(one)


def _covers(asked: str, event: str) -> bool:
    return asked == event or (asked.endswith("*") and event.startswith(asked[:-1]))
