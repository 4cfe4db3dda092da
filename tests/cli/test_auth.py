"""`ais auth`: every command and table, what scripts read, and what is refused in a line."""

from __future__ import annotations

import io
import json
import re
import signal
import stat
import subprocess
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import pexpect
import pytest

from aisle.cli.main import main
from aisle.client import Client, Keys
from aisle.core import permissions
from tests.cli.conftest import Ais, environment
from tests.client.server import scripted
from tests.harness import ACCESS_KEY, BIN, SECRET_KEY, Node, free_port
from tests.people import forget_everybody

PASSWORD = "correct horse"
NOBODY = {"AISLE_ROOT_ACCESS_KEY": "", "AISLE_ROOT_SECRET_KEY": ""}


@pytest.fixture
def home(tmp_path: Path) -> dict[str, str]:
    """Where the token is kept, and no keys: what is done is done with the token."""
    return {"XDG_CONFIG_HOME": str(tmp_path / "home"), **NOBODY}


@pytest.fixture
def ais(own: Node, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Ais]:
    """Run a command in this process, in an empty directory; users and roles go afterwards."""
    monkeypatch.chdir(tmp_path)

    def run(
        *words: str, code: int = 0, env: dict[str, str] | None = None, input: str = ""
    ) -> subprocess.CompletedProcess[str]:
        out, err = io.StringIO(), io.StringIO()
        with monkeypatch.context() as patch:
            patch.setattr("os.environ", environment(own) | (env or {}))
            patch.setattr("sys.stdin", io.StringIO(input))
            with redirect_stdout(out), redirect_stderr(err):
                ended = main(words)
        assert ended == code, err.getvalue()
        if code == 1:
            assert re.fullmatch("Error: .+\n", err.getvalue())
        return subprocess.CompletedProcess(words, ended, out.getvalue(), err.getvalue())

    handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)}
    yield run
    for number, handler in handlers.items():
        signal.signal(number, handler)
    with Client(own.root, keys=Keys(ACCESS_KEY, SECRET_KEY)) as client:
        forget_everybody(client)
        for bucket in client.buckets():
            bucket.destroy()


def shape(line: str) -> str:
    return re.sub(r" {2,}", "|", line.strip())


def shapes(text: str) -> list[str]:
    return [shape(line) for line in text.splitlines()]


def told(ais: Ais, *words: str) -> Any:
    return json.loads(ais("auth", "show", *words, "--json").stdout)


def test_users_come_in_a_table(ais: Ais) -> None:
    ais("auth", "add", "role", "readers", "ro", "--desc", "may look")
    made = ais("auth", "add", "user", "alice", "readers", "-p", PASSWORD).stdout
    assert re.fullmatch(r'User "alice" added \(account \d{12}\)\n', made)
    ais("auth", "add", "user", "bob")
    shown = ais("auth", "show", "user").stdout
    assert shapes(shown) == ["NAME|ROLES", "alice|readers", "bob", "root|Admin"]
    wide = shapes(ais("auth", "show", "user", "-v").stdout)
    assert wide[0] == "NAME|ROLES|ACCOUNT|CANONICAL ID|POLICIES"
    assert re.fullmatch(r"alice\|readers\|\d{12}\|[0-9a-f]{64}", wide[1])
    assert shapes(ais("auth", "show", "user", "-H").stdout) == shapes(shown)[1:]


