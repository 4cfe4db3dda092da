"""Commands of many objects at once, and the jobs that do it."""

from __future__ import annotations

from typing import Final

from aisle.cli.command import Command

COMMANDS: Final = (
    Command(
        ("object rm", "rmo"),
        "remove objects",
        "bulk.remove",
        (
            "ais object rm ais://abc/README.md",
            "ais object rm ais://abc --list a,b,c --wait",
            'ais object rm ais://abc --template "shard-{000..999}.tar" --yes',
        ),
    ),
    Command(
        ("cp", "bucket cp", "object cp"),
        "copy a bucket, many objects or one",
        "copying.run",
        (
            "ais cp ais://abc ais://xyz --wait",
            "ais cp ais://abc/README.md ais://xyz/docs/",
            'ais cp ais://abc ais://xyz --template "shard-{000..999}.tar" --prepend old/',
        ),
    ),
    Command(
        ("prefetch", "object prefetch"),
        "get objects of a remote bucket in advance",
        "bulk.prefetch",
        ("ais prefetch s3://abc --prefix images/ --wait", "ais prefetch s3://abc/README.md"),
    ),
    Command(
        ("evict", "bucket evict", "object evict"),
        "drop what is kept of a remote bucket",
        "bulk.evict",
        ("ais evict s3://abc --keep-md", "ais evict s3://abc --list a,b,c"),
    ),
    Command(
        ("blob-download",),
        "get large objects of a remote bucket in parts",
        "bulk.blob_download",
        ("ais blob-download s3://abc/large --chunk-size 4MiB",),
    ),
    Command(
        ("promote", "object promote"),
        "make objects of files that a node has",
        "promote.run",
        ("ais promote /srv/in/images ais://abc/images/ -r --wait",),
    ),
    Command(
        ("show job", "job show"),
        "show the jobs that run, or any by its id or kind",
        "jobs.show",
        ("ais show job", "ais show job --all", "ais show job copy", "ais show job pxJkls1Mg -v"),
    ),
    Command(
        ("start", "job start"),
        "start a job by its kind",
        "jobs.start",
        ("ais start cleanup", "ais start warm-up-metadata ais://abc --wait"),
    ),
    Command(
        ("stop", "job stop"),
        "stop a job, all of a kind, or all",
        "jobs.stop",
        ("ais stop pxJkls1Mg", "ais stop copy-bucket", "ais stop --all"),
    ),
    Command(
        ("wait", "job wait"),
        "wait until jobs are done",
        "jobs.wait",
        ("ais wait pxJkls1Mg", "ais wait copy --timeout 10m --progress"),
    ),
)
