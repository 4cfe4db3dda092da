"""`ais ls`, `create`, `bucket show`, `bucket props` and `bucket rm`."""

import json
import re

import pexpect
import pytest

from tests.cli.conftest import Ais, environment
from tests.harness import BIN, Node
from tests.native.support import ended


def test_buckets_are_listed_by_provider(ais: Ais) -> None:
    ais("create", "ais://b", "ais://a")
    for words in (["ls"], ["ls", "ais:"], ["ls", "ais://"], ["bucket", "ls"]):
        assert ais(*words).stdout == "AIS Buckets (2)\n  ais://a\n  ais://b\n"
    assert ais("ls", "s3:").stdout == "AWS Buckets (0)\n"


def test_creating_what_there_is_fails(ais: Ais, bck: str) -> None:
    error = ais("create", bck, code=1).stderr
    assert error == 'Error: bucket "ais://abc" already exists\n'


@pytest.mark.parametrize(
    ("uri", "text"),
    [
        ("abc", "did you mean ais://abc?"),
        ("ais://abc/x", "not the URI of a bucket"),
        ("ais://", "not the URI of a bucket"),
        ("ais://a b", "bucket name"),
        ("nope://abc", 'invalid backend provider "nope"'),
        ("oc://abc", 'there is no backend "oci" here'),
        ("ais://@uuid#ns/abc", 'remote cluster "uuid" is not attached'),
        ("ais://#a b/abc", "invalid namespace"),
    ],
)
def test_bad_buckets_are_refused(ais: Ais, uri: str, text: str) -> None:
    assert text in ais("create", uri, code=1).stderr


def test_a_backend_that_is_disabled_is_not_asked(ais: Ais, bck: str) -> None:
    assert ais("advanced", "disable-backend", "gs").stdout == 'backend "gs" is disabled\n'
    for words in (["ls", "gs://abc"], ["create", "gcp://abc"], ["show", "bucket", "gs://abc"]):
        assert ais(*words, code=1).stderr == 'Error: backend "gcp" is disabled\n'
    shown = ais("config", "cluster", "backend", "-H").stdout.split()
    assert "backend.gcp" not in shown
    assert shown[:2] == ["backend.aws", "enabled"]
    assert ais("advanced", "enable-backend", "gcp").stdout == 'backend "gcp" is enabled\n'
    assert "backend.gcp" in ais("config", "cluster", "backend", "-H").stdout.split()
    assert json.loads(ais("config", "cluster", "backend", "--json").stdout) == {"gcp": {}}
    error = ais("advanced", "disable-backend", "oci", code=1).stderr
    assert error.startswith('Error: there is no backend "oci" here (there are: aws, gcp')


def test_columns_and_prefixes(ais: Ais, bck: str) -> None:
    for name in ("a/1", "a/2", "b"):
        ais("put", "-", f"{bck}/{name}", input=name)
    shown = ais("ls", bck, "--props", "checksum,size,atime").stdout.splitlines()
    assert shown[0].split() == ["NAME", "CHECKSUM", "SIZE", "ATIME"]
    assert len(shown[1].split()) == 3 + 5
    assert ais("ls", bck, "--props", "name", "-H").stdout == "a/1\na/2\nb\n"
    assert ais("ls", bck, "--prefix", "a/", "-H").stdout == "a/1   3B\na/2   3B\n"
    assert ais("ls", f"{bck}/a/", "-H").stdout == "a/1   3B\na/2   3B\n"
    assert ais("ls", bck, "--nr", "-H").stdout == "a/\nb    1B\n"
    assert ais("ls", bck, "--start-after", "a/1", "--limit", "1", "-H").stdout == "a/2   3B\n"
    assert "no column nonsense" in ais("ls", bck, "--props", "nonsense", code=1).stderr
    assert "both" in ais("ls", f"{bck}/a", "--prefix", "b", code=1).stderr


def test_names_cannot_act_on_the_terminal(ais: Ais, bck: str) -> None:
    ais("put", "-", f"{bck}/evil\x1b[2J\nname", input="x")
    assert ais("ls", bck, "-H").stdout == "evil\\x1b[2J\\nname   1B\n"


