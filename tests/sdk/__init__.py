"""NVIDIA's SDK `aistore`, as it is on PyPI, against a running node."""
