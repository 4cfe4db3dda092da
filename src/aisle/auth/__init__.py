"""Who is asking: signatures, chunk decoding, credentials. Pure functions over values, no I/O."""
