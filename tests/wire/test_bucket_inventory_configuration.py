"""Put/Get/List/DeleteBucketInventoryConfiguration, and the inventories that are then written:
https://docs.aws.amazon.com/AmazonS3/latest/userguide/storage-inventory.html
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import json
import time
import uuid
from pathlib import Path
from typing import Any
from urllib.parse import unquote_plus

import duckdb
import pyarrow.orc
import pyarrow.parquet
import pytest

from tests.wire.people import People
from tests.wire.support import refused

FIELDS = [
    "Size", "LastModifiedDate", "StorageClass", "ETag", "IsMultipartUploaded", "ReplicationStatus",
    "EncryptionStatus", "ObjectLockRetainUntilDate", "ObjectLockMode", "ObjectLockLegalHoldStatus",
    "ObjectLockEventHoldStatus", "ObjectLockEventHoldDuration", "IntelligentTieringAccessTier",
    "BucketKeyStatus", "ChecksumAlgorithm", "ObjectAccessControlList", "ObjectOwner",
    "LifecycleExpirationDate", "IntelligentTieringReferenceDate",
]  # fmt: skip
SECONDS = 60.0


def configuration(bucket: str, identity: str = "all", **more: Any) -> dict[str, Any]:
    place = {"Bucket": f"arn:aws:s3:::{bucket}", "Format": "CSV", "Prefix": "inv"}
    place |= more.pop("Place", {})
    return {
        "Destination": {"S3BucketDestination": place},
        "IsEnabled": True,
        "Id": identity,
        "IncludedObjectVersions": "Current",
        "Schedule": {"Frequency": "Daily"},
    } | more


def put(s3: Any, bucket: str, wanted: dict[str, Any]) -> None:
    s3.put_bucket_inventory_configuration(
        Bucket=bucket, Id=wanted["Id"], InventoryConfiguration=wanted
    )


def written(s3: Any, bucket: str, folder: str) -> dict[str, bytes]:
    """All objects of the one inventory below a folder, once it is whole."""
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        listed = s3.list_objects_v2(Bucket=bucket, Prefix=folder).get("Contents", [])
        keys = [entry["Key"] for entry in listed]
        if any(key.endswith("/manifest.checksum") for key in keys):
            return {
                key[len(folder) :]: s3.get_object(Bucket=bucket, Key=key)["Body"].read()
                for key in keys
            }
        time.sleep(0.1)
    raise AssertionError(f"no inventory in {folder}")


def manifest(files: dict[str, bytes]) -> dict[str, Any]:
    key = next(key for key in files if key.endswith("manifest.json"))
    sums = files[key.replace("manifest.json", "manifest.checksum")].decode()
    assert hashlib.md5(files[key]).hexdigest() == sums
    told: dict[str, Any] = json.loads(files[key])
    return told


def data(files: dict[str, bytes], folder: str) -> list[bytes]:
    """The files that the manifest names, as it describes them."""
    found = []
    for file in manifest(files)["files"]:
        body = files[file["key"][len(folder) :]]
        assert (len(body), hashlib.md5(body).hexdigest()) == (file["size"], file["MD5checksum"])
        found.append(body)
    return found


def test_a_configuration_is_kept_listed_and_removed(s3: Any, bucket: str) -> None:
    wanted = configuration(
        bucket, "daily.1", Filter={"Prefix": "a/"}, OptionalFields=FIELDS,
        IncludedObjectVersions="All", Schedule={"Frequency": "Weekly"},
        Place={"Format": "Parquet", "AccountId": "123456789012"},
    )  # fmt: skip
    put(s3, bucket, wanted)
    got = s3.get_bucket_inventory_configuration(Bucket=bucket, Id="daily.1")
    assert got["InventoryConfiguration"] == wanted
    put(s3, bucket, configuration(bucket, "other", IsEnabled=False))
    listed = s3.list_bucket_inventory_configurations(Bucket=bucket)
    assert [one["Id"] for one in listed["InventoryConfigurationList"]] == ["daily.1", "other"]
    assert not listed["IsTruncated"]
    s3.delete_bucket_inventory_configuration(Bucket=bucket, Id="daily.1")
    with refused(404, "NoSuchConfiguration"):
        s3.get_bucket_inventory_configuration(Bucket=bucket, Id="daily.1")
    with refused(404, "NoSuchConfiguration"):
        s3.delete_bucket_inventory_configuration(Bucket=bucket, Id="daily.1")


def test_many_configurations_are_listed_by_the_hundred(s3: Any, bucket: str) -> None:
    names = [f"c{number:03}" for number in range(103)]
    for name in names:
        put(s3, bucket, configuration(bucket, name, IsEnabled=False))
    first = s3.list_bucket_inventory_configurations(Bucket=bucket)
    assert first["IsTruncated"]
    rest = s3.list_bucket_inventory_configurations(
        Bucket=bucket, ContinuationToken=first["NextContinuationToken"]
    )
    pages = first["InventoryConfigurationList"] + rest["InventoryConfigurationList"]
    assert [one["Id"] for one in pages] == names
    assert rest["ContinuationToken"] == first["NextContinuationToken"]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"Place": {"Bucket": "arn:aws:s3:::no-such-bucket-here"}}, "InvalidS3DestinationBucket"),
        ({"Place": {"Bucket": "just-a-name"}}, "InvalidArgument"),
        ({"Place": {"Format": "XLSX"}}, "MalformedXML"),
        ({"Place": {"AccountId": "12"}}, "InvalidArgument"),
        ({"Schedule": {"Frequency": "Hourly"}}, "MalformedXML"),
        ({"IncludedObjectVersions": "Some"}, "MalformedXML"),
        ({"OptionalFields": ["Colour"]}, "MalformedXML"),
        ({"OptionalFields": ["Size", "Size"]}, "InvalidArgument"),
    ],
)
def test_what_is_none_is_refused(s3: Any, bucket: str, change: dict[str, Any], code: str) -> None:
    with refused(400, code):
        put(s3, bucket, configuration(bucket, **change))
    with refused(400, "InvalidArgument"):
        s3.put_bucket_inventory_configuration(
            Bucket=bucket, Id="another", InventoryConfiguration=configuration(bucket)
        )
    assert "InventoryConfigurationList" not in s3.list_bucket_inventory_configurations(
        Bucket=bucket
    )


def test_an_inventory_of_csv_is_written_as_amazon_does(s3: Any, bucket: str) -> None:
    keys = ["a b", "c+d,e", 'q"uote', "plain/key", "ü"]
    for size, key in enumerate(keys):
        s3.put_object(Bucket=bucket, Key=key, Body=b"x" * size)
    put(s3, bucket, configuration(bucket, OptionalFields=FIELDS))
    folder = f"inv/{bucket}/all/"
    files = written(s3, bucket, folder)
    told = manifest(files)
    assert told["sourceBucket"] == bucket
    assert told["destinationBucket"] == f"arn:aws:s3:::{bucket}"
    assert told["version"] == "2016-11-30"
    assert told["fileFormat"] == "CSV"
    columns = told["fileSchema"].split(", ")
    assert columns[:6] == ["Bucket", "Key", "Size", "LastModifiedDate", "ETag", "StorageClass"]
    assert set(columns) == {"Bucket", "Key", *FIELDS}
    text = b"".join(map(gzip.decompress, data(files, folder))).decode()
    assert all(line.startswith(f'"{bucket}","') for line in text.splitlines())
    rows = [dict(zip(columns, row, strict=True)) for row in csv.reader(io.StringIO(text))]
    assert sorted(unquote_plus(row["Key"]) for row in rows) == sorted(keys)
    assert next(row for row in rows if row["Key"] == "a+b")["Size"] == "0"
    row = next(row for row in rows if row["Key"] == "plain/key")
    seen = s3.head_object(Bucket=bucket, Key="plain/key")
    assert (row["Size"], row["ETag"]) == ("3", seen["ETag"].strip('"'))
    assert row["LastModifiedDate"].startswith(f"{seen['LastModified']:%Y-%m-%dT%H:%M:%S}")
    assert (row["IsMultipartUploaded"], row["StorageClass"]) == ("false", "STANDARD")
    links = next(body for key, body in files.items() if key.endswith("symlink.txt")).decode()
    assert links.splitlines() == [f"s3://{bucket}/{file['key']}" for file in told["files"]]
    s3.delete_bucket_inventory_configuration(Bucket=bucket, Id="all")


@pytest.mark.parametrize("kind", ["CSV", "ORC", "Parquet"])
def test_all_versions_are_in_files_that_others_read(
    s3: Any, bucket: str, kind: str, tmp_path: Path
) -> None:
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    first = s3.put_object(Bucket=bucket, Key="in/a", Body=b"1")["VersionId"]
    second = s3.put_object(Bucket=bucket, Key="in/a", Body=b"22")["VersionId"]
    s3.put_object(Bucket=bucket, Key="in/b", Body=b"333")
    marker = s3.delete_object(Bucket=bucket, Key="in/b")["VersionId"]
    s3.put_object(Bucket=bucket, Key="out/c", Body=b"4444")
    put(
        s3, bucket,
        configuration(
            bucket, IncludedObjectVersions="All", Filter={"Prefix": "in/"},
            OptionalFields=["Size", "ETag", "LastModifiedDate"], Place={"Format": kind},
        ),
    )  # fmt: skip
    folder = f"inv/{bucket}/all/"
    files = written(s3, bucket, folder)
    (body,) = data(files, folder)
    path = tmp_path / {"CSV": "f.csv.gz", "ORC": "f.orc", "Parquet": "f.parquet"}[kind]
    path.write_bytes(body)
    names = ["bucket", "key", "version_id", "is_latest", "is_delete_marker", "size"]
    wanted = [
        (bucket, "in/a", second, True, False, 2),
        (bucket, "in/a", first, False, False, 1),
        (bucket, "in/b", marker, True, True, None),
    ]
    if kind == "ORC":
        table = pyarrow.orc.read_table(path)
        rows = [tuple(row[name] for name in names) for row in table.to_pylist()]
        assert manifest(files)["fileSchema"].startswith("struct<bucket:string,key:string,")
    elif kind == "Parquet":
        table = pyarrow.parquet.read_table(path)
        assert [tuple(row[name] for name in names) for row in table.to_pylist()][:3] == wanted
        sql = f"SELECT {', '.join(names)} FROM read_parquet('{path}')"
        rows = duckdb.connect().execute(sql).fetchall()
        assert manifest(files)["fileSchema"].startswith("message s3.inventory {")
    else:
        table = duckdb.connect().execute(
            f"SELECT * FROM read_csv('{path}', header = false, all_varchar = true)"
        ).fetchall()  # fmt: skip
        rows = [
            (row[0], unquote_plus(row[1]), row[2], row[3] == "true", row[4] == "true",
             int(row[5]) if row[5] else None)
            for row in table
        ]  # fmt: skip
        assert manifest(files)["fileSchema"] == (
            "Bucket, Key, VersionId, IsLatest, IsDeleteMarker, Size, LastModifiedDate, ETag"
        )
    assert rows[:3] == wanted
    assert len(rows) == 4
    s3.delete_bucket_inventory_configuration(Bucket=bucket, Id="all")


def test_an_inventory_goes_where_its_owner_may_write(bucket: str, people: People) -> None:
    """Who may not write to the destination cannot have an inventory written there."""
    theirs = f"bobs-{uuid.uuid4().hex[:12]}"
    people.bob.s3.create_bucket(Bucket=theirs)
    try:
        with refused(403, "AccessDenied"):
            put(people.bob.s3, theirs, configuration(bucket))
    finally:
        people.bob.s3.delete_bucket(Bucket=theirs)
