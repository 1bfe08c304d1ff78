"""Arrivals of a history: the shape of the week, level and trend, and how busy days and hours vary.

A day's arrivals are its level times the shape of its weekday, and hours vary about that. Which
shape and which level predict best is chosen by rolling weeks: each week of the history but the
first ones is predicted from the weeks before it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from itertools import product
from math import inf
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import optimize, stats

from twin.history.fit.estimate import Estimate, jackknife

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

# Busy weekdays: all alike; alike but for their totals; each its own.
ALIKE_DAYS, ALIKE_HOURS, EACH_HOUR = "alike days", "alike hours", "each hour of the week"
SHAPES = (ALIKE_DAYS, ALIKE_HOURS, EACH_HOUR)
# Half-life in days of a day's weight in the level.
HALF_LIVES = {"all days alike": inf, "half-life of 4 weeks": 28.0, "half-life of a week": 7.0}
TREND = "growth"

# A weekday is a busy one from this share of the busiest weekday's mean on.
_BUSY = 0.6
# A day is unusual below this share of its weekday's median, where chance alone gives so few less
# often than once in a million.
_UNUSUAL, _CHANCE = 0.4, 1e-6
# Standard errors by which hours must vary more than by chance, to be said to do so.
_CERTAIN = 2.33
# Days before the first that is predicted. A trend needs more of them to be worth a look: then
# weeks are predicted, else days.
_FIRST, _FIRST_WITH_TREND = 7, 28


@dataclass(frozen=True)
class DailyCounts:
    """Arrivals by local day and hour.

    Attributes
    ----------
    days : tuple of date, length n
        In order; days without data are not among them.
    counts : array of float, shape (n, 24)
    """

    days: tuple[date, ...]
    counts: Floats

    @property
    def weekday(self) -> Ints:
        """Weekday of each day, Monday is 0."""
        return np.array([day.weekday() for day in self.days], dtype=np.int64)

    @property
    def number(self) -> Ints:
        """Days since the first day."""
        return np.array([(day - self.days[0]).days for day in self.days], dtype=np.int64)

    @property
    def totals(self) -> Floats:
        """Arrivals of each day."""
        total: Floats = self.counts.sum(axis=1)
        return total

    def some(self, rows: npt.ArrayLike) -> DailyCounts:
        """Only some of the days, by number or mask; one may be taken twice."""
        kept = np.arange(len(self.days))[np.asarray(rows)]
        return DailyCounts(tuple(self.days[k] for k in kept), self.counts[kept])


class Spread(NamedTuple):
    """Spread of arrivals beyond chance.

    Attributes
    ----------
    day_cv : float
        Coefficient of variation of a factor of days.
    hour_cv, correlation : float
        That of a factor of hours on top of it, and the correlation of an hour's with the next.
    dispersion : float
        Variance over mean of an hour's count given the day's total; 1 by chance alone.
    """

    day_cv: float
    hour_cv: float
    correlation: float
    dispersion: float


@dataclass(frozen=True)
class ArrivalsFit:
    """Arrivals as found.

    Attributes
    ----------
    rates : array of float, shape (168,)
        Expected arrivals an hour by local hour of week, Monday midnight first, at the level of the
        last day.
    growth : float
        Rise of the level a week; 0 where a trend predicts no better, or the history is too short to
        tell. (Its estimate below is what the history has, used or not.)
    spread : Spread
    unusual : tuple of date
        Days with far fewer arrivals than their weekday has, as on holidays; not in the rest.
    shape, level : str
        What predicted best.
    scores : dict of (str, str) to float
        Poisson deviance an hour over the predicted weeks, by shape and level; empty where there are
        too few days to predict any: then days and levels are taken to be alike.
    estimates : tuple of Estimate
        Of rate, growth and busyness.
    hours : Estimate
        Of the hours of the week over their mean: the width, as a part of itself, is the middle one
        of the busy hours, those above the mean.
    """

    rates: Floats
    growth: float
    spread: Spread
    unusual: tuple[date, ...]
    shape: str
    level: str
    scores: dict[tuple[str, str], float]
    estimates: tuple[Estimate, ...]
    hours: Estimate


def fit_arrivals(history: DailyCounts) -> ArrivalsFit:
    """Fit arrivals to a history's counts.

    Parameters
    ----------
    history : DailyCounts
        Of whole days.
    """
    odd = unusual_days(history)
    usual = history.some(~odd)
    scores = rolling_scores(usual)
    shape, level = min(scores, key=scores.__getitem__, default=(ALIKE_DAYS, next(iter(HALF_LIVES))))
    rates, growth = predictor(usual, shape, level)
    found = spread(usual, shape, level)

    def figures(kept: npt.NDArray[np.bool_]) -> Floats:
        days = usual.some(kept)
        at_end, _ = predictor(days, shape, level)
        hours = at_end / max(at_end.mean(), 1e-9)
        others = (at_end.mean(), trend(days, shape), *spread(days, shape, level)[:3])
        return np.concatenate([others, hours])

    n = len(usual.days)
    low, high = jackknife(figures, n)
    names = ("rate", "growth", "busyness.cv", "busyness.part_cv", "busyness.correlation")
    values = (float(rates.mean()), trend(usual, shape), *found[:3])
    least = (0.0, -1.0, 0.0, 0.0, 0.0)
    there = rates > rates.mean()
    half = (high - low)[len(names) :][there] / 2 * rates.mean() / rates[there]
    wide = float(np.median(half)) if there.any() else 0.0
    method = f"days; {shape}, {level}; mean; those above it are each within as much of it"
    hours = Estimate("arrivals.week.hours", 1.0, "", max(1 - wide, 0.0), 1 + wide, n, method)
    return ArrivalsFit(
        rates,
        growth,
        found,
        tuple(day for day, is_odd in zip(history.days, odd, strict=True) if is_odd),
        shape,
        level,
        scores,
        tuple(
            Estimate(
                f"arrivals.{name}",
                values[k],
                "/h" if name == "rate" else "",
                max(float(low[k]), least[k]),
                float(high[k]),
                n,
                f"days; {shape}, {level}",
            )
            for k, name in enumerate(names)
        ),
        hours,
    )


def unusual_days(history: DailyCounts) -> npt.NDArray[np.bool_]:
    """True for days with far fewer arrivals than the median of their weekday, shape (n,)."""
    weekday, totals = history.weekday, history.totals
    median = np.array([np.median(totals[weekday == k]) for k in weekday])
    rare = np.asarray(stats.poisson.cdf(totals, median)) < _CHANCE
    return rare & (totals < _UNUSUAL * median)


def rolling_scores(history: DailyCounts) -> dict[tuple[str, str], float]:
    """Poisson deviance an hour of each shape and level, of days predicted from those before.

    From six weeks on whole weeks are predicted, in shorter histories each day.
    """
    number = history.number
    last = int(number.max(initial=-1))
    with_trend = last >= _FIRST_WITH_TREND + 13
    first, step = (_FIRST_WITH_TREND, 7) if with_trend else (_FIRST, 1)
    scores = {}
    for shape, level in product(SHAPES, (*HALF_LIVES, *([TREND] if with_trend else []))):
        parts = []
        for start in range(first, last + 1, step):
            ahead = (number >= start) & (number < start + step)
            before, after = history.some(number < start), history.some(ahead)
            rates, growth = predictor(before, shape, level)
            weeks = (number[ahead] - before.number[-1]) / 7
            mean = rates.reshape(7, 24)[after.weekday] * ((1 + growth) ** weeks)[:, None]
            parts.append(_deviance(after.counts, mean))
        if parts:
            scores[shape, level] = float(np.concatenate(parts).mean())
    return scores


def _deviance(counts: Floats, mean: Floats) -> Floats:
    # An hour that never had an arrival may have one.
    mean = np.maximum(mean, 0.01)
    logs = np.log(np.where(counts > 0, counts, 1.0) / mean)
    return np.asarray(2 * (np.where(counts > 0, counts * logs, 0.0) - (counts - mean))).ravel()


def predictor(history: DailyCounts, shape: str, level: str) -> tuple[Floats, float]:
    """Arrivals an hour by hour of week at the last day's level, shape (168,), and growth a week."""
    rates = week_shape(history, shape)
    factor, growth = _level(history, rates, level)
    return rates * factor[-1], growth


