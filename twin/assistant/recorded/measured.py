"""From recorded calls to a profile: what they took, how right they were, how good; and back again.

Latency is the time in the provider's queue, where it reports it, and the rest, a line in the tokens
with a spread. The reported prompt and completion times give the slopes; without them a
non-negative fit of least relative squares does. A profile knows each of the recording's questions
once, whereas on the desk some come more often than others. Where tickets were tried several times,
it knows how alike attempts at a ticket are, so that success at each of k attempts (pass^k) follows.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from scipy import optimize

from twin.assistant import catalogue
from twin.assistant.profile import ProfileAssistant
from twin.assistant.protocol import Floats, Ints, Luck, Questions
from twin.assistant.recorded.recorded_calls import Calls, Sample
from twin.common.toml import dump
from twin.scenario.model import OwnModel, Profile, Scenario
from twin.stats.passes import beta_is_refuted, beta_passes, fit_tickets, passes_of
from twin.stats.spread import fit_spread

# On fewer tickets with several attempts nothing is said of how alike these are.
_FEW_TICKETS = 10
# Success at each of so many attempts is compared, at most.
_MOST_K = 4
# Of success at each of k attempts: its name, tickets, as recorded, as drawn from the profile.
_PassRow = tuple[str, int, float, float]
# Tickets are kept one by one where a beta distribution is further than this from their pass^k, and
# luck is unlikely to be why; the seed is that of the trials of luck.
_FAR_PASS = 0.01
_SEED = 1
# Quantiles kept of each measured distribution: every hundredth, the smallest and largest included.
_QUANTILES = 101


def _quantiles(values: Floats, digits: int) -> list[float]:
    if not len(values):
        return []
    found = np.quantile(values, np.linspace(0, 1, min(_QUANTILES, len(values))))
    rounded = [round(float(value), digits) for value in found]
    return rounded[:1] if rounded[0] == rounded[-1] else rounded


def _fit(calls: Calls) -> dict[str, Any]:
    """Latency as queue, overhead, times a token in and out (seconds), and a spread."""
    reported = np.isfinite(calls.queue_s)
    queue = np.where(reported, calls.queue_s, 0.0) if reported.all() else np.zeros(len(calls))
    work = np.maximum(calls.latency_s - queue, 1e-6)
    if np.isfinite(calls.reading_s).all() and np.isfinite(calls.writing_s).all():
        reading = calls.reading_s.sum() / max(calls.tokens_in.sum(), 1.0)
        writing = calls.writing_s.sum() / max(calls.tokens_out.sum(), 1.0)
        rest = work - reading * calls.tokens_in - writing * calls.tokens_out
        overhead = max(float(np.median(rest)), 0.0)
    else:
        terms = np.column_stack([np.ones(len(calls)), calls.tokens_in, calls.tokens_out])
        overhead, reading, writing = optimize.nnls(terms / work[:, None], np.ones(len(calls)))[0]
    line = overhead + reading * calls.tokens_in + writing * calls.tokens_out
    spread = work / np.maximum(line, 1e-6)
    return {
        "queue": [f"{value:.6f}s" for value in _quantiles(queue, 6)] if reported.all() else [],
        "overhead": f"{overhead:.6f}s",
        "prompt_token": f"{reading:.9f}s",
        "completion_token": f"{writing:.9f}s",
        "spread": _quantiles(spread, 4),
    }


def _step(calls: Calls) -> dict[str, Any]:
    fitted = _fit(calls)
    return {
        "calls": len(calls),
        "texts": len(np.unique(calls.text)),
        "max_tokens": int(calls.max_tokens.max()),
        "prompt_tokens": _quantiles(calls.tokens_in, 1),
        "completion_tokens": _quantiles(calls.tokens_out, 1),
        **{key: value for key, value in fitted.items() if value != []},
    }


def measure(sample: Sample) -> dict[str, Any]:
    """The profile of recorded calls: plain data for `assistant.profile` of a scenario.

    Without a corpus it holds no accuracy, confusion, confidence and quality: the profile's defaults
    stand in. A recording holds no failed calls, so `error_rate` is yours to state.
    """
    measured: dict[str, Any] = {
        "model": sample.model,
        "date": sample.day,
        "prompt_version": sample.prompt_version,
    }
    profile: dict[str, Any] = {}
    spreads: dict[str, Any] = {}
    if (calls := sample.steps.get("categorize")) is not None:
        here = (calls.truth >= 0) & (calls.said >= 0)
        right = here & (calls.truth == calls.said)
        if here.any():
            profile["accuracy"] = round(float(right.sum() / here.sum()), 4)
            profile["confusion"] = _confusion(calls, here, sample.categories)
            measured["accuracy_answers"] = int(here.sum())
            measured["accuracy_texts"] = len(np.unique(calls.text[here]))
            given = _between(calls, here)
            spreads |= _spread("category", calls.text[here], right[here], measured, given)
        for name, rows in (("right", right), ("wrong", here & ~right)):
            found = calls.confidence[rows & np.isfinite(calls.confidence)]
            if len(found):
                measured[f"confidence_{name}"] = _quantiles(found, 4)
    if (calls := sample.steps.get("respond")) is not None:
        measured["articles"] = int(calls.articles.max())
        judged = (calls.truth == calls.said) & np.isfinite(calls.quality)
        found = calls.quality[judged]
        if len(found):
            measured["quality"] = _quantiles(found, 4)
            answer = _spread("answer", calls.text[judged], found, measured)
            spreads |= _tickets(calls.text[judged], found, **answer) or answer
    measured |= {step: _step(calls) for step, calls in sample.steps.items()}
    if spreads:
        profile["difficulty"] = spreads
    return profile | {"measured": measured}


def _spread(
    name: str, text: Ints, marks: Any, measured: dict[str, Any], given: float = 0.0
) -> dict[str, float]:
    """A key of `difficulty`, where enough texts were tried several times; bounds into `measured`.

    `given` is how much spread the profile has without it, as categories differ.
    """
    found = fit_spread(_by_text(text, marks))
    if found.tickets < _FEW_TICKETS or not np.isfinite(found.value):
        return {}
    rest = 1 - given
    value, low, high = (
        round(max((spread - given) / rest, 0.0), 4)
        for spread in (found.value, found.low, found.high)
    )
    counts = {"tickets": found.tickets, "attempts": found.attempts}
    measured[f"{name}_spread"] = counts | {"low": low, "high": high}
    return {name: value}


def _by_text(text: Ints, marks: Any) -> list[Floats]:
    """Marks of each text's attempts."""
    order = np.argsort(text, kind="stable")
    cuts = np.flatnonzero(np.diff(text[order])) + 1
    return np.split(np.asarray(marks, dtype=float)[order], cuts)


