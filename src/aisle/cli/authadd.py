"""`ais auth add ...`: users, access keys, policies, roles and clusters."""

from __future__ import annotations

import argparse
import json
import os
import sys
from typing import Any

from aisle.cli.auth import given_password, or_input, password_flag
from aisle.cli.failure import Failure
from aisle.cli.flags import json_flag
from aisle.cli.notes import note
from aisle.cli.preferences import Preferences
from aisle.cli.tables import properties
from aisle.client import Client

_TIMEOUT = 10.0


def user_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("user", metavar="NAME", help="name of the new user")
    parser.add_argument("roles", metavar="ROLE", nargs="*", help="roles that it has")
    password_flag(parser)
    parser.add_argument(
        "--account",
        metavar="ID",
        default="",
        help="account to join (12 digits); without it the user has one of its own",
    )
    account_flags(parser, default="")
    json_flag(parser)


def account_flags(parser: argparse.ArgumentParser, default: str | None) -> None:
    parser.add_argument(
        "--display", metavar="TEXT", default=default, help="the account's name for people"
    )
    parser.add_argument(
        "--email", metavar="ADDRESS", default=default, help="the account's mail address"
    )


def user(client: Client, options: argparse.Namespace) -> None:
    """Make a user."""
    password = given_password(options, f"Password of {options.user} (empty for none)", twice=True)
    made = client.auth.add_user(
        options.user,
        password,
        roles=options.roles,
        account=options.account,
        display=options.display,
        email=options.email,
    )
    if options.json:
        print_json(client.auth.told("users", made.name))
        return
    print(f'User "{made.name}" added (account {made.account})')


def key_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("user", metavar="USER", help="whose key it is")
    parser.add_argument(
        "--access-key", metavar="KEY", default="", help="bring a key along; generated otherwise"
    )
    parser.add_argument(
        "--secret-key",
        metavar="SECRET",
        default="",
        help="its secret; - reads it from standard input",
    )
    json_flag(parser)


def key(client: Client, options: argparse.Namespace) -> None:
    """Give a user an access key."""
    secret = or_input(options.secret_key, "secret key")
    if bool(options.access_key) != bool(secret):
        raise Failure("a key that is brought along has both: --access-key and --secret-key")
    made = client.auth.add_key(options.user, access_key=options.access_key, secret_key=secret)
    if options.json:
        told: dict[str, Any] = {"user": options.user, **made._asdict()}
        print_json(told)
        return
    if secret:
        print(f'Access key "{made.access_key}" added to user "{options.user}"')
        return
    rows = [("access_key", made.access_key), ("secret_key", made.secret_key)]
    for line in properties(rows, headers=False):
        print(line)
    sys.stdout.flush()
    note("the secret key is not shown again")


def policy_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("user", metavar="USER", help="who gets it")
    parser.add_argument("policy", metavar="POLICY", help="name of the policy")
    parser.add_argument("file", metavar="FILE", help="its JSON; - for standard input")


def policy(client: Client, options: argparse.Namespace) -> None:
    """Give a user a policy."""
    if options.file == "-":
        text = sys.stdin.read()
    else:
        with open(options.file, encoding="utf-8") as file:
            text = file.read()
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Failure(f"{options.file} is not JSON: {error}") from None
    client.auth.put_policy(options.user, options.policy, document)
    print(f'Policy "{options.policy}" of user "{options.user}" is in force')


def permission_arguments(parser: argparse.ArgumentParser) -> None:
    """What `add role` and `update role` have in common."""
    parser.add_argument(
        "permissions",
        metavar="PERMISSION",
        nargs="*",
        help="ro, rw, su, or AIStore's names: GET, PUT, LIST-OBJECTS ...",
    )
    parser.add_argument(
        "--cluster",
        metavar="CLUSTER",
        default="",
        help="id or alias of the cluster where they hold (default: this one)",
    )
    parser.add_argument(
        "--bucket", metavar="BUCKET", default="", help="bucket that they are limited to"
    )


def role_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("role", metavar="NAME", help="name of the new role")
    permission_arguments(parser)
    parser.add_argument("--desc", metavar="TEXT", default="", help="what it is for")


def role(client: Client, options: argparse.Namespace) -> None:
    """Make a role."""
    client.auth.add_role(
        options.role,
        options.permissions,
        cluster=options.cluster,
        bucket=options.bucket,
        description=options.desc,
    )
    print(f'Role "{options.role}" added')


def cluster_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "cluster", metavar="ALIAS=URL", help="a name for the cluster, and where it is"
    )


def cluster(client: Client, options: argparse.Namespace) -> None:
    """Register a cluster, which is asked for its id."""
    alias, equals, url = options.cluster.partition("=")
    if not (alias and equals and url):
        raise Failure(f'"{options.cluster}" is not of the form alias=url')
    environment = Preferences.load(os.environ).environment(os.environ)
    with Client.from_environment(environment, endpoint=url, timeout=_TIMEOUT) as other:
        uuid = other.cluster_map()["uuid"]
    client.auth.add_cluster(uuid, alias=alias, urls=[url])
    print(f'Cluster "{alias}" added ({uuid})')


def print_json(value: object) -> None:
    print(json.dumps(value, indent=4))
