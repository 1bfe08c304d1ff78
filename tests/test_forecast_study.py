"""Shares of forecasts whose bands hold: planted histories of many shapes, and logs of real desks.

    pytest -m slow -s tests/test_forecast_study.py
    python tests/test_forecast_study.py HISTORY [AHEAD ...]

The first prints the table of planted histories. The second is a rolling back-test of a history that
`twin import` made: one forecast a week (a day, in less than ten weeks), each from the days before.
"""

import sys
from datetime import timedelta
from math import comb
from pathlib import Path

import numpy as np
import pytest
from planted_arrivals import START, daily, planted

from twin.history.fit.arrivals import unusual_days
from twin.history.forecast.edges import edges
from twin.history.forecast.level import fit_level

NUMBER = 300
# Weeks of history, and days ahead.
SHAPES = [(2, 28), (3, 14), (4, 28), (6, 28), (12, 28), (26, 28), (52, 28)]
BANDS = ((0.8, 0.1), (0.95, 0.025))


def holds(drawn, seen):
    """Share of what was seen within the bands of 80 and 95 % of ways drawn."""
    found = []
    for _, tail in BANDS:
        low, high = np.quantile(drawn, (tail, 1 - tail), axis=0)
        found.append(float(np.mean((seen >= low) & (seen <= high))))
    return found


def one(number, weeks, ahead, holidays=0):
    """Shares of days and of the first week and all days that the bands of a history held."""
    counts, _ = planted(number, weeks, ahead, holidays)
    known, after = daily(counts[: 7 * weeks]), counts[7 * weeks :]
    known = known.some(~unusual_days(known))
    rng = np.random.default_rng(number)
    skipped = (START + timedelta(days=7 * weeks - 1) - known.days[-1]).days
    drawn = fit_level(known).paths(skipped + ahead, 1000, rng).counts(rng)[:, skipped:]
    week, whole = ([drawn[:, :n].sum(axis=1, keepdims=True), [after[:n].sum()]] for n in (7, ahead))
    return [*holds(drawn, after), *holds(*week), *holds(*whole)]


def least(share, number):
    """Fewest of so many that a band of a share holds in 99.5 % of cases."""
    below = 0.0
    for k in range(number + 1):
        below += comb(number, k) * share**k * (1 - share) ** (number - k)
        if below > 0.005:
            return k / number
    return 1.0


@pytest.mark.slow
@pytest.mark.parametrize("holidays", [0, 3])
@pytest.mark.parametrize(("weeks", "ahead"), SHAPES)
def test_bands_hold_what_they_say(weeks, ahead, holidays):
    held = np.mean([one(k, weeks, ahead, holidays) for k in range(NUMBER)], axis=0)
    print(f"\n{weeks} weeks, {ahead} days ahead, {holidays} holidays: days, first week, all days, "
          f"80 and 95 %: {' '.join(f'{100 * share:.1f}' for share in held)}")  # fmt: skip
    for k, share in enumerate(held):
        assert share >= least(BANDS[k % 2][0], NUMBER), k
    # Not far too wide: a band that holds everything says nothing.
    assert held[0] < 0.92
    # Of two weeks that hold holidays, too, hardly anything is known.
    assert held[4] < (0.93 if weeks > 2 else 0.97)


@pytest.mark.slow
def test_edges_are_told_of_few_sound_histories():
    told = [len(edges(daily(planted(k, 8, 0)[0]))) for k in range(NUMBER)]
    ramps = []
    for k in range(60):
        counts, _ = planted(k, 8, 0)
        counts[-7:] = np.floor(counts[-7:] * 0.3)
        ramps.append(any("last week" in line for line in edges(daily(counts))))
    print(f"\nedges told: of {NUMBER} sound histories {sum(told)}, of 60 cut to 30 % {sum(ramps)}")
    assert sum(told) <= 0.02 * NUMBER
    assert np.mean(ramps) >= 0.8


def back_test(path, aheads):
    """Print what bands held in a history, with and without days that turned out as holidays."""
    from twin.history.desk_history import open_history
    from twin.history.whole_days import Days

    history = open_history(Path(path))
    at = history.log.tickets["arrived_s"].to_numpy(dtype=float)
    whole = Days.of(history).counts(at, history.desk.midnight)
    odd = unusual_days(whole)
    last = int(whole.number[-1]) + 1
    step = 7 if last >= 70 else 1
    for ahead in aheads:
        rows = {True: [], False: []}
        for start in range(max(14, min(ahead, 42)), last - ahead + 1, step):
            known = whole.some(whole.number < start)
            known = known.some(~unusual_days(known))
            known = known.some(np.isin(known.weekday, np.unique(known.weekday[known.totals > 0])))
            rng = np.random.default_rng(start)
            begin = known.days[-1] + timedelta(days=1)
            for usual in rows:
                here = (whole.number >= start) & (whole.number < start + ahead)
                here &= np.isin(whole.weekday, np.unique(known.weekday))
                after = whole.some(here & ~odd if usual else here)
                place = np.array([(day - begin).days for day in after.days])
                drawn = fit_level(known).paths(place[-1] + 1, 1000, rng).counts(rng)[:, place]
                total = drawn.sum(axis=1, keepdims=True)
                days = [holds(drawn[:, [k]], after.totals[[k]]) for k in range(len(place))]
                rows[usual].append((days, holds(total, np.array([after.totals.sum()]))))
        for usual, own in rows.items():
            days = np.concatenate([one_[0] for one_ in own])
            totals = np.array([one_[1] for one_ in own])
            print(f"{path}, {ahead} days ahead, {'named holidays left out' if usual else 'all'}: "
                  f"{len(days)} days {100 * days.mean(axis=0)} %, {len(totals)} totals "
                  f"{100 * totals.mean(axis=0)} %")  # fmt: skip


if __name__ == "__main__":
    back_test(sys.argv[1], [int(one_) for one_ in sys.argv[2:]] or [7])