def test_props_are_set_shown_and_reset(ais: Ais, bck: str) -> None:
    done = ais("bucket", "props", "set", bck, "checksum.type=md5", "mirror.copies=3")
    assert done.stdout.splitlines() == [
        "Bucket props successfully updated",
        '"checksum.type" set to: "md5" (was: "xxhash")',
        '"mirror.copies" set to: "3" (was: "2")',
    ]
    assert done.stderr == "Note: mirror.copies has no effect in this release\n"
    again = ais("bucket", "props", "set", bck, "checksum.type=md5").stdout
    assert again == 'Bucket "ais://abc" already has the set props, nothing to do\n'
    done = ais("bucket", "props", "set", bck, '{"checksum": {"type": "sha256"}}')
    assert '"checksum.type" set to: "sha256" (was: "md5")' in done.stdout
    shown = ais("bucket", "props", "show", bck, "mirror", "-H").stdout.split()
    assert shown == ["mirror.enabled", "false", "mirror.copies", "3", "mirror.burst_buffer", "128"]
    nested = json.loads(ais("bucket", "props", "show", bck, "--json").stdout)
    assert nested["checksum"]["type"] == "sha256"
    done = ais("bucket", "props", "reset", bck)
    assert done.stdout.splitlines()[0] == "Bucket props successfully reset"
    assert '"mirror.copies" set to: "2" (was: "3")' in done.stdout


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["set", "ais://abc", "checksum.type=rot13"], "expected one of"),
        (["set", "ais://abc", "nonsense=1"], "no setting 'nonsense'"),
        (["set", "ais://abc", "checksum.type"], "not of the form name=value"),
        (["set", "ais://abc", "{"], "not JSON"),
        (["show", "ais://abc", "nonsense"], 'no setting or section "nonsense"'),
        (["ais://none", "checksum.type=md5"], 'bucket "ais://none" does not exist'),
        (["ais://none"], 'bucket "ais://none" does not exist'),
    ],
)
def test_props_that_make_no_sense_are_refused(
    ais: Ais, bck: str, words: list[str], text: str
) -> None:
    assert text in ais("bucket", "props", *words, code=1).stderr


def test_a_bucket_with_objects_is_removed_only_on_purpose(ais: Ais, bck: str) -> None:
    ais("put", "-", f"{bck}/x", input="x")
    assert "--yes" in ais("bucket", "rm", bck, code=1).stderr
    assert ais("ls").stdout == "AIS Buckets (1)\n  ais://abc\n"
    assert ais("bucket", "rm", bck, "--yes").stdout == '"ais://abc" destroyed\n'
    assert ais("rmb", bck, code=1).stderr == 'Error: bucket "ais://abc" does not exist\n'


def test_a_bucket_that_is_there_or_not_may_be_no_failure(ais: Ais, bck: str) -> None:
    done = ais("create", bck, "ais://new", "--ignore-error", "--skip-lookup", "--force")
    assert done.stdout.startswith('"ais://new" created')
    assert done.stderr == 'Note: bucket "ais://abc" already exists\n'
    done = ais("rmb", "ais://none", bck, "--ignore-error")
    assert done.stdout == '"ais://abc" destroyed\n'
    assert done.stderr == 'Note: bucket "ais://none" does not exist\n'


def test_a_bucket_gets_another_name(ais: Ais, bck: str, own: Node) -> None:
    ais("put", "-", f"{bck}/key", input="body")
    started = ais("bucket", "mv", bck, "ais://xyz").stdout
    match = re.fullmatch(
        r"rename-bucket\[(\w+)\] ais://abc => ais://xyz. To monitor the progress,"
        r" run 'ais show job \1'\n",
        started,
    )
    assert match
    assert ended(own, match[1])["err"] == ""
    done = ais("bucket", "mv", "ais://xyz", "ais://#ns/abc", "--wait").stdout
    assert re.fullmatch(r"rename-bucket\[\w+\] ais://xyz => ais://#ns/abc \.\.\.\nDone\.\n", done)
    assert ais("get", "ais://#ns/abc/key", "-").stdout == "body"
    ais("create", "ais://xyz")
    error = ais("bucket", "mv", "ais://xyz", "ais://#ns/abc", code=1).stderr
    assert error == 'Error: bucket "ais://abc" already exists in namespace "#ns"\n'
    assert re.fullmatch(r"\w+\n", ais("bucket", "mv", "ais://xyz", "ais://x2", "--nv").stdout)
    error = ais("bucket", "mv", "ais://none", "ais://x3", code=1).stderr
    assert error == 'Error: bucket "ais://none" does not exist\n'
    assert "not the URI of a bucket" in ais("bucket", "mv", bck, "ais://a/b", code=1).stderr


