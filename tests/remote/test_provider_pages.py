"""docs/remote-buckets-{gcp,azure,http}.md hold: their commands run as they are written."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from aisle.core.origins import bucket_name
from tests.cli.consoles import DOCS, replay, write_samples
from tests.harness import Node
from tests.servers import azurite, gcs
from tests.servers.azurite import Azurite
from tests.servers.gcs import FakeGcs
from tests.servers.nginx import Nginx
from tests.wire.support import refused


@pytest.fixture(scope="module")
def clouds() -> Iterator[tuple[FakeGcs, Azurite]]:
    """Emulators with nothing in them but what the pages speak of."""
    google, azure = gcs.FakeGcs().start(), azurite.Azurite().start()
    google.make("my-bucket")
    azure.make("my-container")
    yield google, azure
    google.stop()
    azure.stop()


@pytest.fixture(scope="module")
def node(
    clouds: tuple[FakeGcs, Azurite], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Node]:
    environment = {**clouds[0].environment, **clouds[1].environment}
    data = tmp_path_factory.mktemp("pages") / "data"
    running = Node(data, workers=1, auth=False, environment=environment).start()
    yield running
    assert running.stop() == 0, running.log_tail()
    shutil.rmtree(data)


@pytest.mark.parametrize("name", ["gcp", "azure"])
def test_the_page_of_a_cloud_runs_as_it_is_written(node: Node, tmp_path: Path, name: str) -> None:
    write_samples(tmp_path)
    assert replay(DOCS / f"remote-buckets-{name}.md", node, tmp_path) >= 6


@pytest.mark.parametrize(("bucket", "kept"), [("my-container", "COOL"), ("my-bucket", "NEARLINE")])
def test_a_class_of_the_cloud_is_taken_for_its_buckets_alone(
    node: Node, bucket: str, kept: str
) -> None:
    s3 = node.client()
    s3.create_bucket(Bucket=f"own-{bucket}")
    source = {"CopySource": f"{bucket}/written"}
    upload = s3.create_multipart_upload(Bucket=bucket, Key="parts", StorageClass=kept)["UploadId"]
    part = {"Bucket": bucket, "Key": "parts", "UploadId": upload}
    etag = s3.upload_part(**part, PartNumber=1, Body=b"x")["ETag"]
    s3.complete_multipart_upload(
        **part, MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": etag}]}
    )
    s3.put_object(Bucket=bucket, Key="written", Body=b"x", StorageClass=kept)
    s3.copy_object(Bucket=bucket, Key="copied", StorageClass=kept, **source)
    for key in ("parts", "written", "copied"):
        assert s3.head_object(Bucket=bucket, Key=key)["StorageClass"] == kept
        s3.delete_object(Bucket=bucket, Key=key)
    with refused(501, "NotImplemented"):
        s3.put_object(Bucket=bucket, Key="k", Body=b"x", ServerSideEncryption="AES256")
    for other, name in ((f"own-{bucket}", kept), (bucket, "FROZEN")):
        with refused(400, "InvalidStorageClass"):
            s3.put_object(Bucket=other, Key="k", Body=b"x", StorageClass=name)


@pytest.fixture
def nginx(tmp_path: Path) -> Iterator[Nginx]:
    server = Nginx(tmp_path / "nginx").start()
    yield server
    server.stop()


def test_the_page_of_http_runs_as_it_is_written(node: Node, nginx: Nginx, tmp_path: Path) -> None:
    write_samples(tmp_path)
    (nginx.files / "datasets").mkdir()
    shutil.copy(tmp_path / "README.md", nginx.files / "datasets" / "train.tar")
    base = f"{nginx.root}/files/datasets/"
    text = (DOCS / "remote-buckets-http.md").read_text()
    for written, real in (
        ("http://files.example.com/datasets/", base),
        (quote("http://files.example.com/datasets/", safe=""), quote(base, safe="")),
        ("BUCKET", bucket_name(base)),
        ("localhost:8080", node.host),
    ):
        text = text.replace(written, real)
    page = tmp_path / "page.md"
    page.write_text(text)
    assert replay(page, node, tmp_path) >= 10
