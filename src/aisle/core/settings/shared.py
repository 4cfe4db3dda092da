"""Rows of what a bucket may hold, most of which the cluster's configuration holds as its default.

Names, structure and defaults are AIStore's; the last rows are our own.
"""

from __future__ import annotations

from typing import Final

from aisle.core import features
from aisle.core.permissions import ACCESS_ALL
from aisle.core.settings.row import BOTH, BUCKET, COMPRESSION, Setting

_CHECKSUMS: Final = ("none", "xxhash", "xxhash2", "md5", "crc32c", "sha256", "sha512")
_POLICY: Final = ("", "immediate", "delayed", "never")

ROWS: Final = (
    Setting("checksum.type", "choice", "xxhash",
            "Checksum computed for objects written from now on.", BOTH, True, choices=_CHECKSUMS),
    Setting("checksum.validate_cold_get", "bool", True,
            "Compare remote objects with the remote's checksums while they are fetched; the last"
            " bytes are sent after that.", BOTH, True),
    Setting("checksum.validate_warm_get", "bool", False,
            "Verify stored objects whenever they are read whole.", BOTH, True),
    Setting("checksum.validate_obj_move", "bool", False,
            "Verify objects when they move between nodes.", BOTH),
    Setting("checksum.enable_read_range", "bool", False,
            "Return a checksum of the range with range reads of the native API.", BOTH, True),
    Setting("versioning.enabled", "bool", False,
            "Keep former versions of objects (S3 bucket versioning).", BOTH, True),
    Setting("versioning.validate_warm_get", "bool", False,
            "Compare with the remote version on every read.", BOTH, True),
    Setting("versioning.synchronize", "bool", False,
            "Delete the stored copy when the remote object is gone.", BOTH, True),
    Setting("lru.enabled", "bool", True,
            "Evict the least recently used remote objects when a disk fills up.", BOTH, True),
    Setting("lru.dont_evict_time", "duration", "120m",
            "Keep objects that were used within this time.", BOTH, True),
    Setting("lru.capacity_upd_time", "duration", "10m",
            "Longest time between two looks at the used capacity, and the pause after an eviction"
            " that found nothing to evict.", BOTH, True),
    Setting("lru.batch_size", "int", 32768, "Objects that one round of eviction evicts.", BOTH,
            True),
    Setting("mirror.enabled", "bool", False, "Keep copies of objects on several disks.", BOTH),
    Setting("mirror.copies", "int", 2, "Copies of a mirrored object.", BOTH, low=1, high=32),
    Setting("mirror.burst_buffer", "int", 128, "Queue of objects to be mirrored.", BOTH),
    Setting("ec.enabled", "bool", False, "Store objects erasure coded.", BOTH),
    Setting("ec.objsize_limit", "int", 262144,
            "Bytes from which an object is sliced rather than copied.", BOTH, low=-1),
    Setting("ec.data_slices", "int", 1, "Data slices of an object.", BOTH, low=1, high=32),
    Setting("ec.parity_slices", "int", 1, "Parity slices of an object.", BOTH, low=1, high=32),
    Setting("ec.compression", "choice", "never", "Compress slices on their way.", BOTH,
            choices=COMPRESSION),
    Setting("ec.bundle_multiplier", "int", 2, "Streams to each node.", BOTH),
    Setting("ec.burst_buffer", "int", 512, "Queue of slices on their way.", BOTH),
    Setting("ec.disk_only", "bool", False, "Slice on disk, never in memory.", BOTH),
    Setting("chunks.objsize_limit", "size", "0",
            "Size from which an object is kept in chunks; 0 for never.", BOTH),
    Setting("chunks.max_monolithic_size", "size", "1TiB",
            "Size above which an object must be kept in chunks.", BOTH),
    Setting("chunks.chunk_size", "size", "1GiB", "Size of a chunk.", BOTH),
    Setting("chunks.checkpoint_every", "int", 0,
            "Parts of an upload after which its state is saved; 0 for never.", BOTH),
    Setting("chunks.flags", "mask", 0, "Reserved by AIStore.", BOTH),
    Setting("write_policy.data", "choice", "", "When object data is written out.", BOTH,
            choices=("", "immediate")),
    Setting("write_policy.md", "choice", "", "When object metadata is written out.", BOTH,
            choices=_POLICY),
    Setting("rate_limit.backend.enabled", "bool", False, "Limit requests to remote buckets.",
            BOTH, True),
    Setting("rate_limit.backend.interval", "duration", "1m", "Time in which tokens are used up.",
            BOTH, True),
    Setting("rate_limit.backend.max_tokens", "int", 1000, "Requests an interval.", BOTH, True),
    Setting("rate_limit.backend.num_retries", "int", 3, "Retries of a throttled request.", BOTH,
            True),
    Setting("rate_limit.backend.per_op_max_tokens", "text", "",
            "Requests an interval by operation (GET, PUT, HEAD, LIST, DELETE), such as"
            " GET:100,PUT:50; what is named here counts for itself.", BOTH, True),
    Setting("rate_limit.frontend.enabled", "bool", False,
            "Limit requests of clients: in a bucket's props those to the bucket, in the cluster's"
            " configuration those of each user.", BOTH, True),
    Setting("rate_limit.frontend.interval", "duration", "1m",
            "Time in which `max_tokens` requests may come.", BOTH, True),
    Setting("rate_limit.frontend.max_tokens", "int", 1000,
            "Requests an interval, over the whole cluster; each worker has its share.", BOTH, True),
    Setting("rate_limit.frontend.burst_size", "int", 375,
            "Requests allowed at once, after a pause; no more than `max_tokens`.", BOTH, True),
    Setting("rate_limit.frontend.per_op_max_tokens", "text", "",
            "Requests an interval by HTTP method, such as get:1000,put:500; what is named here"
            " counts for itself.", BOTH, True),
    Setting("features", "mask", features.DEFAULT_MASK,
            "Feature flags, as names or a mask; `none` clears them. Those without effect here are"
            " marked in the list of features.", BOTH, True),
    # From here on: ours.
    Setting("etag.type", "choice", "md5",
            "What an ETag is: `md5` of the body as S3 clients expect, or `opaque` (contains a"
            " dash, is not the MD5) for ingest at full speed.", BOTH, True,
            choices=("md5", "opaque")),
    Setting("multipart.min_part_size", "size", "0",
            "Smallest part but the last; 5MiB gives Amazon's EntityTooSmall.", BOTH, True),
    Setting("multipart.expiry", "duration", "7d",
            "Age at which an unfinished multipart upload is removed; 0 keeps it.", BOTH, True),
    Setting("cold_get.range_fetch", "choice", "whole",
            "What a read of a range brings into the cluster: the `whole` remote object in the"
            " background, or `none` of it.", BOTH, True, choices=("whole", "none")),
    Setting("cold_get.range_limit", "size", "1GiB",
            "Size above which reads of ranges do not bring the whole remote object.", BOTH, True),
    Setting("cold_get.parallel_from", "size", "256MiB",
            "Size from which a remote object is fetched by several requests at once; 0 for never.",
            BOTH, True),
    Setting("cold_get.parallel_workers", "int", 4,
            "How many requests fetch such an object at once.", BOTH, True, low=1, high=16),
    Setting("cold_get.verify_first", "bool", False,
            "Send nothing of a remote object before all of it was fetched and found right.", BOTH,
            True),
    # AIStore's again, of buckets alone.
    Setting("access", "mask", ACCESS_ALL,
            "Permissions that are left open on the bucket, a bit for each as AIStore numbers them;"
            " what is closed is closed for everybody, but for changes of the bucket's properties.",
            BUCKET, True),
    Setting("extra.aws.cloud_region", "text", "", "Region of the remote bucket.", BUCKET, True),
    Setting("extra.aws.endpoint", "text", "", "Endpoint of the remote bucket.", BUCKET, True),
    Setting("extra.aws.profile", "text", "", "Named profile with the credentials.", BUCKET, True),
    Setting("extra.aws.max_pagesize", "int", 0,
            "Names a page when the remote bucket is listed; 0 for the service's own.",
            BUCKET, True),
    Setting("extra.aws.multipart_size", "size", "0",
            "Size of the parts of uploads; 0 for 128MiB, -1 for no parts.", BUCKET, True, low=-1),
    Setting("extra.gcp.application_creds", "text", "", "File with the credentials.", BUCKET, True),
    Setting("extra.http.original_url", "text", "",
            "Address of the directory on an HTTP server that a bucket of provider `ht` stands for.",
            BUCKET, True),
    Setting("extra.oci.region", "text", "", "Region of the remote bucket.", BUCKET),
    Setting("extra.custom", "text", "", "Free text of whoever runs the bucket.", BUCKET),
)  # fmt: skip
