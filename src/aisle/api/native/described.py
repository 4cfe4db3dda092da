"""What the description of the native API says beyond the table of operations.

By the names of operations: what they do where their handler's documentation speaks to readers of
the code, their parameters, the values of their messages, and the content types of their replies.
"""

from __future__ import annotations

from typing import Any, Final

_STRING: Final = {"type": "string"}
_TEXT: Final = "text/plain"

SUMMARIES: Final = {
    "get-job": "The status of one job by its id, or of the latest of a kind.",
    "list-jobs": "The status of every job that is remembered, the latest first.",
    "query-jobs": "Snapshots of the jobs that a query meets, by target.",
    "export-heads": "A page of all rows, behind `after`; for the administrator only.",
    "export": "The rows and bytes that `value` names; for the administrator only.",
    "login": "A token for who knows a user's password; `expires_in` is in nanoseconds.",
    "update-user": "Change a user's password, which ends its tokens, its roles or its names.",
    "stop-job": "Stop a job by its id, or all of a kind that are the caller's to stop.",
    "list-buckets": "Names, providers and namespaces of the buckets that the caller is told of.",
    "create-bck": "Make a bucket; `value` may hold props.",
    "move-bck": "Rename a bucket to `bck_to`; the reply is the id of a job.",
    "destroy-bck": "Remove a bucket with all objects in it.",
    "head-bck": "A bucket's props, as JSON in `Ais-Bucket-Props`.",
    "head-bck-info": "A bucket's props, and in a later reply its summary, as headers.",
    "set-bprops": "Change the props in `value`.",
    "reset-bprops": "Give a bucket the cluster's present defaults.",
    "list": "A page of a bucket's objects.",
    "create-inventory": "Have an inventory of a remote bucket made; the id of a job.",
    "show-inventory": "The inventory of a remote bucket that the cluster has made, by its name.",
    "destroy-inventory": "Remove the inventory of that name, or whichever there is.",
    "summary-bck": "Sizes and counts of buckets: first the id of a job, then its result.",
    "copy-bck": "Copy all objects, or those with a prefix, into `bck_to`; the id of a job.",
    "copy-listrange": "Copy the objects that a list or template names; the id of a job.",
    "prefetch-listrange": "Fetch remote objects that a list or template names; the id of a job.",
    "delete-listrange": "Remove the objects that a list or template names; the id of a job.",
    "evict-listrange": "Drop cached objects that a list or template names; the id of a job.",
    "evict-remote-bck": "Drop what is kept of a remote bucket, which stays; the id of a job.",
    "promote": "Make objects of files on the node; the id of a job.",
    "blob-download": "Fetch one large remote object in parallel; the id of a job.",
    "put-object": "Store an object.",
    "get-object": "Read an object, or a range of it.",
    "head-object": "An object's properties, as headers.",
    "delete-object": "Remove an object; 404 if there is none.",
    "mpt-upload": "Begin a multipart upload; the reply is its id.",
    "put-part": "Upload a part.",
    "mpt-complete": "Make an object of the parts.",
    "mpt-abort": "Give an upload up.",
    "append-object": "Append to an object that is being put together, or finish it.",
    "copy-object": "Copy an object to the one that `object_to` names.",
    "rename-object": "Rename an object within its bucket; `name` is the new one.",
    "set-custom": "Change an object's custom metadata; `set-new-custom=true` replaces it.",
    "check-lock": "Whether an object is locked for writing, which is never so.",
    "get-member": "A member of an archive by its path, or a TAR of those that match.",
    "append-to-archive": "Put a file into an archive.",
    "archive": "Make an archive of many objects; the id of a job.",
    "get-batch": "Many objects, files in archives and ranges, as an archive in one reply.",
}
_JSON: Final = ("application/json",)
# Content types of successful replies with a body; the others have none, or whatever is stored.
REPLIES: Final[dict[str, tuple[str, ...]]] = {
    **dict.fromkeys(
        (
            "get-smap", "get-node-config", "get-config", "get-snode", "get-stats",
            "get-node-status", "get-sysinfo", "get-mountpaths", "get-disks", "get-metric-names",
            "get-cluster-stats", "get-cluster-sysinfo", "get-cluster-mountpaths", "get-bmd",
            "list-remote", "list-backends", "list-buckets", "get-openapi", "get-job",
            "list-jobs", "list-running-jobs", "query-jobs", "login", "get-self", "list-users",
            "get-user", "list-user-policies", "get-user-policy", "list-keys", "create-key",
            "list-roles", "get-role", "list-clusters", "get-cluster", "jwks",
            "openid-configuration", "show-inventory", "list-undelivered", "resend-undelivered",
            "drop-undelivered",
        ),
        _JSON,
    ),
    "get-log": (_TEXT, "application/gzip"),
    "get-metrics": (_TEXT,),
    "get-batch": (
        "application/x-tar", "application/gzip", "application/x-lz4", "application/zip",
        "multipart/mixed",
    ),
    "public-key": ("application/x-pem-file",),
    **dict.fromkeys(
        (
            "copy-bck", "copy-listrange", "delete-listrange", "promote", "prefetch-listrange",
            "evict-listrange", "evict-remote-bck", "blob-download", "create-inventory",
        ),
        (_TEXT,),
    ),
    "get-target-ips": (_TEXT,),
    "list": ("application/json", "application/msgpack"),
    "summary-bck": ("application/json", _TEXT),
}  # fmt: skip

