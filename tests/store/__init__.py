"""The suites of the two ports, and what single engines promise beyond them."""
