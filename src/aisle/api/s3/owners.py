"""Owner and Initiator elements: whose something is, with the account's display name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from aisle.api.base import Context, Service
from aisle.api.s3.xml import element


async def owner(svc: Service, ctx: Context, canonical: str) -> str:
    """The Owner element of what belongs to one account."""
    return (await owners(svc, ctx, [canonical]))[canonical]


async def owners(svc: Service, ctx: Context, canonicals: Iterable[str]) -> Mapping[str, str]:
    """The Owner elements of accounts, each looked up once; one that is gone has no name."""
    elements = {}
    for canonical in dict.fromkeys(canonicals):
        if canonical == ctx.who.canonical:
            display = ctx.who.display
        else:
            account = await svc.principals.account_of(canonical)
            display = account.display if account is not None else ""
        elements[canonical] = _named("Owner", canonical, display)
    return elements


async def initiator(svc: Service, ctx: Context, arn: str, owner_xml: str) -> str:
    """The Initiator of an upload: the user that began it, of an account its canonical id, or where
    neither is known its owner."""
    if arn.endswith(":root"):
        account = await svc.principals.account_of_number(arn.split(":")[4])
        if account is not None:
            return _named("Initiator", account.canonical, account.display)
    if not arn:
        return owner_xml.replace("Owner>", "Initiator>")
    return _named("Initiator", arn, arn.rpartition("/")[2] if "/" in arn else "")


def _named(tag: str, identity: str, display: str) -> str:
    name = element("DisplayName", display) if display else ""
    return f"<{tag}>{element('ID', identity)}{name}</{tag}>"
