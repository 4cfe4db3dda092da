"""THE table of what native operations need: whom they are for, and what has to be permitted.

An operation is `OPEN` to strangers, or for anybody who is `KNOWN` (its handler limits what it does
and tells to what is the caller's), or it needs an `Action`: in the cluster, to the bucket, or to
the object that the request names. That is looked at before the handler is called; what else an
operation touches (the bucket that a copy goes to, every key that a list names), its handler asks
for. An operation without a row here is not served: a test sees that none is missing.

Spec: AIStore's access bits (`api/apc/access.go`) and which of its handlers check which.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum, auto
from typing import Final, NamedTuple

from aisle.auth.access import Action
from aisle.core import permissions as bits


class Where(Enum):
    """What an operation's action is done to."""

    OPEN = auto()
    KNOWN = auto()
    CLUSTER = auto()
    BUCKET = auto()
    OBJECT = auto()


class Need(NamedTuple):
    """Where an operation acts, and what has to be permitted there; and to everything in the
    bucket."""

    where: Where
    actions: tuple[Action, ...] = ()
    whole: tuple[Action, ...] = ()


GET_OBJECT: Final = Action("s3:GetObject", bits.GET)
HEAD_OBJECT: Final = Action("s3:GetObject", bits.HEAD_OBJECT)
PUT_OBJECT: Final = Action("s3:PutObject", bits.PUT)
APPEND: Final = Action("s3:PutObject", bits.APPEND)
DELETE_OBJECT: Final = Action("s3:DeleteObject", bits.DELETE_OBJECT)
ABORT_UPLOAD: Final = Action("s3:AbortMultipartUpload", bits.PUT)
LIST_OBJECTS: Final = Action("s3:ListBucket", bits.LIST_OBJECTS)
HEAD_BUCKET: Final = Action("s3:ListBucket", bits.HEAD_BUCKET)
CREATE_BUCKET: Final = Action("s3:CreateBucket", bits.CREATE_BUCKET)
DESTROY_BUCKET: Final = Action("s3:DeleteBucket", bits.DESTROY_BUCKET)
# What S3 has no action for, but what comes to the same as one or several of them: whoever is denied
# those is denied this, too.
RENAME: Final = (
    Action("s3:GetObject", bits.MOVE_OBJECT),
    Action("s3:DeleteObject", bits.MOVE_OBJECT),
)
RENAME_TO: Final = Action("s3:PutObject", bits.MOVE_OBJECT)
UPDATE: Final = Action("s3:PutObject", bits.UPDATE_OBJECT)
PROMOTE_TO: Final = Action("s3:PutObject", bits.PROMOTE)
MOVE_BUCKET: Final = Action("s3:DeleteBucket", bits.MOVE_BUCKET)
MOVE_TO: Final = Action("s3:CreateBucket", bits.MOVE_BUCKET)
MOVE_OBJECTS: Final = Action("s3:DeleteObject", bits.MOVE_BUCKET)
DESTROY_OBJECTS: Final = Action("s3:DeleteObject", bits.DESTROY_BUCKET)
# What only this API has: no policy of a bucket grants it.
PROMOTE: Final = Action("ais:Promote", bits.PROMOTE)
PATCH: Final = Action("ais:PatchBucket", bits.PATCH)
SET_BUCKET_ACL: Final = Action("ais:SetBucketAccess", bits.SET_BUCKET_ACL)
LIST_BUCKETS: Final = Action("ais:ListBuckets", bits.LIST_BUCKETS)
LIST_OWN: Final = Action("s3:ListAllMyBuckets", bits.LIST_BUCKETS)
SHOW: Final = Action("ais:ShowCluster", bits.SHOW_CLUSTER)
SHOW_BUCKETS: Final = Action("ais:ShowBuckets", bits.SHOW_CLUSTER | bits.LIST_BUCKETS)
ADMIN: Final = Action("ais:Administer", bits.ADMIN)

_OPEN: Final = Need(Where.OPEN)
_KNOWN: Final = Need(Where.KNOWN)
_SHOW: Final = Need(Where.CLUSTER, (SHOW,))
_ADMIN: Final = Need(Where.CLUSTER, (ADMIN,))

