"""Tell the operator of code whose words only a build of the book has."""

from __future__ import annotations


def unrun_notes(cells: int) -> tuple[str, ...]:
    """Return a sentence for so many code cells, none for none."""
    if not cells:
        return ()
    subject = f"{cells} code cells whose output" if cells > 1 else "A code cell whose output"
    return (f"{subject} only the built book has: give the built HTML where you can.",)
