"""The JSON policy language: documents, what their statements match, and their conditions."""
