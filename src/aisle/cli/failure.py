"""What the command line tells when it cannot go on: one line, whatever happened."""

from __future__ import annotations


class Failure(Exception):
    """A command cannot do what it was asked; `str()` is the line that the user reads."""


class Refused(Failure):
    """The node answered with an error; `status` is that of HTTP."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


def printable(text: str) -> str:
    """`text` on one line with what a terminal would act on escaped: names may hold anything."""
    if text.isprintable():
        return text
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape", "surrogatepass").decode()
        for char in text
    )
