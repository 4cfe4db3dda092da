"""The SDK's AuthNClient, unmodified: every method it has; and its Client with the tokens it gets.

With `--sdk-scheme=https` all of it goes over HTTPS, where bodies are sent in two steps.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator

import pytest
from aistore import Client
from aistore.sdk.authn import AuthNClient
from aistore.sdk.authn.access_attr import AccessAttr
from aistore.sdk.authn.errors import (
    AuthNError,
    ErrClusterAlreadyRegistered,
    ErrClusterNotFound,
    ErrRoleAlreadyExists,
    ErrRoleNotFound,
    ErrUserAlreadyExists,
    ErrUserInvalidCredentials,
    ErrUserNotFound,
)
from aistore.sdk.authn.types import ClusterInfo, RoleInfo
from aistore.sdk.errors import AISError, ErrBckNotFound

from tests.harness import SECRET_KEY, Node
from tests.sdk.conftest import serving
from tests.sdk.support import fill, finish, names

PASSWORD = "a password of some length"
ALIAS = "here"
_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def auth_node(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Node]:
    """A node with authentication on."""
    scheme = request.config.getoption("--sdk-scheme")
    with serving(tmp_path_factory.mktemp("authn"), scheme, auth=True) as running:
        yield running


@pytest.fixture(scope="module")
def authn(auth_node: Node) -> AuthNClient:
    """The administrator, logged in."""
    client = AuthNClient(auth_node.root)
    client.login("root", SECRET_KEY)
    return client


@pytest.fixture(scope="module")
def cluster(auth_node: Node, authn: AuthNClient) -> ClusterInfo:
    """The node, registered as its own cluster."""
    return authn.cluster_manager().register(ALIAS, [auth_node.root])


@pytest.fixture
def role(authn: AuthNClient, cluster: ClusterInfo) -> Callable[..., str]:
    """Make a role; its name."""

    def made(*perms: AccessAttr, bucket: str | None = None) -> str:
        name = f"role-{next(_numbers)}"
        authn.role_manager().create(name, "a test's", ALIAS, list(perms), bucket_name=bucket)
        return name

    return made


@pytest.fixture
def user(auth_node: Node, authn: AuthNClient) -> Callable[..., Client]:
    """Make a user with roles; a client with a token of its."""

    def made(*roles: str) -> Client:
        name = f"user-{next(_numbers)}"
        authn.user_manager().create(name, list(roles), PASSWORD)
        return Client(auth_node.root, token=AuthNClient(auth_node.root).login(name, PASSWORD))

    return made


def fresh(word: str) -> str:
    return f"{word}-{next(_numbers)}"


# --- AuthNClient --------------------------------------------------------------------------------


def test_login_gives_a_token_and_logout_ends_it(auth_node: Node) -> None:
    client = AuthNClient(auth_node.root)
    token = client.login("root", SECRET_KEY, expires_in=60)
    assert client.client.token == token
    assert Client(auth_node.root, token=token).cluster().list_buckets() is not None
    client.logout()
    assert client.client.token is None
    with pytest.raises(AISError, match="401"):
        Client(auth_node.root, token=token).cluster().list_buckets()
    with pytest.raises(ValueError, match="logged in"):
        client.logout()


def test_wrong_credentials_are_told_as_such(auth_node: Node) -> None:
    client = AuthNClient(auth_node.root)
    for name in ("root", "nobody-at-all"):
        with pytest.raises(ErrUserInvalidCredentials):
            client.login(name, "wrong")


def test_a_token_is_revoked(auth_node: Node, authn: AuthNClient) -> None:
    other = AuthNClient(auth_node.root)
    token = other.login("root", SECRET_KEY)
    authn.token_manager().revoke(token)
    with pytest.raises(AuthNError, match="revoked"):
        other.user_manager().list()


def test_clusters_are_managed(auth_node: Node, authn: AuthNClient, cluster: ClusterInfo) -> None:
    manager = authn.cluster_manager()
    assert (cluster.alias, cluster.urls) == (ALIAS, [auth_node.root])
    assert manager.get(cluster_id=cluster.id) == cluster
    assert manager.get(cluster_alias=ALIAS) == cluster
    assert manager.list().clusters[cluster.id] == cluster
    with pytest.raises(ErrClusterAlreadyRegistered):
        manager.register("another", [auth_node.root])
    changed = manager.update(cluster.id, urls=[auth_node.root, "http://localhost:1"])
    assert len(changed.urls) == 2
    assert manager.update(cluster.id, cluster_alias=ALIAS, urls=[auth_node.root]) == cluster
    with pytest.raises(ErrClusterNotFound):
        manager.get(cluster_id="no-such-cluster")
    with pytest.raises(ErrClusterNotFound):
        manager.update("no-such-cluster", cluster_alias="x")
    with pytest.raises(ErrClusterNotFound):
        manager.delete(cluster_alias="no-such-alias")


def test_a_cluster_is_forgotten_and_registered_again(
    auth_node: Node, authn: AuthNClient, cluster: ClusterInfo
) -> None:
    manager = authn.cluster_manager()
    manager.delete(cluster_alias=ALIAS)
    with pytest.raises(ErrClusterNotFound):
        manager.get(cluster_alias=ALIAS)
    assert manager.register(ALIAS, [auth_node.root]).id == cluster.id


def test_roles_are_managed(authn: AuthNClient, cluster: ClusterInfo) -> None:
    manager, name = authn.role_manager(), fresh("role")
    made = manager.create(name, "reads", ALIAS, [AccessAttr.ACCESS_RO])
    assert isinstance(made, RoleInfo)
    assert (made.name, made.desc, made.admin) == (name, "reads", False)
    assert made.clusters is not None
    assert [(entry.id, int(entry.perm)) for entry in made.clusters] == [
        (cluster.id, int(AccessAttr.ACCESS_RO))
    ]
    with pytest.raises(ErrRoleAlreadyExists):
        manager.create(name, "again", ALIAS, [AccessAttr.GET])
    perms = [AccessAttr.GET, AccessAttr.PUT]
    manager.update(name, desc="writes", cluster_alias=ALIAS, perms=perms, bucket_name="b")
    changed = manager.get(name)
    assert changed.desc == "writes"
    assert changed.clusters == made.clusters
    assert changed.buckets is not None
    assert [(entry.bck.name, entry.perm) for entry in changed.buckets] == [("b", "5")]
    assert {"Admin", f"ClusterOwner-{ALIAS}", f"BucketOwner-{ALIAS}", f"Guest-{ALIAS}", name} <= {
        one.name for one in manager.list()
    }
    manager.delete(name)
    for act in (manager.get, manager.delete):
        with pytest.raises(ErrRoleNotFound):
            act(name)
    manager.delete(name, missing_ok=True)


def test_users_are_managed(auth_node: Node, authn: AuthNClient, role: Callable[..., str]) -> None:
    manager, name = authn.user_manager(), fresh("user")
    first, second = role(AccessAttr.GET), role(AccessAttr.PUT)
    made = manager.create(name, [first], PASSWORD)
    assert (made.id, [one.name for one in made.roles], made.password) == (name, [first], None)
    with pytest.raises(ErrUserAlreadyExists):
        manager.create(name, [first], PASSWORD)
    assert [one.name for one in manager.update(name, roles=[second]).roles] == [second]
    assert [one.name for one in manager.update(name, password="another").roles] == [second]
    with pytest.raises(ErrUserInvalidCredentials):
        AuthNClient(auth_node.root).login(name, PASSWORD)
    AuthNClient(auth_node.root).login(name, "another")
    assert manager.list()[name].id == name
    with pytest.raises(ErrRoleNotFound):
        manager.create(fresh("user"), ["no-such-role"], PASSWORD)
    manager.delete(name)
    with pytest.raises(ErrUserNotFound):
        manager.get(name)
    with pytest.raises(ErrUserNotFound):
        manager.delete(name)
    manager.delete(name, missing_ok=True)


# --- Client with a token ------------------------------------------------------------------------


def test_without_a_token_nothing_is_told(auth_node: Node) -> None:
    client = Client(auth_node.root)
    with pytest.raises(AISError, match="401"):
        client.cluster().list_buckets()
    with pytest.raises(AISError, match="401"):
        client.bucket("any").create()


def test_a_user_has_buckets_objects_and_jobs_of_its_own(user: Callable[..., Client]) -> None:
    client, other = user(), user()
    bucket = fill(client.bucket(fresh("bucket")).create(), ["a", "b", "c"])
    assert bucket.object("a").get_reader().read_all() == b"a"
    assert names(bucket) == ["a", "b", "c"]
    writer = bucket.object("d").get_writer()
    handle = writer.append_content(b"one ")
    handle = writer.append_content(b"two", handle=handle)
    writer.append_content(b"", handle=handle, flush=True)
    assert bucket.object("d").get_reader().read_all() == b"one two"
    parts = bucket.object("e").multipart_upload().create()
    parts.add_part(1).put_content(b"part")
    parts.complete()
    assert bucket.object("e").get_reader().read_all() == b"part"
    job = bucket.objects(obj_names=["a", "b"]).delete()
    finish(client, job)
    assert names(bucket) == ["c", "d", "e"]
    copies = client.bucket(fresh("bucket")).create()
    finish(client, bucket.copy(copies))
    assert names(copies) == ["c", "d", "e"]
    assert {one.name for one in client.cluster().list_buckets()} == {bucket.name, copies.name}
    assert other.cluster().list_buckets() == []
    for one in (bucket, copies):
        one.delete()


def test_what_is_denied_raises_and_changes_nothing(user: Callable[..., Client]) -> None:
    owner, other = user(), user()
    bucket = fill(owner.bucket(fresh("bucket")).create(), ["a"])
    theirs = other.bucket(bucket.name)
    denied: list[Callable[[], object]] = [
        lambda: theirs.object("a").get_reader().read_all(),
        lambda: theirs.object("a").get_writer().put_content(b"changed"),
        theirs.object("a").delete,
        theirs.list_all_objects,
        theirs.delete,
        theirs.head,
        lambda: theirs.rename("another-name"),
        lambda: theirs.objects(obj_names=["a"]).delete(),
        lambda: theirs.copy(other.bucket("another")),
        lambda: other.cluster().get_info(),
        lambda: other.job(job_kind="lru").start(),
    ]
    for act in denied:
        with pytest.raises(AISError, match="403"):
            act()
    with pytest.raises(ErrBckNotFound):
        other.bucket("no-such-bucket").delete()
    assert bucket.object("a").get_reader().read_all() == b"a"
    bucket.delete()


def test_roles_open_buckets_of_others_and_the_cluster(
    user: Callable[..., Client], role: Callable[..., str]
) -> None:
    owner = user()
    bucket = fill(owner.bucket(fresh("bucket")).create(), ["a"])
    reader = user(role(AccessAttr.ACCESS_RO, bucket=bucket.name)).bucket(bucket.name)
    assert reader.object("a").get_reader().read_all() == b"a"
    assert names(reader) == ["a"]
    with pytest.raises(AISError, match="403"):
        reader.object("b").get_writer().put_content(b"b")
    writer = user(role(AccessAttr.ACCESS_RW, bucket=bucket.name)).bucket(bucket.name)
    fill(writer, ["b"])
    assert bucket.object("b").get_reader().read_all() == b"b"
    with pytest.raises(AISError, match="403"):
        writer.delete()
    viewer = user(role(AccessAttr.CLUSTER_ACCESS_RO)).cluster()
    assert viewer.get_info().uuid
    assert bucket.name in {one.name for one in viewer.list_buckets()}
    admin = user("Admin")
    assert admin.bucket(bucket.name).object("a").get_reader().read_all() == b"a"
    admin.bucket(bucket.name).delete()
