"""Windows: buckets with a remote one behind them, and what the cluster keeps of that.

A window is what `namespace.windows.Window` promises to `objects` and `bodies`, which know nothing
else of it. The truth is the remote bucket; a row of `object` in a window is a copy of one version
of it, whole and verified, and is there only while no writer may have replaced that version.
"""
