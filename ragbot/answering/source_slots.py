"""Number cited passages in the reader's list of sources, which is shorter than what was searched."""

from __future__ import annotations


class SourceSlots:
    """Numbers for the passages that a reader sees. Not safe between threads.

    `passages` were retrieved, best first, and the reader is shown `shown` of them. A mark that cites a
    passage
    beyond these puts it in the place of the last one that no mark has cited yet; numbers that were given
    stay.
    """

    def __init__(self, passages: int, shown: int) -> None:
        self._passages = passages
        self._slots = list(range(1, min(passages, shown) + 1))
        self._cited: set[int] = set()
        self._changed = False

    def number_of(self, passage: int) -> int | None:
        """Give the number by which a reader finds a passage (from 1), now cited; None where there is none."""
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
        """The numbers that marks have cited so far."""
        return frozenset(self._cited)

    @property
    def passages(self) -> tuple[int, ...]:
        """The passage (from 1) that stands under each number, in order."""
        return tuple(self._slots)

    def take_change(self) -> bool:
        """Whether another passage was put into the list since this was called last."""
        changed, self._changed = self._changed, False
        return changed
