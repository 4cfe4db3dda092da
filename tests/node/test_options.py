"""Options: precedence, checks, and what must never show."""

import pickle
from pathlib import Path

import pytest

from aisle.core.errors import ConfigError
from aisle.node.command import banner
from aisle.node.convert import STANDARD_OUTPUT
from aisle.node.options import NodeOptions, load
from aisle.node.optiontable import OPTIONS

KEYS = {"AISLE_ROOT_ACCESS_KEY": "admin", "AISLE_ROOT_SECRET_KEY": "top-secret-words"}


def test_defaults_are_those_of_the_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    options = load([], {})
    assert options.data == tmp_path / ".aisle"
    assert options.mountpaths == (tmp_path / ".aisle" / "disk",)
    assert (options.host, options.port, options.region) == ("127.0.0.1", 8080, "us-east-1")
    assert options.domains == ("localhost",)
    assert options.website_domains == ("s3-website.localhost",)
    assert options.workers >= 1
    assert options.stop_timeout == 30
    assert options.access_log
    assert not options.auth_enabled
    assert options.endpoint == "http://localhost:8080"


def test_the_command_line_wins_over_the_environment_and_that_over_the_file(tmp_path: Path) -> None:
    file = tmp_path / "node.toml"
    file.write_text('port = 1001\nregion = "file"\nlog_level = "error"\ndomain = ["a.b", "c/s3"]\n')
    environ = {"AISLE_PORT": "1002", "AISLE_REGION": "environment", "AISLE_CONFIG": str(file)}
    options = load(["--port", "1003"], environ)
    assert (options.port, options.region, options.log_level) == (1003, "environment", "error")
    assert options.domains == ("a.b", "c/s3")
    assert load(["--config", str(file)], {}).port == 1001


ALONE = {
    "data": "/x/data", "mountpath": "/x/a,/x/b", "durability": "relaxed", "host": "::1",
    "forget_mountpath": "true",
    "port": "81", "domain": "s3.example.org,other/s3",
    "website_domain": "web.example.org,other.web", "region": "eu", "workers": "3",
    "stop_timeout": "2m", "root_access_key": "admin", "root_secret_key": "0123456789",
    "auth": "on", "root_password": "letmein123",
    "insecure": "true", "log_level": "debug", "log_format": "json", "access_log": "false",
    "tls": "auto", "tls_cert": "/x/server.crt", "tls_key": "/x/server.key",
    "promote_dir": "/x/in", "audit": "all", "audit_file": "/x/audit.jsonl",
    "tls_client_ca": "/x/clients.crt", "tls_client_auth": "optional", "tls_min": "1.3",
    "trusted_proxy": "10.0.0.0/8,::1", "max_connections": "100", "max_requests": "50",
    "header_timeout": "5s", "body_timeout": "6s", "send_timeout": "7s",
    "row_cache": "64MiB",
}  # fmt: skip
TOGETHER = {
    "index": "postgresql://aisle@db:5432/aisle", "blobs": "s3://bucket/prefix?endpoint=http://s:9",
    "blobs_access_key": "keeper", "blobs_secret_key": "9876543210",
    "key_ring": f"aisle/1:{'A' * 43}=,reports/1:{'B' * 42}A=",
    "advertise": "https://gateway-1:8080", "node_id": "gateway-1", "tls_self_signed": "true",
}  # fmt: skip
FILES = {
    "event_targets",
    "key_ring_file",
    "root_access_key_file",
    "root_secret_key_file",
    "root_password_file",
}
PLAIN = {
    "port",
    "workers",
    "max_connections",
    "max_requests",
    "insecure",
    "forget_mountpath",
    "tls_self_signed",
    "access_log",
}
LISTS = {
    "mountpath": '["/x/a", "/x/b"]',
    "domain": '["s3.example.org", "other/s3"]',
    "website_domain": '["web.example.org", "other.web"]',
    "trusted_proxy": '["10.0.0.0/8", "::1"]',
}


