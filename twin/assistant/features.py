"""Features of a text that a classifier learns from: words, pieces of words, and its meaning.

Training and answering use the same functions, so that answering needs no library of learning.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

# A longer text is cut: what it is about stands well before.
_MAX_CHARACTERS = 2_000
_SHORTEST, _LONGEST = 2, 4  # Characters in a piece; chosen on the training part of banking77.


def words_and_pairs(text: str) -> list[str]:
    """Words in lower case, and pairs of neighbours.

    Examples
    --------
    >>> words_and_pairs("Card declined!")
    ['card', 'declined', 'card declined']
    """
    words = re.findall(r"[^\W_]+", text[:_MAX_CHARACTERS].lower())
    return words + [f"{a} {b}" for a, b in pairwise(words)]


def pieces(text: str) -> list[str]:
    """Pieces of two to four characters of each word, its ends marked by blanks.

    Examples
    --------
    >>> pieces("Hi")
    [' h', 'hi', 'i ', ' hi', 'hi ', ' hi ']
    """
    padded = [f" {word} " for word in text[:_MAX_CHARACTERS].lower().split()]
    return [
        word[k : k + size]
        for size in range(_SHORTEST, _LONGEST + 1)
        for word in padded
        for k in range(len(word) - size + 1)
    ]


ANALYZERS: tuple[Callable[[str], list[str]], ...] = (words_and_pairs, pieces)


@dataclass(frozen=True)
class Terms:
    """Terms of one kind that are known, each with its rarity.

    Attributes
    ----------
    place : dict of str to int
    rarity : array of float
        By place: the inverse document frequency.
    """

    place: dict[str, int]
    rarity: Floats

    def of(self, terms: Sequence[str]) -> tuple[Ints, Floats]:
        """Places of the terms of a text in order, and their TF-IDF of length 1 together.

        A term that comes n times counts 1 + log n.
        """
        counted = Counter(filter(self.place.__contains__, terms))
        found = sorted((self.place[term], count) for term, count in counted.items())
        at = np.array([k for k, _ in found], dtype=np.int64)
        weight = np.array([1.0 + math.log(n) for _, n in found]) * self.rarity[at]
        # In one order and rounded once: a sum must not depend on how many are summed at once.
        length = math.sqrt(math.fsum(weight * weight))
        return at, weight / length if length else weight
