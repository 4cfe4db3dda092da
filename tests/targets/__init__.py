"""Targets of event notifications: one contract for all kinds, and what each kind alone does."""
