"""The Python of the documents, as written: with AIStore's patch of botocore, and without it.

Only the port differs. The patch makes botocore follow redirects; nothing is redirected here, so
both ways have to come to the same. Each script runs in an interpreter of its own, since the patch
cannot be taken back.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.clients.tools import credentials
from tests.conftest import empty_and_remove
from tests.harness import Node

PATCH = "from aistore.botocore_patch import botocore\n"
BASICS = """\
# Import the patch before using boto3
from aistore.botocore_patch import botocore
import boto3

client = boto3.client(
    "s3",
    region_name="us-east-1",  # Any valid region will work
    endpoint_url="http://localhost:8080/s3",  # Your AIStore endpoint
    aws_access_key_id="YOUR_ACCESS_KEY",      # Can be dummy values when
    aws_secret_access_key="YOUR_SECRET_KEY",  # AIS auth is disabled
)

# Create a bucket
client.create_bucket(Bucket="my-bucket")

# List all buckets
response = client.list_buckets()
bucket_names = [bucket["Name"] for bucket in response["Buckets"]]
print(f"Existing buckets: {bucket_names}")

# Delete a bucket
client.delete_bucket(Bucket="my-bucket")
"""
OBJECTS = """\
# Upload an object
client.put_object(
    Bucket="my-bucket",
    Key="sample.txt",
    Body="Hello, AIStore!"
)

# Download an object
response = client.get_object(Bucket="my-bucket", Key="sample.txt")
content = response["Body"].read().decode("utf-8")
print(f"Object content: {content}")

# Delete an object
client.delete_object(Bucket="my-bucket", Key="sample.txt")
"""
MULTIPART = """\
import boto3
from aistore.botocore_patch import botocore

# Initialize the client
client = boto3.client(
    "s3",
    region_name="us-east-1",
    endpoint_url="http://localhost:8080/s3",
    aws_access_key_id="FAKEKEY",
    aws_secret_access_key="FAKESECRET",
)

# Create a bucket if it doesn't exist
bucket_name = "multipart-demo"
try:
    client.head_bucket(Bucket=bucket_name)
except:
    client.create_bucket(Bucket=bucket_name)

# Prepare data for multipart upload
object_key = "large-file.txt"
data = "x" * 10_000_000  # 10MB of data
chunk_size = 5_000_000   # 5MB chunks
chunks = [data[i:i+chunk_size] for i in range(0, len(data), chunk_size)]

# Initiate multipart upload
response = client.create_multipart_upload(Bucket=bucket_name, Key=object_key)
upload_id = response["UploadId"]

# Upload individual parts
parts = []
for i, chunk in enumerate(chunks):
    part_num = i + 1  # Part numbers start at 1
    response = client.upload_part(
        Body=chunk,
        Bucket=bucket_name,
        Key=object_key,
        PartNumber=part_num,
        UploadId=upload_id,
    )
    parts.append({"PartNumber": part_num, "ETag": response["ETag"]})

# Complete the multipart upload
client.complete_multipart_upload(
    Bucket=bucket_name,
    Key=object_key,
    UploadId=upload_id,
    MultipartUpload={"Parts": parts}
)

# Verify upload was successful
response = client.head_object(Bucket=bucket_name, Key=object_key)
print(f"Successfully uploaded {response['ContentLength']} bytes")
"""
# The document's snippets on objects need the bucket that the one before has deleted.
AGAIN = 'client.create_bucket(Bucket="my-bucket")\n'


def run(node: Node, directory: Path, script: str) -> list[str]:
    """The lines that the script prints; where users are told apart, it has keys that are known."""
    access, secret = credentials(node)
    for placeholder in ("YOUR_ACCESS_KEY", "FAKEKEY"):
        script = script.replace(placeholder, access)
    for placeholder in ("YOUR_SECRET_KEY", "FAKESECRET"):
        script = script.replace(placeholder, secret)
    file = directory / "script.py"
    file.write_text(script.replace("localhost:8080", node.host))
    done = subprocess.run(
        [sys.executable, str(file)], cwd=directory, capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    return done.stdout.splitlines()


@pytest.mark.parametrize("patched", [True, False])
def test_the_boto3_examples_run_as_written(any_node: Node, tmp_path: Path, patched: bool) -> None:
    script = BASICS + AGAIN + OBJECTS + AGAIN.replace("create", "delete")
    existing, shown = run(any_node, tmp_path, script if patched else script.replace(PATCH, ""))
    assert existing.startswith("Existing buckets: [")
    assert "'my-bucket'" in existing
    assert shown == "Object content: Hello, AIStore!"
    access, secret = credentials(any_node)
    client = any_node.client(access_key=access, secret_key=secret)
    assert "my-bucket" not in [bucket["Name"] for bucket in client.list_buckets()["Buckets"]]


@pytest.mark.parametrize("patched", [True, False])
def test_the_multipart_example_runs_as_written(
    any_node: Node, tmp_path: Path, patched: bool
) -> None:
    shown = run(any_node, tmp_path, MULTIPART if patched else MULTIPART.replace(PATCH, ""))
    assert shown == ["Successfully uploaded 10000000 bytes"]
    access, secret = credentials(any_node)
    client = any_node.client(access_key=access, secret_key=secret)
    (page,) = client.get_paginator("list_objects_v2").paginate(Bucket="multipart-demo")
    assert [entry["Key"] for entry in page["Contents"]] == ["large-file.txt"]
    body = client.get_object(Bucket="multipart-demo", Key="large-file.txt")["Body"].read()
    assert body == b"x" * 10_000_000
    empty_and_remove(client, "multipart-demo")
