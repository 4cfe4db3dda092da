"""The ASGI application: one place that picks the dialect, catches, logs and moves bytes."""
