"""Scripted runs of the tools that people use."""
