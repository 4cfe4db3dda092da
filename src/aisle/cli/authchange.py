"""`ais auth update ...` and `ais auth rm ...`."""

from __future__ import annotations

import argparse

from aisle.cli.auth import given_password, password_flag, revoke
from aisle.cli.authadd import account_flags, permission_arguments
from aisle.cli.authshow import token_argument, told_token
from aisle.cli.failure import Failure
from aisle.client import Client


def update_user_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("user", metavar="USER", help="who is changed")
    parser.add_argument("roles", metavar="ROLE", nargs="*", help="the roles it has from now on")
    parser.add_argument("--no-roles", action="store_true", help="take all roles away")
    password_flag(parser)
    account_flags(parser, default=None)
    parser.add_argument(
        "--owner", action="store_true", help="the account is this user's from now on"
    )


def update_user(client: Client, options: argparse.Namespace) -> None:
    """Change a user's roles, password, or its account; without any, ask for a password."""
    if options.no_roles and options.roles:
        raise Failure("--no-roles takes all roles away: name none")
    roles = options.roles if options.roles or options.no_roles else None
    account = options.owner or options.display is not None or options.email is not None
    others = roles is not None or account
    password = None
    if options.password is not None or not others:
        password = given_password(options, f"New password of {options.user}", twice=True)
        if not password:
            raise Failure("say what to change: roles, -p PASSWORD, --display, --email or --owner")
    auth = client.auth
    if roles is not None:
        auth.update_user(options.user, roles=roles)
    if password is not None or account:
        auth.update_user(
            options.user,
            password=password,
            display=options.display,
            email=options.email,
            owner=options.owner,
        )
    print(f'User "{options.user}" updated')


def update_role_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("role", metavar="ROLE", help="which role is changed")
    permission_arguments(parser)
    parser.add_argument("--desc", metavar="TEXT", default=None, help="what it is for")


def update_role(client: Client, options: argparse.Namespace) -> None:
    """Change what a role permits in a cluster or a bucket; the rest of it stays."""
    if not options.permissions and options.desc is None:
        raise Failure("say what to change: permissions or --desc")
    client.auth.update_role(
        options.role,
        options.permissions,
        cluster=options.cluster,
        bucket=options.bucket,
        description=options.desc,
    )
    print(f'Role "{options.role}" updated')


def update_cluster_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("cluster", metavar="CLUSTER", help="id or alias of a registered cluster")
    parser.add_argument("--alias", metavar="NAME", default="", help="its alias from now on")
    parser.add_argument(
        "--url", metavar="URL", action="append", default=[], help="where it is; may be repeated"
    )


def update_cluster(client: Client, options: argparse.Namespace) -> None:
    """Give a cluster another alias or other addresses."""
    if not (options.alias or options.url):
        raise Failure("say what to change: --alias or --url")
    client.auth.update_cluster(options.cluster, alias=options.alias, urls=options.url)
    print(f'Cluster "{options.cluster}" updated')


def update_key_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("user", metavar="USER", help="whose key it is")
    parser.add_argument("key", metavar="KEY", help="the access key")
    choice = parser.add_mutually_exclusive_group(required=True)
    choice.add_argument("--active", action="store_true", help="have it count again")
    choice.add_argument("--inactive", action="store_true", help="have it count for nothing")


def update_key(client: Client, options: argparse.Namespace) -> None:
    """Switch an access key on or off."""
    client.auth.set_key_active(options.user, options.key, options.active)
    print(f'Access key "{options.key}" is {"active" if options.active else "inactive"}')


def rm_user_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("user", metavar="USER", help="who is removed, with its keys")


def rm_user(client: Client, options: argparse.Namespace) -> None:
    """Remove a user."""
    client.auth.remove_user(options.user)
    print(f'User "{options.user}" removed')


def rm_role_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("role", metavar="ROLE", help="which role is removed")


def rm_role(client: Client, options: argparse.Namespace) -> None:
    """Remove a role, from who has it as well."""
    client.auth.remove_role(options.role)
    print(f'Role "{options.role}" removed')


def rm_cluster_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("cluster", metavar="CLUSTER", help="id or alias of a registered cluster")


def rm_cluster(client: Client, options: argparse.Namespace) -> None:
    """Forget a registered cluster."""
    client.auth.remove_cluster(options.cluster)
    print(f'Cluster "{options.cluster}" removed')


def rm_key_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("user", metavar="USER", help="whose key it is")
    parser.add_argument("key", metavar="KEY", help="the access key")


def rm_key(client: Client, options: argparse.Namespace) -> None:
    """Remove an access key."""
    client.auth.remove_key(options.user, options.key)
    print(f'Access key "{options.key}" removed')


def rm_policy_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("user", metavar="USER", help="whose policy it is")
    parser.add_argument("policy", metavar="POLICY", help="name of the policy")


def rm_policy(client: Client, options: argparse.Namespace) -> None:
    """Take a policy from a user."""
    client.auth.remove_policy(options.user, options.policy)
    print(f'Policy "{options.policy}" removed')


def rm_token_arguments(parser: argparse.ArgumentParser) -> None:
    token_argument(parser)


def rm_token(client: Client, options: argparse.Namespace) -> None:
    """Have a token count for nothing from now on."""
    revoke(client, told_token(options))
    print("Token revoked")