def test_the_table_of_a_bucket(ais: Ais, bck: str) -> None:
    lines = ais("show", "bucket", bck).stdout.splitlines()
    created = lines.pop(3)
    assert re.fullmatch(r"created          \d\d \w{3} \d\d \d\d:\d\d UTC", created)
    assert lines == [
        "PROPERTY         VALUE",
        "access           GET,HEAD-OBJECT,PUT,APPEND,DELETE-OBJECT,MOVE-OBJECT,PROMOTE,"
        "UPDATE-OBJECT,HEAD-BUCKET,LIST-OBJECTS,PATCH,SET-BUCKET-ACL,LIST-BUCKETS,SHOW-CLUSTER,"
        "CREATE-BUCKET,DESTROY-BUCKET,MOVE-BUCKET,ADMIN",
        "checksum         Type: xxhash | Validate: ColdGET",
        "ec               Disabled",
        "lru              Disabled",
        "mirror           Disabled",
        "present          yes",
        "provider         ais",
        "versioning       Disabled",
    ]
    assert ais("bucket", "show", bck, "-H").stdout.splitlines()[0].startswith("access")
    assert json.loads(ais("show", "bucket", bck, "--json").stdout)["provider"] == "ais"


def test_eviction_is_shown_and_switched(ais: Ais, bck: str) -> None:
    done = ais("bucket", "lru", bck, "--enable")
    assert '"lru.enabled" set to: "true" (was: "false")' in done.stdout
    assert done.stderr == ""
    shown = dict(line.split() for line in ais("bucket", "lru", bck, "-H").stdout.splitlines())
    assert shown["lru.enabled"] == "true"
    ais("bucket", "lru", bck, "--disable")
    assert json.loads(ais("bucket", "lru", bck, "--json").stdout)["lru"]["enabled"] is False


def test_permissions_are_set_by_name(ais: Ais, bck: str) -> None:
    done = ais("bucket", "props", "set", bck, "access=ro")
    assert '"access" set to: "GET,HEAD-OBJECT,HEAD-BUCKET,LIST-OBJECTS"' in done.stdout
    done = ais("bucket", "props", "set", bck, "access=get,put")
    assert '"access" set to: "GET,PUT"' in done.stdout
    assert 'no permission "fly"' in ais("bucket", "props", "set", bck, "access=fly", code=1).stderr
    assert "access           GET,PUT" in ais("bucket", "props", "show", bck, "--compact").stdout
    assert "Access Denied" in ais("bucket", "rm", bck, "--yes", code=1).stderr
    ais("bucket", "props", "set", bck, "access=su")


def test_no_bucket_of_this_cluster_is_behind_another(ais: Ais, bck: str) -> None:
    error = ais("bucket", "props", "set", bck, "backend_bck=ais://xyz", code=1).stderr
    assert error == (
        "Error: ais://xyz is no remote bucket: only one can be behind ais://abc, and no window\n"
    )
    assert "nothing to do" in ais("bucket", "props", "set", bck, "backend_bck=none").stdout


def test_a_prompt_asks_before_objects_are_lost(ais: Ais, bck: str, own: Node) -> None:
    ais("put", "-", f"{bck}/x", input="x")
    for answer, ending in (("n", "was left as it is"), ("y", "destroyed")):
        terminal = pexpect.spawn(
            str(BIN / "ais"), ["rmb", bck], env=environment(own), encoding="utf-8", timeout=30
        )
        terminal.expect_exact("Destroy ais://abc with all that is in it? [Y/N]: ")
        terminal.sendline(answer)
        terminal.expect_exact(ending)
        terminal.expect(pexpect.EOF)
        terminal.close()
    assert ais("ls").stdout == ""
