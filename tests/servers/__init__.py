"""Real servers that tests start, on free loopback ports, with data in temporary directories."""
