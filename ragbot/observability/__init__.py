"""Log, count, trace and report what the service does."""
