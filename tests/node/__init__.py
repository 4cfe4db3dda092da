"""The `aisnode` command as a process: starts, stops, deaths, directories, options, logs."""
