"""Whatever goes wrong is one line and an exit code, never a traceback."""

import contextlib
import re
import socket
import subprocess
import threading

import pytest

from aisle import __version__
from aisle.cli.commands import COMMANDS, GROUPS
from aisle.cli.failure import Failure
from aisle.cli.main import run
from aisle.cli.words import ABSENT, ALL_GROUPS, below
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
    assert "log in, or sign with an access key" in ais("ls", env=nothing, code=1).stderr


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
def test_words_that_make_no_command(words: list[str]) -> None:
    with pytest.raises(Failure, match=r" \(see 'ais.* --help'\)$"):
        run(words)


@pytest.mark.parametrize(
    ("words", "likely"),
    [
        ("lss", "ais ls"),
        ("bucket shwo", "ais bucket show"),
        ("bucket props sett", "ais bucket props set"),
        ("ls --limt 3", "--limit"),
        ("put --recursiv x ais://abc", "--recursive"),
        ("props", "ais bucket props set"),
    ],
)
def test_a_mistyped_word_is_told_what_was_probably_meant(words: str, likely: str) -> None:
    with pytest.raises(Failure, match=f'Did you mean: "{likely}"'):
        run(words.split())


def test_nothing_is_suggested_where_nothing_is_alike() -> None:
    with pytest.raises(Failure) as told:
        run(["xyzzy"])
    assert str(told.value) == "\"xyzzy\" is not a command of ais (see 'ais --help')"


@pytest.mark.parametrize("word", sorted(ABSENT))
def test_what_only_aistore_has_is_refused_as_such(word: str) -> None:
    with pytest.raises(Failure, match=f'does not have AIStore\'s command "{word}"'):
        run([word, "show"])


def test_a_mistake_is_one_line_and_exit_code_1(ais: Ais) -> None:
    assert '"nonsense" is not a command' in ais("nonsense", code=1).stderr
    assert 'no option "--nonsense" before' in ais("--nonsense", "ls", code=1).stderr


def test_the_endpoint_that_is_given_stands_over_the_environment(ais: Ais, own: Node) -> None:
    nowhere = {"AIS_ENDPOINT": f"http://127.0.0.1:{free_port()}"}
    for words in (
        ["ls", "--endpoint", own.root],
        ["--endpoint", own.root, "ls"],
        [f"--endpoint={own.root}", "--no-color", "ls"],
    ):
        assert ais(*words, env=nowhere).stdout == ""


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
    with contextlib.suppress(SystemExit):
        assert run([*name.split(), "--help"]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith(f"usage: ais {name} ")
    commands = {name for c in COMMANDS for name in c.names}
    section = "^examples:" if name in commands else "^commands:"
    assert re.search(section, shown, re.MULTILINE)
    assert run(["help", *name.split()]) == 0
    assert capsys.readouterr().out == shown


def test_every_command_of_aistore_is_there_or_refused() -> None:
    # The top level of AIStore's `ais` 5.0.
    words = (
        "advanced alias archive auth blob-download bucket cluster config cp create dsort download"
        " etl evict get help job log ls ml mpu nbi object performance prefetch put remote-cluster"
        " rmb rmo scrub search show space-cleanup start stop storage tls wait"
    )
    ours = set(below(""))
    assert {word for word in words.split() if word not in ours} == ABSENT


def test_every_group_says_what_it_is_for() -> None:
    assert set(GROUPS) == set(ALL_GROUPS)


def test_a_command_is_found_by_a_word(ais: Ais) -> None:
    shown = ais("search", "bucket").stdout.splitlines()
    assert shown[0].split() == ["COMMAND", "DESCRIPTION"]
    assert any(line.startswith("ais bucket props set ") for line in shown)
    assert any(line.startswith("ais put ") for line in shown)
    assert all(
        line.startswith("ais show")
        for line in ais("search", "--regex", "^show").stdout.splitlines()[1:]
    )
    assert "no command" in ais("search", "xyzzy", code=1).stderr
    assert "--regex" in ais("search", "--regex", "(", code=1).stderr
    assert "name a word" in ais("search", code=1).stderr


def test_what_is_missing_is_what_is_needed() -> None:
    """Arguments that may be left out are not named among those that were."""
    for words, missing in ((["start"], "KIND"), (["auth", "add", "user"], "NAME")):
        with pytest.raises(Failure, match=rf"arguments are required: {missing} \(see"):
            run(words)