# Statuses of success beside 200.
STATUSES: Final[dict[str, tuple[int, ...]]] = {
    "summary-bck": (202, 206),
    "head-bck-info": (202, 206),
    "get-object": (206, 304),
    "head-object": (304,),
    "get-member": (206,),
    # Over HTTPS a client of AIStore's waits to be sent here again before it sends a body.
    "put-object": (307,),
}

_TRANSIENT: Final[dict[str, dict[str, Any]]] = {
    "transient": {"type": "boolean", "description": "until nodes restart"},
    "checksum.type": {
        "enum": ["none", "xxhash", "md5", "sha256"],
        "description": "as every other setting, by its name",
    },
}
# Parameters of the query, beside those that every operation of a place has.
PARAMETERS: Final[dict[str, dict[str, dict[str, Any]]]] = {
    "get-batch": dict.fromkeys(("provider", "namespace", "coloc"), _STRING),
    "health": {
        "readiness": {"type": "boolean", "description": "ask whether requests are wanted"},
        "prr": {"type": "boolean", "description": "the same, with uptimes in the headers"},
    },
    "get-log": {
        "severity": {"enum": ["info", "warning", "error"]},
        "all": {"type": "boolean", "description": "every file, as TAR.GZ"},
    },
    "set-config": _TRANSIENT,
    "set-node-config": _TRANSIENT,
    "list-undelivered": {
        "target": _STRING,
        "bucket": _STRING,
        "after": {**_STRING, "description": "the `next` of the page before"},
        "limit": {"type": "integer", "minimum": 1, "maximum": 500},
    },
    "list-buckets": {"presence": {"type": "integer", "minimum": 0, "maximum": 5}},
    "move-bck": {"bck_to": {**_STRING, "description": "such as ais/@#/new/"}},
    "copy-bck": {"bck_to": {**_STRING, "description": "such as ais/@#/other/"}},
    "evict-remote-bck": {
        "keep_bck_md": {"type": "boolean", "description": "keep the bucket and its props"}
    },
}

