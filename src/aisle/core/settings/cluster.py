"""Rows of what only the cluster's configuration holds, section by section as AIStore has them.

Names, structure and defaults are AIStore's (those of 3.30, and what 5.0 has added); the last rows
are our own. What concerns traffic among storage nodes has no effect: nodes share their store here.
"""

from __future__ import annotations

from typing import Final

from aisle.core.settings.row import CLUSTER, COMPRESSION, Kind, Setting, Value

_DSORT: Final = ("ignore", "warn", "abort")

_SIGNS: Final[tuple[tuple[str, Kind, Value, str], ...]] = (
    ("interval", "duration", "10s", "Time between signs of life."),
    ("name", "text", "heartbeat", "How signs of life are judged."),
    ("factor", "int", 3, "Signs that may be missed."),
)

_NET: Final = (
    Setting("net.http.server_crt", "text", "server.crt",
            "File with the TLS certificate, relative to the data directory.", CLUSTER, True, True),
    Setting("net.http.server_key", "text", "server.key",
            "File with the TLS key, relative to the data directory.", CLUSTER, True, True),
    Setting("net.http.write_buffer_size", "int", 65536, "Write buffer of a connection.",
            CLUSTER, restart=True),
    Setting("net.http.read_buffer_size", "int", 65536, "Read buffer of a connection.",
            CLUSTER, restart=True),
    Setting("net.http.use_https", "bool", False, "Serve HTTPS.", CLUSTER, True, True),
    Setting("net.http.skip_verify", "bool", False,
            "Do not verify certificates of other nodes.", CLUSTER, True),
    Setting("net.http.chunked_transfer", "bool", True, "Send bodies in chunks between nodes.",
            CLUSTER, restart=True),
    Setting("net.http.domain_tls", "text", "", "Name in the TLS certificate.",
            CLUSTER, restart=True, rare=True),
    Setting("net.http.client_ca_tls", "text", "",
            "File with the authorities of client certificates, relative to the data directory.",
            CLUSTER, True, True, rare=True),
    Setting("net.http.client_auth_tls", "int", 0,
            "What is asked of clients, as Go numbers it: 0 nothing, 3 a certificate that is"
            " verified if one is shown, 4 a certificate. A node refuses to start with 1 or 2.",
            CLUSTER, True, True, high=4, rare=True),
    Setting("net.http.idle_conn_time", "duration", "6s", "How long idle connections are kept.",
            CLUSTER, restart=True, rare=True),
    Setting("net.http.idle_conns_per_host", "int", 32, "Idle connections to each node.",
            CLUSTER, restart=True, rare=True),
    Setting("net.http.idle_conns", "int", 256, "Idle connections in all.",
            CLUSTER, restart=True, rare=True),
    Setting("net.http.backend_idle_conn_time", "duration", "0",
            "How long idle connections to remote services are kept; 0 as long as others.",
            CLUSTER, restart=True, rare=True),
    Setting("net.l4.proto", "choice", "tcp", "Transport protocol.", CLUSTER, restart=True,
            choices=("tcp",)),
    Setting("net.l4.sndrcv_buf_size", "int", 131072, "Socket buffers.", CLUSTER, restart=True),
    Setting("net.use_ipv6", "bool", False, "Prefer IPv6 between nodes.", CLUSTER, restart=True),
)  # fmt: skip

