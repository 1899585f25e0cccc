"""Run the service as real processes, put load on it and break it: shared by tests/ and bench/."""
