"""The rows of the table of commands, one module a noun; `commands` puts them together."""