def in_all_ways(values: dict[str, str], directory: Path) -> NodeOptions:
    """What `load` makes of `values` by the environment, a file and the command line: the same."""
    rows = [option for option in OPTIONS if option.name in values]
    by_environment = load([], {option.env: values[option.name] for option in rows})
    file = directory / "node.toml"
    file.write_text(
        "".join(
            f"{name} = {LISTS.get(name) or (value if name in PLAIN else repr(value))}\n"
            for name, value in values.items()
        )
    )
    command = []
    for option in rows:
        if option.kind == "bool":
            on = values[option.name] == "true"
            command.append(option.flag if on else option.flag.replace("--", "--no-", 1))
        elif option.flag:
            for item in values[option.name].split(","):
                command += [option.flag, item]
    secrets = {option.env: values[option.name] for option in rows if option.kind == "secret"}
    by_command = load(command, secrets)
    assert by_environment == load(["--config", str(file)], {}) == by_command
    return by_command


def test_every_option_can_be_set_in_all_its_ways(tmp_path: Path) -> None:
    assert ALONE.keys() | TOGETHER.keys() | FILES == {option.name for option in OPTIONS}
    alone = in_all_ways(ALONE, tmp_path)
    assert alone.mountpaths == (Path("/x/a"), Path("/x/b"))
    assert alone.stop_timeout == 120
    assert alone.row_cache == 64 << 20
    assert alone.endpoint == "https://[::1]:81"
    assert (alone.tls_cert, alone.tls_key) == (Path("/x/server.crt"), Path("/x/server.key"))
    assert alone.embedded
    together = in_all_ways(TOGETHER, tmp_path)
    assert (together.index, together.blobs) == (TOGETHER["index"], TOGETHER["blobs"])
    assert together.mountpaths == ()
    assert not together.embedded


def test_secrets_may_be_in_files(tmp_path: Path) -> None:
    secrets = {
        "root_access_key": "admin",
        "root_secret_key": "0123/5678",
        "root_password": "pass word",
    }
    for name, text in secrets.items():
        (tmp_path / name).write_text(f"{text}\r\n")
    assert {f"{name}_file" for name in secrets} == FILES - {"event_targets", "key_ring_file"}
    options = in_all_ways({f"{name}_file": str(tmp_path / name) for name in secrets}, tmp_path)
    assert options.auth_enabled
    assert {name: getattr(options, name) for name in secrets} == secrets
    assert "0123/5678" not in repr(options)
    file = tmp_path / "node.toml"
    file.write_text('root_access_key_file = "root_access_key"\nroot_secret_key = "abcdefgh"\n')
    assert load(["--config", str(file)], {}).root_access_key == "admin"


def test_a_key_ring_is_in_a_file_or_in_the_environment(tmp_path: Path) -> None:
    text = TOGETHER["key_ring"]
    file = tmp_path / "keys"
    file.write_text(text.replace(",", "\n"))
    by_file = load(["--key-ring-file", str(file)], {}).ring
    assert by_file == load([], {"AISLE_KEY_RING": text}).ring != load([], {}).ring
    assert repr(by_file) == "Ring(aisle/1, reports/1)"
    assert "AAAA" not in repr(load([], {"AISLE_KEY_RING": text}))
    with pytest.raises(ConfigError, match="one or the other"):
        load(["--key-ring-file", str(file)], {"AISLE_KEY_RING": text})
    for wrong in ("aisle/1:AAAA", f"{text},{text}", "reports/1:" + "A" * 43 + "="):
        with pytest.raises(ConfigError) as caught:
            load([], {"AISLE_KEY_RING": wrong})
        assert "AAAA" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "No such file"),
        (b"", "one line of text"),
        (b"\n", "one line of text"),
        (b"short", "at least 8"),
        (b"0123456789\nsecond-line", "control characters"),
        (b"\xff\xfe0123456789", "UTF-8"),
        (b"x" * 1025, "one line of text"),
    ],
)
def test_a_wrong_file_of_a_secret_is_told_without_its_content(
    tmp_path: Path, content: bytes | None, said: str
) -> None:
    file = tmp_path / "secret"
    if content is not None:
        file.write_bytes(content)
    environ = {"AISLE_ROOT_ACCESS_KEY": "admin", "AISLE_ROOT_SECRET_KEY_FILE": str(file)}
    with pytest.raises(ConfigError, match=said) as caught:
        load([], environ)
    assert "short" not in str(caught.value)
    assert "0123456789" not in str(caught.value)


