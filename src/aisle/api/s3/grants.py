"""ACLs as S3's clients say them and are shown them: a canned name, grant headers, or a document.

What is said becomes grants of accounts that exist and of groups that S3 has; an address becomes the
account that has it. Nothing here decides whether a bucket takes the ACL: see `acls`.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final

from aisle.api.base import Service
from aisle.api.s3.errors import S3Error
from aisle.api.s3.xml import MalformedXML, document, element, escape, parse
from aisle.auth.acl import CANNED, GROUPS, MAX_GRANTS, PERMISSIONS, Grant, canned
from aisle.core.errors import AccessDenied, InvalidArgument, InvalidRequest
from aisle.core.http import RequestHead
from aisle.core.xmltree import Element

HEADER: Final = "x-amz-acl"
GRANT_HEADERS: Final = {
    "x-amz-grant-full-control": "FULL_CONTROL",
    "x-amz-grant-read": "READ",
    "x-amz-grant-write": "WRITE",
    "x-amz-grant-read-acp": "READ_ACP",
    "x-amz-grant-write-acp": "WRITE_ACP",
}
_XSI: Final = 'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'
# xsi:type of a Grantee -> the element that names it, and how a header calls it
_TYPES: Final = {
    "CanonicalUser": ("ID", "id"),
    "Group": ("URI", "uri"),
    "AmazonCustomerByEmail": ("EmailAddress", "emailaddress"),
}
_FORMS: Final = frozenset(form for _, form in _TYPES.values())


# --- headers --------------------------------------------------------------------------------


def canned_name(head: RequestHead) -> str:
    """The canned ACL that is asked for, `""` if none is. Raises `InvalidArgument`."""
    name = head.header(HEADER)
    if name and name not in CANNED:
        raise InvalidArgument("Argument must be a canned ACL", name=HEADER, value=name)
    return name


def is_asked(head: RequestHead) -> bool:
    """Whether headers ask for any ACL."""
    headers = head.headers
    return bool(headers.get(HEADER)) or not GRANT_HEADERS.keys().isdisjoint(headers)


async def of_headers(
    svc: Service, head: RequestHead, *, owner: str, bucket_owner: str
) -> list[Grant]:
    """The grants that headers ask for. Raises `InvalidArgument`, `InvalidRequest`, `S3Error`."""
    name = canned_name(head)
    given = [(header, head.headers[header]) for header in GRANT_HEADERS if header in head.headers]
    if name and given:
        raise InvalidRequest("Specifying both Canned ACLs and Header Grants is not allowed")
    if name:
        return canned(name, owner=owner, bucket_owner=bucket_owner)
    named = [
        (GRANT_HEADERS[header], *_grantee(header, part))
        for header, value in given
        for part in value.split(",")
    ]
    _limit(len(named))
    return [await _grant(svc, form, who, permission) for permission, form, who in named]


def _grantee(header: str, text: str) -> tuple[str, str]:
    """What one `id="..."` of a grant header names: the form in lower case, and whom."""
    form, equals, who = text.strip().partition("=")
    form = form.strip().lower()
    if not equals or form not in _FORMS:
        raise InvalidArgument("Argument format not recognized", name=header, value=text)
    return form, who.strip().strip('"').strip()


def _limit(count: int) -> None:
    if count > MAX_GRANTS:
        raise S3Error("MalformedACLError", f"An ACL may have no more than {MAX_GRANTS} grants")


async def _grant(svc: Service, form: str, who: str, permission: str) -> Grant:
    if form == "uri":
        if who not in GROUPS:
            raise InvalidArgument("Invalid group uri", name="Group/URI", value=who)
        return Grant("group", who, permission)
    if form == "emailaddress":
        canonical = await svc.principals.canonical_of_email(who)
        if canonical is None:
            raise S3Error("UnresolvableGrantByEmailAddress")
        return Grant("id", canonical, permission)
    if await svc.principals.account_of(who) is None:
        raise InvalidArgument("Invalid id", name="CanonicalUser/ID", value=who)
    return Grant("id", who, permission)


# --- documents ------------------------------------------------------------------------------


async def of_document(svc: Service, body: bytes, *, owner: str) -> list[Grant]:
    """The grants of an AccessControlPolicy for something of `owner`'s. Raises `S3Error`
    (MalformedACLError), `AccessDenied` for another owner, `InvalidArgument`."""
    try:
        tree = parse(body, "AccessControlPolicy")
    except MalformedXML:
        raise S3Error("MalformedACLError") from None
    told, grants = tree.first("Owner"), tree.first("AccessControlList")
    if told is None or grants is None or len(tree.children) != 2:
        raise S3Error("MalformedACLError")
    if told.value("ID").strip() != owner:
        raise AccessDenied("the ACL names another owner")
    return await of_elements(svc, grants)


async def of_elements(
    svc: Service, grants: Element, permissions: Collection[str] = PERMISSIONS
) -> list[Grant]:
    """The grants among the children of an element, of `permissions`. Raises what `of_document`
    does."""
    if any(child.name != "Grant" for child in grants.children):
        raise S3Error("MalformedACLError")
    _limit(len(grants.children))
    named = [_named(child, permissions) for child in grants.children]
    return [await _grant(svc, form, who, permission) for permission, form, who in named]


def _named(grant: Element, permissions: Collection[str] = PERMISSIONS) -> tuple[str, str, str]:
    """Permission, form and name of the grantee of one Grant."""
    grantee, permission = grant.first("Grantee"), grant.value("Permission").strip()
    if grantee is None or permission not in permissions or len(grant.children) != 2:
        raise S3Error("MalformedACLError")
    row = _TYPES.get(grantee.kind)
    who = grantee.value(row[0]).strip() if row is not None else ""
    if row is None or not who:
        raise S3Error("MalformedACLError")
    return permission, row[1], who


async def shown(svc: Service, grants: Sequence[Grant], *, owner: str) -> bytes:
    """The AccessControlPolicy of something: its owner's grants come first."""
    displays = {
        who: await _display(svc, who)
        for who in dict.fromkeys([owner, *(grant.who for grant in grants if grant.kind == "id")])
    }
    ordered = sorted(grants, key=lambda grant: grant.who != owner)
    return document(
        "AccessControlPolicy",
        f"<Owner>{_account(owner, displays)}</Owner>",
        f"<AccessControlList>{''.join(_shown(grant, displays) for grant in ordered)}",
        "</AccessControlList>",
    )


async def listed(svc: Service, grants: Sequence[Grant]) -> str:
    """Grants as elements."""
    whose = dict.fromkeys(grant.who for grant in grants if grant.kind == "id")
    displays = {who: await _display(svc, who) for who in whose}
    return "".join(_shown(grant, displays) for grant in grants)


async def _display(svc: Service, canonical: str) -> str:
    account = await svc.principals.account_of(canonical)
    return account.display if account is not None else ""


def _account(canonical: str, displays: dict[str, str]) -> str:
    display = displays[canonical]
    return element("ID", canonical) + (element("DisplayName", display) if display else "")


def _shown(grant: Grant, displays: dict[str, str]) -> str:
    kind, who, permission = grant
    if kind == "group":
        named, grantee = "Group", f"<URI>{escape(who)}</URI>"
    else:
        named, grantee = "CanonicalUser", _account(who, displays)
    return (
        f'<Grant><Grantee {_XSI} xsi:type="{named}">{grantee}</Grantee>'
        f"{element('Permission', permission)}</Grant>"
    )
