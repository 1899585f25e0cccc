"""Serve the API, one blueprint in each module."""
