"""The HTTP that Aisle sends, against servers that say exactly what a test has them say."""
