"""A load tool that puts Aisle beside other S3 servers in the same run: see docs/benchmarks.md."""
