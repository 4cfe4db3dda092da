"""Without any failure: what one gateway has acknowledged is so for every other one, at once."""

from __future__ import annotations

import json
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise, permutations, product

import pytest

from tests.cluster.cluster import Gateway, wait_until
from tests.cluster.site import Site
from tests.harness import Reply
from tests.wire.support import etag_of, etag_of_parts, pattern

PAIRS = list(permutations(range(3), 2))
SMALL, LARGE = 100, 300_000  # a row; a blob
# Within this, a change of settings is in force everywhere.
FOLLOW_SECONDS = 1.0


@pytest.fixture
def bucket(site: Site) -> str:
    name = fresh()
    assert site.gateways[0].send("PUT", f"/{name}").status == 200
    return name


@pytest.fixture(params=PAIRS, ids=lambda pair: f"g{pair[0]}-g{pair[1]}")
def pair(site: Site, request: pytest.FixtureRequest) -> tuple[Gateway, Gateway]:
    """Two different gateways."""
    here, there = request.param
    return site.gateways[here], site.gateways[there]


def fresh() -> str:
    return f"bucket-{uuid.uuid4().hex[:12]}"


def listed(gateway: Gateway, bucket: str) -> dict[str, str]:
    reply = gateway.send("GET", f"/{bucket}?list-type=2")
    assert reply.status == 200, reply.body
    return {
        entry.findtext("Key") or "": entry.findtext("ETag") or ""
        for entry in reply.xml.iter("Contents")
    }


def bodies() -> Iterator[tuple[str, bytes]]:
    for number, size in product(range(5), (SMALL, LARGE)):
        yield f"{size}/{number}", pattern(size, number)


def test_a_write_is_read_and_listed_elsewhere(pair: tuple[Gateway, Gateway], bucket: str) -> None:
    here, there = pair
    for key, body in bodies():
        assert here.send("PUT", f"/{bucket}/{key}", body=body).status == 200
        read = there.send("GET", f"/{bucket}/{key}")
        assert (read.status, read.body) == (200, body)
        assert listed(there, bucket)[key] == etag_of(body)
        changed = body[::-1]
        assert here.send("PUT", f"/{bucket}/{key}", body=changed).status == 200
        head = there.send("HEAD", f"/{bucket}/{key}")
        assert head.headers["etag"] == etag_of(changed)
        assert there.send("GET", f"/{bucket}/{key}").body == changed


def test_a_deletion_is_seen_elsewhere(pair: tuple[Gateway, Gateway], bucket: str) -> None:
    here, there = pair
    for key, body in bodies():
        assert here.send("PUT", f"/{bucket}/{key}", body=body).status == 200
        assert there.send("GET", f"/{bucket}/{key}").status == 200
        assert here.send("DELETE", f"/{bucket}/{key}").status == 204
        assert there.send("GET", f"/{bucket}/{key}").code == "NoSuchKey"
        assert there.send("HEAD", f"/{bucket}/{key}").status == 404
        assert key not in listed(there, bucket)


def test_a_new_bucket_takes_writes_elsewhere(pair: tuple[Gateway, Gateway]) -> None:
    here, there = pair
    for _ in range(5):
        name = fresh()
        # Whoever has been told that there is none must not go on believing it.
        assert there.send("GET", f"/{name}/k").code == "NoSuchBucket"
        assert here.send("PUT", f"/{name}").status == 200
        assert there.send("PUT", f"/{name}/k", body=b"x").status == 200
        assert here.send("GET", f"/{name}/k").body == b"x"
        assert f">{name}<".encode() in there.send("GET", "/").body


@pytest.mark.parametrize(
    ("method", "target", "status"),
    [
        ("HEAD", "/{}", 404),
        ("GET", "/{}?list-type=2", 404),
        ("GET", "/{}/k", 404),
        ("HEAD", "/{}/k", 404),
        ("PUT", "/{}/k", 404),
        ("DELETE", "/{}/k", 404),
        ("POST", "/{}/k?uploads", 404),
        ("DELETE", "/{}", 404),
        ("GET", "/{}?location", 404),
    ],
)
def test_a_deleted_bucket_is_gone_elsewhere(
    site: Site, method: str, target: str, status: int
) -> None:
    for here, there in [(site.gateways[a], site.gateways[b]) for a, b in PAIRS]:
        name = fresh()
        assert here.send("PUT", f"/{name}").status == 200
        # Both know it well.
        assert there.send("PUT", f"/{name}/k", body=b"x").status == 200
        assert there.send("GET", f"/{name}/k").status == 200
        assert there.send("GET", f"/{name}?list-type=2").status == 200
        assert here.send("DELETE", f"/{name}/k").status == 204
        assert here.send("DELETE", f"/{name}").status == 204
        reply = there.send(method, target.format(name), body=b"")
        assert reply.status == status, (method, target, reply)
        assert method == "HEAD" or reply.code == "NoSuchBucket", reply.body
        assert f">{name}<".encode() not in there.send("GET", "/").body


