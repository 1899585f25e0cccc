"""Serve the pages: the console, the page to ask on, the widget and the API's documentation."""
