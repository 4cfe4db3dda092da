"""Hostile bytes into everything that reads bytes of strangers: `targets` says into what."""
