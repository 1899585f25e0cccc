"""Translate HTTP to calls of the services: the API, the pages, and the middleware around both."""
