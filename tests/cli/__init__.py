"""The `ais` console script, run as users run it."""
