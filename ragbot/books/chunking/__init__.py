"""Cut the sections of a book into chunks."""
