"""Tell an author what readers asked: masked, grouped, and counted along the book."""
