"""THE table of the options of one `aisnode` process.

Every row is an option of the command line (`--stop-timeout`), an environment variable
(`AISLE_STOP_TIMEOUT`) and a key of the TOML file (`stop_timeout`). Only rows live here: `options`
reads them, `convert` says what their values may be.
"""

from __future__ import annotations

from typing import Final

from aisle.node.convert import Option

OPTIONS: Final = (
    Option("data", "storage", "path", "./.aisle",
           "directory for the index, locks and (unless --mountpath) objects; made if absent",
           "DIR"),
    Option("mountpath", "storage", "paths", "<data>/disk",
           "directory (one a disk) to spread objects over; may be given several times", "DIR"),
    Option("index", "storage", "url", "sqlite in <data>",
           "database for the rows instead, shared by many nodes: postgresql://USER@HOST/DATABASE"
           " (password by AISLE_INDEX, PGPASSWORD or a password file)", "URL",
           choices=("postgresql", "postgres")),
    Option("blobs", "storage", "url", "files in <data> or on --mountpath",
           "place for the bytes instead, shared by many nodes: rados://POOL?conf=FILE or"
           " s3://BUCKET/PREFIX?endpoint=URL", "URL", choices=("rados", "s3")),
    Option("blobs_access_key", "storage", "secret", "",
           "access key for the bucket of --blobs s3://..."),
    Option("blobs_secret_key", "storage", "secret", "",
           "secret key for the bucket of --blobs s3://..."),
    Option("durability", "storage", "choice", "strict",
           "what an acknowledged write survives: power loss (strict), or a crash of the process"
           " (relaxed)", choices=("strict", "relaxed")),
    Option("row_cache", "limits", "size", "128MiB",
           "memory for rows and small objects that were read lately, shared out among the workers;"
           " 0 keeps none; not with --index", "SIZE", high=1 << 40),
    Option("forget_mountpath", "storage", "bool", "false",
           "start although a mountpath that was used before is not given, or is empty; objects on"
           " it cannot be read"),
    Option("host", "network", "text", "127.0.0.1", "address to listen on; :: for IPv6", "ADDR"),
    Option("port", "network", "int", "8080", "port to listen on", "N", low=1),
    Option("domain", "network", "texts", "localhost",
           "host name below which buckets are addressed (BUCKET.NAME); may end in /s3; may be"
           " given several times", "NAME"),
    Option("website_domain", "network", "texts", "s3-website.localhost",
           "host name below which buckets are served as websites (BUCKET.NAME), if they have a"
           " website configuration; may be given several times", "NAME"),
    Option("region", "network", "text", "us-east-1", "region that S3 clients are told", "NAME"),
    Option("advertise", "network", "text", "the address it listens on",
           "where other nodes and clients reach this node: http://NAME:PORT", "URL"),
    Option("tls", "network", "choice", "auto",
           "serve HTTPS if there is a certificate, given here or by the cluster's setting"
           " net.http.use_https (auto), or HTTP in any case (off)", choices=("auto", "off")),
    Option("tls_cert", "network", "file", "net.http.server_crt, if net.http.use_https",
           "PEM file with the certificate and those that link it to its root", "FILE"),
    Option("tls_key", "network", "file", "net.http.server_key, if net.http.use_https",
           "PEM file with the key of the certificate, which must not be encrypted", "FILE"),
    Option("tls_self_signed", "network", "bool", "false",
           "serve HTTPS with a certificate made once and kept in <data>/tls, to try it out"),
    Option("tls_client_ca", "network", "file", "net.http.client_ca_tls",
           "PEM file with the authorities that have signed the certificates of clients; others are"
           " not let in", "FILE"),
    Option("tls_client_auth", "network", "choice", "required",
           "with --tls-client-ca: whether clients have to show a certificate, or only must not show"
           " a wrong one (optional)", choices=("required", "optional")),
    Option("tls_min", "network", "choice", "1.2", "oldest version of TLS that is spoken",
           choices=("1.2", "1.3")),
    Option("trusted_proxy", "network", "texts", "none",
           "address or network (10.0.0.0/8) of a proxy whose X-Forwarded-For and X-Forwarded-Proto"
           " are believed; may be given several times", "CIDR"),
    Option("max_connections", "limits", "int", "8192",
           "open connections of one worker, idle ones included; more wait to be let in", "N",
           low=8, high=1_000_000),
    Option("max_requests", "limits", "int", "1024",
           "requests that one worker serves at a time; more are told to slow down", "N",
           low=1, high=1_000_000),
    Option("header_timeout", "limits", "duration", "30s",
           "how long the head of a request may take to come, and a connection stay idle", "TIME"),
    Option("body_timeout", "limits", "duration", "60s",
           "how long a client may send nothing of the body it has announced", "TIME"),
    Option("send_timeout", "limits", "duration", "5m",
           "how long a client may take nothing of its reply", "TIME"),
    Option("node_id", "network", "text", "made once, kept in <data>",
           "name of this node in the cluster", "ID"),
    Option("workers", "network", "int", "one a core", "worker processes", "N", low=1, high=256),
    Option("stop_timeout", "network", "duration", "30s",
           "how long running requests may take to finish when the node is stopped", "TIME"),
    Option("auth", "access", "choice", "auto",
           "whether requests have to prove who sent them: if keys of the administrator are given"
           " (auto); yes, with keys that are made once and printed if none are given (on); or no,"
           " anyone may do anything (off)", choices=("auto", "on", "off")),
    Option("root_access_key", "access", "secret", "",
           "access key of the administrator; together with the secret key it turns"
           " authentication on"),
    Option("root_secret_key", "access", "secret", "", "secret key of the administrator"),
    Option("root_password", "access", "secret", "the secret key",
           "password with which the user root logs in"),
    Option("root_access_key_file", "access", "file", "none",
           "file that holds the access key of the administrator", "FILE"),
    Option("root_secret_key_file", "access", "file", "none",
           "file that holds the secret key of the administrator", "FILE"),
    Option("root_password_file", "access", "file", "none",
           "file that holds the password of the administrator", "FILE"),
    Option("key_ring", "storage", "secret", "",
           "keys that objects are encrypted with: NAME/VERSION:KEY, separated by commas"),
    Option("key_ring_file", "storage", "file", "none",
           "file with the keys that objects are encrypted with, the same on every node: `aisnode"
           " new-key` makes it", "FILE"),
    Option("promote_dir", "access", "file", "none",
           "directory of this machine below which files may be promoted: put into buckets by"
           " request of a client, and deleted if it asks for that", "DIR"),
    Option("event_targets", "access", "file", "none",
           "TOML file of the targets that buckets may send event notifications to; the same on"
           " every node", "FILE"),
    Option("insecure", "access", "bool", "false",
           "listen on an address other than loopback although authentication is off"),
    Option("log_level", "logs", "choice", "info", "least level that is logged",
           choices=("debug", "info", "warning", "error")),
    Option("log_format", "logs", "choice", "text", "lines for people, or JSON for machines",
           choices=("text", "json")),
    Option("access_log", "logs", "bool", "true", "log one line a request"),
    Option("audit", "logs", "choice", "changes",
           "what the audit log has: changes, denials, logins and user administration (changes),"
           " every request (all), or nothing (off)", choices=("off", "changes", "all")),
    Option("audit_file", "logs", "file", "<data>/log/audit.jsonl",
           "file of the audit log, or - for standard output", "PATH"),
)  # fmt: skip


def variable_of(name: str) -> str:
    """The environment variable of the option called `name`."""
    return next(option.env for option in OPTIONS if option.name == name)
