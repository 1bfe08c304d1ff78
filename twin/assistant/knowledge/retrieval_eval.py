"""Quality of retrieval on labelled questions: recall at k and MRR of the right article."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats

from twin.assistant.embedded import write_answer, write_generic
from twin.assistant.judging.judge import Judge
from twin.assistant.knowledge.knowledge import Knowledge
from twin.common.errors import Fault, ScenarioError, nearest
from twin.common.tables import read_table, trimmed

Floats = npt.NDArray[np.float64]

# What is compared: the default, each half of it alone, and no retrieval at all. Where articles
# bring phrases of customers, also without them: they may be written with the questions in mind.
METHODS = ("default", "meaning only", "words only", "off")
NO_PHRASES = ", no phrases"
BARE = tuple(f"{method}{NO_PHRASES}" for method in METHODS[:3])
LEVEL = 0.95
_RESAMPLES = 2_000
_MAX_TOKENS = 200


@dataclass(frozen=True)
class Labelled:
    """Questions with the article that answers each; all of length n.

    Attributes
    ----------
    questions, articles : tuple of str
        Text, and slug of the right article.
    overlap : tuple of str
        A group to report by, such as "high" and "low" by words shared with the article; empty
        texts where the file has no such column.
    places : tuple of str
        Where each stands in its file, for messages.
    """

    questions: tuple[str, ...]
    articles: tuple[str, ...]
    overlap: tuple[str, ...]
    places: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.questions)


def read_questions(path: str | Path) -> Labelled:
    """Read labelled questions.

    Parameters
    ----------
    path : str or Path
        CSV or Parquet with columns question, article and, where known, overlap.

    Raises
    ------
    ScenarioError
        Naming the fault and its line.
    """
    table = read_table(path, ("question", "article"), ("overlap",), "questions")
    return Labelled(
        tuple(table.need("question")),
        tuple(map(trimmed, table.need("article"))),
        tuple(map(trimmed, table.texts("overlap"))),
        tuple(map(table.place, range(len(table)))),
    )


def evaluate(
    labelled: Labelled,
    knowledge: Knowledge,
    ks: Sequence[int] = (1, 3, 5),
    floor: float = 0.2,
    methods: Sequence[str] | None = None,
) -> pd.DataFrame:
    """Measure retrieval on labelled questions.

    Parameters
    ----------
    labelled : Labelled
    knowledge : Knowledge
    ks : sequence of int
        Recall at k is the share of questions with the right article among the first k.
    floor : float
        Score below which `default` returns nothing, so that the question counts as missed; the
        halves alone have another scale and no floor.
    methods : sequence of str, optional
        Of `METHODS` and `BARE`; by default all, but for `BARE` where no article brings phrases.

    Returns
    -------
    DataFrame
        Columns retrieval, questions (a group by overlap, or "all"), figure, n, value, low, high.
        Figures are recall@k; MRR, the mean of 1 / rank with 0 for a miss; and answer quality, the
        judge's mark (0 to 1) of the first article's own steps or, with none, of a general answer.
        Intervals are at 95 %: Wilson's for shares, percentile bootstrap over questions for means.

    Raises
    ------
    ScenarioError
        If a label names no article of the folder.
    """
    slugs = list(knowledge.articles)
    unknown = [slug for slug in labelled.articles if slug not in knowledge.articles]
    if unknown:
        row = labelled.articles.index(unknown[0])
        place = labelled.places[row] if labelled.places else f"question {row + 1}"
        hint = nearest(unknown[0], slugs)
        fault = Fault("article", f"{place}: no such article in the folder", unknown[0], hint)
        raise ScenarioError("questions", [fault])
    right = np.array([slugs.index(slug) for slug in labelled.articles])
    if methods is None:
        methods = METHODS + (BARE if with_phrases(knowledge) else ())
    scores = _scores(labelled, knowledge, floor)
    scores["off"] = np.full((len(labelled), len(slugs)), -np.inf)
    if set(methods) & set(BARE):
        bare = Knowledge([replace(a, phrases=()) for a in knowledge.articles.values()])
        found = _scores(labelled, bare, floor)
        scores |= {f"{method}{NO_PHRASES}": score for method, score in found.items()}
    groups = {"all": np.ones(len(labelled), dtype=bool)}
    for name in sorted(set(labelled.overlap) - {""}):
        groups[name] = np.array([overlap == name for overlap in labelled.overlap])
    judge = Judge(knowledge)
    rows = []
    for method in methods:
        score = scores[method]
        ranks = _ranks(score, right)
        quality = _quality(labelled, knowledge, judge, score)
        for group, here in groups.items():
            rows += [
                (method, group, f"recall@{k}", *_share(ranks[here] <= k)) for k in sorted(set(ks))
            ]
            rows.append((method, group, "MRR", *_mean(1 / ranks[here])))
            rows.append((method, group, "answer quality", *_mean(quality[here])))
    names = ["retrieval", "questions", "figure", "n", "value", "low", "high"]
    return pd.DataFrame(rows, columns=names)


def with_phrases(knowledge: Knowledge) -> int:
    """Number of articles that bring phrases of customers."""
    return sum(bool(article.phrases) for article in knowledge.articles.values())


def _scores(labelled: Labelled, knowledge: Knowledge, floor: float) -> dict[str, Floats]:
    meaning, lexical = knowledge.parts(labelled.questions)
    joint = knowledge.scores(labelled.questions)
    return {
        "default": np.where(joint >= floor, joint, -np.inf),
        "meaning only": meaning,
        "words only": np.where(lexical > 0, lexical, -np.inf),
    }


def _ranks(score: Floats, right: npt.NDArray[np.int64]) -> Floats:
    """Rank of the right article, 1 first; infinite where it was not found."""
    own = score[np.arange(len(right)), right]
    # Ties go in the order of the articles, as when retrieving.
    earlier = np.arange(score.shape[1]) < right[:, None]
    ahead = (score > own[:, None]) | ((score == own[:, None]) & earlier)
    return np.where(np.isfinite(own), ahead.sum(axis=1) + 1.0, np.inf)


def _quality(labelled: Labelled, knowledge: Knowledge, judge: Judge, score: Floats) -> Floats:
    articles = list(knowledge.articles.values())
    best, found = score.argmax(axis=1), np.isfinite(score.max(axis=1))
    out = np.empty(len(labelled))
    for k, slug in enumerate(labelled.articles):
        if found[k]:
            answer = write_answer(articles[best[k]], _MAX_TOKENS)
        else:
            answer = write_generic(knowledge.articles[slug].category, _MAX_TOKENS)
        out[k] = judge.judge(slug, answer, labelled.questions[k])
    return out


def _share(hits: npt.NDArray[np.bool_]) -> tuple[int, float, float, float]:
    interval = stats.binomtest(int(hits.sum()), len(hits)).proportion_ci(LEVEL, method="wilson")
    return len(hits), float(hits.mean()), float(interval.low), float(interval.high)


def _mean(values: Floats) -> tuple[int, float, float, float]:
    # A generator of its own with a fixed seed: the same questions give the same interval.
    rng = np.random.default_rng(0)
    drawn = rng.integers(0, len(values), (_RESAMPLES, len(values)))
    low, high = np.quantile(values[drawn].mean(axis=1), [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return len(values), float(values.mean()), float(low), float(high)
