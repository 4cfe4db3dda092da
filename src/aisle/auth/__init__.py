"""Who is asking, and whether they may: signatures, tokens, chunk decoding, policies, ACLs, and the
one decision. Pure functions over values, no I/O."""