def test_a_script_makes_users_with_keys_and_reads_their_canonical_ids(ais: Ais) -> None:
    for name in ("main", "alt"):
        ais("auth", "add", "user", name, "--display", f"{name} user", "--email", f"{name}@x.org")
        ais(
            "auth",
            "add",
            "key",
            name,
            "--access-key",
            f"KEY-{name}",
            "--secret-key",
            f"s3cr3t-{name}",
        )
    found = {name: told(ais, "user", name) for name in ("main", "alt")}
    for name, row in found.items():
        assert re.fullmatch(r"[0-9a-f]{64}", row["canonical_id"])
        assert re.fullmatch(r"\d{12}", row["account"])
        assert row["arn"] == f"arn:aws:iam::{row['account']}:user/{name}"
        assert (row["display"], row["email"]) == (f"{name} user", f"{name}@x.org")
        assert [key["access_key"] for key in row["keys"]] == [f"KEY-{name}"]
    assert found["main"]["canonical_id"] != found["alt"]["canonical_id"]
    rows = {row["id"]: row for row in told(ais, "user")}
    assert rows["alt"] == found["alt"]
    listed = ais(
        "ls", env={"AISLE_ROOT_ACCESS_KEY": "KEY-main", "AISLE_ROOT_SECRET_KEY": "s3cr3t-main"}
    )
    assert listed.stdout == ""


def test_one_user_is_shown_whole(ais: Ais) -> None:
    ais("auth", "add", "user", "alice")
    ais(
        "auth",
        "add",
        "key",
        "alice",
        "--access-key",
        "ALICE",
        "--secret-key",
        "-",
        input="12345678\n",
    )
    ais("auth", "update", "key", "alice", "ALICE", "--inactive")
    rows = dict(
        line.split("|", 1)
        for line in shapes(ais("auth", "show", "user", "alice").stdout)
        if "|" in line
    )
    assert rows["name"] == "alice"
    assert rows["keys"] == "ALICE (inactive)"
    assert rows["admin"] == "no"


def test_a_user_may_join_an_account(ais: Ais) -> None:
    ais("auth", "add", "user", "alice")
    account = told(ais, "user", "alice")["account"]
    made = json.loads(ais("auth", "add", "user", "carol", "--account", account, "--json").stdout)
    assert (made["account"], made["owner"]) == (account, False)
    assert (
        "does not exist"
        in ais("auth", "add", "user", "dave", "--account", "999999999999", code=1).stderr
    )


def test_a_made_key_tells_its_secret_once(ais: Ais) -> None:
    ais("auth", "add", "user", "alice")
    done = ais("auth", "add", "key", "alice")
    rows = dict(line.split() for line in done.stdout.splitlines())
    assert set(rows) == {"access_key", "secret_key"}
    assert done.stderr == "Note: the secret key is not shown again\n"
    keys = {
        "AISLE_ROOT_ACCESS_KEY": rows["access_key"],
        "AISLE_ROOT_SECRET_KEY": rows["secret_key"],
    }
    assert ais("auth", "whoami", env=keys).stdout.split()[3] == "alice"
    again = json.loads(ais("auth", "add", "key", "alice", "--json").stdout)
    assert (again["user"], again["active"], len(again["secret_key"])) == ("alice", True, 40)
    shown = ais("auth", "show", "key", "alice", "--json").stdout
    assert "secret" not in shown
    assert len(json.loads(shown)) == 2


def test_keys_come_in_a_table_and_are_switched_off_and_removed(ais: Ais) -> None:
    ais("auth", "add", "user", "alice")
    ais("auth", "add", "key", "alice", "--access-key", "ALICE", "--secret-key", "12345678")
    keys = {"AISLE_ROOT_ACCESS_KEY": "ALICE", "AISLE_ROOT_SECRET_KEY": "12345678"}
    first, second = shapes(ais("auth", "show", "key", "alice").stdout)
    assert first == "ACCESS KEY|ACTIVE|CREATED|LAST USED"
    assert re.fullmatch(r"ALICE\|yes\|\d\d \w{3} \d\d \d\d:\d\d UTC\|never", second)
    assert ais("auth", "update", "key", "alice", "ALICE", "--inactive").stdout == (
        'Access key "ALICE" is inactive\n'
    )
    ais("ls", env=keys, code=1)
    ais("auth", "update", "key", "alice", "ALICE", "--active")
    ais("ls", env=keys)
    ais("auth", "rm", "key", "alice", "ALICE")
    ais("ls", env=keys, code=1)
    assert shapes(ais("auth", "show", "key", "alice", "-H").stdout) == []


