"""What an object store means: buckets, objects, uploads, listing. Knows the ports, no dialect."""
