"""A store with its administrator, and who somebody is there, as a request asks."""

from __future__ import annotations

from aisle.auth.credentials import Credential, NotLoaded
from aisle.auth.principal import Principal
from aisle.namespace.store import Store, store_id
from aisle.namespace.users import root
from aisle.namespace.users.principals import Principals, RootKeys
from tests.namespace.support import memory_store

ALLOW = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"*"}]}'
ROOT = RootKeys("ROOTKEY", "root-secret-key")


async def world(store: Store | None = None) -> tuple[Store, Principals]:
    store = store or memory_store()
    await store_id(store.index)
    await root.ensure(store)
    return store, Principals(store, ROOT)


async def lookup(known: Principals, access_key: str) -> Credential | None:
    """As a request asks."""
    try:
        return known.cached(access_key)
    except NotLoaded as missing:
        await known.load(missing.access_key)
        return known.cached(access_key)


async def who(known: Principals, access_key: str) -> Principal:
    found = await lookup(known, access_key)
    assert found is not None
    return found.principal
