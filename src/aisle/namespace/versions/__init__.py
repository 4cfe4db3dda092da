"""Versions of objects in buckets of our own: what S3 calls bucket versioning.

The current version of an object is its row in `object`, as without versioning, so that reads,
writes and listings of current objects cost the same. What it has replaced is in `version`, with the
delete markers; a key whose newest version is a delete marker has no row in `object`. Versions of a
key are in the order of a sequence that only grows (`Object.seq`), never of the clock. One of them
may be the null version (`Object.version` is empty): the one that was written while the bucket was
not, or no longer, versioned. Where it is not the current one, `null` tells its place.

`hidden` has a row for every key without a current object: its newest version is a delete marker,
whose `seq` the row tells. The row is another one each time (`ids.hiding`), so that whoever has
read `object` and `hidden` twice and found the same knows that no version has come to or gone from
the top in between. Where there is a current object such a row means nothing but that. The row
without a key is another one whenever a former version of the bucket has become a current one.

Invariants: a row in `object` has a greater `seq` than any in `version` of its key; the newest row
in `version` of a key without a row in `object` is a delete marker, and `hidden` tells it; two
versions of a key never have one `seq`. Every change of a key's versions checks what it stands on,
the row in `object` and where there is none that in `hidden`, in the same batch; what puts a version
below others changes `hidden`.

`ids` are the version ids and row keys, `stack` puts a version or a marker on top, `removal` takes
one out for good, `lookup` finds one, `listing` gives them in order, `arrival` puts those of another
store where they were.
"""
