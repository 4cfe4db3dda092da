"""Known mistakes of object stores, each held by a test: `rows` says which, and by which one."""
