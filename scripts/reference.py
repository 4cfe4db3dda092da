"""Write the reference pages that come from tables: settings and options, operations, commands.

`python scripts/reference.py` writes; with `--check` it only tells, by its exit code, whether the
pages are up to date. The text of every row stands in the tables, not here.
"""

import argparse
import sys
from collections.abc import Iterable
from pathlib import Path

from aisle.api.iam import operations as iam
from aisle.api.native import operations as native
from aisle.api.native.openapi import summary, url_of
from aisle.api.s3 import compatibility, dialect
from aisle.api.s3.operations import ROUTES
from aisle.cli.commands import COMMANDS, Command
from aisle.cli.parser import command_parser
from aisle.core import features, settings
from aisle.node.optiontable import OPTIONS

REFERENCE = Path(__file__).parents[1] / "docs" / "reference"

HEAD = """\
# Settings and options

This page is written by `make docs` from the tables that the server itself uses.

## Options of a node

What one `aisnode` process is told when it starts. The command line wins over the environment, the
environment over the TOML file named by `--config` or `AISLE_CONFIG`. In the file an option is
called as its variable without `AISLE_`, in lower case; paths there are relative to the file. Lists
in variables are separated by commas. Secrets cannot be given on the command line.
"""

SETTINGS = """
## Settings of the cluster and of buckets

What the cluster's configuration and bucket props hold. A new bucket takes a copy of the cluster's
values. Sizes are powers of 1,024 (`64KB`, `4MiB`), durations look like `30s`, `120m`, `1h30m`,
`7d`.
"""

FEATURES = """
## Feature flags

Names for the masks in `features`, as AIStore numbers them. A flag without effect is kept and
returned.
"""


OPERATIONS = """\
# S3 compatibility

This page is written by `make docs` from the tables that the server itself uses. It has every
operation of Amazon's S3 API, as botocore's model lists them:

* **works**: with the parameters, headers, limits and errors that Amazon documents, unless the note
  says otherwise; how is told in [The S3 API](s3.md) and the pages that it names.
* **kept**: the configuration is checked, stored and given back as it was sent, and has no effect
  here beyond that.
* **refused**: answered with `501 NotImplemented` in XML and a sentence that says why. Nothing is
  changed, and no request is taken for another one.

Of a [window on a remote bucket](remote-buckets.md) everything but the objects themselves is the
remote's to answer, and is passed on to it.
"""


IAM = """\
# IAM and STS operations

This page is written by `make docs` from the table that the server routes by. It has every operation
of Amazon's IAM and STS APIs, as botocore's models list them. What is not served answers
`501 NotImplemented`; a parameter that is not listed is refused with `ValidationError`. How the
served ones behave is told in [IAM and STS](../iam.md).
"""


NATIVE = """\
# Native operations

This page is written by `make docs` from the table that the server routes by; the same is served as
an OpenAPI 3.1 description at `/v1/openapi.json`. Operations that share a method and a path are told
apart by `what` in the query, by `action` in the JSON message of the body, or by a parameter of the
query that only one of them has. What bodies and replies look like is told in
[The native API](../native-api.md) and the pages it names.
"""