def test_roles_come_in_tables(ais: Ais, own: Node) -> None:
    ais("auth", "add", "role", "readers", "ro", "--desc", "may look")
    ais("auth", "update", "role", "readers", "rw", "put", "--bucket", "ais://#space/demo")
    assert shapes(ais("auth", "show", "role").stdout) == [
        "ROLE|DESCRIPTION", "Admin|AIS cluster administrator", "readers|may look",
    ]  # fmt: skip
    uuid = json.loads(ais("show", "cluster", "smap", "--json").stdout)["uuid"]
    assert shapes(ais("auth", "show", "role", "readers").stdout) == [
        "PROPERTY|VALUE", "role|readers", "description|may look", "",
        "CLUSTER|BUCKET|PERMISSIONS", f"{uuid}|ro", f"{uuid}|ais://#space/demo|rw",
    ]  # fmt: skip
    wide = ais("auth", "show", "role", "-v", "-H").stdout.splitlines()
    assert wide[1].split()[-2:] == [f"{uuid}:ro", "ais://#space/demo:rw"]
    (row,) = [row for row in told(ais, "role") if row["name"] == "readers"]
    assert told(ais, "role", "readers") == row
    ais("auth", "update", "role", "readers", "GET", "--desc", "may get")
    row = told(ais, "role", "readers")
    assert row["desc"] == "may get"
    assert [entry["perm"] for entry in row["clusters"] + row["buckets"]] == [
        "1",
        str(permissions.READ_WRITE),
    ]


def test_a_role_lets_its_users_in_from_the_next_request_on(
    ais: Ais, bck: str, home: dict[str, str]
) -> None:
    ais("auth", "add", "user", "bob", "-p", PASSWORD)
    ais("auth", "login", "bob", "-p", PASSWORD, env=home)
    assert "Access Denied" in ais("ls", bck, env=home, code=1).stderr
    ais("auth", "add", "role", "readers", "ro", "--bucket", bck)
    ais("auth", "update", "user", "bob", "readers")
    ais("ls", bck, env=home)
    assert ais("auth", "update", "user", "bob", "--no-roles").stdout == 'User "bob" updated\n'
    ais("ls", bck, env=home, code=1)


def test_a_user_logs_in_and_out(ais: Ais, home: dict[str, str]) -> None:
    path = Path(home["XDG_CONFIG_HOME"]) / "ais" / "cli" / "auth.token"
    ais("auth", "add", "user", "alice", "-p", "-", input=f"{PASSWORD}\n")
    assert ais("auth", "login", "alice", "-p", PASSWORD, env=home).stdout == f"Logged in ({path})\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    token = json.loads(path.read_text())["token"]
    assert ais("auth", "whoami", env=home).stdout.split()[3] == "alice"
    assert json.loads(ais("auth", "whoami", "--json", env=home).stdout)["id"] == "alice"
    shown = json.loads(ais("auth", "show", "token", "--json", env=home).stdout)
    assert shown["sub"] == "alice"
    assert token not in ais("auth", "show", "token", env=home).stdout
    assert ais("create", "ais://alices", env=home).stdout.startswith('"ais://alices" created')
    assert ais("auth", "logout", env=home).stdout == "Logged out\n"
    assert not path.exists()
    assert "not logged in" in ais("auth", "logout", env=home, code=1).stderr
    error = ais("ls", env={**home, "AIS_AUTHN_TOKEN": token}, code=1).stderr
    assert error.endswith(" (log in again: 'ais auth login USER')\n")


