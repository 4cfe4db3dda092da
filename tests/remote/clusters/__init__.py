"""Another cluster's buckets, end to end."""
