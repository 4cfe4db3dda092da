"""Reading a store back: what is there must be whole, listed, and allowed by the ledgers."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence

from tests.crash.client import Client, target
from tests.crash.ledger import Ledger, State, Upload, plain


def read_state(
    client: Client, bucket: str, key: str, candidates: Sequence[State | None]
) -> State | None:
    """What `key` holds: the candidate whose bytes and ETag it has, whole, or a state that is
    none of them."""
    answer = client.call("GET", target(bucket, key))
    if answer.status == 404:
        assert b"<Code>NoSuchKey</Code>" in answer.body
        return None
    assert answer.status == 200, f"{key}: {answer.status} {answer.body[:300]!r}"
    for state in candidates:
        if state is not None and answer.etag == state.etag:
            assert answer.body == state.body, f"{key}: wrong bytes under the right ETag"
            return state
    return State((), f"{answer.etag}, {len(answer.body)} bytes of MD5 {_md5(answer.body)}")


def _md5(body: bytes) -> str:
    return hashlib.md5(body).hexdigest()


def list_all(client: Client, bucket: str, *, page: int = 100) -> dict[str, tuple[str, int]]:
    """ETag and size of every key, page by page."""
    found: dict[str, tuple[str, int]] = {}
    token: dict[str, str] = {}
    while True:
        path = target(bucket, **{"list-type": 2, "max-keys": page}, **token)
        root = client.call("GET", path).xml
        for entry in root.iterfind("Contents"):
            key = entry.findtext("Key") or ""
            assert key not in found, f"{key} is listed twice"
            size = int(entry.findtext("Size") or "-1")
            found[key] = ((entry.findtext("ETag") or "").strip('"'), size)
        if root.findtext("IsTruncated") != "true":
            assert list(found) == sorted(found)
            return found
        token = {"continuation-token": root.findtext("NextContinuationToken") or ""}


def check_objects(client: Client, bucket: str, ledgers: Iterable[Ledger]) -> None:
    """Every key of every ledger is in an allowed state, and the listing says exactly the same."""
    expected: dict[str, tuple[str, int]] = {}
    for ledger in ledgers:
        for key, states in list(ledger.allowed.items()):
            found = read_state(client, bucket, key, states)
            ledger.settle(key, found)
            if found is not None:
                expected[key] = (found.etag, found.size)
    assert list_all(client, bucket) == expected


def list_uploads(client: Client, bucket: str, *, prefix: str = "") -> dict[str, str]:
    """The key of every upload by its id, page by page."""
    found: dict[str, str] = {}
    marker: dict[str, str] = {}
    while True:
        query = {"uploads": None, "max-uploads": 20, "prefix": prefix, **marker}
        root = client.call("GET", target(bucket, **query)).xml
        for entry in root.iterfind("Upload"):
            found[entry.findtext("UploadId") or ""] = entry.findtext("Key") or ""
        if root.findtext("IsTruncated") != "true":
            return found
        marker = {
            "key-marker": root.findtext("NextKeyMarker") or "",
            "upload-id-marker": root.findtext("NextUploadIdMarker") or "",
        }


def list_parts(client: Client, bucket: str, key: str, upload: str) -> dict[int, str]:
    """The ETag of every part by its number."""
    answer = client.call("GET", target(bucket, key, uploadId=upload))
    assert answer.status == 200, answer.body
    return {
        int(part.findtext("PartNumber") or 0): (part.findtext("ETag") or "").strip('"')
        for part in answer.xml.iterfind("Part")
    }


def settle_uploads(
    client: Client, bucket: str, ledgers: Iterable[Ledger], *, prefix: str = ""
) -> None:
    """Uploads and their parts are those that the ledgers know of; doubts are resolved."""
    listed = list_uploads(client, bucket, prefix=prefix)
    for ledger in ledgers:
        for upload_id, upload in ledger.uploads.items():
            present = listed.pop(upload_id, None) is not None
            assert not (present and upload.gone), f"{upload_id} is back: {upload}"
            assert present or upload.gone or upload.ending, f"{upload_id} is lost: {upload}"
            upload.gone, upload.ending = not present, ""
            if present:
                _settle_parts(client, bucket, upload_id, upload)
        for upload_id, key in list(listed.items()):
            if ledger.strays.get(key, 0) > 0:
                ledger.strays[key] -= 1
                ledger.uploads[upload_id] = Upload(key)
                del listed[upload_id]
        ledger.strays.clear()
    assert not listed, f"nobody began {listed}"


def _settle_parts(client: Client, bucket: str, upload_id: str, upload: Upload) -> None:
    found = list_parts(client, bucket, upload.key, upload_id)
    for number in {*found, *upload.parts, *upload.maybe}:
        maybe = upload.maybe.get(number)
        if maybe is not None and found.get(number) == plain(maybe).etag:
            upload.parts[number] = maybe
        known = upload.parts.get(number)
        assert found.get(number) == (known and plain(known).etag), (upload_id, number, upload)
    upload.maybe.clear()
