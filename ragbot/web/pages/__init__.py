"""Serve the pages: the console and the API's documentation."""
