"""The dialects. `base` holds what they share; siblings never import each other."""
