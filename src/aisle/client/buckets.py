"""`Bucket`: make it, look at it, configure it, and list what is in it."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import quote

from aisle.client.errors import ClientError, NotFound
from aisle.client.jobs import Job
from aisle.client.objects import Object
from aisle.client.replies import read_json

if TYPE_CHECKING:
    from aisle.client.client import Client

_CACHED: Final = 1 << 0
_FLAT: Final = 1 << 11  # of a listing's flags: do not go below the next slash
_IS_DIR: Final = 1 << 8  # of an entry's
_POLL_SECONDS: Final = (0.01, 0.5)


class Entry(NamedTuple):
    """A line of a listing: an object, or with `directory` the names below a slash."""

    name: str
    size: int
    checksum: str
    version: str
    atime: str
    directory: bool


class Summary(NamedTuple):
    """What a bucket holds."""

    objects: int
    size: int
    on_disk: int


class Bucket:
    """A bucket of `client`; making one of these asks nothing of the node."""

    def __init__(
        self, client: Client, name: str, provider: str = "ais", namespace: str = ""
    ) -> None:
        self._client = client
        self.name = name
        self.provider = provider
        self.namespace = namespace

    def __str__(self) -> str:
        space = f"{self.namespace}/" if self.namespace else ""
        return f"{self.provider}://{space}{self.name}"

    def __repr__(self) -> str:
        return f"<Bucket {self}>"

    @property
    def _path(self) -> str:
        return f"/v1/buckets/{quote(self.name)}"

    @property
    def _query(self) -> dict[str, str]:
        space = {"namespace": self.namespace} if self.namespace else {}
        return {"provider": self.provider, **space}

    def create(self, props: Mapping[str, Any] | None = None, *, exist_ok: bool = False) -> Bucket:
        """Make the bucket, with `props` by dotted name or nested. Raises `Conflict`."""
        try:
            self._client.act("POST", self._path, self._query, "create-bck", dict(props or {}))
        except ClientError as error:
            if not (exist_ok and getattr(error, "status", 0) == 409):
                raise
        return self

    def destroy(self, *, missing_ok: bool = False) -> None:
        """Remove the bucket with all that is in it. Raises `NotFound`."""
        try:
            self._client.act("DELETE", self._path, self._query, "destroy-bck")
        except NotFound:
            if not missing_ok:
                raise

    def exists(self) -> bool:
        """Whether the bucket is there."""
        try:
            self._client.act("HEAD", self._path, self._query)
        except NotFound:
            return False
        return True

    def props(self) -> dict[str, Any]:
        """All props, nested as AIStore nests them. Raises `NotFound`."""
        reply = self._client.act("HEAD", self._path, self._query)
        told: dict[str, Any] = read_json(reply.headers.get("ais-bucket-props", "").encode())
        return told

    def set_props(self, props: Mapping[str, Any]) -> None:
        """Change props, by dotted name (`checksum.type`) or nested; others stay."""
        self._client.act("PATCH", self._path, self._query, "set-bprops", dict(props))

    def reset_props(self) -> None:
        """Give the bucket the cluster's present defaults."""
        self._client.act("PATCH", self._path, self._query, "reset-bprops")

    def rename(self, name: str) -> Job:
        """Give the bucket another name; the job is done when all of it answers to that."""
        target = f"{self.provider}/{self.namespace or '@#'}/{name}/"
        reply = self._client.act("POST", self._path, {**self._query, "bck_to": target}, "move-bck")
        self.name = name
        return Job(self._client, reply.body.decode())

    def summary(self, *, prefix: str = "") -> Summary:
        """Count what is in the bucket, or below a prefix; waits until that is done."""
        ask: dict[str, Any] = {"uuid": "", "prefix": prefix, "cached": True, "present": True}
        wait, longest = _POLL_SECONDS
        while True:
            reply = self._client.act("GET", self._path, self._query, "summary-bck", ask)
            if reply.status == 200:
                break
            ask["uuid"] = ask["uuid"] or reply.body.decode().strip('"')
            time.sleep(wait)
            wait = min(wait * 2, longest)
        rows = read_json(reply.body) or [{}]
        counts, sizes = rows[0].get("ObjCount", {}), rows[0].get("TotalSize", {})
        return Summary(
            int(counts.get("obj_count_present", 0)),
            int(sizes.get("size_all_present_objs", 0)),
            int(sizes.get("size_on_disk", 0)),
        )

    def object(self, name: str) -> Object:
        """The object of that name; nothing is asked of the node."""
        return Object(self._client, self.name, name, self.provider, self.namespace)

    def objects(
        self,
        prefix: str = "",
        *,
        start_after: str = "",
        flat: bool = False,
        cached: bool = False,
        limit: int = 0,
    ) -> Iterator[Entry]:
        """What is in the bucket, by name, fetched a page at a time as it is asked for.

        With `flat` names that go on past the next slash after `prefix` are one directory each; with
        `cached` only objects that the cluster has itself are there.
        """
        value = {
            "prefix": prefix,
            "props": "name,size,checksum,atime,version",
            "start_after": start_after,
            "flags": str((_FLAT if flat else 0) | (_CACHED if cached else 0)),
            "continuation_token": "",
        }
        left = limit
        while True:
            reply = self._client.act(
                "GET", self._path, self._query, "list", {**value, "pagesize": left}
            )
            page = read_json(reply.body)
            for row in page["entries"] or []:
                yield _entry(row)
                left -= 1
                if left == 0:
                    return
            value["continuation_token"] = page["continuation_token"]
            if not value["continuation_token"]:
                return


def _entry(row: Mapping[str, Any]) -> Entry:
    return Entry(
        row["name"],
        int(row.get("size", 0)),
        row.get("checksum", ""),
        row.get("version", ""),
        row.get("atime", ""),
        bool(row.get("flags", 0) & _IS_DIR),
    )
