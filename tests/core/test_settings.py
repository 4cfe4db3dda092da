"""The settings table: every row, every kind, AIStore's shape."""

import json

import pytest

from aisle.core import features, settings
from aisle.core.errors import InvalidArgument
from aisle.core.units import parse_duration, parse_size


@pytest.mark.parametrize("name", list(settings.SETTINGS))
def test_every_default_is_its_own_canonical_form(name: str) -> None:
    row = settings.SETTINGS[name]
    scope = sorted(row.scope, reverse=True)[0]  # cluster, where the default may hold all features
    assert settings.parse(name, row.default, scope) == row.default
    assert settings.parse(name, settings.show(row.default), scope) == row.default
    assert settings.parse(name, settings.to_json(name, row.default), scope) == row.default
    assert row.help.endswith(".")
    assert row.description.endswith(settings.NO_EFFECT) is not row.effect


def test_the_http_section_reads_as_in_the_s3cmd_guide() -> None:
    rows = [
        (row.name, settings.show(row.default))
        for row in settings.section("net.http", "cluster")
        if not row.rare
    ]
    assert rows == [
        ("net.http.server_crt", "server.crt"),
        ("net.http.server_key", "server.key"),
        ("net.http.write_buffer_size", "65536"),
        ("net.http.read_buffer_size", "65536"),
        ("net.http.use_https", "false"),
        ("net.http.skip_verify", "false"),
        ("net.http.chunked_transfer", "true"),
    ]
    late = {"net.http.use_https", "net.http.server_crt", "net.http.server_key"}
    assert {name for name, _ in rows if settings.SETTINGS[name].effect} - late == {
        "net.http.skip_verify"
    }
    assert all(settings.SETTINGS[name].restart for name in late)


# Sections of AIStore's configuration, with values of its local deployment that tell them apart.
SECTIONS = {
    "mirror.copies": 2,
    "ec.objsize_limit": 262144,
    "chunks.chunk_size": "1GiB",
    "log.max_total": "128mb",
    "periodic.stats_time": "10s",
    "timeout.cold_get_conflict": "5s",
    "client.client_timeout": "10s",
    "proxy.non_electable": False,
    "space.cleanupwm": 65,
    "lru.dont_evict_time": "120m",
    "disk.disk_util_high_wm": 80,
    "rebalance.dest_retry_time": "2m",
    "resilver.enabled": True,
    "checksum.type": "xxhash",
    "transport.lz4_block": "256kb",
    "memsys.min_free": "2gb",
    "versioning.enabled": False,
    "net.l4.sndrcv_buf_size": 131072,
    "fshc.io_err_limit": 10,
    "auth.enabled": False,
    "keepalivetracker.target.name": "heartbeat",
    "downloader.timeout": "1h",
    "distributed_sort.default_max_mem_usage": "80%",
    "tcb.bundle_multiplier": 2,
    "tco.compression": "never",
    "arch.burst_buffer": 512,
    "write_policy.md": "",
    "rate_limit.frontend.burst_size": 375,
    "get_batch.max_soft_errs": 8,
}


def test_every_section_of_aistore_is_there() -> None:
    defaults = settings.cluster_defaults()
    assert {name: defaults[name] for name in SECTIONS} == SECTIONS
    props = settings.nest(settings.bucket_defaults({}))
    assert props["extra"]["aws"]["multipart_size"] == "0"
    assert set(props["extra"]) == {"aws", "gcp", "http", "oci", "custom"}


def test_a_restart_is_asked_for_where_aistore_asks() -> None:
    late = {row.name for row in settings.SETTINGS.values() if row.restart}
    assert {"timeout.cplane_operation", "timeout.max_keepalive"} < late
    assert all(name.startswith(("memsys.", "net.", "timeout.")) for name in late)


def test_what_the_node_was_started_with_may_be_told_and_not_changed() -> None:
    told = {"auth.enabled": True}
    assert settings.changed(told, {"auth.enabled": "true"}, "cluster") == {}
    with pytest.raises(InvalidArgument, match="cannot be set here"):
        settings.changed(told, {"auth.enabled": False}, "cluster")


