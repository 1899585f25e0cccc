"""Parse the markup of pages: blocks, front matter, hidden parts, prose, anchors."""
