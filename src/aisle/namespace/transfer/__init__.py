"""Moving a store: one stream of frames, read from any store and written into any other."""
