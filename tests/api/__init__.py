"""The dialects' pure parts: tables, XML, targets."""
