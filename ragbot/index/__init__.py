"""Index editions, and search them by words and by vector."""
