"""Options: precedence, checks, and what must never show."""

import pickle
from pathlib import Path

import pytest

from aisle.core.errors import ConfigError
from aisle.node.options import OPTIONS, NodeOptions, load

KEYS = {"AISLE_ROOT_ACCESS_KEY": "admin", "AISLE_ROOT_SECRET_KEY": "top-secret-words"}


def test_defaults_are_those_of_the_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    options = load([], {})
    assert options.data == tmp_path / ".aisle"
    assert options.mountpaths == (tmp_path / ".aisle" / "disk",)
    assert (options.host, options.port, options.region) == ("127.0.0.1", 8080, "us-east-1")
    assert options.domains == ("localhost",)
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


def test_every_option_can_be_set_in_all_its_ways(tmp_path: Path) -> None:
    values = {
        "data": "/x/data", "mountpath": "/x/a,/x/b", "durability": "relaxed", "host": "::1",
        "forget_mountpath": "true",
        "port": "81", "domain": "s3.example.org,other/s3", "region": "eu", "workers": "3",
        "stop_timeout": "2m", "root_access_key": "admin", "root_secret_key": "0123456789",
        "insecure": "true", "log_level": "debug", "log_format": "json", "access_log": "false",
    }  # fmt: skip
    assert set(values) == {option.name for option in OPTIONS}
    by_environment = load([], {option.env: values[option.name] for option in OPTIONS})
    file = tmp_path / "node.toml"
    lists = {"mountpath": '["/x/a", "/x/b"]', "domain": '["s3.example.org", "other/s3"]'}
    plain = {
        "port": "81",
        "workers": "3",
        "insecure": "true",
        "forget_mountpath": "true",
        "access_log": "false",
    }
    file.write_text(
        "".join(
            f"{name} = {lists.get(name) or plain.get(name) or repr(value)}\n"
            for name, value in values.items()
        )
    )
    by_file = load(["--config", str(file)], {})
    command = []
    for option in OPTIONS:
        if option.kind == "bool":
            on = values[option.name] == "true"
            command.append(option.flag if on else option.flag.replace("--", "--no-", 1))
        elif option.flag:
            for item in values[option.name].split(","):
                command += [option.flag, item]
    keys = {name: values[name[6:].lower()] for name in KEYS}
    by_command = load(command, keys)
    assert by_environment == by_file == by_command
    assert by_command.mountpaths == (Path("/x/a"), Path("/x/b"))
    assert by_command.stop_timeout == 120
    assert by_command.endpoint == "http://[::1]:81"


def test_paths_in_a_file_are_relative_to_the_file(tmp_path: Path) -> None:
    file = tmp_path / "node.toml"
    file.write_text('data = "data"\nmountpath = ["../d1"]\n')
    options = load(["--config", str(file)], {})
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
        (["--durability", "none"], {}, "expected one of strict, relaxed"),
        (["--domain", "http://x"], {}, "expected host names"),
        (["--host", "a b"], {}, "expected an address"),
        (["--region", "a/b"], {}, "expected letters"),
        (["--data", ""], {}, "expected a directory"),
        (["--mountpath", "/x", "--mountpath", "/x"], {}, "given twice"),
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
