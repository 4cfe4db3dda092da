"""Users, keys, roles and tokens, as programs have them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from aisle.client import AccessKey, Client, ClientError, Conflict, Denied, Keys, NotFound
from tests.harness import Node
from tests.people import forget_everybody

PASSWORD = "correct horse"


@pytest.fixture(autouse=True)
def _emptied(client: Client) -> Iterator[None]:
    yield
    forget_everybody(client)


def signed_in(own: Node, key: AccessKey) -> Client:
    return Client(own.root, keys=Keys(key.access_key, key.secret_key))


def test_a_user_comes_and_goes(client: Client) -> None:
    made = client.auth.add_user("alice", PASSWORD, display="Alice", email="alice@example.org")
    assert made == client.auth.user("alice")
    assert (made.display, made.email, made.owner, made.admin) == (
        "Alice", "alice@example.org", True, False,
    )  # fmt: skip
    assert [user.name for user in client.auth.users()] == ["alice", "root"]
    with pytest.raises(Conflict):
        client.auth.add_user("alice")
    client.auth.remove_user("alice")
    for call in (client.auth.remove_user, client.auth.user, client.auth.keys):
        with pytest.raises(NotFound):
            call("alice")


def test_keys_sign_until_they_are_switched_off(client: Client, own: Node) -> None:
    client.auth.add_user("alice")
    key = client.auth.add_key("alice")
    brought = client.auth.add_key("alice", access_key="ALICE", secret_key="0123456789")
    assert brought.secret_key == "0123456789"
    for one in (key, brought):
        with signed_in(own, one) as mine:
            assert mine.auth.whoami().name == "alice"
            assert mine.buckets() == []
    listed = client.auth.keys("alice")
    assert {one.access_key for one in listed} == {key.access_key, "ALICE"}
    assert {one.secret_key for one in listed} == {""}
    client.auth.set_key_active("alice", "ALICE", False)
    client.auth.remove_key("alice", key.access_key)
    assert [one.active for one in client.auth.keys("alice")] == [False]
    for one in (key, brought):
        with signed_in(own, one) as mine, pytest.raises(Denied):
            mine.auth.whoami()


def test_a_login_gives_a_token_that_can_be_revoked(client: Client, own: Node) -> None:
    client.auth.add_user("alice", PASSWORD)
    token = client.auth.login("alice", PASSWORD, expires=60)
    with Client(own.root, token=token) as mine:
        assert mine.auth.whoami().name == "alice"
        mine.bucket("alices").create().destroy()
        with pytest.raises(Denied):
            mine.auth.users()
        mine.auth.revoke(token)
        with pytest.raises(Denied) as denied:
            mine.buckets()
    assert denied.value.code == "ErrInvalidToken"
    with pytest.raises(Denied, match="invalid credentials"):
        client.auth.login("alice", "wrong")


def test_roles_say_what_may_be_done_where(client: Client) -> None:
    uuid = client.cluster_map()["uuid"]
    made = client.auth.add_role("readers", ["ro"], description="may look")
    assert made.permissions == [(uuid, "", 0b1100000011)]
    more = client.auth.update_role("readers", ["GET", "PUT"], bucket="ais://@#space/demo")
    assert more.permissions == [*made.permissions, (uuid, "ais://#space/demo", 0b101)]
    assert more.description == "may look"
    assert client.auth.update_role("readers", description="x").permissions == more.permissions
    client.auth.add_user("bob", roles=["readers"])
    assert client.auth.user("bob").roles == ["readers"]
    assert client.auth.update_user("bob", roles=[]).roles == []
    client.auth.add_user("ben", account=client.auth.user("bob").account)
    assert client.auth.update_user("ben", owner=True).owner
    assert not client.auth.user("bob").owner
    client.auth.remove_user("ben")
    for words in (["fly"], []):
        with pytest.raises(ClientError, match="permission"):
            client.auth.update_role("readers", words, bucket="ais://demo")
    client.auth.remove_role("readers")
    with pytest.raises(NotFound):
        client.auth.role("readers")


def test_policies_belong_to_users(client: Client) -> None:
    statement = {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}
    document = {"Version": "2012-10-17", "Statement": [statement]}
    client.auth.add_user("carol")
    client.auth.put_policy("carol", "all", document)
    assert client.auth.policy("carol", "all") == document
    assert client.auth.user("carol").policies == ["all"]
    client.auth.remove_policy("carol", "all")
    with pytest.raises(NotFound):
        client.auth.policy("carol", "all")
    with pytest.raises(ClientError):
        client.auth.put_policy("carol", "bad", {"Statement": 1})


def test_clusters_are_registered(client: Client) -> None:
    client.auth.add_cluster("abc", alias="other", urls=["http://10.0.0.1:8080"])
    assert client.auth.cluster("other") == ("abc", "other", ["http://10.0.0.1:8080"])
    client.auth.update_cluster("other", alias="another")
    assert client.auth.cluster("abc").alias == "another"
    assert "abc" in [one.id for one in client.auth.clusters()]
    client.auth.remove_cluster("abc")
    with pytest.raises(NotFound):
        client.auth.cluster("abc")


@pytest.mark.parametrize("name", ["", ".", ".."])
def test_a_name_that_is_none_is_not_sent(client: Client, name: str) -> None:
    with pytest.raises(ClientError, match="is not a name"):
        client.auth.remove_user(name)
