"""Commands of buckets and what is listed of them."""

from __future__ import annotations

from typing import Final

from aisle.cli.command import Command

COMMANDS: Final = (
    Command(
        ("ls", "bucket ls", "object ls"),
        "list buckets, or the objects of a bucket",
        "listing.run",
        (
            "ais ls ais:",
            "ais ls ais://abc",
            "ais ls ais://abc --props checksum,size,atime",
            "ais ls ais://abc/dir/ --nr",
            "ais ls --summary",
        ),
    ),
    Command(
        ("create", "bucket create"),
        "create buckets",
        "buckets.create",
        ("ais create ais://abc", 'ais create ais://abc --props="checksum.type=md5"'),
    ),
    Command(
        ("bucket show", "show bucket"),
        "show a bucket's props in brief",
        "props.show",
        ("ais bucket show ais://abc", "ais bucket show ais://abc checksum"),
    ),
    Command(
        ("bucket rm", "rmb"),
        "remove buckets with all that is in them",
        "buckets.remove",
        ("ais bucket rm ais://abc", "ais bucket rm ais://abc --yes"),
    ),
    Command(
        ("bucket mv", "bucket rename"),
        "give a bucket another name",
        "buckets.move",
        ("ais bucket mv ais://abc ais://xyz", "ais bucket mv ais://abc ais://xyz --wait"),
    ),
    Command(
        ("bucket summary", "show bucket-summary"),
        "show how many objects and bytes are in buckets",
        "summary.run",
        ("ais bucket summary", "ais bucket summary ais://abc --prefix images/"),
    ),
    Command(
        ("bucket lru",),
        "show whether a bucket's objects are evicted, or switch that",
        "props.lru",
        ("ais bucket lru ais://abc", "ais bucket lru ais://abc --enable"),
    ),
    Command(
        ("bucket props set",),
        "change a bucket's props",
        "props.set_props",
        (
            "ais bucket props set ais://abc checksum.type=md5",
            "ais bucket props ais://abc checksum.type=md5",
        ),
    ),
    Command(
        ("bucket props show",),
        "show every prop of a bucket",
        "props.show_props",
        ("ais bucket props show ais://abc", "ais bucket props ais://abc checksum"),
    ),
    Command(
        ("bucket props reset", "bucket reset"),
        "give a bucket the cluster's present defaults",
        "props.reset_props",
        ("ais bucket props reset ais://abc",),
    ),
    Command(
        ("nbi create",),
        "have an inventory of a remote bucket made, to list it by",
        "nbi.create",
        ("ais nbi create s3://abc --wait", "ais nbi create gs://abc --name mine --prefix images/"),
    ),
    Command(
        ("nbi show",),
        "show the inventories that the cluster has made",
        "nbi.show",
        ("ais nbi show", "ais nbi show s3://abc"),
    ),
    Command(
        ("nbi rm",),
        "remove the inventory of a remote bucket",
        "nbi.remove",
        ("ais nbi rm s3://abc",),
    ),
    Command(
        ("bucket inventory put",),
        "have S3 write an inventory of a bucket from time to time",
        "inventory.put",
        (
            "ais bucket inventory put s3://abc --frequency daily",
            "ais bucket inventory put s3://abc --id scan --destination s3://abc-inv --format orc",
        ),
    ),
    Command(
        ("bucket inventory ls",),
        "list the inventories that S3 writes of a bucket",
        "inventory.list_",
        ("ais bucket inventory ls s3://abc",),
    ),
    Command(
        ("bucket inventory show",),
        "show one of the inventories that S3 writes of a bucket",
        "inventory.show",
        ("ais bucket inventory show s3://abc --id scan",),
    ),
    Command(
        ("bucket inventory rm",),
        "have S3 write an inventory no more",
        "inventory.remove",
        ("ais bucket inventory rm s3://abc --id scan",),
    ),
    Command(
        ("bucket inventory allow",),
        "let S3 write inventories into a bucket, by the bucket's policy",
        "inventory.allow",
        ("ais bucket inventory allow s3://abc-inv --source s3://abc",),
    ),
    Command(
        ("storage summary",),
        "show how many objects and bytes are in buckets",
        "summary.run",
        ("ais storage summary", "ais storage summary ais://abc"),
    ),
    Command(
        ("scrub", "storage validate"),
        "go over the objects of buckets and count what is unusual or damaged",
        "scrub.run",
        (
            "ais scrub",
            "ais scrub ais://abc/images/ --small-size 1KiB --verbose",
            "ais scrub ais://abc --checksum",
        ),
    ),
)
