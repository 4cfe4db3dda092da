"""Remote buckets end to end: real nodes, and real services behind them."""
