"""Reading inventories of Amazon's on literals: manifests, CSV.GZ, ORC, Parquet, also damaged."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.orc
import pyarrow.parquet
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aisle.core.errors import InventoryDamaged
from aisle.namespace.records import Inventoried, decode
from aisle.namespace.window.inventory import child, manifest, reading
from aisle.namespace.window.inventory.manifest import File
from aisle.store.base import Row
from tests import inventories
from tests.inventories import TIME, Entry, data_file
from tests.namespace.support import run

BUCKET = "webdataset"
FOLDER = f"inv/{BUCKET}/"
FORMATS = ("CSV", "ORC", "Parquet")
CURRENT = inventories.columns_of(versions=False)
ALL = inventories.columns_of(versions=True)


def plain(columns: Sequence[str]) -> tuple[str, ...]:
    return tuple(manifest.plain(name) for name in columns)


def rows(
    data: bytes, format: str = "CSV", columns: Sequence[str] = CURRENT, batch: int = 3
) -> dict[str, Inventoried]:
    """The rows of a file, read in this process."""
    found = child.rows(io.BytesIO(data), format, plain(columns), BUCKET, batch=batch)
    return {key.decode(): decode(Inventoried, raw) for some in found for key, raw in some}


def read(data: bytes) -> list[str]:
    return list(rows(data))


def packed(*lines: str) -> bytes:
    return gzip.compress("".join(f"{line}\n" for line in lines).encode())


def of_manifest(**changes: Any) -> bytes:
    told = inventories.manifest(BUCKET, {f"{FOLDER}id/data/a.csv.gz": b"abc"})
    return json.dumps({**told, **changes}).encode()


# --- manifests ------------------------------------------------------------------------------------


def test_a_manifest_tells_format_columns_and_files() -> None:
    told = manifest.parse(of_manifest(), bucket=BUCKET, folder=FOLDER)
    assert told.format == "CSV"
    assert told.columns == (*("bucket", "key", "size", "lastmodifieddate", "etag", "storageclass"),)
    digest = hashlib.md5(b"abc").hexdigest()
    assert told.files == (File(f"{FOLDER}id/data/a.csv.gz", 3, digest),)


@pytest.mark.parametrize(
    ("format", "told"), [("csv", "CSV"), ("ORC", "ORC"), ("PARQUET", "Parquet")]
)
def test_formats_are_known_in_any_case(format: str, told: str) -> None:
    data = of_manifest(fileFormat=format)
    assert manifest.parse(data, bucket=BUCKET, folder=FOLDER).format == told


def test_a_manifest_of_a_later_version_is_read_by_its_schema() -> None:
    data = of_manifest(version="2025-01-31", fileSchema="Key,Bucket , E_Tag")
    told = manifest.parse(data, bucket=BUCKET, folder=FOLDER)
    assert told.columns == ("key", "bucket", "etag")


FILE = {"key": f"{FOLDER}a", "size": 1, "MD5checksum": "0" * 32}


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"sourceBucket": "other"}, "another bucket"),
        ({"version": "new"}, "unknown version"),
        ({"fileFormat": "XLSX"}, "unknown format"),
        ({"fileSchema": "Bucket, Size"}, "no column Key"),
        ({"fileSchema": "Bucket, Key, Size, SIZE"}, "column twice"),
        ({"fileSchema": "Key, Bu\0cket"}, "schema"),
        ({"fileSchema": f"Key, {'x' * 200_000}"}, "schema"),
        ({"files": [{**FILE, "key": "elsewhere/a"}]}, "file elsewhere"),
        ({"files": [{**FILE, "key": f"{FOLDER}\x1b[2J"}]}, "file elsewhere"),
        ({"files": [{**FILE, "size": -1}]}, "bytes"),
        ({"files": [{**FILE, "size": 1 << 60}]}, "bytes"),
        ({"files": [{**FILE, "MD5checksum": "x"}]}, "no MD5"),
        ({"files": [{"key": "a"}]}, "cannot be read"),
        ({"files": "many"}, "cannot be read"),
        ({"sourceBucket": None}, "cannot be read"),
    ],
)
def test_a_manifest_that_is_not_as_documented_is_refused(
    changes: dict[str, Any], told: str
) -> None:
    with pytest.raises(InventoryDamaged, match=told):
        manifest.parse(of_manifest(**changes), bucket=BUCKET, folder=FOLDER)


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"\xff", b"[" * 100_000])
def test_what_is_no_manifest_is_refused(data: bytes) -> None:
    with pytest.raises(InventoryDamaged, match="cannot be read"):
        manifest.parse(data, bucket=BUCKET, folder=FOLDER)


def test_a_manifest_of_too_many_files_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(manifest, "FILES_LIMIT", 1)
    with pytest.raises(InventoryDamaged, match="more than 1 files"):
        manifest.parse(of_manifest(files=[FILE, FILE]), bucket=BUCKET, folder=FOLDER)


def test_a_manifest_is_held_to_its_checksum() -> None:
    data = of_manifest()
    digest = hashlib.md5(data).hexdigest()
    manifest.verify(data, digest.encode())
    manifest.verify(data, f'"{digest.upper()}"\n'.encode())
    with pytest.raises(InventoryDamaged, match="not the one"):
        manifest.verify(data + b" ", digest.encode())
    with pytest.raises(InventoryDamaged, match="no MD5"):
        manifest.verify(data, b"\xff")


def test_dates_come_newest_first_and_nothing_else_counts() -> None:
    prefixes = [f"f/{name}/" for name in ("2026-01-02T00-00Z", "data", "2026-11-01T05-30Z", "hive")]
    assert manifest.dates(prefixes, "f/") == ["f/2026-11-01T05-30Z/", "f/2026-01-02T00-00Z/"]


# --- files ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("format", FORMATS)
def test_a_file_is_read_with_all_that_it_tells(format: str) -> None:
    wanted = inventories.entries(10)
    found = rows(data_file(BUCKET, wanted, format), format)
    assert list(found) == [entry.key for entry in wanted]
    for entry in wanted:
        kept = found[entry.key]
        assert (kept.size, kept.mtime, kept.etag) == (entry.size, entry.mtime, entry.etag)
        assert (kept.storage_class, kept.version) == ("STANDARD", "")


@pytest.mark.parametrize("format", FORMATS)
def test_of_all_versions_the_current_ones_count(format: str) -> None:
    told = [
        Entry("kept", 2, version="v2"),
        Entry("kept", 1, version="v1", latest=False),
        Entry("gone", version="v2", marker=True),
        Entry("gone", 1, version="v1", latest=False),
        Entry("old", 7, version="null"),
        Entry("back", 3, version="v3"),
        Entry("back", version="v2", latest=False, marker=True),
    ]
    found = rows(data_file(BUCKET, told, format, ALL), format, ALL)
    assert {key: (kept.size, kept.version) for key, kept in found.items()} == {
        "kept": (2, "v2"),
        "old": (7, ""),
        "back": (3, "v3"),
    }


@pytest.mark.parametrize("format", FORMATS)
def test_only_keys_need_be_told(format: str) -> None:
    columns = ("Bucket", "Key")
    found = rows(data_file(BUCKET, [Entry("a"), Entry("b")], format, columns), format, columns)
    kept = found["a"]
    assert list(found) == ["a", "b"]
    assert (kept.size, kept.mtime, kept.etag, kept.storage_class) == (0, 0, "0-0", "STANDARD")


def test_fields_are_unquoted_and_keys_url_decoded() -> None:
    data = packed(
        f'"{BUCKET}","a%2Cb%22c+d%2Be%0Af","1"',
        f'{BUCKET},"plain, with ""quotes""",2',
        f'{BUCKET},"of two\nlines",3',
        "",
        f"{BUCKET},%E2%82%AC,4\r",
    )
    found = rows(data, columns=("Bucket", "Key", "Size"))
    assert {key: kept.size for key, kept in found.items()} == {
        'a,b"c d+e\nf': 1,
        'plain, with "quotes"': 2,
        "of two\nlines": 3,
        "€": 4,
    }


