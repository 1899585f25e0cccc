"""Back up and restore the database, and rehearse the restore."""
