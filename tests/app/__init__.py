"""The application called directly as ASGI, and served by a second server."""
