"""Ask questions about open books that no model of ragbot was trained on."""
