"""Access control lists as values: grants, canned ACLs, and what a permission stands for.

An ACL is a list of grants, in the order in which S3 shows them, or `None` for the default: the
owner has everything and nobody else anything. What an owner may do without any grant (read and
write the ACL itself) is not said here, but where decisions are made.

Spec: "Access control list (ACL) overview", S3 user guide.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, Literal, NamedTuple

from aisle.auth.principal import Principal

Permission = Literal["FULL_CONTROL", "READ", "WRITE", "READ_ACP", "WRITE_ACP"]
FULL_CONTROL: Final = "FULL_CONTROL"
PERMISSIONS: Final = ("FULL_CONTROL", "READ", "WRITE", "READ_ACP", "WRITE_ACP")
ALL_USERS: Final = "http://acs.amazonaws.com/groups/global/AllUsers"
AUTHENTICATED_USERS: Final = "http://acs.amazonaws.com/groups/global/AuthenticatedUsers"
LOG_DELIVERY: Final = "http://acs.amazonaws.com/groups/s3/LogDelivery"
GROUPS: Final = frozenset({ALL_USERS, AUTHENTICATED_USERS, LOG_DELIVERY})
# A grant to one of these makes an ACL public: anybody can have an account somewhere.
PUBLIC_GROUPS: Final = frozenset({ALL_USERS, AUTHENTICATED_USERS})
MAX_GRANTS: Final = 100


class Grant(NamedTuple):
    """`permission` for an account (`kind` "id", `who` its canonical id) or a group ("group", its
    URI)."""

    kind: str
    who: str
    permission: str


# --- which permission an action needs ("Mapping of ACL permissions") ------------------------

# In the ACL of the bucket. Who may write may also delete, and end the uploads whose ids it knows.
IN_BUCKET: Final[Mapping[str, Permission]] = {
    "s3:ListBucket": "READ",
    "s3:ListBucketVersions": "READ",
    "s3:ListBucketMultipartUploads": "READ",
    "s3:PutObject": "WRITE",
    "s3:DeleteObject": "WRITE",
    "s3:AbortMultipartUpload": "WRITE",
    "s3:ListMultipartUploadParts": "WRITE",
    "s3:GetBucketAcl": "READ_ACP",
    "s3:PutBucketAcl": "WRITE_ACP",
}
# In the ACL of the object.
IN_OBJECT: Final[Mapping[str, Permission]] = {
    "s3:GetObject": "READ",
    "s3:GetObjectVersion": "READ",
    "s3:GetObjectAttributes": "READ",
    "s3:GetObjectVersionAttributes": "READ",
    "s3:GetObjectAcl": "READ_ACP",
    "s3:GetObjectVersionAcl": "READ_ACP",
    "s3:PutObjectAcl": "WRITE_ACP",
    "s3:PutObjectVersionAcl": "WRITE_ACP",
}


# --- what ACLs say --------------------------------------------------------------------------


def allows(grants: Iterable[Grant], principal: Principal, permission: str) -> bool:
    """Whether one of `grants` gives `permission` to the principal's account, or to a group that
    it is in. Nobody is in the log delivery group: it only can be named."""
    for kind, who, given in grants:
        if given not in (permission, FULL_CONTROL):
            continue
        if kind == "group":
            if who == ALL_USERS or (who == AUTHENTICATED_USERS and not principal.anonymous):
                return True
        elif who == principal.canonical and not principal.anonymous:
            return True
    return False


def effective(acl: Sequence[Grant] | None, owner: str) -> Sequence[Grant]:
    """The grants of an ACL as rows keep it."""
    return [Grant("id", owner, FULL_CONTROL)] if acl is None else acl


def is_public(grants: Iterable[Grant]) -> bool:
    """Whether a grant is to everybody, or to everybody with an account."""
    return any(kind == "group" and who in PUBLIC_GROUPS for kind, who, _ in grants)


def unless_public(grants: Iterable[Grant]) -> list[Grant]:
    """The grants that are not public, which is what counts where public ACLs are ignored."""
    return [grant for grant in grants if not is_public((grant,))]


def kept(grants: Sequence[Grant], owner: str) -> list[Grant] | None:
    """An ACL as rows keep it: the default is not written down, and no grant twice."""
    unique = list(dict.fromkeys(grants))
    return None if unique == [Grant("id", owner, FULL_CONTROL)] else unique


# --- canned ACLs ----------------------------------------------------------------------------

# Beside everything for the owner. Amazon's EC2, which aws-exec-read is for, has no account here.
_CANNED: Final[Mapping[str, tuple[Grant, ...]]] = {
    "private": (),
    "public-read": (Grant("group", ALL_USERS, "READ"),),
    "public-read-write": (Grant("group", ALL_USERS, "READ"), Grant("group", ALL_USERS, "WRITE")),
    "authenticated-read": (Grant("group", AUTHENTICATED_USERS, "READ"),),
    "aws-exec-read": (),
    "log-delivery-write": (
        Grant("group", LOG_DELIVERY, "WRITE"),
        Grant("group", LOG_DELIVERY, "READ_ACP"),
    ),
}
_TO_BUCKET_OWNER: Final[Mapping[str, Permission]] = {
    "bucket-owner-read": "READ",
    "bucket-owner-full-control": "FULL_CONTROL",
}
CANNED: Final = frozenset({*_CANNED, *_TO_BUCKET_OWNER})


def canned(name: str, *, owner: str, bucket_owner: str) -> list[Grant]:
    """The grants that one of `CANNED` stands for. On a bucket itself both owners are one, and those
    for the bucket's owner change nothing."""
    grants = [Grant("id", owner, FULL_CONTROL)]
    permission = _TO_BUCKET_OWNER.get(name)
    if permission is None:
        return grants + list(_CANNED[name])
    return grants if owner == bucket_owner else [*grants, Grant("id", bucket_owner, permission)]
