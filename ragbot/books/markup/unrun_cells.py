"""Tell the operator of code whose words only a build of the book has."""

from __future__ import annotations

from collections.abc import Sequence


def unrun_notes(cells: int) -> tuple[str, ...]:
    """Return a sentence for so many code cells, none for none."""
    if not cells:
        return ()
    subject = f"{cells} code cells whose output" if cells > 1 else "A code cell whose output"
    return (f"{subject} only the built book has: give the built HTML where you can.",)


def missing_notes(names: Sequence[str], citations: int) -> tuple[str, ...]:
    """Return a sentence for citations of works that missing bibliographies list, none for none."""
    if not citations:
        return ()
    subject = f"{citations} citations are" if citations > 1 else "A citation is"
    return (f"{subject} left out: a run of the book's code writes what they refer to ({', '.join(names)}).",)
