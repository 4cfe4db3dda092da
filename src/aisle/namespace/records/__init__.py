"""The rows: the only place that encodes and decodes what the Index holds.

Every row is one version byte and then MessagePack of an array. New fields are added at the end
with a default, which old and new readers both understand; a change of meaning takes a new version
byte and an entry in `encoding.MIGRATIONS`, which is applied when a row is read.

The rows are by noun in the files beside this one, `encoding` makes bytes of them, and `keys` are
what they are found by. Whoever uses them imports from this package.

| table     | key                                         | value       |
|-----------|---------------------------------------------|-------------|
| `bucket`  | name NUL provider NUL namespace             | `Bucket`    |
| `object`  | bucket id (8) + key                         | `Object`    |
| `version` | bucket id (8) + escaped key + place (8): see `versions.ids` | `Object` |
| `replicate` | see `replication.queue`                      | `Wanted`    |
| `null`    | bucket id (8) + key, where the null version is a former one | its `seq` (8) |
| `hidden`  | bucket id (8) + key: see `versions`         | `seq` (8) + random (8) |
| `layout`  | layout id (16)                              | `Layout`    |
| `body`    | body id (16)                                | raw bytes   |
| `upload`  | bucket id (8) + escaped key + NUL + id (16) | `Upload`    |
| `part`    | upload id (16) + number (2, big endian)     | `Part`      |
| `done`    | upload id (16)                              | `Completed` |
| `garbage` | time (8, ns, big endian) + blob             | its bytes (8) |
| `moved`   | blob of an object that was renamed          | bucket id + key |
| `reader`  | worker id                                   | `Reader`    |
| `claim`   | bucket id (8) + key                         | `Claim`     |
| `chunk`   | holder (16) + number (4, big endian)        | `Extent`    |
| `atime`   | bucket id (8) + key                         | when it was last used (8, ns) |
| `inventory` | generation id (8) + key                   | `Inventoried` |
| `inventories` | bucket id (8) + kind + NUL + name       | `Inventory` |
| `config`  | `cluster`                                   | `Config`    |
| `config`  | `node/` + node id                           | `NodeConfig` |
| `config`  | `root`, `internal`                         | `KeyPair`   |
| `config`  | `tokens`                                    | `TokenKeys` |
| `node`    | node id                                     | `Member`    |
| `lease`   | name of the duty                            | `Lease`     |
| `beat`    | name of the duty, or `node/` + node id      | `Beat`      |
| `job`     | job id                                      | `Job`       |
| `queue`   | job id, while the job is not over           | `Queued`    |
| `progress` | job id                                     | `Progress`  |
| `scheduled` | bucket id (8) + id of an inventory configuration | `Scheduled` |
| `pulled`  | see `transfer.journal`                      | digest      |
| `annotated` | `Object.notes` (16), where there are annotations | `Annotated` |
| `annotation` | `Object.notes` (16) + name             | `Annotation` |
| `note`    | annotation's note id (16)                   | its text, sealed if it is to be |
| `document` | bucket id (8) + kind                       | see `documents` |
| `notification` | see `notifications.queue`         | `Notification` |
| `undelivered` | the same, of those that were given up | `Notification` |
| `target`  | name of a target of notifications           | `Delivery`  |
| `account` | `id/` + account id                          | `Account`   |
| `account` | `canonical/` + canonical id, `email/` + address | account id |
| `user`    | name                                        | `User`      |
| `accesskey` | access key                                | `AccessKey` |
| `session` | access key of a session                     | `Session`   |
| `role`    | name                                        | `Role`      |
| `cluster` | `id/` + uuid                                | `Registered` |
| `cluster` | `alias/` + alias                            | uuid        |
| `revoked` | id of a token                               | its end (8, ns, big endian) |
| `used`    | access key                                  | when it was last used (8, ns) |
"""

from __future__ import annotations

from aisle.namespace.records.annotations import (
    Annotated,
    Annotation,
)
from aisle.namespace.records.base import (
    Record,
)
from aisle.namespace.records.buckets import (
    BACKEND_BCK,
    PARTS_IN_ROW,
    Bucket,
    Extent,
    Layout,
    Listed,
    Lock,
    Object,
    Origin,
    Owned,
    PartInfo,
    Sealed,
    Versioned,
)
from aisle.namespace.records.cluster import (
    Beat,
    Config,
    Lease,
    Member,
    NodeConfig,
    Reader,
)
from aisle.namespace.records.encoding import (
    VERSION,
    decode,
    decoder,
    encode,
    sizes,
)
from aisle.namespace.records.jobs import (
    Job,
    Progress,
    Queued,
    Scheduled,
)
from aisle.namespace.records.keys import (
    bucket_key,
    escape_key,
    part_key,
    timed_id,
    unescape_key,
    upload_key,
)
from aisle.namespace.records.notifications import (
    Delivery,
    Notification,
)
from aisle.namespace.records.uploads import (
    Completed,
    Part,
    Upload,
)
from aisle.namespace.records.users import (
    AccessKey,
    Account,
    KeyPair,
    Registered,
    Role,
    Session,
    TokenKey,
    TokenKeys,
    User,
)
from aisle.namespace.records.windows import (
    Claim,
    Holder,
    Inventoried,
    Inventory,
)

__all__ = [
    "BACKEND_BCK",
    "PARTS_IN_ROW",
    "VERSION",
    "AccessKey",
    "Account",
    "Annotated",
    "Annotation",
    "Beat",
    "Bucket",
    "Claim",
    "Completed",
    "Config",
    "Delivery",
    "Extent",
    "Holder",
    "Inventoried",
    "Inventory",
    "Job",
    "KeyPair",
    "Layout",
    "Lease",
    "Listed",
    "Lock",
    "Member",
    "NodeConfig",
    "Notification",
    "Object",
    "Origin",
    "Owned",
    "Part",
    "PartInfo",
    "Progress",
    "Queued",
    "Reader",
    "Record",
    "Registered",
    "Role",
    "Scheduled",
    "Sealed",
    "Session",
    "TokenKey",
    "TokenKeys",
    "Upload",
    "User",
    "Versioned",
    "bucket_key",
    "decode",
    "decoder",
    "encode",
    "escape_key",
    "part_key",
    "sizes",
    "timed_id",
    "unescape_key",
    "upload_key",
]
