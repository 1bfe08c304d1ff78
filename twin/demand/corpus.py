"""The corpus: ticket texts with true category, priority and the article that solves them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from twin.common.errors import Fault, ScenarioError
from twin.common.files import read_texts
from twin.scenario.model import PRIORITIES

# More is a wrong column; and what tells them apart would take minutes to learn.
_MAX_CATEGORIES = 1_000


@dataclass(frozen=True)
class Corpus:
    """Ticket texts as columns; row k of each belongs to text k.

    Attributes
    ----------
    texts : tuple of str
    categories : tuple of str
        Distinct categories, sorted.
    category : array of int, shape (n,)
        Index into `categories`.
    priority : array of int, shape (n,)
        Index into `twin.scenario.PRIORITIES`.
    article : tuple of str
        Slug of the article that solves the ticket; empty where none does.
    train : array of bool, shape (n,)
        Rows that an assistant may learn from. Customers send only the others, so what is
        measured in a run is measured on text held back from learning.
    """

    texts: tuple[str, ...]
    categories: tuple[str, ...]
    category: npt.NDArray[np.int64]
    priority: npt.NDArray[np.int64]
    article: tuple[str, ...]
    train: npt.NDArray[np.bool_]


@lru_cache(maxsize=8)
def _load(path: str, _stamp: tuple[int, int]) -> Corpus:
    def fail(reason: str, hint: str = "") -> ScenarioError:
        return ScenarioError(path, [Fault("", reason, hint=hint)])

    frame = read_texts(path, ("text", "category"), "tickets")
    priority = frame["priority"] if "priority" in frame else pd.Series(["normal"] * len(frame))
    odd = np.flatnonzero(~priority.isin(PRIORITIES))
    if len(odd):
        allowed = f"allowed: {', '.join(PRIORITIES)}"
        raise fail(f'line {odd[0] + 2}: unknown priority "{priority[odd[0]]}"', allowed)
    if "split" in frame:
        odd = np.flatnonzero(~frame["split"].isin(["train", "desk", ""]))
        if len(odd):
            # Taken for customers' tickets, rows meant to be learnt from would only be asked.
            unknown = frame["split"][odd[0]]
            raise fail(f'line {odd[0] + 2}: unknown split "{unknown}"', "allowed: train, desk")
        train = (frame["split"] == "train").to_numpy()
    else:
        # Every third row of a category is held back; a fixed rule, so runs agree.
        train = (frame.groupby("category").cumcount() % 3 != 2).to_numpy()
    if train.all():
        raise fail("no ticket is left for customers to send", 'mark some rows split = "desk"')
    categories = tuple(sorted(set(frame["category"])))
    if len(categories) > _MAX_CATEGORIES:
        count = f"{len(categories):,} different categories; at most {_MAX_CATEGORIES:,}"
        raise fail(count, "is the column category the right one?")
    index = {name: k for k, name in enumerate(categories)}
    article = frame["article"] if "article" in frame else pd.Series([""] * len(frame))
    return Corpus(
        texts=tuple(frame["text"]),
        categories=categories,
        category=np.array([index[name] for name in frame["category"]]),
        priority=np.array([PRIORITIES.index(name) for name in priority]),
        article=tuple(article),
        train=np.asarray(train, dtype=bool),
    )


def load_corpus(path: str) -> Corpus:
    """Read a corpus file (kept in memory until the file changes).

    Parameters
    ----------
    path : str
        CSV with columns text, category and, where known, priority, article, split.

    Raises
    ------
    ScenarioError
        Naming the file and line of the first fault.
    """
    try:
        stat = Path(path).stat()
    except OSError:
        raise ScenarioError(path, [Fault("", "no such file")]) from None
    return _load(path, (stat.st_mtime_ns, stat.st_size))