def test_a_token_may_be_kept_elsewhere_or_printed(
    ais: Ais, home: dict[str, str], tmp_path: Path
) -> None:
    ais("auth", "add", "user", "alice", "-p", PASSWORD)
    ais("auth", "login", "alice", "-p", PASSWORD, "--file", "kept", env=home)
    there = {**home, "AIS_AUTHN_TOKEN_FILE": str(tmp_path / "kept")}
    assert ais("auth", "whoami", env=there).stdout.split()[3] == "alice"
    printed = ais("auth", "login", "alice", "-p", PASSWORD, "-f", "-", "--expire", "1h", env=home)
    token = printed.stdout.strip()
    claims = json.loads(ais("auth", "show", "token", token, "--json", env=home).stdout)
    assert claims["exp"] - claims["iat"] in (3600, 3601)
    by_token = {**home, "AIS_AUTHN_TOKEN": token}
    assert ais("auth", "whoami", env=by_token).stdout.split()[3] == "alice"
    assert ais("auth", "rm", "token", "-", input=f"{token}\n").stdout == "Token revoked\n"
    assert "log in again" in ais("auth", "whoami", env=by_token, code=1).stderr
    done = ais("auth", "logout", env=by_token)
    assert "void already" in done.stderr
    assert "AIS_AUTHN_TOKEN is still set" in done.stderr


def test_keys_that_count_before_the_token_are_pointed_out(ais: Ais, home: dict[str, str]) -> None:
    ais("auth", "add", "user", "alice", "-p", PASSWORD)
    kept = {"XDG_CONFIG_HOME": home["XDG_CONFIG_HOME"]}
    done = ais("auth", "login", "alice", "-p", PASSWORD, env=kept)
    assert done.stderr == "Note: AISLE_ROOT_ACCESS_KEY is set, and counts before the token file\n"
    done = ais("auth", "login", "alice", "-p", PASSWORD, env={**home, "AIS_AUTHN_TOKEN": "x"})
    assert done.stderr == "Note: AIS_AUTHN_TOKEN is set, and counts before the token file\n"


def test_a_new_password_ends_what_the_old_one_began(ais: Ais, home: dict[str, str]) -> None:
    ais("auth", "add", "user", "alice", "-p", PASSWORD)
    ais("auth", "login", "alice", "-p", PASSWORD, env=home)
    ais("auth", "update", "user", "alice", "-p", "another one")
    assert "log in again" in ais("ls", env=home, code=1).stderr
    ais("auth", "login", "alice", "-p", "another one", env=home)
    ais("auth", "update", "user", "alice", "--display", "Alice", "--email", "alice@example.org")
    row = told(ais, "user", "alice")
    assert (row["display"], row["email"]) == ("Alice", "alice@example.org")
    ais("ls", env=home)


def test_passwords_are_asked_for_on_a_terminal(ais: Ais, own: Node, home: dict[str, str]) -> None:
    def asked(words: str, *answers: str, env: dict[str, str]) -> str:
        child = pexpect.spawn(
            str(BIN / "ais"), words.split(), env=environment(own, **env), timeout=30,
            encoding="utf-8",
        )  # fmt: skip
        for answer in answers:
            child.expect(": $")
            child.sendline(answer)
        child.expect(pexpect.EOF)
        child.close()
        return str(child.before)

    assert "added" in asked("auth add user alice", PASSWORD, PASSWORD, env={})
    assert "two different passwords" in asked("auth add user bob", PASSWORD, "x", env={})
    assert "Logged in" in asked("auth login", "alice", PASSWORD, env=home)
    assert "updated" in asked("auth update user alice", "a new one", "a new one", env={})
    assert "invalid credentials" in asked("auth login alice", PASSWORD, env=home)