_STORAGE: Final = (
    Setting("space.cleanupwm", "int", 65, "Percent used from which garbage is removed.",
            CLUSTER, True, high=100),
    Setting("space.lowwm", "int", 75, "Percent used down to which eviction goes.",
            CLUSTER, True, high=100),
    Setting("space.highwm", "int", 90, "Percent used from which eviction begins.",
            CLUSTER, True, high=100),
    Setting("space.out_of_space", "int", 95, "Percent used from which writes are refused.",
            CLUSTER, True, high=100),
    Setting("space.batch_size", "int", 32768, "Entries that one round of clean-up looks at.",
            CLUSTER),
    Setting("space.dont_cleanup_time", "duration", "30m", "Age below which nothing is cleaned up.",
            CLUSTER),
    # Ours, as far as `disk`.
    Setting("space.garbage_grace", "duration", "10m",
            "How long bytes of a replaced or deleted object stay readable for running GETs.",
            CLUSTER, True),
    Setting("space.sweep_age", "duration", "1d",
            "Age from which bytes that no row refers to count as orphans.", CLUSTER, True),
    Setting("space.sweep_interval", "duration", "1d",
            "Time between sweeps for orphans and missing bytes.", CLUSTER, True),
    Setting("encryption.customer_keys_over_http", "choice", "loopback",
            "Whether keys of clients (SSE-C) may come over plain HTTP: never, from this machine"
            " alone, or always.", CLUSTER, True, choices=("never", "loopback", "always")),
    Setting("jobs.keep_time", "duration", "7d",
            "How long a job that is over is remembered.", CLUSTER, True),
    Setting("jobs.keep_count", "int", 1000,
            "How many jobs that are over are remembered, the latest ones.", CLUSTER, True),
    Setting("lifecycle.interval", "duration", "1d",
            "Time between two applications of the lifecycle rules of buckets; 0 for only by hand.",
            CLUSTER, True),
    Setting("lifecycle.day", "duration", "24h",
            "How long a day of lifecycle rules is; another length than 24h is for trying them out."
            " Then due times are not rounded to midnight, and the rules are applied no less often"
            " than that.", CLUSTER, True, rare=True),
    Setting("inventory.day", "duration", "24h",
            "How long a day is for inventories of buckets, daily and weekly ones; another length"
            " than 24h is for trying them out.", CLUSTER, True, rare=True),
    Setting("access_logs.interval", "duration", "5m",
            "Time between deliveries of the server access logs of buckets.", CLUSTER, True),
    Setting("replication.give_up", "duration", "7d",
            "How long replication of a version is tried before the version says FAILED.",
            CLUSTER, True),
    Setting("notifications.max_age", "duration", "1d",
            "How long a target is told of an event again and again before it is given up.",
            CLUSTER, True),
    Setting("notifications.max_attempts", "int", 50,
            "How often a target may refuse an event before it is given up; 0 for no limit. That it"
            " cannot be reached does not count.", CLUSTER, True),
    Setting("notifications.max_queued", "int", 100_000,
            "Events that may wait for a target; those that come beyond are lost.",
            CLUSTER, True, low=1),
    Setting("notifications.keep_undelivered", "duration", "7d",
            "How long events that were given up are kept; 0 to drop them.", CLUSTER, True),
    Setting("disk.iostat_time_long", "duration", "2s", "Longest time between looks at the disks.",
            CLUSTER),
    Setting("disk.iostat_time_short", "duration", "100ms",
            "Shortest time between looks at the disks.", CLUSTER),
    Setting("disk.iostat_time_smooth", "duration", "8s", "Time over which utilization is averaged.",
            CLUSTER),
    Setting("disk.disk_util_low_wm", "int", 20, "Utilization below which work is not throttled.",
            CLUSTER, high=100),
    Setting("disk.disk_util_high_wm", "int", 80, "Utilization from which work is throttled.",
            CLUSTER, high=100),
    Setting("disk.disk_util_max_wm", "int", 95, "Utilization that work must not pass.",
            CLUSTER, high=100),
    Setting("fshc.enabled", "bool", True, "Check disks after errors.", CLUSTER),
    Setting("fshc.test_files", "int", 4, "Files that a check of a disk reads and writes.", CLUSTER),
    Setting("fshc.error_limit", "int", 2, "Errors of a check after which a disk is given up.",
            CLUSTER),
    Setting("fshc.io_err_limit", "int", 10, "Errors after which a disk is checked.", CLUSTER),
    Setting("fshc.io_err_time", "duration", "10s", "Time in which those errors count.", CLUSTER),
    Setting("rebalance.enabled", "bool", True, "Move objects when nodes come and go.", CLUSTER),
    Setting("rebalance.dest_retry_time", "duration", "2m", "How long a silent node is tried.",
            CLUSTER),
    Setting("rebalance.compression", "choice", "never", "Compress objects on their way.", CLUSTER,
            choices=COMPRESSION),
    Setting("rebalance.bundle_multiplier", "int", 2, "Streams to each node.", CLUSTER),
    Setting("resilver.enabled", "bool", True, "Move objects when disks come and go.", CLUSTER),
    Setting("memsys.min_free", "size", "2gb", "Memory left to others.", CLUSTER, restart=True),
    Setting("memsys.default_buf", "size", "32kb", "Size of buffers.", CLUSTER, restart=True),
    Setting("memsys.to_gc", "size", "4gb", "Memory freed at once.", CLUSTER, restart=True),
    Setting("memsys.hk_time", "duration", "3m", "Time between looks at memory.", CLUSTER,
            restart=True),
    Setting("memsys.min_pct_total", "int", 0, "Percent of all memory left to others.", CLUSTER,
            restart=True, high=100),
    Setting("memsys.min_pct_free", "int", 0, "Percent of free memory left to others.", CLUSTER,
            restart=True, high=100),
)  # fmt: skip

