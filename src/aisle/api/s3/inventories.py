"""Listings of remote buckets by their inventories: ListObjects and ListObjectsV2 with a header
`Ais-Bucket-Inventory: true`, and if need be `Ais-Inv-Name` and `Ais-Inv-Id`.
"""

from __future__ import annotations

from typing import Final

from aisle.api.access import authorise
from aisle.api.base import Context, Service
from aisle.auth.access import Action
from aisle.core import permissions
from aisle.namespace.listing import Page, Query
from aisle.namespace.store import BucketRow
from aisle.namespace.window.inventory import finding, pages

_ADMIN: Final = Action("ais:Administer", permissions.ADMIN)


async def page(
    svc: Service, ctx: Context, bucket: BucketRow, query: Query, *, begins: bool
) -> Page | None:
    """The page of an inventory, if the request is for one. `begins` tells that it is a first page.

    Raises `InventoryNotFound`, `InventoryBusy`, `InventoryDamaged`, `NotSupported`, `AccessDenied`.
    """
    where = finding.asked(ctx.head.headers)
    if where is None:
        return None
    if where.elsewhere:
        await authorise(svc, ctx, _ADMIN)
    row = await svc.inventories.listed(bucket, where, begins=begins, user=ctx.who.name)
    return (await pages.page(svc.store, row, query)).page