def trend(history: DailyCounts, shape: str) -> float:
    """Rise of the level a week by a Poisson regression, whether it is of use or not."""
    return _level(history, week_shape(history, shape), TREND)[1]


def week_shape(history: DailyCounts, shape: str) -> Floats:
    """Mean arrivals an hour by hour of week, shape (168,).

    A weekday of which there is no day is as all days are on average.

    Parameters
    ----------
    history : DailyCounts
    shape : str
        Of SHAPES.
    """
    weekday, counts = history.weekday, history.counts
    by_day = np.tile(counts.mean(axis=0), (7, 1))
    for k in np.unique(weekday):
        by_day[k] = counts[weekday == k].mean(axis=0)
    if shape != EACH_HOUR:
        busy = busy_weekdays(history)
        course = counts[busy[weekday]].mean(axis=0)
        if shape == ALIKE_HOURS:
            totals = by_day[busy].sum(axis=1, keepdims=True)
            course = totals * course / max(course.sum(), 1e-9)
        by_day[busy] = course
    return by_day.ravel()


def busy_weekdays(history: DailyCounts) -> npt.NDArray[np.bool_]:
    """True for weekdays on which about as many arrive as on the busiest, shape (7,)."""
    weekday, totals = history.weekday, history.totals
    number = np.bincount(weekday, minlength=7)
    mean = np.bincount(weekday, totals, minlength=7) / np.maximum(number, 1)
    return np.asarray((mean >= _BUSY * mean.max()) & (number > 0))


