"""Ingest books: the pipeline from a folder to a published edition, and the jobs that run it for uploads."""