def test_a_bucket_that_is_made_again_is_empty_and_works_elsewhere(
    pair: tuple[Gateway, Gateway],
) -> None:
    here, there = pair
    name = fresh()
    for turn in range(6):
        body = pattern(SMALL if turn % 2 else LARGE, turn)
        assert here.send("PUT", f"/{name}").status == 200
        assert listed(there, name) == {}
        assert there.send("GET", f"/{name}/k").code == "NoSuchKey"
        assert here.send("PUT", f"/{name}/k", body=body).status == 200
        read = there.send("GET", f"/{name}/k")
        assert (read.status, read.body) == (200, body)
        assert listed(there, name) == {"k": etag_of(body)}
        assert there.send("DELETE", f"/{name}").code == "BucketNotEmpty"
        assert here.send("DELETE", f"/{name}/k").status == 204
        assert there.send("DELETE", f"/{name}").status == 204


def test_of_many_creators_of_a_bucket_one_makes_it(site: Site) -> None:
    for _ in range(5):
        name = fresh()

        def create(gateway: Gateway, name: str = name) -> int:
            return gateway.send("PUT", f"/{name}").status

        with ThreadPoolExecutor(12) as pool:
            replies = Counter(pool.map(create, site.gateways * 4))
        assert set(replies) <= {200, 409}
        assert replies[200] >= 1
        assert all(listed(gateway, name) == {} for gateway in site.gateways)


@pytest.mark.parametrize("size", [SMALL, LARGE])
def test_of_32_creators_of_an_object_exactly_one_wins(site: Site, bucket: str, size: int) -> None:
    for turn in range(4):

        def create(number: int, turn: int = turn) -> tuple[int, Reply]:
            gateway = site.gateways[number % 3]
            headers = {"If-None-Match": "*"}
            target, body = f"/{bucket}/{turn}", pattern(size, number)
            return number, gateway.send("PUT", target, headers=headers, body=body)

        with ThreadPoolExecutor(32) as pool:
            replies = list(pool.map(create, range(32)))
        assert {reply.status for _, reply in replies} <= {200, 409, 412}
        (winner,) = [number for number, reply in replies if reply.status == 200]
        for gateway in site.gateways:
            assert gateway.send("GET", f"/{bucket}/{turn}").body == pattern(size, winner)


def test_a_counter_incremented_through_all_gateways_loses_nothing(site: Site, bucket: str) -> None:
    target = f"/{bucket}/counter"
    assert site.gateways[0].send("PUT", target, body=b"0").status == 200

    def increment(number: int) -> int:
        gateway, done = site.gateways[number % 3], 0
        while done < 5:
            read = gateway.send("GET", target)
            reply = gateway.send(
                "PUT",
                target,
                headers={"If-Match": read.headers["etag"]},
                body=str(int(read.body) + 1).encode(),
            )
            assert reply.status in (200, 409, 412), reply
            done += reply.status == 200
        return done

    with ThreadPoolExecutor(9) as pool:
        total = sum(pool.map(increment, range(9)))
    for gateway in site.gateways:
        assert gateway.send("GET", target).body == str(total).encode()


def test_an_upload_goes_through_a_different_gateway_at_every_step(site: Site, bucket: str) -> None:
    a, b, c = site.gateways
    parts = [pattern(LARGE, 1), pattern(SMALL, 2), pattern(LARGE, 3)]
    begun = a.send("POST", f"/{bucket}/k?uploads")
    upload = begun.xml.findtext("UploadId") or ""
    assert upload
    assert upload in b.send("GET", f"/{bucket}?uploads").body.decode()
    entries = ""
    for number, part in enumerate(parts, 1):
        query = f"partNumber={number}&uploadId={upload}"
        reply = site.gateways[number % 3].send("PUT", f"/{bucket}/k?{query}", body=part)
        etag = reply.headers["etag"]
        assert etag in c.send("GET", f"/{bucket}/k?uploadId={upload}").body.decode().replace(
            "&quot;", '"'
        )
        entries += f"<Part><PartNumber>{number}</PartNumber><ETag>{etag}</ETag></Part>"
    document = f"<CompleteMultipartUpload>{entries}</CompleteMultipartUpload>".encode()
    assert c.send("POST", f"/{bucket}/k?uploadId={upload}", body=document).status == 200
    for gateway in site.gateways:
        read = gateway.send("GET", f"/{bucket}/k")
        assert (read.body, read.headers["etag"]) == (b"".join(parts), etag_of_parts(parts))
        assert gateway.send("GET", f"/{bucket}/k?uploadId={upload}").code == "NoSuchUpload"
    # A client that did not hear the answer asks again, elsewhere.
    assert a.send("POST", f"/{bucket}/k?uploadId={upload}", body=document).status == 200