def _level(history: DailyCounts, rates: Floats, level: str) -> tuple[Floats, float]:
    """Level of each day, relative to the week's rates, shape (n,), and its growth a week."""
    usual, totals = rates.reshape(7, 24).sum(axis=1)[history.weekday], history.totals
    age = (history.number[-1] - history.number).astype(np.float64)
    if level != TREND:
        weight = 0.5 ** (age / HALF_LIVES[level])
        now = (weight @ totals) / max(weight @ usual, 1e-9)
        return np.full(len(age), now), 0.0
    # Poisson regression of the totals on time, by Newton's method.
    design, beta = np.stack([np.ones(len(age)), -age / 7], axis=1), np.zeros(2)
    for _ in range(25):
        mean = usual * np.exp(design @ beta)
        step = np.linalg.lstsq(design.T @ (mean[:, None] * design), design.T @ (totals - mean))[0]
        beta += np.clip(step, -1, 1)
        if np.abs(step).max() < 1e-10:
            break
    return np.exp(design @ beta), float(np.expm1(beta[1]))


def spread(history: DailyCounts, shape: str, level: str) -> Spread:
    """Spread of arrivals beyond chance, by moments.

    Hours are compared with their share of the day's own total, so the level of a day is not in
    them. An hour's factor is taken as an autoregression along the day, whose variance and
    correlation give the variances and products of neighbours that are seen.

    Parameters
    ----------
    history : DailyCounts
    shape, level : str
        What the means go by.
    """
    rates = week_shape(history, shape)
    factor, _ = _level(history, rates, level)
    weekday, counts, totals = history.weekday, history.counts, history.totals
    by_day = rates.reshape(7, 24)
    usual = by_day.sum(axis=1)
    share = np.divide(by_day, usual[:, None], out=np.zeros((7, 24)), where=usual[:, None] > 0)
    p = share[weekday]
    mean = totals[:, None] * p
    residual = counts - mean
    # Means that were fitted to the same days: as many fewer squares are free.
    alike = np.array([np.sum(weekday == k) for k in weekday], dtype=np.float64)
    if shape != EACH_HOUR:
        busy = busy_weekdays(history)
        alike = np.where(busy[weekday], float(np.sum(busy[weekday])), alike)
    free = np.where(alike > 1, alike / np.maximum(alike - 1, 1), 0.0)[:, None]
    square = free * residual**2
    by_chance = mean * (1 - p)
    dispersion = float(
        (square * (alike[:, None] > 1)).sum() / max(by_chance[alike > 1].sum(), 1e-9)
    )
    beyond = (square - by_chance)[alike > 1].sum()
    products = free * residual[:, 1:] * residual[:, :-1] + totals[:, None] * p[:, 1:] * p[:, :-1]
    together = products[alike > 1].sum()
    used = alike > 1
    # Squares of counts by chance alone: a chi-square of so many degrees.
    degrees = max(float((p[used] > 0).sum()) - used.sum(), 1.0)
    if (dispersion - 1) < _CERTAIN * np.sqrt(2 / degrees):
        beyond = 0.0
    hour_cv, correlation = _hours(float(beyond), float(together), mean[used], p[used])
    beyond_day = _beyond_day(history, usual[weekday], factor, level)
    # Hours that are busy by chance make their day busy.
    lag = np.abs(np.subtract.outer(np.arange(24), np.arange(24)))
    from_hours = hour_cv**2 * np.einsum("di,ij,dj->d", p, correlation**lag, p).mean()
    return Spread(
        float(np.sqrt(max(beyond_day - from_hours, 0.0))), hour_cv, correlation, dispersion
    )


