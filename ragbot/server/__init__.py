"""Hold what surrounds the app: early errors of gunicorn, preflight checks, periodic tasks."""