def test_a_secret_is_given_once(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text("0123456789")
    with pytest.raises(ConfigError, match="root_secret_key and root_secret_key_file"):
        load(["--root-secret-key-file", str(file)], KEYS)
    with pytest.raises(ConfigError, match="AISLE_ROOT_SECRET_KEY is set but"):
        load(["--root-secret-key-file", str(file)], {})


@pytest.mark.parametrize(
    ("arguments", "environ", "enabled"),
    [
        ([], {}, False),
        ([], KEYS, True),
        (["--auth", "on"], {}, True),
        (["--auth", "on"], KEYS, True),
        (["--auth", "off"], {}, False),
        (["--auth", "off"], KEYS, False),
        (["--auth", "on", "--host", "0.0.0.0"], {}, True),
    ],
)
def test_authentication_is_on_if_keys_are_given_or_if_it_is_asked_for(
    arguments: list[str], environ: dict[str, str], enabled: bool
) -> None:
    assert load(arguments, environ).auth_enabled == enabled


def test_authentication_that_was_turned_off_leaves_the_node_on_loopback() -> None:
    with pytest.raises(ConfigError, match="authentication is off"):
        load(["--auth", "off", "--host", "0.0.0.0"], KEYS)
    assert load(["--auth", "off", "--host", "0.0.0.0", "--insecure"], KEYS).insecure


def test_paths_in_a_file_are_relative_to_the_file(tmp_path: Path) -> None:
    file = tmp_path / "node.toml"
    file.write_text(
        'data = "data"\nmountpath = ["../d1"]\ntls_cert = "a.crt"\ntls_key = "/etc/a.key"\n'
    )
    options = load(["--config", str(file)], {})
    assert (options.tls_cert, options.tls_key) == (tmp_path / "a.crt", Path("/etc/a.key"))
    assert options.data == tmp_path / "data"
    assert options.mountpaths == (tmp_path.parent / "d1",)


def test_an_empty_variable_counts_as_unset() -> None:
    assert load([], {"AISLE_PORT": "", "AISLE_ROOT_ACCESS_KEY": ""}).port == 8080


def test_secrets_show_neither_in_repr_nor_in_help(capsys: pytest.CaptureFixture[str]) -> None:
    options = load([], KEYS)
    assert options.auth_enabled
    assert "top-secret" not in repr(options)
    assert "admin" not in repr(options)
    with pytest.raises(SystemExit):
        load(["--help"], KEYS)
    shown = capsys.readouterr().out
    assert "top-secret" not in shown
    for option in OPTIONS:
        assert (option.flag or option.env) in shown


def test_options_travel_to_another_process() -> None:
    options = load([], KEYS)
    copy = pickle.loads(pickle.dumps(options))
    assert isinstance(copy, NodeOptions)
    assert copy == options


@pytest.mark.parametrize(
    ("arguments", "environ", "message"),
    [
        (["--port", "x"], {}, r"port \(command line\): expected a number from 1 to 65535, got 'x'"),
        ([], {"AISLE_PORT": "70000"}, r"port \(environment\): expected a number from 1 to 65535"),
        (["--workers", "0"], {}, "workers .* from 1 to 256"),
        (["--stop-timeout", "soon"], {}, "stop_timeout .* expected a duration"),
        (["--row-cache", "much"], {}, "row_cache .* expected a size"),
        (["--row-cache", "2TiB"], {}, "row_cache .* expected from 0 to"),
        (["--durability", "none"], {}, "expected one of strict, relaxed"),
        (["--domain", "http://x"], {}, "expected host names"),
        (["--host", "a b"], {}, "expected an address"),
        (["--region", "a/b"], {}, "expected letters"),
        (["--data", ""], {}, "expected a directory"),
        (["--mountpath", "/x", "--mountpath", "/x"], {}, "given twice"),
        (["--data", "/x/d", "--promote-dir", "/x"], {}, "must not lie in each other"),
        (["--mountpath", "/x", "--promote-dir", "/x/in"], {}, "must not lie in each other"),
        (["--insecure=maybe"], {}, "ignored explicit argument"),
        ([], {"AISLE_INSECURE": "maybe"}, "expected true or false"),
        (["--nothing"], {}, "unrecognized arguments: --nothing"),
        (["--por", "1"], {}, "unrecognized arguments"),
        (["--config", "/nowhere.toml"], {}, "cannot read /nowhere.toml: No such file"),
        ([], {"AISLE_ROOT_ACCESS_KEY": "admin"}, "but AISLE_ROOT_SECRET_KEY is not"),
        ([], {"AISLE_ROOT_SECRET_KEY": "12345678"}, "but AISLE_ROOT_ACCESS_KEY is not"),
        ([], KEYS | {"AISLE_ROOT_ACCESS_KEY": "a/b"}, "root_access_key .* letters, digits"),
    ],
)
def test_a_wrong_option_is_a_config_error_that_names_it(
    arguments: list[str], environ: dict[str, str], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        load(arguments, environ)


def test_a_wrong_secret_is_not_repeated() -> None:
    with pytest.raises(ConfigError) as caught:
        load([], KEYS | {"AISLE_ROOT_SECRET_KEY": "short"})
    assert "short" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [("port = ", "is not valid TOML"), ("prot = 1", "there is no option 'prot'"),
     ("port = true", "expected a number"), ("data = 1", "expected text"),
     ("domain = [1]", "expected text"), ("access_log = 1", "expected true or false")],
)  # fmt: skip
def test_a_wrong_file_is_a_config_error(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "node.toml"
    file.write_text(text)
    with pytest.raises(ConfigError, match=message):
        load(["--config", str(file)], {})


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.2", "example.org"])
def test_an_open_node_off_loopback_needs_insecure(host: str) -> None:
    with pytest.raises(ConfigError, match=r"set AISLE_ROOT_ACCESS_KEY .* or add --insecure"):
        load(["--host", host], {})
    assert load(["--host", host, "--insecure"], {}).host == host
    assert load(["--host", host], KEYS).auth_enabled


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "::1", "localhost", "[::1]"])
def test_an_open_node_may_listen_on_loopback(host: str) -> None:
    assert not load(["--host", host], {}).auth_enabled


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--index", "mysql://db/aisle"], "postgresql://"),
        (["--index", "postgresql://"], "names a place"),
        (["--index", "postgresql://db:port/aisle"], "expected a URL"),
        (["--blobs", "gs://bucket"], "rados://"),
        (["--blobs", "rados://pool", "--mountpath", "/x"], "one place or the other"),
        (["--index", "postgresql://db/aisle", "--durability", "relaxed"], "relax"),
        (["--index", "postgresql://aisle:pass-word@db/aisle"], "password"),
        (["--advertise", "gateway"], "http://NAME:PORT"),
        (["--node-id", "a b"], "letters"),
    ],
)
def test_what_names_no_cluster_is_refused(arguments: list[str], said: str) -> None:
    with pytest.raises(ConfigError, match=said) as refused:
        load(arguments, {})
    assert "pass-word" not in str(refused.value)