_CONTROL: Final = (
    Setting("log.level", "int", 3, "How much is logged.", CLUSTER, high=5),
    Setting("log.max_size", "size", "4mb", "Size at which a node's log file is rotated.", CLUSTER,
            True),
    Setting("log.max_total", "size", "128mb", "Size of all log files that a node keeps.", CLUSTER,
            True),
    Setting("log.flush_time", "duration", "60s", "Longest time until a line is written.", CLUSTER),
    Setting("log.stats_time", "duration", "60s", "Time between statistics in the log.", CLUSTER),
    Setting("log.to_stderr", "bool", False, "Log to standard error alone.", CLUSTER),
    Setting("periodic.stats_time", "duration", "10s", "Time between looks at the counters.",
            CLUSTER),
    Setting("periodic.notif_time", "duration", "30s", "Time between notifications of jobs.",
            CLUSTER),
    Setting("periodic.retry_sync_time", "duration", "2s", "Time between tries to spread the map.",
            CLUSTER),
    Setting("timeout.cplane_operation", "duration", "2s", "Time for a control request.", CLUSTER,
            restart=True),
    Setting("timeout.max_keepalive", "duration", "4s", "Longest time without a sign of life.",
            CLUSTER, restart=True),
    Setting("timeout.cold_get_conflict", "duration", "5s",
            "How long a read waits for another that fetches the same object.", CLUSTER),
    Setting("timeout.max_host_busy", "duration", "20s", "Longest time for a busy node.", CLUSTER),
    Setting("timeout.startup_time", "duration", "1m", "Time for the cluster to start.", CLUSTER),
    Setting("timeout.join_startup_time", "duration", "3m", "Time for a node to join.", CLUSTER),
    Setting("timeout.send_file_time", "duration", "5m", "Time to send a file to a node.", CLUSTER),
    Setting("timeout.ec_streams_time", "duration", "10m", "Life of idle streams.", CLUSTER),
    Setting("timeout.object_md", "duration", "2h", "Life of cached metadata of objects.", CLUSTER),
    Setting("client.client_timeout", "duration", "10s", "Time for a short request.", CLUSTER),
    Setting("client.client_long_timeout", "duration", "10m", "Time for a long request.", CLUSTER),
    Setting("client.list_timeout", "duration", "1m", "Time for a page of a listing.", CLUSTER),
    Setting("proxy.primary_url", "text", "", "Where the primary is reached.", CLUSTER),
    Setting("proxy.original_url", "text", "", "Where the first primary was reached.", CLUSTER),
    Setting("proxy.discovery_url", "text", "", "Where the cluster is found.", CLUSTER),
    Setting("proxy.non_electable", "bool", False, "Never become the primary.", CLUSTER),
    Setting("transport.max_header", "int", 4096, "Largest header of a stream.", CLUSTER),
    Setting("transport.burst_buffer", "int", 512, "Queue of a stream.", CLUSTER),
    Setting("transport.idle_teardown", "duration", "4s", "Life of an idle stream.", CLUSTER),
    Setting("transport.quiescent", "duration", "10s", "Silence that ends a stream.", CLUSTER),
    Setting("transport.lz4_block", "size", "256kb", "Block of compressed streams.", CLUSTER),
    Setting("transport.lz4_frame_checksum", "bool", False, "Checksum compressed streams.",
            CLUSTER),
    *(
        Setting(f"keepalivetracker.{role}.{name}", kind, default, text, CLUSTER)
        for role in ("proxy", "target")
        for name, kind, default, text in _SIGNS
    ),
    Setting("keepalivetracker.num_retries", "int", 3, "Tries after a missed sign.", CLUSTER),
    Setting("keepalivetracker.retry_factor", "int", 4, "Growth of the time between tries.",
            CLUSTER),
    Setting("auth.enabled", "bool", False,
            "Whether requests have to be signed. Told by the node's own options.", CLUSTER, True,
            fixed=True),
    Setting("auth.secret", "text", "", "Never told.", CLUSTER, True, fixed=True, rare=True),
    Setting("auth.signature.key", "text", "", "Never told.", CLUSTER, True, fixed=True, rare=True),
    Setting("auth.signature.method", "choice", "HS256",
            "How tokens are signed from now on. Those of another method stay good.", CLUSTER, True,
            choices=("HS256", "HS384", "HS512", "RS256", "RS384", "RS512"), rare=True),
    Setting("auth.check_region", "bool", False,
            "Refuse signatures for another region than the cluster's or the bucket's, and new"
            " buckets in another one.", CLUSTER, True),
    Setting("auth.signature_v2", "bool", True, "Accept signatures of version 2.", CLUSTER, True,
            rare=True),
    Setting("auth.expiration_time", "duration", "24h",
            "How long a token is good if whoever logs in does not say, 90d at most.", CLUSTER, True,
            rare=True),
    Setting("auth.oidc.allowed_iss", "words", "", "Issuers of tokens.", CLUSTER, rare=True),
    Setting("auth.oidc.issuer_ca_bundle", "text", "", "File with the issuers' authorities.",
            CLUSTER, rare=True),
    Setting("auth.oidc.jwks_cache", "duration", "1h", "How long keys of issuers are kept.", CLUSTER,
            rare=True),
    Setting("auth.required_claims.aud", "words", "",
            "Audiences of which a token must name one, and that new ones name. Without any a token"
            " is for this store.", CLUSTER, True, rare=True),
    Setting("auth.client_auth_required", "bool", False, "Refuse clients without a token.", CLUSTER,
            rare=True),
)  # fmt: skip

