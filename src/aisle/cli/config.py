"""`ais config cluster|node|show|reset`: show, set and reset the configuration."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable, Mapping
from typing import Any, Final

from aisle.cli.failure import Failure
from aisle.cli.flags import headers_flag, json_flag
from aisle.cli.notes import note, note_settings
from aisle.cli.props import assignments
from aisle.cli.tables import aligned, properties
from aisle.client import Client
from aisle.core import features, settings

_FEATURES: Final = "features"
_BACKEND: Final = "backend"
_LOCAL: Final = ("confdir", "log_dir", "host_net", "fspaths", "test_fspaths")
# Whose part of a node's configuration is shown.
_TYPES: Final = ("all", "cluster", "local")


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "words",
        metavar="SECTION|NAME|NAME=VALUE",
        nargs="*",
        help="net.http shows a section, checksum.type=md5 sets a value,"
        " features NAME [NAME ...] sets feature flags (none clears them)",
    )
    _flags(parser)


def _flags(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--transient", action="store_true", help="set until nodes restart, and do not keep"
    )
    parser.add_argument("--all", "-a", action="store_true", help="rarely used settings as well")
    json_flag(parser)
    headers_flag(parser)


def run(client: Client, options: argparse.Namespace) -> None:
    """The cluster's configuration, or a change of it."""
    words = _words(options.words)
    if any("=" in word or word.startswith("{") for word in words):
        asked = assignments(words)
        _put(client, "/v1/cluster", "set-config", asked, {}, transient=options.transient)
        _tell(asked, transient=options.transient)
        return
    _refuse_transient(options)
    reply = client.act("GET", "/v1/cluster", {"what": "cluster_config"})
    nested = json.loads(reply.body)
    if words == [_BACKEND] and not options.json:
        _show_backends(client, nested[_BACKEND], options)
    else:
        _show(nested, words, options)


def node_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("node", metavar="NODE", help="id of a node, as 'ais show cluster' tells it")
    parser.add_argument(
        "words",
        metavar="SECTION|NAME|NAME=VALUE",
        nargs="*",
        help="what to show or set, as with 'ais config cluster'; inherited shows what the cluster"
        " tells the node, local what is its own",
    )
    parser.add_argument("--type", choices=_TYPES, default="all", help="show a part of it")
    _flags(parser)


def node(client: Client, options: argparse.Namespace) -> None:
    """The configuration of one node, or a change of it."""
    words, kind = list(options.words), options.type
    if words[:1] in (["inherited"], ["cluster"], ["local"]):
        kind = "local" if words.pop(0) == "local" else "cluster"
    words = _words(words)
    headers = {"ais-node-id": options.node}
    if any("=" in word or word.startswith("{") for word in words):
        asked = assignments(words)
        where = "/v1/reverse/daemon"
        _put(client, where, "set-config", asked, headers, transient=options.transient)
        _tell(asked, transient=options.transient)
        return
    _refuse_transient(options)
    reply = client.act("GET", "/v1/reverse/daemon", {"what": "config"}, headers=headers)
    nested = json.loads(reply.body)
    if kind != "all":
        local = kind == "local"
        nested = {name: value for name, value in nested.items() if (name in _LOCAL) == local}
    _show(nested, words, options)


def show_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "whose", metavar="cluster|NODE", nargs="?", default="cluster", help="whose (the cluster's)"
    )
    parser.add_argument("words", metavar="SECTION|NAME", nargs="*", help="a part of it")
    parser.set_defaults(type="all", transient=False)
    parser.add_argument("--all", "-a", action="store_true", help="rarely used settings as well")
    json_flag(parser)
    headers_flag(parser)


def show(client: Client, options: argparse.Namespace) -> None:
    """The configuration of the cluster or of a node; nothing is set."""
    if any("=" in word for word in options.words):
        raise Failure("'ais config show' sets nothing: use 'ais config cluster'")
    if options.whose == "cluster":
        run(client, options)
    else:
        options.node = options.whose
        node(client, options)


def reset_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "sections", metavar="SECTION|NAME", nargs="*", help="what to set back (all of it)"
    )
    parser.add_argument("--node", metavar="NODE", default="", help="what this node has of its own")


