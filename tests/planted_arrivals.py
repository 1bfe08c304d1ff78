"""Planted histories of daily arrivals whose truth is known."""

from datetime import date, timedelta

import numpy as np

from twin.history.fit.arrivals import DailyCounts

START = date(2026, 3, 2)


def planted(number, weeks, ahead, holidays=0):
    """Counts of days drawn by number: level, steps of it, growth, weekdays and over-dispersion.

    Returns
    -------
    counts : array, shape (7 weeks + ahead,)
    holiday : array of bool
        Days on which a tenth comes; none of them among those ahead.
    """
    luck = np.random.default_rng([17, weeks, number])
    days = np.arange(7 * weeks + ahead)
    mean = np.exp(luck.uniform(np.log(8), np.log(800)))
    growth = luck.choice([0.0, 0.0, 0.02, -0.02, 0.05])
    step = luck.choice([0.0, 0.01, 0.03, 0.06])
    dispersion = luck.choice([1.0, 2.0, 5.0, 1 + 0.02 * mean])
    weekday = np.exp(luck.normal(0, 0.15, 7))
    weekday[5:] *= luck.choice([1.0, 0.3, 0.1])
    drift = np.cumsum(luck.normal(0, step / np.sqrt(7), len(days)))
    rate = mean * np.exp(np.log1p(growth) * days / 7 + drift) * weekday[days % 7]
    holiday = np.zeros(len(days), dtype=bool)
    if holidays:
        holiday[luck.choice(7 * weeks - 7, holidays, replace=False)] = True
        rate = np.where(holiday, rate / 10, rate)
    beyond = max(dispersion - 1, 1e-9)
    return luck.poisson(luck.gamma(rate / beyond, beyond)).astype(float), holiday


def daily(counts, first=START, kept=None):
    """Counts of days as a history's: all of a day's tickets come at noon.

    `kept` is a mask of the days with data.
    """
    days = [first + timedelta(days=k) for k in range(len(counts))]
    table = np.zeros((len(counts), 24))
    table[:, 12] = counts
    found = DailyCounts(tuple(days), table)
    return found if kept is None else found.some(kept)
