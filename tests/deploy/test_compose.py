"""The compose file: checked against the compose specification's schema, and for what that cannot
say: that names refer to something, and that no secret has a default."""

from __future__ import annotations

import re
from typing import Any, Final

from tests.deploy.tools import BIN, DEPLOY, load, run

FILE: Final = DEPLOY / "compose.yaml"
EXAMPLE: Final = DEPLOY / ".env.example"
COMPOSE: Final[dict[str, Any]] = load(FILE)
SERVICES: Final[dict[str, dict[str, Any]]] = COMPOSE["services"]
GATEWAYS: Final = [name for name in SERVICES if name.startswith("gateway-")]

# ${NAME}, ${NAME:?message}, ${NAME:-default}
REFERENCE: Final = re.compile(r"\$\{(\w+)(?:(:[?-])([^}]*))?\}")


def text() -> str:
    lines = FILE.read_text().splitlines()
    return "\n".join(line for line in lines if not line.lstrip().startswith("#"))


def example() -> dict[str, str]:
    lines = EXAMPLE.read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def test_it_is_what_the_specification_says() -> None:
    run(BIN / "check-jsonschema", "--builtin-schema", "vendor.compose-spec", FILE)


def test_there_are_two_gateways_behind_the_load_balancer() -> None:
    assert len(GATEWAYS) == 2
    balancer = SERVICES["load-balancer"]
    assert balancer["depends_on"] == GATEWAYS
    addresses = {f"GATEWAY_{n}": f"{name}:8080" for n, name in enumerate(GATEWAYS, 1)}
    assert balancer["environment"] == addresses
    servers = re.findall(r'server \S+ "\$\{(\w+)-', (DEPLOY / "haproxy.cfg").read_text())
    assert servers == list(addresses)


def test_gateways_differ_in_name_and_address_alone() -> None:
    own = {"AISLE_NODE_ID", "AISLE_ADVERTISE"}
    environments = [SERVICES[name]["environment"] for name in GATEWAYS]
    assert [environment["AISLE_NODE_ID"] for environment in environments] == GATEWAYS
    assert len({environment["AISLE_ADVERTISE"] for environment in environments}) == 2
    shared = [{k: v for k, v in each.items() if k not in own} for each in environments]
    assert shared[0] == shared[1]


def test_everything_a_service_refers_to_is_there() -> None:
    for name, service in SERVICES.items():
        depends = service.get("depends_on", {})
        assert set(depends) <= SERVICES.keys(), name
        for other, how in depends.items() if isinstance(depends, dict) else ():
            if how["condition"] == "service_healthy":
                assert "healthcheck" in SERVICES[other], name
            # A service that a profile leaves out must not be waited for.
            if "profiles" in SERVICES[other] and "profiles" not in service:
                assert how["required"] is False, name
        assert set(service["networks"]) <= COMPOSE["networks"].keys(), name
        for volume in service.get("volumes", ()):
            source = volume.split(":")[0]
            known = source in COMPOSE["volumes"] or (DEPLOY / source).exists()
            assert known, name


def test_only_the_load_balancer_is_published_and_on_loopback() -> None:
    published = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
    assert published == {"load-balancer": ["${PUBLISH:-127.0.0.1:8080}:8080"]}
    assert "engines" not in SERVICES["load-balancer"]["networks"]


def test_secrets_have_to_be_given() -> None:
    seen = set()
    for name, kind, _ in REFERENCE.findall(text()):
        if name.endswith(("PASSWORD", "_KEY")):
            assert kind == ":?", name
            seen.add(name)
    assert seen == {
        "POSTGRES_PASSWORD",
        "AISLE_ROOT_ACCESS_KEY", "AISLE_ROOT_SECRET_KEY",
        "AISLE_BLOBS_ACCESS_KEY", "AISLE_BLOBS_SECRET_KEY",
    }  # fmt: skip
    for service in SERVICES.values():
        for name, value in service.get("environment", {}).items():
            if name.endswith(("PASSWORD", "_KEY")):
                assert REFERENCE.fullmatch(value), name


def test_the_example_names_every_variable_and_no_secret() -> None:
    required = {name for name, kind, _ in REFERENCE.findall(text()) if kind == ":?"}
    optional = {name for name, kind, _ in REFERENCE.findall(text()) if kind != ":?"}
    assert required <= example().keys() <= required | optional | {"COMPOSE_PROFILES"}
    for name, value in example().items():
        if name.endswith(("PASSWORD", "SECRET_KEY")):
            assert value == "", name
    profiles = {profile for service in SERVICES.values() for profile in service.get("profiles", ())}
    assert {example()["COMPOSE_PROFILES"]} == profiles


def test_nodes_may_do_as_little_as_possible() -> None:
    for name, service in SERVICES.items():
        assert service["security_opt"] == ["no-new-privileges:true"], name
        if name != "postgres":
            assert service["read_only"] is True, name
            assert service["cap_drop"] == ["ALL"], name


def test_services_have_the_time_to_drain() -> None:
    for name in (*GATEWAYS, "blobs"):
        service = SERVICES[name]
        stop = int(service["environment"]["AISLE_STOP_TIMEOUT"].removesuffix("s"))
        assert int(service["stop_grace_period"].removesuffix("s")) > stop, name


def test_images_are_of_one_release() -> None:
    for name, service in SERVICES.items():
        assert re.search(r":v?\d+\.\d+", service["image"]), name
