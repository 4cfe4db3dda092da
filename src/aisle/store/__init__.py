"""The two ports (`base`) and the engines behind them. An engine knows bytes, never S3."""
