"""Whether a copy is still what the remote has: AIStore's rules for changes out of band.

The size is compared first, then whatever both sides know of version, ETag and checksums: one pair
that differs means another version, and two that are equal the same; one is enough if it comes from
the same provider. Where nothing can be compared, the dates have to be equal. Pure functions.
"""

from __future__ import annotations

from aisle.backend.base import RemoteObject
from aisle.namespace.records import Object
from aisle.namespace.window import copies


def unchanged(copy: Object, about: RemoteObject, source: str) -> bool:
    """Whether a copy is of the version that the remote, of provider `source`, tells about."""
    if copy.size != about.size:
        return False
    origin = copy.origin
    if origin is None:
        return False
    told = copies.origin_of(about, source)
    etags = (origin.etag, told.etag) if about.etag else ("", "")
    pairs = [(origin.version, told.version), etags]
    pairs += [(value, told.checksums.get(name, "")) for name, value in origin.checksums.items()]
    known = [(ours, theirs) for ours, theirs in pairs if ours and theirs]
    if any(ours != theirs for ours, theirs in known):
        return False
    if not known:
        return bool(told.modified) and origin.modified == told.modified
    return len(known) > 1 or origin.source == source