def test_a_property_of_a_bucket_is_in_force_everywhere_within_a_second(
    site: Site, bucket: str
) -> None:
    for turn, kind in enumerate(["opaque", "md5", "opaque", "md5"]):
        for gateway in site.gateways:  # all know it well
            assert gateway.send("PUT", f"/{bucket}/k", body=b"x").status == 200
        message = {"action": "set-bprops", "value": {"etag": {"type": kind}}}
        changed = site.gateways[turn % 3].send(
            "PATCH", f"/v1/buckets/{bucket}", body=json.dumps(message).encode(),
            headers={"Content-Length": str(len(json.dumps(message)))},
        )  # fmt: skip
        assert changed.status == 200, changed.body
        time.sleep(FOLLOW_SECONDS)
        for gateway in site.gateways:
            etag = gateway.send("PUT", f"/{bucket}/k", body=b"x").headers["etag"]
            assert ("-" in etag) == (kind == "opaque"), (gateway.name, etag)


def test_a_setting_of_the_cluster_is_in_force_everywhere_within_a_second(site: Site) -> None:
    original = json.loads(site.gateways[0].send("GET", "/v1/daemon?what=config").body)["features"]
    without = str(int(original) & ~_bit_of_root_api(site))
    try:
        for turn, (mask, status) in enumerate([(without, 404), (original, 200)] * 2):
            setter = site.gateways[turn % 3]
            assert setter.send("PUT", f"/v1/cluster/set-config?features={mask}").status == 200
            time.sleep(FOLLOW_SECONDS)
            for gateway in site.gateways:
                told = json.loads(gateway.send("GET", "/v1/daemon?what=config").body)
                assert told["features"] == mask
                assert (gateway.send("GET", "/").status == 200) == (status == 200), gateway.name
    finally:
        site.gateways[0].send("PUT", f"/v1/cluster/set-config?features={original}")


def test_a_policy_is_in_force_everywhere_within_a_second(site: Site, bucket: str) -> None:
    """A denial no less than what it is lifted by."""
    statement = {"Effect": "Deny", "Principal": "*", "Action": "s3:PutObject",
                 "Resource": f"arn:aws:s3:::{bucket}/*"}  # fmt: skip
    policy = json.dumps({"Statement": [statement]}).encode()
    for turn in range(4):
        changer = site.gateways[turn % 3]
        if turn % 2:
            assert changer.send("DELETE", f"/{bucket}?policy").status == 204
        else:
            for gateway in site.gateways:  # all know it well
                assert gateway.send("PUT", f"/{bucket}/k", body=b"x").status == 200
            assert changer.send("PUT", f"/{bucket}?policy", body=policy).status == 204
        time.sleep(FOLLOW_SECONDS)
        for gateway in site.gateways:
            status = gateway.send("PUT", f"/{bucket}/k", body=b"x").status
            assert status == (200 if turn % 2 else 403), gateway.name


def test_a_key_that_is_switched_off_is_so_everywhere_within_a_second(site: Site) -> None:
    user, key, secret = (
        fresh(),
        f"KEY{uuid.uuid4().hex[:17].upper()}",
        "comes-and-goes-comes-and-goes",
    )
    first = site.gateways[0]
    body = json.dumps({"id": user, "roles": []}).encode()
    assert first.send("POST", "/v1/users", body=body).status == 200
    body = json.dumps({"access_key": key, "secret_key": secret}).encode()
    assert first.send("POST", f"/v1/users/{user}/keys", body=body).status == 200
    for turn in range(4):
        for gateway in site.gateways:
            status = gateway.send("GET", "/", access_key=key, secret_key=secret).status
            assert status == (403 if turn % 2 else 200), gateway.name
        body = json.dumps({"active": bool(turn % 2)}).encode()
        changed = site.gateways[turn % 3].send("PUT", f"/v1/users/{user}/keys/{key}", body=body)
        assert changed.status == 200, changed.body
        time.sleep(FOLLOW_SECONDS)


def _bit_of_root_api(site: Site) -> int:
    """The bit of the feature S3-API-via-Root."""
    gateway = site.gateways[0]
    assert gateway.send("PUT", "/v1/cluster/set-config?features=S3-API-via-Root").status == 200
    return int(json.loads(gateway.send("GET", "/v1/daemon?what=config").body)["features"])


def test_every_gateway_tells_the_same_map(site: Site) -> None:
    def told() -> list[object]:
        maps = [site.cluster.smap(gateway) for gateway in site.gateways]
        return [(sorted(smap["pmap"]), (smap["proxy_si"] or {}).get("daemon_id")) for smap in maps]

    names = sorted(f"p{gateway.name}" for gateway in site.gateways)
    wait_until(
        lambda: all(pair[0] == names and pair[1] in names for pair in told()),  # type: ignore[index]
        "all are on the map, with one primary",
        told=lambda: str(told()),
    )
    assert len({str(each) for each in told()}) == 1


def test_requests_of_one_connection_alternate_between_the_gateways(site: Site) -> None:
    client = site.cluster.client()
    before = len(site.cluster.proxy.served())
    for _ in range(9):
        client.list_buckets()
    wait_until(lambda: len(site.cluster.proxy.served()) >= before + 9, "the log is written")
    served = site.cluster.proxy.served()[before : before + 9]
    assert Counter(served) == {"g0": 3, "g1": 3, "g2": 3}
    assert all(one != other for one, other in pairwise(served))
