"""Lines beside the twin's: floors below which no model gets, replay, and Erlang A by hour."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import ndtr

from twin.history.fidelity.measures import MEASURES, Alike, compared
from twin.history.fidelity.period import Period
from twin.measures.theory import birth_death, erlang_a
from twin.stats.intervals import quantile_t

Floats = npt.NDArray[np.float64]

# Random halves of the days behind a floor's range.
HALVES = 100
# Fewer days say nothing of how days differ.
FEWEST_DAYS = 4
# Days behind a floor: older ones say little of the desk as it is.
LONGEST = 56
# Hours with fewer calls in training have no Erlang A of their own.
_FEWEST_CALLS = 40
_MOST_AGENTS = 500
# A mean wait that is none.
_NO_WAIT_S = 1e-3
# Copies of the test that are drawn from the formula.
_COPIES = 2


def odd_even(real: Period, alike: Alike) -> dict[str, float]:
    """Floor by days: the days with an even number of the month against the odd ones."""
    odd = [day for day in real.dates if _day_of_month(day) % 2]
    even = [day for day in real.dates if day not in set(odd)]
    return compared(real.on(even), real.on(odd), alike)


def _day_of_month(day: int) -> int:
    return pd.Timestamp.fromordinal(day).day


def pairs(dates: list[int]) -> list[tuple[int, int]]:
    """Neighbouring days of one weekday, of the last eight weeks, the latest first.

    Where there are fewer than four such pairs, days that are left over are paired with each other.
    """
    recent = [day for day in dates if day > dates[-1] - LONGEST]
    found, rest = [], []
    for weekday in range(7):
        days = [day for day in recent if (day - 1) % 7 == weekday][::-1]
        found += list(zip(days[::2], days[1::2], strict=False))
        rest += days[len(days) // 2 * 2 :]
    if len(found) < FEWEST_DAYS:
        rest.sort()
        found += list(zip(rest[::2], rest[1::2], strict=False))
    return found


def halves(
    dates: list[int], count: int = HALVES, seed: int = 1
) -> list[tuple[list[int], list[int]]]:
    """Random halves of the days of `pairs`, a day of each pair in each half.

    None with fewer than two pairs.
    """
    both = np.array(pairs(dates) if dates else [])
    if len(both) < FEWEST_DAYS // 2:
        return []
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(count):
        first = rng.integers(2, size=len(both))
        row = np.arange(len(both))
        found.append((both[row, first].tolist(), both[row, 1 - first].tolist()))
    return found


def random_halves(real: Period, alike: Alike, count: int = HALVES, seed: int = 1) -> pd.DataFrame:
    """Measures between random halves of the days: see `halves`.

    The halves differ by luck only, but for what changes from one week to the next. So this is how
    far a right twin may be off, over a period as long as a half.

    Returns
    -------
    DataFrame
        A row a split, a column a measure.
    """
    lean = real.lean()
    rows = [
        compared(lean.on(first), lean.on(second), alike)
        for first, second in halves(real.busy_dates, count, seed)
    ]
    return pd.DataFrame(rows, columns=list(MEASURES), dtype=np.float64)


def wider(dates: list[int], normal: float = 1.95996) -> float:
    """Factor by which limits are widened, as few pairs tell little of how days differ.

    It is that of the quantile of Student's t to the normal one's, with a degree of freedom a pair.

    Parameters
    ----------
    dates : list of int
        The days that were halved.
    normal : float
        The normal quantile that a limit stands for; by default that of 95 %.
    """
    return float(quantile_t(len(pairs(dates)), ndtr(normal))) / normal


def source_days(train: list[int], test: list[int]) -> dict[int, int]:
    """For each day of the test the training day that stands for it.

    The k-th Monday of the test has the k-th Monday of training, or the last one there is; days of
    a weekday that training does not have have none.
    """
    found = {}
    for weekday in range(7):
        there = [day for day in train if (day - 1) % 7 == weekday]
        wanted = [day for day in test if (day - 1) % 7 == weekday]
        for k, day in enumerate(wanted):
            if there:
                found[day] = there[min(k, len(there) - 1)]
    return dict(sorted(found.items()))


def replay(train: Period, test: Period) -> Period:
    """The training weeks, aligned by weekday, as a forecast of the test."""
    return train.standing_for(source_days(train.dates, test.dates))


def one_touch(train: Period) -> str:
    """Reason why Erlang A does not apply; empty where it does.

    It takes one queue of tickets that an agent ends at one go, with known work and some who give
    up.
    """
    if not len(train.touches) or "work" in train.unknown:
        return "the starts of work are not known"
    if len(train.touches) > 1.05 * len(train.tickets):
        return "tickets take more than one touch"
    if not train.tickets["abandoned"].any():
        return "nobody gives up"
    if not np.nansum(train.tickets["wait_s"].to_numpy()) > 0:
        return "nobody waits"
    return ""


def erlang_by_hour(train: Period, test: Period, alike: Alike, seed: int = 1) -> Period | None:
    """Waits by Erlang A, hour by hour, with the rates of the training hours.

    For each local hour of the weekdays that are alike together, and of each other weekday: arrivals
    a day, mean handle time, and so many agents (between two whole numbers by mixing) that the
    mean wait of all who came in the hour, served or not, is that of training; patience is
    exponential with total waiting over abandonments as its mean. Hours with fewer than 40 training
    tickets are left out.

    Returns
    -------
    Period or None
        None where no hour can be fitted. Its open work is not known.
    """
    rng = np.random.default_rng(seed)
    waits = train.tickets["wait_s"].to_numpy()
    patience = float(np.nansum(waits)) / float(train.tickets["abandoned"].sum())
    parts = []
    for weekdays in [alike.weekdays, *((w,) for w in range(7) if w not in alike.weekdays)]:
        mine = train.tickets[train.tickets["weekday"].isin(weekdays).to_numpy()]
        work = train.touches[train.touches["weekday"].isin(weekdays).to_numpy()]
        handles = work.groupby("hour")["handle_s"].mean()
        days = [day for day in test.dates if (day - 1) % 7 in weekdays]
        trained = int(train.days["weekday"].isin(weekdays).sum())
        for hour, calls in mine.groupby("hour") if days and trained else ():
            if len(calls) < _FEWEST_CALLS or hour not in handles.index:
                continue
            handle = float(handles[hour])
            rate = len(calls) / trained / 3600.0
            wanted = float(np.nanmean(calls["wait_s"].to_numpy()))
            for heads, share in _agents(rate, handle, patience, wanted):
                number = round(rate * 3600 * len(days) * _COPIES * share)
                wait, served = _drawn(rate, handle, patience, heads, number, rng)
                day = np.resize(np.array(days), number)
                rows = {
                    "day": day,
                    "weekday": (day - 1) % 7,
                    "hour": int(str(hour)),
                    "served": served,
                }
                parts.append(pd.DataFrame(rows | {"abandoned": ~served, "wait_s": wait}))
    if not parts:
        return None
    tickets = pd.concat(parts, ignore_index=True)
    response = np.where(tickets["served"], tickets["wait_s"], np.nan)
    tickets = tickets.assign(
        kind="", priority="", channel="", response_s=response, resolution_s=np.nan
    )
    nothing = {"resolved": np.nan, "open_s": np.nan, "busy_s": np.nan}
    days_ = test.days.assign(**nothing)
    return Period(tickets, test.touches.iloc[:0], days_, float(_COPIES))


def _agents(rate: float, handle: float, patience: float, wanted: float) -> list[tuple[int, float]]:
    """Whole numbers of agents and their shares that give a mean wait."""
    more = float("inf")
    # Where nobody waited no number is enough: so many are that hardly anybody waits.
    wanted = max(wanted, _NO_WAIT_S)
    for heads in range(1, _MOST_AGENTS):
        wait = erlang_a(heads, rate, handle, patience)[3]
        if wait < wanted:
            if heads == 1:
                return [(1, 1.0)]
            share = (wanted - wait) / (more - wait)
            return [(heads - 1, share), (heads, 1 - share)]
        more = wait
    return []


def _drawn(
    rate: float, handle: float, patience: float, heads: int, number: int, rng: np.random.Generator
) -> tuple[Floats, npt.NDArray[np.bool_]]:
    """Waits of customers who meet the stationary desk, and whether they were served."""
    most = heads + 200 + int(2 * rate * patience)
    state = np.arange(most + 1)
    leave = np.minimum(state, heads) / handle + np.maximum(state - heads, 0) / patience
    chance = birth_death(np.full(most, rate), leave[1:])
    met = rng.choice(most + 1, number, p=chance)
    ahead = met - heads
    wait = np.zeros(number)
    served = np.ones(number, dtype=np.bool_)
    queue = np.flatnonzero(ahead >= 0)
    if len(queue):
        # The line moves up as agents end or those ahead give up.
        steps = np.arange(int(ahead[queue].max()), -1, -1)
        moves = rng.exponential(1.0, (len(queue), len(steps))) / (heads / handle + steps / patience)
        moves[steps[None, :] > ahead[queue][:, None]] = 0.0
        turn, leaves = moves.sum(axis=1), rng.exponential(patience, len(queue))
        served[queue] = turn <= leaves
        wait[queue] = np.minimum(turn, leaves)
    return wait, served
