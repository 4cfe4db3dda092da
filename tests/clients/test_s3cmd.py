"""s3cmd, every command that the seed documents show.

Its endpoint carries a path (`localhost:8080/s3`), and the template for buckets is written in
several ways, of which `%(bucket)` without an `s` is no template at all. Whatever it signs then
has to verify: every form runs with authorisation on and valid keys, and off with fake ones.

One line of the seeds is no s3cmd command (`s3cmd --host ... s3 mb s3://bck1`: s3cmd answers
"Invalid command: 's3'"); what it means is covered by `mb`, `ls` and `rb`.
"""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path

import pytest

from tests.clients.tools import MIB, Shell, credentials
from tests.harness import Node

# host and host-bucket as the documents write them.
FORMS = {
    "no template": ("{}/s3", "{}/s3"),
    "broken template": ("{}/s3", "{}/s3/%(bucket)"),
    "template": ("{}/s3", "{}/s3/%(bucket)s"),
    "root": ("{}", "{}/s3/%(bucket)"),
    "root and template": ("{}", "{}/%(bucket)s"),
}


class S3cmd:
    """s3cmd with keys in a configuration of its own and the endpoint told by options."""

    def __init__(self, shell: Shell, node: Node, *options: str, config: str = "") -> None:
        access, secret = credentials(node)
        self.path = shell.file(
            ".s3cfg",
            f"[default]\naccess_key = {access}\nsecret_key = {secret}\n{config}".encode(),
        )
        self._shell = shell
        self._options = options

    def __call__(self, *command: str | Path, check: bool = True) -> str:
        done = self._shell.run(
            "s3cmd", "-c", self.path, *self._options, *command, check=check, timeout=180
        )
        output = done.stdout + done.stderr
        if check:
            # "MD5 sum mismatch" and "MD5 Sums don't match!" are warnings, told with status 0.
            assert "WARNING" not in output, output
            assert "ERROR" not in output, output
        return output


@pytest.fixture(params=FORMS)
def s3cmd(request: pytest.FixtureRequest, shell: Shell, any_node: Node) -> S3cmd:
    """s3cmd with `--host` and `--host-bucket` on its command line."""
    host, host_bucket = (form.format(any_node.host) for form in FORMS[request.param])
    return S3cmd(shell, any_node, "--no-ssl", f"--host={host}", f"--host-bucket={host_bucket}")


@pytest.fixture
def plain(shell: Shell, any_node: Node) -> S3cmd:
    """s3cmd with the `.s3cfg` that the documents end with."""
    return S3cmd(
        shell,
        any_node,
        config=f"host_base = {any_node.host}/s3\nhost_bucket = {any_node.host}/s3\n"
        "use_https = False\nsignature_v2 = False\n",
    )


def test_every_form_of_the_endpoint_works(s3cmd: S3cmd, shell: Shell, name: str) -> None:
    data = os.urandom(10_689)
    shell.file("README.md", data)
    assert s3cmd("mb", f"s3://{name}") == f"Bucket 's3://{name}/' created\n"
    assert re.search(rf"\d{{4}}-\d\d-\d\d \d\d:\d\d  s3://{name}\n", s3cmd("ls"))
    put = s3cmd("put", "--progress", "README.md", f"s3://{name}")  # as on a terminal
    assert f"upload: 'README.md' -> 's3://{name}/README.md'  [1 of 1]" in put
    s3cmd("put", "README.md", f"s3://{name}/saved-readme.md")
    listed = s3cmd("ls", f"s3://{name}")
    assert re.search(rf"\d{{4}}-\d\d-\d\d \d\d:\d\d +10689  s3://{name}/saved-readme.md\n", listed)
    s3cmd("get", f"s3://{name}/saved-readme.md", "copied-readme.md")
    assert (shell.home / "copied-readme.md").read_bytes() == data
    info = s3cmd("info", f"s3://{name}/README.md")
    assert re.search(r"File size: +10689\n", info)
    assert re.search(rf"MD5 sum: +{hashlib.md5(data).hexdigest()}\n", info)
    assert re.search(r"Storage: +STANDARD\n", info)
    assert f"s3://{name}/ (bucket):" in s3cmd("info", f"s3://{name}")
    removed = s3cmd("rm", f"s3://{name}/README.md")
    assert removed == f"delete: 's3://{name}/README.md'\n"
    s3cmd("del", f"s3://{name}/saved-readme.md")
    assert s3cmd("ls", f"s3://{name}") == ""
    assert s3cmd("rb", f"s3://{name}") == f"Bucket 's3://{name}/' removed\n"


