"""Download the pages of a live site politely, for the command line alone."""
