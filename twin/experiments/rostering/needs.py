"""Agents needed by interval: by Erlang's formulas, and by what the simulation says.

Erlang A (and C, its case of endless patience) takes each interval as if it went on forever: so many
arrivals an hour, exponential times, agents who are all there. The simulation knows what an interval
begins with (the queue that the last one left, agents still busy), who gives up, and who does not
come. So both stand side by side, with what each part of the difference comes to.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from twin.experiments.rostering.sample import Counted, Player, for_people, total
from twin.experiments.rostering.week import Week, staffed
from twin.measures import theory
from twin.measures.promises import human_targets
from twin.scenario.model import Scenario
from twin.stats.intervals import ratio_interval

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

# Rounds of a search for the heads of each interval; then they only rise.
_ROUNDS, _LAST = 9, 12
_MOST_HEADS = 10_000
# Sums of floats differ in their last digits.
_ROUNDING = 1e-9


@dataclass(frozen=True)
class Needs:
    """Agents of a pool by interval of the week.

    Attributes
    ----------
    table : DataFrame
        A row an interval that the run sees: day, start, end (local time), agents (on shift and not
        on a break, on average, as the scenario has them), arrivals (an hour, to the pool), load
        (erlang: agents whom they keep busy), served (share of the tickets that arrived in it and
        were answered in time, all replications together), low, high (its 95 % interval), waiting
        (tickets in the queue when it begins), busy (agents), erlang_c and erlang_a (agents needed
        at work by the formulas), scheduled (the same with those who do not come), simulated (agents
        to schedule so that each interval meets the target in the simulation), and the parts of
        simulated - erlang_c: patience, shrinkage, rest (what an interval takes over from the one
        before, uneven days, and all else that the formulas leave out). Where no ticket was judged,
        nobody is needed.
    target : float
        Share to be answered in time.
    handle_s, patience_s : float
        Mean time of an agent on a visit, wrap-up included; mean patience, infinite: endless.
    within : tuple of (float, float)
        Seconds promised, each with its share of the tickets.
    simulated, load, asked : array, shape (n,)
        By interval of the week: as in the table; whether tickets are judged.
    met : bool
        Whether each interval met the target, so staffed, in the replications played.
    notes : tuple of str
        Remarks that a reader needs.
    """

    table: pd.DataFrame
    target: float
    handle_s: float
    patience_s: float
    within: tuple[tuple[float, float], ...]
    simulated: Ints
    load: Floats
    asked: npt.NDArray[np.bool_]
    met: bool
    notes: tuple[str, ...]


def needs(player: Player, target: float, replications: int) -> Needs:
    """Agents needed by interval.

    Parameters
    ----------
    player : Player
        Of the scenario as it is.
    target : float
        Share of the tickets of each interval that is to be answered within the promised time.
    replications : int
        Played for each setting.
    """
    week, pool = player.week, player.pool
    scenario, numbers = week.scenario, range(replications)
    player.expected += replications * (_ROUNDS + 1)
    (today,) = player.play([scenario], numbers)
    all_of = total(today)
    seen = week.seen * replications
    hours = seen * week.length_s / 3600
    arrivals = _share(all_of.came, hours)
    # Who comes back at night is promised nothing then.
    asked = all_of.judged > 0
    handle_s = all_of.work_s / all_of.visits if all_of.visits else 0.0
    # With several tickets in hand an agent may get as much done as so many with one each.
    speeds = enumerate(scenario.agents[pool].speeds, start=1)
    output = max(in_hand * speed for in_hand, speed in speeds)
    load = arrivals * handle_s / 3600 / output
    patience = scenario.customers.patience
    patience_s = math.inf if patience is None else patience.mean_value()
    within = promised(scenario)
    erlang = [
        np.array(
            [
                math.ceil(erlang_heads(rate / 3600, handle_s, of, within, target) / output)
                for rate in np.where(asked, arrivals, 0.0)
            ]
        )
        for of in (math.inf, patience_s)
    ]
    shrinkage = scenario.agents[pool].shrinkage
    scheduled = np.ceil(erlang[1] / (1 - shrinkage) - _ROUNDING).astype(np.int64)
    simulated, met = _by_simulation(player, target, numbers, scheduled, asked)
    agents = week.agents(pool)
    bounds = served(today, week)
    names = [week.label(k) for k in range(week.size)]
    table = pd.DataFrame({
        "day": [name[0] for name in names],
        "start": [name[1] for name in names],
        "end": [name[2] for name in names],
        "agents": agents,
        "arrivals": arrivals,
        "load": load,
        "served": [bound[0] for bound in bounds],
        "low": [bound[1] for bound in bounds],
        "high": [bound[2] for bound in bounds],
        "waiting": _share(all_of.waiting, seen),
        "busy": _share(all_of.busy_s, seen * week.length_s),
        "erlang_c": erlang[0],
        "erlang_a": erlang[1],
        "scheduled": scheduled,
        "simulated": simulated,
        "patience": erlang[1] - erlang[0],
        "shrinkage": scheduled - erlang[1],
        "rest": simulated - scheduled,
    })[week.seen > 0].reset_index(drop=True)  # fmt: skip
    return Needs(
        table, target, handle_s, patience_s, within, simulated, load,
        asked, met, tuple(_notes(scenario, pool, week, within)),
    )  # fmt: skip


def promised(scenario: Scenario) -> tuple[tuple[float, float], ...]:
    """Times to a response that are promised, in seconds, each with its share of tickets."""
    targets = scenario.targets
    by_priority: Mapping[Any, float] = targets.first_response
    by_channel: Mapping[str, float] = targets.first_response_by_channel
    if for_people(scenario):
        by_priority, by_channel = human_targets(targets)
    times = {str(name): time_s for name, time_s in by_priority.items()}
    known = _shares(scenario.tickets.priority_mix, times)
    # A promise of a channel goes before that of a priority.
    unknown = dict.fromkeys([*by_channel, *([""] if times else [])], 1.0)
    channels = scenario.tickets.channel_mix or unknown
    own = {name: w / math.fsum(channels.values()) for name, w in channels.items()}
    by = [(by_channel[name], w) for name, w in own.items() if w and name in by_channel]
    rest = max(0.0, 1 - math.fsum(w for _, w in by))
    if times and rest > _ROUNDING:
        by += [(times[name], w * rest) for name, w in known.items() if w]
    whole = math.fsum(w for _, w in by)
    return tuple((time_s, w / whole) for time_s, w in by)


def _shares(mix: Mapping[Any, float] | None, of: Mapping[str, float]) -> dict[str, float]:
    """Shares of some names by their weights in a mix; alike where it has none of them."""
    known = {str(name): w for name, w in (mix or {}).items() if str(name) in of}
    if not math.fsum(known.values()):
        known = dict.fromkeys(of, 1.0)
    whole = math.fsum(known.values())
    return {name: w / whole for name, w in known.items()}


@lru_cache(maxsize=1 << 14)
def erlang_heads(
    rate: float,
    handle_s: float,
    patience_s: float,
    within: tuple[tuple[float, float], ...],
    target: float,
) -> int:
    """Fewest agents with whom a steady queue serves a share within the promised times.

    By Erlang A; by Erlang C where patience is infinite. Priorities are taken in the order of
    arrival.

    Examples
    --------
    >>> erlang_heads(100 / 3600, 180.0, math.inf, ((20.0, 1.0),), 0.8)
    8
    """
    if rate <= 0 or handle_s <= 0:
        return 0
    load = rate * handle_s
    heads = 1 if math.isfinite(patience_s) else math.floor(load) + 1
    while heads < _MOST_HEADS:
        level = math.fsum(
            share
            * (
                theory.erlang_a_level(heads, rate, handle_s, patience_s, time_s)
                if math.isfinite(patience_s)
                else theory.erlang_c_level(heads, load, handle_s, time_s)
            )
            for time_s, share in within
        )
        if level >= target:
            return heads
        # Far below: as many more as are missing for the work itself.
        heads += max(1, math.floor((target * load - heads) / 2))
    return heads


def _by_simulation(
    player: Player, target: float, numbers: range, first: Ints, asked: npt.NDArray[np.bool_]
) -> tuple[Ints, bool]:
    """Heads of each interval with which all meet the target, few enough; and whether they do.

    Heads fall by one where an interval meets the target, a third of the intervals at a time (its
    neighbours feel it), until one fewer was seen to miss; they rise where it is missed.
    """
    week = player.week
    heads = np.where(asked, np.maximum(first, 1), 0)
    least = np.zeros(week.size, dtype=np.int64)
    best: Ints | None = None
    for turn in range(_ROUNDS + _LAST):
        desk = staffed(week.scenario, player.pool, week.shifts(heads))
        counted = total(player.play([desk], numbers)[0])
        missed = asked & (counted.kept < target * counted.judged - _ROUNDING)
        if not missed.any() and (best is None or heads.sum() < best.sum()):
            best = heads.copy()
        if turn >= _ROUNDS and best is not None:
            break
        least = np.where(missed, np.maximum(least, heads + 1), least)
        turn_of = np.arange(week.size) % 3 == turn % 3
        fewer = ~missed & asked & turn_of & (heads > np.maximum(least, 1)) & (turn < _ROUNDS - 1)
        short = np.where(missed, target * counted.judged - counted.kept, 0.0)
        more = np.where(missed, 1 + (short > counted.judged / 4), 0)
        if not missed.any() and not fewer.any():
            if turn and best is not None and not (heads > np.maximum(least, 1))[asked].any():
                break
            continue
        heads = np.minimum(heads + more - fewer, _MOST_HEADS)
    return (heads if best is None else best), best is not None


def served(counted: Sequence[Counted], week: Week) -> list[tuple[float, float, float]]:
    """Share answered in time in each interval, and its 95 % interval."""
    kept, judged = (np.array([one[k] for one in counted]) for k in range(2))
    return [ratio_interval(kept[:, k], judged[:, k], share=True) for k in range(week.size)]


def _share(over: Floats, under: Floats) -> Floats:
    return np.divide(over, under, out=np.zeros(len(over)), where=under > 0)


def _notes(
    scenario: Scenario, pool: str, week: Week, within: tuple[tuple[float, float], ...]
) -> list[str]:
    found = []
    given = scenario.agents[pool]
    if for_people(scenario):
        found.append(
            "in time is a person's reply to those who need one, from when they first wait for it: "
            "what the assistant answers alone is not judged"
        )
    if max(time_s for time_s, _ in within) > week.length_s:
        found.append(
            "what is promised takes longer than an interval, so work may wait for a later one: "
            "Erlang's formulas, which take each interval by itself, ask for too many agents"
        )
    if given.concurrency > 1:
        found.append(
            f"an agent has up to {given.concurrency} tickets in hand: Erlang's formulas take each "
            "for as many agents with one as get the same done at most"
        )
    if given.away is not None:
        found.append(f"agents of {pool} come and go, which Erlang's formulas do not know")
    if len(scenario.agents) > 1:
        found.append(
            f"only the roster of {pool} is looked at; the other pools stay as they are, and "
            "tickets of all pools are judged"
        )
    return found
