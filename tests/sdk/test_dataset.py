"""`Bucket.write_dataset`: the SDK writes shards with webdataset and puts them into a bucket."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest
from aistore.sdk.bucket import Bucket
from aistore.sdk.dataset.data_attribute import DataAttribute
from aistore.sdk.dataset.dataset_config import DatasetConfig
from aistore.sdk.dataset.label_attribute import LabelAttribute

SAMPLES = 12


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_dataset_is_written_as_shards(
    bucket: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The writer leaves each shard in the working directory until it has been put."""
    images = tmp_path / "images"
    images.mkdir()
    for number in range(SAMPLES):
        (images / f"pet_{number:02}.jpg").write_bytes(b"pixels of %d" % number)
    monkeypatch.chdir(tmp_path)
    config = DatasetConfig(
        primary_attribute=DataAttribute(path=images, file_type="jpg", name="image"),
        secondary_attributes=[LabelAttribute(name="cls", label_identifier=lambda name: name[-2:])],
    )
    bucket.write_dataset(config, skip_missing=True, pattern="pets", maxcount=5, verbose=0)
    shards = sorted(entry.name for entry in bucket.list_all_objects())
    assert shards == ["pets-0.tar", "pets-1.tar", "pets-2.tar"]
    assert not list(tmp_path.glob("*.tar"))
    members: dict[str, bytes] = {}
    for shard in shards:
        data = bucket.object(shard).get_reader().read_all()
        with tarfile.open(fileobj=io.BytesIO(data)) as archive:
            for member in archive:
                file = archive.extractfile(member)
                assert file is not None
                members[member.name] = file.read()
    assert len(members) == 2 * SAMPLES
    pixels = {data for name, data in members.items() if name.endswith(".jpg")}
    assert pixels == {b"pixels of %d" % number for number in range(SAMPLES)}