NEEDS: Final[Mapping[str, Need]] = {
    **dict.fromkeys(("health", "login", "public-key", "openid-configuration", "jwks"), _OPEN),
    # Everybody sees and stops jobs of their own, and sees their own buckets, user and keys.
    **dict.fromkeys(
        (
            "get-openapi", "list-buckets", "get-job", "list-jobs", "list-running-jobs",
            "query-jobs", "stop-job", "revoke-token", "get-self", "get-user", "update-user",
            "list-keys", "create-key", "update-key", "delete-key",
        ),
        _KNOWN,
    ),
    **dict.fromkeys(
        (
            "get-smap", "get-node-config", "get-config", "get-snode", "get-stats",
            "get-node-status", "get-sysinfo", "get-mountpaths", "get-disks", "get-metric-names",
            "get-cluster-stats", "get-cluster-sysinfo", "get-cluster-mountpaths",
            "get-target-ips", "get-metrics", "get-certificate", "list-remote", "list-backends",
        ),
        _SHOW,
    ),
    "get-bmd": Need(Where.CLUSTER, (SHOW_BUCKETS,)),
    **dict.fromkeys(
        (
            "set-config", "reset-config", "set-node-config", "reset-node-config", "get-log",
            "start-maintenance", "stop-maintenance", "decommission-node", "shutdown-node",
            "shutdown", "decommission", "rotate-logs", "reset-stats", "reload-creds",
            "load-certificate", "load-certificates",
            "set-primary", "attach-remote", "detach-remote", "enable-backend", "disable-backend",
            "export-heads", "export", "start-job", "list-users", "create-user", "delete-user",
            "list-user-policies", "get-user-policy", "put-user-policy", "delete-user-policy",
            "list-roles", "get-role", "create-role", "update-role", "delete-role",
            "list-clusters", "get-cluster", "register-cluster", "update-cluster",
            "delete-cluster", "rotate-key", "list-undelivered", "resend-undelivered",
            "drop-undelivered",
        ),
        _ADMIN,
    ),
    "create-bck": Need(Where.CLUSTER, (CREATE_BUCKET,)),
    "destroy-bck": Need(Where.BUCKET, (DESTROY_BUCKET,), (DESTROY_OBJECTS,)),
    "move-bck": Need(Where.BUCKET, (MOVE_BUCKET,), (MOVE_OBJECTS,)),
    "head-bck": Need(Where.BUCKET, (HEAD_BUCKET,)),
    "head-bck-info": Need(Where.BUCKET, (HEAD_BUCKET, LIST_OBJECTS)),
    "set-bprops": Need(Where.BUCKET, (PATCH,)),
    "reset-bprops": Need(Where.BUCKET, (PATCH,)),
    "list": Need(Where.BUCKET, (LIST_OBJECTS,)),
    "show-inventory": Need(Where.BUCKET, (LIST_OBJECTS,)),
    "create-inventory": Need(Where.BUCKET, (LIST_OBJECTS, PATCH)),
    "destroy-inventory": Need(Where.BUCKET, (LIST_OBJECTS, PATCH)),
    "summary-bck": _KNOWN,
    "copy-bck": Need(Where.BUCKET, (LIST_OBJECTS,)),
    # What is selected in a bucket, the handlers of these and of copy-bck ask for.
    "copy-listrange": _KNOWN,
    "delete-listrange": _KNOWN,
    "archive": _KNOWN,
    # And that of every entry, which may be in any bucket.
    "get-batch": _KNOWN,
    "prefetch-listrange": Need(Where.BUCKET, (LIST_OBJECTS,)),
    "blob-download": Need(Where.BUCKET, (LIST_OBJECTS,)),
    "evict-listrange": Need(Where.BUCKET, (LIST_OBJECTS,)),
    "evict-remote-bck": Need(Where.BUCKET, (DESTROY_BUCKET,), (DESTROY_OBJECTS,)),
    "promote": Need(Where.BUCKET, (), (PROMOTE_TO,)),
    "put-object": Need(Where.OBJECT, (PUT_OBJECT,)),
    "put-part": Need(Where.OBJECT, (PUT_OBJECT,)),
    "mpt-upload": Need(Where.OBJECT, (PUT_OBJECT,)),
    "mpt-complete": Need(Where.OBJECT, (PUT_OBJECT,)),
    "mpt-abort": Need(Where.OBJECT, (ABORT_UPLOAD,)),
    "append-object": Need(Where.OBJECT, (APPEND,)),
    "append-to-archive": Need(Where.OBJECT, (PUT_OBJECT, APPEND)),
    "get-object": Need(Where.OBJECT, (GET_OBJECT,)),
    "get-member": Need(Where.OBJECT, (GET_OBJECT,)),
    "copy-object": Need(Where.OBJECT, (GET_OBJECT,)),
    "head-object": Need(Where.OBJECT, (HEAD_OBJECT,)),
    "check-lock": Need(Where.OBJECT, (HEAD_OBJECT,)),
    "delete-object": Need(Where.OBJECT, (DELETE_OBJECT,)),
    "rename-object": Need(Where.OBJECT, RENAME),
    "set-custom": Need(Where.OBJECT, (UPDATE,)),
}  # fmt: skip
