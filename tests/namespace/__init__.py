"""The namespace on the memory engines and, where it matters, on the real ones."""
