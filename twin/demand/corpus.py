"""The corpus: ticket texts with true category, priority and the article that solves them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from twin.common.errors import Fault, ScenarioError
from twin.common.tables import read_table, trimmed
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
    table = read_table(path, ("text", "category"), ("priority", "article", "split"), "tickets")
    texts, names = table.need("text"), table.names("category")
    priority = table.one_of("priority", PRIORITIES, "normal")
    if "split" in table:
        # Taken for customers' tickets, rows meant to be learnt from would only be asked.
        train = np.array(table.one_of("split", ("train", "desk"), "desk")) == "train"
    else:
        # Every third row of a category is held back; a fixed rule, so runs agree.
        train = (pd.Series(names).groupby(names).cumcount() % 3 != 2).to_numpy()
    if train.all():
        raise table.fail("no ticket is left for customers to send", 'mark some rows split = "desk"')
    categories = tuple(sorted(set(names)))
    if len(categories) > _MAX_CATEGORIES:
        count = f"{len(categories):,} different categories; at most {_MAX_CATEGORIES:,}"
        raise table.fail(count, "is the column category the right one?")
    index = {name: k for k, name in enumerate(categories)}
    return Corpus(
        texts=tuple(texts),
        categories=categories,
        category=np.array([index[name] for name in names]),
        priority=np.array([PRIORITIES.index(name) for name in priority]),
        article=tuple(map(trimmed, table.texts("article"))),
        train=np.asarray(train, dtype=bool),
    )


def load_corpus(path: str) -> Corpus:
    """Read a corpus file (kept in memory until the file changes).

    Parameters
    ----------
    path : str
        CSV or Parquet with columns text, category and, where known, priority, article, split. A
        blank priority is normal, a blank split a ticket of customers.

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
