"""Many gateways over one store: what they promise together, and what failures do to it."""