_WORK: Final = (
    Setting("downloader.timeout", "duration", "1h", "Time for one download.", CLUSTER),
    *(
        Setting(f"distributed_sort.{name}", "choice", default, text, CLUSTER, choices=_DSORT)
        for name, default, text in (
            ("duplicated_records", "ignore", "What to do with records that come twice."),
            ("missing_shards", "ignore", "What to do when shards are missing."),
            ("ekm_malformed_line", "abort", "What to do with a bad line of a key map."),
            ("ekm_missing_key", "abort", "What to do with a key that a key map lacks."),
        )
    ),
    Setting("distributed_sort.default_max_mem_usage", "text", "80%", "Memory that sorting may use.",
            CLUSTER),
    Setting("distributed_sort.call_timeout", "duration", "10m", "Time for a request among nodes.",
            CLUSTER),
    Setting("distributed_sort.dsorter_mem_threshold", "size", "100GB",
            "Memory from which another sorter is chosen.", CLUSTER),
    Setting("distributed_sort.compression", "choice", "never", "Compress shards on their way.",
            CLUSTER, choices=COMPRESSION),
    Setting("distributed_sort.bundle_multiplier", "int", 4, "Streams to each node.", CLUSTER),
    *(
        row
        for job, what in (
            ("tcb", "copies of buckets"),
            ("tco", "copies of objects"),
            ("arch", "archives"),
        )
        for row in (
            Setting(f"{job}.compression", "choice", "never", f"Compress {what} on their way.",
                    CLUSTER, choices=COMPRESSION),
            Setting(f"{job}.bundle_multiplier", "int", 2, f"Streams to each node for {what}.",
                    CLUSTER),
            Setting(f"{job}.burst_buffer", "int", 512, f"Queue of {what}.", CLUSTER),
        )
    ),
    Setting("get_batch.max_wait", "duration", "20s", "Longest time to wait for an entry.", CLUSTER),
    Setting("get_batch.max_soft_errs", "int", 8, "Errors of entries that a batch outlives.",
            CLUSTER),
    Setting("get_batch.warmup_workers", "int", -1, "Workers that read ahead; -1 for none.", CLUSTER,
            low=-1),
)  # fmt: skip

ROWS: Final = (*_NET, *_STORAGE, *_CONTROL, *_WORK)
