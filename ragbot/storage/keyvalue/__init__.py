"""Store cache entries, rate counters and shared states in the database or in Redis, with failover."""
