"""`ais cluster ...`: nodes taken in and out, orders to all of them."""

from __future__ import annotations

import argparse

from aisle.cli.failure import Failure
from aisle.cli.flags import yes_flag
from aisle.cli.prompt import can_ask, confirmed
from aisle.client import Client


def _node(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("node", metavar="NODE", help="id of a node, as 'ais show cluster' tells it")


start_maintenance_arguments = stop_maintenance_arguments = _node


def start_maintenance(client: Client, options: argparse.Namespace) -> None:
    _change(client, "start-maintenance", options.node)
    print(f'Node "{options.node}" is in maintenance: load balancers find it not ready')


def stop_maintenance(client: Client, options: argparse.Namespace) -> None:
    _change(client, "stop-maintenance", options.node)
    print(f'Node "{options.node}" is back from maintenance')


def decommission_node_arguments(parser: argparse.ArgumentParser) -> None:
    _node(parser)
    parser.add_argument(
        "--rm-user-data", action="store_true", help="refused: nodes share their data"
    )
    yes_flag(parser)


def decommission_node(client: Client, options: argparse.Namespace) -> None:
    if options.rm_user_data:
        raise Failure("nodes share their data: remove buckets instead (see 'ais bucket rm')")
    _change(client, "decommission-node", options.node)
    print(f'Node "{options.node}" finishes its requests, ends and leaves the cluster')


def shutdown_node_arguments(parser: argparse.ArgumentParser) -> None:
    _node(parser)
    yes_flag(parser)


def shutdown_node(client: Client, options: argparse.Namespace) -> None:
    _confirm(options, f'node "{options.node}"', f"Shut down node {options.node}?")
    _change(client, "shutdown-node", options.node)
    print(f'Node "{options.node}" finishes its requests and ends')


def shutdown_arguments(parser: argparse.ArgumentParser) -> None:
    yes_flag(parser)


def shutdown(client: Client, options: argparse.Namespace) -> None:
    """End every node."""
    _confirm(options, "the cluster", "Shut down every node of the cluster?")
    client.act("PUT", "/v1/cluster", {}, "shutdown")
    print("Every node finishes its requests and ends")


def decommission_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--rm-user-data", action="store_true", help="refused, as the rest of it")
    yes_flag(parser)


def decommission(client: Client, options: argparse.Namespace) -> None:
    """Refused by the node."""
    value = {"rm_user_data": options.rm_user_data}
    client.act("PUT", "/v1/cluster", {}, "decommission", value)


def set_primary_arguments(parser: argparse.ArgumentParser) -> None:
    _node(parser)


def set_primary(client: Client, options: argparse.Namespace) -> None:
    """The primary is elected; see `api.native.cluster`."""
    client.act("PUT", f"/v1/cluster/proxy/{_quoted(options.node)}", {})
    print(f'"{options.node}" is the primary')


def reset_stats_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--errors-only", action="store_true", help="only the counts of errors")


def reset_stats(client: Client, options: argparse.Namespace) -> None:
    """Have every node count from zero again."""
    client.act("PUT", "/v1/cluster", {}, "reset-stats", options.errors_only)
    print(f"Cluster {'error ' if options.errors_only else ''}stats successfully reset")


def rotate_logs_arguments(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults()


def rotate_logs(client: Client, options: argparse.Namespace) -> None:
    """Have every node begin another log file."""
    client.act("PUT", "/v1/cluster", {}, "rotate-logs")
    print("Every node has put its log file away")


def _change(client: Client, action: str, node: str) -> None:
    client.act("PUT", "/v1/cluster", {}, action, {"sid": node})


def _confirm(options: argparse.Namespace, what: str, question: str) -> None:
    """Ask before something ends; where nobody can answer, that is a no."""
    if options.yes:
        return
    if not can_ask():
        raise Failure(f"--yes shuts {what} down without asking")
    if not confirmed(question):
        raise Failure(f"{what} was left as it is")


def _quoted(node: str) -> str:
    return "".join(
        char if char.isalnum() or char in "-_.~" else f"%{ord(char):02X}" for char in node
    )
