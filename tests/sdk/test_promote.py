"""`Object.promote`, on a node whose operator allows it."""

from __future__ import annotations

from pathlib import Path

import pytest
from aistore import Client
from aistore.sdk.errors import AISError

from tests.harness import Node


def test_files_and_directories_are_promoted(tmp_path: Path) -> None:
    top = tmp_path / "in"
    (top / "sub").mkdir(parents=True)
    (top / "a").write_bytes(b"a")
    (top / "sub" / "b").write_bytes(b"bb")
    options = ["--promote-dir", str(top)]
    node = Node(tmp_path / "data", auth=False, workers=1, options=options).start()
    try:
        client = Client(node.root)
        bucket = client.bucket("abc").create()

        def promote(name: str, path: Path, **options: bool) -> None:
            job = bucket.object(name).promote(str(path), src_not_file_share=True, **options)
            result = client.job(job_id=job).wait(timeout=10, verbose=False)
            assert result.success, result.error

        promote("one", top / "a")
        promote("all", top, recursive=True)
        (top / "a").write_bytes(b"new")
        promote("one", top / "a")
        assert bucket.object("one").get_reader().read_all() == b"a"
        promote("one", top / "a", overwrite_dest=True, delete_source=True)
        assert bucket.object("one").get_reader().read_all() == b"new"
        assert not (top / "a").exists()
        found = [entry.name for entry in bucket.list_all_objects()]
        assert found == ["all/a", "all/sub/b", "one"]
        with pytest.raises(AISError, match="cannot be promoted"):
            bucket.object("x").promote("/etc/passwd")
    finally:
        assert node.stop() == 0, node.log_tail()
