"""What the tests of ACLs share: grants as short tuples, documents as text."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from xml.sax.saxutils import escape

ALL_USERS = "http://acs.amazonaws.com/groups/global/AllUsers"
AUTHENTICATED_USERS = "http://acs.amazonaws.com/groups/global/AuthenticatedUsers"
LOG_DELIVERY = "http://acs.amazonaws.com/groups/s3/LogDelivery"
XSI = "http://www.w3.org/2001/XMLSchema-instance"

# What a canned ACL gives beside everything for the owner.
CANNED: dict[str, set[tuple[str, str]]] = {
    "private": set(),
    "public-read": {(ALL_USERS, "READ")},
    "public-read-write": {(ALL_USERS, "READ"), (ALL_USERS, "WRITE")},
    "authenticated-read": {(AUTHENTICATED_USERS, "READ")},
    "aws-exec-read": set(),
    "bucket-owner-read": set(),
    "bucket-owner-full-control": set(),
    "log-delivery-write": {(LOG_DELIVERY, "WRITE"), (LOG_DELIVERY, "READ_ACP")},
}

Said = tuple[str, str]


def grants(reply: Any) -> list[Said]:
    """Who (id or URI) has which permission, in the order of the reply."""
    found = []
    for grant in reply["Grants"]:
        grantee = grant["Grantee"]
        who = grantee["URI"] if grantee["Type"] == "Group" else grantee["ID"]
        found.append((who, grant["Permission"]))
    return found


def of_bucket(s3: Any, bucket: str) -> list[Said]:
    return grants(s3.get_bucket_acl(Bucket=bucket))


def of_object(s3: Any, bucket: str, key: str) -> list[Said]:
    return grants(s3.get_object_acl(Bucket=bucket, Key=key))


def policy(owner: str, *given: tuple[str, str, str]) -> dict[str, Any]:
    """boto3's AccessControlPolicy: the type of each grantee, whom, and the permission."""
    named = {"CanonicalUser": "ID", "Group": "URI", "AmazonCustomerByEmail": "EmailAddress"}
    return {
        "Owner": {"ID": owner},
        "Grants": [
            {"Grantee": {"Type": kind, named[kind]: who}, "Permission": permission}
            for kind, who, permission in given
        ],
    }


def document(owner: str, listed: Iterable[str]) -> bytes:
    """An AccessControlPolicy with these Grant elements."""
    return (
        '<AccessControlPolicy xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
        f"<Owner><ID>{owner}</ID></Owner>"
        f"<AccessControlList>{''.join(listed)}</AccessControlList></AccessControlPolicy>"
    ).encode()


def grant(kind: str, element: str, who: str, permission: str = "READ") -> str:
    """One Grant, of whatever is given."""
    return (
        f'<Grant><Grantee xmlns:xsi="{XSI}" xsi:type="{kind}"><{element}>{escape(who)}</{element}>'
        f"</Grantee><Permission>{permission}</Permission></Grant>"
    )
