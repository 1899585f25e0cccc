"""The app that gunicorn and the flask command find by name."""

from ragbot import create_app

app = create_app()
