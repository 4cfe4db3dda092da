"""A real node killed again and again while it is written to, and on disks that fail it."""
