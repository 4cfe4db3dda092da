"""Archives: objects that are TAR, TGZ, TAR.LZ4 or ZIP, and the files in them.

Nothing is ever unpacked to a disk: members are names and bytes, never paths. Everything is read and
written as a stream, with bounds on whatever has to be held: `limits` has them.
"""
