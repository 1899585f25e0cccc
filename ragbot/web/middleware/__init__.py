"""Run before and after each request: ids, access log, rate limits, load shedding, CORS, authentication."""