_SETTINGS: Final = {"type": "object", "description": "settings, nested as they are told"}
_SECTIONS: Final = {
    "type": ["array", "null"],
    "items": _STRING,
    "description": "sections or settings; none for all",
}
_NODE: Final = {"type": "object", "properties": {"sid": _STRING}, "required": ["sid"]}
_NAMES: Final = {
    "type": "object",
    "properties": {"objnames": {"type": "array", "items": _STRING}, "template": _STRING},
}
# What the value of a message is; anything where it is not told.
VALUES: Final[dict[str, dict[str, Any]]] = {
    "set-config": _SETTINGS,
    "set-node-config": _SETTINGS,
    "create-bck": _SETTINGS,
    "set-bprops": _SETTINGS,
    "reset-config": _SECTIONS,
    "reset-node-config": _SECTIONS,
    "start-maintenance": _NODE,
    "stop-maintenance": _NODE,
    "decommission-node": _NODE,
    "shutdown-node": _NODE,
    "reset-stats": {"type": ["boolean", "null"], "description": "true for errors alone"},
    "delete-listrange": _NAMES,
    "evict-listrange": _NAMES,
    "prefetch-listrange": _NAMES,
    "copy-listrange": _NAMES,
    "create-inventory": {
        "type": "object",
        "properties": {
            "name": _STRING,
            "prefix": _STRING,
            "props": _STRING,
            "names_per_chunk": {"type": "integer"},
            "force": {"type": "boolean"},
        },
    },
    "list": {
        "type": "object",
        "properties": {
            "prefix": _STRING,
            "pagesize": {"type": "integer"},
            "props": _STRING,
            "flags": _STRING,
            "start_after": _STRING,
            "continuation_token": _STRING,
        },
    },
}

_TOKEN: Final = {"type": "object", "properties": {"token": _STRING}, "required": ["token"]}
_PERMS: Final = {"type": "array", "items": {"type": "object"}}
_USER: Final = {
    "type": "object",
    "properties": {
        "id": _STRING,
        "pass": _STRING,
        "roles": {"type": "array", "items": {"type": ["string", "object"]}},
        **dict.fromkeys(("account", "display", "email"), _STRING),
    },
}
_ROLE: Final = {
    "type": "object",
    "properties": {
        "name": _STRING,
        "desc": _STRING,
        "clusters": _PERMS,
        "buckets": _PERMS,
        "admin": {"type": "boolean"},
    },
}
_CLUSTER: Final = {
    "type": "object",
    "properties": {
        "id": _STRING,
        "alias": _STRING,
        "urls": {"type": "array", "items": _STRING},
    },
}
_EVENTS: Final = {
    "type": "object",
    "properties": {
        "ids": {"type": "array", "items": _STRING},
        "target": _STRING,
        "bucket": _STRING,
        "all": {"type": "boolean"},
        "after": _STRING,
    },
}
_ENTRY: Final = {
    "type": "object",
    "properties": {
        **dict.fromkeys(("objname", "bucket", "provider", "uname", "archpath", "opaque"), _STRING),
        **{name: {"type": "integer"} for name in ("start", "length")},
    },
}
# JSON bodies that are no action messages.
BODIES: Final[dict[str, dict[str, Any]]] = {
    "get-batch": {
        "type": "object",
        "properties": {
            "in": {"type": "array", "items": _ENTRY, "minItems": 1},
            "mime": _STRING,
            **{name: {"type": "boolean"} for name in ("coer", "onob", "strm")},
            "coloc": {"type": "integer"},
        },
        "required": ["in"],
    },
    "login": {
        "type": "object",
        "properties": {"password": _STRING, "expires_in": {"type": ["integer", "null"]}},
        "required": ["password"],
    },
    "revoke-token": _TOKEN,
    "create-user": _USER,
    "update-user": _USER,
    "put-user-policy": {"type": "object", "description": "a policy as of IAM"},
    "create-key": {
        "type": "object",
        "properties": {"access_key": _STRING, "secret_key": _STRING},
    },
    "update-key": {
        "type": "object",
        "properties": {"active": {"type": "boolean"}},
        "required": ["active"],
    },
    "create-role": _ROLE,
    "update-role": _ROLE,
    "register-cluster": _CLUSTER,
    "update-cluster": _CLUSTER,
    "resend-undelivered": _EVENTS,
    "drop-undelivered": _EVENTS,
}
