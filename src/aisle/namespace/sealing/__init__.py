"""Encryption at rest: frames of bytes, the keys that wrap their keys, and who asks for what.

Every encrypted object has a key of its own (`frames.DataKey`), which its record holds wrapped
(`records.Sealed`): by a key of the ring (`ring.Ring`), or by the key that its client sends with
each request. Each run of bytes (an extent) is sealed in frames under a key made of the object's and
of its own salt. `wishes` decides how a new object is encrypted, and opens one that is there.
"""
