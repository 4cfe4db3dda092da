"""Whatever goes wrong is one line and an exit code, never a traceback."""

import re
import socket
import subprocess
import threading

import pytest

from aisle import __version__
from aisle.cli.commands import COMMANDS, GROUPS, build_parser
from tests.cli.conftest import Ais, environment
from tests.harness import BIN, Node, free_port


def test_nobody_there(ais: Ais) -> None:
    port = free_port()
    error = ais("ls", env={"AIS_ENDPOINT": f"http://127.0.0.1:{port}"}, code=1).stderr
    assert f"cannot connect to http://127.0.0.1:{port}: Connection refused" in error
    assert "AIS_ENDPOINT" in error


@pytest.mark.parametrize(
    "endpoint", ["ftp://x", "http://", "http://x:notaport", "http://localhost:8080/s3"]
)
def test_an_endpoint_that_is_none(ais: Ais, endpoint: str) -> None:
    assert "AIS_ENDPOINT" in ais("ls", env={"AIS_ENDPOINT": endpoint}, code=1).stderr


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"SSH-2.0-OpenSSH\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n[",
        b"HTTP/1.1 500 Oh no\r\nContent-Length: 4\r\n\r\n<ht>",
        b"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\n[]",
    ],
)
def test_somebody_else_there(ais: Ais, answer: bytes) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        port = server.getsockname()[1]
        ais("ls", env={"AIS_ENDPOINT": f"127.0.0.1:{port}"}, code=1)
        thread.join()


def test_wrong_and_missing_keys(ais: Ais) -> None:
    error = ais("ls", env={"AISLE_ROOT_SECRET_KEY": "wrong"}, code=1).stderr
    assert error == "Error: the request signature does not match\n"
    nothing = {"AISLE_ROOT_ACCESS_KEY": "", "AISLE_ROOT_SECRET_KEY": ""}
    assert "signed requests" in ais("ls", env=nothing, code=1).stderr


def test_the_keys_of_the_aws_tools_do_too(ais: Ais, own: Node) -> None:
    keys = environment(own)
    ais("ls", env={
        "AISLE_ROOT_ACCESS_KEY": "",
        "AWS_ACCESS_KEY_ID": keys["AISLE_ROOT_ACCESS_KEY"],
        "AWS_SECRET_ACCESS_KEY": keys["AISLE_ROOT_SECRET_KEY"],
    })  # fmt: skip


def test_an_open_node_needs_no_keys(ais: Ais, open_node: Node, open_bucket: str) -> None:
    keys = {"AIS_ENDPOINT": open_node.root, "AISLE_ROOT_ACCESS_KEY": ""}
    ais("put", "-", f"ais://{open_bucket}/x", input="x", env=keys)
    assert ais("ls", f"ais://{open_bucket}", "-H", env=keys).stdout == "x   1B\n"


def test_files_that_cannot_be_read(ais: Ais, bck: str) -> None:
    error = ais("put", "nothing", bck, code=1).stderr
    assert error == "Error: nothing: No such file or directory\n"


def test_a_refused_upload_tells_why(ais: Ais) -> None:
    # More than the node takes in before it closes, so the error comes in the middle of it.
    done = ais("put", "-", "ais://none/x", input="x" * (32 << 20), code=1)
    assert 'bucket "ais://none" does not exist' in done.stderr


@pytest.mark.parametrize(
    "words",
    [
        ["nonsense"],
        ["bucket", "nonsense"],
        ["ls", "--nonsense"],
        ["put", "one"],
        ["ls", "--limit", "x"],
        ["bucket", "props", "set", "ais://abc"],
    ],
)
def test_words_that_make_no_command(capsys: pytest.CaptureFixture[str], words: list[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        build_parser().parse_args(words)
    assert ended.value.code == 1
    error = capsys.readouterr().err
    assert re.fullmatch(r"Error: .* \(see 'ais.* --help'\)\n", error)


def test_a_mistake_is_one_line_and_exit_code_1(ais: Ais) -> None:
    assert "invalid choice: 'nonsense'" in ais("nonsense", code=1).stderr


def test_a_reader_that_goes_away_is_no_error_message(ais: Ais, own: Node, bck: str) -> None:
    ais("put", "-", f"{bck}/x", input="x" * (4 << 20))
    done = subprocess.run(
        ["bash", "-c", f"{BIN}/ais get {bck}/x - | head -c 1; echo ${{PIPESTATUS[0]}}"],
        env=environment(own),
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert (done.stdout, done.stderr) == ("x1\n", "")


def test_the_version(ais: Ais) -> None:
    assert ais("--version").stdout == f"ais {__version__}\n"


@pytest.mark.parametrize("name", ["", "bucket", "bucket props", "show"])
def test_a_group_alone_shows_its_help(ais: Ais, name: str) -> None:
    shown = ais(*name.split()).stdout
    assert shown.startswith(f"usage: ais {name}".rstrip())
    assert ais(*name.split(), "--help").stdout == shown


@pytest.mark.parametrize("name", [*GROUPS, *(name for c in COMMANDS for name in c.names)])
def test_help_helps_at_every_level(capsys: pytest.CaptureFixture[str], name: str) -> None:
    with pytest.raises(SystemExit) as ended:
        build_parser().parse_args([*name.split(), "--help"])
    assert ended.value.code == 0
    shown = capsys.readouterr().out
    assert shown.startswith(f"usage: ais {name} ")
    assert re.search("^commands:" if name in GROUPS else "^examples:", shown, re.MULTILINE)