def test_what_stands_beside_the_settings_cannot_be_set() -> None:
    for name in ("uuid", "config_version", "backend.conf", "tracing.enabled"):
        with pytest.raises(InvalidArgument, match="which cannot be set"):
            settings.changed({}, {name: "1"}, "cluster")


def test_a_section_may_be_one_setting_or_everything() -> None:
    assert [r.name for r in settings.section("checksum.type", "bucket")] == ["checksum.type"]
    assert tuple(r.name for r in settings.section("", "bucket")) == settings.names("bucket")


@pytest.mark.parametrize("prefix", ["net.http", "nothing", "check"])
def test_a_section_unknown_to_the_scope_is_refused(prefix: str) -> None:
    with pytest.raises(InvalidArgument, match=f"bucket props has no setting '{prefix}'"):
        settings.section(prefix, "bucket")


@pytest.mark.parametrize(
    ("name", "raw", "value"),
    [
        ("checksum.type", "md5", "md5"),
        ("checksum.validate_cold_get", "yes", True),
        ("checksum.validate_cold_get", "0", False),
        ("mirror.copies", "3", 3),
        ("ec.objsize_limit", -1, -1),
        ("lru.dont_evict_time", "1h30m", "1h30m"),
        ("multipart.min_part_size", " 5MiB ", "5MiB"),
        ("multipart.min_part_size", 5242880, "5242880"),
        ("access", "18446744073709551615", (1 << 64) - 1),
        ("features", "none", 0),
        ("features", "Streaming-Cold-GET", 1 << 12),
        ("extra.aws.multipart_size", "-1", "-1"),
        ("extra.aws.multipart_size", "0", "0"),
        ("extra.aws.multipart_size", "5MiB", "5MiB"),
        ("chunks.flags", "3", 3),
    ],
)
def test_text_and_json_become_canonical(name: str, raw: object, value: settings.Value) -> None:
    assert settings.parse(name, raw, "bucket") == value


@pytest.mark.parametrize(
    ("name", "raw", "problem"),
    [
        ("checksum.type", "md4", "expected one of none, xxhash, xxhash2, md5"),
        ("checksum.type", None, "expected text"),
        ("checksum.validate_cold_get", "maybe", "expected true or false"),
        ("checksum.validate_cold_get", 1, "expected true or false"),
        ("mirror.copies", True, "expected a whole number"),
        ("mirror.copies", "1_0", "expected a whole number"),
        ("mirror.copies", "٣", "expected a whole number"),
        ("mirror.copies", 0, "expected a number from 1 to 32"),
        ("lru.dont_evict_time", "soon", "expected a duration"),
        ("multipart.min_part_size", "-1", "expected a size"),
        ("multipart.min_part_size", True, "expected text"),
        ("access", "-1", "expected a number from 0"),
        ("access", str(1 << 64), "expected a number from 0"),
        ("features", 1.5, "expected feature names"),
        ("features", "S3-API-via-Root", "cannot be set on a bucket"),
        ("features", "No-Such", "there is no feature 'No-Such'"),
        ("features", [1], "expected feature names"),
        ("chunks.chunk_size", "-1", "expected a size"),
        ("extra.aws.multipart_size", "4MiB", "expected 5MiB to 5GiB"),
        ("extra.aws.multipart_size", "6GiB", "expected 5MiB to 5GiB"),
        ("mirror.copies", "9" * 5000, "expected a whole number"),
        ("extra.custom", "\ud800", "control characters"),
        ("net.http.use_https", "true", "bucket props has no setting"),
    ],
)
def test_a_bad_value_is_refused_with_setting_and_problem(
    name: str, raw: object, problem: str
) -> None:
    with pytest.raises(InvalidArgument, match=problem) as caught:
        settings.parse(name, raw, "bucket")
    assert caught.value.name == name


def test_a_list_of_words_is_a_list_in_json() -> None:
    name = "auth.oidc.allowed_iss"
    for raw in (["a", " b"], "a,b", "a, b,"):
        value = settings.parse(name, raw, "cluster")
        assert (value, settings.to_json(name, value)) == ("a,b", ["a", "b"])
    for wrong in ([1], 7, {"a": 1}):
        with pytest.raises(InvalidArgument, match="expected words"):
            settings.parse(name, wrong, "cluster")


