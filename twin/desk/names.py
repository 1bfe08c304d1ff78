"""Names behind the codes in the tables of a run: what was written, by which models, in which words.

Names are numbered as they appear.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import islice
from typing import Generic, TypeVar

import numpy as np
import numpy.typing as npt

from twin.assistant.protocol import Step, Written

T = TypeVar("T")
Ints = npt.NDArray[np.int64]
# Step, who found the category, visit, attempt, version: see `twin.desk.answers.ModelAnswers.get`.
Key = tuple[Step, int, int, int, int]


class Numbered(Generic[T]):
    """Distinct things by number, in order of appearance."""

    def __init__(self) -> None:
        self._number: dict[T, int] = {}
        self.items: list[T] = []

    def number(self, item: T) -> int:
        """The number of a thing, a new one if it was not seen before."""
        number = self._number.setdefault(item, len(self.items))
        if number == len(self.items):
            self.items.append(item)
        return number

    def numbers(self, items: Iterable[T]) -> list[int]:
        """As `number`, of several things."""
        known = self._number
        found = [known.setdefault(item, len(known)) for item in items]
        # Keys stay in the order in which they came, which is that of their numbers.
        self.items += islice(known, len(self.items), None)
        return found


@dataclass(frozen=True)
class Names:
    """Names behind the codes in a run's tables: answers, models, prompt versions."""

    texts: Numbered[Written] = field(default_factory=Numbered)
    models: Numbered[str] = field(default_factory=Numbered)
    versions: Numbered[str] = field(default_factory=Numbered)
    # Keys of recorded replies, with the number of the sample.
    replies: Numbered[tuple[str, int]] = field(default_factory=Numbered)
    # Where tickets come in blocks: of each text the question that would have come first, had all
    # been asked at once, as (place of its key, text and category).
    ranks: dict[int, tuple[int, int]] = field(default_factory=dict)
    keys: Numbered[tuple[int, Key]] = field(default_factory=Numbered)

    def renumbered(self) -> tuple[Ints, list[Written]]:
        """Texts in the order in which they would have been numbered, and each one's new number."""
        items = self.texts.items
        order = sorted(range(len(items)), key=lambda number: self.ranks.get(number, (0, number)))
        new = np.empty(len(items), np.int64)
        new[order] = np.arange(len(items))
        return new, [items[number] for number in order]
