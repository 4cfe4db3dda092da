"""Users, keys and the like as IAM shows them, and lists by the page."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

from aisle.api.iam.access import user_arn
from aisle.api.iam.query import Form
from aisle.api.iam.xml import Result, Value
from aisle.namespace.records import AccessKey, User

SECOND: Final = 1_000_000_000
PAGE: Final = 100
MAX_PAGE: Final = 1000


def moment(nanoseconds: int) -> str:
    """A time as the query APIs write it."""
    when = datetime.fromtimestamp(nanoseconds // SECOND, UTC)
    return when.strftime("%Y-%m-%dT%H:%M:%SZ")


def user(row: User, *, tags: bool = True) -> Result:
    """A User; a list of users leaves out their tags."""
    found: dict[str, Value] = {
        "Path": row.path,
        "UserName": row.name,
        "UserId": row.id,
        "Arn": user_arn(row.account, row.path, row.name),
        "CreateDate": moment(row.created),
    }
    if tags and row.tags:
        found["Tags"] = tag_list(row)
    return found


def tag_list(row: User) -> list[Value]:
    return [{"Key": key, "Value": value} for key, value in sorted(row.tags.items())]


def key(row: AccessKey) -> dict[str, Value]:
    """An AccessKeyMetadata, which has no secret."""
    return {
        "UserName": row.user,
        "AccessKeyId": row.access_key,
        "Status": "Active" if row.active else "Inactive",
        "CreateDate": moment(row.created),
    }


def limit(form: Form) -> int:
    return form.number("MaxItems", PAGE, lowest=1, highest=MAX_PAGE)


def page(form: Form, name: str, items: Sequence[tuple[str, Value]]) -> Result:
    """One page of `items`, which are in order of their names: those after the Marker. That is the
    name of the last item of the page before."""
    most, after = limit(form), form.get("Marker")
    left = [(mark, value) for mark, value in items if mark > after]
    found: dict[str, Value] = {name: [value for _, value in left[:most]]}
    found["IsTruncated"] = len(left) > most
    if len(left) > most:
        found["Marker"] = left[most - 1][0]
    return found
