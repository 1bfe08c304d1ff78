"""Texts that customers send: drawn from a corpus, or those of a trace."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from twin.common.errors import Fault, ScenarioError
from twin.demand.corpus import Corpus, load_corpus
from twin.demand.luck import Floats, Ints
from twin.demand.mix import category_weights
from twin.demand.recorded import read_trace
from twin.scenario.model import Scenario


def texts_sent(
    scenario: Scenario, corpus: Corpus, categories: tuple[str, ...], category: Ints, u: Floats
) -> Ints:
    """A text that customers send, of each ticket's category."""
    text = np.empty(len(category), dtype=np.int64)
    for k in np.unique(category):
        name = categories[k]
        known = corpus.categories.index(name) if name in corpus.categories else -1
        rows = np.flatnonzero((corpus.category == known) & ~corpus.train)
        if not len(rows):
            raise ScenarioError(scenario.name, [_nothing_to_send("tickets.category_mix", name)])
        here = category == k
        text[here] = rows[(u[here] * len(rows)).astype(np.int64)]
    return text


def known_categories(scenario: Scenario, column: pd.Series[str], corpus: Corpus) -> Ints:
    """Categories of a trace's texts that stand in the corpus too."""
    known = dict(zip(corpus.texts, corpus.category.tolist(), strict=True))
    strange = int((~column.isin(known.keys())).sum())
    if strange:
        reason = f"{strange} texts of the trace are not in the corpus, so their category is unknown"
        hint = "add a column category to the trace"
        raise ScenarioError(scenario.name, [Fault("arrivals.trace", reason, hint=hint)])
    return np.array([known[text] for text in column], dtype=np.int64)


def traced_texts(
    column: pd.Series[str], corpus: Corpus | None
) -> tuple[Ints, tuple[str, ...], tuple[str, ...]]:
    """The texts of a trace: the number of each row's, all of them, and the articles they need."""
    text, distinct = pd.factorize(column.astype(str))
    known = dict(zip(corpus.texts, corpus.article, strict=True)) if corpus else {}
    texts = tuple(map(str, distinct))
    return text.astype(np.int64), texts, tuple(known.get(t, "") for t in texts)


def check_trace(scenario: Scenario, categories: Sequence[str]) -> None:
    """Every row of a trace must have a category and a text, whichever of them a replication keeps.

    Raises
    ------
    ScenarioError
        With one fault for each category without texts, or for unknown texts.
    """
    if scenario.arrivals.kind != "trace" or scenario.tickets.corpus is None:
        return
    trace, corpus = read_trace(scenario).rows, load_corpus(scenario.tickets.corpus)
    if "text" in trace:
        if "category" not in trace:
            known_categories(scenario, trace["text"], corpus)
        return
    weights = np.zeros(len(categories))
    if "category" not in trace:
        weights = category_weights(scenario, corpus, tuple(categories))
    comes = set(
        trace.get("category", [name for name, w in zip(categories, weights, strict=True) if w])
    )
    sent = {corpus.categories[code] for code in corpus.category[~corpus.train]}
    faults = [_nothing_to_send("arrivals.trace", name) for name in sorted(comes - sent)]
    if faults:
        raise ScenarioError(scenario.name, faults)


def _nothing_to_send(key: str, category: str) -> Fault:
    reason = f'the corpus has no ticket for customers to send in category "{category}"'
    return Fault(key, reason)
