"""`ais`, the command line: it speaks HTTP to a node and imports nothing of it but `core`."""