def _known_passes(text: Ints, marks: Any) -> tuple[Ints, Floats]:
    """Texts with so many attempts, and pass^1, pass^2, ... as far as half of all texts tell it."""
    by_text = _by_text(text, marks)
    tickets, passes = passes_of(by_text, _MOST_K)
    enough = int((tickets >= max(_FEW_TICKETS, len(by_text) / 2)).sum())
    return tickets[:enough], passes[:enough]


def _tickets(text: Ints, marks: Floats, answer: float = 0.0) -> dict[str, list[float]]:
    """The key `tickets` of `difficulty`, where recorded passes refute a beta distribution.

    Raw means of a ticket's attempts would not do: few attempts differ by luck, too.
    """
    told = _known_passes(text, marks)[1]
    # Mean and spread of a beta distribution are two numbers, so the first two say nothing of it.
    if not answer or len(told) < 3:
        return {}
    if np.abs(beta_passes(float(marks.mean()), answer, len(told)) - told).max() <= _FAR_PASS:
        return {}
    attempts = [len(each) for each in _by_text(text, marks)]
    if not beta_is_refuted(told, attempts, np.random.default_rng(_SEED)):
        return {}
    return {"tickets": [round(float(chance), 3) for chance in fit_tickets(told.tolist())]}


def _between(calls: Calls, here: Any) -> float:
    """Spread of chances to be right that comes of categories, each with its own accuracy."""
    truth, right = calls.truth[here], (calls.truth == calls.said)[here]
    count = np.bincount(truth)
    own = np.bincount(truth, right)[count > 0] / count[count > 0]
    weights = count[count > 0] / count.sum()
    mean = float(weights @ own)
    return float(weights @ (own - mean) ** 2) / (mean * (1 - mean)) if 0 < mean < 1 else 0.0


def _confusion(calls: Calls, here: Any, categories: tuple[str, ...]) -> dict[str, dict[str, int]]:
    counts = np.zeros((len(categories), len(categories)), dtype=np.int64)
    np.add.at(counts, (calls.truth[here], calls.said[here]), 1)
    return {
        name: {categories[k]: int(row[k]) for k in np.flatnonzero(row)}
        for name, row in zip(categories, counts, strict=True)
        if row.any()
    }


