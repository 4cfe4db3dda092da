"""Every public method of the SDK's `Cluster` that needs no ETL."""

from __future__ import annotations

import io
import tarfile

import pytest
from aistore import Client
from aistore.sdk.bucket import Bucket
from aistore.sdk.enums import LogSeverity, NodeFilter
from aistore.sdk.provider import Provider

from tests.cluster.cluster import wait_until
from tests.harness import Node


def test_the_map_has_every_node_as_gateway_and_target(client: Client, open_node: Node) -> None:
    smap = client.cluster().get_info()
    (target,) = smap.tmap.values()
    assert smap.proxy_si.daemon_id in smap.pmap
    assert target.public_net.direct_url == open_node.root
    assert (target.daemon_type, smap.proxy_si.daemon_type) == ("target", "proxy")
    assert smap.uuid == client.cluster().get_uuid()
    assert client.cluster().get_primary_url() == open_node.root


def test_a_cluster_that_answers_is_ready(client: Client) -> None:
    assert client.cluster().is_ready()


def test_buckets_are_listed_by_provider(client: Client, bucket: Bucket) -> None:
    for provider in (Provider.AIS, ""):
        names = [found.name for found in client.cluster().list_buckets(provider)]
        assert bucket.name in names
    assert client.cluster().list_buckets(Provider.AMAZON) == []


def test_jobs_are_listed(client: Client) -> None:
    assert isinstance(client.cluster().list_jobs_status(), list)
    assert isinstance(client.cluster().list_running_jobs(), list)
    assert client.cluster().list_running_jobs(job_kind="copy-bck") == []


def test_performance_is_what_each_target_counts(client: Client, bucket: Bucket) -> None:
    def counted() -> int:
        (told,) = client.cluster().get_performance().values()
        return int(told["tracker"]["put.n"]["v"])

    before = counted()
    bucket.object("counted").get_writer().put_content(b"1")
    assert counted() == before + 1
    (name,) = client.cluster().get_info().tmap
    told = client.cluster().get_performance()[name]
    assert told["snode"]["daemon_id"] == name
    assert told["sys_info"]["mem_avail"] > 0


def test_logs_come_by_node_severity_and_role(client: Client) -> None:
    cluster = client.cluster()
    (target,) = cluster.get_info().tmap
    (proxy,) = cluster.get_info().pmap
    wait_until(lambda: " INFO " in cluster.get_node_log(target), "the node logs its start")
    assert " INFO " not in cluster.get_node_log(target, LogSeverity.ERROR)
    assert list(cluster.get_cluster_logs()) == [target]
    assert set(cluster.get_cluster_logs(role=NodeFilter.ALL)) == {target, proxy}
    whole = cluster.get_node_log_archive(proxy)
    with tarfile.open(fileobj=io.BytesIO(whole), mode="r:gz") as archive:
        assert "aisle.log" in archive.getnames()


def test_a_node_that_is_not_there_has_no_log(client: Client) -> None:
    with pytest.raises(Exception, match=r"tnobody.* is not in the cluster"):
        client.cluster().get_node_log("tnobody")