def test_line_separators_of_unicode_end_no_line() -> None:
    data = packed(f'"{BUCKET}","a\u2028b\u0085c\x0bd"')
    assert list(rows(data, columns=("Bucket", "Key"))) == ["a\u2028b\u0085c\x0bd"]


def test_a_last_line_needs_no_end_and_files_may_have_several_members() -> None:
    data = packed(f"{BUCKET},a") + gzip.compress(f"{BUCKET},b".encode())
    assert list(rows(data, columns=("Bucket", "Key"))) == ["a", "b"]


KEYS = st.text(st.characters(codec="utf-8"), min_size=1, max_size=40)


@settings(max_examples=60, deadline=None)
@given(keys=st.lists(KEYS, min_size=1, max_size=8, unique=True), size=st.integers(0, 2**63 - 1))
def test_any_key_survives_quoting_and_encoding(keys: list[str], size: int) -> None:
    told = [Entry(key, size) for key in keys]
    found = rows(data_file(BUCKET, told))
    assert list(found) == keys
    assert {kept.size for kept in found.values()} == {size}


@settings(max_examples=60, deadline=None)
@given(keys=st.lists(KEYS, min_size=1, max_size=8, unique=True))
def test_any_key_survives_quoting_alone(keys: list[str]) -> None:
    kept = [key for key in keys if "%" not in key and "+" not in key]
    lines = [f'{BUCKET},"{key.replace(chr(34), chr(34) * 2)}"' for key in kept]
    assert list(rows(packed(*lines), columns=("Bucket", "Key"))) == kept


