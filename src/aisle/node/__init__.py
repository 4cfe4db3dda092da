"""The process: options, logs, supervisor and workers, and the composition of a node."""
