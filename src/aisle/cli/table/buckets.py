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
