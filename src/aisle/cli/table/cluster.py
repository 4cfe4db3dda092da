"""Commands of the cluster, its nodes and their configuration."""

from __future__ import annotations

from typing import Final

from aisle.cli.command import Command

COMMANDS: Final = (
    Command(
        ("config cluster", "cluster config"),
        "show or set the cluster's configuration",
        "config.run",
        (
            "ais config cluster net.http",
            "ais config cluster checksum.type=md5",
            "ais config cluster log.max_size=16mb --transient",
            "ais config cluster features S3-API-via-Root Fsync-PUT",
        ),
    ),
    Command(
        ("config node",),
        "show or set the configuration of one node",
        "config.node",
        (
            "ais config node tgateway-1 log",
            "ais config node tgateway-1 local --json",
            "ais config node tgateway-1 log.max_size=16mb",
        ),
    ),
    Command(
        ("config show", "show config"),
        "show the configuration of the cluster or of a node",
        "config.show",
        ("ais config show cluster checksum", "ais show config tgateway-1 --json"),
    ),
    Command(
        ("config reset",),
        "set the configuration, or a part of it, back to its defaults",
        "config.reset",
        ("ais config reset", "ais config reset checksum log.max_size"),
    ),
    Command(
        ("show cluster", "cluster show"),
        "show the nodes of the cluster, the map, the buckets or the counters",
        "cluster.show",
        ("ais show cluster", "ais show cluster smap --json", "ais show cluster tgateway-1"),
    ),
    Command(
        ("cluster add-remove-nodes start-maintenance",),
        "have load balancers leave a node alone",
        "nodes.start_maintenance",
        ("ais cluster add-remove-nodes start-maintenance pgateway-1",),
    ),
    Command(
        ("cluster add-remove-nodes stop-maintenance",),
        "bring a node back from maintenance",
        "nodes.stop_maintenance",
        ("ais cluster add-remove-nodes stop-maintenance pgateway-1",),
    ),
    Command(
        ("cluster add-remove-nodes decommission",),
        "end a node and take it out of the cluster",
        "nodes.decommission_node",
        ("ais cluster add-remove-nodes decommission pgateway-1",),
    ),
    Command(
        ("cluster add-remove-nodes shutdown",),
        "end a node, which may be started again",
        "nodes.shutdown_node",
        ("ais cluster add-remove-nodes shutdown pgateway-1 --yes",),
    ),
    Command(
        ("cluster set-primary",),
        "name the primary, which is elected here: see the documentation",
        "nodes.set_primary",
        ("ais cluster set-primary pgateway-1",),
    ),
    Command(
        ("cluster shutdown",),
        "end every node",
        "nodes.shutdown",
        ("ais cluster shutdown --yes",),
    ),
    Command(
        ("cluster decommission",),
        "refused: a store is given up by removing its buckets",
        "nodes.decommission",
        ("ais cluster decommission",),
    ),
    Command(
        ("cluster reset-stats", "performance reset"),
        "have every node count from zero again",
        "nodes.reset_stats",
        ("ais cluster reset-stats", "ais cluster reset-stats --errors-only"),
    ),
    Command(
        ("cluster rotate-logs", "log rotate", "advanced rotate-logs"),
        "have every node begin another log file",
        "nodes.rotate_logs",
        ("ais cluster rotate-logs",),
    ),
    Command(
        ("cluster remote-attach", "remote-cluster attach"),
        "attach another cluster, whose buckets are then ais://@ALIAS/BUCKET",
        "remotes.attach",
        (
            "ais cluster remote-attach east=http://10.0.0.1:8080",
            "ais cluster remote-attach east=http://10.0.0.2:8080",
        ),
    ),
    Command(
        ("cluster remote-detach", "remote-cluster detach"),
        "detach another cluster; what is cached of its buckets stays",
        "remotes.detach",
        ("ais cluster remote-detach east",),
    ),
    Command(
        ("show remote-cluster", "remote-cluster show"),
        "show the other clusters that are attached",
        "remotes.show",
        ("ais show remote-cluster", "ais show remote-cluster --json"),
    ),
    Command(
        ("events show", "show events"),
        "show the events that no target took",
        "events.show",
        (
            "ais events show",
            "ais events show --target printer --limit 20",
            "ais events show --bucket ais://abc --json",
        ),
    ),
    Command(
        ("events resend",),
        "send events again that no target took",
        "events.resend",
        ("ais events resend --target printer", "ais events resend --all"),
    ),
    Command(
        ("events rm",),
        "forget events that no target took",
        "events.rm",
        ("ais events rm --bucket ais://abc --yes", "ais events rm --all"),
    ),
    Command(
        ("log show", "show log"),
        "show the log of a node",
        "log.show",
        ("ais log show tgateway-1", "ais log show tgateway-1 --severity error"),
    ),
    Command(
        ("log get",),
        "fetch the log of a node, or of all nodes, into files",
        "log.get",
        ("ais log get tgateway-1 node.log", "ais log get cluster logs --all"),
    ),
    Command(
        ("tls show", "show tls"),
        "show the certificate of a node",
        "tls.show",
        ("ais tls show", "ais tls show pgateway-1 --json"),
    ),
    Command(
        ("tls load-certificate",),
        "have nodes read their certificates anew",
        "tls.load",
        ("ais tls load-certificate", "ais tls load-certificate pgateway-1"),
    ),
    Command(
        ("tls validate-certificates",),
        "look whether the certificates of all nodes hold and are the same",
        "tls.validate",
        ("ais tls validate-certificates",),
    ),
    Command(
        ("storage show", "show storage"),
        "show how full the targets are",
        "storage.show",
        ("ais storage show", "ais show storage tgateway-1 --json"),
    ),
    Command(
        ("storage mountpath",),
        "show the directories under the targets",
        "storage.mountpath",
        ("ais storage mountpath", "ais storage mountpath tgateway-1"),
    ),
    Command(
        ("storage disk",),
        "show the disks under the targets",
        "storage.disk",
        ("ais storage disk", "ais storage disk tgateway-1 --units raw"),
    ),
    Command(
        ("space-cleanup", "storage cleanup"),
        "remove what nothing refers to any more",
        "storage.cleanup",
        ("ais space-cleanup", "ais space-cleanup --wait"),
    ),
    Command(
        ("performance show", "show performance"),
        "show what the targets have counted, and how fast they are",
        "performance.show",
        (
            "ais performance show",
            "ais performance show throughput --refresh 5s",
            "ais performance show latency",
        ),
    ),
    Command(
        ("advanced random-node",),
        "print the id of a node taken at random",
        "advanced.random_node",
        ("ais advanced random-node", "ais advanced random-node target"),
    ),
    Command(
        ("advanced enable-backend",),
        "switch a provider of remote buckets on",
        "advanced.enable_backend",
        ("ais advanced enable-backend aws",),
    ),
    Command(
        ("advanced disable-backend",),
        "switch a provider of remote buckets off: its buckets cannot be used, cached or not",
        "advanced.disable_backend",
        ("ais advanced disable-backend gcp",),
    ),
)
