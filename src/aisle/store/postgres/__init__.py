"""`PostgresIndex`: the index of many gateways. It is in `index`; the rest is its parts."""