def reproduce(
    sample: Sample,
    profile: dict[str, Any],
    seed: int = 1,
    own: Mapping[str, OwnModel] | None = None,
) -> pd.DataFrame:
    """Draw as many calls from a profile as it was made of, beside what was recorded.

    `own` are a scenario's own models.

    Returns
    -------
    DataFrame
        Columns step, figure, n, recorded, profile; latencies in seconds, answer quality, accuracy
        and confidence from 0 to 1, over the `n` calls for which they are known.
    """
    longest = {step: int(calls.max_tokens.max()) for step, calls in sample.steps.items()}
    settings: dict[str, Any] = {"backend": "profile", "model": sample.model, "max_tokens": longest}
    settings["profile"] = Profile.model_validate(profile)
    desk = Scenario.model_validate({"arrivals": {"rate": "1/h"}, "assistant": settings})
    categories = sample.categories or ("General",)
    known = dict(own or {})
    if sample.model not in catalogue.models(known):
        # All that is asked of it was measured: no figure of a stand-in is used.
        known[sample.model] = OwnModel(context=1, tokens_per_s=1.0)
    assistant = ProfileAssistant(desk, categories, catalogue.model(sample.model, known))
    frames = []
    for number, (step, calls) in enumerate(sample.steps.items()):
        n = len(calls)
        rng = np.random.default_rng([seed, number])
        luck = Luck.drawn(n, rng)
        # A ticket's own at all attempts.
        hard = _hardness(calls, rng)
        truth = np.maximum(calls.truth, 0)
        category = truth if step == "respond" else None
        nothing = np.full(n, -1)
        drawn = assistant.answer(
            Questions(
                step, categories, (), nothing, category, truth, np.arange(n), luck, difficulty=hard
            )
        )
        here = (calls.truth >= 0) & (calls.said >= 0)
        passed: list[_PassRow] = []
        if step == "categorize":
            marks = {
                "accuracy": (here, calls.truth == calls.said, calls.truth == drawn.category),
                "confidence": (here, calls.confidence, drawn.confidence),
            }
            if here.any():
                right, again = (calls.truth == said for said in (calls.said, drawn.category))
                passed = _passes("right", calls.text[here], right[here], again[here])
        else:
            judged = (calls.truth == calls.said) & np.isfinite(calls.quality)
            marks = {"answer quality": (judged, calls.quality, drawn.quality)}
            if drawn.quality is not None and judged.any():
                seen, again = (one[judged] for one in (calls.quality, drawn.quality))
                passed = _passes("good", calls.text[judged], seen, again)
        latency = calls.latency_s, drawn.latency_s
        rows = [
            (f"latency p{q}", n, *(np.quantile(x, q / 100) for x in latency)) for q in (50, 90, 99)
        ]
        rows.append(("prompt tokens", n, calls.tokens_in.mean(), drawn.prompt_tokens.mean()))
        rows.append(("answer tokens", n, calls.tokens_out.mean(), drawn.completion_tokens.mean()))
        rows += passed
        for name, (rows_here, recorded, simulated) in marks.items():
            if rows_here.any():
                pair = (np.asarray(x)[rows_here].mean() for x in (recorded, simulated))
                rows.append((name, int(rows_here.sum()), *pair))
        frame = pd.DataFrame(rows, columns=["figure", "n", "recorded", "profile"])
        frame.insert(0, "step", str(step))
        frames.append(frame)
    return pd.concat(frames, ignore_index=True)


def _hardness(calls: Calls, rng: np.random.Generator) -> Floats:
    """Difficulty of each call's text, 0 to 1, shape (n,).

    Even over the texts of a category, and between its categories apart: even over all of them.
    """
    _, first, number = np.unique(calls.text, return_index=True, return_inverse=True)
    truth, luck = calls.truth[first], rng.random(len(first))
    found = np.empty(len(first))
    codes = np.unique(truth)
    for k, code in enumerate(codes):
        here = np.flatnonzero(truth == code)
        beside = (k + 0.5) / len(codes)
        found[here[np.argsort(luck[here])]] = (np.arange(len(here)) + beside) / len(here)
    return np.asarray(found[number], dtype=np.float64)


def _passes(name: str, text: Ints, recorded: Any, drawn: Any) -> list[_PassRow]:
    """Rows of success at each of two attempts and more, where texts have so many."""
    tickets, passes = _known_passes(text, recorded)
    again = passes_of(_by_text(text, drawn), _MOST_K)[1]
    return [
        (f"{name} at each of {k + 1}", int(tickets[k]), float(passes[k]), float(again[k]))
        for k in range(1, len(passes))
    ]


def to_toml(profile: dict[str, Any], model: str, extends: str | None, source: str) -> str:
    """A scenario fragment with the profile in it.

    Parameters
    ----------
    profile : dict
        From `measure`.
    model : str
    extends : str or None
        The scenario file that it changes, as seen from the new file; None leaves that to you.
    source : str
        Name of the recording, for the first line.
    """
    data = {
        "extends": extends,
        "assistant": {"backend": "profile", "model": model, "profile": profile},
    }
    head = f"# Measured from {source} by `twin profile`; lists hold quantiles."
    return f"{head}\n{dump(data)}\n"
