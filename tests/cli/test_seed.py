"""The walk through `ais` and s3cmd in the s3cmd document, its output compared to the text."""

import re
import subprocess
from pathlib import Path

import pytest

from tests.cli.conftest import Ais, environment
from tests.harness import ACCESS_KEY, SECRET_KEY, Node


@pytest.fixture
def s3cmd(own: Node, tmp_path: Path) -> Ais:
    """s3cmd with the endpoint in its configuration, as the document has it."""
    (tmp_path / ".s3cfg").write_text(
        "[default]\n"
        f"access_key = {ACCESS_KEY}\n"
        f"secret_key = {SECRET_KEY}\n"
        f"host_base = {own.host}/s3\n"
        f"host_bucket = {own.host}/s3\n"
        "use_https = False\n"
        "signature_v2 = False\n"
    )

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            ["s3cmd", "-c", ".s3cfg", "--progress", *words],
            cwd=tmp_path,
            env=environment(None, HOME=str(tmp_path)),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done

    return run


def test_the_quick_example(ais: Ais, s3cmd: Ais, tmp_path: Path) -> None:
    (tmp_path / "README.md").write_bytes(b"r" * 10689)
    assert ais("ls", "ais://").stdout == ais("ls", "ais:").stdout == "AIS Buckets (0)\n"
    assert ais("create", "ais://abc").stdout == (
        '"ais://abc" created (see https://github.com/NVIDIA/aistore/blob/main/docs/bucket.md'
        "#default-bucket-properties)\n"
    )
    assert ais("bucket", "props", "set", "ais://abc", "checksum.type=md5").stdout == (
        'Bucket props successfully updated\n"checksum.type" set to: "md5" (was: "xxhash")\n'
    )
    put = s3cmd("put", "README.md", "s3://abc").stdout
    assert put.startswith("upload: 'README.md' -> 's3://abc/README.md'  [1 of 1]\n")
    assert re.search(r" 10689 of 10689   100% in +\d+s .* done", put)
    assert s3cmd("rm", "s3://abc/README.md").stdout == "delete: 's3://abc/README.md'\n"
    assert ais("ls", "s3:").stdout == "AWS Buckets (0)\n"


def test_the_configuration_to_note(ais: Ais) -> None:
    shown = ais("config", "cluster", "net.http.use_https").stdout
    assert shown == "PROPERTY                 VALUE\nnet.http.use_https       false\n"
    shown = ais("config", "cluster", "checksum.type").stdout
    assert shown == "PROPERTY         VALUE\nchecksum.type    xxhash\n"
    assert ais("config", "cluster", "net.http").stdout == (
        "PROPERTY                         VALUE\n"
        "net.http.server_crt              server.crt\n"
        "net.http.server_key              server.key\n"
        "net.http.write_buffer_size       65536\n"
        "net.http.read_buffer_size        65536\n"
        "net.http.use_https               false\n"
        "net.http.skip_verify             false\n"
        "net.http.chunked_transfer        true\n"
    )
    changed = ais("config", "cluster", "checksum.type=md5")
    assert changed.stdout == '{\n    "checksum.type": "md5"\n}\n'
    assert changed.stderr == ""
    ais("create", "ais://mmm")
    assert ais("bucket", "props", "ais://mmm", "checksum.type", "-H").stdout.split()[1] == "md5"


def test_a_bucket_made_by_s3cmd(ais: Ais, s3cmd: Ais, tmp_path: Path) -> None:
    (tmp_path / "README.md").write_bytes(b"r" * 10689)
    assert s3cmd("mb", "s3://mmm").stdout == "Bucket 's3://mmm/' created\n"
    ais("create", "ais://nnn")
    assert ais("ls", "ais:").stdout == "AIS Buckets (2)\n  ais://mmm\n  ais://nnn\n"
    s3cmd("put", "README.md", "s3://mmm/saved-readme.md")
    got = s3cmd("get", "s3://mmm/saved-readme.md", "copied-readme.md").stdout
    assert got.startswith("download: 's3://mmm/saved-readme.md' -> 'copied-readme.md'  [1 of 1]\n")
    assert (tmp_path / "copied-readme.md").read_bytes() == b"r" * 10689


def test_a_large_file_in_parts(ais: Ais, s3cmd: Ais, tmp_path: Path) -> None:
    (tmp_path / "aisnode").write_bytes(bytes(53452800))
    ais("create", "ais://abc")
    s3cmd("put", "aisnode", "s3://abc", "--multipart-chunk-size-mb=5")
    assert ais("ls", "ais://abc").stdout == "NAME      SIZE\naisnode   50.98MiB\n"
    line = s3cmd("ls", "s3://abc").stdout
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d +53452800 +s3://abc/aisnode\n", line)
    assert s3cmd("multipart", "s3://abc").stdout.count("\n") == 2  # headings alone


def test_props_when_a_bucket_is_made_and_the_short_form(ais: Ais) -> None:
    ais("create", "ais://bck", "--props=checksum.type=md5")
    shown = ais("show", "bucket", "ais://bck").stdout
    assert "checksum         Type: md5 | Validate: ColdGET\n" in shown
    assert ais("bucket", "props", "ais://bck", "checksum.type=xxhash").stdout == (
        'Bucket props successfully updated\n"checksum.type" set to: "xxhash" (was: "md5")\n'
    )


def test_objects_put_by_either_client(ais: Ais, s3cmd: Ais, tmp_path: Path) -> None:
    (tmp_path / "README.md").write_bytes(b"r" * 10689)
    (tmp_path / "LICENSE").write_bytes(b"l" * 1075)
    ais("create", "ais://abc")
    assert ais("put", "README.md", "ais://abc").stdout == ""
    s3cmd("put", "LICENSE", "s3://abc")
    shown = ais("ls", "ais://abc").stdout
    assert [line.split() for line in shown.splitlines()] == [
        ["NAME", "SIZE"],
        ["LICENSE", "1.05KiB"],
        ["README.md", "10.44KiB"],
    ]
