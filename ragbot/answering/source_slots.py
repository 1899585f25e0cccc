"""Number the cited passages in the reader's list of sources, which is shorter than the list of passages."""

from __future__ import annotations


class SourceSlots:
    """Assign numbers to the passages that a reader sees. Not safe to use from several threads.

    `passages` is the number of retrieved passages, and `shown` how many of them the reader sees, the best
    ones at first. A mark that cites another passage puts it in the place of the last one that no mark has
    cited. Numbers of cited passages never change.
    """

    def __init__(self, passages: int, shown: int) -> None:
        self._passages = passages
        self._slots = list(range(1, min(passages, shown) + 1))
        self._cited: set[int] = set()
        self._changed = False

    def number_of(self, passage: int) -> int | None:
        """Mark a passage (from 1) as cited, and return its number for the reader; None if none is left."""
        if not 1 <= passage <= self._passages:
            return None
        if passage not in self._slots:
            free = [slot for slot in range(len(self._slots), 0, -1) if slot not in self._cited]
            if not free:
                return None
            self._slots[free[0] - 1] = passage
            self._changed = True
        number = self._slots.index(passage) + 1
        self._cited.add(number)
        return number

    def passage_of(self, number: int) -> int | None:
        """Return the passage (from 1) that stands under a number now; None where there is none."""
        return self._slots[number - 1] if 1 <= number <= len(self._slots) else None

    @property
    def cited(self) -> frozenset[int]:
        """Return the numbers that marks have cited so far."""
        return frozenset(self._cited)

    @property
    def passages(self) -> tuple[int, ...]:
        """Return the passages (from 1) in the order of their numbers."""
        return tuple(self._slots)

    def take_change(self) -> bool:
        """Return whether the list has changed since the last call."""
        changed, self._changed = self._changed, False
        return changed