@pytest.mark.parametrize("template", ["", "/%(bucket)", "/%(bucket)s"])
def test_the_configuration_files_of_the_documents_work(
    shell: Shell, any_node: Node, name: str, template: str
) -> None:
    s3cmd = S3cmd(
        shell,
        any_node,
        config=f"host_base = {any_node.host}/s3\nhost_bucket = {any_node.host}/s3{template}\n"
        "signature_v2 = False\nuse_https = False\n",
    )
    shell.file("file", b"hello")
    s3cmd("mb", f"s3://{name}")
    s3cmd("put", "file", f"s3://{name}/a b/ü+%.txt")
    s3cmd("get", f"s3://{name}/a b/ü+%.txt", "back")
    assert (shell.home / "back").read_bytes() == b"hello"
    assert f"s3://{name}/a b/ü+%.txt" in s3cmd("ls", "--recursive", f"s3://{name}")


@pytest.mark.parametrize("megabytes", [5, 7, 8])
def test_a_file_of_50_megabytes_goes_in_parts(
    plain: S3cmd, shell: Shell, name: str, megabytes: int
) -> None:
    data = os.urandom(MIB) * 50 + os.urandom(53_452_800 - 50 * MIB)
    shell.file("aisnode", data)
    plain("mb", f"s3://{name}")
    chunk = f"--multipart-chunk-size-mb={megabytes}"
    put = plain("put", "--progress", "aisnode", f"s3://{name}", chunk)
    count = -(-len(data) // (megabytes * MIB))
    assert f"[part {count} of {count}, " in put
    assert re.search(rf" +53452800  s3://{name}/aisnode\n", plain("ls", f"s3://{name}"))
    plain("get", f"s3://{name}/aisnode", "back")
    assert (shell.home / "back").read_bytes() == data
    assert re.search(r"File size: +53452800\n", plain("info", f"s3://{name}/aisnode"))
    # Nothing is under way any more; the heading is all that is printed.
    listed = plain("multipart", f"s3://{name}").splitlines()
    assert listed == [f"s3://{name}/", "Initiated\tPath\tId"]


def test_uploads_under_way_are_shown_listed_and_aborted(
    plain: S3cmd, any_node: Node, name: str
) -> None:
    plain("mb", f"s3://{name}")
    client = any_node.client()
    upload = client.create_multipart_upload(Bucket=name, Key="big")["UploadId"]
    client.upload_part(Bucket=name, Key="big", UploadId=upload, PartNumber=1, Body=b"x" * 1000)
    shown = plain("multipart", f"s3://{name}")
    assert f"s3://{name}/big\t{upload}" in shown
    assert "1000" in plain("listmp", f"s3://{name}/big", upload)
    plain("abortmp", f"s3://{name}/big", upload)
    assert upload not in plain("multipart", f"s3://{name}")


def test_a_tree_is_synced_and_removed(plain: S3cmd, shell: Shell, name: str) -> None:
    for path in ("a", "d/b", "d/e/c"):
        shell.file(f"tree/{path}", path.encode())
    plain("mb", f"s3://{name}")
    plain("sync", "tree/", f"s3://{name}/t/")
    plain("cp", f"s3://{name}/t/a", f"s3://{name}/copied")
    plain("mv", f"s3://{name}/copied", f"s3://{name}/moved")
    plain("sync", f"s3://{name}/t/", "back/")
    assert (shell.home / "back/d/e/c").read_bytes() == b"d/e/c"
    listed = plain("ls", "--recursive", f"s3://{name}")
    assert [line.split()[-1] for line in listed.splitlines()] == [
        f"s3://{name}/{key}" for key in ("moved", "t/a", "t/d/b", "t/d/e/c")
    ]
    assert "BucketNotEmpty" in plain("rb", f"s3://{name}", check=False)
    plain("del", "--recursive", "--force", f"s3://{name}")
    plain("rb", f"s3://{name}")


def test_the_configuration_dialogue_ends_in_success(shell: Shell, any_node: Node) -> None:
    access, secret = credentials(any_node)
    answers = [
        access,
        secret,
        "US",
        f"{any_node.host}/s3",
        f"{any_node.host}/s3/%(bucket)",
        "",  # encryption password
        "",  # path to GPG
        "no",  # HTTPS
        "",  # proxy
        "y",  # test access
        "y",  # save
    ]
    done = shell.run(
        "s3cmd", "--configure", "-c", shell.home / "new.s3cfg", stdin="\n".join(answers) + "\n"
    )
    assert "Success. Your access key and secret key worked fine :-)" in done.stdout
    assert f"host_base = {any_node.host}/s3" in (shell.home / "new.s3cfg").read_text()


def test_wrong_keys_are_told_with_auth_on(shell: Shell, node: Node) -> None:
    done = shell.run(
        "s3cmd", "ls", "--no-ssl", "--access_key=FAKEKEY", "--secret_key=FAKESECRET",
        f"--host={node.host}/s3", f"--host-bucket={node.host}/s3", check=False,
    )  # fmt: skip
    assert done.returncode != 0
    assert "InvalidAccessKeyId" in done.stderr
