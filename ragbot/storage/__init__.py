"""Store editions, conversations, jobs and costs in the database."""