GOOD = f'"{BUCKET}","a","1","2026-11-22T01:00:00.000Z","etag","STANDARD"'


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (GOOD.replace('"a"', '""'), "empty or too long"),
        (GOOD.replace('"a"', f'"{"k" * 1025}"'), "empty or too long"),
        (GOOD.replace('"1"', '"many"'), "no number"),
        (GOOD.replace('"1"', '"-1"'), "no number"),
        (GOOD.replace('"1"', f'"{1 << 63}"'), "no number"),
        (GOOD.replace("2026-11", "2026-13"), "date"),
        (GOOD.replace(BUCKET, "other"), "another bucket"),
        (f"{GOOD},more", "7 fields"),
        ('"open', "no CSV"),
        (GOOD.replace('"a"', '"a"b'), "no CSV"),
        (GOOD.replace('"a"', '"%FF"'), "no UTF-8"),
        ("x" * 200_000, "no CSV"),
    ],
)
def test_a_record_that_cannot_be_is_refused(line: str, told: str) -> None:
    with pytest.raises(InventoryDamaged, match=told):
        read(packed(GOOD, line))


@pytest.mark.parametrize("bad", ["<b>", "&amp;", "e" * 300, "a b", "\u20ac"])
def test_what_no_listing_could_show_is_left_out(bad: str) -> None:
    columns = ("Bucket", "Key", "Size", "ETag", "StorageClass", "VersionId")
    kept = rows(packed(f'{BUCKET},a,16,"{bad}","{bad}","{bad}"'), columns=columns)["a"]
    assert (kept.etag, kept.storage_class, kept.version) == ("10-0", "STANDARD", "")


def test_bytes_that_are_no_text_are_refused() -> None:
    with pytest.raises(InventoryDamaged, match="no UTF-8"):
        read(gzip.compress(GOOD.encode() + b"\n\xff\xfe\n"))


