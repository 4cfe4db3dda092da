"""`ais auth show ...`: users, roles, clusters and keys in tables; tokens, policies, settings."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterable, Sequence
from typing import Any

from aisle.cli.auth import claims_of, or_input, user_rows
from aisle.cli.authadd import print_json
from aisle.cli.failure import Failure
from aisle.cli.flags import headers_flag, json_flag
from aisle.cli.tables import date_text, print_table, properties
from aisle.client import Client, Role, User
from aisle.client.environment import file_token
from aisle.core.permissions import names_of


def _flags(parser: argparse.ArgumentParser) -> None:
    json_flag(parser)
    headers_flag(parser)


def _verbose(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--verbose", "-v", action="store_true", help="show more columns")


def user_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("user", metavar="USER", nargs="?", default="", help="show one user whole")
    _verbose(parser)
    _flags(parser)


def user(client: Client, options: argparse.Namespace) -> None:
    """Users: NAME ROLES, or all of one."""
    if options.user:
        row = client.auth.told("users", options.user)
        if options.json:
            print_json(row)
        else:
            _print_properties(user_rows(row), options)
        return
    found = client.auth.users()
    if options.json:
        print_json([client.auth.told("users", one.name) for one in found])
        return
    header = ("NAME", "ROLES") + (("ACCOUNT", "CANONICAL ID", "POLICIES") * options.verbose)
    rows = [_user_row(one, verbose=options.verbose) for one in found]
    print_table(header, rows, headers=not options.no_headers)


def _user_row(one: User, *, verbose: bool) -> tuple[str, ...]:
    row = (one.name, ",".join(one.roles))
    more = (one.account, one.canonical_id, ",".join(one.policies))
    return row + more if verbose else row


def role_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "role", metavar="ROLE", nargs="?", default="", help="show what one role permits"
    )
    _verbose(parser)
    _flags(parser)


def role(client: Client, options: argparse.Namespace) -> None:
    """Roles: ROLE DESCRIPTION, or all of one."""
    if options.json:
        print_json(client.auth.told("roles", options.role))
        return
    if options.role:
        one = client.auth.role(options.role)
        _print_properties([("role", one.name), ("description", one.description)], options)
        rows = list(_permission_rows(one))
        if rows:
            print()
            print_table(("CLUSTER", "BUCKET", "PERMISSIONS"), rows)
        return
    header = ("ROLE", "DESCRIPTION") + (("PERMISSIONS",) * options.verbose)
    listed = [_role_row(one, verbose=options.verbose) for one in client.auth.roles()]
    print_table(header, listed, headers=not options.no_headers)


def _role_row(one: Role, *, verbose: bool) -> tuple[str, ...]:
    if not verbose:
        return (one.name, one.description)
    rows = (f"{bucket or cluster}:{names}" for cluster, bucket, names in _permission_rows(one))
    return (one.name, one.description, " ".join(rows))


def _permission_rows(one: Role) -> Iterable[tuple[str, str, str]]:
    if one.admin:
        yield ("*", "", "su")
    for cluster, bucket, mask in one.permissions:
        yield (cluster, bucket, ",".join(names_of(mask)))


def cluster_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "cluster", metavar="CLUSTER", nargs="?", default="", help="id or alias of a single one"
    )
    _flags(parser)


def cluster(client: Client, options: argparse.Namespace) -> None:
    """Clusters: CLUSTER ID ALIAS URLs."""
    auth = client.auth
    found = [auth.cluster(options.cluster)] if options.cluster else auth.clusters()
    if options.json:
        print_json([one._asdict() for one in found])
        return
    rows = [(one.id, one.alias, ",".join(one.urls)) for one in found]
    print_table(("CLUSTER ID", "ALIAS", "URLs"), rows, headers=not options.no_headers)


def key_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("user", metavar="USER", help="whose keys")
    _flags(parser)


def key(client: Client, options: argparse.Namespace) -> None:
    """Access keys of a user, without their secrets."""
    found = client.auth.keys(options.user)
    if options.json:
        fields = ("access_key", "active", "created", "last_used")
        print_json([{name: getattr(one, name) for name in fields} for one in found])
        return
    rows = [
        (
            one.access_key,
            "yes" if one.active else "no",
            date_text(one.created),
            date_text(one.last_used) if one.last_used else "never",
        )
        for one in found
    ]
    header = ("ACCESS KEY", "ACTIVE", "CREATED", "LAST USED")
    print_table(header, rows, headers=not options.no_headers)


def policy_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("user", metavar="USER", help="whose policy")
    parser.add_argument("policy", metavar="POLICY", help="name of the policy")


def policy(client: Client, options: argparse.Namespace) -> None:
    """The JSON of a user's policy."""
    print_json(client.auth.policy(options.user, options.policy))


def token_argument(parser: argparse.ArgumentParser) -> None:
    """What `show token` and `rm token` have in common; `told_token` reads it."""
    parser.add_argument(
        "token",
        metavar="TOKEN",
        nargs="?",
        default="",
        help="a token, - for one on standard input (default: the one you are logged in with)",
    )


def token_arguments(parser: argparse.ArgumentParser) -> None:
    token_argument(parser)
    _flags(parser)


def token(client: Client, options: argparse.Namespace) -> None:
    """What a token says of itself."""
    claims = claims_of(told_token(options))
    if options.json:
        print_json(claims)
        return
    _print_properties([(name, _claim(name, value)) for name, value in claims.items()], options)


def told_token(options: argparse.Namespace) -> str:
    """The token that is meant. Raises `Failure`."""
    told = or_input(options.token, "token")
    found = told or os.environ.get("AIS_AUTHN_TOKEN") or file_token(os.environ)
    if not found:
        raise Failure("you are not logged in, and no token is named")
    return found


def _claim(name: str, value: Any) -> str:
    if name in ("exp", "iat", "nbf") and isinstance(value, int | float):
        return date_text(int(value * 1e9))
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return str(value).lower() if isinstance(value, bool) else str(value)


def config_arguments(parser: argparse.ArgumentParser) -> None:
    _flags(parser)


def config(client: Client, options: argparse.Namespace) -> None:
    """The settings of logins and tokens, which are the cluster's."""
    section = client.cluster_config()["auth"]
    if options.json:
        print_json(section)
        return
    _print_properties(list(_flat("auth", section)), options)


def _flat(prefix: str, section: dict[str, Any]) -> Iterable[tuple[str, str]]:
    for name, value in section.items():
        if isinstance(value, dict):
            yield from _flat(f"{prefix}.{name}", value)
        else:
            yield f"{prefix}.{name}", _claim("", value)


def _print_properties(rows: Sequence[tuple[str, str]], options: argparse.Namespace) -> None:
    for line in properties(rows, headers=not options.no_headers):
        print(line)