def test_a_password_in_a_url_shows_nowhere() -> None:
    options = load([], {"AISLE_INDEX": "postgresql://aisle:pass-word@db/aisle"})
    assert options.index == "postgresql://aisle:pass-word@db/aisle"
    assert "pass-word" not in repr(options)
    assert "pass-word" not in banner(options)


def test_the_audit_log_has_a_place_of_its_own(tmp_path: Path) -> None:
    options = load(["--data", "/x/data"], {})
    assert (options.audit, options.audit_file) == ("changes", Path("/x/data/log/audit.jsonl"))
    file = tmp_path / "node.toml"
    file.write_text('audit_file = "-"\naudit = "off"')
    options = load(["--config", str(file)], {})
    assert (options.audit, options.audit_file) == ("off", STANDARD_OUTPUT)
    file.write_text('audit_file = "audit.jsonl"')
    assert load(["--config", str(file)], {}).audit_file == tmp_path / "audit.jsonl"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--website-domain", "web.example.org/s3"], "no path in front"),
        (["--website-domain", "http://web"], "expected host names"),
        (["--domain", "a.b/s3", "--website-domain", "a.b"], "a.b cannot be both"),
    ],
)
def test_a_website_domain_is_a_host_of_its_own(arguments: list[str], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        load(arguments, {})