def _beyond_day(history: DailyCounts, usual: Floats, factor: Floats, level: str) -> float:
    """Squared coefficient of variation of the days' totals beyond chance, about their level."""
    totals, number = history.totals, history.number
    if level in HALF_LIVES and HALF_LIVES[level] < inf:
        # About the level of the days around it, as that is what moves: not its own total.
        apart = np.abs(np.subtract.outer(number, number))
        weight = 0.5 ** (apart / HALF_LIVES[level]) * usual
        np.fill_diagonal(weight, 0.0)
        weight /= np.maximum(weight.sum(axis=1, keepdims=True), 1e-9)
        mean = usual * (weight @ (totals / np.maximum(usual, 1e-9)))
        free = 1 + (weight**2).sum(axis=1)
    else:
        mean = usual * factor
        days = len(totals)
        free = np.full(days, max(days - len(np.unique(history.weekday)), 1) / days)
    beyond = ((totals - mean) ** 2 / free - mean).sum()
    return float(beyond / max((mean**2).sum(), 1e-9))


def _hours(beyond: float, together: float, mean: Floats, p: Floats) -> tuple[float, float]:
    """Coefficient of variation and correlation of hours, from what is beyond chance.

    Relative to its day's own total, hour i varies by cv^2 (1 - 2 (C p)_i + p'Cp) and goes with its
    neighbour likewise, where C holds the powers of the correlation.
    """
    lag = np.abs(np.subtract.outer(np.arange(24), np.arange(24)))

    def moments(correlation: float) -> tuple[float, float]:
        c = correlation**lag
        cp = p @ c
        whole = np.einsum("di,di->d", cp, p)[:, None]
        own = 1 - 2 * cp + whole
        next_ = c[0, 1] - cp[:, 1:] - cp[:, :-1] + whole
        return float((mean**2 * own).sum()), float((mean[:, 1:] * mean[:, :-1] * next_).sum())

    if beyond <= 0:
        return 0.0, 0.0

    def gap(correlation: float) -> float:
        alone, with_next = moments(correlation)
        return with_next * beyond - together * alone

    low, high = 0.0, 0.95
    if gap(low) >= 0:
        correlation = low
    elif gap(high) <= 0:
        correlation = high
    else:
        correlation = float(optimize.brentq(gap, low, high))
    return float(np.sqrt(beyond / moments(correlation)[0])), correlation
