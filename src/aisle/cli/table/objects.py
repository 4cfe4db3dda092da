"""Commands of single objects, files and archives."""

from __future__ import annotations

from typing import Final

from aisle.cli.command import Command

COMMANDS: Final = (
    Command(
        ("put", "object put"),
        "put files into a bucket",
        "put.run",
        (
            "ais put README.md ais://abc",
            "tar c dir | ais put - ais://abc/dir.tar",
            "ais put -r images ais://abc/images/",
        ),
    ),
    Command(
        ("get", "object get"),
        "get an object, or a part of one",
        "get.run",
        ("ais get ais://abc/README.md copy.md", "ais get ais://abc/README.md - --length 100"),
    ),
    Command(
        ("object show", "show object"),
        "show an object's properties",
        "objects.show",
        (
            "ais object show ais://abc/README.md --all",
            "ais object show ais://abc/README.md --props size,custom --json",
        ),
    ),
    Command(
        ("object mv", "object rename"),
        "give an object another name in its bucket",
        "objects.move",
        ("ais object mv ais://abc/README.md docs/README.md",),
    ),
    Command(
        ("object set-custom",),
        "set custom properties of an object",
        "objects.set_custom",
        (
            "ais object set-custom ais://abc/README.md colour=red size=large",
            """ais object set-custom ais://abc/README.md '{"colour":"red"}'""",
        ),
    ),
    Command(
        ("object cat",),
        "print objects",
        "objects.cat",
        ("ais object cat ais://abc/README.md", "ais object cat ais://abc/README.md --length 100"),
    ),
    Command(
        ("object concat",),
        "put files into one object, one after the other",
        "concat.run",
        ("ais object concat a.log b.log ais://abc/all.log", "ais object concat logs ais://abc/x"),
    ),
    Command(
        ("mpu create", "object mpu create", "object multipart-upload create"),
        "begin an upload in parts",
        "mpu.create",
        ("ais mpu create ais://abc/large",),
    ),
    Command(
        ("mpu put-part", "object mpu put-part", "object multipart-upload put-part"),
        "upload a part",
        "mpu.put_part",
        ("ais mpu put-part ais://abc/large UPLOAD_ID 1 part-aa",),
    ),
    Command(
        ("mpu complete", "object mpu complete", "object multipart-upload complete"),
        "make an object of the parts",
        "mpu.complete",
        ("ais mpu complete ais://abc/large UPLOAD_ID 1,2,3",),
    ),
    Command(
        ("mpu abort", "object mpu abort", "object multipart-upload abort"),
        "give an upload up, and its parts",
        "mpu.abort",
        ("ais mpu abort ais://abc/large UPLOAD_ID",),
    ),
    Command(
        ("archive put",),
        "archive files and directories as an object",
        "archive.put",
        (
            "ais archive put images ais://abc/images.tar -r",
            "ais archive put README.md ais://abc/docs.tgz --archpath docs/README.md --append",
        ),
    ),
    Command(
        ("archive bucket",),
        "archive objects of a bucket as another object",
        "archive.bucket",
        (
            'ais archive bucket ais://abc ais://xyz/a.tar --template "img-{000..999}.jpg" --wait',
            "ais archive bucket ais://abc/images/ ais://xyz/images.tar.lz4 --append-or-put",
        ),
    ),
    Command(
        ("archive ls",),
        "list archives and what is in them",
        "archive.list_",
        ("ais archive ls ais://abc", "ais archive ls ais://abc/shard-000.tar"),
    ),
    Command(
        ("archive get",),
        "get what is in an archive",
        "archive.get",
        (
            "ais archive get ais://abc/shard-000.tar out",
            "ais archive get ais://abc/shard-000.tar/img-1.jpg -",
            "ais archive get ais://abc/shard-000.tar x.tar --archregx=.jpg --archmode=suffix",
        ),
    ),
    Command(
        ("archive gen-shards", "advanced gen-shards"),
        "make archives of random files, for tests",
        "shards.run",
        ('ais archive gen-shards "ais://abc/shard-{000..999}.tar" --fcount 10 --fsize 1KiB',),
    ),
    Command(
        ("ml get-batch",),
        "get many objects, or files in archives, as one archive",
        "batch.run",
        (
            'ais ml get-batch ais://abc --list "1.wav,2.wav" training.tar',
            'ais ml get-batch "ais://abc/shard-{000..099}.tar" shards.tgz',
            "ais ml get-batch ais://abc/shard.tar/a.wav ais://xyz/b.wav two.zip",
            "ais ml get-batch training.tar --spec batch.json",
        ),
    ),
)