def test_a_line_without_an_end_is_refused_before_it_is_read_whole() -> None:
    with pytest.raises(InventoryDamaged, match="more than 64 KiB"):
        read(gzip.compress(b"x" * (64 << 20)))


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("part", [0.0, 0.5, 0.95])
def test_a_file_that_was_cut_off_is_refused(format: str, part: float) -> None:
    data = data_file(BUCKET, inventories.entries(200), format)
    if part == 0.0 and format == "CSV":
        data = b"no gzip" + data
    with pytest.raises(InventoryDamaged):
        rows(data[: int(len(data) * part)] or b"nothing", format)


@pytest.mark.parametrize("format", ["ORC", "Parquet"])
def test_a_columnar_file_with_other_columns_is_refused(format: str) -> None:
    table, out = pyarrow.table({"name": ["a"]}), io.BytesIO()
    if format == "ORC":
        pyarrow.orc.write_table(table, out)
    else:
        pyarrow.parquet.write_table(table, out)
    with pytest.raises(InventoryDamaged, match="no column for keys"):
        rows(out.getvalue(), format)


def test_times_may_be_numbers_or_texts_in_columnar_files() -> None:
    out = io.BytesIO()
    table = pyarrow.table(
        {
            "key": ["a", "b"],
            "last_modified_date": pyarrow.array([TIME // 1_000_000, None], pyarrow.int64()),
        }
    )
    pyarrow.parquet.write_table(table, out)
    assert [kept.mtime for kept in rows(out.getvalue(), "Parquet").values()] == [TIME, 0]


# --- the process that reads -----------------------------------------------------------------------


def in_child(tmp_path: Path, data: bytes, format: str, bucket: str = BUCKET) -> list[str]:
    path = tmp_path / "file"
    path.write_bytes(data)

    async def all_rows() -> list[str]:
        with open(path, "rb") as file:
            batches = reading.read(file, format, plain(CURRENT), bucket)
            return [key.decode() async for batch in batches for key, _ in batch]

    return run(all_rows())


@pytest.mark.parametrize("format", FORMATS)
def test_a_process_of_its_own_reads_a_file(tmp_path: Path, format: str) -> None:
    wanted = inventories.entries(child.BATCH + 10)
    found = in_child(tmp_path, data_file(BUCKET, wanted, format), format)
    assert found == [entry.key for entry in wanted]


def test_batches_come_in_the_order_of_keys(tmp_path: Path) -> None:
    wanted = inventories.entries(100)
    found = in_child(tmp_path, data_file(BUCKET, wanted[::-1]), "CSV")
    assert found == [entry.key for entry in wanted]


def test_no_more_than_a_stretch_is_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(child, "STRETCH", 20)
    monkeypatch.setattr(child, "BATCH", 5)
    keys = [b"%03d" % number for number in range(100)]
    taken = 0

    def batches() -> Iterator[list[Row]]:
        nonlocal taken
        for start in range(90, -1, -10):
            taken += 10
            yield [(key, b"") for key in keys[start : start + 10]]

    told: list[bytes] = []
    for batch in child._sorted(batches()):
        assert taken - len(told) <= 20
        told += [key for key, _ in batch]
    assert sorted(told) == keys
    for start in range(0, 100, 20):
        assert told[start : start + 20] == sorted(told[start : start + 20])


@pytest.mark.parametrize("format", FORMATS)
def test_what_the_process_cannot_read_is_told(tmp_path: Path, format: str) -> None:
    with pytest.raises(InventoryDamaged, match=r"it is no whole (gzip|ORC|Parquet) file"):
        in_child(tmp_path, b"something else entirely, and long enough", format)


def test_a_process_that_dies_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "_MODULE", "aisle.nothing")
    with pytest.raises(InventoryDamaged, match="failed with status"):
        in_child(tmp_path, data_file(BUCKET, []), "CSV")


def test_reading_may_be_given_up_at_any_time(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(data_file(BUCKET, inventories.entries(4 * child.BATCH)))

    async def first() -> int:
        with open(path, "rb") as file:
            batches = reading.read(file, "CSV", plain(CURRENT), BUCKET)
            some = await anext(batches)
            await batches.aclose()
            return len(some)

    assert run(first()) == child.BATCH
