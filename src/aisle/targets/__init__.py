"""Where event notifications go: the port `base`, and an adapter for each kind of target.

An adapter is named by `aisle.node.targets` alone, which imports it when a target of its kind is
configured: what it needs beyond Aisle itself comes with an extra.
"""
