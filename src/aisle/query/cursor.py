"""A place among the tokens of an expression, and how it moves on. No grammar lives here."""

from __future__ import annotations

from aisle.query.errors import QueryError
from aisle.query.tokens import Kind, Token, cut, place


class Cursor:
    """The tokens of one expression, read once from the first to the last."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = cut(text)
        self._next = 0
        self._depth = 0
        self._terms = 0

    @property
    def _token(self) -> Token:
        return self._tokens[self._next]

    def _take(self) -> Token:
        token = self._tokens[self._next]
        if token.kind is not Kind.END:
            self._next += 1
        return token

    def _word(self, *words: str) -> str:
        """Take one of these keywords, if it is next."""
        word = self._token.upper
        if word in words:
            self._next += 1
            return word
        return ""

    def _mark(self, *marks: str) -> str:
        token = self._token
        if token.kind is Kind.MARK and token.text in marks:
            self._next += 1
            return token.text
        return ""

    def _peek(self, mark: str) -> bool:
        """Whether the token after the next one is this mark."""
        after = self._tokens[min(self._next + 1, len(self._tokens) - 1)]
        return after.kind is Kind.MARK and after.text == mark

    def _error(self, code: str, what: str, token: Token | None = None) -> QueryError:
        token = token or self._token
        shown = token.text[:50] if token.kind is not Kind.END else "the end of the expression"
        return QueryError(code, f"{what}, found {shown} {place(self._text, token.at)}.")

    def _need_word(self, word: str, code: str = "ParseExpectedKeyword") -> None:
        if not self._word(word):
            raise self._error(code, f"Did not find the expected keyword {word} in the expression")

    def _need(self, mark: str, code: str = "ParseExpectedTokenType") -> None:
        if not self._mark(mark):
            raise self._error(code, f"Did not find the expected {mark}")