def reset(client: Client, options: argparse.Namespace) -> None:
    """Set the configuration back to its defaults."""
    value = options.sections or None
    if options.node:
        headers = {"ais-node-id": options.node}
        client.act("PUT", "/v1/reverse/daemon", {}, "reset-config", value, headers)
        print(f'Config of node "{options.node}" successfully reset')
        return
    client.act("PUT", "/v1/cluster", {}, "reset-config", value)
    print("Cluster config successfully reset")


def _words(words: list[str]) -> list[str]:
    """`features NAME ...` as an assignment, which it stands for."""
    if words[:1] == [_FEATURES] and len(words) > 1:
        return [f"{_FEATURES}=" + ",".join(words[1:])]
    return words


def _put(
    client: Client,
    path: str,
    action: str,
    asked: Mapping[str, Any],
    headers: Mapping[str, str],
    *,
    transient: bool,
) -> None:
    query = {"transient": "true"} if transient else {}
    client.act("PUT", path, query, action, dict(asked), headers)


def _tell(asked: Mapping[str, Any], *, transient: bool) -> None:
    print(json.dumps(dict(asked), indent=4))
    note_settings(asked)
    rows = settings.SETTINGS
    late = [name for name in asked if name in rows and rows[name].restart and rows[name].effect]
    if late:
        note(f"{', '.join(late)}: nodes have to be restarted for it to take effect")
        if transient:
            note("a transient change ends with the restart")


def _refuse_transient(options: argparse.Namespace) -> None:
    if options.transient:
        raise Failure("--transient is about setting a value: NAME=VALUE")


def _show(nested: dict[str, Any], words: list[str], options: argparse.Namespace) -> None:
    if len(words) > 1:
        raise Failure("one section or setting can be shown at a time")
    section = words[0] if words else ""
    if options.json:
        print(json.dumps(_part(nested, section), indent=4))
    elif section == _FEATURES:
        _show_features(int(nested[_FEATURES]), options)
    else:
        rows = select(settings.flatten(nested), section, rare=options.all)
        for line in properties(rows, headers=not options.no_headers):
            print(line)


def _show_backends(client: Client, section: Mapping[str, Any], options: argparse.Namespace) -> None:
    """Which backends can be used, and the addresses of the clusters that are attached."""
    enabled = json.loads(client.act("GET", "/v1/cluster", {"what": "backends"}).body)
    rows = [(f"{_BACKEND}.{name}", "enabled") for name in enabled]
    attached = section.get("ais", {})
    rows += [(f"{_BACKEND}.ais.{alias}", ",".join(urls)) for alias, urls in attached.items()]
    for line in properties(rows, headers=not options.no_headers):
        print(line)


def _part(nested: Any, section: str) -> Any:
    """What is below `section` in the JSON of a configuration. Raises `Failure`."""
    part = nested
    for word in section.split(".") if section else ():
        if not isinstance(part, dict) or word not in part:
            raise Failure(f'there is no setting or section "{section}"')
        part = part[word]
    return part


def select(values: Mapping[str, Any], section: str, *, rare: bool = False) -> list[tuple[str, str]]:
    """The rows named `section` or below it, as text. Raises `Failure` if there are none."""
    rows = [
        (name, _text(name, value))
        for name, value in values.items()
        if name == section
        or ((not section or name.startswith(section + ".")) and (rare or not _is_rare(name, value)))
    ]
    if not rows:
        raise Failure(f'there is no setting or section "{section}"')
    return rows


def _is_rare(name: str, value: Any) -> bool:
    row = settings.SETTINGS.get(name)
    return row is not None and row.rare and value == settings.to_json(name, row.default)


def _text(name: str, value: Any) -> str:
    if name == _FEATURES:
        return ",".join(features.names_of(int(value)))
    if isinstance(value, list):
        return ",".join(map(str, value))
    return settings.show(value)


def _show_features(mask: int, options: argparse.Namespace) -> None:
    """The flags that are set, or with `--all` every one that there is."""
    lines = aligned(
        ("FEATURE", "TAGS", "DESCRIPTION"),
        _feature_rows(mask, every=options.all),
        headers=not options.no_headers,
    )
    for line in lines:
        print(line)


def _feature_rows(mask: int, *, every: bool) -> Iterable[tuple[str, str, str]]:
    for feature in features.FEATURES:
        if every or mask & feature.mask:
            tags = [
                *(["set"] if every and mask & feature.mask else []),
                *(["bucket"] if feature.per_bucket else []),
                *([] if feature.effect else ["no effect"]),
            ]
            yield feature.name, ",".join(tags) or "-", feature.help
