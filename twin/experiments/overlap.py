"""Texts that stand in two places at once: learnt from, and asked, too.

A model that is measured on what it was taught looks better than it is. Two texts are the same where
only capitals, marks and spaces differ, and nearly the same where they share most of their runs of
four letters.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from itertools import combinations

import pandas as pd

from twin.assistant.knowledge.article import Article
from twin.demand.corpus import Corpus

# Share of runs of four letters that two texts have in common, of those of either, from which they
# are nearly the same (assumed: one word in five may differ).
NEAR = 0.6
_RUN = 4
_MARKS = re.compile(r"[\W_]+")


def places(
    corpus: Corpus, articles: Mapping[str, Article], questions: Sequence[str] = ()
) -> dict[str, list[str]]:
    """Texts by the place they stand in: train, desk, phrases of articles, questions."""
    found: dict[str, list[str]] = {"train": [], "desk": [], "phrases": []}
    found["questions"] = list(questions)
    for text, train in zip(corpus.texts, corpus.train.tolist(), strict=True):
        found["train" if train else "desk"].append(text)
    found["phrases"] = [phrase for article in articles.values() for phrase in article.phrases]
    return {name: texts for name, texts in found.items() if texts}


def overlaps(texts: Mapping[str, Sequence[str]], near: float = NEAR) -> pd.DataFrame:
    """Overlap of each two places.

    Parameters
    ----------
    texts : mapping of str to sequence of str
        By place, as of `places`.
    near : float
        See `NEAR`.

    Returns
    -------
    DataFrame
        Columns first, second, texts (of the second), same, nearly (those included that are the
        same), likeness, one, other: the two texts that are most alike, and how much.

    Examples
    --------
    >>> texts = {"train": ["My parcel is late!", "Hello"], "desk": ["my parcel is  late", "Refund"]}
    >>> found = overlaps(texts).iloc[0]
    >>> int(found["texts"]), int(found["same"]), int(found["nearly"])
    (2, 1, 1)
    """
    rows = []
    for first, second in combinations(texts, 2):
        known = [_form(text) for text in texts[first]]
        holding: dict[str, list[int]] = defaultdict(list)
        sizes = []
        for number, form in enumerate(known):
            runs = _runs(form)
            sizes.append(len(runs))
            for run in runs:
                holding[run].append(number)
        forms, same, nearly = set(known), 0, 0
        best = (0.0, "", "")
        for text in texts[second]:
            form = _form(text)
            runs = _runs(form)
            shared = Counter(number for run in runs for number in holding.get(run, ()))
            alike, at = max(
                ((n / (len(runs) + sizes[k] - n), -k) for k, n in shared.items()), default=(0.0, 0)
            )
            same += form in forms
            nearly += alike >= near or form in forms
            best = max(best, (alike, texts[first][-at] if shared else "", text))
        rows.append((first, second, len(texts[second]), same, nearly, *best))
    columns = ["first", "second", "texts", "same", "nearly", "likeness", "one", "other"]
    return pd.DataFrame(rows, columns=columns)


def _form(text: str) -> str:
    return _MARKS.sub(" ", text.lower()).strip()


def _runs(form: str) -> set[str]:
    padded = f" {form} "
    return {padded[k : k + _RUN] for k in range(max(len(padded) - _RUN + 1, 1))}
