"""Ask questions about open books that ragbot was neither trained nor fitted on."""