def test_policies_are_put_shown_and_removed(ais: Ais, tmp_path: Path) -> None:
    document = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": "s3:ListAllMyBuckets", "Resource": "*"}],
    }
    (tmp_path / "policy.json").write_text(json.dumps(document))
    ais("auth", "add", "user", "carol")
    ais("auth", "add", "policy", "carol", "lists", "policy.json")
    ais("auth", "add", "policy", "carol", "more", "-", input=json.dumps(document))
    assert json.loads(ais("auth", "show", "policy", "carol", "lists").stdout) == document
    assert told(ais, "user", "carol")["policies"] == ["lists", "more"]
    assert ais("auth", "rm", "policy", "carol", "lists").stdout == 'Policy "lists" removed\n'
    assert "does not exist" in ais("auth", "rm", "policy", "carol", "lists", code=1).stderr
    assert "not JSON" in ais("auth", "add", "policy", "carol", "p", "-", input="{", code=1).stderr
    ais("auth", "add", "policy", "carol", "p", "-", input='{"Statement": 1}', code=1)


def test_clusters_are_registered_by_their_address(ais: Ais, own: Node) -> None:
    uuid = json.loads(ais("show", "cluster", "smap", "--json").stdout)["uuid"]
    added = ais("auth", "add", "cluster", f"main={own.root}").stdout
    assert added == f'Cluster "main" added ({uuid})\n'
    assert shapes(ais("auth", "show", "cluster").stdout) == [
        "CLUSTER ID|ALIAS|URLs", f"{uuid}|main|{own.root}",
    ]  # fmt: skip
    ais("auth", "update", "cluster", "main", "--alias", "first", "--url", "http://10.0.0.1:8080")
    (row,) = told(ais, "cluster", "first")
    assert row == {"id": uuid, "alias": "first", "urls": ["http://10.0.0.1:8080"]}
    ais("auth", "add", "role", "lookers", "ro", "--cluster", "first")
    assert told(ais, "role", "lookers")["clusters"] == [
        {"id": uuid, "perm": str(permissions.READ_ONLY)}
    ]
    assert ais("auth", "rm", "cluster", "first").stdout == 'Cluster "first" removed\n'


def test_settings_of_logins_are_shown(ais: Ais) -> None:
    rows = shapes(ais("auth", "show", "config").stdout)
    assert rows[0] == "PROPERTY|VALUE"
    assert "auth.signature.method|HS256" in rows
    assert json.loads(ais("auth", "show", "config", "--json").stdout)["enabled"] is True


def test_who_knows_the_users_may_be_elsewhere(ais: Ais, own: Node, home: dict[str, str]) -> None:
    nowhere = {"AIS_AUTHN_URL": f"http://127.0.0.1:{free_port()}"}
    assert "cannot connect" in ais("auth", "show", "user", env=nowhere, code=1).stderr
    ais("auth", "show", "user", "--endpoint", own.root, env=nowhere)
    there = {"AIS_ENDPOINT": nowhere["AIS_AUTHN_URL"], "AIS_AUTHN_URL": own.root}
    ais("auth", "show", "user", env=there)


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["show", "user", "nobody"], 'user "nobody" does not exist'),
        (["show", "role", "none"], 'role "none" does not exist'),
        (["show", "cluster", "none"], 'cluster "none" is not registered'),
        (["show", "key", "nobody"], 'user "nobody" does not exist'),
        (["show", "token", "abc"], "not a token"),
        (["show", "token", "a.YWJj.c"], "not a token"),
        (["add", "user", "root"], "administrator"),
        (["add", "user", "a/b"], "a user name has"),
        (["add", "user", "x", "norole"], 'role "norole" does not exist'),
        (["add", "role", "r", "fly"], 'there is no permission "fly"'),
        (["add", "role", "r", "--bucket", "ais://x"], "say which permissions"),
        (["add", "role", "Admin"], "already exists"),
        (["add", "cluster", "main"], "not of the form alias=url"),
        (["add", "key", "root", "--access-key", "A"], "has both"),
        (["add", "key", "nobody"], 'user "nobody" does not exist'),
        (["add", "policy", "nobody", "p", "none.json"], "No such file"),
        (["update", "user", "root"], "say what to change"),
        (["update", "user", "root", "x", "--no-roles"], "name none"),
        (["update", "role", "x"], "say what to change"),
        (["update", "cluster", "x"], "say what to change"),
        (["update", "key", "root", "K"], "--active"),
        (["rm", "user", "nobody"], 'user "nobody" does not exist'),
        (["rm", "role", "none"], 'role "none" does not exist'),
        (["rm", "key", "nobody", "K"], "does not exist"),
        (["rm", "cluster", "none"], 'cluster "none" is not registered'),
        (["login", "root", "-p", "wrong"], "invalid credentials"),
        (["login", "nobody", "-p", "wrong"], "invalid credentials"),
        (["login", "root"], "there is no password"),
        (["login"], "say who logs in"),
        (["login", "root", "-p", "-"], "standard input has no password"),
        (["login", "root", "-p", "x", "--expire", "soon"], "--expire: expected a duration"),
        (["login", "root", "-p", "x", "--cluster", "c"], 'no option "--cluster"'),
    ],
)
def test_what_cannot_be_done_is_told_in_a_line(ais: Ais, words: list[str], text: str) -> None:
    assert text in ais("auth", *words, code=1).stderr


