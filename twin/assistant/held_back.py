"""Quality of backend `embedded` on the texts of a corpus that it did not learn from.

Where a corpus is split by time, these are later tickets than all that was learnt.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats

from twin.assistant.classifier import Classifier, classifier_of
from twin.assistant.knowledge.knowledge import Knowledge
from twin.common.errors import Fault, ScenarioError
from twin.demand.corpus import Corpus

Mask = npt.NDArray[np.bool_]
LEVEL = 0.95
# Of the answers that are given, the share that is to be in the right category (assumed).
RIGHT = 0.9
_THRESHOLDS = np.round(np.arange(0.0, 1.0, 0.01), 2)
# Fewer of them do not show that a share is reached.
_FEWEST_SURE = 30
COLUMNS = ("figure", "category", "n", "value", "low", "high")


@dataclass(frozen=True)
class HeldBack:
    """Quality on held-back texts.

    Attributes
    ----------
    table : DataFrame
        Columns `COLUMNS`: shares with their Wilson intervals at 95 %, of all texts (category "")
        and by category.
    threshold : float
        Confidence from which at least `RIGHT` of the answers are right, chosen by
        cross-validation on the texts that were learnt; 1 where there is none.
    learnt : int
        Texts that were learnt.
    """

    table: pd.DataFrame
    threshold: float
    learnt: int

    def value(self, figure: str, category: str = "") -> tuple[float, float, float, int]:
        """Value, bounds and n of a figure; missing values where it was not measured."""
        rows = self.table[(self.table["figure"] == figure) & (self.table["category"] == category)]
        if not len(rows):
            return float("nan"), float("nan"), float("nan"), 0
        row = rows.iloc[0]
        return float(row["value"]), float(row["low"]), float(row["high"]), int(row["n"])


def held_back(
    corpus: Corpus, knowledge: Knowledge | None = None, rest: str = "", k: int = 3,
    floor: float = 0.2, right: float = RIGHT,
) -> HeldBack:  # fmt: skip
    """Measure how backend `embedded` categorizes and retrieves for texts that it never saw.

    Parameters
    ----------
    corpus : Corpus
        Its train rows are learnt, the others are asked.
    knowledge : Knowledge, optional
    rest : str
        Category that stands for none of the others: what is put there is not answered.
    k : int
        Articles that are looked up.
    floor : float
        As assistant.floor.
    right : float
        Share of the answers that is to be in the right category.

    Raises
    ------
    ScenarioError
        If there is nothing to learn from.
    """
    if not corpus.train.any():
        raise ScenarioError("the corpus", [Fault("", "has no texts to learn from (split train)")])
    learnt, asked = np.flatnonzero(corpus.train), np.flatnonzero(~corpus.train)
    model = classifier_of(
        corpus.categories,
        tuple(corpus.texts[i] for i in learnt),
        tuple(corpus.category[learnt].tolist()),
        knowledge,
    )
    none = corpus.categories.index(rest) if rest in corpus.categories else -1
    threshold = _threshold(model, corpus.category[learnt], none, right)
    texts, truth = [corpus.texts[i] for i in asked], corpus.category[asked]
    given, confidence = model.classify(texts)
    hits, rows = given == truth, []

    def add(figure: str, which: Mask, of: Mask, category: str = "") -> None:
        if n := int(of.sum()):
            count = int((which & of).sum())
            bounds = stats.binomtest(count, n).proportion_ci(LEVEL, method="wilson")
            rows.append((figure, category, n, count / n, float(bounds.low), float(bounds.high)))

    every = np.ones(len(asked), dtype=bool)
    sure = (confidence >= threshold) & (given != none)
    commonest = np.bincount(corpus.category[learnt], minlength=len(corpus.categories)).argmax()
    add("category right", hits, every)
    add("category right, always the commonest", truth == commonest, every)
    add("sure enough to answer", sure, every)
    add("category right, where sure", hits, sure)
    for code, name in enumerate(corpus.categories):
        add("category right", hits, truth == code, name)
    if knowledge is not None:
        names = [corpus.categories[code] for code in given]
        found = knowledge.retrieve(texts, k, floor, names)
        add("an article found, where sure", np.array([bool(hits) for hits in found]), sure)
        right_one = np.array([
            corpus.article[i] in {hit.slug for hit in own}
            for i, own in zip(asked, found, strict=True)
        ])  # fmt: skip
        known = np.array([corpus.article[i] in knowledge.articles for i in asked])
        add(f"the right article among {k}", right_one, known)
        has = np.isin([corpus.categories[code] for code in truth], knowledge.categories)
        of_kind = np.array([
            corpus.categories[code] in {knowledge.articles[hit.slug].category for hit in own}
            for code, own in zip(truth, found, strict=True)
        ])  # fmt: skip
        add(f"an article of its category among {k}", of_kind, has)
    return HeldBack(pd.DataFrame(rows, columns=list(COLUMNS)), threshold, len(learnt))


def _threshold(model: Classifier, truth: npt.NDArray[np.int64], none: int, right: float) -> float:
    """Lowest confidence from which enough is right, by texts that were left out in turn."""
    rows, given, confidence = model.left_out
    truth = truth[rows]
    answered = given != none
    for threshold in _THRESHOLDS:
        sure = answered & (confidence >= threshold)
        if sure.sum() < _FEWEST_SURE:
            break
        if (given[sure] == truth[sure]).mean() >= right:
            return float(threshold)
    return 1.0
