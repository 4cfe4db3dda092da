"""A replication configuration as a value, and which rules apply to an object. Pure functions.

Spec: user guide, "Replication configuration file elements".
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Final

import msgspec

from aisle.namespace.records.encoding import reader

PENDING: Final = "PENDING"
COMPLETED: Final = "COMPLETED"
FAILED: Final = "FAILED"
REPLICA: Final = "REPLICA"
STATUSES: Final = frozenset({PENDING, COMPLETED, FAILED, REPLICA})


class Rule(msgspec.Struct, frozen=True, array_like=True):
    """A rule: objects whose key begins with `prefix` and that have all `tags` go to `bucket`, in
    `storage_class` if that is named; with `markers` so do delete markers. `existing` asks for what
    was there before the rule. Of several rules for a destination the greatest `priority` applies.
    """

    id: str
    priority: int
    enabled: bool
    bucket: str
    prefix: str = ""
    tags: dict[str, str] = {}
    storage_class: str = ""
    markers: bool = False
    existing: bool = False

    def matches(self, key: str, tags: Mapping[str, str]) -> bool:
        """Whether the filter of the rule, were it enabled, lets an object through."""
        return key.startswith(self.prefix) and all(
            tags.get(name) == value for name, value in self.tags.items()
        )


class Configuration(msgspec.Struct, frozen=True, array_like=True):
    """What PutBucketReplication has set: its rules, and the document as it is given back."""

    rules: list[Rule]
    text: str


def encode(configuration: Configuration) -> bytes:
    """A configuration as the bucket's document holds it."""
    return msgspec.msgpack.encode(configuration)


decode: Final = lru_cache(maxsize=256)(reader(Configuration, "a bucket's replication"))


def applying(rules: Iterable[Rule], key: str, tags: Mapping[str, str]) -> list[Rule]:
    """The rules that apply to an object: for each destination the one of greatest priority among
    those that are enabled and match."""
    best: dict[str, Rule] = {}
    for rule in rules:
        if not rule.enabled or not rule.matches(key, tags):
            continue
        other = best.get(rule.bucket)
        if other is None or rule.priority > other.priority:
            best[rule.bucket] = rule
    return list(best.values())


def rule_for(rules: Iterable[Rule], bucket: str, key: str, tags: Mapping[str, str]) -> Rule | None:
    """The rule by which an object goes to a destination; `None` if there is none (any more)."""
    return next((rule for rule in applying(rules, key, tags) if rule.bucket == bucket), None)
