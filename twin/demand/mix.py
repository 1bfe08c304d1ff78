"""The mix of tickets: categories by weight and hour, priorities and channels by weight."""

from __future__ import annotations

import numpy as np
import pandas as pd

from twin.common.errors import Fault, ScenarioError
from twin.demand.corpus import Corpus
from twin.demand.luck import Floats, Ints, Places, Stream
from twin.scenario import clock
from twin.scenario.model import DAYS, PRIORITIES, Scenario


def category_weights(
    scenario: Scenario, corpus: Corpus | None, categories: tuple[str, ...]
) -> Floats:
    """Weight of each category: by the mix, else as often as customers send texts of it."""
    mix = scenario.tickets.category_mix
    if mix is not None:
        return np.array([mix.get(name, 0.0) for name in categories])
    if corpus is None:
        return np.ones(len(categories))
    counts = np.bincount(corpus.category[~corpus.train], minlength=len(corpus.categories))
    # A trace may know more categories than the corpus.
    by_name = dict(zip(corpus.categories, counts, strict=True))
    return np.array([float(by_name.get(name, 0)) for name in categories])


def weights_by_hour(
    scenario: Scenario, corpus: Corpus | None, categories: tuple[str, ...]
) -> Floats:
    """Weight of each category by local hour of the week, shape (168, categories)."""
    weights: Floats = np.tile(category_weights(scenario, corpus, categories), (168, 1))
    for name, factors in scenario.tickets.category_hours.items():
        weights[:, categories.index(name)] *= np.resize(factors, 168)
    nothing = np.flatnonzero(weights.sum(axis=1) <= 0)
    if len(nothing):
        day, hour = DAYS[nothing[0] // 24], nothing[0] % 24
        reason = f"no category is left on {day} from {hour:02d}:00 to {hour + 1:02d}:00"
        hint = "give one of them a factor above 0 there"
        raise ScenarioError(scenario.name, [Fault("tickets.category_hours", reason, hint=hint)])
    return weights


def categories_of(
    scenario: Scenario,
    corpus: Corpus | None,
    categories: tuple[str, ...],
    arrived_s: Floats,
    u: Floats,
) -> Ints:
    """Categories by the mix, of the hour where it differs by hour."""
    if not scenario.tickets.category_hours:
        return pick(category_weights(scenario, corpus, categories), u)
    weights = weights_by_hour(scenario, corpus, categories)
    hour = clock.hour_of_week(arrived_s, scenario.midnight)
    category = np.empty(len(u), dtype=np.int64)
    for k in np.unique(hour):
        here = hour == k
        category[here] = pick(weights[k], u[here])
    return category


def pick(weights: Floats, u: Floats) -> Ints:
    """Index by weight for each uniform."""
    edges = np.cumsum(weights / weights.sum())
    edges[np.flatnonzero(weights)[-1] :] = 1.0
    return np.searchsorted(edges, u, side="right").astype(np.int64)


def channel_names(scenario: Scenario, trace: pd.DataFrame | None) -> tuple[str, ...]:
    """The channels of a desk: those of the mix, and those of its trace; none where none is known.

    Their names are free, as a log names them; what else names one must name one of these.
    """
    names = list(scenario.tickets.channel_mix or ())
    if trace is not None and "channel" in trace:
        names += sorted(set(trace["channel"]) - {"", *names})
    return tuple(names)


def channel_codes(
    scenario: Scenario,
    channels: tuple[str, ...],
    trace: pd.DataFrame | None,
    places: Places,
    replication: tuple[int, int],
) -> Ints | None:
    """Channel of each ticket, by the mix or else its own; None on a desk without channels.

    Parameters
    ----------
    scenario : Scenario
    channels : tuple of str
        From `channel_names`.
    trace : DataFrame or None
        Rows of the tickets, where they are recorded.
    places : Places
        Of the tickets' luck.
    replication : (int, int)
        Seed and number.

    Returns
    -------
    array of int, shape (n,), or None
        Index into the channels; -1 where it is not known.
    """
    if (weights := channel_weights(scenario, channels)) is not None:
        return pick(weights, places.uniform(*replication, Stream.CHANNEL))
    if trace is None or not channels:
        return np.full(len(places), -1) if channels else None
    index = {"": -1} | {name: k for k, name in enumerate(channels)}
    return np.array([index[name] for name in trace["channel"]], dtype=np.int64)


def channel_weights(scenario: Scenario, channels: tuple[str, ...]) -> Floats | None:
    """Weight of each channel, where the scenario gives them."""
    mix = scenario.tickets.channel_mix
    return None if mix is None else np.array([mix.get(name, 0.0) for name in channels])


def priority_weights(scenario: Scenario) -> Floats | None:
    """Weight of each priority, where the scenario gives them."""
    mix = scenario.tickets.priority_mix
    if mix is None:
        return None
    return np.array([mix.get(name, 0.0) for name in PRIORITIES])  # type: ignore[call-overload]
