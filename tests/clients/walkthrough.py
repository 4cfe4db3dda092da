"""Running the commands of a document as its reader would: on a terminal, one after the other.

A command is given as the document writes it. Its addresses become the node's, its absolute paths
become ones below a home directory of its own, and nothing else is changed. What it prints is
compared with what the document shows, where `<date>`, `<rate>` and the other words of `SHAPES`
stand for what differs from run to run.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import pexpect

from tests.harness import BIN, REGION, Node

# Addresses that the documents use for a gateway.
ADDRESSES: Final = ("localhost:8080", "10.10.0.1:51080", "localhost:51080", "10.0.0.20:51080")
SHAPES: Final[Mapping[str, str]] = {
    "date": r"\d{4}-\d\d-\d\d \d\d:\d\d",
    "seconds": r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d",
    "elapsed": r" *\d+s",
    "rate": r" *[\d.]+ [kKMG]?B/s",
    "md5": r"[0-9a-f]{32}",
    "version": r"[\w.]+",
    "gmt": r"\w{3}, \d\d \w{3} 20\d\d \d\d:\d\d:\d\d GMT",
    "time": r"\d\d \w{3} \d\d \d\d:\d\d \w+",
    "id": r"[\w.~-]+",
    "any": r"[^\n]*",
}
SECONDS: Final = 60
AWS_KEYS: Final = {"AWS_ACCESS_KEY_ID": "FAKEKEY", "AWS_SECRET_ACCESS_KEY": "FAKESECRET"}

# The reader's files, and what the documents show more than once.
README: Final = os.urandom(10_689)
LICENSE: Final = os.urandom(1_075)
AMAZON: Final = """\
[default]
access_key = ABCDABCDABCDABCDABCD
secret_key = abcdabcdABCDabcd/abcde/abcdABCDabc/ABCDe
bucket_location = us-east-2
gpg_command = /usr/bin/gpg
host_base = s3.amazonaws.com
host_bucket = %(bucket)s.s3.amazonaws.com
use_https = True
"""
CREATED: Final = """\
"ais://abc" created (see https://github.com/NVIDIA/aistore/blob/main/docs/bucket.md\
#default-bucket-properties)"""
PROPS_SET: Final = """\
Bucket props successfully updated
"checksum.type" set to: "md5" (was: "xxhash")"""
UPLOADED: Final = """\
upload: 'README.md' -> 's3://{}'  [1 of 1]
 10689 of 10689   100% in <elapsed> <rate>  done"""


class Walk:
    """A home directory and a terminal in which the endpoint of `node` is known to all clients."""

    def __init__(self, node: Node, home: Path) -> None:
        self.node = node
        self.home = home
        self._environment = {
            "PATH": os.pathsep.join(
                [str(home / "bin"), str(BIN), os.environ.get("PATH", os.defpath)]
            ),
            "HOME": str(home),
            "LANG": "C.UTF-8",
            "TERM": "dumb",
            "TZ": "UTC",
            "AIS_ENDPOINT": node.root,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_PAGER": "",
        }
        (home / "tmp").mkdir(parents=True)

    def __call__(
        self, command: str, *, code: int = 0, answers: Sequence[tuple[str, str]] = ()
    ) -> str:
        """Run a line of the document; what the terminal shows in the end.

        `answers` are pairs of a question, as it ends, and what is typed when it has come.
        """
        # s3cmd would take the keys of the aws tools for its own.
        keys = AWS_KEYS if re.search(r"\baws ", command) else {}
        child = pexpect.spawn(
            "bash",
            ["-c", self.here(command)],
            timeout=SECONDS,
            cwd=str(self.home),
            env=self._environment | keys,
            encoding="utf-8",
            dimensions=(50, 200),
        )
        try:
            shown = ""
            for question, answer in answers:
                child.expect_exact(self.here(question))
                shown += child.before + child.after
                child.sendline(self.here(answer))
            child.expect(pexpect.EOF)
            shown = final(shown + child.before)
        finally:
            child.close()
        assert child.exitstatus == code, f"{command}\nexit {child.exitstatus}\n{shown}"
        assert "Traceback" not in shown, shown
        return shown

    def json(self, command: str) -> Any:
        """Run a line that prints JSON."""
        return json.loads(self(command))

    def shows(self, command: str, expected: str, **how: Any) -> None:
        """Run a line and compare all of its output; see `SHAPES`."""
        shown = self(command, **how)
        assert matches(shown, self.here(expected)), f"{command}\n{shown}\nis not\n{expected}"

    def file(self, name: str, data: bytes) -> Path:
        """A file of the reader's."""
        path = self.home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        return path

    def here(self, text: str) -> str:
        """A text of the document with the addresses and paths of this run."""
        for address in ADDRESSES:
            text = text.replace(address, self.node.host)
        return text.replace("/tmp/", f"{self.home}/tmp/").replace(
            "/go/bin/", f"{self.home}/go/bin/"
        )


def final(shown: str) -> str:
    """What stays on a terminal: of a line that was written over, the last writing."""
    lines = shown.replace("\r\n", "\n").split("\n")
    return "\n".join(line.rstrip("\r").rpartition("\r")[2].rstrip() for line in lines)


def matches(shown: str, expected: str) -> bool:
    """Whether a text has the shape of another, but for the newline at its end.

    A line `...` stands for any lines.
    """
    lines = expected.strip("\n").split("\n")
    pattern = "\n".join("(?s:.*)" if line == "..." else re.escape(line) for line in lines)
    for name, shape in SHAPES.items():
        pattern = pattern.replace(f"<{name}>", shape)
    return re.fullmatch(pattern, shown.rstrip("\n")) is not None


def configure(walk: Walk) -> None:
    """The `.s3cfg` of a reader who has changed the endpoint, and turned HTTPS off."""
    text = AMAZON.replace("%(bucket)s.s3.amazonaws.com", "localhost:8080/s3")
    text = text.replace("s3.amazonaws.com", "localhost:8080/s3")
    walk.file(".s3cfg", walk.here(text.replace("use_https = True", "use_https = False")).encode())
