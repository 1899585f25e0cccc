"""Train the local embedder on questions about books."""