def test_a_user_who_administers_nobody_is_told_so_in_a_line(ais: Ais, home: dict[str, str]) -> None:
    ais("auth", "add", "user", "alice", "-p", PASSWORD)
    ais("auth", "login", "alice", "-p", PASSWORD, env=home)
    for words in (["show", "user"], ["add", "user", "x"], ["show", "user", "root"]):
        assert ais("auth", *words, env=home, code=1).stderr == "Error: Access Denied\n"
    ais("auth", "add", "key", "alice", env=home)
    assert len(ais("auth", "show", "key", "alice", "-H", env=home).stdout.splitlines()) == 1


def test_names_are_completed(ais: Ais) -> None:
    ais("auth", "add", "role", "readers", "ro")
    ais("auth", "add", "user", "alice", "readers")
    ais("auth", "add", "key", "alice", "--access-key", "ALICE", "--secret-key", "12345678")

    def offered(*words: str) -> list[str]:
        return ais("__complete", "auth", *words).stdout.splitlines()

    assert offered("rm", "user", "") == ["alice", "root"]
    assert offered("update", "user", "alice", "re") == ["readers"]
    assert offered("rm", "key", "alice", "") == ["ALICE"]
    assert offered("show", "role", "") == ["Admin", "readers"]
    assert offered("add", "role", "x", "HEAD") == ["HEAD-OBJECT", "HEAD-BUCKET"]
    assert offered("rm", "policy", "alice", "") == []
    assert offered("rm", "cluster", "x") == []
    assert offered("add", "") == ["cluster", "key", "policy", "role", "user"]


def test_an_expired_token_tells_to_log_in_again(ais: Ais) -> None:
    told = b'{"status": 401, "message": "the token has expired", "tcode": "ErrExpiredToken"}'
    answer = b"HTTP/1.1 401 Unauthorized\r\nContent-Length: %d\r\n\r\n%b" % (len(told), told)
    with scripted([answer]) as script:
        error = ais("ls", env={"AIS_ENDPOINT": script.root, "AIS_AUTHN_TOKEN": "x"}, code=1).stderr
        assert error == "Error: the token has expired (log in again: 'ais auth login USER')\n"
        assert b"authorization: Bearer x\r\n" in script.heads[0]


def test_names_may_have_what_iam_allows(ais: Ais) -> None:
    name = "a+b=c,d@x.org"
    made = json.loads(ais("auth", "add", "user", name, "--json").stdout)
    assert made["id"] == name
    ais("auth", "add", "key", name, "--access-key", "k.e+y@x", "--secret-key", "12345678")
    ais("auth", "update", "key", name, "k.e+y@x", "--inactive")
    assert told(ais, "user", name)["keys"][0]["active"] is False
    ais("auth", "add", "role", name, "ro")
    assert told(ais, "role", name)["name"] == name
