"""What the command line tells when it cannot go on: one line, whatever happened.

`Failure` is what commands raise; it is also the root of what the client raises, so that
`except Failure` has them all.
"""

from __future__ import annotations

from aisle.client.errors import ClientError as Failure
from aisle.client.errors import Refused

__all__ = ["Failure", "Refused", "printable"]


def printable(text: str) -> str:
    """`text` on one line with what a terminal would act on escaped: names may hold anything."""
    if text.isprintable():
        return text
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape", "surrogatepass").decode()
        for char in text
    )
