"""Condition keys whose values are in the body of a request: tags and locks that it sets.

Most requests meet no policy that asks for them, so a body is read before the request is authorised
only if one does. What has been read is there for the handler again, byte by byte. A body that
cannot be read tells nothing here: its handler, which reads it in the same way, refuses it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from aisle.api.base import Context, Service, read_all
from aisle.api.s3 import lockvalues, tagsets
from aisle.api.s3.errors import S3Error
from aisle.api.s3.incoming import read_document
from aisle.core.errors import AisleError
from aisle.namespace.locks import DAY

Facts = dict[str, tuple[str, ...]]
_DAYS: Final = "s3:object-lock-remaining-retention-days"
# A document and what chunks and signatures add to it.
_RAW_LIMIT: Final = 4 * tagsets.DOCUMENT_LIMIT


class _Again:
    """A body that was read once."""

    def __init__(self, data: bytes, count: int) -> None:
        self._data = data
        self.count = count

    async def read(self) -> bytes:
        data, self._data = self._data, b""
        return data


def of_object_tags(tags: Mapping[str, str]) -> Facts:
    facts: Facts = {f"s3:requestobjecttag/{key.lower()}": (text,) for key, text in tags.items()}
    if tags:
        facts["s3:requestobjecttagkeys"] = tuple(tags)
    return facts


def of_bucket_tags(tags: Mapping[str, str]) -> Facts:
    facts: Facts = {f"aws:requesttag/{key.lower()}": (text,) for key, text in tags.items()}
    if tags:
        facts["aws:tagkeys"] = tuple(tags)
    return facts


def _object_tagging(body: bytes, _now: int) -> Facts:
    return of_object_tags(tagsets.of_document(body, tagsets.OBJECT))


def _bucket_tagging(body: bytes, _now: int) -> Facts:
    return of_bucket_tags(tagsets.of_document(body, tagsets.BUCKET))


def _retention(body: bytes, now: int) -> Facts:
    mode, until = lockvalues.read_retention(body)
    if not mode:
        return {}
    return {
        "s3:object-lock-mode": (mode,),
        "s3:object-lock-retain-until-date": (lockvalues.write_date(until),),
        _DAYS: (str(-((now - until) // DAY)),),
    }


def _legal_hold(body: bytes, _now: int) -> Facts:
    return {"s3:object-lock-legal-hold": ("ON" if lockvalues.read_hold(body) else "OFF",)}


def _configuration(body: bytes, _now: int) -> Facts:
    rule = lockvalues.read_rule(body)
    return {_DAYS: (str(rule.period),)} if rule.mode else {}


_READERS: Final[Mapping[str, Callable[[bytes, int], Facts]]] = {
    "PutObjectTagging": _object_tagging,
    "PutBucketTagging": _bucket_tagging,
    "PutObjectRetention": _retention,
    "PutObjectLegalHold": _legal_hold,
    "PutObjectLockConfiguration": _configuration,
}


def learner(svc: Service, ctx: Context) -> Callable[[], Awaitable[None]] | None:
    """What reads the body of a request into its facts, if it has any."""
    reader = _READERS.get(ctx.operation)
    if reader is None:
        return None

    async def learn() -> None:
        before = ctx.body
        raw = await read_all(before, _RAW_LIMIT)
        if raw is None:
            raise S3Error("MaxMessageLengthExceeded", MaxMessageLengthBytes=tagsets.DOCUMENT_LIMIT)
        ctx.body = _Again(raw, before.count)
        try:
            again = _Again(raw, before.count)
            body = await read_document(ctx.head, ctx.known_payload, again, tagsets.DOCUMENT_LIMIT)
            ctx.facts.update(reader(body, svc.store.now()))
        except AisleError:
            return  # the handler will say what is wrong

    return learn
