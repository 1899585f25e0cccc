"""Call OpenAI or a compatible server."""
