"""Commands of users, their keys and what they may do."""

from __future__ import annotations

from typing import Final

from aisle.cli.command import Command

COMMANDS: Final = (
    Command(
        ("auth login",),
        "log in: get a token, which later commands show",
        "auth.login",
        (
            "ais auth login alice",
            "ais auth login alice -p - --expire 8h < password.txt",
            "export AIS_AUTHN_TOKEN=$(ais auth login alice -p - --file - < password.txt)",
        ),
    ),
    Command(
        ("auth logout",),
        "log out: end the token and forget it",
        "auth.logout",
        ("ais auth logout",),
    ),
    Command(
        ("auth whoami",),
        "show whom the present keys or token stand for",
        "auth.whoami",
        ("ais auth whoami", "ais auth whoami --json"),
    ),
    Command(
        ("auth add user",),
        "make a user, with an account of its own or in one that is there",
        "authadd.user",
        (
            "ais auth add user alice -p - < password.txt",
            "ais auth add user bob Guest-main --display 'Bob at home' --email bob@example.org",
            "ais auth add user carol --account 123456789012 --json",
        ),
    ),
    Command(
        ("auth add key",),
        "give a user an access key, a new one or one that is brought along",
        "authadd.key",
        (
            "ais auth add key alice",
            "ais auth add key alice --json",
            "ais auth add key alice --access-key ALICE --secret-key - < secret.txt",
        ),
    ),
    Command(
        ("auth add policy",),
        "give a user a policy",
        "authadd.policy",
        ("ais auth add policy carol read-demo policy.json",),
    ),
    Command(
        ("auth add role",),
        "make a role: permissions in a cluster or a bucket",
        "authadd.role",
        (
            "ais auth add role readers ro --desc 'may look'",
            "ais auth add role writers rw CREATE-BUCKET --cluster main",
            "ais auth add role demo-writers rw --bucket ais://demo",
        ),
    ),
    Command(
        ("auth add cluster",),
        "register a cluster, so that roles may name it",
        "authadd.cluster",
        ("ais auth add cluster main=http://localhost:8080",),
    ),
    Command(
        ("auth show user",),
        "show the users, or one of them with its keys",
        "authshow.user",
        ("ais auth show user", "ais auth show user -v", "ais auth show user alice --json"),
    ),
    Command(
        ("auth show key",),
        "show the access keys of a user",
        "authshow.key",
        ("ais auth show key alice",),
    ),
    Command(
        ("auth show policy",),
        "show a policy of a user",
        "authshow.policy",
        ("ais auth show policy carol read-demo",),
    ),
    Command(
        ("auth show role",),
        "show the roles, or what one of them permits",
        "authshow.role",
        ("ais auth show role", "ais auth show role readers"),
    ),
    Command(
        ("auth show cluster",),
        "show the clusters that are registered",
        "authshow.cluster",
        ("ais auth show cluster", "ais auth show cluster main --json"),
    ),
    Command(
        ("auth show token",),
        "show what a token says of itself",
        "authshow.token",
        ("ais auth show token", "ais auth show token --json"),
    ),
    Command(
        ("auth show config",),
        "show the settings of logins and tokens",
        "authshow.config",
        ("ais auth show config",),
    ),
    Command(
        ("auth update user",),
        "change the roles or the password of a user, or the names of its account",
        "authchange.update_user",
        (
            "ais auth update user alice",
            "ais auth update user bob writers",
            "ais auth update user bob --no-roles",
        ),
    ),
    Command(
        ("auth update key",),
        "switch an access key off or on",
        "authchange.update_key",
        ("ais auth update key alice ALICE --inactive",),
    ),
    Command(
        ("auth update role",),
        "change what a role permits in a cluster or a bucket",
        "authchange.update_role",
        ("ais auth update role readers ro --bucket ais://other",),
    ),
    Command(
        ("auth update cluster",),
        "give a registered cluster another alias or other addresses",
        "authchange.update_cluster",
        ("ais auth update cluster main --url http://10.0.0.1:8080",),
    ),
    Command(
        ("auth rm user",),
        "remove a user and its keys",
        "authchange.rm_user",
        ("ais auth rm user alice",),
    ),
    Command(
        ("auth rm key",),
        "remove an access key",
        "authchange.rm_key",
        ("ais auth rm key alice ALICE",),
    ),
    Command(
        ("auth rm policy",),
        "take a policy from a user",
        "authchange.rm_policy",
        ("ais auth rm policy carol read-demo",),
    ),
    Command(
        ("auth rm role",),
        "remove a role",
        "authchange.rm_role",
        ("ais auth rm role readers",),
    ),
    Command(
        ("auth rm cluster",),
        "forget a registered cluster",
        "authchange.rm_cluster",
        ("ais auth rm cluster main",),
    ),
    Command(
        ("auth rm token",),
        "end a token before its time",
        "authchange.rm_token",
        ("ais auth rm token",),
    ),
)