def test_control_characters_cannot_enter_text() -> None:
    with pytest.raises(InvalidArgument, match="control characters"):
        settings.parse("net.http.server_crt", "a\nb", "cluster")


def test_nested_json_has_the_shape_of_aistore_and_comes_back() -> None:
    defaults = settings.cluster_defaults()
    nested = settings.nest(defaults)
    assert nested["checksum"]["type"] == "xxhash"
    assert nested["net"]["http"]["write_buffer_size"] == 65536
    assert nested["features"] == "8"  # a 64-bit mask is a decimal string
    raw = settings.flatten(json.loads(json.dumps(nested)))
    fixed = {row.name for row in settings.SETTINGS.values() if row.fixed}
    expected = {name: value for name, value in defaults.items() if name not in fixed}
    assert settings.changed({}, raw, "cluster") == expected


def test_watermarks_keep_their_order_also_against_the_present_values() -> None:
    assert settings.changed({}, {"space.lowwm": "80"}, "cluster") == {"space.lowwm": 80}
    with pytest.raises(InvalidArgument, match=r"space.lowwm \(91\) must not exceed space.highwm"):
        settings.changed({}, {"space.lowwm": 91}, "cluster")
    with pytest.raises(InvalidArgument, match=r"space.highwm \(99\) must not exceed"):
        settings.changed({"space.highwm": 99}, {"space.lowwm": 70}, "cluster")


def test_a_new_bucket_takes_a_snapshot_of_the_cluster() -> None:
    cluster = settings.cluster_defaults() | {"checksum.type": "md5", "features": 8 | 1 << 11}
    props = settings.bucket_defaults(cluster)
    assert tuple(props) == settings.names("bucket")
    assert props["checksum.type"] == "md5"
    assert props["features"] == 1 << 11  # flags of the cluster alone stay there
    assert props["lru.enabled"] is False
    assert settings.bucket_defaults(cluster, remote=True)["lru.enabled"] is True


def test_every_feature_name_leads_to_its_bit_and_back() -> None:
    for feature in features.FEATURES:
        assert features.parse_features(feature.name) == feature.mask
        assert features.parse_features(feature.name.lower()) == feature.mask
        assert features.names_of(feature.mask) == [feature.name]
        assert features.parse_features([feature.name], bucket=feature.per_bucket) == feature.mask
    assert len(features.FEATURES) == 28
    assert features.names_of(features.DEFAULT_MASK) == ["S3-API-via-Root"]


def test_features_are_read_in_every_form_aistore_writes() -> None:
    assert features.parse_features("8") == 8
    assert features.parse_features("0x8") == 8
    assert features.parse_features("S3-API-via-Root, Fsync-PUT") == 24
    assert features.parse_features("S3-API-via-Root Fsync-PUT") == 24
    assert features.parse_features("Presigned-S3-Req") == 1 << 9
    assert features.parse_features(str(1 << 63)) == 1 << 63  # unknown bits are kept


@pytest.mark.parametrize(
    "text",
    [
        "Disable-Cold-GET,Streaming-Cold-GET",
        "S3-Reverse-Proxy,S3-Redirect-Rebuild",
        str(1 << 64),
        -1,
        "0xzz",
    ],
)
def test_contradicting_or_impossible_masks_are_refused(text: str | int) -> None:
    with pytest.raises(InvalidArgument, match="features: "):
        features.parse_features(text)


@pytest.mark.parametrize(
    ("text", "size"),
    [("0", 0), ("65536", 65536), ("4MiB", 4 << 20), ("4mb", 4 << 20), ("1.5k", 1536)],
)
def test_sizes_are_powers_of_1024(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "MiB", "1 2", "9EiB", "1e3", "-1", "4Mi B"])
def test_other_sizes_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="expected a size"):
        parse_size(text)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("0", 0), ("120m", 7200), ("7d", 604800), ("1h30m", 5400), ("0.5s", 0.5), ("2w", 1209600)],
)
def test_durations_are_nanoseconds(text: str, seconds: float) -> None:
    assert parse_duration(text) == int(seconds * 1e9)
    assert settings.nanoseconds(text) == int(seconds * 1e9)


@pytest.mark.parametrize("text", ["", "7", "d", "1h 2m", "1x", "-1s", "99999w"])
def test_other_durations_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="expected a duration"):
        parse_duration(text)
