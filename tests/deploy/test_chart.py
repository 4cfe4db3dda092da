"""The Helm chart: linted and rendered by Helm, checked against Kubernetes' own schemas."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest

from aisle import __version__
from aisle.store.postgres.index import LANES, READERS
from tests.deploy.tools import CHART, documents, helm, load

VALUES = {path.name.removesuffix("-values.yaml"): path for path in (CHART / "ci").iterdir()}
# The oldest release the chart is for, one in between, the newest whose schemas there are.
RELEASES = ("1.27.0", "1.30.0", kubernetes_validate.latest_version())


def render(values: str, *words: str) -> dict[str, dict[str, Any]]:
    """What the chart makes of a set of values, by kind."""
    text = helm("template", "rel", CHART, "-n", "ns", "-f", VALUES[values], *words).stdout
    found = documents(text)
    by_kind = {document["kind"]: document for document in found}
    assert len(by_kind) == len(found)
    return by_kind


def pod_of(rendered: dict[str, dict[str, Any]]) -> dict[str, Any]:
    spec = rendered["Deployment"]["spec"]["template"]["spec"]
    assert isinstance(spec, dict)
    return spec


def environment_of(pod: dict[str, Any]) -> dict[str, Any]:
    """Variable -> its value, or where the value comes from."""
    (container,) = pod["containers"]
    names = [variable["name"] for variable in container["env"]]
    assert len(names) == len(set(names))
    return {each["name"]: each.get("value", each.get("valueFrom")) for each in container["env"]}


@pytest.mark.parametrize("values", VALUES)
def test_helm_finds_nothing_to_complain_of(values: str) -> None:
    helm("lint", "--strict", CHART, "-f", VALUES[values])


@pytest.mark.parametrize("release", RELEASES)
@pytest.mark.parametrize("values", VALUES)
def test_every_manifest_is_what_kubernetes_knows(values: str, release: str) -> None:
    for document in render(values, "--kube-version", release).values():
        kubernetes_validate.validate(document, release.rpartition(".")[0], strict=True)


def test_the_strict_schemas_would_notice_a_mistake() -> None:
    deployment = render("s3")["Deployment"]
    deployment["spec"]["template"]["spec"]["containers"][0]["readynessProbe"] = {}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(deployment, "1.30", strict=True)


def test_sets_of_values_are_what_they_say() -> None:
    assert {"HorizontalPodAutoscaler", "PodDisruptionBudget"} <= render("s3").keys()
    assert "NetworkPolicy" in render("rados")
    fixed = render("fixed").keys()
    assert "Ingress" in fixed
    assert not {"HorizontalPodAutoscaler", "PodDisruptionBudget", "ServiceAccount"} & fixed


def test_the_chart_is_of_this_release() -> None:
    chart = load(CHART / "Chart.yaml")
    assert chart["appVersion"] == __version__
    (container,) = pod_of(render("s3"))["containers"]
    assert container["image"] == f"aisle:{__version__}"
    assert "@sha256:" in pod_of(render("fixed"))["containers"][0]["image"]


@pytest.mark.parametrize("values", VALUES)
def test_containers_may_do_as_little_as_possible(values: str) -> None:
    rendered = render(values)
    for pod in (pod_of(rendered), rendered["Pod"]["spec"]):
        assert pod["automountServiceAccountToken"] is False
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["runAsUser"] > 0
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        (container,) = pod["containers"]
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert container["resources"]["limits"]["memory"]
    account = rendered.get("ServiceAccount", {"automountServiceAccountToken": False})
    assert account["automountServiceAccountToken"] is False


@pytest.mark.parametrize("values", VALUES)
def test_secrets_are_only_named(values: str) -> None:
    rendered = render(values)
    assert "Secret" not in rendered
    pod = pod_of(rendered)
    (container,) = pod["containers"]
    assert "args" not in container
    assert "command" not in container
    for name, value in environment_of(pod).items():
        if name.endswith(("_ACCESS_KEY", "_SECRET_KEY", "PASSWORD")):
            assert value["secretKeyRef"].keys() == {"name", "key"}, name


def test_probes_ask_what_they_should() -> None:
    (container,) = pod_of(render("s3"))["containers"]
    (port,) = container["ports"]
    probes = {kind: container[f"{kind}Probe"] for kind in ("startup", "liveness", "readiness")}
    assert all(probe["httpGet"]["port"] == port["name"] for probe in probes.values())
    # A restart helps against a node that hangs, never against a database that is away.
    assert probes["startup"]["httpGet"]["path"] == "/v1/health"
    assert probes["liveness"]["httpGet"]["path"] == "/v1/health"
    assert probes["readiness"]["httpGet"]["path"] == "/v1/health?readiness=true"


@pytest.mark.parametrize("values", VALUES)
def test_a_pod_has_the_time_to_drain(values: str) -> None:
    pod = pod_of(render(values))
    (container,) = pod["containers"]
    sleep, seconds = container["lifecycle"]["preStop"]["exec"]["command"]
    assert sleep == "sleep"
    stop = int(environment_of(pod)["AISLE_STOP_TIMEOUT"].removesuffix("s"))
    assert pod["terminationGracePeriodSeconds"] > int(seconds) + stop


@pytest.mark.parametrize("values", VALUES)
def test_each_gateway_has_a_name_and_an_address_of_its_own(values: str) -> None:
    environment = environment_of(pod_of(render(values)))
    assert environment["POD_NAME"] == {"fieldRef": {"fieldPath": "metadata.name"}}
    assert environment["AISLE_NODE_ID"] == "$(POD_NAME)"
    assert "$(POD_IP)" in environment["AISLE_ADVERTISE"]
    names = list(environment)
    # Kubernetes substitutes only what was defined before.
    assert names.index("POD_NAME") < names.index("AISLE_NODE_ID")
    assert names.index("POD_IP") < names.index("AISLE_ADVERTISE")


@pytest.mark.parametrize("values", VALUES)
def test_what_is_written_to_is_mounted(values: str) -> None:
    pod = pod_of(render(values))
    (container,) = pod["containers"]
    mounts = {mount["mountPath"]: mount["name"] for mount in container["volumeMounts"]}
    volumes = {volume["name"]: volume for volume in pod["volumes"]}
    assert set(mounts.values()) <= volumes.keys()
    data = Path(environment_of(pod)["AISLE_DATA"])
    # Below the volume, not the volume itself, which belongs to root: a node insists on its own.
    assert "emptyDir" in volumes[mounts[str(data.parent)]]
    assert "emptyDir" in volumes[mounts["/tmp"]]


def test_ceph_is_told_where_its_files_are() -> None:
    pod = pod_of(render("rados"))
    assert "conf=/etc/ceph/ceph.conf" in environment_of(pod)["AISLE_BLOBS"]
    (ceph,) = [volume for volume in pod["volumes"] if volume["name"] == "ceph"]
    paths = [
        item["path"]
        for source in ceph["projected"]["sources"]
        for part in source.values()
        for item in part["items"]
    ]
    assert paths == ["ceph.conf", "keyring"]
    assert "AISLE_BLOBS_SECRET_KEY" not in environment_of(pod)
    assert not [volume for volume in pod_of(render("s3"))["volumes"] if volume["name"] == "ceph"]


def test_gateways_are_spread_and_follow_the_load() -> None:
    rendered = render("s3")
    keys = [each["topologyKey"] for each in pod_of(rendered)["topologySpreadConstraints"]]
    assert keys == ["topology.kubernetes.io/zone", "kubernetes.io/hostname"]
    assert "replicas" not in rendered["Deployment"]["spec"]
    assert render("fixed")["Deployment"]["spec"]["replicas"] == 2
    scaler = rendered["HorizontalPodAutoscaler"]
    assert scaler["apiVersion"] == "autoscaling/v2"
    (metric,) = scaler["spec"]["metrics"]
    (container,) = pod_of(rendered)["containers"]
    assert metric["containerResource"]["name"] == "cpu"
    assert metric["containerResource"]["container"] == container["name"]
    assert container["resources"]["requests"]["cpu"]


@pytest.mark.parametrize("values", VALUES)
def test_selectors_select_the_gateways_and_nothing_else(values: str) -> None:
    rendered = render(values)
    selector = rendered["Deployment"]["spec"]["selector"]["matchLabels"]
    labels = rendered["Deployment"]["spec"]["template"]["metadata"]["labels"]
    assert selector.items() <= labels.items()
    assert rendered["Service"]["spec"]["selector"] == selector
    assert not selector.items() <= rendered["Pod"]["metadata"]["labels"].items()
    if "PodDisruptionBudget" in rendered:
        assert rendered["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"] == selector
    if "NetworkPolicy" in rendered:
        assert rendered["NetworkPolicy"]["spec"]["podSelector"]["matchLabels"] == selector


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ("auth.existingSecret=", "/auth/existingSecret"),
        ("index.url=postgresql://aisle:secret@db/aisle", "/index/url"),
        ("index.url=mysql://db/aisle", "/index/url"),
        ("blobs.url=ftp://blobs", "/blobs/url"),
        ("blobs.url=s3://key:secret@bucket", "/blobs/url"),
        ("blobs.url=rados://pool", "blobs.rados.configMap"),
        ("blobs.s3.existingSecret=", "blobs.s3.existingSecret"),
        ("image.digest=latest", "/image/digest"),
        ("workers=0", "/workers"),
        ("replica=3", "replica"),
        ("ingress.enabled=true", "/ingress/hosts"),
        ("autoscaling.maxReplicas=2", "minReplicas is above maxReplicas"),
    ],
)
def test_values_that_cannot_work_are_refused(change: str, complaint: str) -> None:
    words = ("template", "rel", CHART, "-f", VALUES["s3"], "--set", change)
    assert complaint in helm(*words, code=1).stderr


def test_values_and_their_schema_have_the_same_names() -> None:
    def compare(values: dict[str, Any], schema: dict[str, Any], at: str) -> None:
        properties = schema.get("properties")
        if properties is None or schema.get("additionalProperties") is not False:
            return
        assert values.keys() == properties.keys() - {"global"}, at
        for name, value in values.items():
            if isinstance(value, dict):
                compare(value, properties[name], f"{at}.{name}")

    compare(load(CHART / "values.yaml"), load(CHART / "values.schema.json"), "values")


def test_notes_tell_where_it_is_and_what_it_asks_of_the_database() -> None:
    def notes(values: str) -> str:
        words = ("install", "rel", CHART, "-n", "ns", "--dry-run=client", "-f", VALUES[values])
        return helm(*words).stdout.partition("NOTES:")[2]

    assert "http://rel-aisle.ns.svc:80" in notes("s3")
    # One gateway more than there may be, of two workers.
    assert f"allow {(10 + 1) * 2 * (LANES + READERS)} connections" in notes("s3")
    assert "https://s3.example.org" in notes("fixed")
