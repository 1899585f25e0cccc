"""Read books of many formats and cut them into chunks."""