COMMANDS_HEAD = """\
# Commands

This page is written by `make docs` from the table that `ais` itself uses. What the commands print
is shown in [Command line](../cli.md). Every command has `--help` (`-h`), `--endpoint URL` and
`--no-color` as well.
"""


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A Markdown table."""
    lines = [list(head)]
    lines.append(["---"] * len(lines[0]))
    lines += [[cell.replace("|", "\\|") for cell in row] for row in rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def code(text: str) -> str:
    return f"`{text}`" if text else ""


def render_operations() -> str:
    """The page of S3 operations."""
    rows = [
        (
            code(name),
            f"{row.method} "
            + {"service": "/", "bucket": "/BUCKET", "object": "/BUCKET/KEY"}[row.level]
            + (f"?{row.selector}" if row.selector else ""),
            *standing(name, row.names),
        )
        for row in ROUTES
        for name in row.names
    ]
    routed = {name for row in ROUTES for name in row.names}
    rows += [
        (code(name), "on a host of its own", "refused", why)
        for name, why in compatibility.REFUSED.items()
        if name not in routed
    ]
    rows.sort()
    listed = table(("Operation", "Request", "Here", "Note"), rows)
    return f"{OPERATIONS}\n{listed}"


def standing(name: str, names: Iterable[str]) -> tuple[str, str]:
    """How an operation stands, and a note; `names` are those that share its request."""
    if name in compatibility.REFUSED:
        return "refused", compatibility.REFUSED[name]
    if name in compatibility.KEPT:
        return "kept", compatibility.KEPT[name]
    if name in dialect.HANDLERS:
        return "works", compatibility.NOTES.get(name, "")
    twin = next((other for other in names if other in dialect.HANDLERS), "")
    return ("works", f"As {code(twin)}, which has taken its place.") if twin else ("refused", "")


def render_iam() -> str:
    """The page of IAM and STS operations."""
    rows = [
        (
            code(row.name),
            row.service.upper(),
            "yes" if row.served else "",
            ", ".join(code(name) for name in sorted(row.needs)),
            ", ".join(code(name) for name in sorted(row.takes - row.needs)),
        )
        for row in iam.OPERATIONS.values()
    ]
    rows.sort(key=lambda row: (row[2] == "", row[1], row[0]))
    head = ("Operation", "Service", "Served", "Needs", "May have")
    return f"{IAM}\n{table(head, rows)}"


def render_native() -> str:
    """The page of native operations."""
    rows = [
        (
            f"{row.method} `{url_of(row.path)}`",
            f"{row.by} `{word}`" if word else "",
            code(row.name),
            summary(row),
        )
        for row in native.ROUTES
        for word in (row.values[0] if row.values else "",)
    ]
    head = ("Request", "Told apart by", "Operation", "What it does")
    return f"{NATIVE}\n{table(head, rows)}"


def render_settings() -> str:
    """The page of settings and options."""
    options = table(
        ("Option", "Variable", "Default", "Meaning"),
        (
            (
                code(option.flag) or "(not on the command line)",
                code(option.env),
                code(option.default),
                option.help[0].upper() + option.help[1:] + ".",
            )
            for option in OPTIONS
        ),
    )
    rows = table(
        ("Setting", "Where", "Kind", "Default", "Meaning"),
        (
            (
                code(row.name),
                ", ".join(sorted(row.scope, reverse=True)),
                row.kind + (": " + ", ".join(filter(None, row.choices)) if row.choices else ""),
                code(settings.show(row.default)),
                row.description + (" Needs a restart." if row.restart and row.effect else ""),
            )
            for row in settings.SETTINGS.values()
        ),
    )
    flags = table(
        ("Bit", "Feature", "Bucket", "Effect here", "Meaning"),
        (
            (
                str(feature.bit),
                code(feature.name),
                "yes" if feature.per_bucket else "",
                "yes" if feature.effect else "",
                feature.help[0].upper() + feature.help[1:] + ".",
            )
            for feature in features.FEATURES
        ),
    )
    return f"{HEAD}\n{options}{SETTINGS}\n{rows}{FEATURES}\n{flags}"


def render_commands() -> str:
    """The page of commands: names, arguments, options and examples of each."""
    rows = sorted(COMMANDS, key=lambda row: row.names[0])
    return "\n".join([COMMANDS_HEAD, *map(_command, rows)])


def _command(row: Command) -> str:
    name = row.names[0]
    others = ", ".join(code(f"ais {other}") for other in row.names[1:])
    also = f" Also: {others}." if others else ""
    text = row.help[0].upper() + row.help[1:] + "."
    words: list[argparse.Action] = []
    options: list[argparse.Action] = []
    for action in command_parser(name, row)._actions:
        common = {"-h", "--endpoint", "--no-color"} & set(action.option_strings)
        if action.help is not argparse.SUPPRESS and not common:
            (options if action.option_strings else words).append(action)
    arguments = "".join(f" {_argument(action)}" for action in words)
    dots = " [OPTIONS]" if options else ""
    lines = [f"## ais {name}\n", f"{text}{also}\n", "```text", f"ais {name}{dots}{arguments}"]
    lines += ["", *row.examples, "```\n"]
    listed = [(code(_option(action)), _meaning(action)) for action in (*words, *options)]
    return "\n".join([*lines, *([table(("Argument", "Meaning"), listed)] if listed else [])])


def _argument(action: argparse.Action) -> str:
    word = _value(action)
    return {"?": f"[{word}]", "*": f"[{word} ...]", "+": f"{word} [{word} ...]"}.get(
        str(action.nargs), word
    )


def _value(action: argparse.Action) -> str:
    if action.metavar is None and action.choices:
        return "|".join(map(str, action.choices))
    return str(action.metavar or action.dest).upper()


def _option(action: argparse.Action) -> str:
    if not action.option_strings:
        return _value(action)
    value = "" if action.nargs == 0 else f" {_value(action)}"
    return ", ".join(action.option_strings) + value


def _meaning(action: argparse.Action) -> str:
    text = (action.help or "").replace("%%", "%") % vars(action)
    return text[:1].upper() + text[1:] + "."


PAGES = {
    "native-operations.md": render_native,
    "settings.md": render_settings,
    "../s3-compatibility.md": render_operations,
    "iam-operations.md": render_iam,
    "commands.md": render_commands,
}


def main() -> None:
    REFERENCE.mkdir(parents=True, exist_ok=True)
    for name, render in PAGES.items():
        page = REFERENCE / name
        if "--check" not in sys.argv[1:]:
            page.write_text(render())
        elif not page.exists() or page.read_text() != render():
            sys.exit(f"{name} is not up to date: run make docs")


if __name__ == "__main__":
    main()
