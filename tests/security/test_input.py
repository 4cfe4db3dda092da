"""Hostile input that has brought other stores down or made them tell what they should not."""

from __future__ import annotations

import os
import time

import pytest

from tests.harness import SECRET_KEY, Endpoint, Node
from tests.people import Person
from tests.security.test_crossing import send
from tests.wire.support import content_md5

BOMB = '<!DOCTYPE x [<!ENTITY a "{}">{}]>'.format(
    "lol" * 10,
    "".join(f'<!ENTITY {chr(98 + n)} "{f"&{chr(97 + n)};" * 10}">' for n in range(8)),
)
FILE = '<!DOCTYPE x [<!ENTITY f SYSTEM "file:///etc/passwd">]>'
# Every document of S3 that is read here, by what it is put to.
DOCUMENTS = {
    "?acl": "<AccessControlPolicy><Owner><ID>{}</ID></Owner></AccessControlPolicy>",
    "?publicAccessBlock": (
        "<PublicAccessBlockConfiguration><BlockPublicAcls>{}</BlockPublicAcls>"
        "</PublicAccessBlockConfiguration>"
    ),
    "?ownershipControls": (
        "<OwnershipControls><Rule><ObjectOwnership>{}</ObjectOwnership></Rule></OwnershipControls>"
    ),
    "/secret?acl": "<AccessControlPolicy><Owner><ID>{}</ID></Owner></AccessControlPolicy>",
}


@pytest.mark.parametrize("place", DOCUMENTS)
@pytest.mark.parametrize("prologue", [BOMB, FILE], ids=["bomb", "file"])
def test_cve_2022_47950_no_entity_of_a_document_is_resolved(
    alice: Person, vault: str, place: str, prologue: str
) -> None:
    value = "&f;" if prologue is FILE else "&i;"
    body = (prologue + DOCUMENTS[place].format(value)).encode()
    headers = {"Content-MD5": content_md5(body)}
    reply = send(alice, "PUT", f"/{vault}{place}", headers=headers, body=body)
    assert (reply.status, reply.code) in ((400, "MalformedXML"), (400, "MalformedACLError"))
    assert b"root:" not in reply.body


def test_cve_2026_71190_no_header_makes_a_pattern_run_long(node: Node) -> None:
    long = "text/plain;q=" + "0" * 30_000 + "," * 2_000
    for name in ("Accept", "Range", "If-None-Match", "Content-Disposition", "User-Agent"):
        began = time.process_time()
        reply = node.send("GET", "/metrics", headers={name: long})
        assert reply.status < 500
        assert time.process_time() - began < 5


def test_cve_2023_28432_no_answer_has_the_environment_or_a_secret(node: Node) -> None:
    """Whatever tells of the node or the cluster, to its administrator as to a stranger."""
    paths = ["/v1/health", "/v1/openapi.json", "/metrics", "/v1/public-key",
             "/.well-known/openid-configuration", "/.well-known/jwks.json"]  # fmt: skip
    whats = ("config", "smap", "bmd", "stats", "sysinfo", "node_status", "log", "target_ips",
             "cluster_config", "snode", "mountpaths", "remote", "ais_backends")  # fmt: skip
    paths += [f"/v1/{place}?what={what}" for place in ("daemon", "cluster") for what in whats]
    for path in paths:
        for signed in (False, True):
            body = node.send("GET", path, signed=signed).body
            for secret in (SECRET_KEY, os.environ.get("PATH", "PATH")):
                assert secret.encode() not in body, path


@pytest.mark.parametrize(
    ("target", "kind"),
    [("/vault", "multipart/form-data; boundary=x"), ("/vault?select&select-type=2", "text/xml")],
)
def test_cve_2021_21362_what_is_not_built_is_refused_before_it_is_read(
    alice: Person, vault: str, target: str, kind: str
) -> None:
    """POST policies (also CVE-2023-28434) and Select (CVE-2026-39414): nothing of the body is
    taken in, and nothing happens."""
    name = target.replace("/vault", f"/{vault}" + ("/secret" if "select" in target else ""))
    reply = send(alice, "POST", name, headers={"Content-Type": kind}, body=b"--x\r\n" * 1000)
    assert reply.status in (400, 405, 412, 501), reply.body
    assert alice.s3.list_objects_v2(Bucket=vault)["KeyCount"] == 1


def test_rustfs_nothing_secret_is_the_same_on_two_stores(node: Node, open_node: Node) -> None:
    """No token, key or certificate is built in: two stores have no public key in common."""
    keys = [which.send("GET", "/.well-known/jwks.json", signed=which is node).body
            for which in (node, open_node)]  # fmt: skip
    assert keys[0] != keys[1] or b'"keys":[]' in keys[0].replace(b" ", b"")


def test_unbuilt_operations_are_authorised_before_they_are_refused(
    alice: Person, mallory: Person, vault: str
) -> None:
    """SeaweedFS's s3tables failed open: whether an operation exists here changes nothing."""
    for query in ("?lifecycle", "?replication", "?cors", "?website", "?object-lock"):
        reply = send(mallory, "GET", f"/{vault}{query}")
        assert (reply.status, reply.code) == (403, "AccessDenied"), query
        assert send(alice, "GET", f"/{vault}{query}").status in (404, 501)


def stranger(node: Endpoint, target: str) -> int:
    return node.send("GET", target, signed=False).status


def test_nothing_is_told_to_strangers(alice: Person, vault: str) -> None:
    node = alice.node
    assert stranger(node, "/") == 403
    assert stranger(node, f"/{vault}/secret") == stranger(node, f"/{vault}/absent") == 403
    assert stranger(node, "/v1/buckets") == stranger(node, "/v1/no/such/call") == 401
