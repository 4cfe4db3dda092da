"""`Auth`: users, their keys and policies, roles, clusters that roles name, and logging in.

What AIStore's AuthN has is spoken as AuthN has it; keys, policies and accounts are Aisle's own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import quote

from aisle.client.errors import ClientError
from aisle.core.errors import InvalidArgument
from aisle.core.permissions import mask_of

if TYPE_CHECKING:
    from aisle.client.client import Client

_USERS: Final = "/v1/users"
_ROLES: Final = "/v1/roles"
_CLUSTERS: Final = "/v1/clusters"


class AccessKey(NamedTuple):
    """An access key of a user; `secret_key` is there only when it was made just now.

    Times are in nanoseconds since 1970; `last_used` is 0 for never.
    """

    access_key: str
    active: bool
    created: int
    last_used: int
    secret_key: str = ""

    def __repr__(self) -> str:
        return f"<AccessKey {self.access_key}>"


class User(NamedTuple):
    """A user. `canonical_id` is the account's: what S3 shows as the owner.

    `keys` are told only of a user that was asked for by name.
    """

    name: str
    roles: list[str]
    account: str
    canonical_id: str
    arn: str
    display: str
    email: str
    keys: list[AccessKey]
    policies: list[str]
    created: int
    owner: bool  # of the account
    admin: bool


class Permission(NamedTuple):
    """What a role may do in a cluster, or in one bucket (`ais://name`) of it."""

    cluster: str
    bucket: str
    mask: int


class Role(NamedTuple):
    """A named set of permissions."""

    name: str
    description: str
    permissions: list[Permission]
    admin: bool


class Cluster(NamedTuple):
    """A cluster that roles may name."""

    id: str
    alias: str
    urls: list[str]


class Auth:
    """Users and roles as `client` may see and change them; every method raises `ClientError`."""

    def __init__(self, client: Client) -> None:
        self._client = client

    # --- logging in -------------------------------------------------------------------------

    def login(self, user: str, password: str, *, expires: float | None = None) -> str:
        """A token for the user, which is good for `expires` seconds (as the cluster says if that is
        not told: `auth.expires`, a day). Raises `Denied`.

        This client goes on as it was: give the token to another one.
        """
        message: dict[str, Any] = {"password": password}
        if expires is not None:
            message["expires_in"] = int(expires * 1e9)
        told = self._ask("POST", f"{_USERS}/{_part(user)}", message)
        token = told.get("token") if isinstance(told, dict) else None
        if not isinstance(token, str):
            raise ClientError("the reply to the login has no token")
        return token

    def revoke(self, token: str) -> None:
        """Have a token count for nothing from now on, on every node."""
        self._send("DELETE", "/v1/tokens", {"token": token})

    def whoami(self) -> User:
        """The user whose keys or token this client shows."""
        return _user(self._ask("GET", "/v1/self"))

    # --- users ------------------------------------------------------------------------------

    def users(self) -> list[User]:
        """Every user, by name."""
        told = self._ask("GET", _USERS)
        return sorted(_user(row) for row in told.values())

    def user(self, name: str) -> User:
        """One user. Raises `NotFound`."""
        return _user(self._ask("GET", f"{_USERS}/{_part(name)}"))

    def add_user(
        self,
        name: str,
        password: str = "",
        *,
        roles: Iterable[str] = (),
        account: str = "",
        display: str = "",
        email: str = "",
    ) -> User:
        """Make a user, with an account of its own or in `account`. Raises `Conflict`.

        Without a password it cannot log in, but may have keys.
        """
        more = {"account": account, "display": display, "email": email}
        message = {
            "id": name,
            "pass": password,
            "roles": [{"name": role} for role in roles],
            **{field: text for field, text in more.items() if text},
        }
        self._send("POST", _USERS, message)
        return self.user(name)

    def update_user(
        self,
        name: str,
        *,
        password: str | None = None,
        roles: Iterable[str] | None = None,
        display: str | None = None,
        email: str | None = None,
        owner: bool = False,
    ) -> User:
        """Change what is told, and leave the rest; `owner` makes it the owner of its account.
        Raises `NotFound`."""
        more = {"pass": password, "display": display, "email": email}
        message: dict[str, Any] = {"id": name}
        message |= {field: text for field, text in more.items() if text is not None}
        if roles is not None:
            message["roles"] = [{"name": role} for role in roles]
        if owner:
            message["owner"] = True
        self._send("PUT", f"{_USERS}/{_part(name)}", message)
        return self.user(name)

    def remove_user(self, name: str) -> None:
        """Remove a user with its keys. Raises `NotFound`, `Conflict`."""
        self._send("DELETE", f"{_USERS}/{_part(name)}")

    # --- keys and policies of a user ----------------------------------------------------------

    def keys(self, user: str) -> list[AccessKey]:
        """The access keys of a user, without their secrets."""
        return [_key(row) for row in self._ask("GET", f"{_USERS}/{_part(user)}/keys")["keys"]]

    def add_key(self, user: str, *, access_key: str = "", secret_key: str = "") -> AccessKey:
        """Make an access key, or take one that there is: both halves, or none. The secret is told
        this once. Raises `Conflict`."""
        message = {"access_key": access_key, "secret_key": secret_key}
        told = self._ask(
            "POST", f"{_USERS}/{_part(user)}/keys", {k: v for k, v in message.items() if v}
        )
        return _key(told)

    def set_key_active(self, user: str, access_key: str, active: bool) -> None:
        """Switch a key on or off."""
        path = f"{_USERS}/{_part(user)}/keys/{_part(access_key)}"
        self._send("PUT", path, {"active": active})

    def remove_key(self, user: str, access_key: str) -> None:
        """Remove a key. Raises `NotFound`."""
        self._send("DELETE", f"{_USERS}/{_part(user)}/keys/{_part(access_key)}")

    def put_policy(self, user: str, name: str, document: Mapping[str, Any]) -> None:
        """Give a user a policy, in place of one of the same name. Raises `Refused`."""
        path = f"{_USERS}/{_part(user)}/policies/{_part(name)}"
        self._send("PUT", path, dict(document))

    def policy(self, user: str, name: str) -> dict[str, Any]:
        """A policy of a user. Raises `NotFound`."""
        told: dict[str, Any] = self._ask("GET", f"{_USERS}/{_part(user)}/policies/{_part(name)}")
        return told

    def remove_policy(self, user: str, name: str) -> None:
        """Take a policy from a user. Raises `NotFound`."""
        self._send("DELETE", f"{_USERS}/{_part(user)}/policies/{_part(name)}")

    # --- roles ------------------------------------------------------------------------------

    def roles(self) -> list[Role]:
        """Every role, by name."""
        return sorted(_role(row) for row in self._ask("GET", _ROLES))

    def role(self, name: str) -> Role:
        """One role. Raises `NotFound`."""
        return _role(self._ask("GET", f"{_ROLES}/{_part(name)}"))

    def add_role(
        self,
        name: str,
        permissions: Sequence[str] = (),
        *,
        cluster: str = "",
        bucket: str = "",
        description: str = "",
    ) -> Role:
        """Make a role that may do something (`ro`, `rw`, `su`, `PUT` ...) in a cluster, this one if
        none is named, or in one bucket of it. Raises `Conflict`."""
        message: dict[str, Any] = {"name": name, "desc": description}
        if permissions or cluster or bucket:
            message |= _lists([self._permission(permissions, cluster, bucket)])
        self._send("POST", _ROLES, message)
        return self.role(name)

    def update_role(
        self,
        name: str,
        permissions: Sequence[str] = (),
        *,
        cluster: str = "",
        bucket: str = "",
        description: str | None = None,
    ) -> Role:
        """Change a role's description, or what it may do in one cluster or one bucket; the rest
        stays. Raises `NotFound`."""
        message: dict[str, Any] = {"name": name}
        if description is not None:
            message["desc"] = description
        if permissions or cluster or bucket:
            new = self._permission(permissions, cluster, bucket)
            known = {(one.cluster, one.bucket): one for one in self.role(name).permissions}
            message |= _lists([*({**known, new[:2]: new}).values()])
        self._send("PUT", f"{_ROLES}/{_part(name)}", message)
        return self.role(name)

    def remove_role(self, name: str) -> None:
        """Remove a role, and take it from who has it. Raises `NotFound`."""
        self._send("DELETE", f"{_ROLES}/{_part(name)}")

    # --- clusters ---------------------------------------------------------------------------

    def clusters(self) -> list[Cluster]:
        """The clusters that are registered."""
        told = self._ask("GET", _CLUSTERS)
        return sorted(_cluster(row) for row in (told.get("clusters") or {}).values())

    def cluster(self, name: str) -> Cluster:
        """A cluster by its id or alias. Raises `NotFound`."""
        told = self._ask("GET", f"{_CLUSTERS}/{_part(name)}")
        for row in (told.get("clusters") or {}).values():
            return _cluster(row)
        raise ClientError(f'cluster "{name}" is not registered')

    def add_cluster(self, id: str, *, alias: str = "", urls: Sequence[str] = ()) -> None:
        """Register a cluster, so that roles may name it. Raises `Conflict`."""
        self._send("POST", _CLUSTERS, {"id": id, "alias": alias, "urls": list(urls)})

    def update_cluster(self, name: str, *, alias: str = "", urls: Sequence[str] = ()) -> None:
        """Give a cluster another alias or other URLs; what is empty stays."""
        known = self.cluster(name)
        message = {
            "id": known.id,
            "alias": alias or known.alias,
            "urls": list(urls) or known.urls,
        }
        self._send("PUT", f"{_CLUSTERS}/{_part(known.id)}", message)

    def remove_cluster(self, name: str) -> None:
        """Have roles not name the cluster any more. Raises `NotFound`."""
        self._send("DELETE", f"{_CLUSTERS}/{_part(name)}")

    def told(self, kind: str, name: str = "") -> Any:
        """What the node tells of all `users` or `roles`, or of one of them, as its JSON has it."""
        return self._ask("GET", f"/v1/{kind}/{_part(name)}" if name else f"/v1/{kind}")

    # --- the requests -----------------------------------------------------------------------

    def _ask(self, method: str, path: str, message: object = None) -> Any:
        return self._client.ask(method, path, {}, message)

    def _send(self, method: str, path: str, message: object = None) -> None:
        self._client.tell(method, path, {}, message)

    def _permission(self, permissions: Sequence[str], cluster: str, bucket: str) -> Permission:
        if not permissions:
            raise ClientError("say which permissions the role gives there: ro, rw, su, PUT ...")
        try:
            mask = mask_of(permissions)
        except InvalidArgument as error:
            raise ClientError(str(error)) from None
        id = self.cluster(cluster).id if cluster else self._client.cluster_map()["uuid"]
        return Permission(id, str(self._client.bucket(bucket)) if bucket else "", mask)


def _part(name: str) -> str:
    """A name as one segment of a path. Raises `ClientError`."""
    if not name or name in (".", ".."):
        raise ClientError(f'"{name}" is not a name')
    return quote(name, safe="")


def _user(row: Mapping[str, Any]) -> User:
    return User(
        row["id"],
        [role["name"] for role in row.get("roles") or ()],
        row.get("account", ""),
        row.get("canonical_id", ""),
        row.get("arn", ""),
        row.get("display", ""),
        row.get("email", ""),
        [_key(key) for key in row.get("keys") or ()],
        list(row.get("policies") or ()),
        int(row.get("created", 0)),
        bool(row.get("owner")),
        bool(row.get("admin")),
    )


def _key(row: Mapping[str, Any]) -> AccessKey:
    return AccessKey(
        row["access_key"],
        bool(row.get("active", True)),
        int(row.get("created", 0)),
        int(row.get("last_used", 0)),
        row.get("secret_key", ""),
    )


def _role(row: Mapping[str, Any]) -> Role:
    whole = [Permission(one["id"], "", int(one["perm"])) for one in row.get("clusters") or ()]
    single = [
        Permission(_space(one["bck"]).get("uuid", ""), _bucket(one["bck"]), int(one["perm"]))
        for one in row.get("buckets") or ()
    ]
    return Role(row["name"], row.get("desc", ""), whole + single, bool(row.get("admin")))


def _space(bucket: Mapping[str, Any]) -> Mapping[str, Any]:
    space: Mapping[str, Any] = bucket.get("namespace") or {}
    return space


def _bucket(row: Mapping[str, Any]) -> str:
    name = _space(row).get("name", "")
    return f"{row.get('provider') or 'ais'}://{f'#{name}/' if name else ''}{row['name']}"


def _lists(permissions: Sequence[Permission]) -> dict[str, Any]:
    """Permissions as AuthN writes them."""
    return {
        "clusters": [
            {"id": one.cluster, "perm": str(one.mask)} for one in permissions if not one.bucket
        ],
        "buckets": [
            {"bck": _place(one.bucket, one.cluster), "perm": str(one.mask)}
            for one in permissions
            if one.bucket
        ],
    }


def _place(bucket: str, cluster: str) -> dict[str, Any]:
    provider, _, rest = bucket.partition("://")
    space, _, name = rest.rpartition("/")
    namespace = {"uuid": cluster, "name": space.lstrip("@#")}
    return {"name": name, "provider": provider, "namespace": namespace}


def _cluster(row: Mapping[str, Any]) -> Cluster:
    return Cluster(row["id"], row.get("alias") or "", list(row.get("urls") or ()))
