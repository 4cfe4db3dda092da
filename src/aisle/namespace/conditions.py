"""Conditions of reads and writes, decided against an object's record. Pure functions.

Reads follow RFC 9110 section 13.2.2, which S3 documents for GetObject and CopyObject: If-Match
outranks If-Unmodified-Since, If-None-Match outranks If-Modified-Since. Times compare in whole
seconds, as HTTP dates do. ETags compare without quotes, since clients send them either way.
"""

from __future__ import annotations

from dataclasses import dataclass

from aisle.core.errors import NotModified, ObjectNotFound, PreconditionFailed
from aisle.namespace.records import Object

SECOND = 1_000_000_000


def etag_matches(header: str, etag: str) -> bool:
    """True if `header` (`*`, or a comma-separated list of ETags, quoted or not) names `etag`."""
    for candidate in header.split(","):
        bare = candidate.strip().removeprefix("W/").strip('"')
        if bare == "*" or bare == etag:
            return True
    return False


def range_holds(header: str, seconds: int | None, found: Object) -> bool:
    """Whether the validator of `If-Range` is the object's own, so that a part of it may be sent.

    `seconds` is the header as a date. A weak ETag never holds, and a date only if it is exactly
    the object's time (RFC 9110, 13.1.5).
    """
    if seconds is not None:
        return seconds == found.mtime // SECOND
    return header.strip().strip('"') == found.etag


@dataclass(frozen=True, slots=True)
class ReadConditions:
    """Empty text and `None` mean absent; times are whole seconds since the epoch."""

    if_match: str = ""
    if_none_match: str = ""
    if_modified_since: int | None = None
    if_unmodified_since: int | None = None

    def check(self, found: Object) -> None:
        """Raise `PreconditionFailed` or `NotModified` unless the read may go on."""
        seconds = found.mtime // SECOND
        if self.if_match:
            if not etag_matches(self.if_match, found.etag):
                raise PreconditionFailed("If-Match")
        elif self.if_unmodified_since is not None and seconds > self.if_unmodified_since:
            raise PreconditionFailed("If-Unmodified-Since")
        if self.if_none_match:
            if etag_matches(self.if_none_match, found.etag):
                raise NotModified(found.etag, found.mtime, found.headers)
        elif self.if_modified_since is not None and seconds <= self.if_modified_since:
            raise NotModified(found.etag, found.mtime, found.headers)

    def check_copy(self, found: Object) -> None:
        """The same for the source of a copy, where not-modified is a failed condition too."""
        try:
            self.check(found)
        except NotModified:
            name = "If-None-Match" if self.if_none_match else "If-Modified-Since"
            raise PreconditionFailed(f"x-amz-copy-source-{name}") from None


@dataclass(frozen=True, slots=True)
class WriteConditions:
    """What must hold of the current object for a write or delete to happen."""

    if_match: str = ""
    if_none_match: str = ""
    if_size: int | None = None
    if_mtime: int | None = None

    @property
    def empty(self) -> bool:
        return not (
            self.if_match
            or self.if_none_match
            or self.if_size is not None
            or self.if_mtime is not None
        )

    def check(self, current: Object | None, *, bucket: str, key: str) -> None:
        """Raise `ObjectNotFound` or `PreconditionFailed` unless the write may happen."""
        if current is None:
            # A size or a time alone holds of no object too: S3's DeleteObject answers 204.
            if self.if_match:
                raise ObjectNotFound(bucket, key)
            return
        if self.if_match and not etag_matches(self.if_match, current.etag):
            raise PreconditionFailed("If-Match")
        if self.if_none_match and etag_matches(self.if_none_match, current.etag):
            raise PreconditionFailed("If-None-Match")
        if self.if_size is not None and self.if_size != current.size:
            raise PreconditionFailed("x-amz-if-match-size")
        if self.if_mtime is not None and self.if_mtime != current.mtime // SECOND:
            raise PreconditionFailed("x-amz-if-match-last-modified-time")


@dataclass(frozen=True, slots=True)
class Unchanged(WriteConditions):
    """What a write needs that is made of what the object was: that its record is still the same,
    beside its bytes too; `None` if there was none."""

    record: Object | None = None

    @property
    def empty(self) -> bool:
        return False

    def check(self, current: Object | None, *, bucket: str, key: str) -> None:
        if current != self.record:
            raise PreconditionFailed("If-Match")


UNCONDITIONAL = WriteConditions()
